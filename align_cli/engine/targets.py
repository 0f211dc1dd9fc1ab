"""What one level of the target contributes to the normal equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.coordinates import Size, normalisation
from align_cli.engine.derivatives import central_differences
from align_cli.engine.pyramid import REACH, Level, within_reach

TEXTURE_SHARE: Final = 0.1
"""A pixel has texture if its squared gradient is above this share of the level's mean. Measured
on pages of text shifted by a few pixels: every loss finds them; with all pixels most were lost."""


@dataclass(frozen=True)
class TargetPlanes:
    """What one level of the target contributes.

    All planes cover the interior of the level, where no filter met the border (the polish, which
    smooths nothing, takes the whole level).

    Attributes:
        size: (width, height) of the whole level.
        origin: (x, y) of the interior's first pixel in the level.
        image: (h, w) float32, less ``mean``.
        column: (h, w) float32, what a change of the light's factor multiplies: ``image``, or that
            without its noise (noise that the residual holds too would pull the factor).
        weight: (h, w) float32 weights of the residuals, found beforehand; None where the loss
            weighs each residual as it is.
        mean: mean of the level, taken out so that the light's two columns are nearly orthogonal.
        spread: standard deviation of the level.
        texture: squared gradient above which a pixel's residual tells of the motion.
        gradient_x, gradient_y: (h, w) float32, per *pixel*.
        valid: (h, w) bool, or None where every interior pixel takes part.
        powers_x: (w, 5) float32, powers 0 to 4 of the normalised x.
        powers_y: (h, 5) float64.
        pixels_per_unit: length in pixels of a unit of the normalised coordinates.
    """

    size: Size
    origin: tuple[int, int]
    image: Plane
    column: Plane
    weight: Plane | None
    mean: float
    spread: float
    texture: float
    gradient_x: Plane
    gradient_y: Plane
    valid: Mask | None
    powers_x: NDArray[np.float32]
    powers_y: NDArray[np.float64]
    pixels_per_unit: float


def target_planes(level: Level) -> TargetPlanes | None:
    """What a pyramid level contributes as the target, or None where no interior is left.

    The gradient is the central difference of the smoothed level: the derivative of what linear
    sampling reconstructs, and odd, so that noise in it does not correlate with the noise of the
    residual at the same pixel.
    """
    reach = REACH + 1  # the central difference looks one pixel further than the smoothing
    if min(level.size) <= 2 * reach + 1:
        return None
    reached = Level(level.image, within_reach(level.valid))
    if reached.valid is not None and not reached.valid[_interior(level, reach)].any():
        return None
    return planes_of(reached, central_differences(level.image), reach=reach)


def planes_of(
    level: Level,
    gradient: tuple[Plane, Plane],
    *,
    reach: int,
    column: Plane | None = None,
    weight: Plane | None = None,
) -> TargetPlanes:
    """The planes of a level with a gradient that was found elsewhere.

    Args:
        level: the image, and which of its pixels take part; at least one does.
        gradient: along x and along y, (height, width) each, per pixel.
        reach: pixels next to each border that take no part.
        column: (height, width), see ``TargetPlanes``; None where that is the image.
        weight: (height, width), see ``TargetPlanes``.
    """
    interior = _interior(level, reach)
    image = level.image[interior]
    inside = None if level.valid is None else np.ascontiguousarray(level.valid[interior])
    mask = None if inside is None else inside.view(np.uint8)
    (mean,), (spread,) = (values[:, 0] for values in cv2.meanStdDev(image, mask=mask))
    image = image - np.float32(mean)
    gradient_x, gradient_y = (np.ascontiguousarray(plane[interior]) for plane in gradient)
    energy = cv2.mean(gradient_x * gradient_x, mask)[0] + cv2.mean(gradient_y * gradient_y, mask)[0]
    to_normalised = normalisation(level.size)
    width, height = level.size
    x = to_normalised[0, 0] * np.arange(reach, width - reach) + to_normalised[0, 2]
    y = to_normalised[1, 1] * np.arange(reach, height - reach) + to_normalised[1, 2]
    degrees = np.arange(5)
    return TargetPlanes(
        size=level.size,
        origin=(reach, reach),
        image=image,
        column=image if column is None else column[interior] - np.float32(mean),
        weight=None if weight is None else np.ascontiguousarray(weight[interior]),
        mean=float(mean),
        spread=float(spread),
        texture=TEXTURE_SHARE * energy,
        gradient_x=gradient_x,
        gradient_y=gradient_y,
        valid=inside,
        powers_x=(x[:, None] ** degrees).astype(np.float32),
        powers_y=y[:, None] ** degrees,
        pixels_per_unit=1.0 / to_normalised[0, 0],
    )


def _interior(level: Level, reach: int) -> tuple[slice, slice]:
    width, height = level.size
    return np.s_[reach : height - reach, reach : width - reach]


def textured(target: TargetPlanes, picked: Any = np.s_[:, :]) -> Mask:
    """Where the squared gradient is above ``texture``, of the picked pixels of the interior.

    On paper or in the sky every residual is small, aligned or not; a scale taken there would make
    outliers of all edges.
    """
    x, y = target.gradient_x[picked], target.gradient_y[picked]
    return np.asarray(x * x + y * y > target.texture, np.bool_)
