"""The uncertainty of a transform: noise, and the scatter of the tiles in excess of it.

The solver's covariance is that of noise (``align_cli.engine.solver.covariance``). Displacements
outside the model, by parallax, a lens or curled paper, add to it as far as the tiles scatter in
excess of their own uncertainty: the covariance of the model's fit to the tiles, with these as
clusters, times the share of their variance that is excess scatter (a random-effects model;
DerSimonian and Laird 1986).

A robust solver follows the majority of the texture. If the model does not hold, least squares over
the overlap would give another transform: the difference
(``sufficiency.ResidualDisplacement.drift``) counts as a deviation of the estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Vector, quantile
from align_cli.engine.displacements.covariance import clustered_covariance
from align_cli.engine.displacements.fit import Fit, Matches, model_basis
from align_cli.engine.geometry.coordinates import Size, inverse, map_points, normalisation
from align_cli.engine.geometry.models import MODELS, MotionModel
from align_cli.engine.geometry.propagation import change_of_entries, uncertainty_of
from align_cli.engine.records import Uncertainty
from align_cli.engine.verdict.sufficiency import overlap_points


def combined_uncertainty(
    noise: Uncertainty | None,
    model: MotionModel,
    matches: Matches | None,
    fit: Fit | None,
    warp: Matrix,
    *,
    source_size: Size,
    target_size: Size,
    drift: Vector | None = None,
) -> Uncertainty | None:
    """The uncertainty of an estimate by noise and by the scatter of its tiles.

    Args:
        noise: by noise alone; None if the solver could not estimate it.
        model: of the estimate.
        matches: the tiles of the main motion; None if they are too few.
        fit: of the model to them, and their scatter about the systematic part; None if they are too
            few.
        warp: (3, 3), target pixel -> source pixel, at full size.
        source_size: (width, height) of the source.
        target_size: the same of the target.
        drift: (p,) change of the estimate by least squares over the overlap; None if it was not
            evaluated.

    Returns:
        None if neither is known.
    """
    if fit is None or matches is None:
        return noise
    source_to_target = inverse(warp)
    entries = _scatter_covariance(noise, model, matches, fit, source_to_target, target_size)
    if entries is None:
        return noise
    if noise is not None:
        entries = entries + noise.covariance
    if drift is not None:
        moved = _change(model, source_to_target, target_size) @ drift
        entries = entries + np.outer(moved, moved)
    return uncertainty_of(
        entries, source_to_target, source_size=source_size, target_size=target_size
    )


def with_rival_difference(
    uncertainty: Uncertainty,
    warp: Matrix,
    other: Matrix,
    *,
    source_size: Size,
    target_size: Size,
) -> Uncertainty | None:
    """The uncertainty of an estimate of which a second one may be the better.

    Their root mean square difference over the overlap counts as a deviation of a shift.

    Args:
        uncertainty: of the estimate by itself.
        warp: (3, 3), target pixel -> source pixel, of the estimate.
        other: the same of the other one.
        source_size: (width, height) of the source.
        target_size: the same of the target.

    Returns:
        None if the uncertainty is unbounded somewhere in the target.
    """
    points = overlap_points(warp, target_size, source_size)
    source_to_target = inverse(warp)
    difference = map_points(source_to_target, map_points(other, points)) - points
    squared = (
        float(np.square(difference).sum(axis=1).mean()) * normalisation(target_size)[0, 0] ** 2
    )
    change = _change(MODELS["translation"], source_to_target, target_size)
    return uncertainty_of(
        uncertainty.covariance + 0.5 * squared * change @ change.T,
        source_to_target,
        source_size=source_size,
        target_size=target_size,
    )


def _scatter_covariance(
    noise: Uncertainty | None,
    model: MotionModel,
    matches: Matches,
    fit: Fit,
    source_to_target: Matrix,
    size: Size,
) -> NDArray[np.float64] | None:
    """(8, 8) covariance of the first eight entries by the scatter of tiles; None if unknown."""
    share = 1.0
    if noise is not None:
        own = np.trace(matches.covariance, axis1=1, axis2=2)
        scatter = 2.0 * fit.scatter_px**2
        share = scatter / (scatter + float(quantile(own, 0.5)))
    if share <= 0.0:
        return np.zeros((8, 8))
    entries = _entry_covariance(model, matches, fit, source_to_target, size)
    return None if entries is None else np.asarray(share * entries)


def _entry_covariance(
    model: MotionModel, matches: Matches, fit: Fit, source_to_target: Matrix, size: Size
) -> NDArray[np.float64] | None:
    """(8, 8) covariance of the first eight entries of ``source_to_target``, by tiles."""
    design = model_basis(model).design(matches.position, size)
    weight = fit.weight[:, None, None] * fit.precision
    clusters = clustered_covariance(design, fit.residual, weight)
    if clusters is None:
        return None
    change = _change(model, source_to_target, size)
    return np.asarray(change @ clusters.with_student @ change.T)


def _change(model: MotionModel, source_to_target: Matrix, size: Size) -> NDArray[np.float64]:
    """(8, p) derivative of the entries of ``source_to_target`` by a small warp of the target."""
    return change_of_entries(model.name, inverse(normalisation(size)), source_to_target)
