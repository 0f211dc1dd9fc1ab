"""Covariance of the estimated parameters, from the scores of tiles.

At the solution the score s = C^T w r is zero, with C = [J, T m, m] the columns of motion and
illumination. The covariance of the solution follows from that of the score and its derivative (the
sandwich estimator of Huber 1967):

    cov(p) = A^-1 B A^-T        A = E[ds/dp],  B = cov(s)

B is measured: the scores of the tiles of the image are nearly independent, so the sum of their
squares is the variance of their sum (White 1980). It includes correlated noise, noise that varies
over the image, and residuals that are not noise.

A = C^T Psi C', with Psi the derivative of the robust loss's influence function, needs columns C'
whose noise is independent of that of C; else noise would increase A. They are those of the warped
source; in the refinement those of the denoised image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.equations.dense import cross_matrix, residual_planes
from align_cli.engine.equations.illumination import VARYING
from align_cli.engine.equations.normal_equations import attenuation_variance, columns
from align_cli.engine.geometry.coordinates import (
    Size,
    at_level,
    inverse,
    normalisation,
)
from align_cli.engine.geometry.models import MONOMIALS, MotionModel
from align_cli.engine.geometry.propagation import (
    change_of_entries,
    uncertainty_of,
)
from align_cli.engine.records import Uncertainty
from align_cli.engine.sampling.gradients import central_differences
from align_cli.engine.solver.gauss_newton import SolvedPlane
from align_cli.engine.target.planes import Rows
from align_cli.engine.target.tile_rows import TILE_PX, TileRows, rows_of_tiles

FEWEST_TILES: Final = 24
"""Least number of tiles in excess of the number of columns; with fewer there is no estimate."""

MOST_PIXELS: Final = 1 << 14
"""Number of pixels, about, that are used of large images, in evenly spaced groups."""

LARGE_PX: Final = 0.1
MOST_PIXELS_IF_LARGE: Final = 1 << 18
"""An uncertainty above ``LARGE_PX`` is estimated again from ``MOST_PIXELS_IF_LARGE`` pixels: the
noise of the gradients does not average out over fewer."""


def uncertainty(
    solved: SolvedPlane,
    target_size: Size,
    source_size: Size,
    *,
    other_planes: Sequence[SolvedPlane] = (),
    warped_by: Matrix | None = None,
) -> Uncertainty | None:
    """The uncertainty of the solution of the last solve; None if there is too little texture.

    Args:
        solved: the last solve.
        target_size: (width, height) of the target at full size.
        source_size: the same of the source.
        other_planes: further planes of the same size with the same motion.
        warped_by: (3, 3), target pixel -> source pixel at full size, the warp by which the source
            was warped before that solve; None for none.
    """
    warp = at_level(solved.result.state.warp, -solved.level)
    if warped_by is not None:
        warp = warped_by @ warp
    source_to_target = inverse(warp)
    change = _entries_by_parameter(solved, source_to_target)

    def estimate(most_pixels: int) -> Uncertainty | None:
        small = covariance(solved, most_pixels, *other_planes)
        if small is None:
            return None
        return uncertainty_of(
            change @ small @ change.T,
            source_to_target,
            source_size=source_size,
            target_size=target_size,
        )

    first = estimate(MOST_PIXELS)
    all_used = math.prod(solved.target.shape) <= MOST_PIXELS
    if all_used or (first is not None and first.mean_px < LARGE_PX):
        return first
    return estimate(MOST_PIXELS_IF_LARGE)


def _entries_by_parameter(solved: SolvedPlane, source_to_target: Matrix) -> NDArray[np.float64]:
    """(8, p) derivative of the entries of ``source_to_target`` by the small warp's parameters.

    W becomes W D^-1, so its inverse M becomes D M, scaled to a last entry of 1.
    """
    model = solved.settings.model
    up = np.diag([2.0**solved.level, 2.0**solved.level, 1.0])
    from_normalised = up @ np.linalg.inv(normalisation(solved.target.size))
    return change_of_entries(model.name, from_normalised, source_to_target)


def covariance(
    solved: SolvedPlane, most_pixels: int, *other_planes: SolvedPlane
) -> NDArray[np.float64] | None:
    """(p, p) covariance of the small warp's parameters, in normalised coordinates of the level.

    It is A^-1 B A^-T, of the scores of tiles (docs/method.md, section 12).

    Args:
        solved: the last solve; p is the number of parameters of its motion model.
        most_pixels: of larger images about so many pixels are used, in evenly spaced rows of tiles.
        other_planes: further planes with the same motion, whose scores are added tile by tile.

    Returns:
        None if there are too few tiles, or the equations are singular.
    """
    target, settings = solved.target, solved.settings
    picked = rows_of_tiles(target.bands, target.shape[1], most_pixels)
    scores, slope = _scores_and_slope(solved, picked)
    for other in other_planes:
        more_scores, more_slope = _scores_and_slope(other, picked)
        scores, slope = scores + more_scores, slope + more_slope
    chosen = columns(settings.model.size, settings.illumination_terms, VARYING)
    scores = scores[scores.any(axis=1)][:, chosen]
    freedom = len(scores) - len(chosen)
    if freedom < FEWEST_TILES:
        return None
    try:
        inverse_slope = np.linalg.inv(slope[chosen[:, None], chosen])
    except np.linalg.LinAlgError:
        return None
    spread = scores.T @ scores * (len(scores) / freedom)
    share = np.count_nonzero(picked.own) / target.shape[0]
    both = inverse_slope @ spread @ inverse_slope.T * share
    motion = both[: settings.model.size, : settings.model.size]
    return np.asarray(motion) if np.isfinite(motion).all() else None


def _scores_and_slope(
    solved: SolvedPlane, picked: TileRows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores of a sample of rows of tiles, (tiles, p + 12), and their part of A."""
    target, settings = solved.target, solved.settings
    rows, own = picked.rows, picked.own[:, None]
    part = target.part(rows)
    residual, inside = residual_planes(target, solved.source, solved.result.state, picked.runs)
    expected: tuple[Plane, ...]
    if solved.expected is None:
        source = part.image + residual
        expected = (*central_differences(source), source)
        known = _eroded(inside)
        # The first and last row of a run may have no neighbour, hence no central difference.
        known[picked.edges] = False
    else:
        expected = tuple(plane[rows] for plane in solved.expected)
        known = inside & own
    inside &= own
    weight, slope = _weights(solved, residual, rows)
    planes = part.gradient_x, part.gradient_y, part.column
    matrix = cross_matrix(planes, expected, slope * known, target, settings.model, rows)
    # Scaled for the pixels where the source's gradient is unknown.
    matrix *= float(np.count_nonzero(inside)) / max(float(np.count_nonzero(known)), 1.0)
    weighted = weight * residual
    weighted *= inside
    of_image = planes[2] * weighted
    if target.noise > 0.0 and not target.weighted:
        # The correction for noise of the equations that were solved.
        attenuation = attenuation_variance(target.noise, solved.result.rmse**2, target.spread)
        of_image += np.float32(attenuation) * slope * inside
    by_plane = planes[0] * weighted, planes[1] * weighted, of_image, weighted
    return _scores(by_plane, solved, picked), matrix


def _weights(solved: SolvedPlane, residual: Plane, rows: Rows) -> tuple[Plane, Plane]:
    """The weight of each residual, and the derivative of the influence function there."""
    fixed = solved.target.part(rows).weight if solved.target.weighted else None
    if fixed is not None:
        return fixed, fixed
    loss = solved.settings.loss
    squared = np.square(residual / (loss.constant * solved.result.scale), dtype=np.float32)
    loss.weigh(squared)
    return squared, loss.slope(squared)


def _scores(
    by_plane: Sequence[Plane],
    solved: SolvedPlane,
    picked: TileRows,
) -> NDArray[np.float64]:
    """(tiles, p + 12) sums of C^T w r, with the monomials at each tile's centre.

    ``by_plane`` are the products of w r with both gradients, the image and 1, and 0 in rows that
    belong to no tile.
    """
    model, target = solved.settings.model, solved.target
    shape = by_plane[0].shape
    lefts, tops = np.arange(0, shape[1], TILE_PX), picked.tiles[0]
    sums = [
        np.add.reduceat(np.add.reduceat(plane, tops, axis=0), lefts, axis=1, dtype=np.float64)
        for plane in by_plane
    ]
    rights = np.append(lefts[1:], shape[1]) - 1
    x = 0.5 * (target.powers_x[lefts, 1] + target.powers_x[rights, 1])
    y = 0.5 * target.powers_y[picked.rows[picked.tiles], 1].sum(axis=0)
    across, down = np.tile(x, y.size), np.repeat(y, x.size)
    monomials = np.array([across**i * down**j for i, j in MONOMIALS])
    along_x, along_y = _jacobian(model, monomials, target.pixels_per_unit)
    sums_x, sums_y, sums_image, sums_one = (each.ravel() for each in sums)
    scores = np.concatenate(
        [along_x * sums_x + along_y * sums_y, monomials * sums_image, monomials * sums_one]
    )
    return np.asarray(scores.T)


def _jacobian(
    model: MotionModel, monomials: NDArray[np.float64], pixels_per_unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(p, n) each: displacement along x and y, in pixels, by a unit of each parameter."""
    return (
        model.jacobian_x @ monomials * pixels_per_unit,
        model.jacobian_y @ monomials * pixels_per_unit,
    )


def _eroded(inside: Mask) -> Mask:
    # The central difference at the frame uses mirrored pixels, so the frame is eroded too.
    eroded = cv2.erode(
        inside.view(np.uint8),
        np.ones((3, 3), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return eroded.astype(np.bool_)
