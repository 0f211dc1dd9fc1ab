"""The few words in which a result shows itself in one line; numpy is not needed for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEAST_SIGMA_PX: Final = 1e-4
"""Rendered images without noise get less; nobody can use it."""

MOST_PLAIN_PX: Final = 1e6
"""Longer shifts, which nobody means, are shown with an exponent."""

Size = tuple[int, int]


def plus_minus(sigma_px: float) -> str:
    """A standard deviation as "+-0.0041 px": two digits, none beyond ``LEAST_SIGMA_PX``."""
    sigma = max(sigma_px, LEAST_SIGMA_PX)
    return f"+-{sigma:.2g} px" if sigma < 100.0 else f"+-{sigma:.0f} px"


def shift(parameters: Mapping[str, float | tuple[float, float]]) -> str:
    """How the centre of the source moves, as "shift (3.95, -4.57) px"."""
    moved = parameters.get("shift_px")
    if not isinstance(moved, tuple):
        return "shift unknown"
    return f"shift ({', '.join(map(_pixels, moved))}) px"


def _pixels(length: float) -> str:
    rounded = round(length, 3) + 0.0  # of -0.0 no sign is left
    return f"{rounded:.3f}" if abs(rounded) < MOST_PLAIN_PX else f"{rounded:.4g}"


def sizes(source_size: Size | None, target_size: Size | None) -> str:
    """What is laid over what, as "452x363 -> 480x360 px"; a question mark is an unknown size."""
    source, target = (
        f"{size[0]}x{size[1]}" if size else "?" for size in (source_size, target_size)
    )
    return f"{source} -> {target} px"
