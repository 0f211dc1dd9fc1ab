"""The number of false alarms: how many unrelated pairs would have as many stationary tiles.

The a-contrario test (Desolneux, Moisan and Morel 2000): were the images unrelated, a tile's best
match would be anywhere in its window, and the number of stationary tiles would be binomial. The
number of false alarms of an estimate is the tail of that distribution times the number of tests
made; far below one it cannot be chance.

Photographs, pages of text and lattices are self-similar, so the chance of a tile is measured on the
pair: the same tiles are tested at displaced control windows, where only chance makes them
stationary. The chance also varies from offset to offset, for all tiles together (ruled lines one
period apart, block grids), which no number of tiles averages out. This variation is modelled by the
beta distribution of the beta-binomial, whose tail stays as heavy however many tiles there are.

All sums are taken in logarithms, so a tail is finite down to 10^-1e6 and below.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Vector
from align_cli.engine.displacements.residual_field import TWO_SIDED_90

LEAST: Final = sys.float_info.min
"""The smallest probability, and the smallest parameter of a beta distribution, whose logarithm is
taken."""

LEAST_CONCENTRATION: Final = 1e-6
"""Concentration of a chance of unknown spread: either all tiles are stationary or none."""

WINDOW_DEVIATIONS: Final = 3.0
"""The chance is at least the rate at a single control window less so many standard deviations.

Of 32 windows of 48 tiles with one rate the largest is 2.3 deviations above it, in 7 of 100 sets 3.
"""

SPREAD_DEVIATIONS: Final = TWO_SIDED_90
"""The spread is taken so large that a smaller one would be measured in 1 of 20 cases.

Of simulated unrelated pairs, 20 windows of 15 to 150 tiles, beta distributions of mean 0.02 to 0.1
and concentration 10 to infinity, the share with fewer than 10^-3 false alarms is then at most 0.7
of 10^-3; with 1.28 it is 1.07, with 2.0 0.41. It costs right pairs little: 70 % of 60 tiles at a
constant chance of 0.02 have 10^-17, against 10^-20 and 10^-15."""


def log10_binomial_tail(k: int, n: int, p: float) -> float:
    """log10 P(X >= k) of X ~ Binomial(n, p).

    Args:
        k: the least number of successes; 0 or less gives 0.0, more than ``n`` minus infinity.
        n: the number of trials.
        p: the chance of a success, from 0 to 1; 0 stands for the smallest number above it.
    """
    if k <= 0 or k > n:
        return 0.0 if k <= 0 else -math.inf
    if p >= 1.0:
        return 0.0
    log_p, log_q = math.log(max(p, LEAST)), math.log1p(-p)
    # The tail is summed where terms fall off; on the other side of the mean its complement.
    if k <= n * p:
        return _log10_complement(_log_upper_tail(n - k + 1, n, log_q, log_p))
    return _log10(_log_upper_tail(k, n, log_p, log_q))


def log10_beta_binomial_tail(k: int, n: int, alpha: float, beta: float) -> float:
    """log10 P(X >= k) of X ~ Binomial(n, p) with p ~ Beta(alpha, beta).

    Args:
        k: the least number of successes; 0 or less gives 0.0, more than ``n`` minus infinity.
        n: the number of trials.
        alpha: first parameter of the beta law; the mean of p is alpha / (alpha + beta).
        beta: second parameter.
    """
    if k <= 0 or k > n:
        return 0.0 if k <= 0 else -math.inf
    alpha, beta = max(alpha, LEAST), max(beta, LEAST)
    if k <= n * alpha / (alpha + beta):
        return _log10_complement(_log_upper_beta_tail(n - k + 1, n, beta, alpha))
    return _log10(_log_upper_beta_tail(k, n, alpha, beta))


@dataclass(frozen=True)
class Chance:
    """The chance of an unrelated tile to be stationary, and its variation for all tiles together.

    Attributes:
        mean: of the beta distribution of the chance.
        concentration: alpha + beta of that distribution; infinite if the chance does not vary.
    """

    mean: float
    concentration: float

    @property
    def alpha(self) -> float:
        """First parameter of the beta distribution."""
        return self.mean * self.concentration

    @property
    def beta(self) -> float:
        """Second parameter of the beta distribution."""
        return (1.0 - self.mean) * self.concentration


def measured_chance(
    stationary: NDArray[np.integer], tested: NDArray[np.integer], prior: float
) -> Chance:
    """The chance of an unrelated tile to be stationary, from m control windows.

    The mean is the share of all tiles tested, with one stationary tile of ``1 / prior`` as
    pseudo-observation, and at least the lower bound of any single window: one rival position as
    good as the estimate's own (a lattice) makes the chance large by itself.

    The spread is the variation of the counts beyond the binomial (method of moments: of n tiles the
    variance is n p (1 - p) (1 + (n - 1) rho), rho = 1 / (concentration + 1)), taken at its upper
    confidence bound: m windows that happen to agree still leave a spread that m windows could have
    missed. The uncertainty of the mean is added to it.

    Args:
        stationary: (m,) how many tiles of each control window were stationary.
        tested: (m,) how many were tested; windows at which none could be are ignored.
        prior: the theoretical chance, stationary positions / all positions of a window; in (0, 1).

    Returns:
        The chance; without any window ``prior``, with an unknown spread.
    """
    counts, tiles = (
        np.asarray(each, np.float64)[np.asarray(tested) > 0] for each in (stationary, tested)
    )
    windows = counts.size
    if windows == 0:
        return Chance(prior, LEAST_CONCENTRATION)
    total = float(tiles.sum()) + 1.0 / prior
    mean = (float(counts.sum()) + 1.0) / total
    dispersion = float((np.square(counts - tiles * mean) / tiles).sum()) / (mean * (1.0 - mean))
    # The pseudo-observation restores the degree of freedom of the mean.
    dispersion = max(dispersion, float(windows)) / _low_chi_square(windows)
    between = min((dispersion - 1.0) / max(float(tiles.mean()) - 1.0, 1.0), 1.0)
    rho = between * (1.0 + 1.0 / windows) + 1.0 / total
    return Chance(
        mean=max(prior, mean, float(_lower_bound(counts, tiles).max())),
        concentration=max(1.0 / rho - 1.0, LEAST_CONCENTRATION),
    )


def log10_false_alarms(
    stationary: int, tested: int, chance: Chance, *, tests: int, parameters: int
) -> float:
    """log10 of the number of false alarms: tests times the tail of the number of tiles.

    Args:
        stationary: how many tiles are stationary.
        tested: how many were tested.
        chance: of an unrelated tile to be stationary.
        tests: how many estimates were tried, at least 1.
        parameters: how many parameters were fitted to these tiles. A tile gives two equations, so
            half as many tiles (rounded up) are stationary by construction and are not counted.
    """
    fitted = (parameters + 1) // 2
    k, n = stationary - fitted, tested - fitted
    tail = log10_binomial_tail(k, n, chance.mean)
    if math.isfinite(chance.concentration):
        # All tiles or none: a spread too large would make one or two tiles rarer than no spread.
        tail = max(tail, log10_beta_binomial_tail(k, n, chance.alpha, chance.beta))
    return math.log10(tests) + tail


def _log_upper_tail(k: int, n: int, log_p: float, log_q: float) -> float:
    """Natural log of P(X >= k) of the binomial distribution, for k above its mean."""
    # The second difference of a log term is below -4 / n everywhere: after sqrt(20 n) terms none
    # is above exp(-40) of the first.
    last = min(n, k + math.isqrt(20 * n) + 1)
    i = np.arange(k, last, dtype=np.float64)
    ratios = (n - i) / (i + 1.0) * math.exp(min(log_p - log_q, 700.0))
    return (
        math.lgamma(n + 1.0)
        - math.lgamma(k + 1.0)
        - math.lgamma(n - k + 1.0)
        + k * log_p
        + (n - k) * log_q
        + math.log1p(float(np.cumprod(ratios).sum()))
    )


def _log_upper_beta_tail(k: int, n: int, alpha: float, beta: float) -> float:
    """Natural log of P(X >= k) of the beta-binomial distribution, summed from k to n."""
    # Rising factorials as sums of logs: the lgamma of a large concentration would cancel.
    successes, failures = np.arange(k, dtype=np.float64), np.arange(n - k, dtype=np.float64)
    first = (
        math.lgamma(n + 1.0)
        - math.lgamma(k + 1.0)
        - math.lgamma(n - k + 1.0)
        - float(np.log1p(beta / (alpha + successes)).sum())
        - float(np.log1p((alpha + k) / (beta + failures)).sum())
    )
    i = np.arange(k, n, dtype=np.float64)
    logs = np.log((n - i) / (i + 1.0) * ((alpha + i) / (beta + (n - 1.0 - i))))
    terms = np.concatenate([[0.0], np.cumsum(logs)])
    largest = float(terms.max())
    return first + largest + math.log(float(np.exp(terms - largest).sum()))


def _log10(log_tail: float) -> float:
    return 0.0 if log_tail >= 0.0 else log_tail / math.log(10.0)


def _log10_complement(log_tail: float) -> float:
    """log10(1 - exp(log_tail))."""
    # Rounding may give a tail of 1; 1 - tail is limited to one rounding error.
    share = min(math.exp(min(log_tail, 0.0)), 1.0 - sys.float_info.epsilon)
    return math.log1p(-share) / math.log(10.0) + 0.0


def _lower_bound(counts: Vector, tiles: Vector) -> Vector:
    """Lower bound of each window's own chance (Wilson 1927), (m,)."""
    z = WINDOW_DEVIATIONS
    rate = counts / tiles
    spread = np.sqrt(rate * (1.0 - rate) / tiles + z * z / (4.0 * tiles * tiles))
    return np.asarray((rate + z * z / (2.0 * tiles) - z * spread) / (1.0 + z * z / tiles))


def _low_chi_square(degrees: int) -> float:
    """Low quantile of chi square (Wilson and Hilferty 1931), for ``SPREAD_DEVIATIONS``."""
    share = 2.0 / (9.0 * degrees)
    cube_root = 1.0 - share - SPREAD_DEVIATIONS * math.sqrt(share)
    # For a single window it is 0: its spread is unbounded.
    return float(degrees * max(cube_root**3, LEAST))
