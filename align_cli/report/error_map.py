"""The error map: a picture of what still differs after an alignment."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.report import error_scale, legend

# A strip of the float32 residual and its temporaries then fit in the processor's cache, and a
# picture of any size costs no more memory than itself.
STRIP_PIXELS: Final = 1 << 16


def render(residual: NDArray[Any], overlap: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Paint |residual| on the fixed scale of ``error_scale``, with a legend below.

    Args:
        residual: (height, width) float32, ``warped - target`` in units of full scale
            (1.0 = white).
        overlap: (height, width) bool, True where both images show something. Elsewhere, and
            where the residual is not finite, the map is hatched in grey.

    Returns:
        (height + strip, max(width, least), 3) uint8 RGB. ``picture[:height, :width]`` is the map
        itself, pixel for pixel on the target's grid; below it is the strip with the legend. A map
        that is narrower than its legend stands at the left, with white beside it.

    Raises:
        ValueError: if the two are not planes of one shape.
    """
    if residual.ndim != 2 or residual.shape != overlap.shape:
        raise ValueError(
            "residual and overlap must be planes of one shape, "
            f"not {residual.shape} and {overlap.shape}"
        )
    height, width = residual.shape
    key = legend.Legend.of(width, height)
    # Blue first in memory, as OpenCV wants it: encoding then needs no second picture.
    picture = np.empty((height + key.height, max(width, key.width), 3), np.uint8)[..., ::-1]
    picture[:height, width:] = legend.PAPER
    picture[height:] = legend.draw(key, picture.shape[1])

    period = 2 * key.stripe
    rows = period * max(1, STRIP_PIXELS // (period * width))
    # Strips begin at whole periods, so that one piece of hatching suits all of them.
    hatching = error_scale.hatching(min(rows, height), width, key.stripe)
    for top in range(0, height, rows):
        part = slice(top, top + rows)
        inside = overlap[part] & np.isfinite(residual[part])
        colours = error_scale.paint(error_scale.levels(residual[part]))
        if not inside.all():
            outside = np.logical_not(inside).view(np.uint8)
            cv2.copyTo(hatching[: len(colours)], outside, colours)
        picture[part, :width][: len(colours)] = colours
    return picture
