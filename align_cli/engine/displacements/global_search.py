"""Search of the whole overlap for tiles that have no match near zero displacement.

One tile matches somewhere in a large image by chance; many with a common displacement do not.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np

from align_cli.engine.displacements.fit import Matches
from align_cli.engine.displacements.motions import motions
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.displacements.windows import Windows

MOST_TILES: Final = 40
"""Tiles that are searched for, evenly spaced: a search takes milliseconds."""

FIRST_TILES: Final = 12
"""Tiles that are searched for first; if none of them has a match, the others are not searched. A
motion that a quarter of the tiles share is missed in 3 of 100 pairs, one that half share in 1 of
4,000."""


def far_motion(
    windows: Windows, tiles: Tiles, level: int
) -> tuple[float, tuple[float, float] | None]:
    """The motion that most of some unmatched tiles share, anywhere in the overlap.

    Args:
        windows: of a level.
        tiles: without a match near zero displacement.
        level: its number.

    Returns:
        The share of these tiles that have it, and their mean displacement (x, y) in px of full
        size; 0 and None if no motion is shared beyond chance.
    """
    some = tiles.evenly_spaced(min(len(tiles), MOST_TILES))
    first = np.zeros(len(some), np.bool_)
    first[np.linspace(0, len(some) - 1, min(len(some), FIRST_TILES)).astype(np.intp)] = True
    height, width = windows.shape
    search = partial(windows.search, reach=max(height, width))
    found = search(some.subset(first))
    if not (found.tested & found.distinct).any():
        return 0.0, None
    if not first.all():
        found = found.concatenated(search(some.subset(~first)))
    known = found.tested & found.distinct
    count = int(np.count_nonzero(known))
    corner = np.concatenate([some.corner[first], some.corner[~first]])[known]
    scale = 2.0**level
    matches = Matches(
        position=scale * (corner.astype(np.float64) + 0.5 * (some.side - 1.0)),
        displacement=scale * found.offset[known].astype(np.float64),
        covariance=np.tile(scale**2 * np.eye(2), (count, 1, 1)),
        side=np.full(count, scale * some.side),
        reach=np.full(count, 0.5 * scale * math.sqrt(height * width)),
    )
    groups = motions(matches, (round(scale * width), round(scale * height)))
    if not groups:
        return 0.0, None
    largest = max(groups, key=lambda group: int(np.count_nonzero(group.tiles))).tiles
    x, y = matches.displacement[largest].mean(axis=0).tolist()
    return int(np.count_nonzero(largest)) / len(some), (x, y)
