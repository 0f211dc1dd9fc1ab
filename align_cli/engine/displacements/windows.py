"""Search windows: is a tile's best match at zero displacement, or where else?

The warped source is searched exhaustively around each tile, by ZNCC over all planes at once. If the
images were unrelated, the best match would be anywhere in the window; how often it is at the centre
by chance is measured at control windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask
from align_cli.engine.displacements.false_alarms import log10_binomial_tail
from align_cli.engine.displacements.field import LEAST_CORRELATION
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.sampling.bilinear import sample
from align_cli.native.tiles import WindowRules, search_windows

REACH: Final = 10
"""Half side of a window, beyond its tile, in pixels of the level."""

STATIONARY: Final = 1
"""A tile is stationary if its best match is displaced by no more pixels."""

DISTINCT_MARGIN: Final = 0.1
"""A match is unambiguous if its ZNCC exceeds that of every other position by this margin."""

PEAK_RADIUS: Final = 3
"""Positions within this radius of the best, in pixels, belong to the same peak."""

TIE_MARGIN: Final = 1e-3
"""Positions whose ZNCC differs by less are tied."""

LOG10_NFA_CONSENSUS: Final = -2.0
"""log10 of the expected number of positions of a window at which as many unrelated tiles would
agree, up to which the agreement is significant."""

FEWEST_POSITIONS: Final = 25
"""A window with fewer positions, clipped at the borders, is not searched."""


@dataclass(frozen=True, eq=False)
class WindowSearch:
    """Search results of the windows of n tiles, in pixels of the level.

    Attributes:
        tested: (n,) bool, whether the tile's window could be searched.
        offset: (n, 2) int, x and y of the best position less the window's centre.
        peak: (n,) ZNCC there.
        stationary: (n,) bool, whether the best position is the centre, or tied with it.
        distinct: (n,) bool, whether the match is unambiguous: its ZNCC is high enough, it is not at
            the window's edge, and no other position comes close.
        chance: mean probability, over the tested tiles, that the best of all positions in a window
            is within ``STATIONARY`` of its centre by chance.
    """

    tested: NDArray[np.bool_]
    offset: NDArray[np.intp]
    peak: NDArray[np.float64]
    stationary: NDArray[np.bool_]
    distinct: NDArray[np.bool_]
    chance: float

    def concatenated(self, other: WindowSearch) -> WindowSearch:
        """The results of all tiles, those of the other after its own."""
        counts = [int(np.count_nonzero(each.tested)) for each in (self, other)]
        chance = self.chance * counts[0] + other.chance * counts[1]
        return WindowSearch(
            np.concatenate([self.tested, other.tested]),
            np.concatenate([self.offset, other.offset]),
            np.concatenate([self.peak, other.peak]),
            np.concatenate([self.stationary, other.stationary]),
            np.concatenate([self.distinct, other.distinct]),
            chance / sum(counts) if any(counts) else 1.0,
        )

    @property
    def consensus(self) -> int:
        """How many tiles agree on an offset, or are stationary if that is not significant.

        Periodic images, pages in one type, walls and lattices match themselves at any control
        offset, if not in the centre of the window. A search may have found such a position too.
        """
        stationary = int(np.count_nonzero(self.stationary))
        offset = self.offset[self.tested]
        if not len(offset):
            return stationary
        # Some box with the most points starts at the x of one point and the y of another.
        side = 2 * STATIONARY + 1
        difference = offset[:, None] - offset
        across, down = np.moveaxis((difference >= 0) & (difference < side), 2, 0).astype(np.float32)
        most = int((across.T @ down).max())
        if most <= max(stationary, 1):
            return stationary
        log10_nfa = log10_binomial_tail(most, len(offset), self.chance) - math.log10(self.chance)
        return most if log10_nfa < LOG10_NFA_CONSENSUS else stationary


class Windows:
    """Searches windows of one level.

    Args:
        pair: both images on the level.
    """

    def __init__(self, pair: LevelPair) -> None:
        height, width = pair.inside.shape
        size = (width, height)
        self._warped = [sample(plane, pair.warp, size, replicate=True) for plane in pair.source]
        self._target = pair.target
        self._inside = pair.inside
        self._whole: dict[int, Mask] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the level."""
        height, width = self._inside.shape
        return height, width

    def search(
        self, tiles: Tiles, displaced: tuple[int, int] = (0, 0), reach: int = REACH
    ) -> WindowSearch:
        """Search the windows of all tiles, displaced by some pixels from the tiles."""
        found = search_windows(
            self._warped,
            self._target,
            self._whole_tiles(tiles.side),
            tiles.corner,
            tiles.side,
            displaced=displaced,
            reach=reach,
            rules=WindowRules(
                STATIONARY,
                PEAK_RADIUS,
                FEWEST_POSITIONS,
                TIE_MARGIN,
                DISTINCT_MARGIN,
                LEAST_CORRELATION,
            ),
        )
        tested = found["tested"] > 0
        chances = np.minimum(
            1.0, (2 * STATIONARY + 1) ** 2 / np.maximum(found["positions"][tested], 1)
        )
        return WindowSearch(
            tested,
            found["offset"].astype(np.intp),
            found["peak"],
            found["stationary"] > 0,
            found["distinct"] > 0,
            float(chances.mean()) if chances.size else 1.0,
        )

    def _whole_tiles(self, side: int) -> Mask:
        """(height, width) bool: the top left corners of tiles that are inside as a whole."""
        if side not in self._whole:
            kernel = np.ones((side, side), np.uint8)
            eroded = cv2.erode(
                self._inside.view(np.uint8),
                kernel,
                anchor=(0, 0),
                borderType=cv2.BORDER_CONSTANT,
                borderValue=0,
            )
            height, width = self._inside.shape
            self._whole[side] = eroded.view(np.bool_)[: height - side + 1, : width - side + 1]
        return self._whole[side]
