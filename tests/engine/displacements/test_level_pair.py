"""The noise of a level decides what its tiles can tell: it must be that of its own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.displacements.level_pair import (
    ORIENTATION_NOISE,
    of_intensity,
    of_orientation,
    power_density,
)
from align_cli.engine.images.noise import (
    noise_energy,
    noise_level,
    noise_of_plane,
    second_difference_sigma,
)
from align_cli.engine.images.pyramid import REACH, pyramid
from align_cli.engine.solver.orientation_levels import View
from tests.engine.displacements.pairs import (
    FINE_SIZE,
    as_luma,
    drawn,
    noisy,
    pair_of,
    shift,
    speckle,
)

LEVELS = (0, 1, 2, 3)


def cell_density(plane: np.ndarray, cell: int = 8) -> float:
    """Variance of means over cells, times their pixels: the power density of what is not smooth."""
    height, width = (side // cell * cell for side in plane.shape)
    cells = plane[:height, :width].reshape(height // cell, cell, width // cell, cell)
    return float(cells.mean(axis=(1, 3)).var() * cell**2)


@pytest.mark.parametrize("sigma", [0.05, 7.0])
@pytest.mark.parametrize("level", LEVELS)
def test_white_noise_has_its_own_power_on_every_level(level: int, sigma: float) -> None:
    levels = pyramid(as_luma(noisy(np.zeros((480, 640)), sigma, 1)), 5)
    expected = sigma**2 * 0.25**level
    assert power_density(levels[level], level, sigma) == pytest.approx(expected, rel=0.1)
    # The level alone tells it too, and where full size tells of less noise, that counts.
    assert power_density(levels[level], level, np.inf) == pytest.approx(expected, rel=0.1)
    half = power_density(levels[level], level, 0.5 * sigma)
    assert half == pytest.approx(0.25 * expected, rel=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_it_is_what_means_over_many_pixels_have_of_it(level: int) -> None:
    levels = pyramid(as_luma(noisy(np.zeros((1024, 1024)), 1.0, 2)), 5)
    plane = np.asarray(levels[level].image)[4:-4, 4:-4]
    assert power_density(levels[level], level, 1.0) == pytest.approx(cell_density(plane), rel=0.2)


def mosaic(step: float) -> np.ndarray:
    """(240, 320): every pixel beside one that is brighter, as raw mosaics are."""
    scene = drawn(speckle(1, spread=8.0), FINE_SIZE)
    y, x = np.mgrid[:240, :320]
    return (scene + step * (2.0 * ((x + y) % 2) - 1.0)).astype(np.float32)


def test_a_mosaic_is_gone_on_level_1() -> None:
    image = as_luma(mosaic(1.0))
    noise = noise_level(image)
    assert noise > 1.0  # full size does not tell it from noise
    levels = pyramid(image, 2)
    assert power_density(levels[1], 1, noise) < 0.01 * (0.5 * noise) ** 2


def test_an_image_without_noise_is_not_known_exactly() -> None:
    plane = drawn(speckle(1, spread=12.0), FINE_SIZE)
    level = pyramid(as_luma(plane), 1)[0]
    low, high = np.quantile(plane, (0.05, 0.95))
    least = 0.001 * (high - low)
    assert power_density(level, 0, 0.0) == pytest.approx(least**2, rel=0.1)
    assert power_density(level, 0, 10.0 * least) <= (10.0 * least) ** 2
    assert power_density(pyramid(as_luma(plane), 3)[2], 2, 0.0) == pytest.approx(
        (0.25 * least) ** 2, rel=0.15
    )


def test_a_few_bright_pixels_do_not_make_its_range() -> None:
    plane = drawn(speckle(1, spread=12.0), FINE_SIZE)
    bright = plane.copy()
    bright[60:66, 60:66] = 1e3
    dark, light = (power_density(pyramid(as_luma(each), 1)[0], 0, 0.0) for each in (plane, bright))
    assert light == pytest.approx(dark, rel=0.05)


@pytest.mark.parametrize("level", LEVELS)
def test_second_differences_of_a_level(level: int) -> None:
    # Noise of 2**level at full size has a density of 1 on the level.
    noise = noisy(np.zeros((1600, 1600)), 2.0**level, 3)
    plane = np.asarray(pyramid(as_luma(noise), level + 1)[level].image)[4:-4, 4:-4]
    second = plane[:, :-2] - 2.0 * plane[:, 1:-1] + plane[:, 2:]
    second = second[:-2] - 2.0 * second[1:-1] + second[2:]
    assert second_difference_sigma(level) == pytest.approx(float(second.std()), rel=0.03)
    assert noise_of_plane(plane) == pytest.approx(float(second.std()), rel=0.05)


def test_noise_of_a_plane_is_blind_to_slopes_and_edges_and_linear() -> None:
    y, x = np.mgrid[:200, :300].astype(np.float32)
    picture = (3.0 * x - 2.0 * y + 0.01 * x * x + 50.0 * (x > 70) + 30.0 * (y > 90)).astype("f4")
    assert noise_of_plane(picture) < 1e-2
    white = noisy(np.zeros((200, 300)), 1.0, 4)
    assert noise_of_plane(white) == pytest.approx(6.0, rel=0.05)
    assert noise_of_plane(3.0 * white) == pytest.approx(3.0 * noise_of_plane(white), rel=1e-5)
    # Of a plane that is not a multiple of three rows the rest is left.
    assert noise_of_plane(white[:199]) == pytest.approx(6.0, rel=0.05)


def test_the_gain_brings_the_sources_noise_to_the_targets_units() -> None:
    scene = drawn(speckle(2, spread=10.0), FINE_SIZE)
    pair = pair_of(3.0 * scene + noisy(0.0 * scene, 0.6, 5), noisy(scene, 0.1, 6))
    found = of_intensity(pair, np.eye(3), 0, 3.0)
    assert found.noise == pytest.approx(0.2**2 + 0.1**2, rel=0.15)
    assert of_intensity(pair, np.eye(3), 0, -3.0).noise == found.noise
    assert of_intensity(pair, np.eye(3), 0, 1.0).noise == pytest.approx(0.6**2 + 0.1**2, rel=0.15)
    assert of_intensity(pair, np.eye(3), 0, 0.0).noise == pytest.approx(0.36e6, rel=0.15)


@pytest.mark.parametrize("level", LEVELS)
def test_noise_adds_to_a_slope_what_it_says(level: int) -> None:
    white = noisy(np.zeros((1024, 1024)), 0.3, 7)
    pair = pair_of(white, white)
    found = of_intensity(pair, np.eye(3), level, 1.0)
    plane = found.target[0][4:-4, 4:-4]
    along_x = 0.5 * (plane[1:-1, 2:] - plane[1:-1, :-2])
    along_y = 0.5 * (plane[2:, 1:-1] - plane[:-2, 1:-1])
    for slope in (along_x, along_y):
        assert found.slope_noise == pytest.approx(float(np.square(slope).mean()), rel=0.1)
    assert found.slope_noise == pytest.approx(0.5 * noise_energy(level, 0.3), rel=0.1)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("times", [4.0, 2.0, 1.0, 0.5])
def test_the_noise_of_a_source_of_another_size(times: float, level: int) -> None:
    source = noisy(np.zeros((round(240 * times), round(320 * times))), 0.3, 8)
    pair = pair_of(source, noisy(np.zeros((240, 320)), 1e-3, 9))
    found = of_intensity(pair, np.diag([times, times, 1.0]), level, 1.0)
    # A pixel of the target at full size has times**2 of the source's, and a level's 4**level.
    assert found.noise == pytest.approx(0.3**2 / times**2 * 0.25**level, rel=0.2)


def test_under_perspective_it_is_that_at_the_targets_centre() -> None:
    pair = pair_of(noisy(np.zeros((240, 320)), 0.3, 8), noisy(np.zeros((240, 320)), 1e-3, 9))
    warp = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-3, 5e-4, 1.0]])
    x, y, step = 159.5, 119.5, 0.5
    around = np.array([[x, y], [x + step, y], [x, y + step]]) @ warp[:2, :2].T
    around /= (np.array([[x, y], [x + step, y], [x, y + step]]) @ warp[2, :2] + 1.0)[:, None]
    area = np.linalg.det((around[1:] - around[0]) / step)
    assert area < 0.6
    found = of_intensity(pair, warp, 0, 1.0)
    assert found.noise == pytest.approx(0.3**2 / area, rel=0.12)


def test_the_source_is_taken_from_the_level_that_is_like_the_targets() -> None:
    source, target = drawn(speckle(3), (640, 480)), drawn(speckle(3), FINE_SIZE)
    pair = pair_of(source, target)
    found = of_intensity(pair, np.diag([2.0, 2.0, 1.0]), 1, 1.0)
    assert found.level == 1
    assert found.source[0].shape == (120, 160)  # level 2 of 640x480
    assert found.target[0].shape == (120, 160)
    assert np.allclose(found.warp, np.eye(3))


def test_inside_is_what_both_know_a_filters_reach_from_their_rims() -> None:
    scene = drawn(speckle(4), FINE_SIZE)
    valid = np.ones(scene.shape, np.bool_)
    valid[100:140, 50:90] = False
    pair = pair_of(scene, scene, source_valid=valid)
    found = of_intensity(pair, shift(20.0, -10.0), 0, 1.0)
    y, x = np.nonzero(found.inside)
    assert x.max() + 20 <= 319 - REACH
    assert x.max() + 20 >= 319 - REACH - 1
    assert y.min() - 10 >= REACH
    assert y.min() - 10 <= REACH + 1
    assert not found.inside[110:150, 30:70].any()
    assert found.inside[160:200, 30:70].all()


def test_orientations_are_two_planes_that_lie_on_the_target() -> None:
    scene = drawn(speckle(5, spread=3.0), FINE_SIZE, shift(6.0, -4.0))
    target = drawn(speckle(5, spread=3.0), FINE_SIZE)
    source, still = (
        View(pair.source, pair.levels)
        for pair in (pair_of(1.0 - scene, target), pair_of(target, target))
    )
    found = of_orientation(source, still, shift(-6.0, 4.0), 1)
    assert len(found.source) == len(found.target) == 2
    assert_array_equal(found.warp, np.eye(3))
    assert found.level == 1
    assert found.noise == ORIENTATION_NOISE
    assert found.slope_noise == 0.0
    assert found.inside.shape == (120, 160)
    for side in (found.inside, found.inside.T):
        assert not side[:REACH].any()
        assert not side[-REACH:].any()
    assert found.inside[40:80, 40:120].all()
    # The negative of the source runs along the same edges.
    for moved, own in zip(found.source, found.target, strict=True):
        known = found.inside
        assert np.corrcoef(moved[known], own[known])[0, 1] > 0.9
