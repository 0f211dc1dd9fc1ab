"""The input of a start: the pyramids of both images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from align_cli.engine.arrays import Plane
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.pyramid import Level
from align_cli.engine.starts.phase import tapered

MOST_EXCESS: Final = 8
"""Largest excess of pixels: a large source and a tiny target have few levels in common, all of them
large."""


Planes = tuple[Level, Level]


@dataclass(frozen=True)
class Views:
    """Both images at every level, level 0 first, and the motion model.

    ``orientations`` returns the orientation planes (c, s) of source and target on a level; None if
    grey values are compared.
    """

    source: Sequence[Level]
    target: Sequence[Level]
    model: MotionModel
    orientations: Callable[[int], tuple[Planes, Planes]] | None = None

    def reduced(self, most_pixels: int) -> int | None:
        """The finest level on which neither image has more pixels.

        The coarsest, if all have; None if even that has ``MOST_EXCESS`` times as many.
        """
        for level in range(min(len(self.source), len(self.target))):
            sizes = self.source[level].size, self.target[level].size
            pixels = max(math.prod(size) for size in sizes)
            if pixels <= most_pixels:
                return level
        return level if pixels <= MOST_EXCESS * most_pixels else None

    def tapered(self, most_pixels: int) -> tuple[int, Plane, Plane] | None:
        """The level of ``reduced``, and source and target there, tapered towards their borders.

        None if there is no such level, or no texture in its valid pixels.
        """
        level = self.reduced(most_pixels)
        if level is None:
            return None
        s, t = (
            tapered(each[level].image, each[level].valid) for each in (self.source, self.target)
        )
        return (level, s, t) if s.any() and t.any() else None
