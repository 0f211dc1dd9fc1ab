"""The colours of an error map: one fixed scale, so that any two maps can be compared.

The error is ``|warped - target|`` in units of full scale (1.0 = white). Its square root picks the
colour: at an error of a few grey levels, which is what a good alignment leaves, a linear scale up
to ``LAST_ERROR`` would be black all over. So

    level = round(LAST_LEVEL * sqrt(min(error, LAST_ERROR) / LAST_ERROR)),   colour = COLOURS[level]

and 0, 1, 4, 9, 16 and 25 % of full scale are at equal distances on the colour bar. A map is drawn
in the numbers of its colours: PNG files keep those, which takes a third of the time and less room.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

LAST_ERROR: Final = 0.25
"""Error, in units of full scale, from which on the last colour is used."""

TICKS_PERCENT: Final = (0, 1, 4, 9, 16, 25)
"""Labels of the colour bar, in per cent of full scale."""


def _bytes(image: Any) -> NDArray[np.uint8]:
    # OpenCV's own types do not say that uint8 stays uint8.
    return np.asarray(image, np.uint8)


LAST_LEVEL: Final = 240
"""Of 256 colours the others are greys. A multiple of five, so that every tick has its own level."""


def _inferno() -> NDArray[np.uint8]:
    # Perceptually uniform, rises in lightness from black to pale yellow, holds no grey, and can be
    # told apart by colour-blind readers (https://bids.github.io/colormap/).
    steps = np.arange(256, dtype=np.uint8)[np.newaxis]
    table = cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[0, :, ::-1]
    at = np.linspace(0.0, 255.0, LAST_LEVEL + 1)
    channels = [np.interp(at, steps[0], channel) for channel in table.T]
    return _bytes(np.rint(np.stack(channels, axis=1)))


PAPER: Final = LAST_LEVEL + 1
"""The first of the greys, white; each further one is a little darker."""

INK: Final = 255
"""The last of the greys, nearly black."""

_PAPER_GREY, _INK_GREY = 255, 35
GREYS: Final = _bytes(np.rint(np.linspace(_PAPER_GREY, _INK_GREY, INK - PAPER + 1)))
"""Those from ``PAPER`` to ``INK``."""

COLOURS: Final = np.concatenate([_inferno(), np.repeat(GREYS[:, np.newaxis], 3, axis=1)])
"""(256, 3) uint8 RGB: from no error to ``LAST_ERROR``, then the greys."""

HATCH: Final = (PAPER + 2, PAPER + 5)
"""The two greys of the diagonal stripes that mark pixels outside the overlap."""


def levels(residual: NDArray[Any]) -> NDArray[np.uint8]:
    """The level of each residual.

    Args:
        residual: (height, width) float32, finite, either sign, in units of full scale.

    Returns:
        (height, width) uint8, indices into ``COLOURS``.
    """
    magnitude = np.abs(residual, dtype=np.float32)
    # OpenCV would stop at 255, and by itself not where the number outgrows its integers.
    np.minimum(magnitude, LAST_ERROR, out=magnitude)
    np.sqrt(magnitude, out=magnitude)
    return _bytes(cv2.convertScaleAbs(magnitude, alpha=LAST_LEVEL / np.sqrt(LAST_ERROR)))


def hatching(height: int, width: int, stripe: int) -> NDArray[np.uint8]:
    """Draw diagonal stripes, ``stripe`` pixels wide across a row: (height, width) of ``HATCH``."""
    diagonal = np.arange(width) + np.arange(height)[:, np.newaxis]
    return _bytes(np.array(HATCH)[diagonal // stripe % 2])
