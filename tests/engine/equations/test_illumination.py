from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.aligner import align
from align_cli.engine.equations.illumination import (
    GAIN_BIAS,
    LARGEST_GAIN,
    NO_TERMS,
    VARYING,
    Illumination,
    illumination_from_quantiles,
    multiplied,
    polynomial,
    updated,
)
from align_cli.engine.solver import level_solver
from tests.scenes import pair

VALUES = np.random.default_rng(0).gamma(2.0, 0.1, 4001)


@pytest.mark.parametrize(("gain", "bias"), [(1.0, 0.0), (0.4, 0.3), (2.5, -0.2)])
def test_the_first_guess_needs_no_correspondence(gain: float, bias: float) -> None:
    illumination = illumination_from_quantiles(
        np.random.default_rng(1).permutation(gain * VALUES + bias), VALUES
    )
    assert illumination.gain == pytest.approx(gain)
    assert illumination.bias == pytest.approx(bias)


@pytest.mark.parametrize("columns", [1, 3])
def test_on_rows_of_the_target_it_is_its_polynomials(columns: int) -> None:
    rng = np.random.default_rng(0)
    illumination = Illumination(rng.normal(size=6), rng.normal(size=6))
    width, height = 50, 30
    y = np.array([0.0, 7.0, height - 1.0])
    x = np.arange(0, width, columns)
    points = np.array([[(a - 24.5) / 25.0, (b - 14.5) / 25.0] for b in y for a in x])
    for found, c in zip(
        illumination.on_rows((width, height), y, columns), illumination, strict=True
    ):
        assert found.dtype == np.float32
        assert_allclose(found, polynomial(c, points).reshape(3, -1), atol=1e-6)
    even = Illumination.uniform(2.0, 0.5).on_rows((width, height), y, columns)
    assert [each.tolist() for each in even] == [[[0.5]], [[-0.25]]]


@pytest.mark.parametrize("flat", ["source", "target"])
def test_a_flat_side_gets_a_bias_only(flat: str) -> None:
    source = np.full(50, 0.7) if flat == "source" else np.linspace(0.6, 0.8, 51)
    target = np.full(50, 0.2) if flat == "target" else np.linspace(0.1, 0.3, 51)
    illumination = illumination_from_quantiles(source, target)
    assert illumination.gain == 1.0
    assert illumination.bias == pytest.approx(0.5)


@pytest.mark.parametrize("step", [(0.03, -0.01), (-0.2, 0.4), (0.0, 0.1), (0.1, 0.0)])
def test_an_update_explains_the_residual_it_was_solved_from(step: tuple[float, float]) -> None:
    illumination, mean = Illumination.uniform(1.3, -0.2), 0.35
    residual = step[0] * (VALUES - mean) + step[1]
    # The source for which (source - bias) / gain - target is that residual:
    source = illumination.gain * (VALUES + residual) + illumination.bias
    better = updated(illumination, np.array(step), mean)
    assert_allclose((source - better.bias) / better.gain, VALUES, atol=1e-12)


def test_no_step_changes_no_light() -> None:
    illumination = Illumination.uniform(1.3, -0.2)
    for terms in (NO_TERMS, GAIN_BIAS, VARYING):
        same = updated(illumination, np.zeros(2 * terms), 0.35)
        assert_allclose(same.factor, illumination.factor)
        assert_allclose(same.offset, illumination.offset, atol=1e-15)


POINTS = np.random.default_rng(2).uniform(-1.0, 1.0, (len(VALUES), 2))


def test_an_update_of_a_varying_light_is_right_to_first_order() -> None:
    numbers = np.random.default_rng(3)
    illumination = Illumination(
        numbers.normal(0.0, 0.1, 6) + np.eye(6)[0], numbers.normal(0.0, 0.1, 6)
    )
    mean, size = 0.35, 1e-5
    # Uniform changes: the products with the illumination then stay of degree 2.
    step = np.zeros(12)
    step[[0, 6]] = 0.3, -0.2
    for change in (step, size * numbers.normal(size=12) * np.repeat([0.0, 1.0], 6)):
        d, e = (polynomial(part, POINTS) for part in (change[:6], change[6:]))
        explained = VALUES + d * (VALUES - mean) + e
        source = (explained - polynomial(illumination.offset, POINTS)) / polynomial(
            illumination.factor, POINTS
        )
        new = updated(illumination, change, mean)
        relit = polynomial(new.factor, POINTS) * source + polynomial(new.offset, POINTS)
        assert_allclose(relit, VALUES, atol=1e-9)


def test_a_small_varying_change_beside_a_large_uniform_one_is_right_to_first_order() -> None:
    change, mean = np.zeros(12), 0.35
    change[[0, 1, 5, 6]] = 0.5, 2e-5, -1e-5, -0.2
    d, e = (polynomial(part, POINTS) for part in (change[:6], change[6:]))
    source = VALUES + d * (VALUES - mean) + e
    new = updated(Illumination.uniform(), change, mean)
    relit = polynomial(new.factor, POINTS) * source + polynomial(new.offset, POINTS)
    assert_allclose(relit, VALUES, atol=1e-9)


def test_an_update_makes_a_uniform_light_vary() -> None:
    change = np.zeros(12)
    change[[3, 8]] = 0.01, 0.02
    new = updated(Illumination.uniform(), change, 0.0)
    assert_allclose(new.factor, [1.0, 0.0, 0.0, -0.01, 0.0, 0.0])
    assert_allclose(new.offset, [0.0, 0.0, -0.02, 0.0, 0.0, 0.0])
    assert new.varies
    assert not Illumination.uniform(2.0, 3.0).varies


def test_products_keep_what_is_of_degree_two() -> None:
    # (1 + 2 x + 3 y) (4 + 5 x) = 4 + 13 x + 12 y + 10 x x + 15 x y
    product = multiplied(np.array([1.0, 2, 3, 0, 0, 0]), np.array([4.0, 5, 0, 0, 0, 0]))
    assert product.tolist() == [4.0, 13.0, 12.0, 10.0, 15.0, 0.0]


def test_a_light_must_be_plausible_everywhere() -> None:
    dark_corner = np.array([1.0, -0.6, -0.6, 0.0, 0.0, 0.0])
    assert not Illumination(dark_corner, np.zeros(6)).plausible
    assert Illumination(dark_corner * [1.0, 0.8, 0.8, 1, 1, 1], np.zeros(6)).plausible


def test_a_vignette_does_not_move_the_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pair("homography", seed=4)
    height, width = images.source.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignetted = images.source * (1.0 - 0.1 * (x**2 + y**2)) + 0.05 * x
    found = align(vignetted, images.target)
    assert found.outcome.aligned
    error = images.error_px(found.source_to_target)
    assert error < 0.06
    monkeypatch.setattr(level_solver, "VARYING_RMSE_RATIO", 0.0)
    uniform = align(vignetted, images.target)
    assert error < 0.2 * images.error_px(uniform.source_to_target)


@pytest.mark.parametrize(
    ("illumination", "plausible"),
    [
        (Illumination.uniform(), True),
        (Illumination.uniform(LARGEST_GAIN * 0.99, 5.0), True),
        (Illumination.uniform(1.01 / LARGEST_GAIN, -5.0), True),
        (Illumination.uniform(LARGEST_GAIN * 1.01), False),
        (Illumination.uniform(0.99 / LARGEST_GAIN), False),
        (Illumination.uniform(-1.0), False),
        (Illumination.uniform(np.nan), False),
        (Illumination.uniform(1.0, np.nan), False),
        (Illumination.uniform(1.0, np.inf), False),
    ],
)
def test_which_light_is_plausible(illumination: Illumination, plausible: bool) -> None:
    assert illumination.plausible is plausible


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(("gain", "bias"), [(0.6, 0.25), (1.15, -0.1)])
def test_a_whole_alignment_finds_gain_and_bias(gain: float, bias: float, dtype: str) -> None:
    images = pair("affine", seed=3, gain=gain, bias=bias, dtype=dtype)
    found = align(images.source, images.target, model="affine")
    assert found.outcome.aligned
    assert found.gain == pytest.approx(gain, abs=0.004)
    assert found.bias == pytest.approx(bias, abs=0.002)
    assert images.error_px(found.source_to_target) < 0.01


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_without_photometric_the_light_stays_as_it_is(dtype: str) -> None:
    # Once red: floating-point planes are normalised each by its own mean and spread, so
    # that "no gain and bias" still compares the images after a change of illumination.
    images = pair("affine", seed=1, move_px=6.0, dtype=dtype)
    found = align(images.source, images.target, model="affine", photometric=False)
    assert found.gain == pytest.approx(1.0, abs=1e-6)
    assert found.bias == pytest.approx(0.0, abs=1e-6)
    assert images.error_px(found.source_to_target) < 0.01
