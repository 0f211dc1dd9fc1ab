from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, stats

from align_cli.engine.displacements.covariance import (
    ClusterCovariance,
    clustered_covariance,
    student_factor,
)
from align_cli.engine.geometry.models import MODELS, MONOMIALS

CORNERS = np.array([[-1.0, -0.75], [1.0, -0.75], [1.0, 0.75], [-1.0, 0.75]])


def jacobian(model: str, points: np.ndarray) -> np.ndarray:
    """(n, 2, p) by which a unit of each parameter displaces points in normalised coordinates."""
    x, y = points.T
    monomials = np.array([x**i * y**j for i, j in MONOMIALS])
    motion = MODELS[model]
    return np.stack([(motion.jacobian_x @ monomials).T, (motion.jacobian_y @ monomials).T], axis=1)


def jittered_grid(numbers: np.random.Generator, tiles: int) -> np.ndarray:
    side = int(np.ceil(np.sqrt(tiles)))
    cells = numbers.permutation(side * side)[:tiles]
    corner = np.column_stack([cells % side, cells // side])
    return ((corner + numbers.uniform(size=(tiles, 2))) / side * 2.0 - 1.0) * [1.0, 0.75]


def some_weights(numbers: np.random.Generator, tiles: int) -> np.ndarray:
    factor = numbers.normal(size=(tiles, 2, 2))
    return factor @ factor.transpose(0, 2, 1) + 0.2 * np.eye(2)


def fitted(
    design: np.ndarray, error: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, ClusterCovariance | None]:
    """The parameters that the errors of the tiles leave, and their covariance."""
    normal = np.einsum("gip,gij,gjq->pq", design, weight, design)
    right = np.einsum("gip,gij,gj->p", design, weight, error)
    parameters = np.linalg.lstsq(normal, right, rcond=None)[0]
    return parameters, clustered_covariance(design, error - design @ parameters, weight)


def test_the_matrix_is_cr2_written_down_at_full_length() -> None:
    numbers = np.random.default_rng(0)
    n = 9
    design = jacobian("homography", jittered_grid(numbers, n))
    weight = some_weights(numbers, n)
    error = numbers.normal(size=(n, 2))
    parameters, found = fitted(design, error, weight)
    assert found is not None

    # Block matrices of 2n rows, Phi = W^-1; the adjustment A satisfies A cov(e_g) A^T = Phi_g.
    x, w = design.reshape(2 * n, -1), linalg.block_diag(*weight)
    phi = np.linalg.inv(w)
    bread = np.linalg.inv(x.T @ w @ x)
    annihilator = np.eye(2 * n) - x @ bread @ x.T @ w
    residual = error.ravel() - x @ parameters
    meat = np.zeros_like(bread)
    influences = []
    for g in range(n):
        part = slice(2 * g, 2 * g + 2)
        expected = (annihilator @ phi @ annihilator.T)[part, part]
        root = linalg.sqrtm(w[part, part])
        adjust = np.linalg.inv(root) @ np.linalg.inv(linalg.sqrtm(root @ expected @ root)) @ root
        assert_allclose(adjust @ expected @ adjust.T, phi[part, part], rtol=1e-9)
        score = x[part].T @ w[part, part] @ adjust @ residual[part]
        meat += np.outer(score, score)
        influences.append(annihilator[part].T @ adjust.T @ w[part, part] @ x[part] @ bread)
    assert_allclose(found.bread, bread, rtol=1e-9)
    assert_allclose(found.matrix, bread @ meat @ bread, rtol=1e-7, atol=1e-12)

    directions = numbers.normal(size=(5, 8))
    for direction, degrees in zip(directions, found.degrees_of_freedom(directions), strict=True):
        p = np.array([each @ direction for each in influences])
        gram = p @ phi @ p.T
        assert degrees == pytest.approx(np.trace(gram) ** 2 / np.trace(gram @ gram), rel=1e-6)


def test_it_is_unbiased_where_the_weights_are_true() -> None:
    numbers = np.random.default_rng(1)
    design = jacobian("affine", jittered_grid(numbers, 6))
    weight = some_weights(numbers, 6)
    spread = np.linalg.cholesky(np.linalg.inv(weight))
    mean = np.zeros((6, 6))
    trials = 4000
    for _ in range(trials):
        error = (spread @ numbers.normal(size=(6, 2, 1)))[:, :, 0]
        _, found = fitted(design, error, weight)
        assert found is not None
        mean += found.matrix / trials
    assert_allclose(np.diag(mean), np.diag(found.bread), rtol=0.1)


def test_the_units_of_the_weights_do_not_matter_to_the_sandwich() -> None:
    numbers = np.random.default_rng(2)
    design = jacobian("similarity", jittered_grid(numbers, 12))
    weight, error = some_weights(numbers, 12), numbers.normal(size=(12, 2))
    _, one = fitted(design, error, weight)
    _, other = fitted(design, error, 9.0 * weight)
    assert one is not None
    assert other is not None
    assert_allclose(one.matrix, other.matrix, rtol=1e-9, atol=1e-14)
    assert_allclose(one.bread, 9.0 * other.bread, rtol=1e-9, atol=1e-14)


def test_tiles_of_weight_0_take_no_part() -> None:
    numbers = np.random.default_rng(3)
    design = jacobian("affine", jittered_grid(numbers, 10))
    weight, error = some_weights(numbers, 10), numbers.normal(size=(10, 2))
    weight[7:] = 0.0
    error[7:] = 1e3
    _, all_tiles = fitted(design, error, weight)
    _, those = fitted(design[:7], error[:7], weight[:7])
    assert all_tiles is not None
    assert those is not None
    assert_allclose(all_tiles.matrix, those.matrix, rtol=1e-7, atol=1e-12)
    direction = np.eye(6)
    assert_allclose(
        all_tiles.degrees_of_freedom(direction), those.degrees_of_freedom(direction), rtol=1e-7
    )
    assert_allclose(all_tiles.with_student, those.with_student, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_tiles_in_one_place_or_too_few_determine_nothing(model: str) -> None:
    size = MODELS[model].size
    numbers = np.random.default_rng(4)
    few = jacobian(model, numbers.uniform(-1.0, 1.0, (size // 2, 2)))
    assert (
        fitted(few, numbers.normal(size=(size // 2, 2)), some_weights(numbers, size // 2))[1]
        is None
    )
    one_place = jacobian(model, np.full((20, 2), 0.3))
    if size > 2:
        weight, left = some_weights(numbers, 20), numbers.normal(size=(20, 2))
        assert clustered_covariance(one_place, left, weight) is None


def test_a_line_of_tiles_and_one_beside_it_do_not_determine_an_affine_motion() -> None:
    numbers = np.random.default_rng(5)
    points = np.column_stack([np.linspace(-1.0, 1.0, 9), np.zeros(9)])
    points[4, 1] = 0.6
    design = jacobian("affine", points)
    weight = np.tile(np.eye(2), (9, 1, 1))
    assert fitted(design, numbers.normal(size=(9, 2)), weight)[1] is None
    points[5, 1] = 0.6
    assert fitted(jacobian("affine", points), numbers.normal(size=(9, 2)), weight)[1] is not None


def test_the_aperture_problem_determines_nothing() -> None:
    # Every tile tells its displacement along x alone.
    numbers = np.random.default_rng(6)
    design = jacobian("translation", jittered_grid(numbers, 9))
    weight = np.tile(np.diag([1.0, 0.0]), (9, 1, 1))
    assert clustered_covariance(design, numbers.normal(size=(9, 2)), weight) is None


def test_many_equal_tiles_have_as_many_degrees_of_freedom_less_the_fitted_one() -> None:
    design = jacobian("translation", np.zeros((20, 2)))
    weight = np.tile(np.eye(2), (20, 1, 1))
    found = clustered_covariance(design, np.random.default_rng(7).normal(size=(20, 2)), weight)
    assert found is not None
    assert_allclose(found.degrees_of_freedom(np.eye(2)), 19.0)


def test_the_inputs_stay_as_they_are() -> None:
    numbers = np.random.default_rng(9)
    given = (
        jacobian("affine", jittered_grid(numbers, 9)),
        numbers.normal(size=(9, 2)),
        some_weights(numbers, 9),
    )
    before = [each.copy() for each in given]
    clustered_covariance(*given)
    for each, copy in zip(given, before, strict=True):
        assert_allclose(each, copy, rtol=0.0)


def error_ratios(tiles: int) -> tuple[float, float, float]:
    """Root mean square of error / "+-" over four corners: plain, CR2, and with Student's factor.

    Homographies, independent errors of standard deviation 1.
    """
    numbers = np.random.default_rng(tiles)
    at_corners = jacobian("homography", CORNERS).reshape(-1, 8)
    weight = np.tile(np.eye(2), (tiles, 1, 1))
    ratios = []
    for _ in range(600):
        design = jacobian("homography", jittered_grid(numbers, tiles))
        error = numbers.normal(size=(tiles, 2))
        parameters, found = fitted(design, error, weight)
        if found is None:
            continue
        scores = np.einsum("gip,gij,gj->gp", design, weight, error - design @ parameters)
        plain = found.bread @ (scores.T @ scores) @ found.bread
        off = np.square(at_corners @ parameters).mean()
        variances = (
            (at_corners @ each * at_corners).sum(axis=1).mean()
            for each in (plain, found.matrix, found.with_student)
        )
        ratios.append([off / each for each in variances])
    plain, cr2, student = np.sqrt(np.mean(ratios, axis=0)).tolist()
    return plain, cr2, student


@pytest.mark.parametrize(
    ("tiles", "least_plain", "most_cr2"),
    [
        (6, 2.5, 1.7),
        (8, 1.7, 1.4),
        (12, 1.35, 1.25),
        (24, 1.13, 1.1),
        (50, 1.04, 1.05),
    ],
)
def test_of_few_tiles_the_error_is_what_the_deviation_says(
    tiles: int, least_plain: float, most_cr2: float
) -> None:
    plain, cr2, student = error_ratios(tiles)
    assert plain > least_plain
    assert cr2 < most_cr2
    assert 0.85 < student < 1.15


def test_student_factor_is_the_quantile_at_one_sigma() -> None:
    degrees = np.array([1.0, 1.3, 2.0, 2.7, 3.0, 5.5, 10.0, 30.0, 300.0, 1e5])
    expected = stats.t.ppf(stats.norm.cdf(1.0), degrees)
    assert_allclose(student_factor(degrees), expected, rtol=1e-9)
    assert_allclose(student_factor(np.array([np.inf, 1e9])), 1.0, rtol=1e-6)
    assert_allclose(student_factor(np.array([0.0, 0.5])), expected[0], rtol=1e-9)
    assert student_factor(degrees.reshape(2, 5)).shape == (2, 5)
