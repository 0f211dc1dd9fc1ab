from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from align_cli.engine.sampling.bspline import coefficients, gradient, sample
from align_cli.engine.sampling.sinc_upsampling import SHARP_SINC, upsampled
from tests.scenes import MODEL_NAMES, Matrix, mapped, motion, pixel_grid, render, textured

SIZE = (61, 47)
OTHER_SIZE = (37, 52)

every_model = pytest.mark.parametrize("model", MODEL_NAMES)


def rough(size: tuple[int, int] = SIZE, seed: int = 3) -> np.ndarray:
    """A picture with detail down to the single pixel."""
    return render(textured(seed, size=size), size, noise=0.1, seed=seed)


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def by_scipy(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Another hand's cubic spline, in float64."""
    found = ndimage.map_coordinates(image.astype(np.float64), [y, x], order=3, mode="mirror")
    return np.asarray(found)


@pytest.mark.parametrize("size", [SIZE, OTHER_SIZE])
def test_the_coefficients_are_those_of_scipys_recursive_filter(size: tuple[int, int]) -> None:
    image = rough(size)
    expected = ndimage.spline_filter(image.astype(np.float64), 3, mode="mirror")
    assert np.abs(expected - image).max() > 0.1
    assert_allclose(coefficients(image), expected, atol=2e-6)


@pytest.mark.parametrize("window", [SIZE, OTHER_SIZE])
@every_model
def test_samples_are_those_of_scipy_inside_and_beyond_the_border(
    model: str, window: tuple[int, int]
) -> None:
    image = rough()
    warp = shift(-9.3, 6.4) @ motion(model, window, 3.0, 1)
    x, y = mapped(warp, *pixel_grid(window))
    assert x.min() < -0.5
    found = sample(coefficients(image), warp, window)
    assert found.dtype == np.float32
    assert_allclose(found, by_scipy(image, x, y), atol=5e-6)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.floats(-30.0, 40.0), st.floats(-20.0, 35.0), st.floats(0.3, 2.5))
def test_any_place_and_scale_is_sampled_as_scipy_does(x: float, y: float, scale: float) -> None:
    image = rough()
    warp = np.array([[scale, 0.0, x], [0.0, scale, y], [0.0, 0.0, 1.0]])
    at_x, at_y = mapped(warp, *pixel_grid((7, 5)))
    found = sample(coefficients(image), warp, (7, 5))
    assert_allclose(found, by_scipy(image, at_x, at_y), atol=1e-5)


def test_at_the_knots_a_spline_is_its_image() -> None:
    image = rough()
    assert_allclose(sample(coefficients(image), np.eye(3), SIZE), image, atol=3e-6)
    moved = sample(coefficients(image), shift(3.0, 5.0), (20, 10))
    assert_allclose(moved, image[5:15, 3:23], atol=3e-6)


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (x - 30.0) / 30.0, (y - 23.0) / 23.0
    return 0.3 + x - 0.4 * y + x * x - 0.7 * x * y + 0.2 * y**3 - 0.5 * x**3 + 0.3 * x * x * y


@every_model
def test_a_cubic_polynomial_is_reproduced_between_the_pixels(model: str) -> None:
    image = cubic(*pixel_grid(SIZE)).astype(np.float32)
    warp = motion(model, SIZE, 1.5, 2)
    x, y = mapped(warp, *pixel_grid(SIZE))
    # Away from the border, where a mirrored polynomial is none.
    inside = (x > 14.0) & (x < SIZE[0] - 15.0) & (y > 14.0) & (y < SIZE[1] - 15.0)
    assert inside.sum() > 400
    found = sample(coefficients(image), warp, SIZE)
    assert_allclose(found[inside], cubic(x, y)[inside], atol=2e-6)


def test_a_constant_stays_one_everywhere() -> None:
    image = np.full((12, 15), 0.7, np.float32)
    assert_allclose(coefficients(image), 0.7, rtol=1e-6)
    assert_allclose(sample(coefficients(image), shift(-9.3, 7.6), (40, 30)), 0.7, rtol=1e-6)


@every_model
def test_a_multiple_of_a_warp_is_the_same_warp(model: str) -> None:
    spline, warp = coefficients(rough()), motion(model, SIZE, 2.0, 1)
    assert_allclose(sample(spline, -3.7 * warp, SIZE), sample(spline, warp, SIZE), atol=1e-6)


@every_model
def test_samples_are_written_where_they_are_wanted(model: str) -> None:
    spline, warp = coefficients(rough()), motion(model, SIZE, 2.0, 1)
    out = np.full((SIZE[1], SIZE[0]), np.nan, np.float32)
    assert sample(spline, warp, SIZE, out=out) is out
    assert_array_equal(out, sample(spline, warp, SIZE))


def test_nothing_that_is_handed_in_is_changed() -> None:
    image = rough()
    before = image.copy()
    spline = coefficients(image)
    kept, warp = spline.copy(), shift(0.4, 0.3)
    sample(spline, warp, SIZE)
    gradient(image)
    assert_array_equal(image, before)
    assert_array_equal(spline, kept)
    assert_array_equal(warp, shift(0.4, 0.3))


def test_the_gradient_is_the_derivative_of_the_spline() -> None:
    image = rough()
    x, y = pixel_grid(SIZE)
    step = 1e-4
    numeric_x = (by_scipy(image, x + step, y) - by_scipy(image, x - step, y)) / (2.0 * step)
    numeric_y = (by_scipy(image, x, y + step) - by_scipy(image, x, y - step)) / (2.0 * step)
    along_x, along_y = gradient(image)
    assert_allclose(along_x, numeric_x, atol=2e-6)
    assert_allclose(along_y, numeric_y, atol=2e-6)


def test_the_gradient_of_a_ramp_is_its_slopes_along_x_and_y() -> None:
    x, y = pixel_grid((50, 40))
    along_x, along_y = gradient((0.5 * x - 0.25 * y).astype(np.float32))
    interior = np.s_[14:-14, 14:-14]
    assert_allclose(along_x[interior], 0.5, atol=1e-5)
    assert_allclose(along_y[interior], -0.25, atol=1e-5)


def wave(share: float, angle: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A wave of a share of the Nyquist frequency along a direction."""
    frequency = share * np.pi
    return np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + 0.3)


def phase_error_px(
    found: np.ndarray, share: float, angle: float, at_x: float, at_y: float
) -> float:
    """How far a wave lies from where it should, at most, whatever its amplitude."""
    height, width = found.shape
    x, y = pixel_grid((width, height))
    frequency = share * np.pi
    argument = frequency * (np.cos(angle) * (x + at_x) + np.sin(angle) * (y + at_y)) + 0.3
    basis = np.column_stack([np.sin(argument).ravel(), np.cos(argument).ravel()])
    sine, cosine = np.linalg.lstsq(basis, found.ravel().astype(np.float64), rcond=None)[0]
    return float(abs(np.arctan2(cosine, sine)) / frequency)


@pytest.mark.parametrize("angle", [0.0, np.pi / 2.0])
@pytest.mark.parametrize("share", [0.6, 0.7, 0.8])
def test_on_the_finer_grid_a_spline_has_no_favourite_place(share: float, angle: float) -> None:
    x, y = pixel_grid((90, 80))
    image = wave(share, angle, x, y).astype(np.float32)
    fine, plain = coefficients(upsampled(image, SHARP_SINC)), coefficients(image)
    inner = shift(15.0, 15.0)
    errors = {"fine": 0.0, "plain": 0.0}
    for part in (0.1, 0.25, 0.4, 0.6, 0.85):
        warp = inner @ shift(part, part)
        doubled = np.diag([2.0, 2.0, 1.0]) @ warp
        for name, found in (
            ("fine", sample(fine, doubled, (60, 50))),
            ("plain", sample(plain, warp, (60, 50))),
        ):
            error = phase_error_px(found, share, angle, 15.0 + part, 15.0 + part)
            errors[name] = max(errors[name], error)
    assert errors["fine"] < 0.0013
    assert errors["plain"] > 4.0 * errors["fine"]


def test_the_phase_error_of_the_plain_spline_is_the_one_that_is_told() -> None:
    x, y = pixel_grid((90, 80))
    plain = coefficients(wave(0.8, 0.0, x, y).astype(np.float32))
    errors = [
        phase_error_px(sample(plain, shift(15.0 + part, 15.0), (60, 50)), 0.8, 0.0, 15.0 + part, 15)
        for part in np.arange(0.05, 1.0, 0.05)
    ]
    assert max(errors) == pytest.approx(0.075, abs=0.005)
