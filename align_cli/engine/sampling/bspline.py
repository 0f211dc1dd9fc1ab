"""Interpolation by cubic B-splines, and their derivatives.

An image is a sum of B-splines of degree 3 whose coefficients are computed by a recursive filter
(Unser, Aldroubi and Eden 1993). A B-spline has four neighbours along each axis, and any two
neighbours with weights of one sign are one linear interpolation at the right place between them
(Sigg and Hadwiger 2005): four samples by cv2's exact linear interpolation give the value.

Linear interpolation blurs by an amount that depends on the sub-pixel position, which dominates the
error without noise. cv2's own cubic does not reproduce a ramp.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.sampling.gradients import central_difference

POLE: Final = np.sqrt(3.0) - 2.0
"""Pole of the recursive filter that computes the coefficients."""

FILTER_REACH: Final = int(math.log(np.finfo(np.float32).eps) / math.log(-POLE))
"""Where its impulse response is cut off, 12: POLE**12 is 1.4e-7, the last digit of float32."""


def _impulse_response() -> NDArray[np.float32]:
    distance = np.abs(np.arange(-FILTER_REACH, FILTER_REACH + 1))
    response = -6.0 * POLE / (1.0 - POLE**2) * POLE**distance
    return np.asarray(response / response.sum(), np.float32)


_TO_COEFFICIENTS: Final = _impulse_response()
_MIRROR: Final = cv2.BORDER_REFLECT_101
_UNCHANGED: Final = np.ones(1, np.float32)


def coefficients(image: Plane) -> Plane:
    """B-spline coefficients of an image, (height, width) float32, mirrored at its borders."""
    return _filtered(image, _TO_COEFFICIENTS, _TO_COEFFICIENTS)


def gradient(image: Plane) -> tuple[Plane, Plane]:
    """d/dx and d/dy of the interpolating spline at the pixels, (height, width) each, per pixel.

    The derivative of a spline at its knots is the central difference of the coefficients along
    that axis; along the other axis it keeps the samples.
    """
    along_x = _filtered(image, _TO_COEFFICIENTS, _UNCHANGED)
    along_y = _filtered(image, _UNCHANGED, _TO_COEFFICIENTS)
    return central_difference(along_x, axis=1), central_difference(along_y, axis=0)


def sample(spline: Plane, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
    """Values of a spline at the warped pixels of a window.

    Args:
        spline: (height, width) float32, coefficients.
        warp: (3, 3), window pixel -> image pixel.
        size: (width, height) of the window.
        out: where to write, (height, width) float32 and contiguous.

    Returns:
        (height, width) float32; near and beyond the border the image is mirrored.
    """
    width, height = size
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
    denominator = warp[2, 0] * x + (warp[2, 1] * y + warp[2, 2])
    columns, rows = (
        _two_samples((line[0] * x + (line[1] * y + line[2])) / denominator) for line in warp[:2]
    )
    values = np.empty((height, width), np.float32) if out is None else out
    values.fill(0.0)
    for weight_y, at_y in rows:
        for weight_x, at_x in columns:
            part = cv2.remap(
                spline, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
            np.multiply(part, weight_x, out=part)
            np.multiply(part, weight_y, out=part)
            np.add(values, part, out=values)
    return values


def _two_samples(
    position: NDArray[np.float64],
) -> tuple[tuple[Plane, Plane], tuple[Plane, Plane]]:
    """Weight and position of the two linear samples that are equivalent to four B-splines."""
    whole = np.floor(position)
    t = (position - whole).astype(np.float32)
    knot = whole.astype(np.float32)
    # The four B-splines at the knots -1, 0, 1 and 2 from a point t beyond knot 0.
    s = 1.0 - t
    first = s * s * s / 6.0
    last = t * t * t / 6.0
    second = 2.0 / 3.0 - t * t * (1.0 - 0.5 * t)
    before = first + second
    after = 1.0 - before
    return (before, knot - 1.0 + second / before), (after, knot + 1.0 + last / after)


def _filtered(image: Plane, along_x: NDArray[np.float32], along_y: NDArray[np.float32]) -> Plane:
    filtered = cv2.sepFilter2D(image, cv2.CV_32F, along_x, along_y, borderType=_MIRROR)
    return np.asarray(filtered, np.float32)
