"""Hot, cold and saturated pixels: spots sharper than any optics can image.

A point of the scene is spread by the optics: its brightest pixel is surrounded by dimmer ones, and
a point bright enough to saturate shows its wings above the noise. A defect of the sensor is as
bright at its edge as in its centre and ends there. So a spot is a defect if its dimmest pixel is
far above the deviation of the ring of pixels around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.numerics.losses import NORMAL_MEDIAN
from align_cli.engine.numerics.samples import SAMPLE_STEP

LARGEST_SPOT: Final = 3
"""Side in pixels of the largest spot. The median of 5x5 pixels is still that of its background."""

DEVIATIONS: Final = 6.0
"""Robust standard deviations by which a pixel of a spot differs from its median. Of white noise one
pixel in a thousand million does."""

LEAST_CONTRAST: Final = 0.02
"""Least difference of a spot's pixel from its median, as a share of the image's contrast: synthetic
images have no noise, and faint spots do not mislead."""

RING: Final = 0.125
"""Largest root mean square of the ring around a spot, relative to the spot's dimmest pixel. Stars
of sigma 0.8 px have 0.33 and more. With 0.2, 0.15, 0.125 and 0.1, of 400 simulated hot pixels 397,
397, 397 and 396 are found, of 2,250 simulated stars of sigma 0.8 to 2 px, some saturated, 100, 20,
0 and 0 pixels, of 50 photographs and scans in the worst tenth 325, 85, 29 and 9 of a million
pixels."""

EXCEPTIONS: Final = 0.04
"""Share of the pixels that may differ by ``DEVIATIONS``. In texture, where more do, the threshold
for a defect is higher; and if there are more spots than this, as in a raw colour mosaic, they are
the image itself."""

_MEDIAN_SIDE: Final = LARGEST_SPOT + 2
_MOST_IN_RING: Final = _MEDIAN_SIDE**2 - LARGEST_SPOT**2
_ABOVE: Final = (0, -1), (-1, -1), (-1, 0), (-1, 1)
"""Rows and columns from the first pixel of a spot to four that are certainly outside it."""

_Indices = NDArray[np.intp]


def contrast_of(values: Plane) -> float:
    """Difference of the 1st and the 99th percentile: no spot, however bright, changes it."""
    some = np.sort(values, axis=None)
    return float(some[(99 * some.size) // 100] - some[some.size // 100])


def isolated_pixels(plane: Plane, valid: Mask | None = None) -> Mask:
    """Spots of at most 3x3 pixels whose edges are sharper than optics can image.

    Args:
        plane: (height, width) float32, finite, in any unit.
        valid: (height, width) bool, or None where every pixel is valid. Spots that touch invalid
            pixels are ignored.

    Returns:
        (height, width) bool, True on the spots.
    """
    found = np.zeros(plane.shape, np.bool_)
    median = np.asarray(cv2.medianBlur(plane, _MEDIAN_SIDE), np.float32)
    excess = np.asarray(cv2.absdiff(plane, median), np.float32)
    some = np.sort(excess[::SAMPLE_STEP, ::SAMPLE_STEP], axis=None)
    exceptional = float(some[int((1.0 - EXCEPTIONS) * some.size)])
    noise = float(some[some.size // 2]) / NORMAL_MEDIAN
    least = max(
        DEVIATIONS * noise, LEAST_CONTRAST * contrast_of(plane[::SAMPLE_STEP, ::SAMPLE_STEP])
    )
    # With only two values, as in a fax, no pixel exceeds the exceptional one.
    strong = (excess > np.float32(least)) & (excess >= np.float32(exceptional))
    if not strong.any():
        return found
    count, numbered = cv2.connectedComponents(strong.view(np.uint8), connectivity=8)
    labels = np.asarray(numbered, np.int32)
    ids, y, x = _small_components(labels, strong, count)
    if not ids.size:
        return found
    first = np.flatnonzero(np.diff(ids, prepend=-1))
    sizes = np.diff(first, append=ids.size)
    last = first + sizes - 1
    left, right = np.minimum.reduceat(x, first), np.maximum.reduceat(x, first)
    narrow = (right - left < LARGEST_SPOT) & (y[last] - y[first] < LARGEST_SPOT)
    difference = plane[y, x] - median[y, x]
    lowest, highest = np.minimum.reduceat(difference, first), np.maximum.reduceat(difference, first)
    # Components of both signs are texture; their height is not positive.
    height = np.maximum(lowest, -highest)
    spots = np.flatnonzero(narrow & (height > 0.0))
    begin, end, background = first[spots], last[spots], median[y, x][first[spots]]
    part = _part_of_ring(plane, [(y[begin], x[begin]), (y[end], x[end])], background)
    kept = part < _MOST_IN_RING * np.square(RING * height[spots])
    if not kept.any():
        return found
    spots, background = spots[kept], background[kept]
    corner = y[first[spots]] - 1, left[spots] - 1
    ring = _ring_deviation(plane, labels, valid, ids[first][spots], corner, background)
    defect = np.zeros(first.size, np.bool_)
    defect[spots] = ring < RING * height[spots]
    chosen = np.repeat(defect, sizes)
    if np.count_nonzero(chosen) > EXCEPTIONS * plane.size:
        return found
    found[y[chosen], x[chosen]] = True
    return found


def _small_components(
    labels: NDArray[np.int32], strong: Mask, count: int
) -> tuple[_Indices, _Indices, _Indices]:
    """Labels, rows and columns of the pixels of components of few pixels, sorted by label."""
    pixels = cv2.findNonZero(strong.view(np.uint8)).reshape(-1, 2)
    x, y = pixels[:, 0].astype(np.intp), pixels[:, 1].astype(np.intp)
    ids = labels[y, x].astype(np.intp)
    small = (np.bincount(ids, minlength=count) <= LARGEST_SPOT**2)[ids]
    ids, y, x = ids[small], y[small], x[small]
    order = np.argsort(ids, kind="stable")
    return ids[order], y[order], x[order]


def _part_of_ring(
    plane: Plane, ends: Sequence[tuple[_Indices, _Indices]], background: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squares about the background, summed over eight pixels of the ring, (n,).

    They are computed quickly, and exclude nearly all candidates in texture.

    Args:
        plane: the image.
        ends: rows and columns, (n,) each, of the first and of the last pixel of each spot, row by
            row.
        background: (n,) median around the spot.
    """
    height, width = plane.shape
    total = np.zeros(background.size, np.float32)
    for sign, (y, x) in zip((1, -1), ends, strict=True):
        for down, right in _ABOVE:
            row, column = y + sign * down, x + sign * right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            off = plane[np.where(inside, row, 0), np.where(inside, column, 0)] - background
            total += np.square(off) * inside
    return total


def _ring_deviation(
    plane: Plane,
    labels: NDArray[np.int32],
    valid: Mask | None,
    ids: _Indices,
    corner: tuple[_Indices, _Indices],
    background: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Root mean square about the background of the pixels that touch each spot, (n,).

    Args:
        plane: the image.
        labels: (height, width), the spot that each pixel belongs to.
        valid: where the image is valid, or None.
        ids: (n,) the spots.
        corner: rows and columns, (n,) each, of the upper left pixel of a window of 5x5 pixels that
            contains spot and ring; it may be one pixel outside the image.
        background: (n,) median around the spot.
    """
    height, width = plane.shape
    side = np.arange(LARGEST_SPOT + 2)
    y, x = corner[0][:, None, None] + side[:, None], corner[1][:, None, None] + side
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    spot = (labels[y, x] == ids[:, None, None]) & inside
    padded = np.pad(spot, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] | padded[:, 1:-1] | padded[:, 2:]
    ring = (rows[:, :, :-2] | rows[:, :, 1:-1] | rows[:, :, 2:]) & inside & ~spot
    off = np.where(ring, plane[y, x] - background[:, None, None], np.float32(0.0))
    deviation = np.sqrt(np.square(off).sum(axis=(1, 2)) / ring.sum(axis=(1, 2)))
    if valid is not None:
        deviation[((ring | spot) & ~valid[y, x]).any(axis=(1, 2))] = np.inf
    return np.asarray(deviation, np.float32)
