"""The colours of a displacement map: one fixed scale, so that any two maps can be compared.

The colour depends on the square root of the length, as in an error map: displacements are about a
twentieth of a pixel in a good alignment, and several pixels in a wrong one.

    level = round(LAST_LEVEL * sqrt(min(length, LAST_PX) / LAST_PX)),   colour = COLOURS[level]
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.report import error_scale
from align_cli.report.error_scale import LAST_LEVEL

LAST_PX: Final = 10.0
"""Displacement, in pixels of the target, from which on the last colour is used."""

TICKS_PX: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Labels of the colour bar, in pixels of the target."""

FIRST: Final = 0.2
"""Where the scale begins on that of the error map, whose first colours are nearly black: a tile
without displacement must be distinguishable from the target below it."""

SHOWN: Final = (20, 130)
"""The grey values between which the target is shown. They are darker than all that is drawn on
it, and greys, which the scale has none of."""


def _colours() -> NDArray[np.uint8]:
    of_errors = error_scale.COLOURS[: LAST_LEVEL + 1]
    at = np.linspace(FIRST * LAST_LEVEL, LAST_LEVEL, LAST_LEVEL + 1)
    channels = [np.interp(at, np.arange(LAST_LEVEL + 1), each) for each in of_errors.T]
    scale = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return np.asarray(np.concatenate([scale, error_scale.COLOURS[LAST_LEVEL + 1 :]]), np.uint8)


COLOURS: Final = _colours()
"""(256, 3) uint8 RGB: from no displacement to ``LAST_PX``, then the greys of ``error_scale``."""


def levels(length: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The level of each length, in pixels, in an array of the same shape."""
    share = np.minimum(length, LAST_PX) / LAST_PX
    return np.asarray(np.rint(LAST_LEVEL * np.sqrt(share)), np.uint8)
