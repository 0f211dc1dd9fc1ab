from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.geometry.coordinates import corners, inverse, map_points
from align_cli.engine.geometry.models import (
    MODELS,
    MONOMIALS,
    MotionModel,
    contains,
    describe,
    nearest,
)
from align_cli.engine.solver.gauss_newton import compose_inverse
from tests.scenes import MODEL_NAMES, about, motion

SIZE = (131, 94)

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def random_points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (count, 2))


def rotation(degrees: float, scale: float = 1.0) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[scale * c, -scale * s, 0.0], [scale * s, scale * c, 0.0], [0.0, 0.0, 1.0]])


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def assert_member(name: str, matrix: np.ndarray) -> None:
    """What makes a matrix a member of each model, written out."""
    assert matrix[2, 2] == 1.0
    linear = matrix[:2, :2]
    if name == "translation":
        assert_array_equal(linear, np.eye(2))
    if name == "rigid":
        assert_allclose(linear.T @ linear, np.eye(2), atol=1e-12)
    if name in ("rigid", "similarity"):
        assert_allclose(linear[0, 0], linear[1, 1], atol=1e-12)
        assert_allclose(linear[0, 1], -linear[1, 0], atol=1e-12)
    if name != "homography":
        assert matrix[2].tolist() == [0.0, 0.0, 1.0]
    else:
        assert np.abs(matrix[2, :2]).min() > 1e-7


def test_the_models_have_their_degrees_of_freedom_from_fewest_to_most() -> None:
    assert [model.size for model in MODELS.values()] == [2, 3, 4, 6, 8]
    assert [name for name, model in MODELS.items() if model.projective] == ["homography"]


@every_model
def test_no_parameters_are_the_identity(model: MotionModel) -> None:
    assert_array_equal(model.to_matrix(np.zeros(model.size)), np.eye(3))


@every_model
def test_the_jacobian_tables_are_the_derivative_of_the_mapped_points(model: MotionModel) -> None:
    points = random_points(40)
    monomials = np.array([points[:, 0] ** i * points[:, 1] ** j for i, j in MONOMIALS])
    step = 1e-6
    for k, unit_vector in enumerate(np.eye(model.size)):
        up = map_points(model.to_matrix(step * unit_vector), points)
        down = map_points(model.to_matrix(-step * unit_vector), points)
        numeric = (up - down) / (2.0 * step)
        assert_allclose(model.jacobian_x[k] @ monomials, numeric[:, 0], atol=1e-9)
        assert_allclose(model.jacobian_y[k] @ monomials, numeric[:, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "parameters", "point", "image"),
    [
        ("translation", [3.0, -2.0], (1.0, 1.0), (4.0, -1.0)),
        # A quarter turn takes x to y: positive angles run from x towards y.
        ("rigid", [np.pi / 2.0, 0.5, 0.0], (1.0, 0.0), (0.5, 1.0)),
        ("rigid", [np.pi / 2.0, 0.0, 0.5], (0.0, 1.0), (-1.0, 0.5)),
        ("similarity", [0.5, 0.25, 1.0, 2.0], (2.0, 0.0), (4.0, 2.5)),
        ("similarity", [0.5, 0.25, 1.0, 2.0], (0.0, 2.0), (0.5, 5.0)),
        ("affine", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], (1.0, 0.0), (1.4, 1.0)),
        ("affine", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], (0.0, 1.0), (0.5, 2.1)),
        ("homography", [0.0] * 6 + [1.0, 0.0], (1.0, 2.0), (0.5, 1.0)),
        ("homography", [0.0] * 6 + [0.0, 1.0], (3.0, 2.0), (1.0, 2.0 / 3.0)),
    ],
)
def test_parameters_mean_what_they_are_called(
    name: str,
    parameters: list[float],
    point: tuple[float, float],
    image: tuple[float, float],
) -> None:
    matrix = MODELS[name].to_matrix(np.array(parameters))
    assert_allclose(map_points(matrix, np.array([point])), [image], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@every_model
def test_products_and_inverses_of_members_are_members(model: MotionModel, seed: int) -> None:
    numbers = np.random.default_rng(seed)
    small = model.to_matrix(numbers.uniform(-0.1, 0.1, model.size))
    warp = motion(model.name, SIZE, 8.0, seed)
    assert_member(model.name, small)
    assert_member(model.name, compose_inverse(warp, small))
    assert_member(model.name, inverse(warp))
    for _ in range(100):  # nothing drifts away from the group over a long solve
        warp = compose_inverse(warp, model.to_matrix(numbers.uniform(-0.01, 0.01, model.size)))
    assert_member(model.name, warp)


@pytest.mark.parametrize("seed", range(3))
@every_model
def test_from_points_finds_an_exact_member(model: MotionModel, seed: int) -> None:
    truth = motion(model.name, SIZE, 9.0, seed)
    points = random_points(9, seed) * 100.0
    found = model.from_points(points, map_points(truth, points))
    assert_allclose(found, truth, rtol=1e-9, atol=1e-9)


@every_model
def test_four_points_are_enough(model: MotionModel) -> None:
    truth = motion(model.name, SIZE, 9.0, 4)
    found = model.from_points(corners(SIZE), map_points(truth, corners(SIZE)))
    assert_allclose(found, truth, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in MODEL_NAMES if name != "homography"])
def test_from_points_is_least_squares(name: str) -> None:
    model = MODELS[name]
    start = random_points(12, 1) + np.array([0.3, -0.7])
    end = map_points(model.to_matrix(np.full(model.size, 0.2)), start) + 0.3 * random_points(12, 2)

    def squares(matrix: np.ndarray) -> float:
        return float(((map_points(matrix, start) - end) ** 2).sum())

    found = model.from_points(start, end)
    assert_member(name, found)
    for step in np.concatenate([np.eye(model.size), -np.eye(model.size)]) * 1e-4:
        assert squares(found @ model.to_matrix(step)) > squares(found)


def test_a_noisy_homography_is_near_the_truth() -> None:
    truth = motion("homography", SIZE, 9.0, 5)
    start = random_points(50, 3) * 60.0 + 60.0
    noise = np.random.default_rng(4).normal(0.0, 0.01, start.shape)
    found = MODELS["homography"].from_points(start, map_points(truth, start) + noise)
    assert np.abs(map_points(found, start) - map_points(truth, start)).max() < 0.02


@every_model
def test_a_member_is_its_own_nearest(model: MotionModel) -> None:
    truth = motion(model.name, SIZE, 9.0, 6)
    assert_allclose(nearest(model, truth, SIZE), truth, rtol=1e-9, atol=1e-9)


def test_the_nearest_of_a_stiffer_model_keeps_what_it_can() -> None:
    turned_and_scaled = shift(5.0, -3.0) @ about(SIZE, rotation(10.0, 1.2))
    assert_allclose(nearest(MODELS["translation"], turned_and_scaled, SIZE), shift(5.0, -3.0))
    assert_allclose(
        nearest(MODELS["rigid"], turned_and_scaled, SIZE),
        shift(5.0, -3.0) @ about(SIZE, rotation(10.0)),
    )
    assert_allclose(nearest(MODELS["affine"], turned_and_scaled, SIZE), turned_and_scaled)


def test_describe_a_shift() -> None:
    terms = describe(shift(3.0, -2.0), MODELS["translation"], SIZE)
    assert terms == {"shift_px": (3.0, -2.0), "shift_at_origin_px": (3.0, -2.0)}


def test_describe_a_turn_about_the_origin() -> None:
    # 5 x 3 pixels: the centre (2, 1) goes to (-1, 2) in a quarter turn from x towards y.
    terms = describe(rotation(90.0), MODELS["rigid"], (5, 3))
    assert terms["angle_deg"] == pytest.approx(90.0)
    assert terms["shift_px"] == pytest.approx((-3.0, 1.0))
    assert terms["shift_at_origin_px"] == pytest.approx((0.0, 0.0))
    assert set(terms) == {"shift_px", "shift_at_origin_px", "angle_deg"}


@pytest.mark.parametrize("degrees", [-170.0, -30.0, 0.0, 12.5, 135.0])
def test_describe_a_turn_about_the_centre(degrees: float) -> None:
    terms = describe(about(SIZE, rotation(degrees, 0.8)), MODELS["similarity"], SIZE)
    assert terms["angle_deg"] == pytest.approx(degrees)
    assert terms["scale"] == pytest.approx(0.8)
    assert terms["shift_px"] == pytest.approx((0.0, 0.0), abs=1e-12)
    assert set(terms) == {"shift_px", "shift_at_origin_px", "angle_deg", "scale"}


@pytest.mark.parametrize("seed", range(4))
def test_the_terms_about_the_centre_and_about_the_origin_are_the_same_transform(
    seed: int,
) -> None:
    matrix = motion("similarity", SIZE, 20.0, seed)
    terms = describe(matrix, MODELS["similarity"], SIZE)
    turn = rotation(terms["angle_deg"], terms["scale"])  # type: ignore[arg-type]
    assert_allclose(shift(*terms["shift_px"]) @ about(SIZE, turn), matrix, atol=1e-10)  # type: ignore[misc]
    assert_allclose(shift(*terms["shift_at_origin_px"]) @ turn, matrix, atol=1e-10)  # type: ignore[misc]


def test_describe_an_affine_map_by_its_factors() -> None:
    # A = R(30 deg) [[2, 0.3], [0, 0.5]]
    upper = np.array([[2.0, 0.3, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 1.0]])
    terms = describe(shift(1.0, 2.0) @ about(SIZE, rotation(30.0) @ upper), MODELS["affine"], SIZE)
    assert terms["angle_deg"] == pytest.approx(30.0)
    assert terms["scale_x"] == pytest.approx(2.0)
    assert terms["scale_y"] == pytest.approx(0.5)
    assert terms["shear"] == pytest.approx(0.6)
    assert terms["scale"] == pytest.approx(1.0)
    assert terms["shift_px"] == pytest.approx((1.0, 2.0))
    assert "perspective" not in terms


def test_describe_a_homography_by_its_derivative_at_the_centre() -> None:
    matrix = motion("homography", SIZE, 20.0, 3)
    terms = describe(matrix, MODELS["homography"], SIZE)
    centre = (np.array(SIZE) - 1.0) / 2.0
    step = 1e-4
    around = centre + step * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    right, left, below, above = map_points(matrix, around)
    along_x, along_y = (right - left) / (2.0 * step), (below - above) / (2.0 * step)
    determinant = along_x[0] * along_y[1] - along_x[1] * along_y[0]
    scale_x = float(np.hypot(*along_x))
    assert terms["angle_deg"] == pytest.approx(np.degrees(np.arctan2(along_x[1], along_x[0])))
    assert terms["scale_x"] == pytest.approx(scale_x)
    assert terms["scale_y"] == pytest.approx(determinant / scale_x)
    assert terms["shear"] == pytest.approx((along_x @ along_y) / determinant)
    assert terms["scale"] == pytest.approx(np.sqrt(determinant))
    assert terms["perspective"] == (matrix[2, 0], matrix[2, 1])
    assert terms["shift_at_origin_px"] == pytest.approx((matrix[0, 2], matrix[1, 2]))


def test_every_model_contains_those_with_fewer_parameters_and_no_others() -> None:
    models = list(MODELS.values())
    for i, model in enumerate(models):
        assert [contains(model, other) for other in models] == [j <= i for j in range(len(models))]
