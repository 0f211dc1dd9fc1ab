from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from align_cli.engine.alignment import Agreement, LevelRecord, Outcome, Quality, Status, Verdict
from align_cli.engine.repeats import Repeat
from align_cli.engine.tiles import TileVotes
from align_cli.engine.verdict import (
    AHEAD,
    CLEAR_DETAIL_ZNCC,
    CLEAR_TEXTURE,
    CLEAR_UNEXPLAINED,
    CLOSED_LOOP_PX,
    FEWEST_VOTES,
    LARGEST_EXCUSED_PX,
    LARGEST_LOOP_PX,
    LARGEST_UNCERTAINTY_PX,
    LARGEST_UNEXPLAINED,
    LEAST_AHEAD,
    LEAST_DETAIL_ZNCC,
    LEAST_TEXTURE,
    LOOSE_UNEXPLAINED,
    MILD_DETAIL_ZNCC,
    MILD_TEXTURE,
    MOST_AT_HOME,
    MOST_EXPLAINED,
    NO_TEXTURE,
    REFUTABLE,
    SHARE_OF_REPEAT,
    SOME_AHEAD,
    SOME_AT_HOME,
    SOME_EXPLAINED,
    STOOD_STILL_PX,
    WORSE_BY,
    Evidence,
    asks_explained,
    asks_tiles,
    asks_way_back,
    clear,
    improved,
    outcome,
)


def quality(
    before: float = 0.5,
    after: float = 0.9,
    *,
    detail: float = 0.8,
    texture: float = 0.8,
    unexplained: float = 0.1,
    overlap: float = 1.0,
) -> Quality:
    first, last = Agreement(before, 0.2, 0.1), Agreement(after, 0.2, 0.1)
    return Quality(first, last, detail, texture, unexplained, overlap)


CLEAR = {"detail": CLEAR_DETAIL_ZNCC, "texture": CLEAR_TEXTURE, "unexplained": CLEAR_UNEXPLAINED}
SPLIT = TileVotes(FEWEST_VOTES, 0.5, 0.5)
SOME = TileVotes(FEWEST_VOTES, SOME_AT_HOME, SOME_AT_HOME - SOME_AHEAD - 1e-9)
MOST = TileVotes(FEWEST_VOTES, MOST_AT_HOME, MOST_AT_HOME - AHEAD - 1e-9)


def end_of(
    what: Quality, *, status: Status = Status.CONVERGED, model: str = "affine", **evidence: Any
) -> Outcome:
    last = LevelRecord(0, 100, 80, 7, 0.123, 0.01, status)
    evidence = {"moved_px": 9.0, **evidence}
    return outcome(Evidence(status, **evidence), what, last, model=model)


@pytest.mark.parametrize(
    ("before", "after", "moved", "better"),
    [
        (0.5, 0.9, 20.0, True),
        (0.9, 0.9, 20.0, True),
        (0.9, 0.9 - 1e-6, 20.0, False),
        # The start was the answer: robust weights may give up a little.
        (0.9, 0.9 - 0.9 * WORSE_BY, 0.9 * STOOD_STILL_PX, True),
        (0.9, 0.9 - 0.9 * WORSE_BY, 1.1 * STOOD_STILL_PX, False),
        (0.9, 0.9 - 1.1 * WORSE_BY, 0.0, False),
        (-0.5, -0.1, 20.0, False),
        (-0.5, 0.0, 20.0, False),
        (np.nan, 0.5, 20.0, True),
        (0.5, np.nan, 20.0, False),
        (np.nan, np.nan, 0.0, False),
    ],
)
def test_what_counts_as_better(before: float, after: float, moved: float, better: bool) -> None:
    assert improved(quality(before, after), moved) is better


def test_converged_and_better_is_aligned() -> None:
    end = end_of(quality())
    assert end == Outcome(Status.CONVERGED, "the images are aligned")
    assert end.aligned
    assert end.verdict is Verdict.ALIGNED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.ITERATION_LIMIT, "moved by 0.123 px a step when its iterations"),
        (Status.SINGULAR, "every parameter of the affine model"),
        (Status.DIVERGED, "ran away"),
        (Status.TOO_LITTLE_OVERLAP, "too little of the target (6%)"),
    ],
)
def test_what_did_not_come_to_rest_has_failed_with_its_cause_and_a_way_out(
    status: Status, words: str
) -> None:
    end = end_of(quality(detail=0.1, overlap=0.06), status=status)
    assert end.status is status
    assert end.verdict is Verdict.FAILED
    assert words in end.sentence
    assert "model" in end.sentence or "simpler one" in end.sentence
    assert len(end.reasons) == 1


@pytest.mark.parametrize(
    ("what", "step_px", "verdict"),
    [
        (quality(), LARGEST_UNCERTAINTY_PX, Verdict.DOUBTFUL),
        (quality(), LARGEST_UNCERTAINTY_PX + 1e-6, Verdict.FAILED),
        (quality(texture=LEAST_TEXTURE - 1e-6), 0.01, Verdict.FAILED),
        (quality(0.9, 0.8), 0.01, Verdict.FAILED),
    ],
)
def test_who_goes_round_in_a_small_circle_where_all_agrees_is_doubtful(
    what: Quality, step_px: float, verdict: Verdict
) -> None:
    status = Status.ITERATION_LIMIT
    last = LevelRecord(0, 100, 80, 7, step_px, 0.01, status)
    end = outcome(Evidence(status, 9.0), what, last, model="affine")
    assert end.verdict is verdict
    assert end.status is status
    assert f"moved by {step_px:.3g} px a step" in end.sentence
    assert "more iterations" in end.sentence


def test_too_little_texture_is_blamed_on_what_the_source_covers() -> None:
    end = end_of(quality(overlap=0.06), status=Status.SINGULAR)
    assert end.sentence.startswith("what the source covers of the target (6%) has too little")


def test_nothing_is_simpler_than_a_translation() -> None:
    for model, simpler in (("rigid", True), ("translation", False)):
        end = end_of(quality(), status=Status.SINGULAR, model=model)
        assert ("a simpler one" in end.sentence) is simpler


def test_textures_that_are_not_the_same_are_no_lack_of_texture() -> None:
    end = end_of(quality(texture=0.05))
    assert end.status is Status.SINGULAR
    assert "the target has too little texture" not in end.sentence
    assert "they may not show the same thing" in end.sentence
    assert "simpler motion model" in end.sentence


@pytest.mark.parametrize(
    ("what", "evidence", "status", "words"),
    [
        (quality(0.9, 0.7), {}, Status.NOT_IMPROVED, "ZNCC 0.900 before, 0.700 after"),
        (quality(detail=0.1), {}, Status.NO_AGREEMENT, "ZNCC 0.100, 0.5 needed"),
        (quality(detail=np.nan, unexplained=np.nan), {}, Status.NO_AGREEMENT, "in their details"),
        (quality(texture=0.05), {}, Status.SINGULAR, "too little texture"),
        (quality(unexplained=0.8), {}, Status.NO_AGREEMENT, "unexplained 0.80"),
        (
            quality(),
            {"tiles": TileVotes(FEWEST_VOTES, 0.3, 0.4)},
            Status.NO_AGREEMENT,
            "only 30% of the target's tiles fit best where they lie, and 40% fit better elsewhere",
        ),
        (
            quality(),
            {"tiles": SPLIT, "loop_px": 7.25},
            Status.NO_AGREEMENT,
            "tiles",
        ),
    ],
)
def test_what_disagrees_has_failed_and_is_named(
    what: Quality, evidence: dict[str, Any], status: Status, words: str
) -> None:
    end = end_of(what, **evidence)
    assert end.verdict is Verdict.FAILED
    assert end.status is status
    assert words in end.sentence
    assert "aligned" not in end.sentence or "aligned to the source" in end.sentence
    assert end.reasons


@pytest.mark.parametrize(
    ("what", "least"), [("detail", LEAST_DETAIL_ZNCC), ("texture", LEAST_TEXTURE)]
)
def test_a_threshold_belongs_to_what_passes(what: str, least: float) -> None:
    assert end_of(quality(**{what: least})).aligned
    assert not end_of(quality(**{what: least - 1e-6})).aligned
    assert end_of(quality(unexplained=LARGEST_UNEXPLAINED)).aligned
    assert not end_of(quality(unexplained=LARGEST_UNEXPLAINED + 1e-6)).aligned
    assert end_of(quality(), loop_px=LARGEST_LOOP_PX).aligned
    assert not end_of(quality(), loop_px=LARGEST_LOOP_PX + 1e-6).aligned


def test_what_is_not_known_is_no_objection() -> None:
    assert end_of(quality(texture=np.nan, unexplained=np.nan)).aligned
    assert end_of(quality(), tiles=TileVotes(FEWEST_VOTES - 1, 0.0, 1.0)).aligned


@pytest.mark.parametrize(
    "against",
    [
        quality(0.9, 0.9 - 0.9 * REFUTABLE),
        quality(detail=0.1),
        quality(unexplained=0.8),
        quality(detail=0.1, unexplained=0.9),
    ],
)
def test_tiles_refute_what_says_that_the_images_disagree(against: Quality) -> None:
    assert end_of(against, tiles=MOST).aligned
    assert end_of(against, tiles=SOME).verdict is Verdict.DOUBTFUL
    assert end_of(against, tiles=SPLIT).verdict is Verdict.FAILED


def test_tiles_do_not_refute_that_the_images_agreed_better_before() -> None:
    assert end_of(quality(0.9, 0.9 - 1.1 * REFUTABLE), tiles=MOST).verdict is Verdict.DOUBTFUL


def test_where_the_details_are_explained_fewer_tiles_settle_it() -> None:
    fewer = TileVotes(FEWEST_VOTES, MOST_AT_HOME, MOST_AT_HOME - LEAST_AHEAD - 1e-9)
    explained = {"detail": 0.1, "texture": CLEAR_TEXTURE, "unexplained": CLEAR_UNEXPLAINED}
    assert end_of(quality(**explained), tiles=fewer).aligned
    for worse in ({"texture": CLEAR_TEXTURE - 1e-6}, {"unexplained": CLEAR_UNEXPLAINED + 1e-6}):
        assert not end_of(quality(**{**explained, **worse}), tiles=fewer).aligned


def test_tiles_alone_are_no_proof_where_texture_and_details_agree() -> None:
    blurred = {"detail": CLEAR_DETAIL_ZNCC, "texture": CLEAR_TEXTURE, "unexplained": 0.5}
    assert end_of(quality(**blurred), tiles=SPLIT).verdict is Verdict.DOUBTFUL
    for less in ("detail", "texture"):
        what = quality(**{**blurred, less: blurred[less] - 1e-6})
        assert end_of(what, tiles=SPLIT).verdict is Verdict.FAILED


def test_tiles_that_are_just_ahead_are_an_objection() -> None:
    ahead = TileVotes(FEWEST_VOTES, 0.45, 0.45 - LEAST_AHEAD - 1e-9)
    assert end_of(quality(), tiles=ahead).aligned
    behind = TileVotes(FEWEST_VOTES, 0.45, 0.45 - LEAST_AHEAD + 1e-6)
    assert end_of(quality(), tiles=behind).verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("texture", "verdict"),
    [
        (LEAST_TEXTURE, Verdict.ALIGNED),
        (LEAST_TEXTURE - 1e-6, Verdict.DOUBTFUL),
        (NO_TEXTURE, Verdict.DOUBTFUL),
        (NO_TEXTURE - 1e-6, Verdict.FAILED),
    ],
)
def test_tiles_do_not_make_texture_where_there_is_none(texture: float, verdict: Verdict) -> None:
    assert end_of(quality(texture=texture), tiles=MOST).verdict is verdict


@pytest.mark.parametrize(
    ("what", "evidence", "verdict"),
    [
        (quality(), {"loop_px": np.inf}, Verdict.DOUBTFUL),
        (quality(texture=MILD_TEXTURE), {}, Verdict.DOUBTFUL),
        (quality(texture=MILD_TEXTURE - 1e-6), {}, Verdict.FAILED),
        (quality(detail=MILD_DETAIL_ZNCC), {}, Verdict.DOUBTFUL),
        (quality(detail=MILD_DETAIL_ZNCC - 1e-6), {}, Verdict.FAILED),
        (quality(0.9, 0.8, detail=MILD_DETAIL_ZNCC), {}, Verdict.FAILED),
    ],
)
def test_where_tiles_say_nothing_mild_objections_leave_it_open(
    what: Quality, evidence: dict[str, Any], verdict: Verdict
) -> None:
    assert end_of(what, tiles=TileVotes(3, 1.0, 0.0), **evidence).verdict is verdict


@pytest.mark.parametrize(
    ("evidence", "status", "words"),
    [
        (
            {"uncertainty_px": 1.25},
            Status.SINGULAR,
            "only to 1.2 px (0.3 px allowed)",
        ),
        (
            {"repeat": Repeat((-12.0, 5.0), 0.97), "moved_px": 9.0},
            Status.AMBIGUOUS,
            "repeats itself every 13 px (x -12, y +5)",
        ),
        ({"folded": True}, Status.DIVERGED, "horizon"),
    ],
)
def test_images_that_agree_may_be_doubtful_all_the_same(
    evidence: dict[str, Any], status: Status, words: str
) -> None:
    end = end_of(quality(**CLEAR), **evidence)
    assert end.verdict is Verdict.DOUBTFUL
    assert end.status is status
    assert words in end.sentence
    assert end.reasons == (end.reasons[0],)
    assert not end.aligned


def test_caveats_have_their_limits() -> None:
    # Little is unexplained, so that it is not another motion that makes it loose.
    clear = quality(**{**CLEAR, "unexplained": LOOSE_UNEXPLAINED})
    assert end_of(clear, uncertainty_px=LARGEST_UNCERTAINTY_PX).aligned
    most = LARGEST_EXCUSED_PX
    assert end_of(clear, uncertainty_px=most, loop_px=CLOSED_LOOP_PX).aligned
    assert not end_of(clear, uncertainty_px=most, loop_px=CLOSED_LOOP_PX + 1e-6).aligned
    assert not end_of(clear, uncertainty_px=most + 1e-6, loop_px=CLOSED_LOOP_PX).aligned
    near = {"repeat": Repeat((30.0, 40.0), 1.0), "moved_px": SHARE_OF_REPEAT * 50.0}
    assert end_of(quality(**CLEAR), **near, start_given=True).aligned
    assert not end_of(quality(**CLEAR), **near).aligned
    near["moved_px"] += 1e-6
    assert not end_of(quality(**CLEAR), **near, start_given=True).aligned


def test_all_that_is_doubtful_is_said() -> None:
    end = end_of(quality(detail=0.45, unexplained=0.6), tiles=SOME)
    assert len(end.reasons) == 3
    assert all(reason in end.sentence for reason in end.reasons)
    assert end.sentence.startswith("the images may be aligned, but")


@pytest.mark.parametrize("less", ["detail", "texture", "unexplained", "better", None])
def test_only_what_is_clear_needs_no_second_opinion(less: str | None) -> None:
    what = dict(CLEAR)
    if less in CLEAR:
        what[less] += 1e-6 if less == "unexplained" else -1e-6
    evidence = Evidence(Status.CONVERGED, 9.0)
    measured = quality(0.95 if less == "better" else 0.5, **what)
    assert clear(evidence, measured) is (less is None)
    assert asks_tiles(evidence, measured) is (less is not None)
    assert not asks_tiles(Evidence(Status.DIVERGED, 9.0), measured)


@pytest.mark.parametrize("unknown", ["detail", "texture", "unexplained"])
def test_what_is_not_known_is_not_clear(unknown: str) -> None:
    what = quality(**{**CLEAR, unknown: np.nan})
    assert asks_tiles(Evidence(Status.CONVERGED, 9.0), what)


@pytest.mark.parametrize(
    ("what", "tiles", "asked"),
    [
        (quality(), None, True),
        (quality(), TileVotes(FEWEST_VOTES, 0.45, 0.1), True),
        (quality(), MOST, False),  # settled
        (quality(), SOME, False),  # doubtful
        (quality(), SPLIT, False),  # failed
        (quality(**CLEAR), None, False),
        (quality(texture=0.1), None, False),
        (quality(detail=0.1), SOME, False),
    ],
)
def test_the_way_back_is_asked_where_nothing_else_settles_it(
    what: Quality, tiles: TileVotes | None, asked: bool
) -> None:
    assert asks_way_back(Evidence(Status.CONVERGED, 9.0, tiles=tiles), what) is asked
    uncertain = Evidence(Status.CONVERGED, 9.0, uncertainty_px=9.0, tiles=tiles)
    agree = tiles is MOST or what == quality(**CLEAR)
    assert asks_way_back(uncertain, what) is (asked or agree)
    assert not asks_way_back(replace(uncertain, status=Status.DIVERGED), what)


@pytest.mark.parametrize(
    ("uncertainty_px", "unexplained", "doubtful"),
    [
        (LARGEST_UNCERTAINTY_PX, 0.3, False),
        (1.01 * LARGEST_UNCERTAINTY_PX, 0.3, True),
        (1.01 * LARGEST_UNCERTAINTY_PX, LOOSE_UNEXPLAINED, False),
        (1.01 * LARGEST_UNCERTAINTY_PX, np.nan, False),
    ],
)
def test_an_answer_that_may_lie_between_two_motions_is_doubtful(
    uncertainty_px: float, unexplained: float, doubtful: bool
) -> None:
    found = end_of(
        replace(quality(), unexplained=unexplained),
        uncertainty_px=uncertainty_px,
        tiles=TileVotes(votes=100, at_home=0.9, elsewhere=0.05),
        loop_px=CLOSED_LOOP_PX,
    )
    assert found.verdict is (Verdict.DOUBTFUL if doubtful else Verdict.ALIGNED)
    assert ("several motions" in found.sentence) == doubtful


def test_where_no_rival_was_found_what_is_loose_is_no_doubt() -> None:
    loose = {
        "uncertainty_px": 1.1 * LARGEST_UNCERTAINTY_PX,
        "tiles": TileVotes(40, 0.9, 0.0),
        "loop_px": CLOSED_LOOP_PX,
    }
    seen = replace(quality(), unexplained=0.3)
    assert end_of(seen, **loose).doubtful
    assert end_of(seen, **loose, rivalled=False).aligned
    # What the texture leaves open stays open.
    loose["loop_px"] += 1e-6
    assert not end_of(seen, **loose, rivalled=False).aligned


@pytest.mark.parametrize(
    "against",
    [
        {"what": quality(detail=MILD_DETAIL_ZNCC - 0.3)},
        {"what": quality(texture=NO_TEXTURE - 0.05)},
        {"what": quality(unexplained=2.0 * LARGEST_UNEXPLAINED)},
        {"what": quality(), "tiles": SPLIT},
        {"what": quality(), "loop_px": np.inf},
    ],
)
def test_who_explains_most_of_the_texture_is_right_whatever_else_is_seen(
    against: dict[str, Any],
) -> None:
    assert not end_of(**against).aligned
    assert end_of(**against, explained=MOST_EXPLAINED).aligned
    assert not end_of(**against, explained=MOST_EXPLAINED - 1e-6).aligned


def test_who_explains_some_is_doubtful_at_least() -> None:
    against = quality(unexplained=2.0 * LARGEST_UNEXPLAINED)
    assert end_of(against, explained=SOME_EXPLAINED).verdict is Verdict.DOUBTFUL
    assert end_of(against, explained=SOME_EXPLAINED - 1e-6).verdict is Verdict.FAILED
    nothing = quality(texture=NO_TEXTURE - 1e-6)
    assert end_of(nothing, explained=SOME_EXPLAINED).verdict is Verdict.FAILED


def test_who_explains_most_must_still_be_better_than_the_start() -> None:
    worse = quality(0.9, 0.9 - 2.0 * REFUTABLE)
    assert end_of(worse, explained=1.0).verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("status", "uncertainty_px", "asked"),
    [
        (Status.CONVERGED, LARGEST_UNCERTAINTY_PX, True),
        (Status.CONVERGED, LARGEST_UNCERTAINTY_PX + 1e-6, False),
        (Status.CONVERGED, None, False),
        (Status.ITERATION_LIMIT, LARGEST_UNCERTAINTY_PX, False),
    ],
)
def test_only_an_answer_that_is_not_loose_is_asked_what_it_explains(
    status: Status, uncertainty_px: float | None, asked: bool
) -> None:
    assert asks_explained(Evidence(status, 9.0, uncertainty_px=uncertainty_px)) is asked
