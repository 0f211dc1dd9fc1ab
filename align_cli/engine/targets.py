"""What one level of the target contributes to the normal equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.bands import Bands
from align_cli.engine.coordinates import Size, normalisation
from align_cli.engine.derivatives import central_differences
from align_cli.engine.pyramid import REACH, Level, within_reach
from align_cli.engine.threads import Threads

_STRIP_PIXELS: Final = 1 << 17

STEEPNESS_PIXELS: Final = 1 << 14
"""Pixels that tell how much a central difference flattens."""

TEXTURE_SHARE: Final = 0.1
"""A pixel has texture if its squared gradient is above this share of the level's mean. Measured
on pages of text shifted by a few pixels: every loss finds them; with all pixels most were lost."""


@dataclass(frozen=True)
class TargetPlanes:
    """What one level of the target contributes.

    All planes cover the interior of the level, where no filter met the border (the polish, which
    smooths nothing, takes the whole level), or bands of its rows, stacked.

    Attributes:
        size: (width, height) of the whole level.
        origin: (x, y) of the interior's first pixel in the level.
        bands: which rows of the interior the planes hold.
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
        steepness: how much steeper the picture is than ``gradient_x`` says, along the gradient.
        powers_x: (w, 5) float32, powers 0 to 4 of the normalised x.
        powers_y: (h, 5) float64.
        pixels_per_unit: length in pixels of a unit of the normalised coordinates.
    """

    size: Size
    origin: tuple[int, int]
    bands: Bands
    image: Plane
    column: Plane
    weight: Plane | None
    mean: float
    spread: float
    texture: float
    gradient_x: Plane
    gradient_y: Plane
    valid: Mask | None
    steepness: float
    powers_x: NDArray[np.float32]
    powers_y: NDArray[np.float64]
    pixels_per_unit: float

    @property
    def energy(self) -> float:
        """Mean squared gradient."""
        return self.texture / TEXTURE_SHARE


def target_planes(level: Level, most_pixels: int | None = None) -> TargetPlanes | None:
    """What a pyramid level contributes as the target, or None where no interior is left.

    Args:
        level: the level.
        most_pixels: look at bands of rows of about so many pixels; None for all rows.

    The gradient is the central difference of the smoothed level: the derivative of what linear
    sampling reconstructs, and odd, so that noise in it does not correlate with the noise of the
    residual at the same pixel.
    """
    reach = REACH + 1  # the central difference looks one pixel further than the smoothing
    if min(level.size) <= 2 * reach + 1:
        return None
    valid = within_reach(level.valid)
    if valid is not None and not valid[_interior(level, reach)].any():
        return None
    width, height = (side - 2 * reach for side in level.size)
    bands = Bands.whole(height)
    if most_pixels is not None and valid is None:
        bands = Bands.spread(height, width, most_pixels)
    image, along_x, along_y = np.empty((3, bands.count * bands.rows, width), np.float32)

    def fill(rows: slice) -> None:
        top = reach + int(bands.y[rows.start])
        # A row more on each side, for the difference.
        strip = level.part(np.s_[top - 1 : top + rows.stop - rows.start + 1, 0 : width + 2 * reach])
        inside = np.s_[1:-1, reach : reach + width]
        image[rows] = strip[inside]
        for plane, gradient in zip((along_x, along_y), central_differences(strip), strict=True):
            plane[rows] = gradient[inside]

    with Threads() as threads:
        threads.map(fill, bands.cut(max(1, _STRIP_PIXELS // width)))
    return _planes(
        level.size,
        bands,
        reach,
        image=image,
        gradient=(along_x, along_y),
        valid=None if valid is None else _stacked(valid, bands, reach),
        steepness=_steepness(image, along_x),
    )


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
    bands = Bands.whole(level.size[1] - 2 * reach)
    return _planes(
        level.size,
        bands,
        reach,
        image=_stacked(level.image, bands, reach),
        gradient=(_stacked(gradient[0], bands, reach), _stacked(gradient[1], bands, reach)),
        valid=None if level.valid is None else _stacked(level.valid, bands, reach),
        column=None if column is None else _stacked(column, bands, reach),
        weight=None if weight is None else _stacked(weight, bands, reach),
    )


def _stacked(plane: NDArray[Any], bands: Bands, reach: int) -> NDArray[Any]:
    """The rows of the bands of a plane's interior."""
    columns = np.s_[reach : plane.shape[1] - reach]
    return np.concatenate(
        [plane[reach + rows.start : reach + rows.stop, columns] for rows in bands.slices]
    )


def _planes(
    size: Size,
    bands: Bands,
    reach: int,
    *,
    image: Plane,
    gradient: tuple[Plane, Plane],
    valid: Mask | None,
    steepness: float = 1.0,
    column: Plane | None = None,
    weight: Plane | None = None,
) -> TargetPlanes:
    mask = None if valid is None else valid.view(np.uint8)
    (mean,), (spread,) = (values[:, 0] for values in cv2.meanStdDev(image, mask=mask))
    image -= np.float32(mean)
    to_normalised = normalisation(size)
    width = size[0]
    x = to_normalised[0, 0] * np.arange(reach, width - reach) + to_normalised[0, 2]
    y = to_normalised[1, 1] * (reach + bands.y) + to_normalised[1, 2]
    degrees = np.arange(5)
    return TargetPlanes(
        size=size,
        origin=(reach, reach),
        bands=bands,
        image=image,
        column=image if column is None else column - np.float32(mean),
        weight=weight,
        mean=float(mean),
        spread=float(spread),
        texture=texture_threshold(gradient, valid),
        gradient_x=gradient[0],
        gradient_y=gradient[1],
        valid=valid,
        steepness=steepness,
        powers_x=(x[:, None] ** degrees).astype(np.float32),
        powers_y=y[:, None] ** degrees,
        pixels_per_unit=1.0 / to_normalised[0, 0],
    )


def _steepness(image: Plane, along_x: Plane) -> float:
    """<g, g'> / <g, g> with g' the derivative that is right to the sixth order, of some rows.

    A central difference makes fine details less steep than they are, and steps too long by as much.
    """
    rows = np.s_[:: max(1, image.size // STEEPNESS_PIXELS), :]
    image, along_x = image[rows], along_x[rows][:, 3:-3]
    if along_x.size == 0:
        return 1.0
    near, middle, far = (
        image[:, 3 + n : image.shape[1] - 3 + n] - image[:, 3 - n : image.shape[1] - 3 - n]
        for n in (1, 2, 3)
    )
    exact = (45.0 * near - 9.0 * middle + far) / 60.0
    energy = float(np.vdot(along_x, along_x))
    return float(np.vdot(along_x, exact)) / energy if energy > 0.0 else 1.0


def texture_threshold(gradient: tuple[Plane, Plane], valid: Mask | None) -> float:
    """The squared gradient above which a pixel has texture."""
    if valid is None:
        energy = sum(float(np.vdot(plane, plane)) for plane in gradient) / gradient[0].size
    else:
        mask = valid.view(np.uint8)
        energy = sum(cv2.mean(plane * plane, mask)[0] for plane in gradient)
    return TEXTURE_SHARE * energy


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
