"""A source beside a target: what depends on both, and on nobody's answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import (
    Size,
    at_level,
    corners,
    inverse,
    like_level,
    map_points,
    plausible,
)
from align_cli.engine.details import DETAIL_TILE, Details, TileZncc, details, tile_zncc
from align_cli.engine.errors import ImageError
from align_cli.engine.luma import Luma
from align_cli.engine.noise import noise_level
from align_cli.engine.options import Options
from align_cli.engine.photometry import Light, first_guess
from align_cli.engine.points import PointSource, TargetPoints
from align_cli.engine.pyramid import Level, held, level_count, pyramid
from align_cli.engine.sampling import offset_origin
from align_cli.engine.target import Target

SMALL_PART: Final = 0.25
"""Where a source reaches less of a target, no more is looked at."""


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
        self._details: tuple[tuple[int, bytes], Details] | None = None
        self._tiles: dict[tuple[int, bytes], TileZncc] = {}
        self._turned: dict[Options, Pair] = {}

    def turned(self, options: Options) -> Pair:
        """The target laid over the source; made once for equal options.

        Raises:
            ImageError: if so much of the source is masked that no level has an interior.
        """
        if options not in self._turned:
            of_source = Target(self.source, options)
            self._turned[options] = Pair(self.target.image, of_source, self.target.levels)
        return self._turned[options]

    @cached_property
    def noise(self) -> tuple[float, float]:
        """Standard deviations of the noise of source and target, in the units of their planes."""
        return noise_level(self.source), self.target.noise

    def like_level(self, warp: Matrix, level: int) -> tuple[int, Matrix]:
        """The source's level that shows as much as a level of the target, and the warp to it."""
        return like_level(warp, level, self.target.size, held(self.levels))

    def details(self, warp: Matrix, level: int) -> Details:
        """The details of both images on a level of the target; the last ones are kept.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            level: of the target.
        """
        key = level, warp.tobytes()
        if self._details is None or self._details[0] != key:
            of_source, there = self.like_level(warp, level)
            found = details(self.levels[of_source], self.target.levels[level], there)
            self._details = key, found
        return self._details[1]

    def tile_zncc(self, warp: Matrix, level: int) -> TileZncc:
        """How well the details agree, tile by tile, on a level of the target.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            level: of the target.
        """
        key = level, warp.tobytes()
        if key not in self._tiles:
            of_source, there = self.like_level(warp, level)
            source, target = self.levels[of_source], self.target.levels[level]
            part = _reached(there, source.size, target.size)
            self._tiles[key] = tile_zncc(
                self.details(warp, level)
                if part is None
                else _details_of(source, target, there, part)
            )
        return self._tiles[key]

    def light_as_it_is(self) -> Light:
        """No change of light, in the units of both planes."""
        # Images of floating point had their mean and spread taken out, each its own.
        source, target = self.source, self.target.image
        gain = target.scale / source.scale
        if not LEAST_GAIN < gain < 1.0 / LEAST_GAIN:
            raise ImageError(
                f"its grey values vary {gain:.0e} times as little as the target's; bring both to "
                "about the same units",
                role="source",
            )
        return Light.uniform(gain, (target.offset - source.offset) / source.scale)

    def first_light(self, warp: Matrix, levels: int) -> Light:
        """The light to begin with: on the coarsest level that has an interior, or as it is.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
            levels: how many, of the finest, there are to choose from.
        """
        return self._first_of(reversed(range(levels)), warp)

    def light_under(self, warp: Matrix) -> Light:
        """The light under an answer: on the finest level that is seen at points.

        Args:
            warp: (3, 3), target pixel -> source pixel, at full size.
        """
        return self._first_of(range(len(self.levels)), warp)

    def _first_of(self, levels: Iterable[int], warp: Matrix) -> Light:
        for level in levels:
            points = self.target.points(level)
            if points is not None:
                source = PointSource(self.levels[level])
                return self.light_at(points, source, at_level(warp, level))
        return self.light_as_it_is()

    def light_at(self, points: TargetPoints, source: PointSource, warp: Matrix) -> Light:
        """The light to begin with, as points of a level have it; as it is where none is in both.

        Args:
            points: of a level of the target.
            source: that level of the source.
            warp: (3, 3), target pixel -> source pixel, of this level.
        """
        values = source.beside(points, warp, ranked=False)
        return first_guess(*values) if values[0].size else self.light_as_it_is()

    def full_scale_light(self, light: Light) -> tuple[float, float]:
        """Gain and bias at the centre of the target, from the units of the planes."""
        source, target = self.source, self.target.image
        gain = light.gain * source.scale / target.scale
        return gain, source.offset + source.scale * light.bias - gain * target.offset


def _reached(warp: Matrix, source: Size, target: Size) -> tuple[slice, slice] | None:
    """Rows and columns of whole tiles of a target, and one more, that a source reaches.

    None where they are more than ``SMALL_PART`` of it.
    """
    if not plausible(warp, target):
        return None
    seen = map_points(inverse(warp), corners(source))
    if not (plausible(inverse(warp), source) and np.isfinite(seen).all()):
        return None
    tiles = seen / DETAIL_TILE
    low = np.clip(np.floor(tiles.min(axis=0)) - 1, 0, None) * DETAIL_TILE
    high = np.clip((np.ceil(tiles.max(axis=0)) + 1) * DETAIL_TILE, 0, target)
    if not (high > low).all() or np.prod(high - low) > SMALL_PART * math.prod(target):
        return None
    (left, top), (right, bottom) = low.astype(int).tolist(), high.astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _details_of(source: Level, target: Level, warp: Matrix, part: tuple[slice, slice]) -> Details:
    """``details`` of a part of the target."""
    rows, columns = part
    valid = None if target.valid is None else target.valid[part]
    seen = Level(target.part(part), valid)
    return details(source, seen, offset_origin(warp, columns.start, rows.start))
