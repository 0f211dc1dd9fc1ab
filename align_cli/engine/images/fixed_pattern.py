"""The fixed pattern of a sensor: what is at the same raw pixels of two images.

Hot pixels, the grid of block compression and areas without content are static while the scene
moves. If nothing moves, stars, dots and paper look the same: what is found here only *may* belong
to the sensor. Whether it is excluded is decided by the evidence for another motion without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.images.block_grid import PERIOD, BlockGrid, block_grid, without_block_edges
from align_cli.engine.images.captions import brightest_pixels, common_captions, darkest_pixels
from align_cli.engine.images.common_areas import LEAST_AREA, area_edges, common_areas
from align_cli.engine.images.constant_areas import constant_areas
from align_cli.engine.images.isolated_pixels import LARGEST_SPOT, isolated_pixels
from align_cli.engine.images.luma import Luma
from align_cli.engine.numerics.samples import SAMPLE_PIXELS

FEWEST_STRIPS: Final = 3
"""Least number of strips, and their rows, that are examined before the whole image."""
STRIP_ROWS: Final = 24
"""see ``FEWEST_STRIPS``"""

LEAST_COMMON_SHARE: Final = 0.01
"""Least share of evenly spaced pixels, ``SAMPLE_PIXELS`` of them, in areas of both images, before
the whole image is examined. The least area of ``benchmarks.sensor`` is 0.03 of the image."""

SIGNIFICANCE: Final = 1e-3
"""p-value of the number of common spots of two unrelated sets, up to which they are a fixed
pattern."""

_SPOT_SIDE: Final = LARGEST_SPOT + 2
"""Of the largest spot with a pixel on each side."""


@dataclass(frozen=True)
class FixedPattern:
    """What is at the same raw pixels of both images.

    Attributes:
        isolated: (height, width) bool, hot and cold pixels and spots; None if there are none.
        grid: the block grid, or None.
        areas: (height, width) bool, constant areas; None if there are none.
        edges: (height, width) bool, the edges of those areas, as wide as they are in the images;
            None if there are no areas.
    """

    isolated: Mask | None = None
    grid: BlockGrid | None = None
    areas: Mask | None = None
    edges: Mask | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no pattern."""
        return self.isolated is None and self.grid is None and self.areas is None

    @property
    def share(self) -> float:
        """Share of the image's pixels that are spots, areas or their edges; a grid has none."""
        masks = [mask for mask in (self.isolated, self.areas, self.edges) if mask is not None]
        return float(np.logical_or.reduce(masks).mean()) if masks else 0.0


class Kinds(NamedTuple):
    """Kinds of fixed patterns.

    Attributes:
        spots: isolated pixels.
        grid: the edges of compressed blocks.
        areas: constant areas.
        captions: opaque marks within the image.
    """

    spots: bool = True
    grid: bool = True
    areas: bool = True
    captions: bool = True


def suspected_kinds(source: Luma, target: Luma, *, pixels: int = 0) -> Kinds:
    """The kinds of fixed patterns that parts of two images show.

    In a fraction of the time of ``fixed_pattern``: spots and block edges are searched in strips of
    rows, areas at evenly spaced pixels. What is in none of them is too small to mislead.

    Args:
        source: the source; of a large one only those parts are converted.
        target: the same of the target.
        pixels: of the strips, of which there are at least ``FEWEST_STRIPS``.
    """
    if source.size != target.size:
        return Kinds(spots=False, grid=False, areas=False, captions=False)
    width, height = target.size
    rows = _strips(height, max(FEWEST_STRIPS, math.ceil(pixels / (STRIP_ROWS * width))))
    some = [image.part((rows, slice(None))) for image in (source, target)]
    known = [None if image.valid is None else image.valid[rows] for image in (source, target)]
    spaced = _spaced(target), _spaced(source)
    return Kinds(
        spots=_common_spots(some[0], some[1], known[0], known[1]) is not None,
        grid=_common_grid(some[0], some[1]) is not None,
        areas=_share(constant_areas, LEAST_COMMON_SHARE, *spaced),
        captions=any(
            _share(marks, LEAST_AREA, *spaced) for marks in (darkest_pixels, brightest_pixels)
        ),
    )


def _spaced(image: Luma) -> tuple[Plane, Mask | None]:
    """Evenly spaced pixels of an image, and which of them are valid."""
    step = max(1, math.isqrt(math.prod(image.size) // SAMPLE_PIXELS))
    spaced = slice(None, None, step), slice(None, None, step)
    known = None if image.valid is None else np.ascontiguousarray(image.valid[spaced])
    return np.ascontiguousarray(image.part(spaced)), known


def _share(
    kind: Callable[[Plane, Mask | None], Mask], least: float, *images: tuple[Plane, Mask | None]
) -> bool:
    """Whether the masks of two images, each a plane and its valid pixels, overlap enough."""
    areas: Mask | None = None
    for plane, valid in images:
        found = kind(plane, valid)
        areas = found if areas is None else areas & found
        if areas.mean() < least:
            return False
    return True


def fixed_pattern(
    source: Plane,
    target: Plane,
    *,
    source_valid: Mask | None = None,
    target_valid: Mask | None = None,
    kinds: Kinds | None = None,
) -> FixedPattern:
    """What may belong to the sensor; nothing if the images differ in size.

    Args:
        source: (height, width) float32, finite, in any unit.
        target: the same.
        source_valid: (height, width) bool, or None where every pixel is valid.
        target_valid: the same.
        kinds: that are searched for; None for all.
    """
    if source.shape != target.shape:
        return FixedPattern()
    kinds, common = kinds or Kinds(), None
    if kinds.areas:
        areas = constant_areas(target, target_valid)
        if areas.any():
            common = common_areas(constant_areas(source, source_valid), areas)
    if kinds.captions:
        marks = common_captions(source, target, source_valid, target_valid)
        if marks is not None:
            common = marks if common is None else common | marks
    return FixedPattern(
        _common_spots(source, target, source_valid, target_valid) if kinds.spots else None,
        _common_grid(source, target) if kinds.grid else None,
        common,
        None if common is None else area_edges(source, target, common),
    )


def without_fixed_pattern(
    plane: Plane, valid: Mask | None, pattern: FixedPattern
) -> tuple[Plane, Mask | None]:
    """An image without the fixed pattern, and its valid pixels.

    Spots become the median of the pixels around them, block edges lose their step, areas and their
    edges become invalid. The mask ends where the edge ends in the image: the reach of a filter is
    left to ``pyramid.eroded_by_reach``, as at any other invalid pixel.

    Args:
        plane: (height, width) float32, one of the two images.
        valid: (height, width) bool, or None where every pixel is valid.
        pattern: the ``fixed_pattern`` of the pair.
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
    """Isolated pixels of either image, if significantly many are at the same place in both.

    Then one that only one image shows clearly is in the other too.
    """
    of_target = isolated_pixels(target, target_valid)
    count = int(np.count_nonzero(of_target))
    if not count:
        return None
    of_source = isolated_pixels(source, source_valid)
    both = int(np.count_nonzero(of_source & of_target))
    expected = count * int(np.count_nonzero(of_source)) / of_target.size
    return of_source | of_target if _unlikely(both, expected) else None


def _unlikely(count: int, expected: float) -> bool:
    """Whether a count is significantly above its expectation (Chernoff's bound, Poisson)."""
    if count <= expected:
        return False
    return count - expected + count * math.log(expected / count) < math.log(SIGNIFICANCE)


def _common_grid(source: Plane, target: Plane) -> BlockGrid | None:
    """The grid that both have, with the strength of the weaker, or None."""
    of_target = block_grid(target)
    of_source = None if of_target is None else block_grid(source)
    if of_target is None or of_source is None or of_source.phase != of_target.phase:
        return None
    return min(of_source, of_target, key=lambda grid: grid.strength)


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


def _strips(height: int, count: int) -> NDArray[np.intp]:
    """Rows of evenly spaced strips, aligned to blocks so that they keep the phase of the grid."""
    if height <= count * STRIP_ROWS:
        return np.arange(height)
    tops = np.linspace(0, height - STRIP_ROWS, count).astype(np.intp) // PERIOD * PERIOD
    return (tops[:, None] + np.arange(STRIP_ROWS)).ravel()
