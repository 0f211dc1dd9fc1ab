"""The type of a picture's pixels, wherever one is passed around."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = "npt.NDArray[np.integer[Any] | np.floating[Any]]"
"""(H, W) or (H, W, C) numbers; which dtypes and channels is said where one is taken."""


def full_scale(pixels: Pixels) -> int:
    """Return the value of white: 255 or 65535 for unsigned integers, 1 for floating point."""
    return 2 ** (8 * pixels.dtype.itemsize) - 1 if pixels.dtype.kind == "u" else 1
