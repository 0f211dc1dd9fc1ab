"""A grid twice as fine: an image keeps its samples, a windowed sinc finds those between.

Linear sampling pulls towards the pixels by an error that grows with the square of the frequency; on
a grid twice as fine every frequency is half as high. It costs a few products a pixel once, and then
no more than linear sampling does, which cv2 makes ten times faster than any spline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.coordinates import Size, map_points
from align_cli.engine.sampling import offset_origin, sample

_MIRROR: Final = cv2.BORDER_REFLECT_101


@dataclass(frozen=True, eq=False)
class Halfway:
    """Finds values half a pixel further on, from ``reach`` pixels on either side.

    Attributes:
        reach: half the length of the kernel.
        kernel: (2 reach,) float32, a sinc under a Kaiser window, of sum 1.
    """

    reach: int
    kernel: NDArray[np.float32]

    @classmethod
    def sinc(cls, reach: int, shape: float) -> Halfway:
        """A kernel with a Kaiser window of this shape."""
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


SHARP: Final = Halfway.sinc(10, 6.0)
"""For images as they are: it holds every frequency up to 0.8 of the Nyquist frequency."""

SMOOTHED: Final = Halfway.sinc(4, 4.0)
"""For pyramid levels, whose highest frequencies have been smoothed away. Measured on photographs
without noise, linear sampling after it: mean EPE 0.0005 px, after the long one 0.0005 px, instead
of it 0.002 px; cubic splines 0.0004 px in ten times the time."""

MOST_ENLARGED: Final = 1 << 23
"""Images of more pixels are enlarged where they are looked at, and not as a whole."""

LARGEST_SHARE: Final = 2.0
"""A window whose part of the image is larger than this many times what it needs is halved."""

_NARROWEST: Final = 16


def enlarged(image: Plane, halfway: Halfway) -> Plane:
    """The image on a grid twice as fine, (2 height, 2 width) float32."""
    height, width = image.shape
    fine = np.empty((height, 2, width, 2), np.float32)
    fine[:, 0, :, 0] = image
    fine[:, 0, :, 1] = right = halfway.along_x(image)
    fine[:, 1, :, 0] = halfway.along_y(image)
    fine[:, 1, :, 1] = halfway.along_y(right)
    return fine.reshape(2 * height, 2 * width)


def on_finer_grid(warp: Matrix) -> Matrix:
    """A warp to pixels of an image as one to those of the image enlarged."""
    return np.diag([2.0, 2.0, 1.0]) @ warp


def sample_enlarged(image: Plane, warp: Matrix, size: Size, *, out: Plane) -> None:
    """What linear sampling finds in ``enlarged(image, SMOOTHED)``, enlarging only what it needs.

    Args:
        image: (height, width) float32, not enlarged.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width) float32.
    """
    width, height = size
    ends = np.array([[x, y] for x in (0.0, width - 1.0) for y in (0.0, height - 1.0)])
    ends = map_points(warp, ends)
    reach = SMOOTHED.reach + 1
    sides = np.array(image.shape[::-1])
    first = np.clip(np.floor(ends.min(axis=0)) - reach, 0, sides - 1).astype(np.intp)
    end = np.clip(np.ceil(ends.max(axis=0)) + reach + 1, first + 1, sides).astype(np.intp)
    wanted = (width + 2 * reach) * (height + 2 * reach)
    if np.prod(end - first) > LARGEST_SHARE * wanted and width > _NARROWEST:
        half = width // 2
        sample_enlarged(image, warp, (half, height), out=out[:, :half])
        rest = offset_origin(warp, half, 0.0)
        sample_enlarged(image, rest, (width - half, height), out=out[:, half:])
        return
    (left, top), (right, bottom) = first, end
    fine = enlarged(image[top:bottom, left:right], SMOOTHED)
    to_part = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]]) @ warp
    out[...] = sample(fine, on_finer_grid(to_part), size)
