"""Unlike images, aligned by the orientation of their edges: the same steps, on other planes.

On every level the source is warped to where it is believed to lie, both become orientation planes
(``align_cli.engine.orientation``), and the small warp that is left between them is solved for and
composed with the one before:

    W <- W S,    S from (c, s) of source(W x) against (c, s) of target(x)

The source is warped first because a turned picture turns its orientations too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from align_cli.engine.alignment import LevelRecord, Status
from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.coarse_to_fine import MOST_ON_THE_WAY, Descent, Progress, level_record
from align_cli.engine.coordinates import at_level, plausible, unit
from align_cli.engine.ladder import ladder
from align_cli.engine.lucas_kanade import (
    CAUTION,
    LevelResult,
    LevelSettings,
    Solved,
    corner_step_px,
    solve_level,
)
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import Options
from align_cli.engine.orientation import PlaneEquations
from align_cli.engine.photometry import NO_LIGHT, Light
from align_cli.engine.place import Place
from align_cli.engine.points import PointEquations, PointSource
from align_cli.engine.pyramid import Level
from align_cli.engine.robust import Loss
from align_cli.engine.still import StillEquations
from align_cli.engine.targets import TargetPlanes
from align_cli.engine.threads import Threads
from align_cli.engine.unlike_views import STILL, Compared, View, compared

COARSEST_SIDE: Final = 24
"""Shorter side of the coarsest level: on smaller ones a few edges point anywhere."""

ROUNDS: Final = 3
"""How often the source of a level is warped anew, at most: what is left to turn after the first
is little."""

SETTLED_PX: Final = 0.05
"""A round that moved no corner by more, in pixels of the level, is the last one."""

ON_THE_WAY_PX: Final = 0.1
"""Tolerance of the steps of a round that others follow, in pixels of the level."""

MOST_STEPS: Final = 12
"""Steps with all rows of the last level, at most."""

FIRST_RATIO: Final = 0.15
"""By how much the second of these steps is expected to be shorter than the first. They are about
Newton's: what ``lucas_kanade.CAUTION`` is for is taken off again."""

STEADY_PX: Final = 1.0
"""After a step that moved no corner by more the matrix is kept; only such a step is the last."""

SHORTER: Final = 0.7
"""A step that is not shorter than so many times the one before goes to and fro: the next is less
bold, and has a matrix of its own."""

ROUNDING_PX: Final = 1e-4
"""Steps do not become shorter than this, whatever tolerance is asked for: pixels are float32."""

LEAST_SHARED: Final = 0.05
LESS_BOLD: Final = 4.0
"""See ``StillEquations``; and so many times that after a step that led astray."""

SLACK: Final = 1e-3
"""What the agreement may lose by a step: what weighs each pixel by its residual ends elsewhere than
what weighs all alike."""

NO_ILLUMINATION: Final = Light.uniform(math.nan, math.nan)
"""Orientations know of none."""

NOT_ENOUGH: Final = LevelResult(
    STILL, Status.TOO_LITTLE_OVERLAP, 1, math.inf, math.nan, 0.0, 0.0, 1.0
)
"""Where nothing can be solved for."""


def descend(
    source: View,
    target: View,
    start: Matrix,
    *,
    model: MotionModel,
    loss: Loss,
    options: Options,
    threads: Threads,
    progress: Progress | None = None,
    finest: int | None = None,
    used: int | None = None,
) -> Descent:
    """Solve every level from ``start``, the warp target -> source, coarsest first.

    Args:
        source: the image that moves, with no more levels than the target.
        target: the image that stays.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits and the preset.
        threads: where to work.
        progress: called with each level's record.
        finest: end on this level, without all its rows; None for the last one, with them.
        used: how many of the finest levels; None for all.
    """
    count = min(len(source.levels), len(target.levels))
    if used is not None:
        count = min(count, used)
    if options.levels is not None:
        count = min(count, options.levels)
    sizes = zip(target.levels[0].size, source.levels[0].size, strict=True)
    width, height = (min(both) for both in sizes)
    last = options.finest_level((width, height), range(count))
    ends_coarse = finest is not None and finest > last
    if finest is not None:
        last = min(max(finest, last), count - 1)
    large = [n for n in range(last, count) if min(target.levels[n].size) >= COARSEST_SIDE]
    first = max(large, default=last)
    warp, records = start, list[LevelRecord]()
    for level in range(first, last - 1, -1):
        solver = _LevelSolver(
            source,
            target,
            level,
            loss=loss,
            options=options,
            threads=threads,
            final=level == last and not ends_coarse,
        )
        *stiffer, rung = ladder(model, solver.size, coarsest=not records)
        begin = solver.begin(warp)
        for stiff in stiffer:
            begin = solver.with_points(begin, stiff, rounds=1).there
        at_rest = solver.rest(begin, rung, near=bool(records))
        warp = at_rest.there.warp
        records.append(
            level_record(level, solver.size, at_rest.result, solver.iterations, unit=1.0)
        )
        if progress is not None:
            progress(records[-1])
    return Descent(Place(warp, NO_ILLUMINATION), tuple(records), at_rest.solved)


class _There(NamedTuple):
    """A warp at full size, and both images of a level there."""

    warp: Matrix
    both: Compared


class _LevelRest(NamedTuple):
    """Where a level's rounds or steps ended; ``solved`` as in ``Rest``."""

    there: _There
    result: LevelResult
    solved: tuple[Solved, ...] = ()


class _LevelSolver:
    """One level of both images.

    Args:
        source: the image that moves.
        target: the image that stays.
        level: of both pyramids.
        loss: the robust loss.
        options: limits and the preset.
        threads: where to work.
        final: whether it goes on with all rows, the source's grey values sampled exactly.
    """

    def __init__(
        self,
        source: View,
        target: View,
        level: int,
        *,
        loss: Loss,
        options: Options,
        threads: Threads,
        final: bool,
    ) -> None:
        self.source, self.target, self.level = source, target, level
        self.loss, self.options, self.threads, self.final = loss, options, threads, final
        self.size = target.levels[level].size
        self.iterations = 0

    def begin(self, warp: Matrix) -> _There:
        """A place to begin at, a warp at full size."""
        both = compared(self.source, self.target, self.level, warp, exact=self.final)
        return _There(warp, both)

    def rest(self, begin: _There, model: MotionModel, *, near: bool) -> _LevelRest:
        """Where the level comes to rest; ``near`` says whether it begins where another ended."""
        if not self.final:
            return self.with_points(begin, model, rounds=ROUNDS)
        if not near:
            begin = self.with_points(begin, model, rounds=1).there
        return self._with_all_rows(begin, model, pointed=not near)

    def with_points(self, begin: _There, model: MotionModel, *, rounds: int) -> _LevelRest:
        """Rounds of solving at the chosen points and warping anew, until little is left."""
        here, settings = begin, self._settings(model, MOST_ON_THE_WAY, ON_THE_WAY_PX)
        for _ in range(rounds):
            result = _at_points(here.both, settings)
            self.iterations += result.iterations
            there = self._moved(here, result)
            better = there is not None and there.both.agreement > here.both.agreement
            if there is None or not better:
                break
            here = there
            if corner_step_px(result.place.warp, self.size) < SETTLED_PX:
                break
        return _LevelRest(here, result)

    def _with_all_rows(self, begin: _There, model: MotionModel, *, pointed: bool) -> _LevelRest:
        """Steps with all rows, the source warped anew after each.

        Where one leads astray the chosen points, which see further, come first, if they did not
        yet; else the next is less bold.
        """
        here = begin
        settings = replace(
            self._settings(model, 1, ROUNDING_PX), below_noise=self.options.tolerance is None
        )
        ratio, step_before, least_shared = FIRST_RATIO, math.inf, LEAST_SHARED
        result, matrix = NOT_ENOUGH, None
        for _ in range(min(MOST_STEPS, self.options.max_iterations)):
            if not here.both.enough:
                return _LevelRest(here, NOT_ENOUGH)
            rows = [_seen(plane, here.both.inside) for plane in here.both.target.rows]
            equations = StillEquations(
                rows,
                [plane.image for plane in here.both.source],
                model,
                self.loss,
                threads=self.threads,
                least_shared=least_shared,
                matrix=matrix,
            )
            result = solve_level(equations, STILL, settings, ratio=ratio)
            self.iterations += 1
            if result.status is Status.CONVERGED and result.last_step_px < STEADY_PX:
                # Less than the noise is left: both images need not be made again.
                solved = _solved(rows, here.both.source, result, settings, self.level)
                end = here._replace(warp=self._warp(here, result))
                return _LevelRest(end, result, solved)
            there = self._moved(here, result)
            if there is not None and there.both.agreement > here.both.agreement - SLACK:
                here = there
                if step_before < math.inf:
                    ratio = min(1.0, result.last_step_px / step_before) / CAUTION
                to_and_fro = result.last_step_px > SHORTER * step_before
                step_before = result.last_step_px
                matrix = equations.matrix if step_before < STEADY_PX else None
                if to_and_fro:
                    least_shared, matrix = min(1.0, LESS_BOLD * least_shared), None
                continue
            if not pointed:
                here, pointed = self.with_points(here, model, rounds=1).there, True
            elif least_shared < 1.0:
                least_shared *= LESS_BOLD
            else:
                break
            ratio, step_before, matrix = FIRST_RATIO, math.inf, None
        return _LevelRest(here, result)

    def _warp(self, here: _There, result: LevelResult) -> Matrix:
        """The warp at full size after a result."""
        return unit(here.warp @ at_level(result.place.warp, -self.level))

    def _moved(self, here: _There, result: LevelResult) -> _There | None:
        """Both images after a result; None where that is of no use."""
        warp = self._warp(here, result)
        if not (result.usable and plausible(warp, self.target.levels[0].size)):
            return None
        return self.begin(warp)

    def _settings(self, model: MotionModel, most: int, tolerance_px: float = 0.0) -> LevelSettings:
        tolerance = max(self.options.tolerance_px * 0.5**self.level, tolerance_px)
        return LevelSettings(model, self.loss, NO_LIGHT, most, tolerance)


def _solved(
    rows: Sequence[TargetPlanes],
    sources: Sequence[Level],
    result: LevelResult,
    settings: LevelSettings,
    level: int,
) -> tuple[Solved, ...]:
    """Both planes at rest: the source has been warped all the way."""
    at_rest = replace(result, place=STILL)
    return tuple(
        Solved(plane, Level(source.image, None), settings, at_rest, level)
        for plane, source in zip(rows, sources, strict=True)
    )


def _at_points(both: Compared, settings: LevelSettings) -> LevelResult:
    """What is left between the planes, at their points."""
    if not both.enough or len(both.target.points) < len(both.source):
        return NOT_ENOUGH
    equations = PlaneEquations(
        [
            PointEquations(points, PointSource(source), settings.model, settings.loss, NO_LIGHT)
            for points, source in zip(both.target.points, both.source, strict=True)
        ]
    )
    return solve_level(equations, STILL, settings)


def _seen(rows: TargetPlanes, inside: Mask) -> TargetPlanes:
    """The rows of a plane, of which only those pixels take part that the source reaches too."""
    if inside.all():
        return rows
    (x, y), (height, width) = rows.origin, rows.shape
    known = np.ascontiguousarray(inside[y : y + height, x : x + width])
    return rows.changed(valid=known if rows.valid is None else known & rows.valid)
