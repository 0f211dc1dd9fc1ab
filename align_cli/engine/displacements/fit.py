"""Robust least-squares fits of vector fields to the displacements of tiles.

A field is linear in its parameters p: d(x) = A(x) p, where A(x) is a (2, p) matrix of polynomials
in the normalised coordinates of ``align_cli.engine.geometry.coordinates``. The motion models,
linearised at the identity, are such fields, and so is a polynomial of any degree for each
component.

Displacements scatter by more than their own covariances C (what the field does not describe, what a
tile's texture hides). The excess is modelled as a variance s^2 common to all tiles, so a tile has
the variance V = C + s^2 I: unlike a factor common to all covariances, this does not let the few
sharpest tiles decide alone. s is chosen so that half of the tiles are within the median of the
chi-square distribution. Iteratively reweighted least squares with Tukey's loss (Holland and Welsch
1977), started at least squares: starting at the least sum of lengths instead led to the same fits,
with 30 and with 45 % of wrong matches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Points, Vector
from align_cli.engine.geometry.coordinates import Size, map_points, normalisation
from align_cli.engine.geometry.models import MONOMIALS, MotionModel
from align_cli.engine.numerics.blas import along, times
from align_cli.engine.numerics.losses import LOSSES, OUTLIER
from align_cli.engine.numerics.negligible import NEGLIGIBLE, ROUNDING

Floats = NDArray[np.float64]

MEDIAN_SQUARED: Final = 2.0 * math.log(2.0)
"""Median of the chi-square distribution with two degrees of freedom."""

LEAST_SIGMA_PX: Final = 0.01
"""Least standard deviation of a tile: interpolation has sub-pixel errors of its own."""

ROUNDS: Final = 50
"""Reweighted solves at most; they end when no weight changes by more than ``WEIGHT_TOLERANCE``."""

WEIGHT_TOLERANCE: Final = NEGLIGIBLE
"""Largest change of a tile's weight, from 0 to 1, of a fit that has converged."""

LEAST_RIDGE: Final = ROUNDING
"""Added to the unit diagonal of scaled normal equations, so that they always have a solution."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Matched tiles, possibly of several levels, one after the other.

    Attributes:
        position: (n, 2) float64, x and y of the tiles' centres, px of the target.
        displacement: (n, 2) float64, px.
        covariance: (n, 2, 2) float64 of the displacement, px^2.
        side: (n,) float64, of each tile, px.
        reach: (n,) float64, half side of each tile's search window, px.
        represented_area: (n,) float64, px^2, the area that each tile represents; None for its own.
    """

    position: Points
    displacement: Points
    covariance: Floats
    side: Vector
    reach: Vector
    represented_area: Vector | None = None

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, tiles: Mask) -> Matches:
        """The matches of some tiles, (n,) bool."""
        return Matches(
            self.position[tiles],
            self.displacement[tiles],
            self.covariance[tiles],
            self.side[tiles],
            self.reach[tiles],
            None if self.represented_area is None else self.represented_area[tiles],
        )

    @property
    def area(self) -> Vector:
        """(n,) px^2, the area that each tile represents."""
        return np.square(self.side) if self.represented_area is None else self.represented_area


@dataclass(frozen=True, eq=False)
class Basis:
    """A linear space of vector fields.

    Attributes:
        powers: m pairs (i, j): the monomials x^i y^j in normalised coordinates.
        along_x: (p, m) float64; row k holds the coefficients of the x component of the field of
            parameter k.
        along_y: the same for the y component.
    """

    powers: tuple[tuple[int, int], ...]
    along_x: Floats
    along_y: Floats

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.along_x)

    def design(self, points: Points, size: Size) -> Floats:
        """(n, 2, p) design matrix: pixels by which a unit of each parameter moves (n, 2) points.

        ``size`` is the (width, height) whose normalised coordinates are used.
        """
        monomials = self.monomials(points, size)
        return np.stack([monomials @ self.along_x.T, monomials @ self.along_y.T], axis=1)

    def monomials(self, points: Points, size: Size) -> Floats:
        """(n, m) the monomials at (n, 2) points, times the pixels of a normalised unit."""
        i, j = np.array(self.powers).T
        (x, y), px = _powers(points, size, max(*i, *j))
        return np.asarray((x[i] * y[j] * px).T)

    def coefficients(self, powers: Sequence[tuple[int, int]]) -> Floats:
        """(p, 2 m) coefficients of the x component, then the y component, for these monomials."""
        indices = [powers.index(each) for each in self.powers]
        found = np.zeros((self.size, 2, len(powers)))
        found[:, 0, indices], found[:, 1, indices] = self.along_x, self.along_y
        return found.reshape(self.size, -1)

    def evaluate(self, parameters: Vector, points: Points, size: Size) -> Points:
        """(n, 2) px, the field with these parameters at (n, 2) points."""
        i, j = np.array(self.powers).T
        (x, y), px = _powers(points, size, max(*i, *j))
        tables = np.zeros((2, len(y), len(x)))
        tables[:, j, i] = parameters @ self.along_x, parameters @ self.along_y
        return np.stack([px * _at(table, x, y) for table in tables], axis=1)

    def variance(self, fit: Fit, points: Points, size: Size) -> Vector:
        """(n,) px^2, expected squared length of the error of a fitted field at (n, 2) points."""
        if not np.isfinite(fit.covariance).all():
            return np.full(len(points), np.inf)
        both = sum(each.T @ fit.covariance @ each for each in (self.along_x, self.along_y))
        # A quadratic form in the monomials is a polynomial of twice their degree.
        i, j = np.array(self.powers).T
        (x, y), px = _powers(points, size, 2 * max(*i, *j))
        table = np.zeros((len(y), len(x)))
        np.add.at(table, (j[:, None] + j, i[:, None] + i), both)
        return np.maximum(px**2 * _at(table, x, y), 0.0)


def _powers(points: Points, size: Size, degree: int) -> tuple[Floats, float]:
    """(2, degree + 1, n) powers of x and y at (n, 2) points, normalised, and px of a unit."""
    to_normalised = normalisation(size)
    powers = np.ones((2, degree + 1, len(points)))
    powers[:, 1:] = map_points(to_normalised, points).T[:, None]
    return np.cumprod(powers, axis=1, out=powers), 1.0 / float(to_normalised[0, 0])


def _at(table: Floats, x: Floats, y: Floats) -> Vector:
    """(n,) a polynomial, by its coefficients, (powers of y, powers of x), at powers of n points."""
    return np.asarray(np.einsum("jn,jn->n", along(table, x), y))


def model_basis(model: MotionModel) -> Basis:
    """The basis of a motion model, linearised at the identity."""
    return Basis(MONOMIALS, model.jacobian_x, model.jacobian_y)


@lru_cache
def polynomial(degree: int) -> Basis:
    """The basis of all monomials x^i y^j with i + j <= degree, for each component."""
    powers = tuple((i, j) for i in range(degree + 1) for j in range(degree + 1 - i))
    unit, zero = np.eye(len(powers)), np.zeros((len(powers), len(powers)))
    return Basis(powers, np.vstack([unit, zero]), np.vstack([zero, unit]))


@dataclass(frozen=True, eq=False)
class Fit:
    """A field fitted to the displacements of n tiles.

    Attributes:
        parameters: (p,) float64.
        covariance: (p, p) float64 of the parameters; infinite if the tiles do not determine them.
        residual: (n, 2) float64, displacement less field, in px.
        precision: (n, 2, 2) float64, inverse of each tile's covariance plus the scatter, 1/px^2.
        weight: (n,) float64 in [0, 1], Tukey's; 0 for outliers.
        scatter_px: standard deviation along an axis in excess of the tiles' own covariances.
    """

    parameters: Vector
    covariance: Floats
    residual: Points
    precision: Floats
    weight: Vector
    scatter_px: float

    @cached_property
    def squared(self) -> Vector:
        """(n,) squared residuals in units of their variance."""
        return _quadratic_forms(self.precision, self.residual)

    @property
    def squares(self) -> float:
        """Weighted sum of the squared residuals."""
        return float(self.weight @ self.squared)


def robust_fit(rows: Floats, displacement: Points, covariance: Floats) -> Fit:
    """Fit displacements by Tukey's loss.

    Args:
        rows: (n, 2, p) float64, the design matrix: the field at each tile for a unit of each
            parameter, px.
        displacement: (n, 2) float64, px.
        covariance: (n, 2, 2) float64, px^2.
    """
    return robust_fits(rows, displacement, covariance, np.ones((1, rows.shape[2]), np.bool_))[0]


def robust_fits(rows: Floats, displacement: Points, covariance: Floats, used: Mask) -> list[Fit]:
    """Fits of several fields, side by side: each with some of the parameters, (k, p) bool."""
    chosen = np.ones((len(used), len(rows)), np.bool_)
    weight, scatter = reweighted(rows, displacement, covariance, chosen, used)[1:]
    return [
        refit(
            rows[:, :, own],
            displacement,
            Fit(
                np.zeros(0),
                np.zeros((0, 0)),
                displacement,
                inverses(add_scatter(covariance, float(beyond))),
                each,
                float(beyond),
            ),
        )
        for own, each, beyond in zip(used, weight, scatter, strict=True)
    ]


def reweighted(
    rows: Floats,
    displacement: Points,
    covariance: Floats,
    chosen: Mask,
    used: Mask | None = None,
    *,
    rounds: int = ROUNDS,
) -> tuple[Floats, Floats, Vector]:
    """Fit displacements by Tukey's loss, for k subsets of tiles side by side.

    Args:
        rows: (n, 2, p) float64, the design matrix: the field at each tile for a unit of each
            parameter, px.
        displacement: (n, 2) float64, px.
        covariance: (n, 2, 2) float64, px^2.
        chosen: (k, n) bool, the tiles of each subset.
        used: (k, p) bool, the parameters that each fit has; None for all. The others are 0.
        rounds: reweighted solves at most.

    Returns:
        (k, p) parameters, (k, n) weights of the tiles, 0 for those not chosen, and (k,) px, their
        common scatter.
    """
    size = rows.shape[2]
    # In the principal axes of a tile's covariance the variances are two numbers. All first axes
    # come before all second ones, so that each is contiguous.
    spread, axes = np.linalg.eigh(covariance)
    rotated = axes.transpose(2, 0, 1)
    design = np.einsum("jni,nip->jnp", rotated, rows).reshape(-1, size)
    across = np.ascontiguousarray(design.T)
    moved = np.einsum("jni,ni->jn", rotated, displacement).ravel()
    spread = np.maximum(spread.T, 0.0) + LEAST_SIGMA_PX**2
    used = np.ones((len(chosen), size), np.bool_) if used is None else used
    sums, median_rank = (
        (spread[0] + spread[1], spread[0] * spread[1]),
        _median_rank(chosen, used.sum(1) / 2.0),
    )
    parameters, scatter = np.zeros((len(chosen), size)), np.zeros(len(chosen))
    weight = chosen.astype(np.float64)
    # Most converge soon; the others continue without them.
    active, weights = np.arange(len(chosen)), weight.copy()
    variance = np.broadcast_to(spread, (len(chosen), *spread.shape))
    for _ in range(rounds):
        precision = (weight[:, None] / variance).reshape(len(active), -1)
        matrices = along(across * precision[:, None], design) * used[:, None, :] * used[:, :, None]
        vectors = (precision * moved) @ design * used
        parameters[active] = found = _each_solved(matrices, vectors)
        squares = np.square(moved - found @ across).reshape(len(active), 2, -1)
        crossed = squares[:, 0] * spread[1] + squares[:, 1] * spread[0]
        own = _scatter(squares[:, 0] + squares[:, 1], crossed, sums, chosen, median_rank)
        variance = spread + np.square(own)[:, None, None]
        squares /= variance
        previous, weight = weight, tukey_weight(squares[:, 0] + squares[:, 1]) * chosen
        weights[active], scatter[active] = weight, own
        moving = np.abs(weight - previous).max(axis=1, initial=0.0) >= WEIGHT_TOLERANCE
        if not moving.any():
            break
        if not moving.all():
            each = active, weight, variance, chosen, median_rank, used
            active, weight, variance, chosen, median_rank, used = (some[moving] for some in each)
    return parameters, weights, scatter


def refit(rows: Floats, displacement: Points, like: Fit) -> Fit:
    """Least-squares fit with the variances and weights of another fit to the same tiles."""
    size = rows.shape[2]
    flat, precise = rows.reshape(-1, size), (like.precision @ rows).reshape(-1, size)
    weighted = precise * like.weight.repeat(2)[:, None]
    parameters, bread = _solved(along(weighted.T, flat), weighted.T @ displacement.ravel())
    covariance = np.full_like(bread, np.inf)
    if np.isfinite(bread).all():
        # Sandwich: a tile of weight w has a residual of variance V, not V / w.
        meat = along(weighted.T, flat * like.weight.repeat(2)[:, None])
        covariance = bread @ meat @ bread
    residual = displacement - rows @ parameters
    return replace(like, parameters=parameters, covariance=covariance, residual=residual)


def explained_squares(
    bases: Sequence[Basis], position: Points, size: Size, like: Fit
) -> list[float]:
    """By how much least squares of each field would reduce the weighted squares of a fit.

    Args:
        bases: of the fields; the last has the monomials of all.
        position: (n, 2) px, where the tiles are.
        size: (width, height) of the target.
        like: a fit to them, whose residual, variances and weights are used.
    """
    powers = bases[-1].powers
    monomials = bases[-1].monomials(position, size)
    weighted = like.weight[:, None, None] * like.precision
    # Both components have the same monomials: three blocks of their products suffice.
    xx_xy_yy = weighted.reshape(-1, 4)[:, [0, 1, 3]]
    weights = (xx_xy_yy[:, :, None] * monomials[:, None]).reshape(len(weighted), -1)
    products = along(monomials.T, weights)
    blocks = products.reshape(len(powers), 3, -1)[:, [[0, 1], [1, 2]]]
    matrix = blocks.transpose(1, 0, 2, 3).reshape(2 * len(powers), -1)
    pull = np.einsum("nij,nj->in", weighted, like.residual)
    vector = (pull @ monomials).ravel()
    found = []
    for basis in bases:
        fields = basis.coefficients(powers)
        own = fields @ vector
        solution = _each_solved((fields @ matrix @ fields.T)[None], own[None])[0]
        found.append(float(own @ solution))
    return found


def leave_one_out(rows: Floats, fit: Fit) -> Points:
    """(n, 2) residual of each tile, px, from the field fitted to all others with the same weights.

    Exact for least squares: (I - H)^-1 r, with H the tile's own block of the hat matrix.
    """
    weighted = fit.weight[:, None, None] * (fit.precision @ rows)
    size = rows.shape[2]
    flat = rows.reshape(-1, size)
    inverse = _inverse(along(weighted.reshape(-1, size).T, flat))
    own = np.einsum("nip,njp->nij", times(flat, inverse).reshape(rows.shape), weighted)
    # A tile that alone determines a parameter has a singular block: nothing predicts it.
    others = np.eye(2) - own + np.finfo(np.float64).eps * np.eye(2)
    return np.asarray(np.linalg.solve(others, fit.residual[:, :, None])[:, :, 0])


def tukey_weight(squared: Vector) -> Vector:
    """Tukey's weight of squared lengths in units of their variance."""
    return np.asarray(np.maximum(1.0 - squared / OUTLIER**2, 0.0) ** 2, np.float64)


def tukey_loss(residual: Points, variance: Floats) -> float:
    """Sum of Tukey's loss of (n, 2) residuals with their (n, 2, 2) variances."""
    length = np.sqrt(squared_lengths(residual, variance))
    return float(LOSSES["tukey"].rho(length / OUTLIER).sum())


def add_scatter(covariance: Floats, scatter_px: float) -> Floats:
    """The covariances, (n, 2, 2), plus the variance that all tiles share."""
    return covariance + (scatter_px**2 + LEAST_SIGMA_PX**2) * np.eye(2)


def squared_lengths(residual: Points, variance: Floats) -> Vector:
    """r^T V^-1 r of (n, 2) residuals and their (n, 2, 2) variances."""
    return _quadratic_forms(inverses(variance), residual)


def inverses(matrices: Floats) -> Floats:
    """(n, 2, 2) inverses of symmetric matrices, by their adjugates."""
    xx, xy, yy = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    found = np.empty_like(matrices)
    found[:, 0, 0], found[:, 1, 1] = yy, xx
    found[:, 0, 1] = found[:, 1, 0] = -xy
    found /= (xx * yy - xy * xy)[:, None, None]
    return found


def _quadratic_forms(matrices: Floats, vectors: Points) -> Vector:
    """(n,) v^T M v of (n, 2, 2) symmetric matrices and (n, 2) vectors."""
    return np.asarray(np.einsum("ni,nij,nj->n", vectors, matrices, vectors))


def common_scatter(residual: Points, covariance: Floats) -> float:
    """The standard deviation, px, in excess of the covariances with half within the median.

    Args:
        residual: (n, 2) float64, px.
        covariance: (n, 2, 2) float64, px^2.
    """
    own = add_scatter(covariance, 0.0)
    trace, determinant = (
        own[:, 0, 0] + own[:, 1, 1],
        own[:, 0, 0] * own[:, 1, 1] - own[:, 0, 1] ** 2,
    )
    squared, chosen = np.square(residual).sum(axis=1), np.ones((1, len(own)), np.bool_)
    crossed = determinant * _quadratic_forms(inverses(own), residual)
    median_rank = _median_rank(chosen, 0.0)
    return float(
        _scatter(squared[None], crossed[None], (trace, determinant), chosen, median_rank)[0]
    )


def _median_rank(chosen: Mask, free: Vector | float) -> NDArray[np.intp]:
    """(k,) how many residuals are smaller than the median; -1 if there are too few for one.

    Args:
        chosen: (k, n) bool, the tiles of each subset.
        free: (k,) or for all, the number of tiles that a fit can reproduce exactly: as many of the
            smallest residuals are ignored.
    """
    count = np.count_nonzero(chosen, axis=1)
    return np.where(count > free + 1.0, np.minimum((count + free) // 2.0, count - 1), -1).astype(
        np.intp
    )


def _scatter(
    squared: Floats,
    crossed: Floats,
    spread: tuple[Vector, Vector],
    chosen: Mask,
    median_rank: NDArray[np.intp],
) -> Vector:
    """``common_scatter``, (k,).

    Args:
        squared: (k, n) squared lengths of the residuals r.
        crossed: (k, n) r^T A r, with A the adjugate of a tile's variance.
        spread: (n,) trace and determinant of that.
        chosen: (k, n) bool, the tiles of each subset.
        median_rank: (k,) the rank of their median, see ``_median_rank``.
    """
    if not chosen.shape[1]:
        return np.zeros(len(chosen))
    # The s^2 for which a tile is at the median is the larger root of a quadratic.
    linear = spread[0] - squared / MEDIAN_SQUARED
    constant = spread[1] - crossed / MEDIAN_SQUARED
    root = 0.5 * (np.sqrt(np.maximum(linear**2 - 4.0 * constant, 0.0)) - linear)
    root = np.sort(np.where(chosen, root, np.inf), axis=1)
    least = root[np.arange(len(root)), median_rank]
    return np.sqrt(np.where(median_rank >= 0, np.maximum(least, 0.0), 0.0))


def _column_scales(diagonal: Floats) -> Floats:
    """Lengths of the columns of which this, (..., p), is the diagonal of the normal matrices.

    1 for a column that is zero, or is by rounding beside the longest: its inverse may overflow.
    """
    least = np.finfo(np.float64).eps ** 2 * diagonal.max(axis=-1, keepdims=True, initial=0.0)
    return np.asarray(np.sqrt(np.where(diagonal > least, diagonal, 1.0)))


def _inverse(matrix: Floats) -> Floats:
    """(p, p) inverse of a normal matrix; finite if it is singular."""
    scale = 1.0 / _column_scales(np.diag(matrix))
    scaled = matrix * scale[:, None] * scale + LEAST_RIDGE * np.eye(len(matrix))
    return np.asarray(np.linalg.inv(scaled) * scale[:, None] * scale)


def _each_solved(matrices: Floats, vectors: Floats) -> Floats:
    """(k, p) solutions of k normal equations, (k, p, p) and (k, p); of least norm if undetermined.

    0 for a parameter that no equation contains.
    """
    scale = 1.0 / _column_scales(np.einsum("kii->ki", matrices))
    scaled = matrices * scale[:, :, None] * scale[:, None, :]
    np.einsum("kii->ki", scaled)[...] += LEAST_RIDGE
    return np.asarray(scale * np.linalg.solve(scaled, (scale * vectors)[:, :, None])[:, :, 0])


def _regular_inverse(matrix: Floats) -> Floats | None:
    """The inverse of a symmetric matrix; None where it is singular, or nearly.

    OpenBLAS shares an eigendecomposition of 42 columns out among threads that then wait for each
    other: 36 ms beside other work, where this takes 0.02. Frobenius norms bound the eigenvalues.
    """
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return None
    least = len(matrix) * np.finfo(np.float64).eps
    regular = np.linalg.norm(matrix) * np.linalg.norm(inverse) * least < 1.0
    return np.asarray(0.5 * (inverse + inverse.T)) if regular else None


def _solved(matrix: Floats, vector: Vector) -> tuple[Vector, Floats]:
    """(p,) solution of normal equations, (p, p) and (p,), and the inverse of their matrix, (p, p).

    If the tiles do not determine all parameters the solution of least norm is taken, and the
    inverse is infinite.
    """
    scale = _column_scales(np.diag(matrix))
    scaled = matrix / np.outer(scale, scale)
    inverse = _regular_inverse(scaled)
    if inverse is not None:
        bread = inverse / np.outer(scale, scale)
        return bread @ vector, bread
    values, vectors = np.linalg.eigh(scaled)
    known = values > len(values) * np.finfo(np.float64).eps * max(float(values[-1]), 1.0)
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    bread = (vectors * inverse) @ vectors.T / np.outer(scale, scale)
    parameters = bread @ vector
    return parameters, bread if known.all() else np.full_like(bread, np.inf)
