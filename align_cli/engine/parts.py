"""Sampling an image of which only the part that is looked at is made.

A large image need not be held converted or enlarged as a whole: a strip of the target looks at a
small part of the source, which is made when it is asked for and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.coordinates import Size, map_points
from align_cli.engine.luma import LargeLuma, Luma
from align_cli.engine.sampling import offset_origin, sample

Part = tuple[slice, slice]
"""Rows and columns of an image."""

LARGEST_SHARE: Final = 2.0
"""A window whose part of the image is larger than this many times what it needs is halved: turned
by 45 degrees, a strip as wide as the image would need half of it."""

_NARROWEST: Final = 16


def sample_parts(
    part_of: Callable[[Part], NDArray[np.float32]],
    image_size: Size,
    warp: Matrix,
    size: Size,
    *,
    out: NDArray[np.float32],
    reach: int = 1,
    finer: int = 1,
    replicate: bool = False,
) -> None:
    """``sampling.sample`` of an image that ``part_of`` makes, part by part.

    Args:
        part_of: returns a part of the image, float32, on a grid ``finer`` times as fine; it may
            have up to four channels.
        image_size: (width, height) of the whole image.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width) float32, with the same channels.
        reach: pixels around a place that its value is made from.
        finer: see ``part_of``.
        replicate: as in ``sampling.sample``.
    """
    width, height = size
    ends = np.array([[x, y] for x in (0.0, width - 1.0) for y in (0.0, height - 1.0)])
    ends = np.nan_to_num(map_points(warp, ends))
    sides = np.array(image_size)
    first = np.clip(np.floor(ends.min(axis=0)) - reach, 0, sides - 1).astype(np.intp)
    end = np.clip(np.ceil(ends.max(axis=0)) + reach + 1, first + 1, sides).astype(np.intp)
    # The window itself covers more where the image is reduced.
    across, down = ends[2] - ends[0], ends[1] - ends[0]
    covered = abs(float(across[0] * down[1] - across[1] * down[0]))
    scale = max(1.0, np.sqrt(covered / max((width - 1) * (height - 1), 1)))
    wanted = (scale * width + 2 * reach) * (scale * height + 2 * reach)
    if np.prod(end - first) > LARGEST_SHARE * wanted and max(size) > _NARROWEST:
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
    (left, top), (right, bottom) = first, end
    part = part_of((slice(top, bottom), slice(left, right)))
    to_part = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]]) @ warp
    to_part = np.diag([finer, finer, 1.0]) @ to_part
    out[...] = sample(part, to_part, size, replicate=replicate).reshape(out.shape)


def sample_luma(luma: Luma, warp: Matrix, size: Size) -> Plane:
    """Values of an image's luma at the warped pixels of a window, its border replicated."""
    if not isinstance(luma, LargeLuma):
        return sample(luma.plane, warp, size, replicate=True)
    out = np.empty(size[::-1], np.float32)
    sample_parts(luma.part, luma.size, warp, size, out=out, replicate=True)
    return out
