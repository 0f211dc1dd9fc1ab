"""Down the pyramid: each level starts from where the one above it ended.

What is solved for grows on the way down. The coarsest level climbs from a shift to the model
that was asked for; the first level that is large enough tries whether the light varies over the
image; the last level alone is held to the user's tolerance. A coarse level may be led astray (lines
of text look alike), so each level begins again at the start where the images agree better there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.alignment import LevelRecord, Status
from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import at_level
from align_cli.engine.lucas_kanade import LevelResult, LevelSettings, solve_level
from align_cli.engine.moments import Scratch, TargetPlanes, sample_pairs
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import Options
from align_cli.engine.photometry import FIELD, NO_LIGHT, UNIFORM, Light
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import Loss
from align_cli.engine.starts import ladder
from align_cli.engine.threads import Threads

COARSE_TOLERANCE_PX: Final = 0.02
"""Tolerance of every level but the last, in that level's pixels: the next level does better."""

FIELD_SIDE: Final = 64
"""Shorter side of the smallest level on which a light that varies over the image is tried; on
smaller ones it would explain the motion away."""

FIELD_SHARE: Final = 0.25
"""A varying light is tried if, to first order, it takes away this share of the squared residual.
Measured: 0.30 to 0.92 where there was a vignette or another lamp, up to 0.10 where there was none;
and to know it costs next to nothing."""

FIELD_GAIN: Final = 0.8
"""A varying light is kept if it takes the residual below this share of what a uniform light
leaves. Measured: 0.26 and 0.72 where there was a vignette or another lamp, 0.97 to 1.02 where
there was none."""

USABLE: Final = (Status.CONVERGED, Status.ITERATION_LIMIT)
"""A level that ended so is a better start for the next than what it began with."""

DOUBTFUL: Final = 0.8
"""A level that begins with a correlation above this has not been led astray."""

FEWEST_PIXELS: Final = 32
"""A correlation of fewer pixels says nothing."""

Progress = Callable[[LevelRecord], None]


@dataclass(frozen=True)
class Place:
    """Where the descent stands: the warp at full size, and the light."""

    warp: Matrix
    light: Light


def coarse_to_fine(
    targets: Sequence[TargetPlanes | None],
    sources: Sequence[Level],
    start: Place,
    *,
    model: MotionModel,
    loss: Loss,
    options: Options,
    unit: float,
    threads: Threads,
    progress: Progress | None = None,
) -> tuple[Place, list[LevelRecord]]:
    """Solve every level, coarsest first.

    Args:
        targets: the target's levels, 0 = full size; None where a level has no interior.
        sources: the source's levels, as many.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits, and whether light is solved for.
        unit: what a grey value of 1 in the target's planes is in units of full scale.
        threads: where to work.
        progress: called with each level's record.

    Returns:
        Where it ended, and one record for each level in the order of solving.
    """
    scratch = Scratch()
    light_terms = UNIFORM if options.photometric else NO_LIGHT
    field_to_try = options.photometric
    place = start
    records: list[LevelRecord] = []
    for level in reversed(range(len(targets))):
        target = targets[level]
        if target is None:
            continue
        solver = _LevelSolver(target, sources[level], level, threads, scratch)
        tolerance = options.tolerance if level == 0 else max(options.tolerance, COARSE_TOLERANCE_PX)
        if records:
            place = solver.better(place, start)
        iterations = 0
        for rung in ladder(model, target.size, coarsest=not records):
            settings = LevelSettings(rung, loss, light_terms, options.max_iterations, tolerance)
            place, result = solver.solve(place, settings)
            iterations += result.iterations
        if field_to_try and min(target.size) >= FIELD_SIDE:
            field_to_try = False
            varied, field = place, result
            if result.field_share > FIELD_SHARE:
                varied, field = solver.solve(place, replace(settings, light_terms=FIELD))
                iterations += field.iterations
            if field.status in USABLE and field.rmse < FIELD_GAIN * result.rmse:
                place, result, light_terms = varied, field, FIELD
        records.append(_record(solver, result, iterations, unit))
        if progress is not None:
            progress(records[-1])
    return place, records


@dataclass(frozen=True)
class _LevelSolver:
    """One level of both images, and what its solves work with."""

    target: TargetPlanes
    source: Level
    level: int
    threads: Threads
    scratch: Scratch

    def better(self, place: Place, start: Place) -> Place:
        """The one of two places at which the images agree better on this level."""
        agreement = self.agreement(place)
        if agreement < DOUBTFUL and self.agreement(start) > agreement:
            return start
        return place

    def agreement(self, place: Place) -> float:
        """ZNCC of both levels at a place, on a grid of pixels with texture; -1 where unknown."""
        warp = at_level(place.warp, self.level)
        source, target, textured = sample_pairs(self.target, self.source, warp, REACH)
        if np.count_nonzero(textured) < FEWEST_PIXELS:
            return -1.0
        source, target = source[textured], target[textured]
        source, target = source - source.mean(), target - target.mean()
        energy = float(source @ source) * float(target @ target)
        return float(source @ target) / math.sqrt(energy) if energy > 0.0 else -1.0

    def solve(self, place: Place, settings: LevelSettings) -> tuple[Place, LevelResult]:
        """Solve from a place; where that ends nowhere, the place stays as it was."""
        result = solve_level(
            self.target,
            self.source,
            at_level(place.warp, self.level),
            place.light,
            settings,
            threads=self.threads,
            scratch=self.scratch,
        )
        if result.status in USABLE:
            place = Place(at_level(result.warp, -self.level), result.light)
        return place, result


def _record(solver: _LevelSolver, result: LevelResult, iterations: int, unit: float) -> LevelRecord:
    width, height = solver.target.size
    return LevelRecord(
        level=solver.level,
        width=width,
        height=height,
        iterations=iterations,
        last_step_px=result.last_step_px,
        rmse=result.rmse * unit,
        status=result.status,
    )
