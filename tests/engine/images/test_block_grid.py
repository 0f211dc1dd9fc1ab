"""The grid of JPEG is found at its phase, and its steps are taken away."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.images.block_grid import LEAST_STRENGTH, BlockGrid, block_grid
from align_cli.engine.images.block_grid import without_block_edges as smoothed
from tests.photographs import NAMES, photograph


def scene(seed: int, shape: tuple[int, int] = (240, 320), contrast: float = 12.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0) + 2.0 * cv2.GaussianBlur(noise, (0, 0), 8.0)
    return (120.0 + contrast * smooth / smooth.std()).round().clip(0, 255).astype(np.uint8)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(code, cv2.IMREAD_GRAYSCALE).astype(np.float32)


@pytest.mark.parametrize("phase", [(0, 0), (3, 6), (7, 1)])
@pytest.mark.parametrize("quality", [20, 50])
def test_the_grid_is_found_at_its_phase(phase: tuple[int, int], quality: int) -> None:
    left, top = (-first % 8 for first in phase)
    grid = block_grid(compressed(scene(1), quality)[top:, left:])
    assert grid is not None
    assert grid.phase == phase
    assert grid.strength > LEAST_STRENGTH


def test_stronger_compression_has_a_stronger_grid() -> None:
    strengths = [block_grid(compressed(scene(2), quality)) for quality in (60, 40, 20)]
    values = [grid.strength for grid in strengths if grid is not None]
    assert len(values) == 3
    assert values == sorted(values)


@pytest.mark.parametrize("seed", range(5))
def test_scenes_and_noise_have_none(seed: int) -> None:
    assert block_grid(scene(seed).astype(np.float32)) is None
    noise = np.random.default_rng(seed).normal(size=(64, 64))
    assert block_grid(noise.astype(np.float32)) is None


@pytest.mark.parametrize("name", NAMES)
def test_photographs_have_none(name: str) -> None:
    assert block_grid(photograph(name).astype(np.float32)) is None


def test_stripes_along_one_axis_and_a_single_edge_are_no_grid() -> None:
    image = scene(3).astype(np.float32)
    image[:, 25:] += 100.0
    image[33:] += 100.0
    assert block_grid(image) is None
    stripes = scene(3).astype(np.float32)
    for left in range(0, 320, 16):
        stripes[:, left : left + 8] += 20.0
    assert block_grid(stripes) is None


def test_small_and_flat_images_have_none() -> None:
    assert block_grid(compressed(scene(4, (60, 320)), 20)) is None
    assert block_grid(np.zeros((100, 100), np.float32)) is None


def test_no_grid_is_left() -> None:
    image = compressed(scene(5), 30)
    grid = block_grid(image)
    assert grid is not None
    assert block_grid(smoothed(image, grid)) is None


def test_the_image_comes_nearer_to_what_it_was() -> None:
    original = scene(6)
    image = compressed(original, 15)
    grid = block_grid(image)
    assert grid is not None
    before, after = image - original, smoothed(image, grid) - original
    assert after.std() < 0.97 * before.std()


@pytest.mark.parametrize("phase", [(0, 0), (2, 5), (4, 4)])
def test_a_ramp_stays_and_a_step_of_each_block_goes(phase: tuple[int, int]) -> None:
    y, x = np.mgrid[:64, :80].astype(np.float32)
    ramp = 3.0 * x - 2.0 * y
    grid = BlockGrid(phase, 2.0)
    assert_allclose(smoothed(ramp.copy(), grid), ramp, atol=1e-4)
    stairs = ramp + 8.0 * ((x - phase[0]) // 8) - 4.0 * ((y - phase[1]) // 8)
    inner = np.s_[16:-16, 16:-16]
    slopes = [np.diff(smoothed(stairs, grid)[inner], axis=axis) for axis in (0, 1)]
    assert_allclose(slopes[0], -2.5, atol=1e-4)
    assert_allclose(slopes[1], 4.0, atol=1e-4)


def test_the_image_given_is_not_changed() -> None:
    image = compressed(scene(7), 20)
    copy = image.copy()
    smoothed(image, BlockGrid((0, 0), 2.0))
    np.testing.assert_array_equal(image, copy)
