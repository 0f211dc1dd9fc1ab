"""Rows of square tiles of a level, evenly spaced, that tell how much the residuals scatter."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.numerics.row_bands import Bands

TILE_PX: Final = 12
"""Side of the tiles: noise that smoothing has correlated reaches 3 px. A band holds whole rows."""

GROUP_PIXELS: Final = 1 << 13
FEWEST_GROUPS: Final = 4
"""Rows of tiles are looked at in groups of so many pixels (a row of tiles at least), of large
images in no fewer groups than this."""


class TileRows(NamedTuple):
    """Some rows of the planes of a level, in which rows of tiles lie.

    Attributes:
        runs: the rows of the planes, one run of neighbours for each group of rows of tiles, with a
            row more on each side where there is one, so that an image has a gradient in all others.
        rows: (h,) the same as indices.
        own: (h,) bool, those of the tiles.
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
        width: of the planes.
        most_pixels: about how many pixels of large planes are looked at.
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
