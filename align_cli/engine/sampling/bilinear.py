"""Bilinear sampling of the source under a warp, and the overlap with the source.

The overlap of two rectangles under a homography is a convex polygon, so in every row of the
target it is one interval, given by four inequalities without warping a mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask, Matrix, Plane
from align_cli.engine.geometry.coordinates import Size, corners, map_points, plausible

if TYPE_CHECKING:
    pass

SLACK_PX: Final = 5e-4
"""Distance beyond a border, in pixels, up to which a point still counts as inside."""

ALL_VALID: Final = 0.999
"""A linearly sampled mask is above this only if all pixels with a weight are set."""

_FLAGS: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def offset_origin(warp: Matrix, x: float, y: float) -> Matrix:
    """The warp from a window of the target, whose origin is the target's pixel (x, y)."""
    moved = warp.copy()
    moved[:, 2] += warp[:, 0] * x + warp[:, 1] * y
    return moved


def sample(
    image: Plane,
    warp: Matrix,
    size: Size,
    *,
    out: Plane | None = None,
    replicate: bool = False,
) -> Plane:
    """Values of ``image`` at the warped pixels of a window, by linear interpolation.

    Args:
        image: (height, width) float32.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width) float32 and contiguous.
        replicate: whether the image is extended by its border pixels, else by 0. cv2 interpolates
            between the border and the extension, so values at the border need this.

    Returns:
        (height, width) float32.
    """
    return np.asarray(resample(image, warp, size, out=out, replicate=replicate), np.float32)


def resample(
    image: Image,
    warp: Matrix,
    size: Size,
    *,
    out: Image | None = None,
    replicate: bool = False,
) -> Image:
    """``sample`` of any image that cv2 samples exactly, in its own dtype.

    Args:
        image: (height, width) or (height, width, 3 or 4); uint8, uint16 or float32.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, of the result's shape and dtype, and contiguous.
        replicate: as in ``sample``.

    Returns:
        (height, width, ...); integers are rounded to the nearest.
    """
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    if warp[2, 0] == 0.0 and warp[2, 1] == 0.0:
        affine = warp[:2] / warp[2, 2]
        sampled = cv2.warpAffine(image, affine, size, dst=out, flags=_FLAGS, borderMode=border)
    else:
        sampled = cv2.warpPerspective(image, warp, size, dst=out, flags=_FLAGS, borderMode=border)
    return np.asarray(sampled)


def sample_valid(valid: Mask, warp: Matrix, size: Size) -> Mask:
    """(height, width) bool: the window's pixels whose four neighbours in the image are valid."""
    height, width = valid.shape
    reached = map_points(warp, corners(size))
    # A strip of rows needs a small part of a large image.
    if plausible(warp, size) and np.isfinite(reached).all():
        left, top = np.clip(np.floor(reached.min(axis=0)) - 1, 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(reached.max(axis=0)) + 2, 0, (width, height)).astype(int)
        if right <= left or bottom <= top:
            return np.zeros((size[1], size[0]), np.bool_)
        valid = valid[top:bottom, left:right]
        warp = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]]) @ warp
    return sample(valid.astype(np.float32), warp, size) > ALL_VALID


def row_intervals(
    warp: Matrix, rows: NDArray[np.float64], width: int, source_size: Size, margin: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each row, the interval ``first <= x < end`` that the warp maps into the source.

    Args:
        warp: (3, 3), window pixel -> source pixel.
        rows: (n,) y coordinates of the rows.
        width: width of the window.
        source_size: (width, height) of the source.
        margin: width of the source's border that does not count as inside, in pixels.

    Returns:
        ``first`` and ``end``, (n,) each; ``first >= end`` if a row has no pixel inside.
    """
    # The tolerance keeps the border pixels of an identity warp despite rounding; over so short a
    # distance nothing is extrapolated.
    margin -= SLACK_PX
    source_width, source_height = source_size
    x, y, w = warp
    # Each bound, multiplied by the denominator w > 0, is linear: ax + by + c >= 0. Called
    # often, and one array of so few lines takes three times as long.
    low, high = np.zeros(len(rows)), np.full(len(rows), width - 1.0)
    lines = (
        x - margin * w,
        (source_width - 1.0 - margin) * w - x,
        y - margin * w,
        (source_height - 1.0 - margin) * w - y,
        w,
    )
    with np.errstate(over="ignore"):  # a slope of next to nothing: infinity is the answer
        for line in lines:
            a, b, c = line.tolist()
            intercepts = b * rows + c
            if a > 0.0:
                np.maximum(low, intercepts / -a, out=low)
            elif a < 0.0:
                np.minimum(high, intercepts / -a, out=high)
            else:
                high[intercepts < 0.0] = -1.0
    np.minimum(np.ceil(low, out=low), width, out=low)
    np.maximum(np.floor(high, out=high), -1.0, out=high)
    return low.astype(np.intp), high.astype(np.intp) + 1


def clear_outside(
    image: NDArray[Any],
    first: NDArray[np.intp],
    end: NDArray[np.intp],
    value: NDArray[Any] | float = 0.0,
) -> None:
    """Set to ``value``, in place, the pixels outside each row's interval ``first <= x < end``.

    The image is (rows, width) or (rows, width, channels); it may have a value for each channel.
    """
    width = image.shape[1]
    # Only columns near the borders are mostly affected.
    left, right = min(int(first.max(initial=0)), width), max(int(end.min(initial=width)), 0)
    all_channels = (..., None) if image.ndim == 3 else ...
    if left > 0:
        outside = np.arange(left) < first[:, None]
        np.copyto(image[:, :left], value, where=outside[all_channels])
    if right < width:
        outside = np.arange(right, width) >= end[:, None]
        np.copyto(image[:, right:], value, where=outside[all_channels])


def interval_mask(first: NDArray[np.intp], end: NDArray[np.intp], width: int) -> Mask:
    """(rows, width) bool: True within ``first <= x < end``."""
    mask = np.ones((len(first), width), np.bool_)
    clear_outside(mask, first, end, False)
    return mask


def overlap_mask(
    warp: Matrix, target_size: Size, source_size: Size, *, margin: float = 0.0
) -> Mask:
    """(height, width) bool: the target pixels that the warp maps into the source."""
    width, height = target_size
    first, end = row_intervals(
        warp, np.arange(height, dtype=np.float64), width, source_size, margin
    )
    return interval_mask(first, end, width)
