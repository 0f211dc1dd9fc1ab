"""Evenly spaced rows of square tiles of a level, from which the covariance is estimated."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.numerics.row_bands import Bands

TILE_PX: Final = 12
"""Side of the tiles: smoothing correlates noise over 3 px. A band holds a whole number of tiles."""

GROUP_PIXELS: Final = 1 << 13
FEWEST_GROUPS: Final = 4
"""Rows of tiles are sampled in groups of ``GROUP_PIXELS`` (at least one row of tiles), of large
images in at least ``FEWEST_GROUPS`` groups."""


class TileRows(NamedTuple):
    """A sample of the rows of a level's planes that contains rows of tiles.

    Attributes:
        runs: consecutive rows of the planes for each group of rows of tiles, padded by one row on
            each side if there is one, so that central differences exist in all others.
        rows: (h,) the same as indices.
        own: (h,) bool, the rows of the tiles, without the padding.
        edges: indices into ``rows`` of the first and the last row of each run.
        tiles: (2, n), indices into ``rows`` of the first and the last of each row of tiles.
    """

    runs: list[slice]
    rows: NDArray[np.intp]
    own: NDArray[np.bool_]
    edges: NDArray[np.intp]
    tiles: NDArray[np.intp]


def rows_of_tiles(bands: Bands, width: int, most_pixels: int) -> TileRows:
    """Evenly spaced rows of tiles.

    Args:
        bands: the rows that the planes hold.
        width: of the planes, in pixels.
        most_pixels: number of pixels, about, that are sampled from large planes.
    """
    height = bands.count * bands.rows
    of_group = max(GROUP_PIXELS // (TILE_PX * width), 1)
    groups = bands.cut(of_group * TILE_PX, multiple=TILE_PX)
    step = max(1, min(round(height * width / most_pixels), len(groups) // FEWEST_GROUPS))
    runs: list[slice] = []
    own: list[NDArray[np.bool_]] = []
    tiles: list[NDArray[np.intp]] = []
    ends = [0]
    for group in groups[step // 2 :: step]:
        first = group.start // bands.rows * bands.rows
        run = slice(max(group.start - 1, first), min(group.stop + 1, first + bands.rows))
        tops = np.arange(group.start, group.stop, TILE_PX)
        bottoms = np.minimum(tops + TILE_PX, group.stop) - 1
        tiles.append(np.stack([tops, bottoms]) + (ends[-1] - run.start))
        runs.append(run)
        row = np.arange(run.start, run.stop)
        own.append((row >= group.start) & (row < group.stop))
        ends.append(ends[-1] + len(row))
    return TileRows(
        runs,
        np.concatenate([np.arange(run.start, run.stop) for run in runs]),
        np.concatenate(own),
        np.array([*ends[:-1], *(end - 1 for end in ends[1:])]),
        np.concatenate(tiles, axis=1),
    )
