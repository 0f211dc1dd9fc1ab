"""Mounts, bars, rims and round fields of view are found; scenes that only are dark are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli.engine.images.constant_areas import constant_areas
from tests.photographs import photograph

SHAPE = 240, 320


def scene(seed: int = 0, level: float = 110.0, contrast: float = 20.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0) + 2.0 * cv2.GaussianBlur(noise, (0, 0), 8.0)
    return level + contrast * smooth / smooth.std()


def taken(image: np.ndarray, noise: float, seed: int = 1) -> np.ndarray:
    """(height, width) float32: grey levels as a sensor with this noise has them."""
    seen = image + np.random.default_rng(seed).normal(0.0, noise, image.shape)
    return seen.round().clip(0, 255).astype(np.float32)


def mask(kind: str) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    if kind == "round":
        return np.hypot(x - 159.5, y - 119.5) > 112.0
    if kind == "large round":  # the corners only
        return np.hypot(x - 159.5, y - 119.5) > 165.0
    if kind == "bars":
        return (y < 40) | (y >= 200)
    if kind == "corner":
        return (x < 25) | (y < 30)
    return (x < 24) | (y < 24) | (x >= 296) | (y >= 216)


def agreement(found: np.ndarray, expected: np.ndarray) -> float:
    return float((found & expected).sum() / (found | expected).sum())


@pytest.mark.parametrize("kind", ["round", "large round", "bars", "corner", "mount"])
@pytest.mark.parametrize("value", [0.0, 16.0, 245.0, 255.0])
@pytest.mark.parametrize("noise", [0.0, 0.4, 2.0, 4.0])
def test_an_area_is_found_whole(kind: str, value: float, noise: float) -> None:
    expected = mask(kind)
    found = constant_areas(taken(np.where(expected, value, scene()), noise))
    assert agreement(found, expected) > 0.9  # less a pixel along its outline
    assert not (found & ~cv2.dilate(expected.view(np.uint8), np.ones((3, 3))).astype(bool)).any()


@pytest.mark.parametrize("name", ["poster", "exposure"])
def test_photographs_have_none(name: str) -> None:
    assert not constant_areas(photograph(name).astype(np.float32)).any()


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_noise_scenes_slopes_and_vignettes_have_none(noise: float) -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dark_below = np.where(y > 180, 20.0 + 0.1 * x, scene())
    vignette = 200.0 - 0.004 * ((x - 160.0) ** 2 + (y - 120.0) ** 2)
    for image in (scene(), dark_below, vignette, np.full(SHAPE, 100.0)):
        assert not constant_areas(taken(image, max(noise, 1.0))).any()


def test_an_area_within_the_scene_or_at_a_middling_level_is_scene() -> None:
    inner = scene()
    inner[60:180, 80:240] = 255.0
    assert not constant_areas(taken(inner, 1.0)).any()
    middling = np.where(mask("mount"), 110.0, scene(contrast=40.0))
    assert not constant_areas(taken(middling, 1.0)).any()


def test_two_areas_at_either_end_are_both_found() -> None:
    image = np.where(mask("bars"), 0.0, scene())
    image[60:180, :30] = 255.0
    found = constant_areas(taken(image, 1.0))
    assert found[20, 160]
    assert found[220, 160]
    assert found[120, 10]
    assert not found[45:195, 40:].any()


def test_nodata_far_from_the_picture_leaves_the_picture() -> None:
    image = np.where(mask("corner"), 65535.0, 3000.0 + 6.0 * scene()).astype(np.float32)
    found = constant_areas(image)
    assert agreement(found, mask("corner")) > 0.9
    assert not found[40:, 40:].any()


def test_a_faint_scene_under_a_bright_logo_is_no_area() -> None:
    faint = scene(contrast=6.0)
    faint[100:140, 120:200] = 255.0
    assert not constant_areas(taken(faint, 1.0)).any()
    # Noise of that strength is one.
    noise = np.random.default_rng(2).normal(0.0, 6.0, SHAPE)
    flat = np.where(mask("mount"), 110.0 + noise, scene(level=180.0))
    assert agreement(constant_areas(taken(flat, 1.0)), mask("mount")) > 0.8


def test_invalid_pixels_do_not_count() -> None:
    image, valid = taken(scene(), 2.0), ~mask("mount")
    image[~valid] = 0.0
    assert not constant_areas(image, valid).any()
    assert constant_areas(image).any()
    image[:, 24:60] = 0.0
    found = constant_areas(image, valid)
    assert not (found & ~valid).any()


def test_what_does_not_reach_the_border_does_not_count() -> None:
    image = taken(np.where(mask("mount"), 245.0, scene()), 2.0)
    image[100:140, 100:180] = 245.0
    found = constant_areas(image)
    assert found[:20].all()
    assert not found[60:180, 60:260].any()


def test_the_unit_does_not_matter() -> None:
    image = taken(np.where(mask("round"), 0.0, scene()), 2.0)
    scaled = constant_areas(image / np.float32(255.0))
    assert agreement(scaled, constant_areas(image)) > 0.999
