"""The error map: an image of the residual after alignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.files.pixels import Indexed, full_scale
from align_cli.report import error_scale, legend


def draw_legend(width: int, height: int, *, of_full_scale: bool = True, raw: bool) -> Indexed:
    """The legend of a map of ``width`` x ``height`` pixels, a picture of its own.

    Args:
        width: of the map, in pixels; a large map has a large legend.
        height: of the map.
        of_full_scale: False if errors are shares of the target's ``span``.
        raw: whether the residual is before the illumination.
    """
    key = legend.Legend.of(width, height)
    title = legend.TITLES[of_full_scale, raw]
    return Indexed(legend.draw(key, key.width, title), error_scale.COLOURS)


def span(pixels: NDArray[Any]) -> float:
    """Range of the finite values of an image without alpha; 1 if they are all equal."""
    colours = pixels[..., :-1] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else pixels
    if colours.dtype.kind == "f":
        colours = colours[np.isfinite(colours)]
    low, high = (float(end) for end in (np.min(colours), np.max(colours)))
    return high - low if high > low else 1.0


def in_shares_of_range(residual: NDArray[np.float32], target: NDArray[Any]) -> NDArray[np.float32]:
    """A residual as shares of the target's range, for images without a full scale.

    Args:
        residual: (height, width) float32, in units of the target's full scale.
        target: the target's pixels, (H, W) or (H, W, C).

    Returns:
        (height, width) float32; of sources that dwarf the target it may be infinite.
    """
    limits = np.finfo(np.float32)
    unit = np.float32(np.clip(span(target) / full_scale(target), limits.tiny, limits.max))
    with np.errstate(over="ignore"):
        return np.asarray(residual / unit, np.float32)


def render(residual: NDArray[Any], overlap: NDArray[np.bool_]) -> Indexed:
    """Paint |residual| on the fixed scale of ``error_scale``.

    Args:
        residual: (height, width) float32, in units of full scale (1.0 = white), or of another unit
            that the legend says.
        overlap: (height, width) bool, True where both images show something. Elsewhere, and
            where the residual is not finite, the map is hatched in grey.

    Returns:
        (height, width), colours of ``error_scale.COLOURS``: it can be laid over the image that the
        residual is of, pixel for pixel.

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
    picture = np.empty((height, width), np.uint8)
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
        picture[top : top + len(levels)] = levels
    return Indexed(picture, error_scale.COLOURS)
