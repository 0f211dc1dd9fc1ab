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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from align_cli.engine import sampling, spline
from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import Size
from align_cli.engine.enlarge import SMOOTHED, enlarged, on_finer_grid
from align_cli.engine.luma import LARGE_PIXELS, LARGEST_SIDE, Luma
from align_cli.engine.parts import Part, sample_parts
from align_cli.engine.threads import Threads

PRESMOOTHING: Final = 0.8
"""Standard deviation in pixels of the Gaussian of level 0."""

REACH: Final = 2
"""Pixels next to a border, on any level, into which a filter has carried invented values."""

COARSEST_SIDE: Final = 12
"""A level is added while the shorter side of both images stays at least this long. Measured: with
12 instead of 24, displacements of 60 px on 400x300 are found in 90 instead of 75 %."""

MOST_KEPT: Final = 1 << 23
"""Level 0 of a larger image is not kept."""

MOST_ENLARGED: Final = 1 << 20
"""Levels of more pixels are enlarged where they are looked at, and not as a whole."""

_STRIP_PIXELS: Final = 1 << 17

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

    def part(self, part: Part) -> Plane:
        """Some rows and columns, both ends given, of the image."""
        return self.image[part]

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32.

        Args:
            warp: (3, 3), window pixel -> pixel of this level.
            size: (width, height) of the window.
            out: where to write, (height, width) float32 and contiguous.
        """
        return sampling.sample(self.image, warp, size, out=out)


class FullSize(Level):
    """Level 0 of a large image, smoothed where it is looked at: most of it never is.

    Args:
        luma: the image, all of whose pixels are valid.
    """

    luma: Luma

    def __init__(self, luma: Luma) -> None:
        object.__setattr__(self, "luma", luma)
        object.__setattr__(self, "valid", None)

    @property
    def size(self) -> Size:
        """(width, height) in pixels."""
        return self.luma.size

    @property
    def image(self) -> Plane:
        """All of it, made anew every time."""
        width, height = self.size
        return self.part(np.s_[0:height, 0:width])

    def part(self, part: Part) -> Plane:
        """Some rows and columns, both ends given, of the smoothed image."""
        wide, kept = [], []
        for along, side in zip(part, reversed(self.size), strict=True):
            first, end, _ = along.indices(side)
            wide.append(slice(max(first - REACH, 0), min(end + REACH, side)))
            kept.append(slice(first - wide[-1].start, end - wide[-1].start))
        return _smoothed(self.luma.part((wide[0], wide[1])))[kept[0], kept[1]]


@dataclass(frozen=True)
class EnlargedLevel(Level):
    """A level sampled as if it had been enlarged; ``image`` holds it so."""

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level, not of the finer grid."""
        height, width = self.image.shape
        return width // 2, height // 2

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32."""
        return sampling.sample(self.image, on_finer_grid(warp), size, out=out)


class EnlargedOnDemand(Level):
    """A large level, enlarged where it is looked at.

    Args:
        level: the level as it is.
    """

    level: Level

    def __init__(self, level: Level) -> None:
        object.__setattr__(self, "level", level)
        object.__setattr__(self, "valid", level.valid)

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level."""
        return self.level.size

    @property
    def image(self) -> Plane:
        """The level as it is, not enlarged."""
        return self.level.image

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32."""
        values = np.empty(size[::-1], np.float32) if out is None else out
        sample_parts(
            lambda part: enlarged(self.level.part(part), SMOOTHED),
            self.size,
            warp,
            size,
            out=values,
            reach=SMOOTHED.reach + 1,
            finer=2,
        )
        return values


def finely_sampled(level: Level) -> Level:
    """The same level, sampled more exactly than linearly."""
    width, height = level.size
    if width * height > MOST_ENLARGED or 2 * max(level.size) > LARGEST_SIDE:
        return EnlargedOnDemand(level)
    return EnlargedLevel(enlarged(level.image, SMOOTHED), level.valid)


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


def level_count(size: Size) -> int:
    """How many levels an image of (width, height) carries, at least 1."""
    side, count = min(size), 1
    while (side := (side + 1) // 2) >= COARSEST_SIDE:
        count += 1
    return count


def pyramid(luma: Luma, count: int, *, finest: int = 0) -> list[Level]:
    """Levels 0 to ``count - 1`` of an image.

    Args:
        luma: the image.
        count: how many.
        finest: the finest level that will be looked at everywhere; large ones below it are made
            where they are looked at.
    """
    width, height = luma.size
    if luma.valid is None and width * height > LARGE_PIXELS and count > 1:
        levels = _from_strips(luma, keep=finest == 0 and width * height <= MOST_KEPT)
    else:
        levels = [Level(_smoothed(luma.part(np.s_[:, :])), within_reach(luma.valid))]
    while len(levels) < count:
        below = levels[-1]
        half = cv2.pyrDown(below.image, borderType=cv2.BORDER_REFLECT_101)
        eroded = within_reach(below.valid)
        valid = None if eroded is None else np.ascontiguousarray(eroded[::2, ::2])
        levels.append(Level(np.asarray(half, np.float32), valid))
    return levels[:count]


def _smoothed(plane: Plane) -> Plane:
    ksize = (2 * REACH + 1, 2 * REACH + 1)
    smooth = cv2.GaussianBlur(plane, ksize, PRESMOOTHING, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth, np.float32)


def _from_strips(luma: Luma, *, keep: bool) -> list[Level]:
    """Levels 0 and 1 of a large image, strip by strip, while the strip is in the cache."""
    full = FullSize(luma)
    width, height = full.size
    smooth = np.empty((height, width) if keep else (0, 0), np.float32)
    half = np.empty(((height + 1) // 2, (width + 1) // 2), np.float32)
    # Of even height, so that every strip keeps the rows that the whole image keeps.
    rows = max(2, _STRIP_PIXELS // width // 2 * 2)

    def smooth_and_halve(top: int) -> None:
        first, end = max(top - REACH, 0), min(top + rows + REACH, height)
        strip = full.part(np.s_[first:end, 0:width])
        if keep:
            below = smooth[top : top + rows]
            below[:] = strip[top - first :][: len(below)]
        halved = cv2.pyrDown(strip, borderType=cv2.BORDER_REFLECT_101)
        there = half[top // 2 : (top + rows) // 2]
        there[:] = halved[(top - first) // 2 :][: len(there)]

    with Threads() as threads:
        threads.map(smooth_and_halve, range(0, height, rows))
    return [Level(smooth, None) if keep else full, Level(half, None)]


def held(levels: Sequence[Level]) -> range:
    """The levels whose pixels are there: all but the full size of a large image."""
    first = 1 if len(levels) > 1 and isinstance(levels[0], FullSize) else 0
    return range(first, len(levels))


def within_reach(valid: Mask | None) -> Mask | None:
    """Pixels whose whole neighbourhood of ``REACH`` is valid (beyond the border counts as valid).

    The border itself is the business of whoever crops ``REACH`` pixels off.
    """
    if valid is None:
        return None
    return cv2.erode(valid.view(np.uint8), _REACH_KERNEL).astype(np.bool_)
