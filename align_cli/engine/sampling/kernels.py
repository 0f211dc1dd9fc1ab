"""Interpolation by kernels: nearest, cubic and Lanczos, for output images.

The solver samples an image many times, linearly or by splines (``bilinear``, ``bspline``). An
output image is warped once: it keeps its dtype, nothing is prefiltered, and a pixel that is not
finite affects its neighbourhood only.

cv2's own cubic (a = -0.75) does not reproduce a ramp, and its Lanczos rounds positions to 1/32 px.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Matrix
from align_cli.engine.geometry.coordinates import Size

_NO_FRACTIONS: Final = np.empty(0, np.float32)

Weights = NDArray[np.floating[Any]]


class Kernel(NamedTuple):
    """A separable interpolation kernel.

    Attributes:
        reach: number of neighbours on each side of a position, along each axis.
        weights: maps positions t in [0, 1) between two pixels, any shape, to the weights of the
            pixels 1 - reach ... reach, (2 * reach, *shape), of sum 1.
    """

    reach: int
    weights: Callable[[Weights], Weights]


def _nearest(t: Weights) -> Weights:
    right = (t >= 0.5).astype(t.dtype)
    return np.stack([1.0 - right, right])


def _keys(t: Weights) -> Weights:
    """Cubic convolution with a = -1/2 (Keys 1981): exact on ramps and parabolas."""
    t2, t3 = t * t, t * t * t
    return np.stack(
        [
            -0.5 * t + t2 - 0.5 * t3,
            1.0 - 2.5 * t2 + 1.5 * t3,
            0.5 * t + 2.0 * t2 - 1.5 * t3,
            -0.5 * t2 + 0.5 * t3,
        ]
    )


def _lanczos(t: Weights) -> Weights:
    """Sinc windowed by the main lobe of a sinc three times as wide, normalised to sum 1."""
    offset = t - np.arange(-2.0, 4.0, dtype=t.dtype).reshape(-1, *(1,) * t.ndim)
    weights = np.sinc(offset) * np.sinc(offset / 3.0)
    return np.asarray(weights / weights.sum(axis=0), t.dtype)


KERNELS: Final = {
    "nearest": Kernel(1, _nearest),
    "cubic": Kernel(2, _keys),
    "lanczos": Kernel(3, _lanczos),
}
"""By the name of the option; "linear" is ``bilinear.sample``."""


def padded(plane: Image, kernel: Kernel) -> Image:
    """One channel, padded by the reach of a kernel, for ``sample_kernel``."""
    before, after = kernel.reach - 1, kernel.reach
    return np.pad(plane, ((before, after), (before, after)), mode="edge")


def sample_kernel(
    channels: Sequence[Image], warp: Matrix, size: Size, kernel: Kernel
) -> Iterator[NDArray[np.floating[Any]]]:
    """Values of an image at the warped pixels of a window, channel by channel.

    The image is extrapolated linearly, by the border pixel and its neighbour, so that a ramp is
    reproduced up to the border; positions outside are clamped to the border.

    Args:
        channels: each channel after ``padded``, of one shape and dtype.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        kernel: one of ``KERNELS``.

    Yields:
        (height, width) float64 of float64 images, else float32.
    """
    dtype = np.float64 if channels[0].dtype == np.float64 else np.float32
    x, y = _positions(warp, size)
    height, width = (side - 2 * kernel.reach + 1 for side in channels[0].shape)
    left, weights_x = _taps(x, width, kernel, dtype)
    top, weights_y = _taps(y, height, kernel, dtype)
    stride = channels[0].shape[1]
    first = top * stride + left
    position, samples = np.empty_like(first), np.empty(first.shape, channels[0].dtype)
    row, part = np.empty(first.shape, dtype), np.empty(first.shape, dtype)
    for channel in channels:
        flat = channel.ravel()
        values = np.zeros(first.shape, dtype)
        for j, weight_y in enumerate(weights_y):
            row.fill(0.0)
            for i, weight_x in enumerate(weights_x):
                np.add(first, j * stride + i, out=position)
                flat.take(
                    position, out=samples, mode="clip"
                )  # no other mode writes straight to out
                row += np.multiply(weight_x, samples, out=part)
            values += np.multiply(weight_y, row, out=part)
        yield values


def sample_nearest(planes: Image, warp: Matrix, size: Size) -> Image:
    """The nearest pixel's value, (height, width, channels) of the image's dtype."""
    x, y = (np.floor(coordinate + 0.5) for coordinate in _positions(warp, size))
    height, width, channels = planes.shape
    position = np.stack([np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)], axis=-1)
    samples = cv2.remap(planes, position.astype(np.int16), _NO_FRACTIONS, cv2.INTER_NEAREST)
    return np.asarray(samples).reshape(*x.shape, channels)


def _positions(warp: Matrix, size: Size) -> tuple[Weights, Weights]:
    """Image x and y of every pixel of a window, (height, width) float64 each."""
    width, height = size
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    denominator = warp[2, 0] * x + (warp[2, 1] * y + warp[2, 2])
    positions = [(row[0] * x + (row[1] * y + row[2])) / denominator for row in warp[:2]]
    return positions[0], positions[1]


def _taps(
    position: Weights, side: int, kernel: Kernel, dtype: type[np.floating[Any]]
) -> tuple[NDArray[np.intp], Weights]:
    """The pixel at or before each position, and the weights of those around it.

    Weights outside the image are folded into it: f[-k] = 2 f[0] - f[k].
    """
    position = np.clip(position, 0.0, side - 1.0)
    before = np.clip(np.floor(position), 0, max(side - 2, 0)).astype(np.intp)
    weights = kernel.weights((position - before).astype(dtype))
    for tap in range(kernel.reach - 1):
        k = kernel.reach - 1 - tap  # pixels before that at the position
        for edge in range(k):  # the index of the pixel at the position
            at_start = before == edge
            _fold(weights, at_start, tap, border=kernel.reach - 1 - edge)
            at_end = before == side - 2 - edge
            mirrored = 2 * kernel.reach - 1
            _fold(weights, at_end, mirrored - tap, border=mirrored - (kernel.reach - 1 - edge))
    return before, weights


def _fold(weights: Weights, where: NDArray[np.bool_], tap: int, *, border: int) -> None:
    """Move the weight of a tap beyond the border to the border pixel and the tap's mirror image."""
    outside = weights[tap][where]
    weights[border][where] += 2.0 * outside
    weights[2 * border - tap][where] -= outside
    weights[tap][where] = 0.0
