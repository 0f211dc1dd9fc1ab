"""Unlike images, aligned by the orientation of their edges: the same steps, on other planes.

On every level the source is warped to where it is believed to lie, both become orientation planes
(``align_cli.engine.orientation``), and the small warp that is left between them is solved for and
composed with the one before:

    W <- W S,    S from (c, s) of source(W x) against (c, s) of target(x)

The source is warped first because a turned picture turns its orientations too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine import agreement, verdict
from align_cli.engine.alignment import LevelRecord, Outcome, Quality, Status, Uncertainty
from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.coarse_to_fine import (
    MOST_ON_THE_WAY,
    Progress,
    level_record,
)
from align_cli.engine.coordinates import Size, at_level, inverse, plausible, unit
from align_cli.engine.equations import least_scale
from align_cli.engine.ladder import ladder
from align_cli.engine.lucas_kanade import (
    SMALLEST_OVERLAP,
    LevelResult,
    LevelSettings,
    Solved,
    corner_step_px,
    solve_level,
)
from align_cli.engine.moments import RowEquations, Scratch
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import Options
from align_cli.engine.orientation import PlaneEquations
from align_cli.engine.photometry import NO_LIGHT
from align_cli.engine.points import PointEquations, PointSource
from align_cli.engine.pyramid import Level
from align_cli.engine.repeats import Repeat
from align_cli.engine.robust import Loss, scale_of
from align_cli.engine.targets import TargetPlanes, textured
from align_cli.engine.threads import Threads
from align_cli.engine.uncertainty import uncertainty
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

EVIDENCE_LEVEL: Final = 1
"""Level on which orientations are held against each other. Measured on ten photographs at noise of
5 grey levels (``benchmarks.unlike --calibrate``): right answers agree to 0.61 or more there, of the
pairs that cannot be aligned 95 in 100 to 0.27 at most, halves of a wall of bricks to 0.67. Shared
textures, there or on the next level: of right answers 95 in 100 reach 0.41, wrong ones 0.34 at
most."""

SCALE_STEP: Final = 4
"""Of the last level every so manieth pixel, both ways, tells the residuals' scale."""


@dataclass(frozen=True)
class Rest:
    """Where a descent ended: the warp target -> source at full size, and a record a level.

    ``solved`` are the planes of the last level as they lie there; empty where its rows were never
    solved.
    """

    warp: Matrix
    records: tuple[LevelRecord, ...]
    solved: tuple[Solved, ...] = ()

    def uncertainty(self, target_size: Size, source_size: Size) -> Uncertainty | None:
        """How far the answer is likely to be off; None where there is too little to tell."""
        if not self.solved or self.records[-1].status is not Status.CONVERGED:
            return None
        first, *beside = self.solved
        return uncertainty(first, target_size, source_size, beside=beside, warped_by=self.warp)


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
) -> Rest:
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
    """
    count = min(len(source.levels), len(target.levels))
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
        for stiff in stiffer:
            warp = solver.rest(warp, stiff, rounds=1).warp
        at_rest = solver.rest(warp, rung, rounds=ROUNDS)
        warp = at_rest.warp
        records.append(
            level_record(level, solver.size, at_rest.result, solver.iterations, unit=1.0)
        )
        if progress is not None:
            progress(records[-1])
    return Rest(warp, tuple(records), at_rest.solved)


@dataclass(frozen=True)
class _LevelRest:
    """Where a level's rounds ended: the warp at full size, and ``Rest.solved``."""

    warp: Matrix
    result: LevelResult
    solved: tuple[Solved, ...]


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

    def rest(self, warp: Matrix, model: MotionModel, *, rounds: int) -> _LevelRest:
        """Rounds of solving and warping anew from a warp at full size, until little is left."""
        both = self._compared(warp)
        # The last level's first round is a start for those with all its rows.
        for turn in range(rounds + self.final):
            whole = self.final and turn > 0
            settings = self._settings(model, whole=whole)
            result = _solve(both, settings, self.threads, whole=whole)
            self.iterations += result.iterations
            if not result.usable:
                break
            moved = unit(warp @ at_level(result.place.warp, -self.level))
            if not plausible(moved, self.target.levels[0].size):
                break
            there = self._compared(moved)
            better = there.agreement > both.agreement
            if better:
                warp, both = moved, there
            settled = corner_step_px(result.place.warp, self.size) < SETTLED_PX
            if (settled or not better) and whole == self.final:
                break
        solved = _solved(both, result, settings, self.level) if whole else ()
        return _LevelRest(warp, result, solved)

    def _compared(self, warp: Matrix) -> Compared:
        return compared(self.source, self.target, self.level, warp, exact=self.final)

    def _settings(self, model: MotionModel, *, whole: bool) -> LevelSettings:
        tolerance = self.options.tolerance_px * 0.5**self.level
        return LevelSettings(
            model,
            self.loss,
            NO_LIGHT,
            self.options.max_iterations if whole else MOST_ON_THE_WAY,
            tolerance if whole else max(tolerance, ON_THE_WAY_PX),
            below_noise=whole and self.options.tolerance is None,
        )


def _solved(
    both: Compared, result: LevelResult, settings: LevelSettings, level: int
) -> tuple[Solved, ...]:
    """Both planes at rest: the source has been warped all the way."""
    at_rest = replace(result, place=STILL)
    return tuple(
        Solved(_seen(rows, both.inside), Level(source.image, None), settings, at_rest, level)
        for rows, source in zip(both.target.rows, both.source, strict=True)
    )


def _solve(
    both: Compared, settings: LevelSettings, threads: Threads, *, whole: bool
) -> LevelResult:
    """What is left between the planes: at their points, or with all rows."""
    if both.share < SMALLEST_OVERLAP or len(both.target.points) < len(both.source):
        return LevelResult(STILL, Status.TOO_LITTLE_OVERLAP, 1, np.inf, np.nan, 0.0, 0.0, 1.0)
    equations = _row_equations(both, settings, threads) if whole else _at_points(both, settings)
    return solve_level(equations, STILL, settings)


def _at_points(both: Compared, settings: LevelSettings) -> PlaneEquations:
    return PlaneEquations(
        [
            PointEquations(points, PointSource(source), settings.model, settings.loss, NO_LIGHT)
            for points, source in zip(both.target.points, both.source, strict=True)
        ]
    )


def _row_equations(both: Compared, settings: LevelSettings, threads: Threads) -> PlaneEquations:
    scratch = Scratch()
    rows = [_seen(each, both.inside) for each in both.target.rows]
    residuals = [_still_residuals(*each) for each in zip(rows, both.source, strict=True)]
    # What is left between the planes is known, so they need not say at every step where.
    scale = max(scale_of(np.concatenate(residuals)), least_scale(max(r.spread for r in rows)))
    return PlaneEquations(
        [
            RowEquations(
                plane,
                Level(source.image, None),
                settings.model,
                settings.loss,
                threads=threads,
                scratch=scratch,
            )
            for plane, source in zip(rows, both.source, strict=True)
        ],
        scale,
    )


def _seen(rows: TargetPlanes, inside: Mask) -> TargetPlanes:
    """The rows of a plane, of which only those pixels take part that the source reaches too."""
    if inside.all():
        return rows
    (x, y), (height, width) = rows.origin, rows.shape
    known = np.ascontiguousarray(inside[y : y + height, x : x + width])
    return replace(rows, valid=known if rows.valid is None else known & rows.valid)


def _still_residuals(rows: TargetPlanes, source: Level) -> NDArray[np.float32]:
    """Residuals of some of a plane's pixels with texture, the source as it lies."""
    (x, y), (height, width) = rows.origin, rows.shape
    picked = np.s_[::SCALE_STEP, ::SCALE_STEP]
    known = textured(rows, picked)
    if rows.valid is not None:
        known &= rows.valid[picked]
    here = source.image[y : y + height, x : x + width][picked]
    difference = here - rows.image[picked] - np.float32(rows.mean)
    return np.asarray(difference[known], np.float32)


def judged(
    source: View,
    target: View,
    start: Matrix,
    rest: Rest,
    back: Callable[[], Rest],
    *,
    model: MotionModel,
    start_given: bool,
    repeat: Repeat | None,
) -> tuple[Quality, Uncertainty | None, Outcome]:
    """Quality, uncertainty and outcome of a descent, the evidence taken from orientations.

    ``zncc`` is that of the orientation planes, before and after; the differences and the overlap
    are those of the images.

    Args:
        source: the image that moves.
        target: the image that stays.
        start: where the descent began.
        rest: where it ended.
        back: aligns the target to the source; asked in doubt.
        model: the motion model.
        start_given: whether somebody gave the start.
        repeat: the shortest shift under which the target looks like itself.
    """
    size, last = target.luma.size, rest.records[-1]
    count = min(len(source.levels), len(target.levels))
    level = min(EVIDENCE_LEVEL, count - 1)
    before, after = (
        compared(source, target, level, warp, exact=False) for warp in (start, rest.warp)
    )
    texture = after.shared_texture(model)
    if level + 1 < count and not texture >= verdict.CLEAR_TEXTURE:
        coarser = compared(source, target, level + 1, rest.warp, exact=False)
        texture = float(np.fmax(texture, coarser.shared_texture(model)))
    measured = agreement.measure(
        source.luma,
        target.luma,
        start,
        rest.warp,
        detail=after.agreement,
        texture=texture,
        unexplained=math.nan,
    )
    quality = replace(
        measured,
        before=replace(measured.before, zncc=before.agreement),
        after=replace(measured.after, zncc=after.agreement),
    )
    uncertain = rest.uncertainty(size, source.luma.size)
    evidence = verdict.Evidence(
        status=last.status,
        uncertainty_px=None if uncertain is None else uncertain.mean_px,
        moved_px=corner_step_px(inverse(start) @ rest.warp, size),
        start_given=start_given,
        repeat=repeat,
        folded=not plausible(inverse(rest.warp), source.luma.size),
        tiles=after.tile_votes,
        unlike=True,
    )
    if verdict.asks_way_back(evidence, quality):
        returned = back()
        closed = returned.records[-1].status is Status.CONVERGED
        loop_px = corner_step_px(returned.warp @ rest.warp, size) if closed else math.inf
        evidence = replace(evidence, loop_px=loop_px)
    return quality, uncertain, verdict.outcome(evidence, quality, last, model=model.name)
