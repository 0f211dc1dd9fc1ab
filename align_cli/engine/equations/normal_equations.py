"""The normal equations of a Gauss-Newton step, and their solution.

They are summed over rows of a level (``align_cli.engine.equations.dense``) or over selected points
(``align_cli.engine.equations.sparse``); the solver depends on neither.
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
from align_cli.engine.numerics.negligible import NEGLIGIBLE, ROUNDING

SINGULAR_RATIO: Final = 1e-6
"""Smallest eigenvalue of the Gauss-Newton matrix, scaled to a unit diagonal, over its largest,
below which a motion leaves the target unchanged (stripes moved along their own direction). Sums in
single precision are accurate to about 1e-8 of the largest, depending on the machine."""

LEAST_SCALE: Final = ROUNDING
"""Floor of the residuals' scale of a flat target."""

LEAST_SCALE_SHARE: Final = 0.05
"""Floor of the residuals' scale, as a share of the target's standard deviation. Between images
with little noise most residuals are those of sampling, small in flat places and large at
edges, and the edges would be outliers. Measured without noise: mean EPE
0.0020 px instead of 0.0039."""


LEAST_NOISE_SHARE: Final = NEGLIGIBLE
"""Noise is ignored below this share of the image's variance, by which it would change the gain."""

MOST_NOISE_SHARE: Final = 0.8
"""Largest share of the image's variance that is attributed to noise."""


class NormalEquations(NamedTuple):
    """[J, T m, m]^T W [J, T m, m] (dp, d, e) = [J, T m, m]^T W r at a state.

    Attributes:
        vector: (p + 2 n,) the right side, n being the illumination's terms.
        matrix: (p + 2 n, p + 2 n), or None if not requested.
        weight: sum of the weights.
        squares: sum of w r^2.
        share: number of pixels in both images over the largest number possible.
        scale: standard deviation of the residuals that the weights assume.
        estimate: the standard deviation estimated from the residuals.
        slope: true derivative of the right side by the parameters over the matrix: below 1 because
            weights decrease with the residuals, above 1 if central differences underestimate the
            gradient.
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
"""Lower limit of the slope: with many outliers it does not apply to the small residuals."""


class LevelEquations(Protocol):
    """One level of both images: its normal equations at any state.

    Attributes:
        size: (width, height) of the target's level.
        mean: mean that was subtracted from the target's grey values.
        spread: their standard deviation.
        motion_size: p, the number of the motion model's parameters.
        illumination_terms: n, number of terms of factor and offset: 0, 1 or 6.
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
            scale: standard deviation of the residuals that the loss assumes; None to estimate it.
            at_least: lower limit of the estimated scale.
            with_matrix: whether to compute the Gauss-Newton matrix too.
        """


class Solver:
    """The Gauss-Newton matrix, inverted for many right sides.

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
    """Indices of the columns that are solved for: those of the motion, some of the illumination.

    Args:
        motion_size: p, number of motion parameters.
        illumination_terms: number of terms of factor and offset that are solved for.
        of_terms: number of terms in the equations.
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
    """Lower limit of the residuals' scale, above 0 for a flat level too.

    Args:
        spread: standard deviation of the target's level.
    """
    return max(LEAST_SCALE_SHARE * spread, LEAST_SCALE)


def attenuation_variance(noise: float, mean_square: float, spread: float) -> float:
    """Variance of the target's noise that attenuates the gain (errors in variables).

    The target's noise n is in the residual with a minus, and in the column of the factor, so the
    score of the factor is biased: E[psi(r) n] = -E[psi'(r)] var(n) (Stein 1981). Uncorrected, the
    factor is too large by var(n) over the variance of the image: at noise of 30 grey levels on an
    image of little contrast the gain was 0.4 instead of 1. The noise of both images is in the
    residual, so at most half of its variance is attributed to the target: fine texture that was
    taken for noise is not in the residual of an aligned pair.

    Args:
        noise: standard deviation of the target's noise, as measured.
        mean_square: weighted mean square of the residuals.
        spread: standard deviation of the target, with its noise.
    """
    if noise**2 < LEAST_NOISE_SHARE * spread**2:
        return 0.0
    return min(noise**2, 0.5 * mean_square, MOST_NOISE_SHARE * spread**2)
