from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from align_cli.engine.judge import Judgement
from align_cli.engine.majority import Settled
from align_cli.engine.search import (
    ALIKE,
    LEAST_SHARE,
    LEAST_TILES,
    PLENTY_OF_TILES,
    Found,
    by_majority,
    search,
)
from tests.photographs import shifted

Matrix = np.ndarray


@dataclass(frozen=True)
class Attempt:
    warp: Matrix
    aligned: bool = True
    doubtful: bool = False
    settled: bool = True


@dataclass
class World:
    """A line on which each place has its agreement; an attempt ends where it begins."""

    agreement: dict[float, float]
    attempts: dict[float, Attempt] = field(default_factory=dict)
    tiles: float = 100.0
    tried: list[float] = field(default_factory=list)

    def compared(self, warp: Matrix) -> Judgement:
        agreement = self.agreement.get(float(warp[0, 2]), 0.0)
        return Judgement(warp, 3, agreement, agreement / self.tiles)

    __call__ = compared

    def same(self, warp: Matrix, other: Matrix) -> bool:
        return bool(abs(warp[0, 2] - other[0, 2]) < 1.0)

    def attempt(self, judged: Judgement) -> Attempt:
        x = float(judged.warp[0, 2])
        self.tried.append(x)
        return self.attempts.get(x, Attempt(judged.warp))

    def found(self, x: float, **kept: bool) -> Found[Attempt]:
        warp = shifted(x, 0.0)
        return Found(Attempt(warp, **{"settled": False, **kept}), "identity", self.compared(warp))


def run(
    world: World, first: Found[Attempt] | None, **starts: tuple[float, ...]
) -> tuple[Found[Attempt] | None, list[str]]:
    asked: list[str] = []

    def guesses(name: str) -> Iterator[Matrix]:
        asked.append(name)
        yield from (shifted(x, 0.0) for x in starts[name])

    judge: Callable[[Matrix], Judgement] = world
    found = search(first, list(starts), guesses=guesses, judge=judge, attempt=world.attempt)
    return found, asked


def test_the_best_guess_of_a_start_is_tried_and_no_further_start_if_it_settles_it() -> None:
    world = World({5.0: 30.0, 7.0: 90.0})
    found, asked = run(world, world.found(0.0, aligned=False), one=(5.0, 7.0), two=(9.0,))
    assert found is not None
    assert (found.start, found.attempt.warp[0, 2]) == ("one", 7.0)
    assert world.tried == [7.0]
    assert asked == ["one"]


def test_no_guess_is_looked_at_after_one_that_cannot_be_bettered() -> None:
    world = World({5.0: 85.0, 7.0: 99.0})
    found, _ = run(world, None, one=(3.0, 5.0, 7.0))
    assert found is not None
    assert world.tried == [5.0]
    # A few tiles that all agree are no reason to stop.
    few = World({5.0: 0.9 * PLENTY_OF_TILES, 7.0: 15.0}, tiles=0.9 * PLENTY_OF_TILES)
    run(few, None, one=(5.0, 7.0))
    assert few.tried == [7.0]


def test_chance_is_not_tried() -> None:
    few, small = 0.9 * LEAST_TILES, 0.9 * LEAST_SHARE * 100.0
    world = World({5.0: few, 7.0: small})
    first = world.found(0.0, aligned=False)
    found, asked = run(world, first, one=(5.0,), two=(7.0,), three=())
    assert found is first
    assert world.tried == []
    assert asked == ["one", "two", "three"]
    assert run(world, None, one=(5.0,))[0] is None


def test_where_less_agrees_nothing_is_tried() -> None:
    world = World({0.0: 60.0, 5.0: 40.0})
    found, _ = run(world, world.found(0.0), one=(5.0,))
    assert found is not None
    assert found.start == "identity"
    assert world.tried == []


def test_the_same_place_is_tried_once() -> None:
    world = World({0.0: 60.0, 0.5: 61.0})
    assert run(world, world.found(0.0), one=(0.5,))[0] is not None
    assert world.tried == []
    # Unless nothing is aligned yet: another start may come to rest there.
    found, _ = run(world, world.found(0.0, aligned=False), one=(0.5,), two=(0.0,))
    assert found is not None
    assert found.start == "one"
    assert world.tried == [0.5]


def test_what_is_aligned_but_settles_nothing_does_not_end_the_search() -> None:
    open_yet = {x: Attempt(shifted(x, 0.0), settled=False) for x in (5.0, 7.0)}
    world = World({5.0: 60.0, 7.0: 70.0, 9.0: 80.0, 11.0: 90.0}, open_yet)
    first = world.found(0.0, aligned=False, settled=False)
    found, asked = run(world, first, one=(5.0,), two=(7.0,), three=(9.0,), four=(11.0,))
    assert found is not None
    assert (found.start, found.attempt.warp[0, 2]) == ("three", 9.0)
    assert world.tried == [5.0, 7.0, 9.0]
    assert asked == ["one", "two", "three"]


def test_a_doubtful_answer_counts_more_than_one_that_failed() -> None:
    doubtful = Attempt(shifted(5.0, 0.0), aligned=False, doubtful=True)
    world = World({0.0: 60.0, 5.0: 57.0}, {5.0: doubtful})
    found, _ = run(world, world.found(0.0, aligned=False), one=(5.0,))
    assert found.attempt is doubtful
    aligned = world.found(0.0, aligned=True, settled=False)
    assert run(world, aligned, one=(5.0,))[0] is aligned


def test_aligned_counts_more_than_agreement() -> None:
    world = World({0.0: 60.0, 5.0: 70.0}, {5.0: Attempt(shifted(5.0, 0.0), aligned=False)})
    found, _ = run(world, world.found(0.0), one=(5.0,))
    assert found is not None
    assert found.start == "identity"
    assert world.tried == [5.0]


def test_what_is_as_good_but_further_away_does_not_win() -> None:
    better = 1.0 + 2.0 * (ALIKE - 1.0)
    world = World({0.0: 60.0, 5.0: 60.0 * (0.5 + 0.5 * ALIKE), 7.0: 60.0 * better})
    found, _ = run(world, world.found(0.0), one=(5.0,))
    assert found is not None
    assert (found.start, world.tried) == ("identity", [5.0])
    found, _ = run(world, world.found(0.0), one=(5.0,), two=(7.0,))
    assert found is not None
    assert (found.start, found.attempt.warp[0, 2]) == ("two", 7.0)


@dataclass
class Most:
    """A majority that brings a guess to the next whole ten, and knows what is explained there."""

    explains: dict[float, float]

    def ten(self, warp: Matrix) -> float:
        return 10.0 * round(float(warp[0, 2]) / 10.0)

    def explained(self, warp: Matrix) -> float:
        return self.explains.get(self.ten(warp), 0.0)

    def best(self, guesses: Iterable[tuple[str, Matrix]]) -> tuple[str, Settled] | None:
        found = [
            (
                name,
                Settled(shifted(10.0 * round(float(warp[0, 2]) / 10.0), 0.0), self.explained(warp)),
            )
            for name, warp in guesses
        ]
        return max(found, key=lambda each: each[1].explained, default=None)


def most(
    world: World,
    explains: dict[float, float],
    *guesses: float,
    attempt: Callable[[Settled], Attempt | None] = lambda settled: Attempt(settled.warp),
    aligned: bool = False,
) -> Found[Attempt]:
    return by_majority(
        world.found(0.0, aligned=aligned),
        [("guessed", shifted(x, 0.0)) for x in guesses],
        judge=world,
        majority=Most(explains),
        attempt=attempt,
    )


def test_the_motion_that_explains_more_wins() -> None:
    world = World({0.0: 60.0, 19.0: 50.0, 28.0: 50.0})
    found = most(world, {0.0: 0.4, 20.0: 0.6, 30.0: 0.5}, 19.0, 28.0)
    assert (found.start, found.attempt.warp[0, 2]) == ("guessed", 20.0)


@pytest.mark.parametrize(
    ("there", "agreement"),
    [
        (0.40, 50.0),  # no more than what was found
        (0.28, 50.0),  # too little, though nothing else explains any
        (0.60, 10.0),  # what agrees may be chance
    ],
)
def test_what_was_found_stays(there: float, agreement: float) -> None:
    world = World({0.0: 60.0, 19.0: agreement})
    here = 0.4 if there != 0.28 else 0.0
    found = most(world, {0.0: here, 20.0: there}, 19.0)
    assert (found.start, found.attempt.warp[0, 2]) == ("identity", 0.0)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda settled: None,  # too little agrees to solve it
        lambda settled: Attempt(shifted(40.0, 0.0)),  # it left what it explained
    ],
)
def test_what_was_found_stays_where_the_majority_comes_to_nothing(
    attempt: Callable[[Settled], Attempt | None],
) -> None:
    world = World({0.0: 60.0, 19.0: 50.0})
    found = most(world, {0.0: 0.4, 20.0: 0.6}, 19.0, attempt=attempt)
    assert (found.start, found.attempt.warp[0, 2]) == ("identity", 0.0)


@pytest.mark.parametrize(
    ("before", "after", "wins"),
    [(False, False, True), (True, False, False), (False, True, True), (True, True, True)],
)
def test_the_majority_does_not_win_where_it_alone_is_not_aligned(
    before: bool, after: bool, wins: bool
) -> None:
    world = World({0.0: 60.0, 19.0: 50.0})
    found = most(
        world,
        {0.0: 0.4, 20.0: 0.6},
        19.0,
        attempt=lambda settled: Attempt(settled.warp, aligned=after),
        aligned=before,
    )
    assert (found.start == "guessed") is wins
