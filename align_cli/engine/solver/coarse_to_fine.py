"""Down the pyramid: each level begins where the one above it ended, whatever solves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.state import State
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.pyramid import LazyFullSize
from align_cli.engine.options import Options
from align_cli.engine.records import LevelRecord, Status
from align_cli.engine.solver.gauss_newton import Solved
from align_cli.engine.target.target import Target

L = TypeVar("L")

Progress = Callable[[LevelRecord], None]


class LevelSolution(NamedTuple):
    """The solution of one level.

    Attributes:
        state: the warp at full size, and the illumination; where the next level begins.
        record: of the level; None where it was not solved, since the images agree in nothing at
            the state where the level above ended.
        solved: its planes at that state; empty where its rows were not solved.
    """

    state: State
    record: LevelRecord | None
    solved: tuple[Solved, ...] = ()


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes:
        state: the warp at full size, and the illumination.
        records: one for each level, in their order.
        solved: the planes of the last of them, at rest there; empty where its rows were not solved.
    """

    state: State
    records: tuple[LevelRecord, ...]
    solved: tuple[Solved, ...] = ()

    @property
    def warp(self) -> Matrix:
        """(3, 3), target pixel -> source pixel, at full size."""
        return self.state.warp

    @property
    def converged(self) -> bool:
        """Whether the last level did."""
        return self.records[-1].status is Status.CONVERGED


def levels_used(
    target: Target, source_size: Size, options: Options, *, used: int, finest: int | None
) -> list[int]:
    """The levels of a descent, coarsest first: those that have an interior.

    Args:
        target: the target.
        source_size: (width, height) of the source.
        options: the preset, and how many levels at most.
        used: how many of the finest there are to choose from.
        finest: end on this level or above it, or nowhere; None for the preset's.

    Raises:
        ImageError: if none has an interior, and one is needed.
    """
    count = used if options.levels is None else min(used, options.levels)
    known = [level for level in range(count) if target.known(level)]
    if finest is not None:
        known = [level for level in known if not isinstance(target.levels[level], LazyFullSize)]
    else:
        width, height = (min(both) for both in zip(target.size, source_size, strict=True))
        finest = options.finest_level((width, height), range(count))
        if not known:
            raise ImageError(
                "the requested pyramid levels have no interior; use fewer (--levels)", role="target"
            )
    last = next((level for level in known if level >= finest), min(known, default=0))
    return [level for level in reversed(known) if level >= last]


def coarse_to_fine(
    levels: Iterable[L],
    solve_level: Callable[[L, State], LevelSolution],
    start: State,
    progress: Progress | None = None,
) -> Descent:
    """Solve every level, coarsest first.

    Args:
        levels: coarsest first.
        solve_level: solves one from a state at full size.
        start: where the coarsest begins.
        progress: called with each level's record.
    """
    state = start
    solved: tuple[Solved, ...] = ()
    records: list[LevelRecord] = []
    for level in levels:
        solution = solve_level(level, state)
        if solution.record is None:
            records[-1] = replace(records[-1], status=Status.NO_AGREEMENT)
            break
        state, solved = solution.state, solution.solved
        records.append(solution.record)
        if progress is not None:
            progress(solution.record)
    return Descent(state, tuple(records), solved)
