"""Which candidates are scored, which are solved, and which answer is given.

The search runs on a line: a warp is a shift along it, each place has its score, and an attempt ends
where the line says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from align_cli.engine.records import Status
from align_cli.engine.search import loop
from align_cli.engine.search.loop import (
    CORRECTIONS,
    ENOUGH_SHARE,
    ENOUGH_TILES,
    GUESS_RATIO,
    ITERATION_PIXELS,
    LEAST_SHARE,
    LEAST_TILES,
    MOST_ATTEMPTS,
    MOST_PIXELS,
    MOTION_TESTS,
    SAME_PX,
    SOLVE_RATIO,
    search,
)
from align_cli.engine.search.scoring import Score
from align_cli.engine.search.similarity import Levels
from align_cli.engine.starts.tiles import SharedMotion
from tests.photographs import shifted

Matrix = np.ndarray


def place(warp: Matrix) -> float:
    return float(warp[0, 2])


@dataclass
class Line:
    """A similarity: agreement and verdict of each place, and where the solver goes from it.

    ``told`` are the places that the tiles of an answer propose, and ``fixed`` the verdicts of these
    as they are; ``tried`` the attempts, with the number of levels and of the candidates looked at;
    ``of_corrections`` are the latter of what was taken as its tiles have it.
    """

    agreement: dict[float, float] = field(default_factory=dict)
    verdicts: dict[float, str] = field(default_factory=dict)
    rests: dict[float, float] = field(default_factory=dict)
    ends: dict[float, float] = field(default_factory=dict)
    told: dict[float, Sequence[float]] = field(default_factory=dict)
    fixed: dict[float, str] = field(default_factory=dict)
    tiles: float = 100.0
    tried: list[tuple[float, int, int]] = field(default_factory=list)
    of_corrections: list[int] = field(default_factory=list)

    levels = Levels(2, 1)
    orientations = None
    pixels = (320, 240)
    iterations = 3
    count = 6
    corrections = 0
    evaluated = (0, 0.0, 0.0)

    def __post_init__(self) -> None:
        target = SimpleNamespace(size=(320, 240), levels=())
        pair = SimpleNamespace(levels=range(self.count), target=target)
        options = SimpleNamespace(levels=None, max_iterations=100)
        self.task = SimpleNamespace(pair=pair, model=None, options=options)

    def score(self, warp: Matrix) -> Score:
        agreement = self.agreement.get(place(warp), 0.0)
        return Score(agreement, agreement / self.tiles)

    def descend(self, start: Matrix, *, used: int, finest: int) -> Any:
        assert (used, finest) == (min(4, self.count), 2)
        x = place(start)
        return SimpleNamespace(warp=shifted(self.rests.get(x, x), 0.0))

    def restricted_to(self, part: Matrix) -> Line | None:
        return self if part.any() else None

    def attempt(self, start: str, begin: Matrix, used: int, tests: int) -> Any:
        x = place(begin)
        self.tried.append((x, used, tests))
        end = self.ends.get(x, x)
        return Found(self, start, end, self.verdicts.get(end, "settled"))


@dataclass
class Found:
    similarity: Line
    start: str
    x: float
    verdict: str

    def __post_init__(self) -> None:
        self.warp = shifted(self.x, 0.0)
        self.conclusive = self.verdict == "settled"
        self.aligned = self.verdict in ("settled", "held", "aligned")
        self.has_majority = self.verdict == "held"
        self.score = self.similarity.score(self.warp)
        restless = self.verdict == "restless"
        status = Status.ITERATION_LIMIT if restless else Status.CONVERGED
        self.outcome = SimpleNamespace(
            status=Status.SINGULAR if self.verdict == "singular" else status
        )
        width, height = self.similarity.pixels
        iterations = self.similarity.iterations
        record = SimpleNamespace(status=status, iterations=iterations, width=width, height=height)
        self.descent = SimpleNamespace(records=[record], converged=not restless)
        self.assessment = SimpleNamespace(
            displacements=SimpleNamespace(field=self),
            log10_false_alarms=0.0 if self.verdict == "nothing" else -9.0,
        )

    @property
    def rank(self) -> tuple[bool, bool, bool, float]:
        agreement = self.similarity.agreement.get(self.x, 0.0)
        return self.has_majority, self.aligned, self.verdict == "doubtful", agreement

    def better_than(self, other: Found) -> bool:
        return self.rank > other.rank

    def simpler(self) -> Found:
        """With fewer parameters, which settles it where the texture does not fix all."""
        return (
            Found(self.similarity, f"{self.start}, simpler", self.x, "settled")
            if self.verdict in ("uncertain", "singular")
            else self
        )

    def with_search_report(self, count: int, warp: Matrix, score: Score, searched: Any) -> Found:
        del searched
        self.similarity.evaluated = (count, place(warp), score.agreeing_tiles)
        return self


Asked = list[str]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The names of the starts that were asked, in their order."""
    names: Asked = []

    def attempted(line: Line, start: str, begin: Matrix, **how: Any) -> Any:
        np.testing.assert_array_equal(how["before"], np.eye(3))
        assert how["among"] in (None, line)
        return line.attempt(start, begin, how["used"], how["tests"])

    def guesses(field: Found, warp: Matrix, model: Any, size: Any) -> Iterator[Matrix]:
        assert place(warp) == field.x
        for x in field.similarity.told.get(field.x, ()):
            # The last place is one where too little of the target is left.
            yield SharedMotion(shifted(x, 0.0), np.array([x < 300.0]))

    def start(name: str, places: Sequence[float]) -> Any:
        def proposed(_: Any) -> Iterator[Matrix]:
            names.append(name)
            for x in places:
                yield shifted(x, 0.0)

        return proposed

    def corrected(found: Found, warp: Matrix, before: Matrix, *, tests: int) -> Found:
        np.testing.assert_array_equal(before, np.eye(3))
        x, line = place(warp), found.similarity
        line.corrections += 1
        line.of_corrections.append(tests)
        return Found(line, f"{found.start}, corrected", x, line.fixed.get(x, "failed"))

    monkeypatch.setattr(loop, "run_attempt", attempted)
    monkeypatch.setattr(loop, "correct_by_tiles", corrected)
    monkeypatch.setattr(loop, "with_fewer_parameters", Found.simpler)
    monkeypatch.setattr(loop.tiles, "guesses", guesses)
    starts = {"one": (40.0, 60.0), "two": (80.0,), "three": (120.0,), "last": (160.0,)}
    monkeypatch.setattr(
        loop, "STARTS", {name: start(name, places) for name, places in starts.items()}
    )
    monkeypatch.setattr(loop, "COSTLY", ("three",))
    monkeypatch.setattr(loop, "LAST_RESORTS", ("last",))
    return names


ALL = ("identity", "one", "two", "three", "last")


def run(*lines: Line, starts: Sequence[str] = ALL) -> tuple[str, float]:
    found: Any = search(lines, starts, np.eye(3))
    return found.start, found.x


def test_what_settles_it_at_once_ends_the_search(asked: Asked) -> None:
    line = Line({0.0: 90.0})
    assert run(line) == ("identity", 0.0)
    assert line.tried == [(0.0, 6, 1)]
    assert asked == []


def test_what_holds_the_majority_needs_no_other_start(asked: Asked) -> None:
    line = Line({0.0: 60.0, 80.0: 90.0}, {0.0: "held", 80.0: "held"})
    assert run(line) == ("identity", 0.0)
    assert asked == []
    line = Line({0.0: 60.0, 40.0: 70.0, 120.0: 90.0}, {0.0: "aligned", 40.0: "held"})
    assert run(line) == ("one", 40.0)
    assert asked == ["one"]
    # What is aligned and no more needs the others.
    line = Line({0.0: 60.0, 120.0: 90.0}, {0.0: "aligned"})
    assert run(line) == ("three", 120.0)


def test_the_best_guess_of_a_start_is_solved_and_no_further_start_if_it_settles_it(
    asked: Asked,
) -> None:
    line = Line({40.0: 50.0, 60.0: 70.0}, {0.0: "failed"})
    assert run(line) == ("one", 60.0)
    # From the coarse levels on which it was brought to rest; identity and two guesses are scored.
    assert line.tried == [(0.0, 6, 1), (60.0, 4, 4)]
    assert asked == ["one"]


def test_no_guess_is_scored_after_one_that_cannot_be_bettered(asked: Asked) -> None:
    sure = {40.0: max(ENOUGH_TILES, 100.0 * ENOUGH_SHARE), 60.0: 99.0}
    assert run(Line(sure, {0.0: "failed"})) == ("one", 40.0)
    # A few tiles that all agree, or many that are half of them, are no reason.
    few = Line({40.0: 0.9 * ENOUGH_TILES, 60.0: 15.0}, {0.0: "failed"}, tiles=15.0)
    assert run(few) == ("one", 60.0)
    half = Line({40.0: 95.0 * ENOUGH_SHARE, 60.0: 99.0}, {0.0: "failed"})
    assert run(half) == ("one", 60.0)


@pytest.mark.parametrize(
    ("agreement", "tiles", "solved"),
    [
        (1.1 * LEAST_TILES, 10.0, True),
        (0.9 * LEAST_TILES, 10.0, False),
        # All tiles of a small picture.
        (0.9 * LEAST_TILES, 0.95 * LEAST_TILES, True),
        (99.0 * LEAST_SHARE, 100.0, False),
        (101.0 * LEAST_SHARE, 100.0, True),
    ],
)
def test_chance_is_not_solved(agreement: float, tiles: float, solved: bool, asked: Asked) -> None:
    line = Line({80.0: agreement}, {0.0: "failed"}, tiles=tiles)
    assert run(line) == (("two", 80.0) if solved else ("identity", 0.0))
    assert asked == (["one", "two"] if solved else ["one", "two", "three", "last"])


@pytest.mark.parametrize(
    ("share", "solved"), [(SOLVE_RATIO - 0.05, False), (SOLVE_RATIO + 0.05, True)]
)
@pytest.mark.parametrize("verdict", ["failed", "aligned"])
def test_as_much_must_agree_as_at_any_end_so_far(
    verdict: str, share: float, solved: bool, asked: Asked
) -> None:
    line = Line({0.0: 60.0, 80.0: 60.0 * share}, {0.0: verdict, 80.0: "failed"})
    run(line)
    assert ((80.0, 4, 5) in line.tried) is solved


def test_costly_starts_are_asked_where_nothing_else_is_aligned(asked: Asked) -> None:
    assert run(Line({0.0: 60.0, 160.0: 80.0}, {0.0: "aligned"})) == ("identity", 0.0)
    assert asked == ["one", "two", "three"]
    assert run(Line({0.0: 60.0, 160.0: 80.0}, {0.0: "doubtful"})) == ("last", 160.0)


def test_last_resorts_are_asked_last_wherever_they_are_named(asked: Asked) -> None:
    line = Line({0.0: 60.0}, {0.0: "aligned"})
    run(line, starts=("identity", "last", "one", "three", "two"))
    assert asked == ["one", "two", "three"]


def test_one_place_is_solved_once(asked: Asked) -> None:
    near = SAME_PX * 2.0**Line.levels.fine
    there = Line({0.0: 40.0, 40.0: 50.0}, {0.0: "failed"}, rests={40.0: 0.9 * near})
    there.agreement[0.9 * near] = 50.0
    run(there)
    assert [x for x, *_ in there.tried] == [0.0]
    elsewhere = Line({0.0: 40.0}, {0.0: "failed"}, rests={40.0: 1.1 * near})
    elsewhere.agreement[1.1 * near] = 50.0
    assert run(elsewhere) == ("one", 1.1 * near)


def test_where_the_solver_found_no_rest_another_start_is_welcome(asked: Asked) -> None:
    line = Line({0.0: 50.0, 40.0: 60.0}, {0.0: "restless"}, ends={40.0: 0.5})
    assert run(line) == ("one", 0.5)
    assert [each[:2] for each in line.tried] == [(0.0, 6), (0.0, 4), (40.0, 4)]


def test_a_guess_that_coarse_levels_spoil_is_taken_as_it_is(asked: Asked) -> None:
    spoilt = Line({80.0: 50.0 * GUESS_RATIO + 1.0, 90.0: 50.0}, {0.0: "failed"}, rests={80.0: 90.0})
    assert run(spoilt) == ("two", 80.0)
    assert spoilt.tried[-1][:2] == (80.0, 2)
    kept = Line({80.0: 50.0 * GUESS_RATIO - 0.5, 90.0: 50.0}, {0.0: "failed"}, rests={80.0: 90.0})
    assert run(kept) == ("two", 90.0)
    assert kept.tried[-1][:2] == (90.0, 4)


def test_where_coarse_levels_lead_the_first_attempt_astray_finer_ones_are_tried(
    asked: Asked,
) -> None:
    line = Line({0.0: 50.0}, {200.0: "failed"}, ends={0.0: 200.0})
    ended = line.attempt

    def attempt(start: str, begin: Matrix, used: int, tests: int) -> Any:
        line.ends = {0.0: 200.0} if used == 6 else {}
        return ended(start, begin, used, tests)

    line.attempt = attempt  # type: ignore[method-assign]
    assert run(line) == ("identity", 0.0)
    assert [each[:2] for each in line.tried] == [(0.0, 6), (0.0, 4)]


def test_the_tiles_of_an_answer_propose_where_they_are_found(asked: Asked) -> None:
    verdicts = {0.0: "failed", 6.0: "doubtful", 12.0: "doubtful", 9.0: "settled"}
    told = {0.0: (6.0, 9.0), 6.0: (12.0,)}
    line = Line({0.0: 50.0, 6.0: 10.0, 9.0: 70.0}, verdicts, told=told)
    assert run(line) == ("identity", 9.0)
    # Near as they are, from the fine level on; what they lead to proposes nothing more.
    assert line.tried == [(0.0, 6, 1), (6.0, 2, 2 * MOTION_TESTS), (9.0, 2, 3 * MOTION_TESTS)]
    assert asked == []
    small = Line({0.0: 50.0}, {0.0: "failed", 300.0: "aligned"}, told={0.0: (300.0,)})
    assert run(small) == ("identity", 0.0)


def test_tiles_are_asked_again_where_they_were_found(asked: Asked) -> None:
    told = {0.0: (6.0,), 6.0: (7.0, 9.0), 7.0: (7.5,), 7.5: (7.6,), 7.6: (7.7,)}
    line = Line({0.0: 50.0}, {0.0: "doubtful", 1.0: "doubtful"}, ends={6.0: 1.0}, told=told)
    line.fixed = {6.0: "doubtful", 7.0: "doubtful", 7.5: "settled"}
    assert run(line) == ("identity, corrected, corrected, corrected", 7.5)
    assert line.corrections == CORRECTIONS
    assert [x for x, *_ in line.tried] == [0.0, 6.0]
    line.fixed[7.5] = "doubtful"
    run(line, starts=("identity",))
    assert line.corrections == 2 * CORRECTIONS


def test_where_iterations_are_limited_tiles_do_not_stand_in_for_them(asked: Asked) -> None:
    line = Line({0.0: 50.0}, {0.0: "restless"}, told={0.0: (6.0,)}, fixed={6.0: "settled"})
    assert run(line)[1] == 6.0
    line.task.options.max_iterations = 99
    assert run(line, starts=("given",)) == ("given", 0.0)


def test_an_answer_whose_horizon_crosses_the_target_asks_its_tiles_nothing(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "plausible", lambda *_: False)
    line = Line({0.0: 50.0}, {0.0: "failed"}, told={0.0: (6.0,)})
    assert run(line) == ("identity", 0.0)


def test_an_answer_for_which_nothing_speaks_is_no_rival(asked: Asked) -> None:
    line = Line({0.0: 90.0, 80.0: 30.0}, {0.0: "nothing"})
    assert run(line) == ("two", 80.0)


@pytest.mark.parametrize(("evidence", "solved"), [(-8.9, False), (-9.1, True)])
def test_an_answer_is_a_rival_from_as_much_evidence_as_aligned_ones_have(
    evidence: float, solved: bool, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG10_NFA_ALIGNED", evidence)
    line = Line({0.0: 90.0, 80.0: 30.0}, {0.0: "failed"})
    assert run(line) == (("two", 80.0) if solved else ("identity", 0.0))


@pytest.mark.parametrize(
    ("best", "told", "ends"),
    [
        # The place that the tiles tell, of which too little is left to be solved there.
        (300.0, 300.0, {}),
        # Where the solver went from there.
        (7.0, 6.0, {6.0: 7.0}),
    ],
)
def test_what_the_tiles_lead_to_is_a_rival_too(
    best: float, told: float, ends: dict[float, float], asked: Asked
) -> None:
    verdicts = dict.fromkeys((0.0, 7.0), "failed")
    line = Line({best: 90.0, 80.0: 50.0}, verdicts, ends=ends, told={0.0: (told,)})
    assert run(line)[1] == best
    assert 80.0 not in [x for x, *_ in line.tried]
    # Two candidates were looked at by then: the images as they lie, and the place.
    assert line.of_corrections == [2 * MOTION_TESTS]


def test_no_more_levels_are_solved_than_there_are(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Line, "count", 3)
    line = Line({80.0: 50.0}, {0.0: "failed"})
    assert run(line) == ("two", 80.0)
    assert [used for _, used, _ in line.tried] == [3, 3]


@pytest.mark.parametrize(
    ("size", "iterations", "most"),
    [
        ((320, 240), 3, MOST_ATTEMPTS),
        ((20000, 15000), 3, 2),
        # However few the pixels are.
        ((20, 15), MOST_PIXELS // ITERATION_PIXELS - 50, 2),
    ],
)
def test_no_more_is_solved_than_the_budget_has(
    size: tuple[int, int],
    iterations: int,
    most: int,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Line, "pixels", size)
    monkeypatch.setattr(Line, "iterations", iterations)
    # Attempts, each at a place of its own, that tell of two more.
    places = (0.0, 60.0, 80.0, 120.0, 160.0)
    told = {x: (x + 6.0, x + 12.0) for x in places}
    line = Line(dict.fromkeys(places, 50.0), dict.fromkeys(places, "nothing"), told=told)
    line.fixed = dict.fromkeys((x + y for x in places for y in (6.0, 12.0)), "nothing")
    line.verdicts.update(dict.fromkeys(line.fixed, "nothing"))
    run(line)
    solved = len(line.tried)
    assert solved < 3 * len(places)
    assert solved + line.corrections >= most
    assert solved <= most


def test_where_the_tiles_as_they_are_tell_more_they_have_the_answer(asked: Asked) -> None:
    line = Line(
        {0.0: 50.0, 6.0: 60.0, 7.0: 55.0},
        {0.0: "doubtful", 7.0: "doubtful"},
        ends={6.0: 7.0},
        told={0.0: (6.0,), 7.0: (30.0,)},
        fixed={6.0: "settled"},
    )
    assert run(line) == ("identity, corrected", 6.0)
    # Nor is the answer that the solver made of it asked again.
    assert [x for x, *_ in line.tried] == [0.0, 6.0]


def test_a_simpler_model_from_the_images_as_they_lie_comes_before_other_starts(
    asked: Asked,
) -> None:
    assert run(Line({0.0: 90.0}, {0.0: "uncertain"})) == ("identity, simpler", 0.0)
    assert asked == []


@pytest.mark.parametrize(
    ("verdict", "names"),
    [("singular", ["one", "two"]), ("uncertain", ["one", "two", "three", "last"])],
)
def test_a_simpler_model_from_elsewhere_is_tried_at_once_where_nothing_is_solved_else_at_the_end(
    verdict: str, names: list[str], asked: Asked
) -> None:
    line = Line({0.0: 10.0, 80.0: 40.0}, {0.0: "failed", 80.0: verdict})
    assert run(line) == ("two, simpler", 80.0)
    assert asked == names


def test_what_came_nearest_is_told(asked: Asked) -> None:
    line = Line({60.0: 3.0, 120.0: 2.0}, {0.0: "nothing"})
    assert run(line) == ("identity", 0.0)
    # Of identity and five guesses.
    assert line.evaluated == (6, 60.0, 3.0)
    edges = Line({120.0: 3.5}, {0.0: "nothing"})
    assert run(line, edges) == ("identity", 0.0)
    # All candidates are counted; the scores of another similarity are of other tiles.
    assert line.evaluated == (12, 60.0, 3.0)


def test_starts_see_the_orientations_of_whichever_similarity_has_some(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def start(views: Any) -> Iterator[Matrix]:
        seen.append(views.orientations)
        return iter(())

    monkeypatch.setattr(loop, "STARTS", {"one": start})
    values, edges = Line({}, {0.0: "failed"}), Line({}, {0.0: "failed"})
    edges.orientations = len  # type: ignore[assignment]
    for lines in ([values], [values, edges], [edges]):
        run(*lines, starts=("identity", "one"))
    assert seen == [None, len, len]


def test_the_second_similarity_is_asked_once_the_cheap_starts_of_the_first_find_nothing(
    asked: Asked,
) -> None:
    values, edges = Line({80.0: 40.0}, {0.0: "failed", 80.0: "held"}), Line({0.0: 30.0})
    assert run(values, edges) == ("two", 80.0)
    assert edges.tried == []
    # The second asks for nothing more once it holds it.
    values = Line({}, {0.0: "failed"})
    edges = Line({0.0: 30.0, 40.0: 50.0, 80.0: 90.0}, {0.0: "failed", 40.0: "held"})
    assert run(values, edges) == ("one", 40.0)
    asked.clear()
    values = Line({120.0: 40.0}, {0.0: "failed"})
    edges = Line({0.0: 30.0, 80.0: 40.0}, {0.0: "failed"})
    assert run(values, edges) == ("two", 80.0)
    # Each start proposes once; the costly ones, in which the first finds something, are not asked.
    assert asked == ["one", "two"]
    # The agreement of the one is no measure for the other.
    values = Line({0.0: 90.0}, {0.0: "failed"})
    assert run(values, Line({80.0: 40.0}, {0.0: "failed"})) == ("two", 80.0)


def test_costly_starts_are_asked_last_for_one_similarity_after_the_other(asked: Asked) -> None:
    values = Line({160.0: 40.0}, {0.0: "failed"})
    edges = Line({0.0: 30.0, 120.0: 40.0}, {0.0: "failed"})
    assert run(values, edges) == ("three", 120.0)
    assert asked == ["one", "two", "three"]
    # The first is preferred.
    values, edges = Line({120.0: 40.0}, {0.0: "failed"}), Line({0.0: 30.0}, {0.0: "failed"})
    edges.agreement[120.0] = 40.0
    assert run(values, edges) == ("three", 120.0)


def test_of_starts_that_find_nothing_the_images_as_they_lie_are_solved(asked: Asked) -> None:
    line = Line({}, {0.0: "failed"})
    assert run(line, starts=("one",)) == ("identity", 0.0)
    assert line.tried == [(0.0, 6, 3)]


def test_a_given_start_is_solved_from_all_levels(asked: Asked) -> None:
    line = Line({0.0: 50.0}, {0.0: "failed"})
    assert run(line, starts=("given",)) == ("given", 0.0)
    assert line.tried == [(0.0, 6, 1)]
    assert asked == []
