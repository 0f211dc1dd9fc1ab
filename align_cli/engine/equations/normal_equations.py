"""The normal equations of one Gauss-Newton step, whoever sums them up, and their solution.

Two things sum them up: all rows of a level (``align_cli.engine.equations.dense``), or chosen
points of it (``align_cli.engine.equations.sparse``). The solver knows neither.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Vector
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size

SINGULAR_RATIO: Final = 1e-6
"""Smallest eigenvalue of the Gauss-Newton matrix, scaled to a unit diagonal, over its largest,
below which some motion leaves the target's picture as it is (stripes along their own direction).
Sums in single precision are right to about 1e-8 of the largest, more or less by the machine."""

LEAST_SCALE: Final = 1e-12

LEAST_SCALE_SHARE: Final = 0.05
"""Floor of the residuals' scale, as a share of the target's standard deviation. Between images
with little noise most residuals are those of sampling, small in flat places and large at
edges: taken for outliers, the edges would lose their vote. Measured without noise: mean EPE
0.0020 px instead of 0.0039."""


LEAST_NOISE_SHARE: Final = 1e-3
"""Of less than this share of the picture's variance noise would change the gain by as much."""

MOST_NOISE_SHARE: Final = 0.8
"""No more of a picture's variance is ever taken for noise: something must be left to fit."""


class NormalEquations(NamedTuple):
    """[J, T m, m]^T W [J, T m, m] (dp, d, e) = [J, T m, m]^T W r at a state.

    Attributes:
        vector: (p + 2 n,) the right side, n being the illumination's terms.
        matrix: (p + 2 n, p + 2 n), or None where not asked for.
        weight: sum of the weights.
        squares: sum of w r^2.
        share: of the pixels that could be in both images, how many are.
        scale: standard deviation of the residuals that the weights assume.
        estimate: the same as the residuals have it.
        slope: by how much the right side really changes with the parameters, over what the matrix
            says: less where weights fall as residuals grow, more where the picture is steeper than
            its central differences.
    """

    vector: Vector
    matrix: NDArray[np.float64] | None
    weight: float
    squares: float
    share: float
    scale: float
    estimate: float
    slope: float


LEAST_SLOPE: Final = 0.7
"""Among many outliers the slope says little of the residuals near to nothing, which decide."""


class LevelEquations(Protocol):
    """One level of both images, from which the equations at any state can be had.

    Attributes:
        size: (width, height) of the target's level.
        mean: what was taken off the target's grey values.
        spread: their standard deviation.
        motion_size: p, the number of the motion model's parameters.
        illumination_terms: n, how many terms the columns of factor and offset have: 0, 1 or 6.
    """

    size: Size
    mean: float
    spread: float
    motion_size: int
    illumination_terms: int

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at a state.

        Args:
            state: the warp, target pixel -> source pixel of this level, and the illumination.
            scale: standard deviation of the residuals that the loss assumes; None for theirs.
            at_least: the least that theirs counts as.
            with_matrix: whether the Gauss-Newton matrix is wanted too.
        """


class Solver:
    """The Gauss-Newton matrix, made ready for many right sides.

    Args:
        matrix: (n, n), [J, T m, m]^T W [J, T m, m] of the columns that are solved for.
    """

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        diagonal = matrix.diagonal()
        self.singular = not (math.isfinite(float(matrix.sum())) and float(diagonal.min()) > 0.0)
        if self.singular:
            return
        # Unit diagonal: the units of T and of the motion differ.
        unit = 1.0 / np.sqrt(diagonal)
        scaled = matrix * unit * unit[:, None]
        try:
            inverse = np.linalg.inv(scaled)
        except np.linalg.LinAlgError:
            self.singular = True
            return
        # The Frobenius norm bounds the largest eigenvalue: this is at most their true ratio. The
        # eigenvalues themselves take four times as long.
        norms = float(np.vdot(scaled, scaled)) * float(np.vdot(inverse, inverse))
        if not norms * SINGULAR_RATIO**2 < 1.0:
            eigenvalues = np.linalg.eigvalsh(scaled)
            self.singular = bool(eigenvalues[0] <= SINGULAR_RATIO * eigenvalues[-1])
        self.inverse = inverse * unit * unit[:, None]

    def step(self, vector: Vector) -> Vector:
        """The solution for a right side, (n,); the matrix must not be singular."""
        step: Vector = self.inverse @ vector
        return step


@lru_cache
def columns(motion_size: int, illumination_terms: int, of_terms: int) -> NDArray[np.intp]:
    """Which columns are solved for: those of the motion, and some of the illumination's.

    Args:
        motion_size: p.
        illumination_terms: n, how many terms factor and offset are solved for.
        of_terms: how many there are.
    """
    illumination = np.arange(illumination_terms)
    kept = [
        np.arange(motion_size),
        motion_size + illumination,
        motion_size + of_terms + illumination,
    ]
    chosen: NDArray[np.intp] = np.concatenate(kept)
    return chosen


def least_scale(spread: float) -> float:
    """Floor of the residuals' scale, above 0 for a flat level too.

    Args:
        spread: standard deviation of the target's level.
    """
    return max(LEAST_SCALE_SHARE * spread, LEAST_SCALE)


def attenuation_variance(noise: float, mean_square: float, spread: float) -> float:
    """Variance by which the noise of the target pulls its own column.

    The residual holds the target's noise n with a minus, its column with a plus, so the factor's
    score has a share of its own: E[psi(r) n] = -E[psi'(r)] var(n) (Stein 1981). Left in, it makes
    the factor too large by var(n) over the variance of the picture: at noise of 30 grey levels on
    an evenly grey picture the gain came out as 0.4 instead of 1. Both images share in the residual,
    so no more than half of its variance is taken for the target's noise: fine texture that seems to
    be noise vanishes from it.

    Args:
        noise: standard deviation of the target's noise, as measured.
        mean_square: of the residuals, weighted.
        spread: standard deviation of the target, noise and all.
    """
    if noise**2 < LEAST_NOISE_SHARE * spread**2:
        return 0.0
    return min(noise**2, 0.5 * mean_square, MOST_NOISE_SHARE * spread**2)
