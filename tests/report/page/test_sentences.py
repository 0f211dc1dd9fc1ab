from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.displacements.records import SecondMotion
from align_cli.engine.records import Outcome, Status, Uncertainty
from align_cli.engine.verdict.messages import INDEPENDENTLY
from align_cli.report.page import sentences
from tests.report.test_summary import finished
from tests.report.test_summary import told as displaced
from tests.scenes import pair

OBJECTED = f"31% of the texture, at the top, {INDEPENDENTLY} (12 px)"
ADVICE = "use a simpler motion model (-m): it needs less texture"
DOUBTFUL = Outcome(
    Status.UNCERTAIN,
    "the images may be aligned, but one is dark: the other small; it repeats itself: " + ADVICE,
    ("one is dark: the other small", "it repeats itself"),
    doubtful=True,
    advice=ADVICE,
)


@pytest.mark.parametrize(
    ("outcome", "reasons", "advice"),
    [
        (Outcome(Status.CONVERGED, "the images are aligned"), (), ()),
        (Outcome(Status.CONVERGED, "the images are aligned; rigid: no scale is seen"), (), ()),
        (
            DOUBTFUL,
            ("One is dark: the other small.", "It repeats itself."),
            ("Use a simpler motion model (-m): it needs less texture.",),
        ),
    ],
)
def test_causes_and_advice_stand_apart(
    outcome: Outcome, reasons: tuple[str, ...], advice: tuple[str, ...]
) -> None:
    assert sentences.reasons(outcome) == reasons
    assert sentences.advice(outcome, "") == advice


def test_options_that_were_not_tried_are_advice_too() -> None:
    told = sentences.advice(DOUBTFUL, "or try --allow-flip, if one image may be mirrored")
    assert told[1] == "--allow-flip, if one image may be mirrored."


def test_small_floats_keep_their_digits() -> None:
    made = pair("translation", seed=1)
    source, target = (1e-6 * each.astype(np.float32) for each in (made.source, made.target))
    found = align(1.25 * source, target + np.float32(1e-5), model="translation")
    rows = {row.label: row for row in sentences.rows(found, of_full_scale=False, used=True)}
    rmse = found.quality.after.rmse
    assert rows["RMSE"].value.endswith(f"-> {rmse:.4g}")
    assert rows["MAE"].value.endswith(f"-> {found.quality.after.mae:.4g}")
    assert f"it is {found.quality.after.rmse_raw:.4g}." in rows["RMSE"].meaning
    assert rows["illumination"].value.endswith(f"bias -{abs(found.bias):.4g}")


def test_what_is_not_corrected_is_not_called_so() -> None:
    made = pair("translation", seed=1)
    found = align(made.source, made.target, model="translation", photometric=False)
    rows = {row.label: row for row in sentences.rows(found, of_full_scale=True, used=True)}
    assert "correction" not in rows["RMSE"].meaning
    assert "illumination" not in rows


def test_a_sentence_on_the_uncertainty_reads_as_one() -> None:
    found = Uncertainty(np.eye(8), np.full(4, 0.02), 0.0113, 0.25)
    assert sentences.certainty(found).startswith(
        "A point is expected to lie within 0.011 px of its true place"
    )
    assert "; 0.25 px where it is least certain" in sentences.certainty(found)
    assert sentences.certainty(None) == "How accurate this is could not be estimated."


def test_where_no_tile_matches_that_is_said() -> None:
    made = pair("translation", seed=1)
    found = align(made.source, made.target, model="translation")
    told = found.displacements
    assert told is not None
    field = replace(told.field, matched=np.zeros(len(told.field), np.bool_))
    lost = replace(found, displacements=replace(told, field=field))
    rows = {row.label: row for row in sentences.rows(lost, of_full_scale=True, used=True)}
    assert rows["tiles"].value == f"none of {len(field)}"


def test_what_reads_the_same_without_the_correction_is_not_said_again() -> None:
    made = pair("translation", seed=1)
    found = align(made.source, made.target, model="translation")
    after = found.quality.after
    assert after.rmse != after.rmse_raw
    near = replace(after, rmse_raw=after.rmse + 1e-6, mae_raw=after.mae + 1e-3)
    told = replace(found, quality=replace(found.quality, after=near))
    rows = {row.label: row for row in sentences.rows(told, of_full_scale=True, used=True)}
    assert "correction" not in rows["RMSE"].meaning
    assert "correction" in rows["MAE"].meaning


def test_without_a_motion_that_is_said_in_a_sentence() -> None:
    still = replace(finished(parameters={"shift_px": (0.0, 0.0)}), model="homography")
    assert sentences.motion(still) == (
        "The source already lies on the target (motion model: a homography)."
    )
    assert sentences.motion(replace(still, mirrored=True)) == (
        "To lie on the target, the source is mirrored and not moved (a homography)."
    )


@pytest.mark.parametrize(("reason", "times"), [("one is dark", 1), (OBJECTED, 0)])
def test_a_second_motion_is_told_once(reason: str, times: int) -> None:
    """Where it speaks against the result, it is among the reasons."""
    doubtful = Outcome(Status.SECOND_MOTION, f"{reason}: mask it", (reason,), doubtful=True)
    second = SecondMotion(0.31, (12.0, 0.0), (200.0, 20.0), "at the top")
    found = replace(finished(outcome=doubtful), displacements=displaced(second_motion=second))
    assert sum("second motion" in line for line in sentences.limits(found)) == times
