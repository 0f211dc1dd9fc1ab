"""What remains of a displacement field: a richer motion model, or a smooth field, and its maximum.

A motion model is nested in the next richer one, so an F test decides whether the richer one
describes the displacements significantly better. A smooth residual (a lens, curled paper) is a
cubic field, which no motion model contains.

The largest displacement is in the corners of the overlap, where texture may be missing. Both kinds
of field are evaluated there too, but the cubic only where its own standard error is small enough;
elsewhere nothing is reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Points, Vector
from align_cli.engine.displacements.f_test import SIGNIFICANCE, log10_p_value
from align_cli.engine.displacements.fit import (
    Basis,
    Fit,
    Matches,
    add_scatter,
    common_scatter,
    leave_one_out,
    model_basis,
    polynomial,
    refit,
    robust_fit,
    tukey_loss,
)
from align_cli.engine.geometry.coordinates import Size, map_points, normalisation, unit
from align_cli.engine.geometry.models import MODELS, MotionModel

NEWTON_ROUNDS: Final = 3
"""Linearised solves at most, each about the last transform. Of 100 homographies that move the
corners of 352x240 px by 20 px, one solve misses a corner by up to 6.9 px, two by 0.05, three by
0.0001."""

NEWTON_TOLERANCE_PX: Final = 0.001
"""Largest difference at the tiles between a transform and its linearisation for which no further
solve is needed: a tenth of ``LEAST_SIGMA_PX``."""

CUBIC: Final = 3
"""Degree of the smooth field: radial lens distortion grows with the third power of the radius."""

DEGREES: Final = (CUBIC, 5)
"""Degrees of smooth fields; the one that predicts left-out tiles best is taken. Reported within 15
% or 0.3 px, of 16 lenses and 16 curled pages, are 16 and 13; by the cubic field alone 16 and 3."""

REPORTED_ACCURACY: Final = (0.15, 0.3)
"""Required accuracy of a reported displacement, in nine of ten cases: a share of its length, or
pixels, whichever is larger."""

TWO_SIDED_90: Final = 1.645
"""Standard deviations of the normal distribution that contain 90 %."""


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A smooth field through the displacements.

    Attributes:
        basis: of the field.
        fit: of it to the tiles.
        supported: (m,) bool, at which of the given points the tiles determine it accurately enough.
    """

    basis: Basis
    fit: Fit
    supported: Mask


def fitted_transform(
    model: MotionModel, matches: Matches, size: Size, like: Fit | None = None
) -> tuple[Matrix, Fit]:
    """The member of a motion model that fits the displacements, without linearisation.

    Args:
        model: the motion model.
        matches: the tiles.
        size: (width, height) of the target.
        like: a fit whose weights and variances are used; None for those of this one.

    Returns:
        (3, 3), pixel of the target -> its match in the warped source, and the fit.
    """
    to_normalised = normalisation(size)
    basis, transform, moved = model_basis(model), np.eye(3), matches.position
    for _ in range(NEWTON_ROUNDS):
        rows, left = basis.design(moved, size), matches.position + matches.displacement - moved
        fit = (
            robust_fit(rows, left, matches.covariance) if like is None else refit(rows, left, like)
        )
        step = np.linalg.solve(to_normalised, model.to_matrix(fit.parameters) @ to_normalised)
        transform = unit(step @ transform)
        linear, moved = moved + rows @ fit.parameters, map_points(transform, matches.position)
        if np.abs(moved - linear).max(initial=0.0) <= NEWTON_TOLERANCE_PX:
            break
    return transform, fit


def explained_by_richer(
    model: MotionModel, matches: Matches, size: Size, largest: Fit
) -> MotionModel | None:
    """The simplest richer model that explains the displacements significantly better (F test).

    Args:
        model: that of the estimate.
        matches: the matched tiles.
        size: (width, height) of the target.
        largest: the fit of the largest model to them.

    Returns:
        None if no richer model is significant.
    """
    models = [other for other in MODELS.values() if other.size >= model.size]
    # All with the same weights, so that their sums of squares can be compared.
    fits = [fitted_transform(other, matches, size, like=largest)[1] for other in models]
    level = math.log10(SIGNIFICANCE / max(len(models) - 1, 1))
    for number, simple in enumerate(models):
        richer = fits[number + 1 :]
        if all(log10_p_value(fits[number], rich) > level for rich in richer):
            return None if simple is model else simple
    raise AssertionError  # the last one has no richer one


def smooth_field(matches: Matches, size: Size) -> tuple[Basis, Fit]:
    """The smooth field through the displacements that predicts left-out tiles best.

    Args:
        matches: the matched tiles.
        size: (width, height) of the target.
    """
    bases = [polynomial(degree) for degree in DEGREES]
    kept = [basis for basis in bases if basis is bases[0] or basis.size <= len(matches)]
    rows = [basis.design(matches.position, size) for basis in kept]
    fits = [robust_fit(each, matches.displacement, matches.covariance) for each in rows]
    if len(fits) == 1:
        return kept[0], fits[0]
    residuals = [leave_one_out(*each) for each in zip(rows, fits, strict=True)]
    scatter = min(common_scatter(each, matches.covariance) for each in residuals)
    variance = add_scatter(matches.covariance, scatter)
    best = int(np.argmin([tukey_loss(each, variance) for each in residuals]))
    return kept[best], fits[best]


def supported_smooth_field(matches: Matches, size: Size, within: Points) -> SmoothField | None:
    """A smooth field through the displacements, and where the tiles support it.

    Args:
        matches: the matched tiles.
        size: (width, height) of the target.
        within: (m, 2) float64, points of the overlap, px of the target, its corners among them.

    Returns:
        None if it is supported nowhere.
    """
    basis, fit = smooth_field(matches, size)
    length = np.hypot(*basis.evaluate(fit.parameters, within, size).T)
    supported = _accurate(length, basis.variance(fit, within, size))
    if not supported.any():
        return None
    return SmoothField(basis, fit, supported)


def _accurate(length: Vector, variance: Vector) -> Mask:
    """Where a length, (m,) px, is known as accurately as a report requires."""
    share, pixels = REPORTED_ACCURACY
    return np.asarray(TWO_SIDED_90 * np.sqrt(variance) <= np.maximum(share * length, pixels))
