"""What an attempt is compared by: where it lies, and whether its tiles stay at their own pixels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from align_cli.engine.search.attempt import MORE, SAME_PX, STAYING, Attempt, stays
from align_cli.engine.search.scoring import Score
from tests.engine.displacements.pairs import shift


def field_of(moved: np.ndarray, matched: np.ndarray | None = None) -> Any:
    """Displacements, (n, 2), of tiles along a line; all that ``stays`` reads."""
    count = len(moved)
    position = np.column_stack([20.0 * np.arange(count), np.full(count, 50.0)])
    known = np.ones(count, np.bool_) if matched is None else matched
    return SimpleNamespace(
        field=SimpleNamespace(position=position, displacement=moved, matched=known)
    )


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.5])
def test_more_than_a_tenth_of_the_tiles_must_stay(share: float) -> None:
    away = np.zeros((20, 2))
    still = round(20 * share)
    away[still:] = [0.0, 9.0]
    assert stays(np.eye(3), field_of(away)) is (share > STAYING)
    # Where the answer has moved, those stay that are found back where they were.
    assert stays(shift(0.0, -9.0), field_of(away)) is (1.0 - share > STAYING)


@pytest.mark.parametrize(("px", "at_rest"), [(0.9, True), (1.1, False), (3.0, False)])
def test_a_tile_stays_to_a_pixel(px: float, at_rest: bool) -> None:
    assert stays(np.eye(3), field_of(np.tile([px, 0.0], (20, 1)))) is at_rest


def test_only_tiles_with_a_match_are_asked_and_without_any_all_may_stay() -> None:
    away = np.zeros((20, 2))
    away[:10] = [0.0, 9.0]
    first = np.arange(20) < 10
    assert not stays(np.eye(3), field_of(away, first))
    assert stays(np.eye(3), field_of(away, ~first))
    assert stays(np.eye(3), field_of(away, np.zeros(20, np.bool_)))
    assert stays(np.eye(3), None)


def attempt_at(
    warp: np.ndarray,
    max_px: float | None = None,
    *,
    verdict: str = "failed",
    votes: float | None = None,
    agreement: float = 0.0,
) -> Attempt:
    sure = None if max_px is None else SimpleNamespace(max_px=max_px)
    outcome = SimpleNamespace(aligned=verdict == "aligned", doubtful=verdict == "doubtful")
    target = SimpleNamespace(size=(320, 240))
    task = SimpleNamespace(pair=SimpleNamespace(target=target))
    parts: Any = {
        "similarity": SimpleNamespace(task=task, score=lambda _: Score(agreement, 0.5)),
        "descent": SimpleNamespace(place=SimpleNamespace(warp=warp)),
        "before": np.eye(3),
        "assessment": SimpleNamespace(
            uncertainty=sure,
            outcome=outcome,
            displacements=None if votes is None else SimpleNamespace(within_half_px=votes),
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


@pytest.mark.parametrize("votes", [0.9, 0.3])
def test_of_one_verdict_clearly_more_votes_count(votes: float) -> None:
    first = attempt_at(np.eye(3), votes=votes, agreement=20.0)
    assert attempt_at(np.eye(3), votes=votes * (1.0 + 2.0 * MORE)).better_than(first)
    alike = attempt_at(np.eye(3), votes=votes * (1.0 + 0.5 * MORE), agreement=90.0)
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


@pytest.mark.parametrize(("max_px", "least"), [(None, SAME_PX), (0.0, SAME_PX), (2.0, 2.0)])
def test_it_lies_away_by_more_than_it_is_uncertain(max_px: float | None, least: float) -> None:
    there = attempt_at(shift(5.0, 0.0), max_px)
    assert not there.lies_away_from(shift(5.0 + 0.95 * least, 0.0))
    assert there.lies_away_from(shift(5.0 + 1.2 * least, 0.0))
