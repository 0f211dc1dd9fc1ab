"""Gaussian pyramids: each level half the size of the one below, level 0 full size.

Level 0 is the image smoothed slightly: linear sampling and central differences are then accurate,
because their errors are in the highest frequencies. Each further level is smoothed by the binomial
kernel 1-4-6-4-1 and keeps every second sample, the first included: a pixel x of level l is at 2**l
* x of level 0, with no half-pixel term, for odd sizes too (Burt and Adelson 1983;
``align_cli.engine.geometry.coordinates.at_level`` carries transforms between levels).

The source of the last level is sampled on a grid twice as fine
(``align_cli.engine.images.supersampled``), that of the refinement by splines on such a grid; both
are hidden behind ``Level.sample``.

A filter near a border uses extrapolated pixels. Those within its reach are invalid: ``REACH`` is
the same on every level, because (REACH + 2) / 2 <= REACH.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane, Vector
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.luma import ONE, LargeLuma, Luma
from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.sampling import bilinear as sampling
from align_cli.engine.sampling import bspline as spline
from align_cli.engine.sampling.sinc_upsampling import on_finer_grid
from align_cli.engine.sampling.tiled import Part
from align_cli.native.filtered_image import FilteredImage, smooth

PRESMOOTHING: Final = 0.73
"""Standard deviation in pixels of the smoothing of level 0. Less preserves more of the finest
detail (0.67: on photographs with noise of 10 grey levels 4 % less error), more helps if the image
is smooth and the noise is strong: with 0.67 one of eight such pairs converged to a wrong transform.
"""

SUBDIVISION_VARIANCE: Final = 0.25
"""Variance, in square pixels, by which subdivision smooths a spline's control points, at pixels. So
a source that equals the target is sampled equal to the last digits; between pixels linear sampling
smooths slightly more."""


def _three_taps(variance: float) -> Vector:
    """The symmetric kernel of three taps with this variance."""
    return np.array([0.5 * variance, 1.0 - variance, 0.5 * variance])


BEFORE_SPLINE: Final = _three_taps(PRESMOOTHING**2 - SUBDIVISION_VARIANCE)
"""Kernel that smooths the source before ``align_cli.engine.images.supersampled`` makes a spline of
it."""

SMOOTHING: Final = np.convolve(BEFORE_SPLINE, _three_taps(SUBDIVISION_VARIANCE))
"""Kernel that smooths level 0: (5,), along both axes."""

BINOMIAL: Final = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
"""Kernel that smooths a level before every second sample is taken, as ``cv2.pyrDown`` does."""

REACH: Final = 2
"""Pixels next to a border, on any level, that depend on extrapolated values."""

COARSEST_SIDE: Final = 12
"""Least shorter side of both images on a level. Measured: with 12 instead of 24, displacements of
60 px on 400x300 are found in 90 instead of 75 %."""

_REACH_KERNEL: Final = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)


class Grid(NamedTuple):
    """The samples of a level.

    Attributes:
        pixels: (finer * height, finer * width) float32, or a filtered image of that size; sampled
            linearly.
        finer: number of samples per pixel of the level, along an axis: 1 or 2.
        spline: whether they are control points of a cubic B-spline, whose control points on a grid
            twice as fine are sampled linearly.
    """

    pixels: Plane | FilteredImage
    finer: int = 1
    spline: bool = False


class Level:
    """One image at one level.

    Args:
        image: (height, width) float32.
        valid: (height, width) bool, or None where only the ``REACH`` pixels next to each border are
            invalid.
    """

    def __init__(self, image: Plane, valid: Mask | None) -> None:
        self._image, self.valid = image, valid

    @property
    def image(self) -> Plane:
        """(height, width) float32."""
        return self._image

    @property
    def size(self) -> Size:
        """(width, height) in pixels of this level."""
        height, width = self.image.shape
        return width, height

    @property
    def pixels(self) -> Plane | FilteredImage:
        """The image, or the filtered image from which it is computed on demand."""
        return self.image

    @property
    def grid(self) -> Grid | None:
        """The samples; None if only ``sample`` can evaluate the level."""
        return Grid(self.pixels)

    def part(self, part: Part) -> Plane:
        """Some rows and columns, both ends given, of the image."""
        return self.image[part]

    def filtered(self, kernel: Vector) -> FilteredImage:
        """The image, filtered along both axes by a kernel of odd length."""
        return FilteredImage(self.image, ONE, kernel)

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32.

        Args:
            warp: (3, 3), window pixel -> pixel of this level.
            size: (width, height) of the window.
            out: where to write, (height, width) float32 and contiguous.
        """
        return sampling.sample(self.image, warp, size, out=out)


class LazyFullSize(Level):
    """Level 0 of a large image, smoothed on demand: most of it is never used.

    Args:
        luma: the image, all of whose pixels are valid.
    """

    def __init__(self, luma: Luma) -> None:
        self.luma, self.valid = luma, None

    @property
    def size(self) -> Size:
        """(width, height) in pixels."""
        return self.luma.size

    @property
    def pixels(self) -> FilteredImage:
        """The filtered image from which it is computed."""
        return self.luma.filtered(SMOOTHING)

    @property
    def image(self) -> Plane:
        """The whole level, computed anew every time."""
        width, height = self.size
        return self.part(np.s_[0:height, 0:width])

    def part(self, part: Part) -> Plane:
        """Some rows and columns, both ends given, of the smoothed image."""
        return smooth_part(self.pixels, part)

    def filtered(self, kernel: Vector) -> FilteredImage:
        """The smoothed image, filtered along both axes by a kernel of odd length."""
        return self.luma.filtered(np.convolve(SMOOTHING, kernel))


def smooth_part(filtered: FilteredImage, part: Part) -> Plane:
    """Some rows and columns, both ends given, of a filtered image."""
    rows, columns = part
    size = columns.stop - columns.start, rows.stop - rows.start
    return smooth(filtered, (columns.start, rows.start), size)


class SplineLevel(Level):
    """A level whose ``image`` holds the coefficients of a spline on a grid twice as fine."""

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level, not of the finer grid."""
        height, width = self.image.shape
        return width // 2, height // 2

    @property
    def grid(self) -> None:
        """None: only ``sample`` evaluates a spline."""
        return

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values of the spline at the warped pixels of a window, (height, width) float32."""
        return spline.sample(self.image, on_finer_grid(warp), size, out=out)


def level_count(size: Size) -> int:
    """How many levels an image of (width, height) has, at least 1."""
    side, count = min(size), 1
    while (side := (side + 1) // 2) >= COARSEST_SIDE:
        count += 1
    return count


def pyramid(luma: Luma, count: int) -> list[Level]:
    """Levels 0 to ``count - 1`` of an image.

    Args:
        luma: the image.
        count: how many.
    """
    with Threads() as threads:
        if isinstance(luma, LargeLuma) and count > 1:
            levels: list[Level] = [LazyFullSize(luma)]
        else:
            image = _made(luma.filtered(SMOOTHING), luma.size, 1, threads)
            levels = [Level(image, eroded_by_reach(luma.valid))]
        while len(levels) < count:
            levels.append(_halved(levels[-1], threads))
    return levels[:count]


def _halved(below: Level, threads: Threads) -> Level:
    """The next level."""
    width, height = ((side + 1) // 2 for side in below.size)
    image = _made(below.filtered(BINOMIAL), (width, height), 2, threads)
    eroded = eroded_by_reach(below.valid)
    return Level(image, None if eroded is None else np.ascontiguousarray(eroded[::2, ::2]))


def _made(filtered: FilteredImage, size: Size, step: int, threads: Threads) -> Plane:
    """All of a filtered image, or every second pixel of it, (width, height) of them."""
    width, height = size
    image = np.empty((height, width), np.float32)
    rows = max(1, STRIP_PIXELS // width)

    def make(top: int) -> None:
        strip = image[top : top + rows]
        smooth(filtered, (0, top), (width, len(strip)), step=step, out=strip)

    threads.map(make, range(0, height, rows))
    return image


def stored_levels(levels: Sequence[Level]) -> range:
    """The levels whose pixels are stored: all but the full size of a large image."""
    first = 1 if len(levels) > 1 and isinstance(levels[0], LazyFullSize) else 0
    return range(first, len(levels))


def eroded_by_reach(valid: Mask | None) -> Mask | None:
    """Pixels whose whole neighbourhood of ``REACH`` is valid (beyond the border counts as valid).

    The border itself is left to the callers, who crop ``REACH`` pixels off.
    """
    if valid is None:
        return None
    return cv2.erode(valid.view(np.uint8), _REACH_KERNEL).astype(np.bool_)
