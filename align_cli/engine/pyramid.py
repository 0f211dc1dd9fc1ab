"""Gaussian pyramids: each level half the size of the one below, level 0 full size.

Level 0 is the image smoothed a little: linear sampling and central differences are then
accurate, because what they get wrong are the highest frequencies. Each further level is
smoothed by the binomial kernel 1-4-6-4-1 and keeps every second sample, the first included: a
pixel x of level l lies at 2**l * x of level 0, with no half-pixel term, for odd sizes too (Burt
and Adelson 1983; ``align_cli.engine.coordinates.at_level`` carries transforms between levels).

The source of the last level may be sampled on a grid twice as fine, and that of the last polish by
splines on such a grid; only ``Level.sample`` knows.

A filter near a border sees pixels that it has to invent. Those within its reach take no part:
``REACH`` is the same on every level, because (REACH + 2) / 2 <= REACH.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from align_cli.engine import sampling, spline
from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import Size
from align_cli.engine.enlarge import (
    MOST_ENLARGED,
    SMOOTHED,
    enlarged,
    on_finer_grid,
    sample_enlarged,
)
from align_cli.engine.luma import LARGEST_SIDE, Luma

PRESMOOTHING: Final = 0.8
"""Standard deviation in pixels of the Gaussian of level 0."""

REACH: Final = 2
"""Pixels next to a border, on any level, into which a filter has carried invented values."""

COARSEST_SIDE: Final = 12
"""A level is added while the shorter side of both images stays at least this long. Measured: with
12 instead of 24, displacements of 60 px on 400x300 are found in 90 instead of 75 %."""

_STRIP_PIXELS: Final = 1 << 22

_REACH_KERNEL: Final = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)


@dataclass(frozen=True)
class Level:
    """One image at one level.

    ``image`` is (height, width) float32; ``valid`` is (height, width) bool or None where only the
    ``REACH`` pixels next to each border are invalid.
    """

    image: Plane
    valid: Mask | None

    @property
    def size(self) -> Size:
        """(width, height) in pixels of this level."""
        height, width = self.image.shape
        return width, height

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32.

        Args:
            warp: (3, 3), window pixel -> pixel of this level.
            size: (width, height) of the window.
            out: where to write, (height, width) float32 and contiguous.
        """
        return sampling.sample(self.image, warp, size, out=out)

    def sample_roughly(self, warp: Matrix, size: Size) -> Plane:
        """The same, by linear interpolation: for scales and first guesses."""
        return sampling.sample(self.image, warp, size)


@dataclass(frozen=True)
class EnlargedLevel(Level):
    """A level sampled as if it had been enlarged; ``fine`` holds it so, where it is small."""

    fine: Plane | None

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32."""
        if self.fine is not None:
            return sampling.sample(self.fine, on_finer_grid(warp), size, out=out)
        values = np.empty(size[::-1], np.float32) if out is None else out
        sample_enlarged(self.image, warp, size, out=values)
        return values


def finely_sampled(level: Level) -> EnlargedLevel:
    """The same level, sampled more exactly than linearly."""
    small = level.image.size <= MOST_ENLARGED and 2 * max(level.size) <= LARGEST_SIDE
    return EnlargedLevel(
        level.image, level.valid, enlarged(level.image, SMOOTHED) if small else None
    )


class FineLevel(Level):
    """A level whose ``image`` holds the coefficients of a spline on a grid twice as fine."""

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level, not of the finer grid."""
        height, width = self.image.shape
        return width // 2, height // 2

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values of the spline at the warped pixels of a window, (height, width) float32."""
        return spline.sample(self.image, on_finer_grid(warp), size, out=out)

    def sample_roughly(self, warp: Matrix, size: Size) -> Plane:
        """The same: coefficients are no grey values."""
        return self.sample(warp, size)


def level_count(size: Size) -> int:
    """How many levels an image of (width, height) carries, at least 1."""
    side, count = min(size), 1
    while (side := (side + 1) // 2) >= COARSEST_SIDE:
        count += 1
    return count


def pyramid(luma: Luma, count: int) -> list[Level]:
    """Levels 0 to ``count - 1`` of an image."""
    levels = [Level(_smooth(luma), within_reach(luma.valid))]
    for _ in range(1, count):
        below = levels[-1]
        half = cv2.pyrDown(below.image, borderType=cv2.BORDER_REFLECT_101)
        eroded = within_reach(below.valid)
        valid = None if eroded is None else np.ascontiguousarray(eroded[::2, ::2])
        levels.append(Level(np.asarray(half, np.float32), valid))
    return levels


def _smooth(luma: Luma) -> Plane:
    """Level 0, in strips: a large image is not held converted."""
    width, height = luma.size
    ksize = (2 * REACH + 1, 2 * REACH + 1)
    smooth = np.empty((height, width), np.float32)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        first, end = max(top - REACH, 0), min(top + rows + REACH, height)
        part = cv2.GaussianBlur(
            luma.part(np.s_[first:end, :]), ksize, PRESMOOTHING, borderType=cv2.BORDER_REFLECT_101
        )
        smooth[top : top + rows] = part[top - first : top - first + rows]
    return smooth


def within_reach(valid: Mask | None) -> Mask | None:
    """Pixels whose whole neighbourhood of ``REACH`` is valid (beyond the border counts as valid).

    The border itself is the business of whoever crops ``REACH`` pixels off.
    """
    if valid is None:
        return None
    return cv2.erode(valid.view(np.uint8), _REACH_KERNEL).astype(np.bool_)
