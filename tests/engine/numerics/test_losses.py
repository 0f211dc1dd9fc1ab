from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from align_cli.engine.numerics.losses import LOSSES, NORMAL_MEDIAN, Loss, scale_of

ROBUST = [loss for loss in LOSSES.values() if loss.robust]

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
every_robust_loss = pytest.mark.parametrize("loss", ROBUST, ids=[loss.name for loss in ROBUST])


def weight(loss: Loss, u: np.ndarray) -> np.ndarray:
    squared = (u**2).astype(np.float32)
    loss.weigh(squared)
    return squared.astype(np.float64)


def test_only_least_squares_is_not_robust() -> None:
    assert [name for name, loss in LOSSES.items() if not loss.robust] == ["l2"]


@every_loss
def test_the_weight_is_the_derivative_of_the_loss_over_the_residual(loss: Loss) -> None:
    # Away from the corners of huber and tukey at 1.
    u = np.concatenate([np.linspace(0.02, 0.98, 33), np.linspace(1.02, 6.0, 40)])
    step = 1e-5
    numeric = (loss.rho(u + step) - loss.rho(u - step)) / (2.0 * step) / u
    assert_allclose(weight(loss, u), numeric, atol=1e-6)
    assert_allclose(weight(loss, -u), numeric, atol=1e-6)


@every_loss
def test_the_slope_is_the_derivative_of_the_pull(loss: Loss) -> None:
    u = np.concatenate([np.linspace(0.02, 0.98, 33), np.linspace(1.02, 6.0, 40)])
    step = 1e-5

    def pull(at: np.ndarray) -> np.ndarray:
        squared = at**2
        loss.weigh(squared)  # type: ignore[arg-type]
        return at * squared

    numeric = (pull(u + step) - pull(u - step)) / (2.0 * step)
    for signed in (u, -u):
        squared = (signed**2).astype(np.float32)
        loss.weigh(squared)
        assert_allclose(loss.slope(squared), numeric, atol=2e-6)


@every_loss
def test_where_the_weight_is_nothing_the_slope_is_too(loss: Loss) -> None:
    assert_allclose(loss.slope(np.zeros(3, np.float32)), 0.0)


@every_loss
def test_small_residuals_count_in_full(loss: Loss) -> None:
    u = np.array([1e-3])
    assert_allclose(weight(loss, np.array([0.0, 1e-3])), 1.0, rtol=1e-5)
    assert_allclose(loss.rho(u), 0.5 * u**2, rtol=1e-5)


@every_loss
def test_the_loss_is_even_and_grows(loss: Loss) -> None:
    u = np.linspace(0.0, 5.0, 200)
    assert_allclose(loss.rho(-u), loss.rho(u))
    assert (np.diff(loss.rho(u)) >= 0.0).all()


@every_robust_loss
def test_the_constant_keeps_95_percent_efficiency_under_normal_noise(loss: Loss) -> None:
    # Efficiency of an M-estimate: E[psi']^2 / E[psi^2], with psi(r) = r * weight(r / constant);
    # E[psi'] = E[r psi] under a normal law, by parts.
    def expected(power: int) -> float:
        def integrand(r: float) -> float:
            return r**2 * float(_weight64(loss, r / loss.constant)) ** power * stats.norm.pdf(r)

        middle = integrate.quad(integrand, 0.0, loss.constant)[0]
        tail = integrate.quad(integrand, loss.constant, 12.0)[0]
        return 2.0 * float(middle + tail)

    assert expected(1) ** 2 / expected(2) == pytest.approx(0.95, abs=2e-4)


def _weight64(loss: Loss, u: float) -> float:
    squared = np.array([u**2])
    loss.weigh(squared)
    return float(squared[0])


def test_the_median_of_a_normal_law() -> None:
    assert pytest.approx(stats.norm.ppf(0.75)) == NORMAL_MEDIAN


def test_the_scale_of_normal_residuals_is_their_standard_deviation() -> None:
    residuals = np.random.default_rng(0).normal(0.0, 0.37, 200_000).astype(np.float32)
    assert scale_of(residuals) == pytest.approx(0.37, rel=0.01)


def test_the_scale_survives_40_percent_of_anything() -> None:
    numbers = np.random.default_rng(1)
    residuals = numbers.normal(0.0, 0.37, 10_000).astype(np.float32)
    residuals[:4000] = numbers.uniform(-1e4, 1e6, 4000)
    # The median of the whole is then at most the 5/6 quantile of the good ones.
    assert 0.37 <= scale_of(residuals) <= 0.37 * stats.norm.ppf(1 - 1 / 12) / NORMAL_MEDIAN * 1.02


def test_nothing_has_no_scale() -> None:
    assert scale_of(np.empty(0, np.float32)) == 0.0
