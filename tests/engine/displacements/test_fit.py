from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements.fit import (
    LEAST_SIGMA_PX,
    MEDIAN_SQUARED,
    Fit,
    Matches,
    add_scatter,
    common_scatter,
    explained_squares,
    inverses,
    leave_one_out,
    model_basis,
    polynomial,
    refit,
    reweighted,
    robust_fit,
    squared_lengths,
    tukey_weight,
)
from align_cli.engine.geometry.coordinates import corners, map_points, normalisation
from align_cli.engine.geometry.models import MODELS, MotionModel
from align_cli.engine.numerics.losses import LOSSES, OUTLIER
from tests.engine.displacements.fields import SIZE, covariances, drawn, lens, matches, spread, still

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def fit_of(model: MotionModel, tiles: Matches) -> Fit:
    rows = model_basis(model).design(tiles.position, SIZE)
    return robust_fit(rows, tiles.displacement, tiles.covariance)


@every_model
def test_a_models_basis_is_the_derivative_of_its_matrix_in_pixels(model: MotionModel) -> None:
    points = corners(SIZE)
    rows = model_basis(model).design(points, SIZE)
    to_normalised = normalisation(SIZE)
    step = 1e-6
    for k in range(model.size):
        small = model.to_matrix(step * np.eye(model.size)[k])
        moved = map_points(np.linalg.solve(to_normalised, small @ to_normalised), points)
        assert_allclose(rows[:, :, k], (moved - points) / step, atol=1e-2)


def test_a_polynomial_has_every_monomial_for_either_component() -> None:
    basis = polynomial(3)
    assert sorted(basis.powers) == [
        (0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (3, 0),
    ]  # fmt: skip
    assert basis.size == 20
    # Half the longer side is 176 px: the right border has x = 175.5 / 176, the centre 0.
    rows = basis.design(np.array([[351.0, 119.5]]), SIZE)
    x_cubed = basis.powers.index((3, 0))
    assert rows[0, 0, x_cubed] == pytest.approx(176.0 * (175.5 / 176.0) ** 3)
    assert rows[0, 1, x_cubed] == 0.0
    assert rows[0, 1, 10 + x_cubed] == pytest.approx(176.0 * (175.5 / 176.0) ** 3)
    assert rows[0, 0, basis.powers.index((1, 1))] == pytest.approx(0.0)


@every_model
def test_a_fit_to_exact_displacements_is_exact(model: MotionModel) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(0.0, 0.02, model.size)
    position = spread(30, rng)
    basis = model_basis(model)
    displacement = basis.evaluate(truth, position, SIZE)
    fit = robust_fit(model_basis(model).design(position, SIZE), displacement, covariances(30, rng))
    assert_allclose(fit.parameters, truth, atol=1e-12)
    assert_allclose(fit.residual, 0.0, atol=1e-9)
    assert fit.scatter_px == 0.0


@pytest.mark.parametrize("wrong", [0.0, 0.3])
@pytest.mark.parametrize("scatter", [0.0, 0.3])
def test_errors_are_as_large_as_the_covariance_tells(scatter: float, wrong: float) -> None:
    model = MODELS["affine"]
    squares = []
    for seed in range(150):
        fit = fit_of(model, matches(still, 60, seed=seed, scatter=scatter, wrong=wrong))
        squares.append(fit.parameters @ np.linalg.solve(fit.covariance, fit.parameters))
    # The scatter is that of the middle tile: with a third of the tiles wrong it comes out larger.
    least = 0.3 if wrong else 0.7
    assert least < np.mean(squares) / model.size < 1.25


def test_wrong_matches_lose_their_weight_and_the_others_keep_it() -> None:
    fit = fit_of(MODELS["homography"], matches(still, 120, seed=1, wrong=0.3))
    assert np.mean(fit.weight[:36] == 0.0) > 0.9
    assert np.mean(fit.weight[36:] > 0.5) > 0.9
    assert (
        np.hypot(
            *model_basis(MODELS["homography"]).evaluate(fit.parameters, corners(SIZE), SIZE).T
        ).max()
        < 0.3
    )


@pytest.mark.parametrize("rounds", [1, 5, 50])
def test_fits_side_by_side_are_those_of_each_alone(rounds: int) -> None:
    tiles, rng = matches(lens(0.05), 60, wrong=0.3), np.random.default_rng(5)
    rows = model_basis(MODELS["homography"]).design(tiles.position, SIZE)
    among = np.concatenate([np.ones((1, 60), np.bool_), rng.random((6, 60)) < 0.5])
    used = np.stack(
        [MODELS[name].of_homography.any(axis=0) for name in ("homography", "affine") * 3]
        + [MODELS["translation"].of_homography.any(axis=0)]
    )
    found = reweighted(rows, tiles.displacement, tiles.covariance, among, used, rounds=rounds)
    for tiles_of, own, parameters, weight, scatter in zip(among, used, *found, strict=True):
        alone = reweighted(
            rows[tiles_of][:, :, own],
            tiles.displacement[tiles_of],
            tiles.covariance[tiles_of],
            np.ones((1, int(tiles_of.sum())), np.bool_),
            rounds=rounds,
        )
        assert_allclose(parameters[own], alone[0][0], rtol=1e-6, atol=1e-9)
        assert not parameters[~own].any()
        assert_allclose(weight[tiles_of], alone[1][0], atol=1e-9)
        assert not weight[~tiles_of].any()
        assert scatter == pytest.approx(alone[2][0])


def test_a_tile_counts_along_the_axis_that_it_knows() -> None:
    position = np.array([[50.0, 60.0], [200.0, 100.0]])
    covariance = np.array([np.diag([1e-4, 1e4]), np.diag([1e4, 1e-4])])
    displacement = np.array([[1.0, 9.0], [-7.0, 2.0]])
    model = MODELS["translation"]
    fit = robust_fit(model_basis(model).design(position, SIZE), displacement, covariance)
    assert_allclose(
        model_basis(model).evaluate(fit.parameters, position, SIZE)[0], [1.0, 2.0], atol=1e-4
    )


def test_a_tile_follows_if_it_lies_off_along_the_axis_that_it_does_not_know() -> None:
    # Ellipses along a diagonal, 3 px by 0.1 px; two tiles 2 px off, one along it, one across.
    tiles = matches(still, 40, seed=4)
    tiles.covariance[:] = 0.5 * np.array([[9.01, 8.99], [8.99, 9.01]])
    tiles.displacement[:] = drawn(tiles.covariance, np.random.default_rng(1))
    tiles.displacement[0] = np.array([2.0, 2.0]) / np.sqrt(2.0)
    tiles.displacement[1] = np.array([2.0, -2.0]) / np.sqrt(2.0)
    fit = fit_of(MODELS["rigid"], tiles)
    assert fit.weight[0] > 0.9
    assert fit.weight[1] == 0.0


def test_the_scatter_beyond_the_covariances_is_found() -> None:
    found = [
        fit_of(MODELS["rigid"], matches(still, 200, seed=seed, scatter=0.4)).scatter_px
        for seed in range(30)
    ]
    assert np.mean(found) == pytest.approx(0.4, rel=0.05)


def test_half_of_the_tiles_lie_within_the_median_with_the_common_scatter() -> None:
    rng = np.random.default_rng(5)
    covariance = covariances(101, rng)
    residual = drawn(covariance, rng) * 3.0
    scatter = common_scatter(residual, covariance)
    squared = squared_lengths(residual, add_scatter(covariance, scatter))
    assert scatter > 0.0
    assert np.median(squared) == pytest.approx(MEDIAN_SQUARED, rel=1e-9)
    assert common_scatter(0.1 * residual, covariance) == 0.0


def test_without_errors_tiles_have_the_least_sigma() -> None:
    variance = add_scatter(np.zeros((1, 2, 2)), 0.0)
    assert_allclose(variance[0], LEAST_SIGMA_PX**2 * np.eye(2))


def test_left_out_is_the_residual_of_a_fit_to_the_others() -> None:
    tiles = matches(still, 25, seed=2, scatter=0.2, wrong=0.1)
    rows = polynomial(1).design(tiles.position, SIZE)
    fit = robust_fit(rows, tiles.displacement, tiles.covariance)
    expected = []
    for index in range(25):
        weight = np.where(np.arange(25) == index, 0.0, fit.weight)
        others = Fit(fit.parameters, fit.covariance, fit.residual, fit.precision, weight, 0.0)
        expected.append(refit(rows, tiles.displacement, others).residual[index])
    assert_allclose(leave_one_out(rows, fit), expected, atol=1e-9)


def test_the_weight_is_that_of_tukeys_loss() -> None:
    u = np.linspace(0.0, 1.5, 31)
    expected = (u**2).astype(np.float32)
    LOSSES["tukey"].weigh(expected)
    assert_allclose(tukey_weight(np.square(OUTLIER * u)), expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_tiles_fix_nothing_and_say_so(count: int) -> None:
    model = MODELS["homography"]
    fit = fit_of(model, matches(still, count))
    assert np.isinf(fit.covariance).all()
    assert np.isinf(model_basis(model).variance(fit, corners(SIZE), SIZE)).all()
    assert np.isfinite(fit.parameters).all()


def test_the_variance_of_a_field_is_that_of_its_errors() -> None:
    basis, points = polynomial(1), corners(SIZE)
    errors, told = [], []
    for seed in range(200):
        tiles = matches(still, 50, seed=seed)
        fit = robust_fit(basis.design(tiles.position, SIZE), tiles.displacement, tiles.covariance)
        errors.append(np.square(basis.evaluate(fit.parameters, points, SIZE)).sum(axis=1))
        told.append(basis.variance(fit, points, SIZE))
    assert_allclose(np.mean(told, axis=0), np.mean(errors, axis=0), rtol=0.3)


@pytest.mark.parametrize("count", [12, 60])
def test_what_fields_would_take_off_is_what_their_fits_leave_less(count: int) -> None:
    tiles = matches(lens(0.02), count)
    unfitted = robust_fit(np.zeros((count, 2, 1)), tiles.displacement, tiles.covariance)
    assert_allclose(unfitted.squares, unfitted.weight @ unfitted.squared)
    bases = (
        model_basis(MODELS["rigid"]),
        model_basis(MODELS["homography"]),
        polynomial(3),
        polynomial(5),
    )
    told = explained_squares(bases, tiles.position, SIZE, unfitted)
    for basis, less in zip(bases, told, strict=True):
        fit = refit(basis.design(tiles.position, SIZE), tiles.displacement, unfitted)
        # Where there are more parameters than displacements nothing is left.
        assert unfitted.squares - fit.squares == pytest.approx(less, rel=1e-6)


def test_symmetric_matrices_are_inverted_whatever_their_axes() -> None:
    matrices = covariances(40, np.random.default_rng(5))
    assert_allclose(
        inverses(matrices) @ matrices, np.broadcast_to(np.eye(2), (40, 2, 2)), atol=1e-9
    )
