from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.sampling.gradients import central_differences, differences_at
from tests.scenes import pixel_grid, render, textured

SIZE = (31, 23)


def test_a_ramp_has_its_slopes_along_x_and_y() -> None:
    x, y = pixel_grid(SIZE)
    columns, rows = np.array([5, 20, 11]), np.array([3, 9, 17])
    along_x, along_y = differences_at((0.5 * x - 0.25 * y).astype(np.float32), columns, rows)
    assert_allclose(along_x, 0.5, atol=1e-6)
    assert_allclose(along_y, -0.25, atol=1e-6)


def test_they_are_the_central_differences_at_these_pixels() -> None:
    image = render(textured(1, size=SIZE), SIZE, noise=0.1)
    y, x = np.mgrid[1 : SIZE[1] - 1, 1 : SIZE[0] - 1]
    for some, whole in zip(differences_at(image, x, y), central_differences(image), strict=True):
        assert some.dtype == np.float32
        assert_allclose(some, whole[1:-1, 1:-1], atol=1e-6)


def test_shapes_broadcast_as_those_of_indices() -> None:
    image = render(textured(1, size=SIZE), SIZE, noise=0.1)
    x, y = np.arange(4, 10), np.arange(3, 15)[:, None]
    for some, whole in zip(differences_at(image, x, y), central_differences(image), strict=True):
        assert_allclose(some, whole[3:15, 4:10], atol=1e-6)


def test_at_the_borders_half_the_difference_of_the_only_neighbour() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4) ** 2
    left_x, top_y = differences_at(image, np.array([0]), np.array([0]))
    assert_array_equal(left_x, [0.5 * (image[0, 1] - image[0, 0])])
    assert_array_equal(top_y, [0.5 * (image[1, 0] - image[0, 0])])
    right_x, bottom_y = differences_at(image, np.array([3]), np.array([2]))
    assert_array_equal(right_x, [0.5 * (image[2, 3] - image[2, 2])])
    assert_array_equal(bottom_y, [0.5 * (image[2, 3] - image[1, 3])])
