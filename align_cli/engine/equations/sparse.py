"""Residuals and normal equations of the selected points of a level.

The selection is that of ``align_cli.engine.target.pixel_selection``. So few rows of the Jacobian
are stored explicitly, and a step is two small matrix products.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.normal_equations import (
    LEAST_NOISE_SHARE,
    MOST_NOISE_SHARE,
    NormalEquations,
    least_scale,
)
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.target.pixel_selection import (
    Samples,
    TargetPoints,
)
from align_cli.native.points import (
    Inner,
    Noise,
    PointSweep,
    Weighting,
    sample_points,
)

OUTSIDE_VALUE: Final = 1e20
LARGEST_VALID: Final = 1e9
"""Value of invalid pixels of the source, and limit below which a sample does not depend on any: the
weight of an invalid pixel in linear interpolation is 0 or at least 1e-7, the last digit of a
coordinate."""


class PointSource:
    """A level of the source, prepared to be sampled at points.

    Args:
        level: the level.
    """

    def __init__(self, level: Level) -> None:
        width, height = level.size
        inner = np.s_[REACH : height - REACH, REACH : width - REACH]
        self.pixels = width * height
        image = level.part(inner)
        if level.valid is not None:
            image = np.where(level.valid[inner], image, np.float32(OUTSIDE_VALUE))
        self.inner = Inner(image, REACH, LARGEST_VALID)

    def sample(self, warp: Matrix, points: TargetPoints) -> Samples:
        """Values at the warped points, (n,) float32; ``LARGEST_VALID`` if invalid."""
        return sample_points(self.inner, points.chosen, warp)

    def common_samples(
        self, points: TargetPoints, warp: Matrix, *, textured: bool
    ) -> tuple[Samples, Samples]:
        """Grey values of source and target, (n,) float32, at points, or textured ones, in both."""
        values, image = self.sample(warp, points), points.image
        if textured:
            values, image = values[points.textured], image[points.textured]
        known = values < LARGEST_VALID
        return values[known], image[known] + np.float32(points.mean)


class PointEquations:
    """The normal equations of the selected points of a level.

    Args:
        target: the target's points.
        source: the same level of the source.
        model: the motion model.
        loss: the robust loss.
        illumination_terms: number of terms of factor and offset.
    """

    def __init__(
        self,
        target: TargetPoints,
        source: PointSource,
        model: MotionModel,
        loss: Loss,
        illumination_terms: int,
    ) -> None:
        self.size = target.size
        self.mean = target.mean
        self.spread = target.spread
        self.motion_size = model.size
        self.illumination_terms = illumination_terms
        width, height = target.size
        chosen = target.chosen
        self._most = chosen.number * min(1.0, source.pixels / (width * height))
        self._sweep = PointSweep(
            source.inner,
            chosen,
            target.textured,
            basis=model.of_homography,
            correct_curvature=target.correct_curvature,
            terms=illumination_terms,
            weighting=Weighting(
                loss.name,
                loss.constant if loss.robust else 1.0,
                least_scale(target.spread),
            ),
            noise=Noise(target.noise, target.spread, LEAST_NOISE_SHARE, MOST_NOISE_SHARE),
        )

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at a state."""
        illumination = state.illumination
        offset = illumination.offset.copy()
        offset[0] -= self.mean
        sums = self._sweep.at(
            state.warp,
            illumination.factor,
            offset,
            varies=illumination.varies,
            scale=scale,
            at_least=at_least,
            with_matrix=with_matrix,
        )
        return NormalEquations(
            vector=sums.vector,
            matrix=sums.matrix,
            weight=sums.weight,
            squares=sums.squares,
            share=sums.known / self._most,
            scale=sums.scale,
            estimate=sums.estimate,
            slope=sums.slope / max(sums.weight, 1.0),
        )
