"""Blocks of the target, each found again near where an answer lays it, and what most agree on.

An answer between two motions lies a few pixels off both. Each block for itself knows where it
belongs; and MAGSAC (Barath et al. 2019) finds the motions behind them, also where there are no
corners that features would need.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Matrix, Plane, Points
from align_cli.engine.coordinates import at_level, map_points
from align_cli.engine.pyramid import Level
from align_cli.engine.sampling import common, sample
from align_cli.engine.starts.motions import motions
from align_cli.engine.starts.views import Views

MOST_PIXELS: Final = (1 << 15, 1 << 17)
"""Of the levels that are looked at."""

BLOCK: Final = 16
REACH: Final = 8
"""Side of a block, and how far it is looked for each way, in pixels of the level."""

MOST_BLOCKS: Final = 512
LEAST_ZNCC: Final = 0.7
CLEARLY: Final = 0.7
"""A block counts if at its best place, and within ``NEIGHBOURS`` of it, it lacks less than this
share of what it lacks elsewhere to a ZNCC of 1."""
NEIGHBOURS: Final = 3

LEAST_CONTRAST: Final = 0.1
"""Blocks of a smaller share of the mean variance are not looked for."""


def guesses(views: Views, near: Matrix) -> Iterator[Matrix]:
    """Motions of the blocks around an answer, ``near``; warps, target -> source, at full size."""
    seen: set[int] = set()
    for pixels in MOST_PIXELS:
        level = views.reduced(pixels)
        if level is None or level in seen:
            continue
        seen.add(level)
        warp = at_level(near, level)
        here, there = moved(views.target[level], views.source[level], warp)
        for found in motions(views.model, here, map_points(warp, there), views.target[level].size):
            yield at_level(found.warp, -level)


def moved(target: Level, source: Level, warp: Matrix) -> tuple[Points, Points]:
    """(n, 2) centres of blocks of the target, and where on its grid the warped source shows them.

    Args:
        target: a level of the target.
        source: the same level of the source.
        warp: target pixel -> source pixel, of this level.
    """
    image = np.asarray(target.image, np.float32)
    inside = common(source, target, warp, margin=1.0)
    warped = np.asarray(sample(source.image, warp, target.size, replicate=True), np.float32)
    width, height = target.size
    far = BLOCK + REACH
    corners = [
        (y, x)
        for y in range(REACH, height - far + 1, BLOCK)
        for x in range(REACH, width - far + 1, BLOCK)
        if inside[y : y + BLOCK, x : x + BLOCK].all()
    ]
    variances = np.array([image[y : y + BLOCK, x : x + BLOCK].var() for y, x in corners])
    least = LEAST_CONTRAST * float(variances.mean()) if corners else 0.0
    corners = [corner for corner, one in zip(corners, variances, strict=True) if one > least]
    picked = np.linspace(0, len(corners) - 1, min(len(corners), MOST_BLOCKS)).astype(np.intp)
    here, there = [], []
    for y, x in (corners[index] for index in picked):
        around = warped[y - REACH : y + far, x - REACH : x + far]
        block = image[y : y + BLOCK, x : x + BLOCK]
        zncc = cv2.matchTemplate(around, block, cv2.TM_CCOEFF_NORMED)
        shift = _best_shift(np.asarray(zncc, np.float32))
        if shift is not None:
            centre = x + 0.5 * (BLOCK - 1), y + 0.5 * (BLOCK - 1)
            here.append(centre)
            there.append((centre[0] + shift[0], centre[1] + shift[1]))
    return np.array(here).reshape(-1, 2), np.array(there).reshape(-1, 2)


def _best_shift(zncc: Plane) -> tuple[float, float] | None:
    """(x, y) of the peak of a block's correlation, None where none stands out."""
    row, column = divmod(int(zncc.argmax()), zncc.shape[1])
    best, last = float(zncc[row, column]), len(zncc) - 1
    if best < LEAST_ZNCC or not (0 < row < last and 0 < column < last):
        return None
    rest = zncc.copy()
    near = np.s_[
        max(0, row - NEIGHBOURS) : row + NEIGHBOURS + 1,
        max(0, column - NEIGHBOURS) : column + NEIGHBOURS + 1,
    ]
    rest[near] = -1.0
    if 1.0 - best >= CLEARLY * (1.0 - float(rest.max())):
        return None
    x = column - REACH + _vertex(zncc[row, column - 1 : column + 2])
    y = row - REACH + _vertex(zncc[row - 1 : row + 2, column])
    return x, y


def _vertex(three: Plane) -> float:
    """Where the parabola through a peak and its neighbours is highest, from the peak."""
    low, middle, high = (float(each) for each in three)
    bend = low - 2.0 * middle + high
    return 0.5 * (low - high) / bend if bend < 0.0 else 0.0
