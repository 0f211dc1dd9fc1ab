"""How exactly is the transform fixed? Noise, and what the tiles disagree about beyond it.

The solver's covariance is that of the noise (``align_cli.engine.solver.covariance``). What the
model does not describe, parallax, a lens, curled paper, adds to it as far as the tiles scatter
beyond what each of them is uncertain by: the covariance of the model's fit to them, with the tiles
as clusters, times the share of their variance that is scatter (a random-effects model; DerSimonian
and Laird 1986).

A robust solver lies where most agrees. Least squares over the overlap lies elsewhere where the
model does not hold: how far, the field of what is left tells (``sufficiency.Remaining.drift``), and
it counts as a deviation of the answer.
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
    """The uncertainty of an answer by noise and by what its tiles disagree about.

    Args:
        noise: by noise alone; None where the solver could not tell.
        model: of the answer.
        matches: the tiles of the main motion; None where they are too few.
        fit: of the model to them, and how they scatter about what is systematic; None where they
            are too few.
        warp: (3, 3), target pixel -> source pixel, at full size.
        source_size: (width, height) of the source.
        target_size: the same of the target.
        drift: (p,) by which least squares over the overlap would move the answer; None where
            nothing was looked for.

    Returns:
        None where neither tells.
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
    """The uncertainty of an answer of which it is not known whether another one is the better.

    How far they lie apart, root mean square over the overlap, counts as a deviation of a shift.

    Args:
        uncertainty: of the answer by itself.
        warp: (3, 3), target pixel -> source pixel, of the answer.
        other: the same of the other one.
        source_size: (width, height) of the source.
        target_size: the same of the target.

    Returns:
        None where a place of the target has no limit.
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
    """(8, 8) covariance of the first eight entries by what tiles disagree about; None for none."""
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
    """(8, p): how the entries of ``source_to_target`` follow a small warp of the target."""
    return change_of_entries(model.name, inverse(normalisation(size)), source_to_target)
