from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.images.inpainting import inpainted
from align_cli.engine.sampling.bspline import coefficients
from tests.scenes import Size, pixel_grid, render, textured

SIZE = (61, 48)


def holes(name: str, size: Size = SIZE) -> np.ndarray:
    """(height, width) bool, False in the holes."""
    width, height = size
    valid = np.ones((height, width), np.bool_)
    if name == "middle":
        valid[15:29, 20:41] = False
    elif name == "border":
        valid[:, :9] = False
        valid[-7:, :] = False
    elif name == "scattered":
        valid[:] = np.random.default_rng(0).uniform(size=valid.shape) > 0.4
    elif name == "most":
        valid[:] = False
        valid[30:34, 50:55] = True
    elif name == "one pixel is left":
        valid[:] = False
        valid[17, 42] = True
    return valid


NAMES = ("middle", "border", "scattered", "most", "one pixel is left")
every_hole = pytest.mark.parametrize("name", NAMES)


@every_hole
def test_valid_pixels_are_kept_to_the_bit(name: str) -> None:
    image, valid = render(textured(1, size=SIZE), SIZE), holes(name)
    full = inpainted(image, valid)
    assert full.dtype == np.float32
    assert_array_equal(full[valid], image[valid])
    assert np.isfinite(full).all()


@every_hole
@pytest.mark.parametrize("garbage", [0.0, 1e30, -5.0, np.nan, np.inf])
def test_what_lies_under_a_hole_changes_no_bit(name: str, garbage: float) -> None:
    image, valid = render(textured(1, size=SIZE), SIZE), holes(name)
    dirty = np.where(valid, image, np.float32(garbage))
    assert_array_equal(inpainted(dirty, valid), inpainted(image, valid))


@every_hole
def test_a_constant_is_continued(name: str) -> None:
    valid = holes(name)
    image = np.where(valid, np.float32(0.7), np.float32(-3.0))
    assert_allclose(inpainted(image, valid), 0.7, rtol=1e-6)


@every_hole
def test_what_is_filled_in_lies_between_what_is_around(name: str) -> None:
    image, valid = render(textured(1, size=SIZE), SIZE), holes(name)
    full = inpainted(image, valid)
    slack = 1e-6
    assert image[valid].min() - slack <= full.min()
    assert full.max() <= image[valid].max() + slack


def test_a_ramp_is_roughly_continued_across_a_hole() -> None:
    valid = holes("middle")
    for ramp in pixel_grid(SIZE):
        full = inpainted(np.where(valid, ramp, -99.0).astype(np.float32), valid)
        hidden = ramp[~valid]
        # The mean of what is around would be wrong by this much.
        naive = np.abs(hidden - ramp[valid].mean()).mean()
        assert np.abs(full[~valid] - hidden).mean() < 0.5 * naive
        assert np.corrcoef(full[~valid], hidden)[0, 1] > 0.95


def test_nothing_valid_becomes_nothing() -> None:
    for size in (SIZE, (2, 2)):
        image = np.full((size[1], size[0]), np.nan, np.float32)
        assert_array_equal(inpainted(image, np.zeros(image.shape, np.bool_)), np.zeros_like(image))


def test_without_holes_the_image_is_handed_back() -> None:
    image = render(textured(1, size=SIZE), SIZE)
    assert inpainted(image, None) is image
    assert inpainted(image, holes("none")) is image


def test_the_callers_image_and_mask_stay_as_they_were() -> None:
    image, valid = render(textured(1, size=SIZE), SIZE), holes("middle")
    before = image.copy(), valid.copy()
    inpainted(image, valid)
    assert_array_equal(image, before[0])
    assert_array_equal(valid, before[1])


def test_a_filter_finds_no_edge_at_a_hole() -> None:
    image, valid = render(textured(1, size=SIZE), SIZE), holes("middle")
    whole = coefficients(image)
    beside = np.zeros_like(valid)
    beside[12:32, 17:44] = True
    beside &= valid

    def error(hollow: np.ndarray) -> float:
        return float(np.abs(coefficients(hollow) - whole)[beside].max())

    assert error(inpainted(image, valid)) < 0.1 * error(
        np.where(valid, image, 0.0).astype("float32")
    )


@pytest.mark.parametrize("size", [(3, 3), (1, 40), (40, 1), (2, 9), (8, 5), (33, 17)])
def test_any_size_can_be_filled(size: Size) -> None:
    width, height = size
    image = np.full((height, width), 2.5, np.float32)
    valid = np.ones(image.shape, np.bool_)
    valid[height // 2, width // 2] = False
    image[~valid] = np.nan
    assert_allclose(inpainted(image, valid), 2.5, rtol=1e-6)
