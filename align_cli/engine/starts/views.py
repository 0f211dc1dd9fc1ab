"""What a start looks at: both images, reduced to about as many pixels as it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from align_cli.engine.motion import MotionModel
from align_cli.engine.pyramid import Level


@dataclass(frozen=True)
class Views:
    """Both images at every level, level 0 first, and the motion model that is asked for."""

    source: Sequence[Level]
    target: Sequence[Level]
    model: MotionModel

    def reduced(self, most_pixels: int) -> int:
        """The finest level on which neither image has more pixels; the coarsest if all have."""
        last = min(len(self.source), len(self.target)) - 1
        for level in range(last):
            sizes = self.source[level].size, self.target[level].size
            if max(width * height for width, height in sizes) <= most_pixels:
                return level
        return last
