"""What changed: areas of the target where the images differ although they are aligned.

Aligned images of one thing still differ a little everywhere: by noise, and along edges by what a
fraction of a pixel does to them (interpolation, antialiased text at another sub-pixel position, a
screenshot of another pixel density). A change is what is more than that. With the target t, the
residual r after the illumination, s = t + r the corrected source, all smoothed by a Gaussian G of
``SMOOTHING_PX``, a pixel of the overlap differs if

    |G r| > above + NOISE_SIGMAS sigma + EDGE_PX min(g_s, g_t)

- sigma is the standard deviation of G r by the noise of both images.
- g_s and g_t are the largest gradient magnitudes of G s and G t within ``REACH_PX``. An edge that
  is off by d px leaves a residual of at most d g to first order. The smaller one counts: an edge
  that only one image has is a change.
- G makes first order enough: a stroke of a letter is one pixel wide, and drawn half a pixel
  further it is another shape, two half grey columns instead of one, but of the same sum.

Pixels that differ are joined across gaps of ``GAP_PX`` (the letters of a word), and what has fewer
than ``LEAST_PIXELS`` is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS

SMOOTHING_PX: Final = 1.0
"""Standard deviation of the Gaussian that both images are smoothed by, in pixels."""

NOISE_SIGMAS: Final = 5.0
"""Noise reaches this in one of two million pixels."""

EDGE_PX: Final = 1.0
"""How far an edge may be off, in pixels."""

REACH_PX: Final = 2
"""The gradient of an edge counts this far from it, in pixels."""

GAP_PX: Final = 8
"""Pixels that differ belong to one area if they are at most this far apart."""

LEAST_PIXELS: Final = 12
"""An area of fewer pixels is none."""

MOST_BOXES: Final = 100
"""Of more areas the largest are listed."""

GREY_LEVELS: Final = 255.0


@dataclass(frozen=True)
class ChangedArea:
    """An area that differs, by its bounding box in target pixels.

    Attributes:
        x, y: the first column and row.
        width, height: columns and rows.
        area: pixels within it that differ.
    """

    x: int
    y: int
    width: int
    height: int
    area: int


@dataclass(frozen=True)
class Changed:
    """What differs between aligned images.

    Attributes:
        share: of the pixels of the overlap that differ, 0 to 1.
        pixels: how many these are.
        above_levels: grey levels, of 255, up to which a difference does not count.
        areas: how many areas these pixels make.
        boxes: the areas, the largest first, ``MOST_BOXES`` at most.
    """

    share: float
    pixels: int
    above_levels: float
    areas: int
    boxes: tuple[ChangedArea, ...]


def changed_areas(
    residual: Plane, overlap: Mask, target: Plane, *, noise: float, above_levels: float
) -> Changed:
    """Find what differs.

    Args:
        residual: (height, width) float32, corrected source less target, in units of full scale;
            0 outside the overlap.
        overlap: (height, width) bool.
        target: (height, width) float32, in units of full scale.
        noise: standard deviation of the noise of ``residual`` where nothing is interpolated.
        above_levels: grey levels, of 255, up to which a difference does not count.
    """
    differs = _differing(residual, overlap, target, noise, above_levels / GREY_LEVELS)
    boxes = _areas(differs)
    pixels = sum(box.area for box in boxes)
    covered = int(np.count_nonzero(overlap))
    return Changed(
        share=pixels / covered if covered else 0.0,
        pixels=pixels,
        above_levels=above_levels,
        areas=len(boxes),
        boxes=tuple(boxes[:MOST_BOXES]),
    )


def _differing(
    residual: Plane, overlap: Mask, target: Plane, noise: float, above: float
) -> NDArray[np.uint8]:
    """(height, width), 1 where a pixel differs; in strips of rows, which overlap by ``margin``."""
    height, width = residual.shape
    rows = max(1, LARGE_STRIP_PIXELS // width)
    margin = _reach() + 1 + REACH_PX
    least = above + NOISE_SIGMAS * noise * _noise_gain()
    differs = np.zeros((height, width), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(0, top - margin), min(height, bottom + margin)
        some, inner = slice(first, last), slice(top - first, bottom - first)
        if not (np.abs(residual[some]) > above).any():
            continue
        smooth, still = _smoothed(residual[some]), _smoothed(target[some])
        edges = np.minimum(_gradient(still), _gradient(still + smooth))
        beyond = np.abs(smooth) > np.float32(least) + np.float32(EDGE_PX) * edges
        differs[top:bottom] = beyond[inner] & overlap[top:bottom]
    return differs


def _areas(differs: NDArray[np.uint8]) -> list[ChangedArea]:
    """The areas of pixels that differ, the largest first."""
    if not differs.any():
        return []
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (GAP_PX + 1, GAP_PX + 1))
    count, labels = cv2.connectedComponents(cv2.dilate(differs, near), connectivity=8)
    y, x = np.nonzero(differs)
    label = np.asarray(labels[y, x], np.intp)
    sizes = np.bincount(label, minlength=count)
    low = np.full((2, count), max(differs.shape), np.intp)
    high = np.full((2, count), -1, np.intp)
    for axis, at in enumerate((x, y)):
        np.minimum.at(low[axis], label, at)
        np.maximum.at(high[axis], label, at)
    kept = np.flatnonzero(sizes >= LEAST_PIXELS)
    spans = high - low + 1
    found = [
        ChangedArea(*(int(each) for each in (*low[:, i], *spans[:, i], sizes[i]))) for i in kept
    ]
    return sorted(found, key=lambda box: (-box.area, box.y, box.x))


def _smoothed(plane: Plane) -> Plane:
    side = 2 * _reach() + 1
    smoothed = cv2.GaussianBlur(plane, (side, side), SMOOTHING_PX, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smoothed, np.float32)


def _gradient(plane: Plane) -> Plane:
    """(height, width), the largest gradient magnitude near each pixel, per pixel."""
    half = np.array([[-0.5, 0.0, 0.5]])
    one = np.ones((1, 1))
    across = cv2.sepFilter2D(plane, cv2.CV_32F, half, one, borderType=cv2.BORDER_REPLICATE)
    along = cv2.sepFilter2D(plane, cv2.CV_32F, one, half, borderType=cv2.BORDER_REPLICATE)
    side = 2 * REACH_PX + 1
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    return np.asarray(cv2.dilate(cv2.magnitude(across, along), near), np.float32)


def _reach() -> int:
    """Pixels that the Gaussian reaches to each side."""
    return int(np.ceil(3.0 * SMOOTHING_PX))


def _noise_gain() -> float:
    """Standard deviation of white noise of density 1 after the Gaussian."""
    kernel = cv2.getGaussianKernel(2 * _reach() + 1, SMOOTHING_PX)
    return float((kernel**2).sum())
