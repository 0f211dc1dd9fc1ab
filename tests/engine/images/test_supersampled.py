from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from align_cli.engine.images import luma as luma_module
from align_cli.engine.images import supersampled as module
from align_cli.engine.images.luma import Luma, luma
from align_cli.engine.images.pyramid import BINOMIAL, Level, pyramid
from align_cli.engine.images.supersampled import SupersampledLevel
from tests.scenes import MODEL_NAMES, Matrix, motion, pixel_grid, render, textured

WINDOW = (26, 20)


def picture(size: tuple[int, int], seed: int = 4) -> np.ndarray:
    noisy = render(textured(seed, size=size), size, noise=0.05, seed=seed)
    return (255 * noisy).clip(0, 255).round().astype(np.uint8)


def fine(image: np.ndarray, level: int) -> tuple[SupersampledLevel, list[Level], Luma]:
    plane = luma(image)
    levels = pyramid(plane, level + 1)
    below = levels[level - 1] if level else plane
    return SupersampledLevel(levels[level], below), levels, plane


def placed(warp: Matrix) -> Matrix:
    return np.array([[1.0, 0.0, 9.0], [0.0, 1.0, 6.0], [0.0, 0.0, 1.0]]) @ warp


@pytest.mark.parametrize("size", [(92, 80), (93, 81)])
def test_on_its_own_pixels_a_level_above_full_size_is_as_it_is(size: tuple[int, int]) -> None:
    level, levels, _ = fine(picture(size), 1)
    assert level.size == levels[1].size
    assert level.valid is None
    assert_array_equal(level.image, levels[1].image)
    inner = np.s_[2:-2, 2:-2]
    found = level.sample(np.eye(3), level.size)
    assert_allclose(found[inner], levels[1].image[inner], atol=1e-6)


def test_halfway_between_its_pixels_there_is_what_the_level_below_shows_smoothed() -> None:
    level, levels, _ = fine(picture((92, 80)), 1)
    whole = levels[0].image.astype(float)
    for axis in (0, 1):
        whole = ndimage.correlate1d(whole, BINOMIAL, axis=axis, mode="mirror")
    found = level.sample(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]), (46, 40))
    assert_allclose(found[2:-3, 2:-3], whole[5:-6:2, 5:-6:2], atol=1e-6)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_full_size_is_the_spline_smoothed_as_the_level_is(model: str) -> None:
    # So coarse that its smoothing by either way differs by what is promised and not more.
    size = (71, 58)
    scene = textured(4, size=size)
    level, levels, plane = fine(render(scene, size).astype(np.float32), 0)
    warp = placed(motion(model, WINDOW))
    x, y = np.meshgrid(*(np.arange(side, dtype=float) for side in WINDOW))
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    a, b, w = warp @ points
    expected = ndimage.map_coordinates(
        levels[0].image.astype(float), [b / w, a / w], order=5, mode="mirror"
    ).reshape(x.shape)
    linear = levels[0].sample(warp, WINDOW)
    found = level.sample(warp, WINDOW)
    assert np.abs(found - expected).std() < 0.5 * np.abs(linear - expected).std()
    assert plane.size == size


@pytest.mark.parametrize("place", [0.1, 0.25, 0.4, 0.5, 0.75, 0.9])
def test_sampling_has_hardly_a_favourite_place(place: float) -> None:
    x, _ = pixel_grid((90, 30))
    wave = np.sin(0.4 * np.pi * x + 0.3).astype(np.float32)
    level, *_ = fine(wave, 0)
    warp = np.array([[1.0, 0.0, 15.0 + place], [0.0, 1.0, 8.0], [0.0, 0.0, 1.0]])
    out = level.sample(warp, (50, 4))
    argument = 0.4 * np.pi * (np.arange(50) + 15.0 + place) + 0.3
    basis = np.column_stack([np.sin(argument), np.cos(argument)])
    sine, cosine = np.linalg.lstsq(basis, out[1].astype(np.float64), rcond=None)[0]
    assert abs(np.arctan2(cosine, sine)) / (0.4 * np.pi) < 0.006


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("model", ["translation", "rigid", "homography"])
def test_what_is_made_where_it_is_needed_is_what_the_whole_would_be(
    model: str, level: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture((93, 81))
    held, *_ = fine(image, level)
    if large:
        monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    monkeypatch.setattr(module, "MOST_STORED_PIXELS", 0)
    made, *_ = fine(image, level)
    warp = placed(motion(model, WINDOW))
    out = np.empty(WINDOW[::-1], np.float32)
    assert made.sample(warp, WINDOW, out=out) is out
    # cv2 rounds the coordinates of a part of an image otherwise than those of the whole.
    assert_allclose(out, held.sample(warp, WINDOW), atol=2e-5)


@pytest.mark.parametrize("level", [0, 1])
def test_garbage_under_a_mask_is_not_seen_from_valid_pixels(level: int) -> None:
    image = np.float32(picture((92, 80))) / 255
    hidden = image.copy()
    hidden[30:44, 38:52] = np.nan
    one, levels, _ = fine(hidden, level)
    # The same hole, with other things under it: luma holds 0 there.
    other = SupersampledLevel(levels[level], *_below_with_garbage(hidden, level))
    warp = np.array([[1.0, 0.0, 0.4], [0.0, 1.0, 0.3], [0.0, 0.0, 1.0]])
    width, height = levels[level].size
    size = width - 1, height - 1
    valid = levels[level].valid
    assert valid is not None
    all_four = valid[:-1, :-1] & valid[1:, :-1] & valid[:-1, 1:] & valid[1:, 1:]
    assert not all_four.all()
    assert_array_equal(one.sample(warp, size)[all_four], other.sample(warp, size)[all_four])


def _below_with_garbage(image: np.ndarray, level: int) -> tuple[Level | Luma]:
    plane = luma(image)
    assert plane.valid is not None
    garbage = Luma(np.where(plane.valid, plane.plane, np.float32(99.0)), plane.valid, 0.0, 1.0)
    return (pyramid(garbage, level)[level - 1] if level else garbage,)
