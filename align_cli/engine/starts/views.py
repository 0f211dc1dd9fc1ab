"""What a start looks at: both images, reduced to about as many pixels as it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from align_cli.engine.motion import MotionModel
from align_cli.engine.pyramid import Level

TOO_MANY: Final = 8
"""A large source and a tiny target have few levels in common, all of them large."""


@dataclass(frozen=True)
class Views:
    """Both images at every level, level 0 first, and the motion model that is asked for."""

    source: Sequence[Level]
    target: Sequence[Level]
    model: MotionModel

    def reduced(self, most_pixels: int) -> int | None:
        """The finest level on which neither image has more pixels.

        The coarsest, if all have; None if even that has ``TOO_MANY`` times as many.
        """
        for level in range(min(len(self.source), len(self.target))):
            sizes = self.source[level].size, self.target[level].size
            pixels = max(math.prod(size) for size in sizes)
            if pixels <= most_pixels:
                return level
        return level if pixels <= TOO_MANY * most_pixels else None
