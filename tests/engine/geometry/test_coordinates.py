from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.geometry.coordinates import (
    at_level,
    corner_error,
    corner_step_px,
    corners,
    endpoint_error,
    inverse,
    level_difference,
    map_points,
    matching_level,
    normalisation,
    unit,
)
from tests.scenes import MODEL_NAMES, motion


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def test_points_are_x_y_columns_and_divided_by_the_denominator() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.1, 0.2, 1.0]])
    # x = 10, y = 20: (10 + 40 + 3, 40 + 100 + 6) / (1 + 4 + 1)
    assert_allclose(map_points(matrix, np.array([[10.0, 20.0]])), [[53.0 / 6.0, 146.0 / 6.0]])


def test_a_point_sent_to_infinity_warns_nobody() -> None:
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    mapped = map_points(matrix, np.array([[1.0, 0.0]]))
    assert mapped[0, 0] == np.inf
    assert np.isnan(mapped[0, 1])


def test_corners_are_pixel_centres_clockwise_from_the_top_left() -> None:
    assert corners((5, 3)).tolist() == [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]


def test_unit_and_inverse_have_a_last_entry_of_one() -> None:
    matrix = 4.0 * motion("homography", (90, 70), 5.0, 3)
    assert unit(matrix)[2, 2] == 1.0
    assert inverse(matrix)[2, 2] == 1.0
    product = matrix @ inverse(matrix)
    assert_allclose(product / product[2, 2], np.eye(3), atol=1e-10)


def test_a_singular_transform_has_no_inverse() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        inverse(np.diag([1.0, 0.0, 1.0]))


@pytest.mark.parametrize(
    ("size", "pixel", "normalised"),
    [
        ((5, 3), (2.0, 1.0), (0.0, 0.0)),
        ((5, 3), (4.0, 2.0), (0.8, 0.4)),
        ((4, 10), (0.0, 0.0), (-0.3, -0.9)),
        ((4, 10), (1.5, 9.5), (0.0, 1.0)),
    ],
)
def test_normalised_coordinates_are_centred_and_in_halves_of_the_longer_side(
    size: tuple[int, int], pixel: tuple[float, float], normalised: tuple[float, float]
) -> None:
    found = map_points(normalisation(size), np.array([pixel]))
    assert_allclose(found, [normalised], atol=1e-15)


def test_a_shift_at_a_level_is_the_same_shift_in_its_larger_pixels() -> None:
    assert_array_equal(at_level(shift(8.0, 4.0), 2), shift(2.0, 1.0))


@pytest.mark.parametrize("level", [0, 1, 2, 5])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_pixel_x_of_a_level_is_at_2_to_the_level_x_of_full_size(model: str, level: int) -> None:
    matrix = motion(model, (97, 75), 6.0, 1)
    here = np.array([[0.0, 0.0], [3.0, 5.0], [10.5, 2.25]])
    assert_allclose(
        map_points(at_level(matrix, level), here) * 2.0**level,
        map_points(matrix, here * 2.0**level),
        rtol=1e-12,
    )


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_down_to_a_level_and_back_is_the_same_transform(model: str) -> None:
    matrix = motion(model, (97, 75), 6.0, 2)
    assert_array_equal(at_level(at_level(matrix, 3), -3), matrix)
    assert at_level(matrix, 3)[2, 2] == 1.0


def test_corner_error_is_the_mean_distance_over_the_four_corners() -> None:
    assert corner_error(shift(3.0, 4.0), np.eye(3), (7, 9)) == 5.0
    # Twice as large: the corners of 4 by 5 pixels move by 0, 3, 5 and 4.
    assert corner_error(np.diag([2.0, 2.0, 1.0]), np.eye(3), (4, 5)) == 3.0


def test_endpoint_error_is_the_distance_at_each_pixel_rows_first() -> None:
    stretched = np.diag([1.5, 3.0, 1.0])
    error = endpoint_error(stretched, np.eye(3), (3, 2))
    assert_allclose(error, [[0.0, 0.5, 1.0], np.hypot([0.0, 0.5, 1.0], 2.0)])


@pytest.mark.parametrize(("scale", "levels"), [(1.0, 0), (1.3, 0), (0.5, 1), (0.3, 2), (3.7, -2)])
@pytest.mark.parametrize("perspective", [0.0, 1e-3])
def test_by_how_many_levels_the_source_is_coarser(
    scale: float, levels: int, perspective: float
) -> None:
    # A warp that shrinks leads to larger pixels; a horizon far away does not matter at the centre.
    size = (201, 101)
    centred = shift(-100.0, -50.0)
    warp = inverse(centred) @ np.diag([scale, scale, 1.0]) @ centred
    warp[2, 0] = perspective
    warp[2] /= warp[2] @ [100.0, 50.0, 1.0] if perspective else 1.0
    assert level_difference(unit(warp), size) == levels
    assert level_difference(-2.0 * unit(warp), size) == levels


def test_like_levels_show_as_much() -> None:
    warp = np.array([[0.5, 0.0, 3.0], [0.0, 0.5, -1.0], [0.0, 0.0, 1.0]])
    level, there = matching_level(warp, 2, (64, 64), range(4))
    assert level == 1
    # Pixel (5, 7) of level 2 is (20, 28) at full size, then (13, 13), which is (6.5, 6.5) there.
    assert_allclose(map_points(there, np.array([[5.0, 7.0]])), [[6.5, 6.5]])
    assert matching_level(warp, 0, (64, 64), range(4))[0] == 0
    assert matching_level(warp, 1, (64, 64), range(1, 4))[0] == 1
    assert matching_level(np.diag([2.0, 2.0, 1.0]), 3, (64, 64), range(4))[0] == 3
    assert matching_level(np.diag([2.0, 2.0, 1.0]), 2, (64, 64), range(4))[0] == 3


def test_the_corner_step_is_the_largest_movement_of_a_corner() -> None:
    assert corner_step_px(shift(3.0, -4.0), (120, 100)) == 5.0
    assert corner_step_px(np.diag([2.0, 1.0, 1.0]), (11, 7)) == 10.0
    assert corner_step_px(np.eye(3), (120, 100)) == 0.0
