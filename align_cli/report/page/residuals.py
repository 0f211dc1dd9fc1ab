"""Difference and error as pictures: from the images' own pixels, never from those on the page.

The difference is signed, in grey: what is equal is mid-grey, what the warped source has brighter is
brighter. The error is its magnitude, in the colours of the error map.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from align_cli.report import error_scale
from align_cli.report.page.pictures import Embedded, exact

GREYS_PER_LEVEL: Final = 4
"""A difference of one grey level of 255 is shown as so many: one would not be seen."""

MIDDLE: Final = 128
"""The grey of what is equal."""

MOST_LEVELS: Final = 31
"""Larger differences are black or white."""

OUTSIDE: Final = 255
"""The index of pixels where there is nothing to compare, which are transparent."""

LEVELS: Final = 255.0
"""The error is shown in whole grey levels; less is noise, and would treble the picture's size."""


def difference_picture(
    residual: NDArray[np.float32], overlap: NDArray[np.bool_], *, whole: bool
) -> Embedded:
    """The signed difference.

    Args:
        residual: (height, width) float32, corrected less target, 1.0 being full scale.
        overlap: (height, width) bool, where there is one.
        whole: whether it is never reduced.
    """
    steps = np.clip(np.rint(residual * LEVELS), -MOST_LEVELS, MOST_LEVELS)
    steps[~(overlap & np.isfinite(residual))] = 0.0
    inside = overlap & np.isfinite(residual)
    levels = np.where(inside, steps + MOST_LEVELS, OUTSIDE).astype(np.uint8)
    magnitude = np.where(inside, np.abs(steps), -1).astype(np.int8)
    return exact(levels, magnitude, _greys(), whole=whole)


def error_picture(
    residual: NDArray[np.float32], overlap: NDArray[np.bool_], *, whole: bool
) -> Embedded:
    """The magnitude of the residual; arguments as for ``difference_picture``."""
    inside = overlap & np.isfinite(residual)
    with np.errstate(invalid="ignore"):
        magnitude = np.abs(np.where(inside, residual, np.float32(0.0)))
    if not whole:
        magnitude = np.rint(magnitude * np.float32(LEVELS)) / np.float32(LEVELS)
    levels = np.where(inside, error_scale.levels(magnitude), np.uint8(OUTSIDE))
    rank = np.where(inside, levels.astype(np.int16), np.int16(-1))
    return exact(levels, rank, _colours(), whole=whole)


def _greys() -> NDArray[np.uint8]:
    steps = np.arange(256) - MOST_LEVELS
    greys = np.clip(MIDDLE + GREYS_PER_LEVEL * steps, 0, 255)
    return _with_outside(np.repeat(greys[:, np.newaxis], 3, axis=1))


def _colours() -> NDArray[np.uint8]:
    return _with_outside(error_scale.COLOURS)


def _with_outside(colours: NDArray[Any]) -> NDArray[np.uint8]:
    """(256, 4) RGBA, opaque but for ``OUTSIDE``."""
    table = np.column_stack([colours, np.full(256, 255)]).astype(np.uint8)
    table[OUTSIDE] = 0
    return table
