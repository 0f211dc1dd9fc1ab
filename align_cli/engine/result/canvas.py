"""The canvas: the extent of the output in the target's plane, and its largest covered rectangle.

Both images are rectangles, and their overlap is a convex polygon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, corners, map_points, plausible
from align_cli.engine.images.luma import LARGEST_SIDE
from align_cli.engine.sampling.bilinear import SLACK_PX, offset_origin, row_intervals

Rectangle = tuple[int, int, int, int]
"""x and y of the first pixel, width and height, in pixels of the target."""

_MIRROR: Final = np.diag([-1.0, 1.0, 1.0])
_ROLE: Final = "canvas"

_MOST_ROWS: Final = 128
"""Rows of the target that are tested at once as ends of the inner rectangle."""


class Canvas(NamedTuple):
    """A grid of pixels that extends the target's.

    Attributes:
        name: one of ``CANVASES``.
        offset: (x, y), the target's pixel at the canvas's pixel (0, 0).
        size: (width, height).
    """

    name: str
    offset: tuple[int, int]
    size: Size

    def placed(self, plane: NDArray[Any], fill: float) -> NDArray[Any]:
        """A plane on the target's grid, (height, width), cut out or extended to the canvas.

        ``fill`` is the value of the pixels that the target does not have.
        """
        height, width = plane.shape
        if self.offset == (0, 0) and self.size == (width, height):
            return plane
        (x, y), (canvas_width, canvas_height) = self.offset, self.size
        placed = np.full((canvas_height, canvas_width), fill, plane.dtype)
        left, right = max(0, x), min(width, x + canvas_width)
        top, bottom = max(0, y), min(height, y + canvas_height)
        if left < right and top < bottom:
            placed[top - y : bottom - y, left - x : right - x] = plane[top:bottom, left:right]
        return placed

    def warp(self, target_to_source: Matrix) -> Matrix:
        """The warp canvas pixel -> source pixel.

        Raises:
            ImageError: if the horizon of the transform crosses the canvas.
        """
        moved = target_to_source
        if self.offset != (0, 0):
            moved = offset_origin(target_to_source, *map(float, self.offset))
        upright = _MIRROR @ moved if np.linalg.det(moved) < 0.0 else moved
        if moved[2, 2] <= 0.0 or not plausible(upright, self.size):
            raise ImageError(
                f"the horizon of the transform crosses the canvas {self.name}, where the output is "
                "undefined; choose another canvas or a smaller size",
                role=_ROLE,
            )
        return moved


def place_canvas(
    name: str,
    source_to_target: Matrix,
    target_to_source: Matrix,
    *,
    source_size: Size,
    target_size: Size,
    most_pixels: float,
) -> Canvas:
    """The canvas of a name for a transform between two sizes.

    Args:
        name: one of ``CANVASES``.
        source_to_target: (3, 3); its horizon must not cross the source.
        target_to_source: its inverse.
        source_size: (width, height).
        target_size: (width, height).
        most_pixels: largest number of pixels.

    Raises:
        ImageError: if the canvas would be too large, or would have no pixel.
    """
    rectangle = CANVASES[name](source_to_target, target_to_source, source_size, target_size)
    if rectangle is None:
        raise ImageError("source and target do not overlap: the canvas would be empty", role=_ROLE)
    left, top, width, height = rectangle
    if max(width, height) > LARGEST_SIDE or width * height > most_pixels:
        raise ImageError(
            f"the canvas {name} would have {width} x {height} px "
            f"({width * height / 1e6:.1f} megapixels); the limit is {most_pixels / 1e6:g} "
            f"megapixels and {LARGEST_SIDE} px per side; choose another canvas, or raise "
            "--max-megapixels",
            role=_ROLE,
        )
    return Canvas(name, (left, top), (width, height))


def _target(
    source_to_target: Matrix, target_to_source: Matrix, source_size: Size, target_size: Size
) -> Rectangle:
    return 0, 0, *target_size


def _source(
    source_to_target: Matrix, target_to_source: Matrix, source_size: Size, target_size: Size
) -> Rectangle:
    moved = map_points(source_to_target, corners(source_size))
    # With a tolerance, so that rounding does not move a corner off its pixel.
    low = np.ceil(moved.min(axis=0) - SLACK_PX)
    high = np.floor(moved.max(axis=0) + SLACK_PX)
    # A source between pixels of the target has at least one.
    low, high = np.minimum(low, high), np.maximum(low, high)
    return int(low[0]), int(low[1]), int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1


def _union(
    source_to_target: Matrix, target_to_source: Matrix, source_size: Size, target_size: Size
) -> Rectangle:
    left, top, width, height = _source(source_to_target, target_to_source, source_size, target_size)
    right, bottom = max(left + width, target_size[0]), max(top + height, target_size[1])
    left, top = min(left, 0), min(top, 0)
    return left, top, right - left, bottom - top


def _overlap(
    source_to_target: Matrix, target_to_source: Matrix, source_size: Size, target_size: Size
) -> Rectangle | None:
    return inner_rectangle(target_to_source, target_size, source_size)


CANVASES: Final[dict[str, Callable[[Matrix, Matrix, Size, Size], Rectangle | None]]] = {
    "target": _target,
    "source": _source,
    "union": _union,
    "overlap": _overlap,
}
"""The target's grid; the whole source; both; the largest rectangle covered by both."""


def chosen(canvas: Canvas | None, target_size: Size) -> Canvas:
    """A canvas, by default the target's grid.

    Raises:
        TypeError: if it is something else, such as its name alone.
    """
    if canvas is None:
        return onto_target(target_size)
    if not isinstance(canvas, Canvas):
        raise TypeError(
            f"canvas must be a Canvas, not {type(canvas).__name__}; "
            'transform.canvas("union") makes one, of found.transform or of what load returns'
        )
    return canvas


def onto_target(size: Size) -> Canvas:
    """The canvas of the target's own grid."""
    return Canvas("target", (0, 0), size)


def covers(canvas: Canvas, target_to_source: Matrix, source_size: Size) -> bool:
    """Whether any pixel of a canvas lies in the source."""
    rows = np.arange(canvas.size[1], dtype=np.float64)
    warp = canvas.warp(target_to_source)
    first, end = row_intervals(warp, rows, canvas.size[0], source_size, 0.0)
    return bool((end > first).any())


def inner_rectangle(warp: Matrix, target_size: Size, source_size: Size) -> Rectangle | None:
    """The largest axis-aligned rectangle of target pixels covered by the source.

    Args:
        warp: (3, 3), target pixel -> source pixel.
        target_size: (width, height) of the target.
        source_size: the same of the source.

    Returns:
        (left, top, width, height) in target pixels; None if there is none.

    The width of the rectangle between two rows is that of the intersection of their intervals, so
    the area is the product of two concave functions of the rows and has a single maximum. A coarse
    search over all rows, refined around its result, finds it.
    """
    width, height = target_size
    first, end = row_intervals(warp, np.arange(height, dtype=np.float64), width, source_size, 0.0)
    if not (end > first).any():
        return None
    inside = np.flatnonzero(end > first)
    step = max(1, -(-len(inside) // _MOST_ROWS))
    # The last row may occur twice, which is harmless.
    tops = bottoms = np.append(inside[::step], inside[-1])
    while True:
        top, bottom = _best(first, end, tops, bottoms)
        if step == 1:
            break
        # Between the neighbours of the result, at half the step.
        reach, step = 2 * step, max(1, step // 2)
        tops, bottoms = (
            np.arange(max(row - reach, inside[0]), min(row + reach, inside[-1]) + 1, step)
            for row in (top, bottom)
        )
    left, right = max(first[top], first[bottom]), min(end[top], end[bottom])
    return int(left), int(top), int(right - left), int(bottom - top + 1)


def _best(
    first: NDArray[np.intp],
    end: NDArray[np.intp],
    tops: NDArray[np.intp],
    bottoms: NDArray[np.intp],
) -> tuple[int, int]:
    """The top and bottom row, of those given, of the largest rectangle."""
    left = np.maximum(first[tops][:, None], first[bottoms])
    right = np.minimum(end[tops][:, None], end[bottoms])
    tall = np.maximum(bottoms - tops[:, None] + 1, 0)
    area = np.maximum(right - left, 0) * tall
    top, bottom = np.unravel_index(int(np.argmax(area)), area.shape)
    return int(tops[top]), int(bottoms[bottom])
