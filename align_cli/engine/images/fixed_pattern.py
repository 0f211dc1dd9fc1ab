"""What may belong to the sensor and not to the scene: it stands at the same pixels of two images.

Hot pixels, the grid of block compression and areas that show nothing stay where they are while the
scene moves. Where nothing moves, stars, dots and paper look the same as they: what is found here
only *may* belong to the sensor. Whether it loses its vote is decided where it is known whether
another motion has evidence without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane, Vector
from align_cli.engine.images.block_grid import BlockGrid, block_grid, without_block_edges
from align_cli.engine.images.constant_areas import constant_areas
from align_cli.engine.images.isolated_pixels import isolated_pixels

CHANCE: Final = 1e-3
"""Spots count where so many common pixels, or more, of two unrelated sets are less likely."""

COMMON_OUTLINE: Final = 0.9
"""Share of an area's outline that both images have near the same pixels. Mounts, bars, rims and
round fields of view under noise have 0.99 to 1; paper, sky and dark moved by 5 pixels 0.1 to
0.75."""

NEAR: Final = 2
"""Pixels that an outline may differ: noise and the scene shift it where the area's edge is soft."""

STILL: Final = 0.25
"""Pixels that an outline may move as a whole. Round fields of view, their edges blurred by up to
6 pixels, noise of 1 to 4 grey levels, with JPEG and without, moved 0.2 at most while the scene
moved 13; paper, sky and dark moved by (0.3, 0.2) pixels 0.35 and more, by a pixel 0.9 and more."""

LITTLE: Final = 0.05
"""Share of the information on a motion that is added to that along either axis."""

LEAST_AREA: Final = 1e-3
"""Share of the image that an area takes at least: short outlines agree by chance."""

WIDEST_RIM: Final = 16
"""Pixels that the edge of an area may be wide."""

EDGE_LEFT: Final = 0.05
"""An area's edge has ended where the mean of the image around it changes from one pixel to the next
by less than this share of its height."""

_NEIGHBOURS: Final = np.ones((3, 3), np.uint8)
_SPOT_SIDE: Final = 5
_MASK_SMOOTHING: Final = 5, 5


@dataclass(frozen=True)
class FixedPattern:
    """What stands at the same pixels of both images; the same in both, so it has no role.

    Attributes:
        isolated: (height, width) bool, hot and cold pixels and spots; None where there are none.
        grid: the block grid, or None.
        areas: (height, width) bool, constant areas; None where there are none.
        edges: (height, width) bool, the edges of those areas, as wide as they are in the images;
            None where there are no areas.
    """

    isolated: Mask | None = None
    grid: BlockGrid | None = None
    areas: Mask | None = None
    edges: Mask | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return self.isolated is None and self.grid is None and self.areas is None

    @property
    def share(self) -> float:
        """Share of the image's pixels that are spots, areas or their edges; a grid has none."""
        masks = [mask for mask in (self.isolated, self.areas, self.edges) if mask is not None]
        return float(np.logical_or.reduce(masks).mean()) if masks else 0.0


def fixed_pattern(
    source: Plane,
    target: Plane,
    *,
    source_valid: Mask | None = None,
    target_valid: Mask | None = None,
    source_nodata: float | None = None,
    target_nodata: float | None = None,
) -> FixedPattern:
    """What may belong to the sensor; nothing where the images differ in size.

    Args:
        source: (height, width) float32, finite, in any unit.
        target: the same.
        source_valid: (height, width) bool, or None where every pixel is valid.
        target_valid: the same.
        source_nodata: the value that the source's file declares to be no measurement, or None.
        target_nodata: the same of the target's.
    """
    if source.shape != target.shape:
        return FixedPattern()
    areas = constant_areas(target, target_nodata, target_valid)
    common = None
    if areas.any():
        common = _common_areas(constant_areas(source, source_nodata, source_valid), areas)
    return FixedPattern(
        _common_spots(source, target, source_valid, target_valid),
        _common_grid(source, target),
        common,
        None if common is None else _edges(source, target, common),
    )


def without_fixed_pattern(
    plane: Plane, valid: Mask | None, pattern: FixedPattern
) -> tuple[Plane, Mask | None]:
    """An image without it, and where it is valid then.

    Spots become the median of the pixels around them, block edges lose their step, areas and their
    edges become invalid. The mask ends where the edge ends in the image: what a filter carries
    further is left to ``pyramid.within_reach``, as at any other invalid pixel.

    Args:
        plane: (height, width) float32, one of the two images.
        valid: (height, width) bool, or None where every pixel is valid.
        pattern: what ``fixed_pattern`` says of the pair.
    """
    if pattern.isolated is not None:
        plane = _without_spots(plane, pattern.isolated)
    if pattern.grid is not None:
        plane = without_block_edges(plane, pattern.grid)
    if pattern.areas is not None and pattern.edges is not None:
        outside = ~(pattern.areas | pattern.edges)
        valid = outside if valid is None else valid & outside
    return plane, valid


def _common_spots(
    source: Plane, target: Plane, source_valid: Mask | None, target_valid: Mask | None
) -> Mask | None:
    """Isolated pixels at the same place of both, if they are more than chance would have."""
    of_target = isolated_pixels(target, target_valid)
    count_target = np.count_nonzero(of_target)
    if not count_target:
        return None
    common = isolated_pixels(source, source_valid)
    expected = count_target * np.count_nonzero(common) / common.size
    common &= of_target
    return common if _unlikely(int(np.count_nonzero(common)), expected) else None


def _unlikely(count: int, expected: float) -> bool:
    """Whether chance reaches this count less often than ``CHANCE`` (Chernoff's bound, Poisson)."""
    if count <= expected:
        return False
    return count - expected + count * log(expected / count) < log(CHANCE)


def _common_grid(source: Plane, target: Plane) -> BlockGrid | None:
    """The grid that both have, with the strength of the weaker, or None."""
    of_target = block_grid(target)
    of_source = None if of_target is None else block_grid(source)
    if of_target is None or of_source is None or of_source.phase != of_target.phase:
        return None
    return min(of_source, of_target, key=lambda grid: grid.strength)


def _common_areas(source: Mask, target: Mask) -> Mask | None:
    """The parts of two areas whose outline stands still, too.

    Paper lies under both images wherever neither has a letter, but its outline is that of the
    letters, and moves with them.
    """
    common = source & target
    if not common.any():
        return None
    count, numbered = cv2.connectedComponents(common.view(np.uint8), connectivity=4)
    labels = np.asarray(numbered, np.int32)
    inside = _eroded(common, 1)
    y, x = np.nonzero(common & ~inside)
    outline = labels[y, x]
    length = np.bincount(outline, minlength=count)
    interior = np.bincount(labels[inside], minlength=count)
    # A mosaic's dark pixels stay, too, but they are an area's outline without the area.
    fixed = (length > 0) & (interior >= np.maximum(length, LEAST_AREA * labels.size))
    fixed[0] = False
    if not fixed.any():
        return None
    near = ~(_eroded(source, 1 + NEAR) | _eroded(target, 1 + NEAR))[y, x]
    agreed = np.bincount(outline, near, minlength=count)
    fixed &= agreed >= COMMON_OUTLINE * length
    fixed &= _outline_motion(source, target, (x, y), outline, count) <= STILL
    areas = fixed[labels]
    return areas if areas.any() else None


def _eroded(area: Mask, pixels: int) -> Mask:
    """An area without what lies so near to its outline; beyond the image's border it goes on."""
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

    A step of Lucas and Kanade between the masks: noise moves an outline to and fro, a motion moves
    all of it.

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
    # Only the difference of the masks is needed where they are looked at, and their mean's slope.
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, width - 1)
    above, below = np.maximum(y - 1, 0), np.minimum(y + 1, height - 1)
    slope_x = sum(mask[y, right] - mask[y, left] for mask in (before, after)) / 4.0
    slope_y = sum(mask[below, x] - mask[above, x] for mask in (before, after)) / 4.0
    change = before[y, x] - after[y, x]

    def total(values: NDArray[Any]) -> Vector:
        return np.asarray(np.bincount(labels, values, minlength=count), np.float64)

    xx, xy, yy = total(slope_x**2), total(slope_x * slope_y), total(slope_y**2)
    right_x, right_y = total(slope_x * change), total(slope_y * change)
    # A straight outline says nothing of a motion along itself.
    known_little = LITTLE * (xx + yy)
    xx, yy = xx + known_little, yy + known_little
    determinant = np.maximum(xx * yy - xy * xy, np.finfo(np.float64).tiny)
    motion_x = (yy * right_x - xy * right_y) / determinant
    motion_y = (xx * right_y - xy * right_x) / determinant
    return np.asarray(np.hypot(motion_x, motion_y), np.float64)


def _edges(source: Plane, target: Plane, areas: Mask) -> Mask:
    """What lies around areas, as far as their edge reaches in either image.

    The scene around an area has texture, but the mean of many pixels has little of it left.
    """
    grown: NDArray[np.uint8] = areas.view(np.uint8)
    shells = []
    means: list[tuple[float, ...]] = []
    before = _means((source, target), grown)
    for _ in range(WIDEST_RIM + 2):
        wider = np.asarray(cv2.dilate(grown, _NEIGHBOURS), np.uint8)
        shells.append(wider)
        shell = wider - grown
        if not shell.any():
            break
        means.append(_means((source, target), shell))
        grown = wider
        if len(means) > 1 and _flat(before, means[-2], means[-1]):
            break
    return (shells[max(len(means) - 2, 0)] > 0) & ~areas


def _means(planes: tuple[Plane, ...], mask: NDArray[np.uint8]) -> tuple[float, ...]:
    return tuple(cv2.mean(plane, mask)[0] for plane in planes)


def _flat(area: tuple[float, ...], last: tuple[float, ...], now: tuple[float, ...]) -> bool:
    """Whether the means of a shell differ little from those of the shell before it."""
    return all(
        abs(outer - inner) <= EDGE_LEFT * abs(outer - level)
        for level, inner, outer in zip(area, last, now, strict=True)
    )


def _without_spots(plane: Plane, spots: Mask) -> Plane:
    """The image with its spots replaced by the median of the other pixels of 5x5 around them."""
    height, width = plane.shape
    y, x = np.nonzero(spots)
    offset = np.arange(_SPOT_SIDE) - _SPOT_SIDE // 2
    rows = np.clip(y[:, None, None] + offset[:, None], 0, height - 1)
    columns = np.clip(x[:, None, None] + offset, 0, width - 1)
    around = np.where(spots[rows, columns], np.float32(np.nan), plane[rows, columns])
    clean = plane.copy()
    clean[y, x] = np.nanmedian(around.reshape(y.size, -1), axis=1)
    return clean
