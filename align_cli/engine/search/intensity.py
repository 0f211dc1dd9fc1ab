"""Similarity of grey values: their high-pass detail, invariant to gain and bias."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.equations.illumination import GAIN_BIAS, NO_TERMS, Illumination
from align_cli.engine.equations.pair import Pair
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import (
    Size,
    corners,
    inverse,
    level_difference,
    map_points,
    plausible,
)
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.highpass import highpass
from align_cli.engine.images.noise import noise_gain
from align_cli.engine.images.periodicity import Period
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.images.valid_overlap import valid_overlap
from align_cli.engine.options import INTENSITY
from align_cli.engine.records import IlluminationRecord, Quality, Uncertainty
from align_cli.engine.sampling.bilinear import offset_origin, sample
from align_cli.engine.search import quality
from align_cli.engine.search.full_scale import no_change, of_values
from align_cli.engine.search.scoring import TILE, OverlapPlanes, Score, score
from align_cli.engine.search.similarity import MOST_PIXELS, Levels, Task, tiles_correlate
from align_cli.engine.solver.coarse_to_fine import Descent, coarse_to_fine, levels_used
from align_cli.engine.solver.covariance import uncertainty
from align_cli.engine.solver.grey_values import GreyValues
from align_cli.engine.solver.level_solver import LevelSolver, level_record
from align_cli.engine.solver.refinement import refine
from align_cli.engine.target.row_budget import source_spans_rows

LEAST_SIDE: Final = 80
"""Shorter side of the coarsest level on which candidates are refined, in both images."""

CONTRAST_TO_NOISE: Final = 8.0
"""Least contrast of a tile that votes, relative to that of noise: below it even the right estimate
correlates only by chance."""

SMALL_PART: Final = 0.25
"""If a source covers less than this share of a target, only that part is evaluated."""

MOST_REFINED_PIXELS: Final = 1 << 20
"""Targets of no more pixels are refined with any preset if the scales differ by a factor of two or
more: what one of them blurs is an outlier to the solver, and so are most edges. Measured on
rocket.jpg, noise of 2 grey levels: 0.05 px, refined 0.02."""


class Intensity:
    """Grey values of a pair.

    Args:
        task: the pair, and how it is solved.
    """

    name = INTENSITY
    orientations = None

    def __init__(self, task: Task) -> None:
        self.task = task

    def with_model(self, model: MotionModel) -> Intensity:
        """The same for another motion model."""
        return Intensity(replace(self.task, model=model))

    def with_pair(self, pair: Pair) -> Intensity:
        """The same for another pair."""
        return Intensity(replace(self.task, pair=pair, progress=None))

    def restricted_to(self, part: Mask) -> Intensity | None:
        """The same for a part of the target, (height, width) bool; None if it is too small."""
        task = self.task.restricted_to(part)
        return None if task is None else Intensity(task)

    @cached_property
    def levels(self) -> Levels:
        """The levels on which candidates are refined and scored."""
        pair = self.task.pair
        target, source = pair.target.levels, pair.levels
        count = len(source)
        large = [n for n in range(count) if min(*target[n].size, *source[n].size) >= LEAST_SIDE]
        small_enough = [n for n in range(count) if pair.target.pixels(n) <= MOST_PIXELS]
        # A tiny source is not worth evaluating all pixels of the target.
        coarse = max(large, default=min(small_enough, default=count - 1))
        # A long strip may have no level that is both wide enough and small enough.
        small = (n for n in range(count) if math.prod(source[n].size) <= MOST_PIXELS)
        coarse = max(coarse, next(small, coarse))
        return Levels(coarse, min((n for n in small_enough if n < coarse), default=coarse))

    @property
    def period(self) -> Period | None:
        """The period of the target, if it is periodic."""
        return self.task.pair.target.period

    def score(self, warp: Matrix) -> Score:
        """The score of a warp, on the fine level."""
        pair, level = self.task.pair, self.levels.fine
        of_source, _ = pair.matching_level(warp, level)
        noise = noise_gain(of_source) * pair.noise[0] * noise_gain(level) * pair.noise[1]
        return score(self._details(warp, level), CONTRAST_TO_NOISE * noise)

    def correlates(self, warp: Matrix) -> bool:
        """Whether the tiles correlate at all under a warp, or are too few to tell."""
        return tiles_correlate(self.task.pair, lambda level: self._details(warp, level))

    def _details(self, warp: Matrix, level: int) -> OverlapPlanes:
        """The high-pass detail of both over their overlap, on a level of the target."""
        pair = self.task.pair
        target = pair.target.levels[level]
        of_source, level_warp = pair.matching_level(warp, level)
        source = pair.levels[of_source]
        part = _reached(level_warp, source.size, target.size)
        if part is not None:
            rows, columns = part
            valid = None if target.valid is None else target.valid[part]
            target = Level(target.part(part), valid)
            level_warp = offset_origin(level_warp, columns.start, rows.start)
        inside = valid_overlap(source, target, level_warp, margin=REACH)
        warped = sample(source.image, level_warp, target.size)
        of_source_and_target = highpass((warped, target.image), inside)
        return OverlapPlanes(of_source_and_target[:1], of_source_and_target[1:], inside)

    def descend(self, start: Matrix, *, used: int, finest: int | None = None) -> Descent:
        """Solve the ``used`` finest levels from a warp; with ``finest`` no finer than that.

        Raises:
            ImageError: if none of them has an interior.
        """
        task, pair, options = self.task, self.task.pair, self.task.options
        target, coarsely = pair.target, finest is not None
        numbers = levels_used(target, pair.source.size, options, used=used, finest=finest)
        rows = None
        if not coarsely:
            whole = source_spans_rows(pair.source.size, target.size, start)
            rows = (target.rows if whole else target.all_rows)(numbers[-1])
        terms = GAIN_BIAS if options.photometric else NO_TERMS
        count = max(numbers, default=-1) + 1
        descent = coarse_to_fine(
            [
                GreyValues(
                    level,
                    target.levels[level].size,
                    target.points(level),
                    rows if level == numbers[-1] else None,
                    pair.levels[level],
                    pair.levels[level - 1] if level else pair.source,
                    loss=task.loss,
                    threads=task.threads,
                )
                for level in numbers
            ],
            LevelSolver(
                task.model,
                task.loss,
                options,
                unit=target.image.scale,
                illumination_terms=terms,
                has_agreement=self.correlates,
                allow_varying=not coarsely,
            ),
            State(
                start,
                pair.initial_illumination(start, count) if terms else pair.unchanged_illumination(),
            ),
            None if coarsely else task.progress,
        )
        return (
            descent if coarsely or not self._needs_refinement(descent) else self._refined(descent)
        )

    def illumination(self, warp: Matrix) -> Illumination:
        """Gain and bias under a warp, from selected points of the finest level."""
        pair = self.task.pair
        if not self.task.options.photometric:
            return pair.unchanged_illumination()
        return pair.illumination_under(warp)

    def view(self, descent: Descent) -> IntensityView:
        """Both images as the displacement field compares them, under an estimate."""
        return IntensityView(self.task.pair, descent.state.illumination.gain)

    def uncertainty(self, descent: Descent) -> Uncertainty | None:
        """The uncertainty by noise; None if the solver did not converge."""
        if not descent.solved_planes or not descent.converged:
            return None
        pair = self.task.pair
        return uncertainty(descent.solved_planes[0], pair.target.size, pair.source.size)

    def full_scale(self, illumination: Illumination) -> IlluminationRecord:
        """The illumination of a solution, between grey values."""
        if not self.task.options.photometric:
            return no_change()
        return of_values(illumination, self.task.pair.source, self.task.pair.target.image)

    def quality(self, before: Matrix, solution: State) -> Quality:
        """ZNCC, RMSE and MAE at full size, before and after."""
        source, target = self.task.pair.source, self.task.pair.target.image
        illumination = self.full_scale(solution.illumination)
        return quality.measure(source, target, before, solution.warp, illumination)

    def _needs_refinement(self, descent: Descent) -> bool:
        warp, size = descent.state.warp, self.task.pair.target.size
        few = math.prod(size) <= MOST_REFINED_PIXELS
        rescaled = few and plausible(warp, size) and level_difference(warp, size) != 0
        return self.task.options.refine or rescaled

    def _refined(self, descent: Descent) -> Descent:
        """A solution that converged, refined at full size; any other unchanged."""
        if not descent.solved_planes or not descent.converged:
            return descent
        task, target = self.task, self.task.pair.target
        solved = refine(
            target.image,
            task.pair.source,
            descent.state,
            descent.solved_planes[0].settings,
            tolerance_px=task.options.tolerance_px,
            threads=task.threads,
        )
        if solved is None:
            return descent
        result = solved.result
        record = level_record(0, target.size, result, result.iterations, target.image.scale)
        if task.progress is not None:
            task.progress(record)
        path = (*descent.path, result.state.warp)
        return Descent(result.state, (*descent.records, record), (solved,), path)


def _reached(warp: Matrix, source: Size, target: Size) -> tuple[slice, slice] | None:
    """Rows and columns of the whole tiles of a target that a source covers, and one more each.

    None if they are more than ``SMALL_PART`` of it.
    """
    if not plausible(warp, target):
        return None
    covered = map_points(inverse(warp), corners(source))
    if not (plausible(inverse(warp), source) and np.isfinite(covered).all()):
        return None
    tiles = covered / TILE
    low = np.clip(np.floor(tiles.min(axis=0)) - 1, 0, None) * TILE
    high = np.clip((np.ceil(tiles.max(axis=0)) + 1) * TILE, 0, target)
    if not (high > low).all() or np.prod(high - low) > SMALL_PART * math.prod(target):
        return None
    (left, top), (right, bottom) = low.astype(int).tolist(), high.astype(int).tolist()
    return slice(top, bottom), slice(left, right)
