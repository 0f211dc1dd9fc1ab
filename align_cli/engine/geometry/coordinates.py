"""Points, corners and the changes of coordinates: pixel <-> normalised, level <-> level.

A pixel's centre is at integer coordinates, (0, 0) is the centre of the top-left pixel, x runs
right and y runs down. Matrices map homogeneous column vectors (x, y, 1).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points

Size = tuple[int, int]
"""(width, height) in pixels, as in OpenCV; array shapes are (height, width)."""


LEAST_DENOMINATOR: Final = 1e-3
"""Least denominator of a homography in the image, over that at the origin."""


def map_points(matrix: Matrix, points: Points) -> Points:
    """Map (n, 2) points by a (3, 3) matrix; inf or NaN for points mapped to infinity."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return mapped[:, :2] / mapped[:, 2:]


def corners(size: Size) -> Points:
    """Centres of the four corner pixels, (4, 2), clockwise from the top left."""
    width, height = size
    right, bottom = width - 1.0, height - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])


def unit(matrix: Matrix) -> Matrix:
    """The same transform scaled so that its last entry is 1."""
    return matrix / float(matrix[2, 2])


def inverse(matrix: Matrix) -> Matrix:
    """Inverse transform, scaled so that its last entry is 1.

    Raises:
        numpy.linalg.LinAlgError: if the matrix is singular.
    """
    return unit(np.asarray(np.linalg.inv(matrix), np.float64))


def inverse_of_small(matrix: Matrix) -> Matrix:
    """``inverse`` of a transform near the identity; NaN if the origin is mapped to infinity.

    By cofactors, several times faster than numpy's for so few numbers.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    last = a * e - b * d or math.nan
    return np.array(
        [
            [(e * i - f * h) / last, (c * h - b * i) / last, (b * f - c * e) / last],
            [(f * g - d * i) / last, (a * i - c * g) / last, (c * d - a * f) / last],
            [(d * h - e * g) / last, (b * g - a * h) / last, 1.0],
        ]
    )


def normalisation(size: Size) -> Matrix:
    """Pixels -> normalised coordinates: centred on the image, divided by half its longer side.

    A unit of any motion parameter then displaces the pixels of the image by about the same amount,
    so the parameters need no further scaling.
    """
    width, height = size
    half = max(width, height) / 2.0
    centre_x, centre_y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    return np.array(
        [[1.0 / half, 0.0, -centre_x / half], [0.0, 1.0 / half, -centre_y / half], [0.0, 0.0, 1.0]]
    )


def at_level(matrix: Matrix, level: int) -> Matrix:
    """The full-size transform ``matrix`` in the pixels of a pyramid level.

    A pixel x of level l lies at 2**l * x of the full size (``align_cli.engine.images.pyramid``
    keeps every second sample, the first included), so the change of coordinates has no half-pixel
    term.
    """
    scaled = matrix / float(matrix[2, 2])
    scaled[:2, 2] *= 0.5**level
    scaled[2, :2] *= 2.0**level
    return scaled


def plausible(warp: Matrix, size: Size) -> bool:
    """False if a warp is not finite, mirrors the image, or its horizon crosses the image."""
    (a, b, c), (d, e, f), (g, h, i) = warp.tolist()
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    # The denominator g x + h y + i is linear: its minimum is at a corner.
    least = i + min(0.0, g * (size[0] - 1)) + min(0.0, h * (size[1] - 1))
    return math.isfinite(determinant) and determinant > 0.0 and least > LEAST_DENOMINATOR * i


def area_at_centre(warp: Matrix, size: Size) -> float:
    """Area of the pixel at the centre of an image of ``size`` after a warp, in pixels."""
    x, y = ((side - 1.0) / 2.0 for side in size)
    weight = float(warp[2] @ [x, y, 1.0])
    return abs(float(np.linalg.det(warp)) / weight**3)  # the Jacobian's determinant there


def level_difference(warp: Matrix, size: Size) -> int:
    """Difference in resolution between the two images of a warp, in pyramid levels, rounded.

    Positive if the pixels of the image that ``warp`` maps to are larger, at the centre of an image
    of ``size``.
    """
    area = area_at_centre(warp, size)
    return round(-0.5 * math.log2(area)) if 0.0 < area < math.inf else 0


def matching_level(warp: Matrix, level: int, size: Size, levels: range) -> tuple[int, Matrix]:
    """The level of the source whose resolution is nearest to that of a level of the target.

    Args:
        warp: target pixel -> source pixel, at full size.
        level: of the target.
        size: (width, height) of the target.
        levels: available levels of the source.

    Returns:
        That level, and the warp from the target's level to it.
    """
    of_source = min(max(level - level_difference(warp, size), levels[0]), levels[-1])
    times = 2.0 ** (level - of_source)
    return of_source, unit(np.diag([times, times, 1.0]) @ at_level(warp, level))


def corner_error(estimate: Matrix, reference: Matrix, size: Size) -> float:
    """Mean distance, in pixels, of the four corners of ``size`` mapped by two transforms."""
    points = corners(size)
    distance = map_points(estimate, points) - map_points(reference, points)
    return float(np.hypot(*distance.T).mean())


def corner_step_px(small: Matrix, size: Size) -> float:
    """Largest distance in pixels by which ``small`` moves a corner of an image of ``size``."""
    (a, b, c), (d, e, f), (g, h, i) = small.tolist()
    right, bottom = size[0] - 1.0, size[1] - 1.0
    # Called many times in every alignment: arrays would take ten times as long for four points.
    distances = []
    for x, y in ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)):
        w = g * x + h * y + i
        if w == 0.0:
            return math.inf
        distances.append(math.hypot((a * x + b * y + c) / w - x, (d * x + e * y + f) / w - y))
    return max(distances)


def endpoint_error(estimate: Matrix, reference: Matrix, size: Size) -> NDArray[np.float64]:
    """(height, width) distance, in pixels, of every pixel of ``size`` mapped by two transforms."""
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = np.column_stack([x.ravel(), y.ravel()])
    distance = map_points(estimate, points) - map_points(reference, points)
    return np.asarray(np.hypot(*distance.T).reshape(height, width), np.float64)
