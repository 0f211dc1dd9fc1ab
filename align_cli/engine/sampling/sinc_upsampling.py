"""Upsampling by two: an image keeps its samples, a windowed sinc interpolates those between.

Linear interpolation biases positions towards the pixels, by an error that grows with the cube of
the frequency; on a grid twice as fine every frequency is halved. It costs a few products per pixel
once, and then no more than linear interpolation, which in cv2 is ten times faster than any spline.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads

_MIRROR: Final = cv2.BORDER_REFLECT_101


class HalfPixelFilter(NamedTuple):
    """Interpolates values half a pixel further on, from ``reach`` pixels on either side.

    Attributes:
        reach: half the length of the kernel.
        kernel: (2 reach,) float32, a sinc under a Kaiser window, of sum 1.
    """

    reach: int
    kernel: NDArray[np.float32]

    @classmethod
    def sinc(cls, reach: int, shape: float) -> HalfPixelFilter:
        """A filter with a Kaiser window of this shape parameter."""
        distance = np.arange(-reach, reach) + 0.5
        window = np.i0(shape * np.sqrt(np.maximum(1.0 - (distance / reach) ** 2, 0.0)))
        kernel = np.sinc(distance) * window
        return cls(reach, np.asarray(kernel / kernel.sum(), np.float32))

    def along_x(self, image: Plane) -> Plane:
        """Values half a pixel to the right of each pixel."""
        return self._filtered(image, self.kernel[None, :], (self.reach - 1, 0))

    def along_y(self, image: Plane) -> Plane:
        """Values half a pixel below each pixel."""
        return self._filtered(image, self.kernel[:, None], (0, self.reach - 1))

    def _filtered(self, image: Plane, line: NDArray[np.float32], anchor: tuple[int, int]) -> Plane:
        filtered = cv2.filter2D(image, cv2.CV_32F, line, anchor=anchor, borderType=_MIRROR)
        return np.asarray(filtered, np.float32)


SHARP_SINC: Final = HalfPixelFilter.sinc(10, 6.0)
"""It preserves frequencies up to 0.8 of the Nyquist frequency."""


def upsampled(image: Plane, half_pixel: HalfPixelFilter) -> Plane:
    """The image on a grid twice as fine, (2 height, 2 width) float32."""
    height, width = image.shape
    fine = np.empty((height, 2, width, 2), np.float32)
    rows = max(1, STRIP_PIXELS // width)

    def enlarge(top: int) -> None:
        first, end = max(top - half_pixel.reach, 0), min(top + rows + half_pixel.reach, height)
        kept = slice(top - first, min(top + rows, height) - first)
        part, strip = image[first:end], fine[top : top + rows]
        right = half_pixel.along_x(part)
        below, corner = half_pixel.along_y(part), half_pixel.along_y(right)
        # cv2 interleaves several times faster than numpy.
        cv2.merge((part[kept], right[kept]), strip[:, 0])
        cv2.merge((below[kept], corner[kept]), strip[:, 1])

    with Threads() as threads:
        threads.map(enlarge, range(0, height, rows))
    return fine.reshape(2 * height, 2 * width)


def on_finer_grid(warp: Matrix) -> Matrix:
    """The warp to pixels of the upsampled image, from the warp to pixels of the image."""
    return np.diag([2.0, 2.0, 1.0]) @ warp
