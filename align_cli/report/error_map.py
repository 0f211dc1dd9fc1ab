"""The error map: an image of the residual after alignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.files.pixels import Indexed
from align_cli.report import error_scale, legend


def draw_legend(width: int, height: int, *, of_full_scale: bool = True) -> NDArray[np.uint8]:
    """Draw what stands below a map of ``width`` x ``height`` pixels, for ``render``.

    It depends on nothing else, so it can be drawn before there is a residual. Where there is no
    full scale, errors are called shares of the target's ``span``.
    """
    key = legend.Legend.of(width, height)
    title = legend.TITLE if of_full_scale else legend.TITLE_OF_RANGE
    return legend.draw(key, max(width, key.width), title)


def span(pixels: NDArray[Any]) -> float:
    """Range of the finite values of an image without alpha; 1 if they are all equal."""
    colours = pixels[..., :-1] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else pixels
    if colours.dtype.kind == "f":
        colours = colours[np.isfinite(colours)]
    low, high = (float(end) for end in (np.min(colours), np.max(colours)))
    return high - low if high > low else 1.0


def render(
    residual: NDArray[Any],
    overlap: NDArray[np.bool_],
    strip: NDArray[np.uint8] | None = None,
) -> Indexed:
    """Paint |residual| on the fixed scale of ``error_scale``, with a legend below.

    Args:
        residual: (height, width) float32, ``warped - target`` in units of full scale
            (1.0 = white), or of another unit that the legend says.
        overlap: (height, width) bool, True where both images show something. Elsewhere, and
            where the residual is not finite, the map is hatched in grey.
        strip: the legend, if it has been drawn.

    Returns:
        (height + strip, max(width, least)), colours of ``error_scale.COLOURS``. What lies within
        ``[:height, :width]`` is the map itself, pixel for pixel on the target's grid; below it is
        the strip with the legend. A map that is narrower than its legend stands at the left, with
        white beside it.

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
    strip = draw_legend(width, height) if strip is None else strip
    picture = np.empty((height + len(strip), strip.shape[1]), np.uint8)
    picture[:height, width:] = error_scale.PAPER
    picture[height:] = strip

    period = 2 * key.stripe
    rows = period * max(1, STRIP_PIXELS // (period * width))
    # Strips begin at whole periods, so that one piece of hatching suits all of them.
    hatching = error_scale.hatching(min(rows, height), width, key.stripe)
    for top in range(0, height, rows):
        part = residual[top : top + rows]
        inside = overlap[top : top + rows] & np.isfinite(part)
        levels = error_scale.levels(part)
        if not inside.all():
            np.copyto(levels, hatching[: len(levels)], where=~inside)
        picture[top : top + len(levels), :width] = levels
    return Indexed(picture, error_scale.COLOURS)
