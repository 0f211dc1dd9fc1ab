from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from align_cli.engine.alignment import (
    Agreement,
    Alignment,
    Outcome,
    Quality,
    Status,
    Uncertainty,
)
from align_cli.report.summary import closing_line, motion_in_words

START = Agreement(zncc=0.8123, rmse=0.081, mae=0.05)
END = Agreement(zncc=0.99312, rmse=0.0123, mae=0.008)
FOUND = Outcome(Status.CONVERGED, "Converged.")
LOST = Outcome(Status.DIVERGED, "The estimate ran away; try --model rigid.")


def finished(
    *,
    outcome: Outcome = FOUND,
    before: Agreement = START,
    after: Agreement = END,
    parameters: Mapping[str, float | tuple[float, float]] | None = None,
    uncertainty: Uncertainty | None = None,
) -> Alignment:
    return Alignment(
        model="similarity",
        source_to_target=np.eye(3),
        target_to_source=np.eye(3),
        parameters=parameters or {"shift_px": (12.34, -4.0), "angle_deg": 3.2, "scale": 1.02},
        outcome=outcome,
        quality=Quality(
            before=before,
            after=after,
            detail_zncc=0.9,
            shared_texture=0.8,
            unexplained=0.1,
            overlap=0.934,
        ),
        uncertainty=uncertainty,
        start="identity",
        gain=1.0,
        bias=0.0,
        levels=(),
        source_size=(400, 300),
        target_size=(400, 300),
    )


def test_an_aligned_pair_in_full() -> None:
    assert closing_line(finished(), written=["a_aligned.png", "a_aligned.json"]) == (
        "aligned (similarity): shifted 12.34 px right and 4.00 px up, turned 3.20 degrees "
        "clockwise, scaled x1.0200\n"
        "ZNCC 0.8123 -> 0.9931, RMSE 0.0810 -> 0.0123 of full scale, overlap 93.4 %\n"
        "wrote a_aligned.png, a_aligned.json"
    )


def test_how_sure_it_is() -> None:
    sigma = Uncertainty(np.zeros((8, 8)), np.full(4, 0.02), mean_px=0.00412, max_px=0.02)
    first = closing_line(finished(uncertainty=sigma), written=[]).splitlines()[0]
    assert first.endswith("scaled x1.0200, +-0.0041 px")


@pytest.mark.parametrize(
    ("mean_px", "words"), [(3e-9, "+-0.0001 px"), (0.5, "+-0.5 px"), (123.4, "+-123 px")]
)
def test_how_sure_it_is_needs_no_exponent(mean_px: float, words: str) -> None:
    sigma = Uncertainty(np.zeros((8, 8)), np.full(4, 0.02), mean_px=mean_px, max_px=0.02)
    assert closing_line(finished(uncertainty=sigma), written=[]).splitlines()[0].endswith(words)


def test_floating_point_images_have_no_full_scale() -> None:
    words = closing_line(finished(), written=[], of_full_scale=False)
    assert "RMSE 0.0810 -> 0.0123, overlap 93.4 %" in words


@pytest.mark.parametrize(
    ("rmse", "words"),
    [(4e-30, "4e-30"), (0.01234, "0.0123"), (177.43, "177.4300"), (5.25e28, "5.25e+28")],
)
def test_a_difference_of_any_size_shows_its_digits(rmse: float, words: str) -> None:
    end = Agreement(zncc=0.99, rmse=rmse, mae=rmse)
    said = closing_line(finished(after=end), written=[], of_full_scale=False)
    assert f"RMSE 0.0810 -> {words}, overlap" in said


def test_the_pair_is_named_where_it_is_not_simply_aligned() -> None:
    pair = ("in/a b.png", "target\n.tif")
    who = "in/a b.png -> target\\n.tif: "
    for outcome, accepted in ((LOST, False), (DOUBTFUL, False), (DOUBTFUL, True)):
        words = closing_line(finished(outcome=outcome), written=[], pair=pair, accepted=accepted)
        verdict = "doubtful" if outcome.doubtful else "not aligned"
        assert words.startswith(f"{who}{verdict} (similarity): ")
    assert closing_line(finished(), written=[], pair=pair).startswith("aligned (similarity)")


def test_nothing_written_is_not_mentioned() -> None:
    assert "wrote" not in closing_line(finished(), written=[])


def test_a_failure_gives_its_sentence_and_says_that_there_is_no_image() -> None:
    words = closing_line(finished(outcome=LOST), written=["a_aligned.json"])
    assert words == (
        "not aligned (similarity): The estimate ran away; try --model rigid.\n"
        "no image was written; wrote a_aligned.json"
    )
    assert closing_line(finished(outcome=LOST), written=[]).endswith("\nno image was written")


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.CONVERGED])
def test_no_other_status_passes_for_aligned(status: Status) -> None:
    words = closing_line(finished(outcome=Outcome(status, "Why.")), written=[])
    assert words.startswith("not aligned")
    assert "shifted" not in words


def test_what_cannot_be_measured_is_said_so() -> None:
    nothing = Agreement(math.nan, math.nan, math.nan)
    words = closing_line(finished(before=nothing), written=[])
    assert "ZNCC not measurable -> 0.9931, RMSE not measurable -> 0.0123" in words
    assert "nan" not in closing_line(finished(before=nothing, after=nothing), written=[])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"shift_px": (5.0, 0.0)}, "shifted 5.00 px right"),
        ({"shift_px": (-5.0, 0.0)}, "shifted 5.00 px left"),
        ({"shift_px": (0.0, 5.0)}, "shifted 5.00 px down"),
        ({"shift_px": (0.0, -5.0)}, "shifted 5.00 px up"),
        ({"shift_px": (-0.25, 1.26)}, "shifted 0.25 px left and 1.26 px down"),
        ({"shift_px": (0.004, -0.004)}, "nothing moved"),
        ({"shift_px": (math.nan, 1.0)}, "shift not measurable"),
        ({"angle_deg": 90.0}, "turned 90.00 degrees clockwise"),
        ({"angle_deg": -0.05}, "turned 0.05 degrees counter-clockwise"),
        ({"angle_deg": 0.004}, "nothing moved"),
        ({"angle_deg": math.nan}, "rotation not measurable"),
        ({"scale": 0.5}, "scaled x0.5000"),
        ({"scale": 10.0}, "scaled x10.0000"),
        ({"scale": 1.00004}, "nothing moved"),
        ({"scale": math.nan}, "scale not measurable"),
        ({"scale": 1.0, "scale_x": 1.02, "scale_y": 0.98}, "scaled x1.0200 in x and x0.9800 in y"),
        ({"scale": 1.02, "scale_x": 1.02, "scale_y": 1.02}, "scaled x1.0200"),
        ({"shear": -0.0125}, "sheared by -0.0125"),
        ({"shear": 0.00004}, "nothing moved"),
        ({"perspective": (0.0, -2e-5)}, "with perspective"),
        ({"perspective": (1e-9, -1e-9)}, "nothing moved"),
        ({"perspective": (0.0, math.nan)}, "perspective not measurable"),
        ({"shift_at_origin_px": (3.0, 4.0)}, "nothing moved"),
        ({}, "nothing moved"),
    ],
)
def test_motion_in_words(parameters: Mapping[str, float | tuple[float, float]], words: str) -> None:
    assert motion_in_words(parameters) == words


DOUBTFUL = Outcome(Status.AMBIGUOUS, "It may be, but.", ("but",), doubtful=True)


def test_a_doubtful_one_names_no_numbers_until_it_is_accepted() -> None:
    words = closing_line(finished(outcome=DOUBTFUL), written=["a_aligned.json"])
    assert words == (
        "doubtful (similarity): It may be, but.\n"
        "no image was written; wrote a_aligned.json\n"
        "--accept-doubtful writes the image all the same"
    )
    words = closing_line(finished(outcome=DOUBTFUL), written=["a_aligned.png"], accepted=True)
    first, second, third, last = words.splitlines()
    assert first.startswith("doubtful (similarity): shifted 12.34 px right")
    assert second.startswith("ZNCC")
    assert third == "It may be, but."
    assert last == "wrote a_aligned.png"


def test_a_failed_one_cannot_be_accepted() -> None:
    assert closing_line(finished(outcome=LOST), written=[], accepted=True) == closing_line(
        finished(outcome=LOST), written=[]
    )
