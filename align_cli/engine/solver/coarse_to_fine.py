"""Coarse-to-fine descent: each level starts at the solution of the next coarser one."""

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
from align_cli.engine.solver.gauss_newton import SolvedPlane
from align_cli.engine.target.target import Target

L = TypeVar("L")

Progress = Callable[[LevelRecord], None]


class LevelSolution(NamedTuple):
    """The solution of one level.

    Attributes:
        state: the warp at full size, and the illumination; the next level starts there.
        record: of the level; None if it was not solved, because the images do not correlate at the
            solution of the next coarser level, or because it has neither points nor rows.
        solved_planes: its planes with their solution; empty if its rows were not solved.
    """

    state: State
    record: LevelRecord | None
    solved_planes: tuple[SolvedPlane, ...] = ()


class Descent(NamedTuple):
    """The solution of a coarse-to-fine descent.

    Attributes:
        state: the warp at full size, and the illumination.
        records: one for each level, coarsest first.
        solved_planes: the planes of the finest level with their solution; empty if its rows were
            not solved.
        path: (3, 3) warps at full size: the initial one, then that of each of the records.
    """

    state: State
    records: tuple[LevelRecord, ...]
    solved_planes: tuple[SolvedPlane, ...] = ()
    path: tuple[Matrix, ...] = ()

    @property
    def warp(self) -> Matrix:
        """(3, 3), target pixel -> source pixel, at full size."""
        return self.state.warp

    @property
    def converged(self) -> bool:
        """Whether the finest level converged."""
        return bool(self.records) and self.records[-1].status is Status.CONVERGED


def levels_used(
    target: Target, source_size: Size, options: Options, *, used: int, finest: int | None
) -> list[int]:
    """The levels of a descent, coarsest first; all have an interior.

    Args:
        target: the target.
        source_size: (width, height) of the source.
        options: the preset, and the largest number of levels.
        used: number of the finest levels to choose from.
        finest: the finest level allowed, or coarser; None for the preset's.

    Raises:
        ImageError: if no level has an interior, and ``finest`` is None.
    """
    count = used if options.levels is None else min(used, options.levels)
    known = [level for level in range(count) if target.usable(level)]
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
        solve_level: solves a level from a state at full size.
        start: initial state of the coarsest level.
        progress: called with the record of each level.
    """
    state = start
    solved_planes: tuple[SolvedPlane, ...] = ()
    records: list[LevelRecord] = []
    path = [start.warp]
    for level in levels:
        solution = solve_level(level, state)
        if solution.record is None:
            # Without one before: of a strip of a few pixels coarse levels have nothing to solve.
            if records:
                records[-1] = replace(records[-1], status=Status.NO_AGREEMENT)
            break
        state, solved_planes = solution.state, solution.solved_planes
        records.append(solution.record)
        path.append(state.warp)
        if progress is not None:
            progress(solution.record)
    return Descent(state, tuple(records), solved_planes, tuple(path))
