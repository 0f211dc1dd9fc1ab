"""The image pair: quantities that depend on both images, but not on an estimate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import Illumination, illumination_from_quantiles
from align_cli.engine.equations.sparse import PointSource
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import at_level, matching_level
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.noise import noise_level
from align_cli.engine.images.pyramid import Level, level_count, pyramid, stored_levels
from align_cli.engine.target.pixel_selection import TargetPoints
from align_cli.engine.target.target import Target

LEAST_GAIN: Final = 1e-30
"""Least ratio of the contrasts, and inverse of the largest, that single precision can represent."""


class Pair:
    """A source and the target that it is aligned to.

    Args:
        source: luma of the source.
        target: the target.
        levels: the source's pyramid; None to compute it.

    Attributes:
        source: luma of the source.
        target: the target.
        levels: the source's pyramid, 0 = full size; never more levels than the target's.
    """

    def __init__(self, source: Luma, target: Target, levels: Sequence[Level] | None = None) -> None:
        self.source = source
        self.target = target
        count = min(level_count(source.size), len(target.levels))
        self.levels = pyramid(source, count) if levels is None else levels[:count]

    @cached_property
    def noise(self) -> tuple[float, float]:
        """Standard deviations of the noise of source and target, in the units of their planes."""
        return noise_level(self.source), self.target.noise

    def matching_level(self, warp: Matrix, level: int) -> tuple[int, Matrix]:
        """The source's level of the same resolution as a target's level, and the warp to it."""
        return matching_level(warp, level, self.target.size, stored_levels(self.levels))

    def unchanged_illumination(self) -> Illumination:
        """No change of illumination, in the units of both planes."""
        # Floating-point images are normalised by their own mean and standard deviation.
        source, target = self.source, self.target.image
        gain = target.scale / source.scale
        if not LEAST_GAIN < gain < 1.0 / LEAST_GAIN:
            raise ImageError(
                f"the contrasts of source and target differ by a factor of {gain:.0e}; scale both "
                "images to similar units",
                role="source",
            )
        return Illumination.uniform(gain, (target.offset - source.offset) / source.scale)

    def initial_illumination(self, warp: Matrix, levels: int) -> Illumination:
        """The initial illumination, from the coarsest level with points; unchanged without any.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            levels: number of the finest levels to choose from.
        """
        return self._from_first_level(reversed(range(levels)), warp)

    def illumination_under(self, warp: Matrix) -> Illumination:
        """The illumination under an estimate, from the finest level with points.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
        """
        return self._from_first_level(range(len(self.levels)), warp)

    def _from_first_level(self, levels: Iterable[int], warp: Matrix) -> Illumination:
        for level in levels:
            points = self.target.points(level)
            if points is not None:
                source = PointSource(self.levels[level])
                return self.illumination_at(points, source, at_level(warp, level))
        return self.unchanged_illumination()

    def illumination_at(
        self, points: TargetPoints, source: PointSource, warp: Matrix
    ) -> Illumination:
        """The initial illumination from points of a level; unchanged without overlap.

        Args:
            points: of a level of the target.
            source: the same level of the source.
            warp: (3, 3), target pixel -> source pixel, of this level.
        """
        values = source.common_samples(points, warp, textured=False)
        return (
            illumination_from_quantiles(*values)
            if values[0].size
            else self.unchanged_illumination()
        )

    def full_scale_illumination(self, illumination: Illumination) -> tuple[float, float]:
        """Gain and bias at the centre of the target, for grey values in units of full scale."""
        source, target = self.source, self.target.image
        gain = illumination.gain * source.scale / target.scale
        return gain, source.offset + source.scale * illumination.bias - gain * target.offset
