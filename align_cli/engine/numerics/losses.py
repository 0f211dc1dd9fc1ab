"""Robust losses, and the robust scale of residuals.

A loss is a function rho of the residual r over its scale s (a standard deviation). Iteratively
reweighted least squares needs only the weight w = rho'(r) / r. Constants are those with which the
estimate has 95 % efficiency under normal noise (Holland and Welsch 1977; geman-mcclure's is from
the same integral, see tests/engine/numerics/test_losses.py), so all losses are comparable.

Least squares is the loss whose weight is 1: there is one solver, not two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Plane

NORMAL_MEDIAN: Final = 0.6744897501960817
"""Median of |r| for a standard normal r: the median absolute residual over it estimates s."""


class Loss(NamedTuple):
    """A robust loss.

    Attributes:
        name: name of the option.
        constant: tuning constant; the weight decreases from about this many standard deviations on.
        rho: the loss of u = r / (constant * s), with rho(u) ~ u**2 / 2 for small u.
        weigh: replaces u squared by the weight of u, in place.
        slope: maps a weight w to the derivative of the influence function u w; 0 where w is 0.
    """

    name: str
    constant: float
    rho: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    weigh: Callable[[Plane], None]
    slope: Callable[[Plane], Plane]

    @property
    def robust(self) -> bool:
        """False only for least squares, whose weights are all 1."""
        return math.isfinite(self.constant)


def _weigh_l2(squared: Plane) -> None:
    squared.fill(1.0)


def _weigh_huber(squared: Plane) -> None:
    np.maximum(squared, 1.0, out=squared)
    np.sqrt(squared, out=squared)
    np.reciprocal(squared, out=squared)


def _weigh_tukey(squared: Plane) -> None:
    np.subtract(1.0, squared, out=squared)
    np.maximum(squared, 0.0, out=squared)
    np.multiply(squared, squared, out=squared)


def _weigh_lorentzian(squared: Plane) -> None:
    np.add(squared, 1.0, out=squared)
    np.reciprocal(squared, out=squared)


def _weigh_geman_mcclure(squared: Plane) -> None:
    _weigh_lorentzian(squared)
    np.multiply(squared, squared, out=squared)


def _slope_l2(weight: Plane) -> Plane:
    return weight


def _slope_huber(weight: Plane) -> Plane:
    return (weight >= 1.0).astype(weight.dtype)


def _slope_tukey(weight: Plane) -> Plane:
    slope = np.sqrt(weight)
    slope *= -4.0
    slope += 5.0 * weight
    return slope


def _slope_lorentzian(weight: Plane) -> Plane:
    return 2.0 * weight * weight - weight


def _slope_geman_mcclure(weight: Plane) -> Plane:
    return 4.0 * weight * np.sqrt(weight) - 3.0 * weight


def _rho_huber(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(u) <= 1.0, 0.5 * u**2, np.abs(u) - 0.5)


def _rho_tukey(u: NDArray[np.float64]) -> NDArray[np.float64]:
    return (1.0 - np.maximum(1.0 - u**2, 0.0) ** 3) / 6.0


LOSSES: Final[dict[str, Loss]] = {
    loss.name: loss
    for loss in (
        Loss("l2", np.inf, lambda u: 0.5 * u**2, _weigh_l2, _slope_l2),
        Loss("huber", 1.345, _rho_huber, _weigh_huber, _slope_huber),
        Loss("tukey", 4.685, _rho_tukey, _weigh_tukey, _slope_tukey),
        Loss(
            "lorentzian",
            2.385,
            lambda u: 0.5 * np.log1p(u**2),
            _weigh_lorentzian,
            _slope_lorentzian,
        ),
        Loss(
            "geman-mcclure",
            3.787,
            lambda u: 0.5 * u**2 / (1.0 + u**2),
            _weigh_geman_mcclure,
            _slope_geman_mcclure,
        ),
    )
}
"""Every loss by name."""


OUTLIER: Final = LOSSES["tukey"].constant
"""Standard deviations beyond which a residual is an outlier."""


def scale_of(residuals: NDArray[np.float32]) -> float:
    """Standard deviation of the residuals, (n,): median |r| / 0.6745, that is 1.4826 median |r|.

    As Holland and Welsch (1977) scale residuals; it is robust to outliers in up to half of
    the residuals. 0.0 if there are none.
    """
    if residuals.size == 0:
        return 0.0
    # numpy.median takes three times as long for so few: it tests for NaN and sorts a copy.
    middle = residuals.size // 2
    return float(np.partition(np.abs(residuals), middle)[middle]) / NORMAL_MEDIAN
