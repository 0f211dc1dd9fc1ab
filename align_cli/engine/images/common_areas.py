"""Constant areas at the same place in both images, and the width of their edges.

The edge of such an area is texture that misleads: strong, and static. Its interior cannot mislead,
and masking it costs nothing; but paper, sky and the dark between stars are constant areas too, and
*their* edges are all that the image shows. They differ in whether the outline is static.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane, Vector

COMMON_OUTLINE: Final = 0.9
"""Least share of an area's outline near the same pixels of both images. Mounts, bars, rims and
round fields of view under noise have 0.98 to 1; paper, sky and dark moved by 5 pixels 0.1 to 0.75,
cells and their background by 365 pixels 0.3."""

OUTLINE_TOLERANCE: Final = 2
"""Pixels by which an outline may differ: noise and the scene shift it where the area's edge is
soft."""

MOST_OUTLINE_MOTION: Final = 0.25
"""Pixels by which a static outline may move as a whole. Round fields of view, their edges blurred
by up to 6 pixels, noise of 1 to 4 grey levels, with JPEG and without, moved 0.2 at most while the
scene moved 13; paper, sky and dark moved by (0.3, 0.2) pixels 0.35 and more, by a pixel 0.9 and
more."""

RIDGE_SHARE: Final = 0.05
"""Ridge of the motion's normal equations, relative to their trace."""

LEAST_AREA: Final = 1e-3
"""Least share of the image in an area: short outlines agree by chance."""

WIDEST_RIM: Final = 16
"""Largest width in pixels of the edge of an area."""

EDGE_CHANGE: Final = 0.05
"""An area's edge ends where the mean of the surrounding image changes from one pixel to the next by
less than this share of its height."""

MOST_OUTLINE: Final = 1 << 15
"""Pixels of outlines that are used; a page of text has a million."""

_NEIGHBOURS: Final = np.ones((3, 3), np.uint8)
_MASK_SMOOTHING: Final = 5, 5
"""Sides of the neighbourhood over which a mask is blurred: its slope then measures its motion."""

_AREA_STEP: Final = 3
"""The pixels of an area are counted in every third column of every third row."""


def common_areas(source: Mask, target: Mask) -> Mask | None:
    """The parts of two constant areas whose outline is static.

    Paper is common to both images wherever neither has a letter, but its outline is that of the
    letters, and moves with them.

    Args:
        source: (height, width) bool, the ``constant_areas`` of the source.
        target: the same of the target.

    Returns:
        (height, width) bool; None if nothing is common.
    """
    # A mosaic's dark pixels are static, too, but they are outlines without interior.
    return static_areas(source, target, least_interior=1.0, least_area=LEAST_AREA)


def static_areas(
    source: Mask, target: Mask, *, least_interior: float, least_area: float
) -> Mask | None:
    """The connected parts of two masks whose outline is static.

    Args:
        source: (height, width) bool.
        target: the same.
        least_interior: interior pixels of a part, relative to those of its outline.
        least_area: least share of the image within a part.

    Returns:
        (height, width) bool; None if nothing is common.
    """
    common = source & target
    if not common.any():
        return None
    count, numbered = cv2.connectedComponents(common.view(np.uint8), connectivity=4)
    labels = np.asarray(numbered, np.int32)
    inside = _eroded(common, 1)
    y, x = np.nonzero(common & ~inside)
    step = max(1, y.size // MOST_OUTLINE)
    y, x = y[::step], x[::step]
    outline = labels[y, x]
    length = np.bincount(outline, minlength=count)
    some = np.s_[::_AREA_STEP, ::_AREA_STEP]
    interior = np.bincount(labels[some][inside[some]], minlength=count) * _AREA_STEP**2
    least = np.maximum(least_interior * step * length, least_area * labels.size)
    fixed = (length > 0) & (interior > 0) & (interior >= least)
    fixed[0] = False
    if not fixed.any():
        return None
    near = ~(_eroded(source, 1 + OUTLINE_TOLERANCE) | _eroded(target, 1 + OUTLINE_TOLERANCE))[y, x]
    agreed = np.bincount(outline, near, minlength=count)
    fixed &= agreed >= COMMON_OUTLINE * length
    if not fixed.any():
        return None
    fixed &= _outline_motion(source, target, (x, y), outline, count) <= MOST_OUTLINE_MOTION
    areas = fixed[labels]
    return areas if areas.any() else None


def _eroded(area: Mask, pixels: int) -> Mask:
    """An area without the pixels near its outline; it continues beyond the image's border."""
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.erode(area.view(np.uint8), square).astype(np.bool_)


def _outline_motion(
    source: Mask,
    target: Mask,
    outline: tuple[NDArray[np.intp], NDArray[np.intp]],
    labels: NDArray[np.int32],
    count: int,
) -> Vector:
    """Pixels by which the outline of each component moves from one mask to the other, (count,).

    A Lucas-Kanade step between the masks: noise moves an outline to and fro, a motion moves all of
    it.

    Args:
        source: (height, width) bool.
        target: the same.
        outline: x and y of the pixels next to the outline, (n,) each.
        labels: (n,) the component of each.
        count: how many labels there are.
    """
    x, y = outline
    height, width = source.shape
    before, after = (
        cv2.boxFilter(
            mask.view(np.uint8), cv2.CV_32F, _MASK_SMOOTHING, borderType=cv2.BORDER_REPLICATE
        )
        for mask in (source, target)
    )
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, width - 1)
    above, below = np.maximum(y - 1, 0), np.minimum(y + 1, height - 1)
    slope_x = sum(mask[y, right] - mask[y, left] for mask in (before, after)) / 4.0
    slope_y = sum(mask[below, x] - mask[above, x] for mask in (before, after)) / 4.0
    change = before[y, x] - after[y, x]

    def total(values: NDArray[Any]) -> Vector:
        return np.asarray(np.bincount(labels, values, minlength=count), np.float64)

    xx, xy, yy = total(slope_x**2), total(slope_x * slope_y), total(slope_y**2)
    right_x, right_y = total(slope_x * change), total(slope_y * change)
    # A straight outline does not constrain a motion along itself.
    ridge = RIDGE_SHARE * (xx + yy)
    xx, yy = xx + ridge, yy + ridge
    determinant = np.maximum(xx * yy - xy * xy, np.finfo(np.float64).tiny)
    motion_x = (yy * right_x - xy * right_y) / determinant
    motion_y = (xx * right_y - xy * right_x) / determinant
    return np.asarray(np.hypot(motion_x, motion_y), np.float64)


def area_edges(source: Plane, target: Plane, areas: Mask) -> Mask:
    """The edges of areas, as wide as they are in either image.

    The scene around an area has texture, but the mean of many pixels little of it. So areas are
    grown pixel by pixel until the mean of the added pixels no longer changes.

    Args:
        source: (height, width) float32.
        target: the same.
        areas: (height, width) bool, the ``common_areas``.

    Returns:
        (height, width) bool, at least one pixel wide.
    """
    planes = source, target
    some = np.s_[::_AREA_STEP, ::_AREA_STEP]
    area = [float(plane[some][areas[some]].mean()) for plane in planes]
    grown: NDArray[np.uint8] = areas.view(np.uint8)
    shells: list[NDArray[np.uint8]] = []
    means: list[list[float]] = []
    for _ in range(WIDEST_RIM + 2):
        wider = np.asarray(cv2.dilate(grown, _NEIGHBOURS), np.uint8)
        shell = wider - grown
        if not shell.any():
            break
        x, y = cv2.findNonZero(shell).reshape(-1, 2).T
        means.append([float(plane[y, x].mean()) for plane in planes])
        shells.append(wider)
        grown = wider
        if len(means) > 1 and _flat(area, means[-2], means[-1]):
            break
    if not shells:
        return np.zeros_like(areas)
    return (shells[max(len(shells) - 2, 0)] > 0) & ~areas


def _flat(area: list[float], last: list[float], now: list[float]) -> bool:
    """Whether the means of a shell differ little from those of the shell before it."""
    return all(
        abs(outer - inner) <= EDGE_CHANGE * abs(outer - level)
        for level, inner, outer in zip(area, last, now, strict=True)
    )
