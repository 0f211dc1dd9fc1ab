"""Down the pyramid: each level starts from where the one above it ended.

What is solved for grows on the way down. The coarsest level climbs from a shift to the model
that was asked for; the first level that is large enough tries whether the light varies over the
image; the last level alone is held to the tolerance, and is sampled on a finer grid. A coarse
level may be led astray (lines of text look alike), so each level begins again at the start where
the images agree better there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.alignment import LevelRecord
from align_cli.engine.coordinates import Size, at_level
from align_cli.engine.lucas_kanade import LevelResult, LevelSettings, Solved, solve_level
from align_cli.engine.moments import Scratch, sample_pairs
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import Options
from align_cli.engine.photometry import FIELD, NO_LIGHT, UNIFORM
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level, finely_sampled
from align_cli.engine.robust import Loss
from align_cli.engine.starts import ladder
from align_cli.engine.targets import TargetPlanes
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

DOUBTFUL: Final = 0.8
"""A level that begins with a correlation above this has not been led astray."""

FEWEST_PIXELS: Final = 32
"""A correlation of fewer pixels says nothing."""

Progress = Callable[[LevelRecord], None]


@dataclass(frozen=True)
class Descent:
    """Where a descent ended.

    Attributes:
        place: the warp at full size, and the light.
        records: one for each solve, in their order.
        solved: the last of them.
    """

    place: Place
    records: tuple[LevelRecord, ...]
    solved: Solved


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
) -> Descent:
    """Solve every level, coarsest first.

    Args:
        targets: the target's levels, 0 = full size; None where a level has no interior.
        sources: the source's levels, as many.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits, the preset, and whether light is solved for.
        unit: what a grey value of 1 in the target's planes is in units of full scale.
        threads: where to work.
        progress: called with each level's record.
    """
    scratch = Scratch()
    light_terms = UNIFORM if options.photometric else NO_LIGHT
    field_to_try = options.photometric
    place = start
    records: list[LevelRecord] = []
    interior = {level: target for level, target in enumerate(targets) if target is not None}
    finest = options.finest_level(_smaller(targets, sources), list(interior))
    for level, target in reversed(interior.items()):
        if level < finest:
            break
        last = level == finest
        source = finely_sampled(sources[level]) if last else sources[level]
        solver = _LevelSolver(target, source, level, threads, scratch)
        tolerance = options.level_tolerance_px / 2**level
        if not last:
            tolerance = max(tolerance, COARSE_TOLERANCE_PX)
        if records:
            place = solver.better(place, start)
        ask_field = field_to_try and min(target.size) >= FIELD_SIDE
        iterations = 0
        for rung in ladder(model, target.size, coarsest=not records):
            settings = LevelSettings(
                rung, loss, light_terms, options.max_iterations, tolerance, ask_field=ask_field
            )
            place, result = solver.solve(place, settings)
            iterations += result.iterations
        if ask_field:
            field_to_try = False
            varied, field = place, result
            if result.field_share > FIELD_SHARE:
                varied, field = solver.solve(place, replace(settings, light_terms=FIELD))
                iterations += field.iterations
            if field.usable and field.rmse < FIELD_GAIN * result.rmse:
                place, result, light_terms = varied, field, FIELD
        final = replace(settings, light_terms=light_terms)
        solved = Solved(target, source, final, result, level)
        records.append(level_record(solved, iterations, unit))
        if progress is not None:
            progress(records[-1])
    return Descent(place, tuple(records), solved)


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
            place.at_level(self.level),
            settings,
            threads=self.threads,
            scratch=self.scratch,
        )
        if result.usable:
            place = result.place.at_level(-self.level)
        return place, result


def _smaller(targets: Sequence[TargetPlanes | None], sources: Sequence[Level]) -> Size:
    """(width, height), the smaller of both images' at full size."""
    sizes = [sources[0].size]
    for level, target in enumerate(targets):
        if target is not None:
            sizes.append((target.size[0] << level, target.size[1] << level))
            break
    return min(width for width, _ in sizes), min(height for _, height in sizes)


def level_record(solved: Solved, iterations: int, unit: float) -> LevelRecord:
    """What people are told of a solve.

    Args:
        solved: the solve.
        iterations: of all models that were solved for on the level.
        unit: what a grey value of 1 is in units of full scale.
    """
    width, height = solved.target.size
    return LevelRecord(
        level=solved.level,
        width=width,
        height=height,
        iterations=iterations,
        last_step_px=solved.result.last_step_px,
        rmse=solved.result.rmse * unit,
        status=solved.result.status,
    )
