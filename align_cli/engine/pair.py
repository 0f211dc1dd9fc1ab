"""A source beside a target: what depends on both, and on nobody's answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import at_level, like_level
from align_cli.engine.luma import Luma
from align_cli.engine.noise import noise_level
from align_cli.engine.options import Options
from align_cli.engine.photometry import Light, first_guess
from align_cli.engine.points import PointSource
from align_cli.engine.pyramid import Level, held, level_count, pyramid
from align_cli.engine.target import Target
from align_cli.engine.trust import TileZncc, tile_zncc


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
        self._tiles: dict[tuple[int, bytes], TileZncc] = {}

    def turned(self, options: Options) -> Pair:
        """The target laid over the source.

        Raises:
            ImageError: if so much of the source is masked that no level has an interior.
        """
        return Pair(self.target.image, Target(self.source, options), self.target.levels)

    @cached_property
    def noise(self) -> tuple[float, float]:
        """Standard deviations of the noise of source and target, in the units of their planes."""
        return noise_level(self.source), self.target.noise

    def like_level(self, warp: Matrix, level: int) -> tuple[int, Matrix]:
        """The source's level that shows as much as a level of the target, and the warp to it."""
        return like_level(warp, level, self.target.size, held(self.levels))

    def tile_zncc(self, warp: Matrix, level: int) -> TileZncc:
        """How well the details agree, tile by tile, on a level of the target.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            level: of the target.
        """
        key = level, warp.tobytes()
        if key not in self._tiles:
            of_source, there = self.like_level(warp, level)
            self._tiles[key] = tile_zncc(self.levels[of_source], self.target.levels[level], there)
        return self._tiles[key]

    def light_as_it_is(self) -> Light:
        """No change of light, in the units of both planes."""
        # Images of floating point had their mean and spread taken out, each its own.
        source, target = self.source, self.target.image
        return Light.uniform(
            target.scale / source.scale, (target.offset - source.offset) / source.scale
        )

    def first_light(self, warp: Matrix, levels: int) -> Light:
        """The light to begin with: on the coarsest level that has an interior, or as it is.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            levels: how many, of the finest, there are to choose from.
        """
        for level in reversed(range(levels)):
            points = self.target.points(level)
            if points is not None:
                there = at_level(warp, level)
                values = PointSource(self.levels[level]).beside(points, there, ranked=False)
                return first_guess(*values) if values[0].size else self.light_as_it_is()
        return self.light_as_it_is()

    def full_scale_light(self, light: Light) -> tuple[float, float]:
        """Gain and bias at the centre of the target, from the units of the planes."""
        source, target = self.source, self.target.image
        gain = light.gain * source.scale / target.scale
        return gain, source.offset + source.scale * light.bias - gain * target.offset
