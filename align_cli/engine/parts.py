"""Sampling an image of which only the part that is looked at is made.

A large image need not be held converted or enlarged as a whole: a strip of the target looks at a
small part of the source, which is made when it is asked for and thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from align_cli.engine.arrays import Image, Matrix, Plane
from align_cli.engine.coordinates import Size
from align_cli.engine.luma import LargeLuma, Luma
from align_cli.engine.sampling import offset_origin, resample, sample

Part = tuple[slice, slice]
"""Rows and columns of an image."""

LARGEST_SHARE: Final = 2.0
"""A window whose part of the image is larger than this many times what it needs is halved: turned
by 45 degrees, a strip as wide as the image would need half of it."""

SMALL_PART: Final = 1 << 16
"""A part of no more pixels is not worth halving."""

_NARROWEST: Final = 16


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
    width, height = size
    (left, top), (right, bottom), covered = _reached(warp, image_size, size, reach)
    # The window itself covers more where the image is reduced.
    scale = max(1.0, math.sqrt(covered / max((width - 1) * (height - 1), 1)))
    wanted = (scale * width + 2 * reach) * (scale * height + 2 * reach)
    most = max(LARGEST_SHARE * wanted, SMALL_PART)
    if (right - left) * (bottom - top) > most and max(size) > _NARROWEST:
        across = height > width
        middle = max(size) // 2
        first_half, rest = slice(0, middle), slice(middle, None)
        for rows_or_columns in (first_half, rest):
            there = np.s_[rows_or_columns, :] if across else np.s_[:, rows_or_columns]
            part_out = out[there]
            half = part_out.shape[1], part_out.shape[0]
            origin = (0.0, rows_or_columns.start) if across else (rows_or_columns.start, 0.0)
            sample_parts(
                part_of,
                image_size,
                offset_origin(warp, *origin),
                half,
                out=part_out,
                reach=reach,
                finer=finer,
                replicate=replicate,
            )
        return
    part = part_of((slice(top, bottom), slice(left, right)))
    to_part = offset_origin(warp, 0.0, 0.0)
    to_part[0] -= left * warp[2]
    to_part[1] -= top * warp[2]
    to_part[:2] *= finer
    if part.shape[2:] != (1,) and out.flags.c_contiguous:
        resample(part, to_part, size, out=out, replicate=replicate)
    else:
        out[...] = resample(part, to_part, size, replicate=replicate).reshape(out.shape)


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
        low, high = max(min(along), -1.0), min(max(along), float(side))
        begin = min(max(math.floor(low) - reach, 0), side - 1)
        first.append(begin)
        end.append(min(max(math.ceil(high) + reach + 1, begin + 1), side))
    return (first[0], first[1]), (end[0], end[1]), abs(covered)


def sample_luma(luma: Luma, warp: Matrix, size: Size) -> Plane:
    """Values of an image's luma at the warped pixels of a window, its border replicated."""
    if not isinstance(luma, LargeLuma):
        return sample(luma.plane, warp, size, replicate=True)
    out = np.empty(size[::-1], np.float32)
    sample_parts(luma.part, luma.size, warp, size, out=out, replicate=True)
    return out
