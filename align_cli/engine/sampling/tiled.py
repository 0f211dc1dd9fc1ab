"""Sampling an image of which only the part that is looked at is made.

A large image need not be held converted or enlarged as a whole: a strip of the target looks at a
small part of the source, which is made when it is asked for and thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from align_cli.engine.arrays import Image, Matrix
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.sampling.bilinear import offset_origin, resample

Part = tuple[slice, slice]
"""Rows and columns of an image."""

LARGEST_SHARE: Final = 2.0
"""A window whose part of the image is larger than this many times what it needs is halved: turned
by 45 degrees, a strip as wide as the image would need half of it."""

SMALL_PART: Final = 1 << 16
"""A part of no more pixels is not worth halving."""

_NARROWEST: Final = 16


class Window(NamedTuple):
    """A part of a window, and the part of an image in which all lies that it looks at."""

    rows: slice
    columns: slice
    part: Part

    @property
    def size(self) -> Size:
        """(width, height) of the part of the window."""
        return self.columns.stop - self.columns.start, self.rows.stop - self.rows.start


def windows(image_size: Size, warp: Matrix, size: Size, *, reach: int = 1) -> Iterator[Window]:
    """A window, cut so that each part looks at little more of an image than it needs.

    Args:
        image_size: (width, height) of the whole image.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        reach: pixels around a place that its value is made from.
    """
    yield from _cut(image_size, warp, slice(0, size[1]), slice(0, size[0]), reach)


def _cut(
    image_size: Size, warp: Matrix, rows: slice, columns: slice, reach: int
) -> Iterator[Window]:
    width, height = columns.stop - columns.start, rows.stop - rows.start
    there = offset_origin(warp, columns.start, rows.start)
    (left, top), (right, bottom), covered = _reached(there, image_size, (width, height), reach)
    # The window itself covers more where the image is reduced.
    scale = max(1.0, math.sqrt(covered / max((width - 1) * (height - 1), 1)))
    wanted = (scale * width + 2 * reach) * (scale * height + 2 * reach)
    most = max(LARGEST_SHARE * wanted, SMALL_PART)
    if (right - left) * (bottom - top) <= most or max(width, height) <= _NARROWEST:
        yield Window(rows, columns, (slice(top, bottom), slice(left, right)))
        return
    along = rows if height > width else columns
    middle = (along.start + along.stop) // 2
    for half in (slice(along.start, middle), slice(middle, along.stop)):
        part = (half, columns) if height > width else (rows, half)
        yield from _cut(image_size, warp, *part, reach)


def sample_parts(
    part_of: Callable[[Part], Image],
    image_size: Size,
    warp: Matrix,
    size: Size,
    *,
    out: Image,
    reach: int = 1,
    finer: int = 1,
    replicate: bool = False,
) -> None:
    """``sampling.sample`` of an image that ``part_of`` makes, part by part.

    Args:
        part_of: returns a part of the image, on a grid ``finer`` times as fine, of a kind that
            ``sampling.resample`` takes; an axis of one channel may be there.
        image_size: (width, height) of the whole image.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width, ...) of the same dtype and channels.
        reach: pixels around a place that its value is made from.
        finer: see ``part_of``.
        replicate: as in ``sampling.sample``.
    """
    for window in windows(image_size, warp, size, reach=reach):
        part = part_of(window.part)
        to_part = offset_origin(warp, window.columns.start, window.rows.start)
        rows, columns = window.part
        to_part[0] -= columns.start * to_part[2]
        to_part[1] -= rows.start * to_part[2]
        to_part[:2] *= finer
        there = out[window.rows, window.columns]
        if part.shape[2:] != (1,) and there.flags.c_contiguous:
            resample(part, to_part, window.size, out=there, replicate=replicate)
        else:
            there[...] = resample(part, to_part, window.size, replicate=replicate).reshape(
                there.shape
            )


def _reached(
    warp: Matrix, image_size: Size, size: Size, reach: int
) -> tuple[tuple[int, int], tuple[int, int], float]:
    """What a window reaches of an image: first column and row, end column and row.

    Third is the area in pixels that it covers, about.
    """
    (a, b, c), (d, e, f), (g, h, i) = warp.tolist()
    xs, ys = [], []
    for x, y in (
        (0.0, 0.0),
        (size[0] - 1.0, 0.0),
        (0.0, size[1] - 1.0),
        (size[0] - 1.0, size[1] - 1.0),
    ):
        w = g * x + h * y + i
        xs.append((a * x + b * y + c) / w if w else 0.0)
        ys.append((d * x + e * y + f) / w if w else 0.0)
    covered = (xs[1] - xs[0]) * (ys[2] - ys[0]) - (ys[1] - ys[0]) * (xs[2] - xs[0])
    first, end = [], []
    for along, side in zip((xs, ys), image_size, strict=True):
        low, high = (min(max(each, -1.0), float(side)) for each in (min(along), max(along)))
        first.append(max(math.floor(low) - reach, 0))
        end.append(min(math.ceil(high) + reach + 1, side))
    return (first[0], first[1]), (end[0], end[1]), abs(covered)
