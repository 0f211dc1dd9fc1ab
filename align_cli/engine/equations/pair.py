"""A source beside a target: what depends on both, and on nobody's answer."""

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
"""What single precision holds the square root of, and both ways."""


class Pair:
    """A source and the target that it is to be laid over.

    Args:
        source: what is seen of the source.
        target: the target.
        levels: the source's pyramid, where it is at hand; None to make it.

    Attributes:
        source: what is seen of the source.
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
        """The source's level that shows as much as a level of the target, and the warp to it."""
        return matching_level(warp, level, self.target.size, stored_levels(self.levels))

    def unchanged_illumination(self) -> Illumination:
        """No change of illumination, in the units of both planes."""
        # Images of floating point had their mean and spread taken out, each its own.
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
        """The illumination to begin with: on the coarsest level that has an interior, or as it is.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            levels: how many, of the finest, there are to choose from.
        """
        return self._from_first_level(reversed(range(levels)), warp)

    def illumination_under(self, warp: Matrix) -> Illumination:
        """The illumination under an answer: on the finest level that is seen at points.

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
        """The initial illumination from points of a level; unchanged where both share none.

        Args:
            points: of a level of the target.
            source: that level of the source.
            warp: (3, 3), target pixel -> source pixel, of this level.
        """
        values = source.common_samples(points, warp, textured=False)
        return (
            illumination_from_quantiles(*values)
            if values[0].size
            else self.unchanged_illumination()
        )

    def full_scale_illumination(self, illumination: Illumination) -> tuple[float, float]:
        """Gain and bias at the centre of the target, from the units of the planes."""
        source, target = self.source, self.target.image
        gain = illumination.gain * source.scale / target.scale
        return gain, source.offset + source.scale * illumination.bias - gain * target.offset
