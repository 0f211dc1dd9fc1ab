"""The colours of an error map: one fixed scale, so that any two maps can be compared.

The error is ``|warped - target|`` in units of full scale (1.0 = white). Its square root picks the
colour: at an error of a few grey levels, which is what a good alignment leaves, a linear scale up
to ``LAST_ERROR`` would be black all over. So

    level = round(255 * sqrt(min(error, LAST_ERROR) / LAST_ERROR)),   colour = COLOURS[level],

and 0, 1, 4, 9, 16 and 25 % of full scale are at equal distances on the colour bar.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

LAST_ERROR: Final = 0.25
"""Everything from here on has the last colour, in units of full scale."""

TICKS_PERCENT: Final = (0, 1, 4, 9, 16, 25)
"""What the colour bar names, in per cent of full scale."""


def _bytes(image: Any) -> NDArray[np.uint8]:
    # OpenCV's own types do not say that uint8 stays uint8.
    return np.asarray(image, np.uint8)


# Perceptually uniform, rises in lightness from black to pale yellow, holds no grey, and can be
# told apart by colour-blind readers (https://bids.github.io/colormap/).
COLOURS: Final = np.ascontiguousarray(
    _bytes(cv2.applyColorMap(np.arange(256, dtype=np.uint8)[np.newaxis], cv2.COLORMAP_INFERNO))[
        0, :, ::-1
    ]
)
"""(256, 3) uint8 RGB, from no error to ``LAST_ERROR``."""

HATCH_GREYS: Final = (222, 186)
"""The two greys of the diagonal stripes that mark pixels outside the overlap."""


def levels(residual: NDArray[Any]) -> NDArray[np.uint8]:
    """Pick the level of each residual.

    Args:
        residual: (height, width) float32, finite, either sign, in units of full scale.

    Returns:
        (height, width) uint8, indices into ``COLOURS``.
    """
    magnitude = np.abs(residual, dtype=np.float32)
    # OpenCV would stop at 255 by itself, but not where the number outgrows its integers.
    np.minimum(magnitude, LAST_ERROR, out=magnitude)
    np.sqrt(magnitude, out=magnitude)
    return _bytes(cv2.convertScaleAbs(magnitude, alpha=255 / np.sqrt(LAST_ERROR)))


def paint(indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colour levels: (height, width) uint8 to (height, width, 3) uint8 RGB."""
    return _bytes(cv2.applyColorMap(indices, COLOURS[:, np.newaxis]))


def hatching(height: int, width: int, stripe: int) -> NDArray[np.uint8]:
    """Draw diagonal stripes, ``stripe`` pixels wide across a row: (height, width, 3) uint8."""
    diagonal = np.arange(width) + np.arange(height)[:, np.newaxis]
    greys = np.array(HATCH_GREYS, np.uint8)[diagonal // stripe % 2]
    return np.repeat(greys[..., np.newaxis], 3, axis=2)
