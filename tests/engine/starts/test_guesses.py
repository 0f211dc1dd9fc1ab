"""What the starts propose, held against truths that need no resampling."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import corner_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import level_count, pyramid
from align_cli.engine.starts import STARTS, Views
from tests.photographs import NAMES, cut, photograph, quarter_turns, shifted

SIZE = (300, 240)


def views(source: np.ndarray, target: np.ndarray, model: str) -> Views:
    planes = luma(source), luma(target)
    count = min(level_count(plane.size) for plane in planes)
    return Views(*(pyramid(plane, count) for plane in planes), MODELS[model])


def nearest_px(start: str, both: Views, truth: np.ndarray) -> float:
    """How far the best guess puts the target's corners from where they belong."""
    size = both.target[0].size
    errors = [corner_error(guess, inverse(truth), size) for guess in STARTS[start](both)]
    return min(errors, default=np.inf)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", ["translation", "features"])
def test_windows_that_share_a_third(name: str, start: str) -> None:
    image = photograph(name)
    both = views(cut(image, (240, 220), 0, 0), cut(image, (240, 220), 140, 60), "translation")
    limit_px = 6.0 if start == "translation" else 1.0
    assert nearest_px(start, both, shifted(-140, -60)) < limit_px


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_small_part_is_found_turned_and_scaled(name: str, swapped: bool) -> None:
    image = photograph(name)
    small = (90, 80)
    for model, angle, scale in (
        ("translation", 0.0, 1.0),
        ("rigid", 10.0, 1.0),
        ("similarity", -9.0, 1.25),
    ):
        # The part's pixel (x, y) shows what the photograph has at ``truth`` (x, y).
        turn = cv2.getRotationMatrix2D((44.5, 39.5), angle, scale)
        truth = shifted(140, 120) @ np.vstack([turn, [0.0, 0.0, 1.0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpPerspective(image, truth, small, flags=flags)
        both = views(image, part, model) if swapped else views(part, image, model)
        errors = [
            corner_error(inverse(guess) if not swapped else guess, truth, small)
            for guess in STARTS["template"](both)
        ]
        assert min(errors, default=np.inf) < 12.0


@pytest.mark.parametrize("azimuth", [0.0, 50.0, 115.0])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_plane_seen_from_aside(azimuth: float, swapped: bool) -> None:
    image = photograph("poster")
    about, turn = shifted(239.5, 179.5), np.eye(3)
    turn[:2] = cv2.getRotationMatrix2D((0.0, 0.0), azimuth, 1.0)
    # Shortened to a third along one direction, about the centre.
    truth = about @ turn.T @ np.diag([3.0, 1.0, 1.0]) @ turn @ inverse(about)
    flags = cv2.INTER_AREA | cv2.WARP_INVERSE_MAP
    aside = cv2.warpPerspective(image, truth, image.shape[::-1], flags=flags)
    both = views(image, aside, "affine") if swapped else views(aside, image, "affine")
    guesses = list(STARTS["tilted"](both))
    # In pixels of the image that is shortened: those of the other tell a third of that.
    to_aside = [inverse(guess) if swapped else guess for guess in guesses]
    errors = [corner_error(guess, inverse(truth), image.shape[::-1]) for guess in to_aside]
    assert min(errors, default=np.inf) < 3.0
    assert nearest_px("tilted", views(aside, image, "similarity"), truth) == np.inf


def test_faint_texture_beside_strong_edges_has_features() -> None:
    image = photograph("poster")
    faint = cv2.addWeighted(image, 0.06, np.full_like(image, 120), 1.0, 0.0)
    for x in (100, 300):
        cv2.rectangle(faint, (x, 60), (x + 40, 300), 255, -1)
        cv2.rectangle(faint, (x + 50, 60), (x + 70, 300), 0, -1)
    turn = np.vstack([cv2.getRotationMatrix2D((239.5, 179.5), 25.0, 1.0), [0.0, 0.0, 1.0]])
    source = cv2.warpPerspective(faint, turn, faint.shape[::-1], borderValue=120)
    assert nearest_px("features", views(source, faint, "affine"), inverse(turn)) < 1.0


@pytest.mark.parametrize("swapped", [False, True])
def test_the_smaller_of_two_images_of_one_scene_is_looked_at_whole(swapped: bool) -> None:
    large = cv2.resize(photograph("poster"), (960, 720), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(large, (96, 72), interpolation=cv2.INTER_AREA)
    truth = np.diag([10.0, 10.0, 1.0])
    truth[:2, 2] = 4.5
    both = (large, small) if swapped else (small, large)
    guesses = list(STARTS["features"](views(*both, "similarity")))
    # Both ways in pixels of the small one.
    to_small = [inverse(guess) if swapped else guess for guess in guesses]
    errors = [corner_error(guess, inverse(truth), (960, 720)) for guess in to_small]
    assert min(errors, default=np.inf) < 1.0


def test_a_picture_that_is_not_small_is_no_template() -> None:
    image = photograph("poster")
    both = views(cut(image, (300, 300), 20, 10), image, "rigid")
    assert list(STARTS["template"](both)) == []


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", ["fourier", "features"])
def test_quarter_turns(start: str, name: str, turns: int) -> None:
    source, truth = quarter_turns(photograph(name), turns)
    both = views(cut(source, source.shape[::-1], 0, 0), photograph(name), "rigid")
    assert nearest_px(start, both, truth) < 10.0


@pytest.mark.parametrize("scale", [0.6, 1.7])
@pytest.mark.parametrize("start", ["fourier", "features"])
def test_a_scale(start: str, scale: float) -> None:
    target = photograph("poster")
    matrix = cv2.getRotationMatrix2D((239.5, 179.5), 37.0, scale)
    source = cv2.warpAffine(target, matrix, target.shape[::-1], flags=cv2.INTER_AREA)
    truth = inverse(np.vstack([matrix, [0.0, 0.0, 1.0]]))
    assert nearest_px(start, views(source, target, "similarity"), truth) < 10.0


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("model", MODELS)
def test_guesses_are_members_of_the_model(start: str, model: str) -> None:
    source, _ = quarter_turns(photograph("poster"), 2)
    for guess in STARTS[start](views(source, photograph("poster"), model)):
        assert guess.shape == (3, 3)
        assert guess[2, 2] == 1.0
        linear = guess[:2, :2]
        if model == "translation":
            np.testing.assert_allclose(linear, np.eye(2), atol=1e-12)
        if model == "rigid":
            np.testing.assert_allclose(linear @ linear.T, np.eye(2), atol=1e-9)
        if model != "homography":
            assert guess[2].tolist() == [0.0, 0.0, 1.0]


def test_features_that_are_transparent_do_not_count() -> None:
    image = photograph("poster")
    target = np.dstack([cut(image, SIZE, 60, 40), np.full(SIZE[::-1], 255, np.uint8)])
    source = np.dstack([cut(image, SIZE, 100, 70), np.full(SIZE[::-1], 255, np.uint8)])
    # Most of both shows the same in the same place, and none of that is opaque.
    for both in (source, target):
        both[:, :180] = [0, 0]
        both[:, :180, 0] = cut(photograph("scan"), (180, 240), 90, 90)
    assert nearest_px("features", views(source, target, "translation"), shifted(40, 30)) < 1.0


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("size", [(8, 8), (9, 300), (31, 17)])
def test_tiny_images_raise_nothing(start: str, size: tuple[int, int]) -> None:
    image = cut(photograph("scan"), size, 100, 100)
    for model in MODELS:
        for guess in STARTS[start](views(image, image[:, ::-1], model)):
            assert np.isfinite(guess).all()


def test_a_large_source_of_a_tiny_target_is_not_looked_at_whole() -> None:
    source, target = np.zeros((1500, 2000), np.uint8), np.zeros((16, 16), np.uint8)
    source[::7, ::5], target[::3, ::5] = 255, 255
    both = views(source, target, "rigid")
    assert both.reduced(1 << 17) is None
    assert both.reduced(1 << 19) == 0
    assert list(STARTS["translation"](both)) == []
    assert list(STARTS["fourier"](both)) == []


@pytest.mark.parametrize("start", STARTS)
def test_the_same_images_give_the_same_guesses(start: str) -> None:
    source, _ = quarter_turns(photograph("exposure"), 1)
    both = views(source, photograph("exposure"), "homography")
    first, second = (list(STARTS[start](both)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("start", ["fourier", "tilted"])
def test_a_strip_is_not_turned_on_a_canvas_as_high_as_it_is_wide(start: str) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (16, 12000), dtype=np.uint8)
    both = views(picture, np.ascontiguousarray(picture[:, ::-1]), "homography")
    began = tracemalloc.start() or 0
    assert list(STARTS[start](both)) == []
    most = tracemalloc.get_traced_memory()[1] - began
    tracemalloc.stop()
    assert most < 1 << 26
