"""Filtered images: windows of a smoothed image, computed on demand from the stored pixels."""

from __future__ import annotations

import ctypes
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Output, Plane, call, output, round_to_lanes

MOST_REACH: Final = 4
"""Largest number of pixels that a kernel may reach to either side."""

Values = NDArray[np.float32]
_Kernel = ctypes.c_double * (MOST_REACH + 1)


class FilteredImageArgument(ctypes.Structure):
    """``imalign_filtered``."""

    _fields_ = (
        ("pixels", Plane),
        ("kind", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("channel_step", ctypes.c_int64),
        ("weights", ctypes.c_void_p),
        ("reach", ctypes.c_int64),
        ("kernel", _Kernel),
    )


class _Smooth(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("image", FilteredImageArgument),
        ("window", Output),
        ("left", ctypes.c_int64),
        ("top", ctypes.c_int64),
        ("step", ctypes.c_int64),
        ("scratch", ctypes.c_void_p),
    )


class FilteredImage(NamedTuple):
    """An image whose smoothed grey values are computed on demand.

    Attributes:
        pixels: (height, width) or (height, width, channels), uint8, uint16 or float32.
        weights: (channels,) float32: the grey value is the sum of the channels times these.
        kernel: (2 n + 1,) smoothing kernel along both axes, symmetric, n at most ``MOST_REACH``;
            beyond its border the image is mirrored, without repeating the border pixels.
    """

    pixels: NDArray[Any]
    weights: Values
    kernel: NDArray[np.float64]

    @property
    def argument(self) -> FilteredImageArgument:
        """The image as a kernel takes it; the structure does not keep the arrays alive.

        Raises:
            TypeError: if the pixels are of another type.
            ValueError: if the kernel is too long or of even length, or a channel has no weight.
        """
        pixels, reach = self.pixels, self.kernel.size // 2
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise TypeError(f"expected uint8, uint16 or float32, got {pixels.dtype}")
        channels, channel_step = 1, 0
        if pixels.ndim == 3:
            channels, channel_step = pixels.shape[2], pixels.strides[2]
        weights = self.weights
        if weights.shape != (channels,) or weights.dtype != np.float32:
            raise ValueError(f"{channels} channels, but weights of shape {weights.shape}")
        if not weights.flags.c_contiguous:
            raise ValueError("the weights must be contiguous")
        if reach > MOST_REACH or self.kernel.size % 2 == 0:
            raise ValueError(f"unsupported kernel length {self.kernel.size}")
        height, width = pixels.shape[:2]
        data = pixels.__array_interface__["data"][0]
        return FilteredImageArgument(
            Plane(data, width, height, pixels.strides[1], pixels.strides[0]),
            pixels.itemsize,
            channels,
            channel_step,
            weights.__array_interface__["data"][0],
            reach,
            _Kernel(*self.kernel[reach:].tolist()),
        )


NO_IMAGE: Final = FilteredImageArgument()


def smooth_scratch(width: int) -> int:
    """Values of scratch that ``smooth`` needs for a window of some columns."""
    return 14 * round_to_lanes(width + 32)


def smooth(
    image: FilteredImage,
    first: tuple[int, int],
    size: tuple[int, int],
    *,
    step: int = 1,
    out: Values | None = None,
) -> Values:
    """A window of the smoothed image, or every second pixel of it along both axes.

        out[k, i] = sum of kernel[u] kernel[v] grey[step (top + k) + v, step (left + i) + u]

    Args:
        image: the image.
        first: left and top.
        size: (width, height) of the window.
        step: 1 or 2.
        out: (height, width) float32, where to write, the pixels of a row contiguous.

    Returns:
        (height, width) float32.
    """
    width, height = size
    values = np.empty((height, width), np.float32) if out is None else out
    scratch = np.empty(smooth_scratch(width), np.float32)
    argument = image.argument
    call("smooth", _Smooth(argument, output(values, np.float32), *first, step, scratch.ctypes.data))
    return values
