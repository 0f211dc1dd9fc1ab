from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.sampling.gradients import (
    central_difference,
    central_differences,
    inner_differences,
)
from tests.scenes import pixel_grid, render, textured

SIZE = (31, 23)


def test_a_ramp_has_its_slopes_along_x_and_y_per_pixel() -> None:
    x, y = pixel_grid(SIZE)
    along_x, along_y = central_differences((0.5 * x - 0.25 * y).astype(np.float32))
    assert_allclose(along_x[:, 1:-1], 0.5, atol=1e-6)
    assert_allclose(along_y[1:-1], -0.25, atol=1e-6)


def test_it_is_half_the_difference_of_both_neighbours_and_mirrored_at_the_border() -> None:
    image = render(textured(1, size=SIZE), SIZE, noise=0.1)
    padded = np.pad(image, 1, mode="reflect")
    along_x, along_y = central_differences(image)
    assert along_x.dtype == along_y.dtype == np.float32
    assert_allclose(along_x, (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2.0, atol=1e-6)
    assert_allclose(along_y, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2.0, atol=1e-6)
    assert not along_x[:, [0, -1]].any()
    assert not along_y[[0, -1]].any()


def test_an_axis_is_that_of_the_array() -> None:
    x, _ = pixel_grid(SIZE)
    ramp = x.astype(np.float32)
    assert not central_difference(ramp, axis=0).any()
    assert central_difference(ramp, axis=1).any()


def test_the_inner_differences_are_the_same_to_the_last_bit() -> None:
    image = render(textured(1, size=SIZE), SIZE, noise=0.1)
    rows = np.empty((2, 40, SIZE[0] - 2), np.float32)
    out = rows[0, : SIZE[1] - 2], rows[1, : SIZE[1] - 2]
    assert inner_differences(image, out) is out
    for written, found, whole in zip(
        out, inner_differences(image), central_differences(image), strict=True
    ):
        assert_array_equal(found, whole[1:-1, 1:-1])
        assert_array_equal(written, found)
