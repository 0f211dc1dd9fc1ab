"""Propagates the covariance of a transform to standard deviations of mapped points."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points, Vector
from align_cli.engine.geometry.coordinates import (
    Size,
    corners,
    inverse,
    map_points,
)
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.records import Uncertainty

GRID: Final = 16
"""Points along each side of the target over which the mean is taken; the maximum is at a corner."""


def uncertainty_of(
    entries: NDArray[np.float64],
    source_to_target: Matrix,
    *,
    source_size: Size,
    target_size: Size,
) -> Uncertainty | None:
    """The uncertainty of a transform; None if the standard deviation of a point is not finite.

    Args:
        entries: (8, 8) covariance of the first eight entries of ``source_to_target``.
        source_to_target: (3, 3), last entry 1.
        source_size: (width, height) of the source.
        target_size: the same of the target.
    """
    warp = inverse(source_to_target)
    over_target = map_points(warp, np.concatenate([_grid(target_size), corners(target_size)]))
    points = np.concatenate([over_target, corners(source_size)])
    sigma = position_sigma(entries, source_to_target, points)
    if not np.isfinite(sigma).all():
        return None
    at_corners, over_target = sigma[-4:], sigma[:-4]
    grid = points[: len(over_target) - 4]
    inside = ((grid >= -0.5) & (grid <= np.array(source_size) - 0.5)).all(axis=1)
    over_grid = over_target[:-4]
    return Uncertainty(
        covariance=entries,
        corners_px=at_corners,
        mean_px=float((over_grid[inside] if inside.any() else over_grid).mean()),
        max_px=float(over_target.max()),
    )


@lru_cache
def _grid(size: Size) -> Points:
    """(n, 2) centres of ``GRID`` by ``GRID`` equal parts of an image."""
    x, y = ((np.arange(GRID) + 0.5) / GRID * side - 0.5 for side in size)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def position_sigma(
    entries: NDArray[np.float64], source_to_target: Matrix, points: Points
) -> Vector:
    """Standard deviation, (n,), of mapped source points (n, 2), in target pixels.

    Args:
        entries: (8, 8) covariance of the first eight entries of ``source_to_target``.
        source_to_target: (3, 3), last entry 1.
        points: (n, 2) in source pixels.
    """
    homogeneous = np.column_stack([points, np.ones(len(points))])
    weight = homogeneous @ source_to_target[2]
    mapped = map_points(source_to_target, points)
    variance = np.zeros(len(points))
    for axis in (0, 1):
        # d(x'/w)/dh by the quotient rule; the last entry is fixed.
        by_entry = np.zeros((len(points), 8))
        by_entry[:, 3 * axis : 3 * axis + 3] = homogeneous / weight[:, None]
        by_entry[:, 6:] = -(mapped[:, axis] / weight)[:, None] * homogeneous[:, :2]
        variance += ((by_entry @ entries) * by_entry).sum(axis=1)
    return np.sqrt(np.maximum(variance, 0.0))


def change_of_entries(
    model: str, from_normalised: Matrix, source_to_target: Matrix
) -> NDArray[np.float64]:
    """(8, p) derivative of the first eight entries of ``source_to_target`` by a warp of the target.

    Args:
        model: the name of the motion model, p parameters.
        from_normalised: (3, 3), normalised coordinates of the warp -> target pixel at full size.
        source_to_target: (3, 3), its last entry 1.
    """
    to_normalised = np.linalg.inv(from_normalised)
    moved = from_normalised @ _generators(model) @ (to_normalised @ source_to_target)
    changes = moved - moved[:, 2:, 2:] * source_to_target
    return np.asarray(changes.reshape(len(changes), 9)[:, :8].T)


@lru_cache
def _generators(model: str) -> NDArray[np.float64]:
    """(p, 3, 3): the derivative of the small warp by each of its parameters, at the identity."""
    to_matrix, step = MODELS[model].to_matrix, 1e-6
    return np.array(
        [(to_matrix(p) - to_matrix(-p)) / (2.0 * step) for p in step * np.eye(MODELS[model].size)]
    )
