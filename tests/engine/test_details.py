from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.details import (
    DETAIL_SIGMA,
    DETAIL_TILE,
    LEAST_SIGNAL,
    detail_zncc,
    details,
    tile_zncc,
    unexplained,
)
from align_cli.engine.photometry import Light
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.sampling import overlap_mask, sample
from align_cli.engine.verdict import LARGEST_UNEXPLAINED
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


def of_details(source: Level, target: Level, warp: np.ndarray | None = None) -> float:
    return detail_zncc(tile_zncc(details(source, target, np.eye(3) if warp is None else warp)))


def test_details_of_an_image_agree_with_themselves_in_any_light() -> None:
    one = level(1)
    brighter = Level(0.3 * one.image + np.float32(0.4), None)
    negative = Level(1.0 - one.image, None)
    assert of_details(one, one) == pytest.approx(1.0, abs=1e-6)
    assert of_details(brighter, one) == pytest.approx(1.0, abs=1e-4)
    assert of_details(negative, one) == pytest.approx(-1.0, abs=1e-4)


def test_a_common_slope_is_no_detail() -> None:
    numbers = np.random.default_rng(0)
    slope = np.linspace(0.0, 1.0, SIZE[0]) + np.zeros((SIZE[1], 1))
    one, other = (slope + numbers.normal(0.0, 0.02, slope.shape) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    levels = [Level(plane.astype(np.float32), None) for plane in (one, other)]
    assert abs(of_details(*levels)) < 0.25


@pytest.mark.parametrize("holes", [False, True])
def test_details_are_what_differs_from_the_mean_around(holes: bool) -> None:
    source = level(1, hole(10, 8) if holes else None)
    target = level(2, hole(40, 30) if holes else None)
    warp = motion("affine", SIZE, 4.0, 2)
    inside = overlap_mask(warp, SIZE, SIZE, margin=REACH)
    if holes:
        assert source.valid is not None
        assert target.valid is not None
        inside &= sample(source.valid.astype(np.float32), warp, SIZE) > 0.999
        inside &= target.valid
    warped = sample(source.image, warp, SIZE)
    # The Gaussian mean over the pixels inside, pixel by pixel.
    rows, columns = np.nonzero(inside)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    weight = np.exp(-0.5 * distance / DETAIL_SIGMA**2)
    weight /= weight.sum(axis=1, keepdims=True)
    expected_details = np.zeros((2, *inside.shape))
    for plane, image in zip(expected_details, (warped, target.image), strict=True):
        plane[inside] = image[inside] - weight @ image[inside]
    # ZNCC of each tile, as often as it has contrast; the last tile of a row takes what is left.
    height, width = inside.shape
    tops, lefts = (range(0, side - DETAIL_TILE // 2, DETAIL_TILE) for side in (height, width))
    values, weights = [], []
    for top in tops:
        for left in lefts:
            bottom = height if top == tops[-1] else top + DETAIL_TILE
            right = width if left == lefts[-1] else left + DETAIL_TILE
            s, t = (plane[top:bottom, left:right].ravel() for plane in expected_details)
            contrast = np.sqrt((s @ s) * (t @ t))
            values.append(s @ t / contrast)
            weights.append(np.sqrt(contrast))
    order = np.argsort(values)
    half = np.cumsum(np.array(weights)[order]) >= np.sum(weights) / 2.0
    expected = np.array(values)[order][half][0]
    assert of_details(source, target, warp) == pytest.approx(expected, abs=5e-3)


def test_what_covers_less_than_half_of_the_details_does_not_change_the_verdict() -> None:
    one, other = level(1), level(2)
    covered = one.image.copy()
    covered[:, : covered.shape[1] * 2 // 5] = other.image[:, : covered.shape[1] * 2 // 5]
    assert of_details(Level(covered, None), one) > 0.9
    covered[:, : covered.shape[1] * 3 // 5] = other.image[:, : covered.shape[1] * 3 // 5]
    assert of_details(Level(covered, None), one) < 0.5


def test_what_lies_under_invalid_pixels_is_no_detail() -> None:
    source, target = level(1, hole(10, 8)), level(1, hole(40, 30))
    dirty = [Level(np.where(each.valid, each.image, 1e3).astype(np.float32), each.valid)
             for each in (source, target)]  # fmt: skip
    assert of_details(*dirty, shift(0.5, 0.5)) == of_details(source, target, shift(0.5, 0.5))


def test_without_overlap_there_are_no_details() -> None:
    assert np.isnan(of_details(level(1), level(2), shift(500.0, 0.0)))


def unexplained_of(
    source: np.ndarray, target: np.ndarray, noise: tuple[float, float], light: Light | None = None
) -> float:
    levels = Level(source.astype(np.float32), None), Level(target.astype(np.float32), None)
    of_both = details(*levels, np.eye(3))
    return unexplained(of_both, levels[1], light or Light.uniform(), noise=noise)


def test_what_only_the_target_shows_is_unexplained_whatever_the_light() -> None:
    numbers = np.random.default_rng(2)
    common, own = numbers.normal(size=(2, 150, 200))
    target = common + 0.5 * own
    bright = Light.uniform(3.0, 5.0)
    assert unexplained_of(3.0 * target + 5.0, target, (0.0, 0.0), bright) < 1e-3
    share = unexplained_of(3.0 * common + 5.0, target, (0.0, 0.0), bright)
    assert share == pytest.approx((0.25 / 1.25) ** 0.5, abs=0.02)
    assert unexplained_of(own, common, (0.0, 0.0)) == pytest.approx(2.0**0.5, abs=0.03)


def test_noise_that_was_measured_is_explained() -> None:
    numbers = np.random.default_rng(3)
    scene, one, other = numbers.normal(size=(3, 300, 400))
    source, target = 2.0 * (scene + 0.1 * one), scene + 0.2 * other
    light = Light.uniform(2.0)
    # Noise of half and of one and a half its true size, seen from both sides of the truth.
    told = [unexplained_of(source, target, (f * 0.2, f * 0.2), light) for f in (0.0, 0.5, 1.0)]
    assert told[0] == pytest.approx((0.05 / 1.04) ** 0.5, abs=0.01)
    assert told[1] == pytest.approx((0.0375 / 1.03) ** 0.5, abs=0.01)
    assert told[2] < 0.06


def test_details_that_do_not_stand_out_of_the_noise_say_nothing() -> None:
    scene = np.random.default_rng(4).normal(size=(150, 200))
    largest = 1.0 / np.hypot(LEAST_SIGNAL, LEAST_SIGNAL)  # of two equal noises, about
    assert unexplained_of(scene, scene, (0.9 * largest, 0.9 * largest)) == 0.0
    assert np.isnan(unexplained_of(scene, scene, (1.1 * largest, 1.1 * largest)))


def test_what_hides_less_than_half_leaves_nothing_unexplained() -> None:
    one, other = np.random.default_rng(5).normal(size=(2, 150, 200))
    source = one.copy()
    source[:, :80] = other[:, :80]
    assert unexplained_of(source, one, (0.0, 0.0)) < LARGEST_UNEXPLAINED
    source[:, :160] = other[:, :160]
    assert unexplained_of(source, one, (0.0, 0.0)) > LARGEST_UNEXPLAINED
