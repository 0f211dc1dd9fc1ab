from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace

import jsonschema
import numpy as np
import pytest

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.displacements.records import Displacements, FixedPattern, SecondMotion
from align_cli.engine.records import (
    Agreement,
    IlluminationRecord,
    Outcome,
    Quality,
    Status,
    Uncertainty,
)
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.changed import Band, Changed, ChangedArea
from align_cli.files.documents import dumps
from align_cli.files.schema import alignment_schema
from align_cli.report.document import displacements_record
from align_cli.report.summary import (
    changes_in_words,
    closing_line,
    displacement_figures,
    displacements_in_words,
    exceeds_in_words,
    motion_in_words,
)

START = Agreement(zncc=0.8123, rmse=0.081, mae=0.05, rmse_raw=0.181, mae_raw=0.15)
END = Agreement(zncc=0.99312, rmse=0.0123, mae=0.008, rmse_raw=0.0456, mae_raw=0.04)
FOUND = Outcome(Status.CONVERGED, "Converged.")
UNCHANGED = IlluminationRecord(np.eye(1, 6)[0], np.zeros(6))
LOST = Outcome(Status.DIVERGED, "The estimate ran away; try --model rigid.")


def finished(
    *,
    outcome: Outcome = FOUND,
    before: Agreement = START,
    after: Agreement = END,
    parameters: Mapping[str, float | tuple[float, float]] | None = None,
    uncertainty: Uncertainty | None = None,
    illuminated: bool = True,
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
            overlap=0.934,
        ),
        uncertainty=uncertainty,
        start="identity",
        gain=1.0,
        bias=0.0,
        levels=(),
        source_size=(400, 300),
        target_size=(400, 300),
        illumination=UNCHANGED if illuminated else None,
    )


def test_without_an_illumination_that_is_said() -> None:
    assert closing_line(finished(illuminated=False), written=[]).splitlines()[1] == (
        "ZNCC 0.8123 -> 0.9931, RMSE 0.0810 -> 0.0123 of full scale (no illumination is solved "
        "for), overlap 93.4 %"
    )


def test_an_aligned_pair_in_full() -> None:
    assert closing_line(finished(), written=["a_aligned.png", "a_aligned.json"]) == (
        "aligned (similarity): shifted 12.34 px right and 4.00 px up, rotated 3.20 degrees "
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
    end = Agreement(zncc=0.99, rmse=rmse, mae=rmse, rmse_raw=0.5, mae_raw=0.5)
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
        "no warped image was written; wrote a_aligned.json"
    )
    assert closing_line(finished(outcome=LOST), written=[]).endswith(
        "\nno warped image was written"
    )


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.CONVERGED])
def test_no_other_status_passes_for_aligned(status: Status) -> None:
    words = closing_line(finished(outcome=Outcome(status, "Why.")), written=[])
    assert words.startswith("not aligned")
    assert "shifted" not in words


def test_what_cannot_be_measured_is_said_so() -> None:
    nothing = Agreement(*[math.nan] * 5)
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
        ({"shift_px": (0.004, -0.004)}, "no motion"),
        ({"shift_px": (math.nan, 1.0)}, "shift not measurable"),
        ({"angle_deg": 90.0}, "rotated 90.00 degrees clockwise"),
        ({"angle_deg": -0.05}, "rotated 0.05 degrees counter-clockwise"),
        ({"angle_deg": 0.004}, "no motion"),
        ({"angle_deg": math.nan}, "rotation not measurable"),
        ({"scale": 0.5}, "scaled x0.5000"),
        ({"scale": 10.0}, "scaled x10.0000"),
        ({"scale": 1.00004}, "no motion"),
        ({"scale": math.nan}, "scale not measurable"),
        ({"scale": 1.0, "scale_x": 1.02, "scale_y": 0.98}, "scaled x1.0200 in x and x0.9800 in y"),
        ({"scale": 1.02, "scale_x": 1.02, "scale_y": 1.02}, "scaled x1.0200"),
        ({"shear": -0.0125}, "sheared by -0.0125"),
        ({"shear": 0.00004}, "no motion"),
        ({"perspective": (0.0, -2e-5)}, "with perspective"),
        ({"perspective": (1e-9, -1e-9)}, "no motion"),
        ({"perspective": (0.0, math.nan)}, "perspective not measurable"),
        ({"shift_at_origin_px": (3.0, 4.0)}, "no motion"),
        ({}, "no motion"),
    ],
)
def test_motion_in_words(parameters: Mapping[str, float | tuple[float, float]], words: str) -> None:
    assert motion_in_words(parameters) == words


DOUBTFUL = Outcome(Status.AMBIGUOUS, "It may be, but.", ("but",), doubtful=True)


def test_a_doubtful_one_names_no_numbers_until_it_is_accepted() -> None:
    words = closing_line(finished(outcome=DOUBTFUL), written=["a_aligned.json"])
    assert words == (
        "doubtful (similarity): It may be, but.\n"
        "no warped image was written; wrote a_aligned.json\n"
        "--accept-doubtful writes it anyway"
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


def told(**changes: object) -> Displacements:
    """Of 110 tiles 100 found a match, 96 of them within 1 px; the target is 400x300."""
    figures: dict[str, object] = {
        "tiles": 130,
        "sampled": 110,
        "stationary": 98,
        "log10_false_alarms": -41.37,
        "median_px": 0.084,
        "p95_px": 0.91,
        "largest_px": 5.13,
        "largest_at_px": (310.5, 20.0),
        "within_half_px": 0.9,
        "within_1_px": 0.96,
        "within_2_px": 1.0,
        "systematic_px": 0.3,
        "systematic_at_px": (390.0, 290.0),
    }
    field = DisplacementField(
        position=np.zeros((110, 2)),
        displacement=np.zeros((110, 2)),
        covariance=np.zeros((110, 2, 2)),
        correlation=np.ones(110),
        matched=np.arange(110) < 100,
        side=16.0,
        level=0,
    )
    return Displacements(field=field, **{**figures, **changes})  # type: ignore[arg-type]


def lines(**changes: object) -> list[str]:
    return displacements_in_words(replace(finished(), displacements=told(**changes)))


def test_how_many_places_lie_right() -> None:
    assert lines() == ["96 of 100 matched tiles are displaced by at most 1 px (median 0.08 px)"]
    assert displacements_in_words(finished()) == []


@pytest.mark.parametrize(("matched", "said"), [(55, False), (54, True)])
def test_where_most_textured_tiles_find_no_match_that_is_said(matched: int, said: bool) -> None:
    field = replace(told().field, matched=np.arange(110) < matched)
    (line,) = displacements_in_words(
        replace(finished(), displacements=replace(told(), field=field))
    )
    assert (f"; {110 - matched} of 110 textured tiles have no match" in line) is said


def test_why_a_simpler_model_was_used_is_said_where_it_is_aligned() -> None:
    found = replace(finished(), displacements=told())
    why = "the texture does not determine the scale, so a simpler model was used (rigid)"
    simpler = Outcome(Status.CONVERGED, f"the images are aligned; {why}")
    assert displacements_in_words(replace(found, outcome=simpler))[0] == why
    doubted = Outcome(Status.UNCERTAIN, "it may be; or not", ("loose",), doubtful=True)
    assert len(displacements_in_words(replace(found, outcome=doubted))) == 1


def test_where_no_tile_found_a_match_nothing_is_said_of_them() -> None:
    assert lines(median_px=math.nan, within_1_px=math.nan, systematic_px=math.nan) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"systematic_px": 4.21, "explained_by": "homography"},
            "systematic displacement of up to 4.2 px in the lower right, which a homography "
            "explains",
        ),
        (
            {"systematic_px": 1.06, "explained_by": "affine", "systematic_at_px": (200.0, 0.0)},
            "systematic displacement of up to 1.1 px at the top, which an affine transform "
            "explains",
        ),
        (
            {"systematic_px": 4.21, "explained_by": "similarity"},
            "systematic displacement of up to 4.2 px in the lower right, which another similarity "
            "explains",
        ),
        (
            {"systematic_px": 4.21},
            "systematic displacement of up to 4.2 px in the lower right, which no homography "
            "explains (lens distortion, curled paper)",
        ),
        (
            {"second_motion": SecondMotion(0.178, (12.0, -0.4), (200.0, 20.0), "at the top")},
            "18 % of the texture, at the top, has a second motion (12.0 px right, 0.4 px up)",
        ),
        (
            {"second_motion": SecondMotion(0.2, (0.04, -0.01), (200.0, 20.0), "in the middle")},
            "20 % of the texture, in the middle, has a second motion",
        ),
        (
            {"second_motion": SecondMotion(0.3, (-3.0, 0.02), (200.0, 20.0), "")},
            "30 % of the texture has a second motion (3.0 px left)",
        ),
        (
            {"fixed_pattern": FixedPattern(("isolated pixels", "8x8 block edges"), 0.0031)},
            "0.3 % of the image is a fixed pattern of the sensor (isolated pixels, 8x8 block "
            "edges) and was excluded; --keep-fixed-pattern includes it",
        ),
        (
            {"fixed_pattern": FixedPattern(("isolated pixels",), 0.00004)},
            "less than 0.1 % of the image is a fixed pattern of the sensor (isolated pixels) and "
            "was excluded; --keep-fixed-pattern includes it",
        ),
    ],
)
def test_what_does_not_follow_is_told(changes: dict[str, object], words: str) -> None:
    assert lines(**changes)[1:] == [words]


def test_a_remainder_of_a_pixel_is_not_told() -> None:
    assert len(lines(systematic_px=1.0, explained_by="affine")) == 1


def test_the_closing_line_holds_it_where_the_transform_is_used_and_only_there() -> None:
    words = "96 of 100 matched tiles"
    maybe = Outcome(Status.NO_AGREEMENT, "Half of it fits.", ("half",), doubtful=True)
    for outcome, accepted, there in (
        (FOUND, False, True),
        (maybe, True, True),
        (maybe, False, False),
        (LOST, False, False),
    ):
        found = replace(finished(outcome=outcome), displacements=told())
        assert (words in closing_line(found, written=[], accepted=accepted)) is there


def test_a_transform_that_was_only_checked_has_no_image_to_speak_of() -> None:
    maybe = Outcome(Status.NO_AGREEMENT, "Half of it fits.", ("half",), doubtful=True)
    said = closing_line(finished(outcome=maybe), written=["where.png"], checked=True)
    assert said.splitlines() == [
        "doubtful (similarity): Half of it fits.",
        "wrote where.png",
        "--accept-doubtful accepts this result",
    ]
    assert closing_line(finished(outcome=LOST), written=[], checked=True) == (
        "not aligned (similarity): The estimate ran away; try --model rigid."
    )


def test_the_figures_for_whoever_wants_more() -> None:
    assert displacement_figures(finished()) == ""
    assert displacement_figures(replace(finished(), displacements=told())) == (
        "evidence: 130 textured tiles, 110 tested, 98 stationary, "
        "log10 of the number of false alarms -41.4\n"
        "displacements of the 100 of 110 tiles that match: median 0.084 px, "
        "95th percentile 0.91 px, largest 5.13 px at (310, 20); "
        "within 0.5, 1, 2 px 90.0 %, 96.0 %, 100.0 %"
    )


def test_the_document_holds_all_but_the_tiles_under_the_same_names() -> None:
    record = displacements_record(
        told(
            explained_by="affine",
            second_motion=SecondMotion(0.18, (12.0, -0.4), (200.0, 20.0), "at the top"),
            fixed_pattern=FixedPattern(("isolated pixels",), 0.003),
        )
    )
    assert record is not None
    document = json.loads(dumps(record))
    schema = alignment_schema()
    jsonschema.validate(
        document, {**schema["properties"]["displacements"], "$defs": schema["$defs"]}
    )
    names = {field.name for field in fields(Displacements)} - {"field"}
    assert set(document) == names | {"searched", "matched"}
    assert (document["searched"], document["matched"]) == (110, 100)
    assert document["largest_at_px"] == [310.5, 20.0]
    assert document["second_motion"]["shift_px"] == [12.0, -0.4]
    assert displacements_record(None) is None


BOXES = (ChangedArea(3, 5, 10, 4, 33), ChangedArea(30, 5, 5, 5, 20))
BORDER = Band("rows_only_in_target", 600, 40, border=True)
ROWS = tuple(Band("rows_only_in_source", 50 * n, 8, border=False) for n in range(5))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (Changed(0.0, 0, 8.0, 0, ()), "no change found above 8 grey levels"),
        (
            Changed(0.0, 0, 2.5, 0, (), (BORDER,)),
            "no change found above 2.5 grey levels; beyond the overlap: rows only in "
            "target: 40 at y=600",
        ),
        (
            Changed(0.012345, 33, 8.0, 1, BOXES[:1]),
            "1.23 % of the overlap changed: 10x4 px at (3, 5)",
        ),
        (
            Changed(2e-7, 53, 8.0, 2, BOXES),
            "less than 0.001 % of the overlap changed: 2 areas, the largest 10x4 px at (3, 5)",
        ),
        (
            Changed(0.3, 53, 8.0, 2, BOXES, ROWS),
            "30 % of the overlap changed: rows only in source: 8 at y=0; rows only in source: 8 at "
            "y=50; rows only in source: 8 at y=100; and 2 more; 2 areas, the largest 10x4 px at "
            "(3, 5)",
        ),
        (
            Changed(0.3, 53, 8.0, 0, (), (Band("columns_only_in_target", 7, 9, border=False),)),
            "30 % of the overlap changed: columns only in target: 9 at x=7",
        ),
    ],
)
def test_what_changed_is_one_line(changes: Changed, words: str) -> None:
    assert changes_in_words(changes) == words


def test_both_shares_are_told_in_digits_that_tell_them_apart() -> None:
    assert exceeds_in_words(Changed(0.00402, 30, 8.0, 1, ()), 0.001) == (
        "0.402 % of the overlap changed; at most 0.1 % is allowed (--max-changed)"
    )
    assert exceeds_in_words(Changed(0.00100004, 30, 8.0, 1, ()), 0.001).startswith("0.100004 %")
    small = exceeds_in_words(Changed(2e-7, 30, 8.0, 1, ()), 1e-7)
    assert small.startswith("0.00002 % of the overlap changed; at most 0.00001 % is allowed")
