"""How exactly is the transform fixed? Noise, and what the tiles disagree about beyond it.

The solver's covariance is that of the noise (``align_cli.engine.uncertainty``). What the model does
not describe, parallax, a lens, curled paper, adds to it as far as the tiles scatter beyond what
each of them is uncertain by: the covariance of the model's fit to them, with the tiles as clusters,
times the share of their variance that is scatter (a random-effects model; DerSimonian and Laird
1986).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.alignment import Uncertainty
from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import Size, inverse, normalisation
from align_cli.engine.displacements.covariance import clustered_covariance, student_factor
from align_cli.engine.displacements.fit import Fit, Matches, of_model
from align_cli.engine.motion import MotionModel
from align_cli.engine.uncertainty import generators, uncertainty_of

LEAST_SCATTER: Final = 0.0
"""Share of the tiles' variance below which they scatter by no more than they are uncertain."""


def with_scatter(
    noise: Uncertainty | None,
    model: MotionModel,
    matches: Matches,
    fit: Fit | None,
    warp: Matrix,
    *,
    source_size: Size,
    target_size: Size,
) -> Uncertainty | None:
    """The uncertainty of an answer by noise and by what its tiles disagree about.

    Args:
        noise: by noise alone; None where the solver could not tell.
        model: of the answer.
        matches: the tiles that found a match.
        fit: of the model to them; None where they are too few.
        warp: (3, 3), target pixel -> source pixel, at full size.
        source_size: (width, height) of the source.
        target_size: the same of the target.

    Returns:
        None where neither tells.
    """
    if fit is None:
        return noise
    own = np.trace(matches.covariance, axis1=1, axis2=2)
    scatter = 2.0 * fit.scatter_px**2
    share = scatter / (scatter + float(np.median(own))) if noise is not None else 1.0
    if share <= LEAST_SCATTER:
        return noise
    entries = _entries(model, matches, fit, inverse(warp), target_size)
    if entries is None:
        return noise
    entries = share * entries
    if noise is not None:
        entries = entries + noise.covariance
    return uncertainty_of(entries, inverse(warp), source_size=source_size, target_size=target_size)


def _entries(
    model: MotionModel, matches: Matches, fit: Fit, source_to_target: Matrix, size: Size
) -> NDArray[np.float64] | None:
    """(8, 8) covariance of the first eight entries of ``source_to_target``, by tiles."""
    design = of_model(model).at(matches.position, size)
    weight = fit.weight[:, None, None] * np.linalg.inv(fit.variance)
    clusters = clustered_covariance(design, fit.residual, weight)
    if clusters is None:
        return None
    degrees = clusters.degrees_of_freedom(np.eye(model.size))
    spread = clusters.matrix * float(student_factor(degrees).mean()) ** 2
    to_normalised = normalisation(size)
    moved = (
        np.linalg.inv(to_normalised) @ generators(model.name) @ (to_normalised @ source_to_target)
    )
    changes = moved - moved[:, 2:, 2:] * source_to_target
    change = changes.reshape(model.size, 9)[:, :8].T
    return np.asarray(change @ spread @ change.T)
