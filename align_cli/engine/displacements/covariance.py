"""Cluster-robust covariance of a motion model fitted to displacements; each tile is a cluster.

A model's parameters are fitted to the displacements of the tiles by weighted least squares. Their
covariance follows from the scatter of the residuals, not from the tiles' own covariances: with the
residual displacements e_g, the Jacobians J_g and the weights W_g of the tiles g,

    cov = M (sum_g u_g u_g^T) M        M = (sum_g J_g^T W_g J_g)^-1,   u_g = J_g^T W_g e_g

(the sandwich of Liang and Zeger 1986). Residuals are smaller than errors, far smaller where a tile
has leverage. With w_g a square root of W_g (all that follows is in these whitened units) and H_gg
the tile's block of the hat matrix,

    u_g = J_g^T w_g (I - H_gg)^(-1/2) w_g^T e_g

makes the covariance unbiased if the weights are right (CR2, Bell and McCaffrey 2002). The working
covariance of whitened tiles is the unit matrix, so units and axes do not matter. The standard
deviation of few clusters is itself uncertain: for each direction it is multiplied by the quantile
of Student's t at the degrees of freedom of Satterthwaite's approximation, under the same weights;
for all directions by the mean factor of the parameters.

Homography, independent errors, tiles in random cells of a grid, root mean square of error / "+-" at
the corners (tests/engine/displacements/test_covariance.py):

======================  =====  =====  =====  =====  =====
tiles                       6      8     12     24     50
======================  =====  =====  =====  =====  =====
plain sandwich           3.03   2.01   1.51   1.18   1.07
CR2                      1.45   1.25   1.11   1.02   1.00
CR2, Student's factor    1.10   1.07   1.01   0.98   0.98
======================  =====  =====  =====  =====  =====
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Vector

LEAST_REDUNDANCY: Final = 1e-8
"""Least redundancy (1 less leverage) of a tile; below it the residual is rounding. For a tile that
alone determines a direction rounding leaves 1e-15."""

ONE_SIGMA: Final = math.erf(math.sqrt(0.5)) / 2.0
"""P(0 < z < 1) of the standard normal distribution."""

MOST_DEGREES: Final = 1e6
"""Degrees of freedom from which on Student's t is the normal distribution, to 5e-7."""

NEWTON_STEPS: Final = 5
"""From t = 1 the quantile is then right to 1e-12, even for one degree of freedom."""


@dataclass(frozen=True, eq=False)
class ClusterCovariance:
    """Cluster-robust covariance of p parameters fitted to n tiles.

    Attributes:
        matrix: (p, p) CR2 covariance of the parameters, in their own units.
        bread: (p, p) inverse of the normal matrix: the covariance if the weights were true.
        orthonormal: (n, 2, p) whitened design, its columns orthonormalised.
        influence: (n, 2, p) derivative of each parameter by a tile's whitened residual.
    """

    matrix: NDArray[np.float64]
    bread: NDArray[np.float64]
    orthonormal: NDArray[np.float64]
    influence: NDArray[np.float64]

    def degrees_of_freedom(self, directions: NDArray[np.float64]) -> Vector:
        """Effective degrees of freedom of the variance of linear combinations, (m,), 1 or more.

        With true weights the variance is a sum of squares of n normal numbers of covariance
        G = diag(|a_g|^2) - B B^T, a_g the combination's influence, B its rows Q_g^T a_g;
        Satterthwaite: (tr G)^2 / tr(G^2). Its trace follows from the bread, as CR2 is unbiased.

        Args:
            directions: (m, p), the coefficients of each combination of the parameters.
        """
        influence = self.influence @ directions.T
        projected = np.matmul(self.orthonormal.transpose(0, 2, 1), influence)
        own, explained = (np.square(each).sum(axis=1) for each in (influence, projected))
        inner = np.matmul(projected.transpose(2, 1, 0), projected.transpose(2, 0, 1))
        trace = ((directions @ self.bread) * directions).sum(axis=1)
        of_square = (own * (own - 2.0 * explained)).sum(axis=0) + np.square(inner).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            degrees = np.square(trace) / of_square
        # A direction that moves nothing has no error either.
        return np.asarray(np.where(trace > 0.0, np.maximum(degrees, 1.0), 1.0))

    @property
    def with_student(self) -> NDArray[np.float64]:
        """(p, p) the matrix times the square of Student's factor, averaged over the parameters."""
        degrees = self.degrees_of_freedom(np.eye(len(self.matrix)))
        return self.matrix * float(student_factor(degrees).mean()) ** 2


def clustered_covariance(
    design: NDArray[np.float64],
    displacement: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> ClusterCovariance | None:
    """The covariance of p parameters that were fitted to the displacements of n tiles.

    Args:
        design: (n, 2, p) px, the displacement of each tile along x and y for a unit of each
            parameter.
        displacement: (n, 2) px, the residual of each tile's displacement.
        weight: (n, 2, 2) 1/px^2, the weights of the fit: inverse covariance times robust weight.
            Tiles of weight 0 are ignored.

    Returns:
        None if the tiles do not determine the parameters, or would not do so without one of them.
    """
    tiles, _, parameters = design.shape
    root = _square_root(weight)
    whitened = np.matmul(root.transpose(0, 2, 1), design).reshape(2 * tiles, parameters)
    scale = np.sqrt(np.square(whitened).sum(axis=0))
    if 2 * tiles <= parameters or not (scale > 0.0).all() or not np.isfinite(scale).all():
        return None
    rows, triangle = np.linalg.qr(whitened / scale)
    diagonal = np.abs(np.diagonal(triangle))
    if diagonal.min() <= LEAST_REDUNDANCY * diagonal.max():
        return None
    to_parameters = np.linalg.inv(triangle) / scale[:, None]
    orthonormal = rows.reshape(tiles, 2, parameters)
    redundancy = np.eye(2) - np.matmul(orthonormal, orthonormal.transpose(0, 2, 1))
    corrected = _inverse_square_root(redundancy)
    if corrected is None:
        return None
    influence = np.matmul(np.matmul(corrected, orthonormal), to_parameters.T)
    whitened_residual = np.matmul(root.transpose(0, 2, 1), displacement[:, :, None])
    scores = (influence * whitened_residual).sum(axis=1)
    return ClusterCovariance(
        matrix=scores.T @ scores,
        bread=to_parameters @ to_parameters.T,
        orthonormal=orthonormal,
        influence=influence,
    )


def student_factor(degrees: NDArray[np.float64]) -> Vector:
    """Factor by which a standard deviation with few degrees of freedom is enlarged.

    The quantile of Student's t at 0.8413 (one standard deviation of the normal distribution): 68 %
    of the errors are within the "+-" that results. (The root mean square of t itself, sqrt(nu / (nu
    - 2)), is infinite for two degrees of freedom and fewer.)

    Args:
        degrees: effective degrees of freedom, any shape, 1 or more; smaller ones count as 1.

    Returns:
        Factors of the same shape, from 1.84 for one degree of freedom down to 1.
    """
    nu = np.clip(np.asarray(degrees, np.float64), 1.0, MOST_DEGREES)
    flat = nu.reshape(-1, 1)
    height = np.array(
        [[math.lgamma(v / 2 + 0.5) - math.lgamma(v / 2)] for v in flat[:, 0].tolist()]
    )
    height = np.exp(height.reshape(-1, 1)) / np.sqrt(math.pi * flat)
    power = -(flat + 1.0) / 2.0
    t = np.ones_like(flat)
    for _ in range(NEWTON_STEPS):
        # P(0 < T < t), by Gauss and Legendre: the density is smooth and t is below 2.
        inside = np.exp(power * np.log1p(np.square(t * _NODES) / flat)) @ _NODE_WEIGHTS * t
        density = np.exp(power * np.log1p(np.square(t) / flat))
        t -= (inside - ONE_SIGMA / height) / density
    return np.asarray(t.reshape(nu.shape))


def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(16)
    return (nodes[None, :] + 1.0) / 2.0, weights[:, None] / 2.0


_NODES, _NODE_WEIGHTS = _legendre()


def _square_root(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangles L with L L^T = weight, (n, 2, 2); 0 where the weight is."""
    root = np.zeros_like(weight, np.float64)
    first = np.sqrt(np.maximum(weight[:, 0, 0], 0.0))
    across = np.divide(weight[:, 1, 0], first, out=np.zeros_like(first), where=first > 0.0)
    root[:, 0, 0] = first
    root[:, 1, 0] = across
    root[:, 1, 1] = np.sqrt(np.maximum(weight[:, 1, 1] - across * across, 0.0))
    return root


def _inverse_square_root(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Symmetric square roots of the inverses, (n, 2, 2), or None where one is singular.

    Cayley and Hamilton: sqrt(A) = (A + s I) / t with s = sqrt(det A), t = sqrt(tr A + 2 s).
    """
    a, b, c = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 1]
    half_trace = (a + c) / 2.0
    largest = half_trace + np.hypot((a - c) / 2.0, b)
    determinant = a * c - b * b
    # By rounding both eigenvalues may be negative, and the determinant positive.
    if not ((largest > 0.0) & (determinant > LEAST_REDUNDANCY * largest)).all():
        return None
    s = np.sqrt(determinant)
    # The inverse of sqrt(A) has det 1 / s: its adjugate over s.
    scale = 1.0 / (s * np.sqrt(2.0 * (half_trace + s)))
    inverse = np.empty_like(matrix)
    inverse[:, 0, 0] = (c + s) * scale
    inverse[:, 1, 1] = (a + s) * scale
    inverse[:, 0, 1] = inverse[:, 1, 0] = -b * scale
    return inverse
