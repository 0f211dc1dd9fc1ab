"""Areas without content: undeclared nodata, slide mounts, letterbox bars, lens vignettes.

Such an area reaches the image's border, has one value up to the sensor's noise, and nearly no pixel
of the image is beyond that value. In a single image paper, clipped sky and the night sky look the
same: ``fixed_pattern`` distinguishes them by the pair.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.images.isolated_pixels import contrast_of
from align_cli.engine.numerics.samples import SAMPLE_STEP

END_OF_BORDER: Final = 0.02
"""Quantile of the border's values at which the search for an area's level starts, from either end:
its least share of the border; defects have less."""

TOLERANCE: Final = 4.0
"""Tolerance of an area's level, in standard deviations of its noise."""

LEAST_TOLERANCE: Final = 0.01
"""Least tolerance of an area's level, as a share of the image's contrast: a grey level or two, for
compression and rounding in areas without noise."""

MOST_TOLERANCE: Final = 0.25
"""Largest tolerance of an area's level, as a share of the image's contrast: an area with more noise
cannot be distinguished. White noise alone would have 0.86."""

MOST_TEXTURE: Final = 2.5
"""Largest deviation of an area from its level, relative to that between neighbours on the border
(as one standard deviation each): 1 for noise, 3 and more for a faint scene under a bright logo,
which is no area."""

MOST_BEYOND: Final = 0.01
"""Share of the image that may be beyond the level of an area; in a letterboxed image 0.003 were
darker than its bars."""

FEWEST_PIXELS: Final = 16
"""Least number of valid pixels of the border."""

_ROUNDS: Final = 8
"""In which level and noise of an area are found in turn, at most."""

_SMOOTHING: Final = 3, 3
"""Sides of the neighbourhood whose mean is compared with an area's level: single pixels of noise
would make its outline tremble."""


class _Level(NamedTuple):
    """The value of an area, and its tolerance."""

    value: float
    tolerance: float


def constant_areas(plane: Plane, valid: Mask | None = None) -> Mask:
    """Connected areas of constant extreme value that reach the border.

    Args:
        plane: (height, width) float32, finite, in any unit.
        valid: (height, width) bool, or None where every pixel is valid. Invalid pixels are ignored.

    Returns:
        (height, width) bool, True on the areas.
    """
    areas = np.zeros(plane.shape, np.uint8)
    levels = _levels(plane, valid)
    # So that noise does not roughen the outline where the area's edge is soft.
    smooth = cv2.blur(plane, _SMOOTHING, borderType=cv2.BORDER_REPLICATE) if levels else plane
    for value, tolerance in levels:
        near = np.asarray(cv2.inRange(smooth, value - tolerance, value + tolerance), np.uint8)
        if valid is not None:
            near[~valid] = 0
        areas |= _reaching_border(near)
    return areas > 0


def _levels(plane: Plane, known: Mask | None) -> list[_Level]:
    """The darkest and the brightest constant area along the border."""
    border, some = _border(plane), plane[::SAMPLE_STEP, ::SAMPLE_STEP]
    if known is not None:
        border[~_border(known)] = np.nan
        some = some[known[::SAMPLE_STEP, ::SAMPLE_STEP]]
    return [level for lower in (True, False) if (level := _level(border, some, lower=lower))]


def _border(plane: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels once around, (n,)."""
    return np.concatenate([plane[0], plane[1:-1, -1], plane[-1, ::-1], plane[-2:0:-1, 0]])


def _level(border: Plane, some: Plane, *, lower: bool) -> _Level | None:
    """The area at one end of the border's values, or None.

    The level moves to the median of the values within the tolerance, the tolerance shrinks to their
    noise.

    Args:
        border: (n,) once around the image; NaN where it is invalid.
        some: values of pixels all over the image.
        lower: whether the area is the darkest, or else the brightest.
    """
    if not some.size or np.isfinite(border).sum() < FEWEST_PIXELS:
        return None
    contrast = contrast_of(some)
    least, most = LEAST_TOLERANCE * contrast, MOST_TOLERANCE * contrast
    end = END_OF_BORDER if lower else 1.0 - END_OF_BORDER
    value = float(np.nanquantile(border, end, method="nearest"))
    tolerance = most
    for _ in range(_ROUNDS):
        before = value, tolerance
        values = border[np.abs(border - value) <= tolerance]
        value = float(np.median(values))
        # Not its median: where noise is clipped at black, half of the values are the level.
        noise = float(np.sqrt(np.square(values - np.float32(value)).mean()))
        tolerance = min(max(TOLERANCE * noise, least), most)
        if (value, tolerance) == before:
            break
    if TOLERANCE * noise > least and noise > MOST_TEXTURE * _between_neighbours(
        border, value, tolerance
    ):
        return None
    beyond = some < value - tolerance if lower else some > value + tolerance
    if TOLERANCE * noise > most or beyond.mean() > MOST_BEYOND:
        return None
    # The rest must have contrast: beside nodata of -9999 any image looks constant.
    rest = some[np.abs(some - value) > tolerance]
    if not rest.size or TOLERANCE * noise > contrast_of(rest):
        return None
    return _Level(value, tolerance)


def _between_neighbours(border: Plane, value: float, tolerance: float) -> float:
    """Standard deviation of the noise from differences of neighbours on an area's border."""
    near = np.abs(border - value) <= tolerance
    apart = np.diff(border)[near[1:] & near[:-1]]
    return float(np.sqrt(np.square(apart).mean() / 2.0)) if apart.size else 0.0


def _reaching_border(near: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) uint8, 255 on the components of ``near`` that have a pixel on the border."""
    count, labels = cv2.connectedComponents(near, connectivity=4)
    keep: NDArray[np.uint8] = np.zeros(count, np.uint8)
    keep[_border(labels)] = 255
    keep[0] = 0
    if keep[1:].all():
        return near
    return np.asarray(keep[labels])
