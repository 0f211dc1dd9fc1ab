"""A target: all that depends on it alone, each part made when it is first asked for."""

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
"""Pixels of an image that is copied, so that its owner may change it."""


FINEST_POINTS: Final = 1 << 12
"""Of the level above a full size that has no points: what they leave to do costs a pass over it."""


class Target:
    """An image that others are laid over.

    Args:
        image: what is seen of it.
        options: of them the preset counts here.

    Attributes:
        image: what is seen of it.
        size: (width, height) in pixels.
        levels: its pyramid, 0 = full size.
        noise: standard deviation of its noise, in the units of its plane.

    Raises:
        ImageError: if so much is masked that no level has an interior.
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
    def kept(cls, image: Luma, options: Options) -> Target:
        """The same, but of an image that its owner may change meanwhile."""
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
        """Pixels of a level."""
        return math.prod(self.levels[level].size)

    def points(self, level: int) -> TargetPoints | None:
        """The points of a level; None of a large image's full size, or where there are none."""
        if isinstance(self.levels[level], LazyFullSize):
            return None
        if level not in self._points:
            rows = self.rows(level) if level == self._last else None
            # Above a full size that has no points, none may be left to do.
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
        """The rows of a level that may be the last: as many as the noise asks for."""
        if level not in self._rows:
            self._rows[level] = enough_rows(self.levels, level, self.noise, self._noise_sigma_px)
        return self._rows[level]

    def all_rows(self, level: int) -> TargetPlanes | None:
        """The planes of a level, none of its rows left out."""
        planes = self._rows.get(level)
        if planes is not None and planes.bands.all_rows:
            return planes
        if level not in self._all_rows:
            self._all_rows[level] = all_rows(self.levels, level, self.noise)
        return self._all_rows[level]

    @cached_property
    def period(self) -> Period | None:
        """How it repeats itself, None where it does not."""
        return find_period(self.levels, self.noise)
