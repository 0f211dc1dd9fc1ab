"""The target of alignments: everything that depends on it alone, computed when first needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.luma import LargeLuma, Luma
from align_cli.engine.images.noise import noise_gain, noise_level
from align_cli.engine.images.periodicity import Period, find_period
from align_cli.engine.images.pyramid import LazyFullSize, Level, level_count, pyramid
from align_cli.engine.options import PRESETS, Options
from align_cli.engine.target.pixel_selection import (
    MOST_POINTS,
    TargetPoints,
    points_of,
    target_points,
)
from align_cli.engine.target.planes import TargetPlanes, has_interior
from align_cli.engine.target.row_budget import all_rows, enough_rows

MOST_COPIED: Final = 1 << 23
"""Largest number of pixels of an image that is copied, so that the caller may change it."""


FINEST_POINTS: Final = 1 << 12
"""Number of points of level 1 if level 0 has none: another pass over level 0 costs more."""


class Target:
    """An image that sources are aligned to.

    Args:
        image: its luma.
        options: only the preset has an effect here.

    Attributes:
        image: its luma.
        size: (width, height) in pixels.
        levels: its pyramid, 0 = full size.
        noise: standard deviation of its noise, in the units of its plane.

    Raises:
        ImageError: if no level has an interior, because too much is masked.
    """

    def __init__(self, image: Luma, options: Options) -> None:
        self.image = image
        self.size: Size = image.size
        count = level_count(image.size)
        self.levels: Sequence[Level] = pyramid(image, count)
        self.noise = noise_level(image)
        self._noise_sigma_px = PRESETS[options.preset].noise_sigma_px
        self._last = options.finest_level(image.size, range(count))
        self._rows: dict[int, TargetPlanes | None] = {}
        self._all_rows: dict[int, TargetPlanes | None] = {}
        self._points: dict[int, TargetPoints | None] = {}
        likely = (*range(self._last, count), *range(self._last))
        if not any(self.usable(level) for level in likely):
            raise ImageError(
                "no pixel is far enough from excluded pixels (masked, transparent, not finite) to "
                "be used; exclude fewer",
                role="target",
            )

    @classmethod
    def copied(cls, image: Luma, options: Options) -> Target:
        """The same for an image that the caller may change meanwhile."""
        if isinstance(image, LargeLuma) and math.prod(image.size) <= MOST_COPIED:
            image = image.copied()
        return cls(image, options)

    def usable(self, level: int) -> bool:
        """Whether a level has an interior."""
        image = self.levels[level]
        if image.valid is None:
            return has_interior(image.size)
        return self.points(level) is not None

    def pixels(self, level: int) -> int:
        """Number of pixels of a level."""
        return math.prod(self.levels[level].size)

    def points(self, level: int) -> TargetPoints | None:
        """The points of a level; None for level 0 of a large image, or if there are none."""
        if isinstance(self.levels[level], LazyFullSize):
            return None
        if level not in self._points:
            rows = self.rows(level) if level == self._last else None
            # No points of a finer level follow these.
            finest = level == 1 and isinstance(self.levels[0], LazyFullSize)
            most = FINEST_POINTS if finest else MOST_POINTS
            self._points[level] = (
                target_points(
                    self.levels[level],
                    most,
                    correct_curvature=finest,
                    noise=self.noise * noise_gain(level),
                )
                if rows is None
                else points_of(rows, self.levels[level])
            )
        return self._points[level]

    def rows(self, level: int) -> TargetPlanes | None:
        """The planes of a level that may be the finest, with as many rows as its noise requires."""
        if level not in self._rows:
            self._rows[level] = enough_rows(self.levels, level, self.noise, self._noise_sigma_px)
        return self._rows[level]

    def all_rows(self, level: int) -> TargetPlanes | None:
        """The planes of all rows of a level."""
        planes = self._rows.get(level)
        if planes is not None and planes.bands.all_rows:
            return planes
        if level not in self._all_rows:
            self._all_rows[level] = all_rows(self.levels, level, self.noise)
        return self._all_rows[level]

    @cached_property
    def period(self) -> Period | None:
        """The period of its texture; None if it is not periodic."""
        return find_period(self.levels, self.noise)
