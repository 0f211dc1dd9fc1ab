"""Unlike images: negatives and bent grey values are found, different pictures are not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from align_cli import align
from align_cli.engine.options import Options
from align_cli.engine.orientation import orientation_planes, tensors
from align_cli.engine.pyramid import Level
from tests.photographs import cut, photograph, shifted

SIZE = (300, 220)
Image = NDArray[np.uint8]


def negative(image: Image) -> Image:
    return np.asarray(255 - image, np.uint8)


def bent(image: Image) -> Image:
    """Grey values that go up, down and up again."""
    curve = 127.5 + 120.0 * np.sin(np.arange(256) * (2.5 * np.pi / 255.0))
    return np.asarray(np.rint(curve)[image], np.uint8)


def moved_pair(change: Callable[[Image], Image]) -> tuple[Image, Image, NDArray[np.float64]]:
    """A changed source whose pixel (0, 0) is the target's (7, -5)."""
    picture = photograph("poster")
    target = cut(picture, SIZE, 20, 30)
    source = cut(change(cv2.GaussianBlur(picture, (0, 0), 0.7)), SIZE, 27, 25)
    return source, target, shifted(7.0, -5.0)


def corner_error(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    corners = np.array([[0.0, 0.0, 1.0], [299.0, 0.0, 1.0], [299.0, 219.0, 1.0], [0.0, 219.0, 1.0]])
    there, wanted = corners @ found.T, corners @ truth.T
    distance = there[:, :2] / there[:, 2:] - wanted[:, :2] / wanted[:, 2:]
    return float(np.hypot(*distance.T).max())


@pytest.mark.parametrize("change", [negative, bent])
@pytest.mark.parametrize("model", ["translation", "affine", "homography"])
def test_other_grey_values_of_the_same_scene_are_aligned(change, model):
    source, target, truth = moved_pair(change)
    found = align(source, target, model=model, similarity="gradient")
    assert found.outcome.aligned, found.outcome.sentence
    assert corner_error(found.source_to_target, truth) < 0.2
    assert found.similarity == "gradient"
    assert np.isnan(found.gain)


def test_a_turned_negative_is_aligned_from_a_start_that_says_so():
    source, target, _ = moved_pair(negative)
    turned = np.ascontiguousarray(np.rot90(source, 1))
    back = np.array([[0.0, -1.0, 299.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    truth = shifted(7.0, -5.0) @ back
    found = align(turned, target, similarity="gradient", init=shifted(3.0, -2.0) @ truth)
    assert found.outcome.aligned, found.outcome.sentence
    assert np.abs(found.source_to_target - truth)[:2, 2].max() < 0.3


@pytest.mark.parametrize(("source", "target"), [("poster", "scan"), ("scan", "exposure")])
def test_different_pictures_fail(source, target):
    images = [cut(photograph(name), SIZE, 10, 10) for name in (source, target)]
    assert not align(*images, similarity="gradient").outcome.aligned


def test_auto_keeps_grey_values_where_they_do():
    source, target, _ = moved_pair(lambda image: image)
    auto, intensity = (align(source, target, similarity=name) for name in ("auto", "intensity"))
    assert auto.similarity == "intensity"
    np.testing.assert_array_equal(auto.source_to_target, intensity.source_to_target)


def test_auto_compares_orientations_where_grey_values_fail():
    source, target, truth = moved_pair(negative)
    found = align(source, target, similarity="auto")
    assert found.similarity == "gradient"
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, truth) < 0.2


def test_orientations_are_at_double_angle_and_blind_to_sign_and_contrast():
    x, y = np.meshgrid(np.arange(40, dtype=np.float32), np.arange(30, dtype=np.float32))
    for angle in np.deg2rad([0.0, 20.0, 45.0, 90.0, 150.0]):
        ramp = np.asarray(np.cos(angle) * x + np.sin(angle) * y, np.float32)
        for factor in (1.0, -1.0, 0.01):
            c, s = orientation_planes(tensors(Level(np.float32(factor) * ramp, None), 0.0))
            assert c.image[15, 20] == pytest.approx(np.cos(2 * angle), abs=2e-3)
            assert s.image[15, 20] == pytest.approx(np.sin(2 * angle), abs=2e-3)


def test_orientations_turn_with_the_picture():
    x, _ = np.meshgrid(np.arange(40, dtype=np.float32), np.arange(30, dtype=np.float32))
    angle = np.deg2rad(25.0)
    # Seen through a warp that turns by the angle, the ramp x runs along (cos, -sin).
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    c, s = orientation_planes(tensors(Level(x, None), 0.0), turn)
    assert c.image[15, 20] == pytest.approx(np.cos(2 * angle), abs=2e-3)
    assert s.image[15, 20] == pytest.approx(-np.sin(2 * angle), abs=2e-3)


def test_noise_alone_has_no_orientation():
    noise = np.random.default_rng(0).normal(0.0, 1.0, (80, 90)).astype(np.float32)
    energy = 1.0  # of central differences: twice a half
    c, s = orientation_planes(tensors(Level(noise, None), energy))
    assert np.hypot(c.image, s.image).mean() < 0.25


def test_the_choice_of_a_model_needs_grey_values():
    with pytest.raises(ValueError, match="choose one of translation"):
        Options(model="auto", similarity="gradient")
    with pytest.raises(ValueError, match="intensity, gradient, auto"):
        Options(similarity="colour")
