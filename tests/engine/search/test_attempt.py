"""What an attempt is compared by, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from align_cli.engine.displacements.evidence import LOG10_NFA_CONCLUSIVE
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.records import SearchedTransform, Status, Verdict
from align_cli.engine.search.attempt import (
    CLEAR_MARGIN,
    SAME_PX,
    Attempt,
    _has_evidence,
    assess_descent,
    correct_by_tiles,
    run_attempt,
)
from align_cli.engine.search.scoring import Score
from align_cli.engine.starts import GIVEN, IDENTITY
from tests.engine.displacements.pairs import shift
from tests.engine.images.test_periodicity import lattice
from tests.engine.search.similarities import TRUTH, intensity, windows
from tests.photographs import cut


def attempt_at(
    warp: np.ndarray,
    max_px: float | None = None,
    *,
    verdict: str = "failed",
    votes: float | None = None,
    stationary: int = 0,
    evidence: float = 2.0 * LOG10_NFA_CONCLUSIVE,
    agreement: float = 0.0,
    similarity: str = "intensity",
) -> Attempt:
    """An attempt ``stationary`` of 100 tiles of which fit best where they lie."""
    sure = None if max_px is None else SimpleNamespace(max_px=max_px)
    outcome = SimpleNamespace(
        aligned=verdict == "aligned", doubtful=verdict == "doubtful", verdict=Verdict(verdict)
    )
    image = SimpleNamespace(size=(320, 240))
    target = SimpleNamespace(size=image.size, image=image)
    task = SimpleNamespace(pair=SimpleNamespace(source=image, target=target))
    parts: Any = {
        "similarity": SimpleNamespace(
            name=similarity, task=task, score=lambda _: Score(agreement, 0.5)
        ),
        "descent": SimpleNamespace(state=SimpleNamespace(warp=warp)),
        "before": np.eye(3),
        "assessment": SimpleNamespace(
            uncertainty=sure,
            outcome=outcome,
            log10_false_alarms=evidence,
            displacements=None
            if votes is None
            else SimpleNamespace(within_half_px=votes, stationary=stationary, sampled=100),
        ),
    }
    return Attempt(start="identity", **parts)


def test_a_better_verdict_counts_before_more_votes() -> None:
    order = [
        attempt_at(np.eye(3), verdict=verdict, votes=votes)
        for verdict, votes in (("failed", 0.9), ("doubtful", 0.5), ("aligned", 0.2))
    ]
    for number, worse in enumerate(order):
        for better in order[number + 1 :]:
            assert better.better_than(worse)
            assert not worse.better_than(better)


def test_what_holds_the_majority_counts_before_more_votes() -> None:
    held = attempt_at(np.eye(3), verdict="aligned", votes=0.2, stationary=51)
    half = attempt_at(np.eye(3), verdict="aligned", votes=0.9, stationary=50)
    doubtful = attempt_at(np.eye(3), verdict="doubtful", votes=0.9, stationary=90)
    assert held.has_majority
    assert not half.has_majority
    assert not doubtful.has_majority
    assert held.better_than(half)
    assert not half.better_than(held)
    assert half.better_than(doubtful)
    assert not attempt_at(np.eye(3), verdict="aligned").has_majority
    # Of what both show, three fifths of each, all tiles are a majority, and two thirds are none.
    for stationary, holds in ((100, True), (67, False)):
        beside = attempt_at(shift(128.0, 0.0), verdict="aligned", votes=0.9, stationary=stationary)
        assert beside.overlap_share == pytest.approx(0.6, abs=0.01)
        assert beside.has_majority is holds
    # All of one image is enough, however much larger the other is.
    part = attempt_at(np.diag([3.0, 3.0, 1.0]), verdict="aligned", votes=0.9, stationary=51)
    assert part.has_majority
    for evidence, held in ((LOG10_NFA_CONCLUSIVE + 0.1, False), (LOG10_NFA_CONCLUSIVE - 0.1, True)):
        told = attempt_at(np.eye(3), verdict="aligned", votes=0.9, stationary=51, evidence=evidence)
        assert told.has_majority is held


@pytest.mark.parametrize("votes", [0.9, 0.3])
def test_of_one_verdict_clearly_more_votes_count(votes: float) -> None:
    first = attempt_at(np.eye(3), votes=votes, agreement=20.0)
    assert attempt_at(np.eye(3), votes=votes * (1.0 + 2.0 * CLEAR_MARGIN)).better_than(first)
    alike = attempt_at(np.eye(3), votes=votes * (1.0 + 0.5 * CLEAR_MARGIN), agreement=90.0)
    assert not alike.better_than(first)
    for none in (None, float("nan")):
        unsolved = attempt_at(np.eye(3), votes=none, agreement=90.0)
        assert first.better_than(unsolved)
        assert not unsolved.better_than(first)


def test_of_what_was_not_solved_the_score_counts() -> None:
    few, alike, many = (attempt_at(np.eye(3), agreement=a) for a in (20.0, 20.5, 22.0))
    assert many.better_than(few)
    assert not few.better_than(many)
    assert not alike.better_than(few)
    # Of another kind of comparison the score is of other tiles.
    assert not attempt_at(np.eye(3), agreement=90.0, similarity="gradient").better_than(few)


@pytest.mark.parametrize(("max_px", "least"), [(None, SAME_PX), (0.0, SAME_PX), (2.0, 2.0)])
def test_it_lies_away_by_more_than_it_is_uncertain(max_px: float | None, least: float) -> None:
    there = attempt_at(shift(5.0, 0.0), max_px)
    assert not there.differs_from_warp(shift(5.0 + 0.95 * least, 0.0))
    assert there.differs_from_warp(shift(5.0 + 1.2 * least, 0.0))


def test_from_what_failed_any_answer_moves_away() -> None:
    here = attempt_at(np.eye(3))
    for verdict in ("failed", "doubtful", "aligned"):
        other = attempt_at(np.eye(3), verdict=verdict)
        assert here.differs_from(other) is (verdict == "failed")
        assert attempt_at(shift(3.0, 0.0)).differs_from(other)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as pool:
        yield pool


def solved(threads: Threads, *names: str, begin: np.ndarray = TRUTH) -> Attempt:
    """From where one window lies in the other, of one photograph or of two."""
    seen = intensity(windows(names[0])[0], windows(names[-1])[1], threads)
    return run_attempt(seen, IDENTITY, inverse(begin), used=len(seen.task.pair.levels))


def test_the_last_step_of_a_corrected_answer_is_that_to_where_its_tiles_are(
    threads: Threads,
) -> None:
    first = solved(threads, "poster")
    assert first.aligned
    assert first.descent.solved_planes
    there = first.warp @ shift(3.0, 4.0)
    last = first.descent.records[-1]
    restless = replace(
        first,
        descent=first.descent._replace(
            records=(*first.descent.records[:-1], replace(last, status=Status.ITERATION_LIMIT))
        ),
    )
    found = correct_by_tiles(restless, there, first.before, tests=1)
    np.testing.assert_array_equal(found.warp, there)
    assert found.descent.records == restless.descent.records
    # The records are the solver's; it did not end there.
    assert found.descent.records[-1].status is Status.ITERATION_LIMIT
    # What was solved was not at rest there, and cannot tell how certain that is.
    assert found.descent.solved_planes == ()
    # It is assessed where it is: off by 5 px.
    assert not found.aligned
    back = correct_by_tiles(found, first.warp, first.before, tests=1)
    assert back.aligned
    assert back.gain == pytest.approx(first.gain, abs=0.02)


def test_a_corrected_answer_keeps_an_illumination_that_varies(threads: Threads) -> None:
    first = solved(threads, "poster")
    uniform = first.descent.state.illumination
    falls_off = uniform._replace(factor=uniform.factor + np.array([0, 0, 0, 0.1, 0, 0.1]))
    varying = replace(first, descent=first.descent._replace(state=State(first.warp, falls_off)))
    there = first.warp @ shift(0.5, 0.0)
    kept, fitted = (
        correct_by_tiles(each, there, first.before, tests=1).descent.state.illumination
        for each in (varying, first)
    )
    np.testing.assert_array_equal(kept.factor, falls_off.factor)
    assert not fitted.varies


def test_each_candidate_that_was_looked_at_counts_as_a_test(threads: Threads) -> None:
    first = solved(threads, "poster")
    one, many = (
        assess_descent(
            first.similarity, first.start, first.descent, first.before, tests=tests
        ).log10_false_alarms
        for tests in (1, 100)
    )
    assert many == pytest.approx(one + 2.0)


def test_a_start_near_by_tells_which_period_is_meant_if_somebody_gave_it(
    threads: Threads,
) -> None:
    image = 255.0 * lattice(24.0, 24.0, size=(340, 260))
    seen = intensity(cut(image, (300, 220), 0, 0), cut(image, (300, 220), 3, 2), threads)
    near, far = shift(3.0, 2.0), shift(24.0, 24.0)
    descent = seen.descend(near, used=len(seen.task.pair.levels))
    meant = {
        (start, moved): Status.AMBIGUOUS
        is not assess_descent(seen, start, descent, near if not moved else far).outcome.status
        for start in (GIVEN, IDENTITY)
        for moved in (False, True)
    }
    assert meant == {
        (GIVEN, False): True,
        (GIVEN, True): False,
        (IDENTITY, False): False,
        (IDENTITY, True): False,
    }


def test_what_failed_is_told_where_a_search_looked(threads: Threads) -> None:
    failed, aligned = solved(threads, "scan", "poster"), solved(threads, "poster")
    assert failed.outcome.verdict is Verdict.FAILED
    nearest = inverse(shift(-60.0, 38.0)), Score(3.0, 0.32)
    searched = (SearchedTransform("phase", shift(-60.0, 38.0), 0.32),)
    told = failed.with_search_report(17, *nearest, searched)
    assert "17 candidate transforms" in told.outcome.sentence
    # As --init takes it, source to target.
    assert "--init=-60,38,0.0,1, at which 32% of the tiles" in told.outcome.sentence
    # What fewer tiles agree in is no advice.
    unlikely = failed.with_search_report(17, nearest[0], Score(3.0, 0.19), searched)
    assert (unlikely.outcome, unlikely.searched) == (failed.outcome, searched)
    assert aligned.with_search_report(17, *nearest, searched) is aligned
    folded = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.01, 0.0, 1.0]])
    assert failed.with_search_report(17, folded, nearest[1], ()).outcome == failed.outcome


# Sunbursts 0.9 at most, a blurred photograph that needs the richer one 4.
@pytest.mark.parametrize(("times", "leaves_more"), [(0.9, False), (4.0, True)])
def test_a_simpler_model_may_leave_little_more_than_a_richer_one(
    times: float, leaves_more: bool
) -> None:
    def leaving(median_px: float | None) -> Attempt:
        attempt = attempt_at(np.eye(3), votes=0.9)
        told: Any = None if median_px is None else SimpleNamespace(median_px=median_px)
        attempt.assessment.displacements = told  # type: ignore[misc]
        return attempt

    simpler, richer = leaving(times * 0.4), leaving(0.4)
    assert simpler._fits_as_well_as(richer) is not leaves_more
    assert not leaving(None)._fits_as_well_as(richer)
    assert not simpler._fits_as_well_as(leaving(None))


def test_tiles_agree_with_an_answer_that_most_of_them_follow(threads: Threads) -> None:
    right, wrong = solved(threads, "poster"), solved(threads, "scan", "poster")
    assert _has_evidence(right)
    assert not _has_evidence(wrong)
    # Two thirds of the picture are elsewhere; there is evidence for the rest all the same.
    source, target = windows("poster")
    target[:, 100:] = np.roll(target[:, 100:], 7, axis=0)
    seen = intensity(source, target, threads)
    part = assess_descent(seen, IDENTITY, right.descent, right.before)
    assert part.log10_false_alarms < -2.0
    assert not _has_evidence(replace(right, similarity=seen))


def test_how_far_a_richer_model_would_move_the_answer_is_part_of_its_uncertainty(
    threads: Threads,
) -> None:
    first = solved(threads, "poster")
    assert first.assessment.uncertainty is not None

    def richer(scale: float) -> Attempt:
        place = first.descent.state._replace(warp=first.warp @ np.diag([scale, scale, 1.0]))
        return replace(first, descent=first.descent._replace(state=place))

    found = first.accepted_instead_of(richer(1.001))
    assert found is not None
    assert found.assessment.uncertainty is not None
    assert found.assessment.uncertainty.mean_px > first.assessment.uncertainty.mean_px + 0.05
    assert "a simpler model was used (rigid)" in found.outcome.sentence
    # By several pixels: it does not tell where the images lie.
    assert first.accepted_instead_of(richer(1.05)) is None
