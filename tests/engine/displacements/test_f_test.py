from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from align_cli.engine.displacements.f_test import log10_f_tail, log10_p_value
from align_cli.engine.displacements.fit import model_basis, polynomial, refit, robust_fit
from align_cli.engine.geometry.models import MODELS
from tests.engine.displacements.fields import SIZE, lens, matches, still


@pytest.mark.parametrize("above", [1, 2, 5, 12])
@pytest.mark.parametrize("below", [8, 40, 280])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 3.0, 8.0])
def test_the_tail_is_that_of_the_f_distribution(above: int, below: int, ratio: float) -> None:
    exact = stats.f.logsf(ratio, above, below) / np.log(10.0)
    assert log10_f_tail(ratio, above, below) == pytest.approx(exact, rel=0.1, abs=0.06)


def test_the_far_tail_is_finite_falls_and_promises_no_more_than_the_exact_one() -> None:
    ratios = (10.0, 1e2, 3e2, 1e3, 1e4, 1e6)
    tails = [log10_f_tail(ratio, 2, 1e4) for ratio in ratios]
    assert np.isfinite(tails).all()
    assert (np.diff(tails) < 0.0).all()
    # Where the logarithm of the error function ends and its expansion begins.
    close = [log10_f_tail(ratio, 2, 1e4) for ratio in np.linspace(700.0, 1100.0, 401)]
    assert_allclose(np.diff(close), np.gradient(close)[1:], rtol=0.05)
    exact = stats.f.logsf(ratios[:3], 2, 1e4) / np.log(10.0)
    assert (tails[:3] >= exact).all()
    assert (tails[:3] <= 0.4 * exact).all()


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_chance_is_found_as_often_as_it_says(wrong: float) -> None:
    chances = []
    for seed in range(400):
        tiles = matches(still, 60, seed=seed, scatter=0.1, wrong=wrong)
        rich, simple = (
            model_basis(MODELS[name]).design(tiles.position, SIZE)
            for name in ("homography", "affine")
        )
        fit = robust_fit(rich, tiles.displacement, tiles.covariance)
        chances.append(log10_p_value(refit(simple, tiles.displacement, fit), fit))
    for level in (0.5, 0.1, 0.01):
        allowed = level + 3.0 * np.sqrt(level * (1.0 - level) / len(chances))
        assert np.mean(np.array(chances) < np.log10(level)) <= 1.2 * allowed
    assert np.mean(np.array(chances) < np.log10(0.5)) > 0.3


def test_what_only_the_richer_field_describes_is_no_chance() -> None:
    tiles = matches(lens(0.02))
    cubic, homography = polynomial(3), model_basis(MODELS["homography"])
    fit = robust_fit(cubic.design(tiles.position, SIZE), tiles.displacement, tiles.covariance)
    flat = refit(homography.design(tiles.position, SIZE), tiles.displacement, fit)
    assert log10_p_value(flat, fit) < -10.0


def test_as_many_parameters_as_displacements_prove_nothing() -> None:
    tiles = matches(lens(0.1), 4)
    rich, simple = (
        model_basis(MODELS[name]).design(tiles.position, SIZE) for name in ("homography", "rigid")
    )
    fit = robust_fit(rich, tiles.displacement, tiles.covariance)
    assert log10_p_value(refit(simple, tiles.displacement, fit), fit) == 0.0
