"""The evidence for one answer: the field on the levels that can tell, and the chance of it.

Stage one asks at most ``MOST_TILES`` tiles of one level, by Gauss-Newton steps alone. Where nearly
all of them lie within a pixel, nothing else is asked. Stage two searches windows on several levels,
and measures at displaced windows how often tiles of these images are stationary by accident.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.displacements.false_alarms import (
    Chance,
    log10_false_alarms,
    measured_chance,
)
from align_cli.engine.displacements.field import DisplacementField, displacement_field
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles, textured_tiles
from align_cli.engine.displacements.windows import REACH, Windows, WindowSearch

MOST_TILES: Final = 150
"""Tiles that are asked, unless all are wanted."""

LEVELS: Final = 4
"""So many levels are asked, from the finest that is looked at."""

DISPLACED: Final = (1.5, 2.25, 3.0, 4.25)
"""Displaced windows, in sides of a tile, both ways along x, along y and diagonally."""

FEWEST_ASKED: Final = 5
"""A displaced window that fewer tiles can be asked at says nothing."""

MOST_DISPLACED: Final = 48
"""Tiles that are asked at displaced windows, evenly spaced."""


class LevelEvidence:
    """What the tiles of one level say of an answer; each part made when it is first asked for.

    Args:
        pair: both images on the level, under the answer.
        most: how many tiles at most.
    """

    def __init__(self, pair: LevelPair, most: int) -> None:
        self.pair = pair
        self._most = most

    @cached_property
    def tiles(self) -> Tiles:
        """The tiles that can tell."""
        return textured_tiles(self.pair, most=self._most)

    @cached_property
    def near(self) -> DisplacementField:
        """The field by steps from where the tiles stand."""
        return displacement_field(self.pair, self.tiles)

    @cached_property
    def windows(self) -> Windows:
        return Windows(self.pair)

    @cached_property
    def search(self) -> WindowSearch:
        """The windows of the tiles."""
        return self.windows.search(self.tiles)

    @cached_property
    def field(self) -> DisplacementField:
        """The field by steps from each tile's best place; matched are those that have one."""
        begin = np.where(self.search.distinct[:, None], self.search.offset, 0.0)
        field = displacement_field(self.pair, self.tiles, begin)
        known = self.search.asked & (self.search.distinct | self.search.stationary)
        return field.among(known)

    @cached_property
    def chance(self) -> Chance:
        """The chance that a tile is stationary by accident, measured at displaced windows."""
        side, count = self.tiles.side, len(self.tiles)
        some = self.tiles.some(min(count, MOST_DISPLACED))
        stationary, asked = [], []
        for displaced in displacements(side):
            search = self.windows.search(some, displaced)
            if np.count_nonzero(search.asked) >= FEWEST_ASKED:
                stationary.append(np.count_nonzero(search.stationary))
                asked.append(np.count_nonzero(search.asked))
        return measured_chance(
            np.array(stationary, np.intp), np.array(asked, np.intp), self.search.chance
        )

    def log10_false_alarms(self, parameters: int, tests: int) -> float:
        """Of the tiles of this level; the chance is only measured where it may matter."""
        k, n = (int(np.count_nonzero(each)) for each in (self.search.stationary, self.search.asked))
        if not n:
            return math.log10(tests)
        ideal = Chance(self.search.chance, math.inf)
        best = log10_false_alarms(k, n, ideal, tests=tests, parameters=parameters)
        if best > -1.0:
            return best
        return log10_false_alarms(k, n, self.chance, tests=tests, parameters=parameters)


def displacements(side: int) -> list[tuple[int, int]]:
    """Where the windows are displaced to, (x, y) in pixels of the level."""
    steps = [round(sign * far * side) for far in DISPLACED for sign in (1, -1)]
    straight = [(step, 0) for step in steps] + [(0, step) for step in steps]
    return straight + [(x, y) for x, y in zip(steps, steps, strict=True)] + [
        (x, -y) for x, y in zip(steps, steps, strict=True)
    ]
