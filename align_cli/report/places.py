"""Words for a place in an image."""

from __future__ import annotations

import math
from typing import Final

NEAR_MIDDLE: Final = 1 / 3
"""Of half a side: what lies no further from the middle along an axis is not called by that side."""

_WORDS: Final = {
    (0, -1): "at the top",
    (0, 1): "at the bottom",
    (-1, 0): "on the left",
    (1, 0): "on the right",
    (-1, -1): "in the upper left",
    (1, -1): "in the upper right",
    (-1, 1): "in the lower left",
    (1, 1): "in the lower right",
    (0, 0): "in the middle",
}


def place_in_words(point_px: tuple[float, float], size: tuple[int, int]) -> str:
    """Say where a point lies: one of nine, as "in the lower right"; "" where it is not finite.

    Args:
        point_px: (x, y).
        size: (width, height) of the image.
    """
    if not all(map(math.isfinite, point_px)):
        return ""
    x, y = (_side(at, extent) for at, extent in zip(point_px, size, strict=True))
    return _WORDS[x, y]


def _side(at: float, extent: int) -> int:
    """-1, 0 or 1: before, about or beyond the middle of an axis."""
    off = (at + 0.5) / extent * 2.0 - 1.0
    return 0 if abs(off) <= NEAR_MIDDLE else int(math.copysign(1, off))
