from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.aligner import align
from align_cli.engine.images.luma import Luma, luma
from align_cli.engine.images.noise import noise_energy, noise_gain, noise_level
from align_cli.engine.images.pyramid import LazyFullSize, pyramid
from align_cli.engine.options import PRESET_NAMES
from align_cli.engine.target.gradient_shrinkage import (
    NEGLIGIBLE_NOISE,
    SUBTRACTED_SHARE,
    shrink_gradient,
)
from align_cli.engine.target.planes import TargetPlanes, target_planes
from tests.scenes import render, textured

SIZE = (160, 120)


def planes_of(image: np.ndarray) -> TargetPlanes:
    planes = target_planes(pyramid(luma(image), 1)[0])
    assert planes is not None
    return planes


def as_luma(image: np.ndarray, valid: np.ndarray | None) -> Luma:
    return Luma(np.asarray(image, np.float32), valid, 0.0, 1.0)


def white(sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, sigma, SIZE[::-1]).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 3.0])
def test_the_level_is_that_of_white_noise(sigma: float) -> None:
    assert noise_level(as_luma(white(sigma), None)) == pytest.approx(sigma, rel=0.03)


def test_a_ramp_a_parabola_and_an_edge_have_no_noise() -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    picture = (3.0 * x + y + 0.01 * x * x + 50.0 * (x > 70)).astype(np.float32)
    assert noise_level(as_luma(picture, None)) < 1e-3
    assert noise_level(as_luma(picture + white(0.5), None)) == pytest.approx(0.5, rel=0.05)


def test_what_lies_under_invalid_pixels_changes_no_bit() -> None:
    image, valid = white(0.1), np.ones(SIZE[::-1], np.bool_)
    valid[20:90, 30:100] = False
    found = noise_level(as_luma(np.where(valid, image, 0.0).astype(np.float32), valid))
    assert found == noise_level(as_luma(np.where(valid, image, 1e6).astype(np.float32), valid))
    assert found == pytest.approx(0.1, rel=0.05)


def test_without_noise_every_gradient_is_believed() -> None:
    planes = planes_of(render(textured(1), SIZE))
    same = shrink_gradient(planes, 0.0)
    assert_allclose(same.whole.gradient_x, planes.whole.gradient_x, rtol=1e-6)
    assert_allclose(same.whole.gradient_y, planes.whole.gradient_y, rtol=1e-6)


@pytest.mark.parametrize("share", [0.3, 1.0, 2.0])
def test_steps_keep_their_length_where_all_of_it_was_texture(share: float) -> None:
    planes = planes_of((255 * (0.5 + 0.05 * white(1.0))).round().clip(0, 255).astype(np.uint8))
    doubted = shrink_gradient(planes, 0.05 * share)
    whole = sum(
        np.vdot(before, after)
        for before, after in (
            (planes.whole.gradient_x, doubted.whole.gradient_x),
            (planes.whole.gradient_y, doubted.whole.gradient_y),
        )
    )
    own = np.square(doubted.whole.gradient_x).sum() + np.square(doubted.whole.gradient_y).sum()
    # Up to what a neighbourhood's energy differs from a pixel's own.
    assert whole == pytest.approx(own, rel=0.05)


def speckle(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Source and target cut from one picture that is white noise, (-2, -1) px apart."""
    picture = np.random.default_rng(3).normal(128.0, 40.0, (size[1] + 4, size[0] + 4))
    picture = picture.round().clip(0, 255).astype(np.uint8)
    return picture[1:-3, :-4], picture[2:-2, 2:-2]


@pytest.mark.parametrize("preset", PRESET_NAMES)
@pytest.mark.parametrize("size", [(160, 120), (60, 50)])
def test_speckle_is_texture(size: tuple[int, int], preset: str) -> None:
    found = align(*speckle(size), model="affine", preset=preset)
    assert_allclose(found.source_to_target[:2, 2], [-2.0, -1.0], atol=0.01)


@pytest.mark.xfail(
    strict=True, reason="a tile of white speckle is taken for noise by each image alone"
)
def test_speckle_that_both_images_show_is_aligned() -> None:
    assert align(*speckle((160, 120)), model="affine").outcome.aligned


def test_an_edge_in_noise_is_believed_and_the_flat_parts_beside_it_are_not() -> None:
    image = np.zeros(SIZE[::-1], np.float32)
    image[:, 80:] = 0.5
    planes = planes_of(np.clip(0.25 + image + white(0.05), 0, 1).astype(np.float32))
    raw_noise = noise_level(
        as_luma(np.clip(0.25 + image + white(0.05), 0, 1).astype(np.float32), None)
    )
    unit = float(np.std(np.clip(0.25 + image + white(0.05), 0, 1)))  # floats lose their spread
    doubted = shrink_gradient(planes, raw_noise / unit)
    edge = np.s_[:, 80 - planes.origin[0] - 1 : 80 - planes.origin[0] + 1]
    flat = np.s_[:, 10:50]
    assert (
        np.abs(doubted.whole.gradient_x[edge]).sum()
        > 0.9 * np.abs(planes.whole.gradient_x[edge]).sum()
    )
    assert (
        np.abs(doubted.whole.gradient_x[flat]).sum()
        < 0.5 * np.abs(planes.whole.gradient_x[flat]).sum()
    )
    assert (
        np.abs(doubted.whole.gradient_y[flat]).sum()
        < 0.5 * np.abs(planes.whole.gradient_y[flat]).sum()
    )


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_what_is_left_of_white_noise_on_a_level(level: int) -> None:
    noise = np.random.default_rng(level).normal(size=(1024, 1024)).astype(np.float32)
    plane = luma(noise, "target")
    seen = pyramid(plane, level + 1)[level].image[4:-4, 4:-4]
    assert noise_gain(level) == pytest.approx(float(seen.std() / plane.plane.std()), rel=0.03)


def test_planes_made_on_demand_are_believed_alike() -> None:
    size = 90, 400
    image = luma(render(textured(3, size=size), size, noise=0.05, dtype="uint8"))
    noise = noise_level(image)
    held, made = target_planes(pyramid(image, 1)[0]), target_planes(LazyFullSize(image))
    assert held is not None
    assert made is not None
    whole, part = shrink_gradient(held, noise), shrink_gradient(made, noise).part(slice(101, 161))
    expected = whole.whole.gradient_x[101:161]
    assert np.abs(expected - held.whole.gradient_x[101:161]).max() > 0.1 * np.abs(expected).max()
    # Some rows tell the scale of all, and cells begin with the run.
    difference = part.gradient_x - expected
    assert np.square(difference).mean() < 0.02 * np.square(expected).mean()


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_next_to_no_noise_is_not_worth_taking_off(share: float) -> None:
    planes = planes_of(render(textured(1), SIZE))
    noise = np.sqrt(
        share * NEGLIGIBLE_NOISE * planes.energy / (SUBTRACTED_SHARE * noise_energy(0, 1.0))
    )
    assert (shrink_gradient(planes, noise) is planes) == (share < 1.0)
