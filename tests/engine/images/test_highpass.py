from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.highpass import DETAIL_SIGMA, highpass
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.images.valid_overlap import valid_overlap
from align_cli.engine.sampling.bilinear import sample
from tests.scenes import motion, render, textured

SIZE = (64, 50)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def level(seed: int, valid: np.ndarray | None = None) -> Level:
    return Level(render(textured(seed), SIZE, noise=0.05, seed=seed), valid)


def hole(left: int, top: int) -> np.ndarray:
    valid = np.ones((SIZE[1], SIZE[0]), np.bool_)
    valid[top : top + 9, left : left + 12] = False
    return valid


def details_at(source: Level, target: Level, warp: np.ndarray) -> tuple[np.ndarray, ...]:
    inside = valid_overlap(source, target, warp, margin=REACH)
    found = highpass((sample(source.image, warp, SIZE), target.image), inside)
    return (*found, inside)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    everywhere = np.ones(one.shape, np.bool_)
    s, t = (each.ravel() for each in highpass((one, other), everywhere))
    return float(s @ t / np.sqrt((s @ s) * (t @ t)))


def test_details_of_an_image_agree_with_themselves_in_any_light() -> None:
    one = level(1).image
    assert correlation(one, one) == pytest.approx(1.0, abs=1e-6)
    assert correlation(0.3 * one + np.float32(0.4), one) == pytest.approx(1.0, abs=1e-4)
    assert correlation(np.float32(1.0) - one, one) == pytest.approx(-1.0, abs=1e-4)


def test_a_common_slope_is_no_detail() -> None:
    numbers = np.random.default_rng(0)
    slope = np.linspace(0.0, 1.0, SIZE[0]) + np.zeros((SIZE[1], 1))
    one, other = (slope + numbers.normal(0.0, 0.02, slope.shape) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    assert abs(correlation(one.astype(np.float32), other.astype(np.float32))) < 0.25


@pytest.mark.parametrize("holes", [False, True])
def test_details_are_what_differs_from_the_mean_around(holes: bool) -> None:
    source = level(1, hole(10, 8) if holes else None)
    target = level(2, hole(40, 30) if holes else None)
    warp = motion("affine", SIZE, 4.0, 2)
    *found, inside = details_at(source, target, warp)
    # The Gaussian mean over the pixels inside, pixel by pixel.
    rows, columns = np.nonzero(inside)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    weight = np.exp(-0.5 * distance / DETAIL_SIGMA**2)
    weight /= weight.sum(axis=1, keepdims=True)
    for plane, image in zip(found, (sample(source.image, warp, SIZE), target.image), strict=True):
        expected = np.zeros(plane.shape)
        expected[inside] = image[inside] - weight @ image[inside]
        np.testing.assert_allclose(plane, expected, atol=0.06 * np.abs(expected).max())
        assert not plane[~inside].any()


def test_what_lies_under_invalid_pixels_is_no_detail() -> None:
    source, target = level(1, hole(10, 8)), level(1, hole(40, 30))
    dirty = [Level(np.where(each.valid, each.image, 1e3).astype(np.float32), each.valid)
             for each in (source, target)]  # fmt: skip
    warp = shift(0.5, 0.5)
    for found, expected in zip(
        details_at(dirty[0], dirty[1], warp), details_at(source, target, warp), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
