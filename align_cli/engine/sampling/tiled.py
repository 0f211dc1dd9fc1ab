"""Tiled sampling: only the part of an image that a window needs is computed.

A large image need not be converted or upsampled as a whole: a strip of the target needs a small
part of the source, which is computed on demand and discarded.
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

LARGEST_AREA_RATIO: Final = 2.0
"""A window is halved if the bounding box of its part of the image exceeds the area that it needs by
this factor: rotated by 45 degrees, a strip as wide as the image would need half of it."""

SMALL_PART: Final = 1 << 16
"""Number of pixels of a part up to which its window is not halved."""

_NARROWEST: Final = 16
"""Pixels along the longer side of a window that is not halved any more."""


class Window(NamedTuple):
    """A part of a window, and the part of an image that it needs."""

    rows: slice
    columns: slice
    part: Part

    @property
    def size(self) -> Size:
        """(width, height) of the part of the window."""
        return self.columns.stop - self.columns.start, self.rows.stop - self.rows.start


def windows(image_size: Size, warp: Matrix, size: Size, *, reach: int = 1) -> Iterator[Window]:
    """The parts into which a window is divided, so that each needs a small part of the image.

    Args:
        image_size: (width, height) of the whole image.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        reach: reach of the interpolation, in pixels.
    """
    yield from _cut(image_size, warp, slice(0, size[1]), slice(0, size[0]), reach)


def _cut(
    image_size: Size, warp: Matrix, rows: slice, columns: slice, reach: int
) -> Iterator[Window]:
    width, height = columns.stop - columns.start, rows.stop - rows.start
    part_warp = offset_origin(warp, columns.start, rows.start)
    (left, top), (right, bottom), covered = _reached(part_warp, image_size, (width, height), reach)
    # A window of a reduced image covers a larger area.
    scale = max(1.0, math.sqrt(covered / max((width - 1) * (height - 1), 1)))
    wanted = (scale * width + 2 * reach) * (scale * height + 2 * reach)
    most = max(LARGEST_AREA_RATIO * wanted, SMALL_PART)
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
    """``bilinear.sample`` of an image that ``part_of`` computes, part by part.

    Args:
        part_of: returns a part of the image, on a grid ``finer`` times as fine, of a kind that
            ``bilinear.resample`` takes, or with an axis of one channel.
        image_size: (width, height) of the whole image.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width, ...) of the same dtype and channels.
        reach: reach of the interpolation, in pixels.
        finer: see ``part_of``.
        replicate: as in ``bilinear.sample``.
    """
    for window in windows(image_size, warp, size, reach=reach):
        part = part_of(window.part)
        to_part = offset_origin(warp, window.columns.start, window.rows.start)
        rows, columns = window.part
        to_part[0] -= columns.start * to_part[2]
        to_part[1] -= rows.start * to_part[2]
        to_part[:2] *= finer
        destination = out[window.rows, window.columns]
        if part.shape[2:] != (1,) and destination.flags.c_contiguous:
            resample(part, to_part, window.size, out=destination, replicate=replicate)
        else:
            destination[...] = resample(part, to_part, window.size, replicate=replicate).reshape(
                destination.shape
            )


def _reached(
    warp: Matrix, image_size: Size, size: Size, reach: int
) -> tuple[tuple[int, int], tuple[int, int], float]:
    """The part of an image that a window needs: first column and row, end column and row.

    Third is the area in pixels that it covers, approximately.
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
