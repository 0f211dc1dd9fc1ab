"""A tile tells its displacement to hundredths of a pixel, and its covariance how much it varies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements.field import (
    LEAST_CORRELATION,
    MOST_VARIANCE,
    REACH_PX,
    DisplacementField,
    _covariance,
    displacement_field,
)
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles, textured_tiles
from tests.engine.displacements.pairs import drawn, level_pair, noisy, shift, speckle
from tests.scenes import about, mapped, motion

SIZE = (256, 192)
SCENE = speckle(1, spread=3.0)


def measured(pair: LevelPair, most: int = 100) -> tuple[Tiles, DisplacementField]:
    tiles = textured_tiles(pair, most=most)
    assert len(tiles) > 10
    return tiles, displacement_field(pair, tiles)


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.37, -0.21), (-0.8, 0.65), (1.2, -1.1)])
def test_a_shift_is_measured_to_hundredths_of_a_pixel(by: tuple[float, float]) -> None:
    # The source shows what the target has at x where x + by is.
    source, target = drawn(SCENE, SIZE, shift(-by[0], -by[1])), drawn(SCENE, SIZE)
    _, field = measured(level_pair(source, target))
    assert field.matched.all()
    assert_allclose(np.median(field.displacement, axis=0), by, atol=0.005)
    assert np.quantile(np.abs(field.displacement - by), 0.9) < 0.02
    assert (field.correlation > 0.99).all()


@pytest.mark.parametrize("by", [(0.37, -0.21), (-0.8, 0.65)])
def test_two_planes_that_each_see_one_axis_measure_it_too(by: tuple[float, float]) -> None:
    def planes(to_scene: np.ndarray) -> list[np.ndarray]:
        return [
            drawn(lambda x, y: np.sin(0.35 * x) + 0.5 * np.sin(0.21 * x), SIZE, to_scene),
            drawn(lambda x, y: np.sin(0.35 * y) + 0.5 * np.sin(0.24 * y), SIZE, to_scene),
        ]

    _, field = measured(level_pair(planes(shift(-by[0], -by[1])), planes(np.eye(3))))
    assert field.matched.all()
    assert np.quantile(np.abs(field.displacement - by), 0.9) < 0.02


def test_positions_are_the_centres_of_the_tiles_in_full_size_pixels() -> None:
    image = drawn(SCENE, SIZE)
    for level in (0, 2):
        tiles, field = measured(level_pair(image, image, level=level))
        assert_allclose(field.position, 2.0**level * (tiles.corner + (tiles.side - 1.0) / 2.0))
        assert field.side == 2.0**level * tiles.side
        assert field.level == level
        assert len(field) == len(tiles)


@pytest.mark.parametrize("level", [1, 3])
def test_lengths_are_pixels_of_full_size(level: int) -> None:
    by = 0.37, -0.21
    source, target = drawn(SCENE, SIZE, shift(-by[0], -by[1])), drawn(SCENE, SIZE)
    _, fine = measured(level_pair(source, target))
    _, coarse = measured(level_pair(source, target, level=level))
    times = 2.0**level
    assert_allclose(coarse.displacement, times * fine.displacement, atol=1e-12)
    assert_allclose(coarse.covariance, times**2 * fine.covariance)


@pytest.mark.parametrize("seed", range(3))
def test_under_a_warp_with_rotation_and_perspective(seed: int) -> None:
    by = 0.4, -0.3
    turn = np.deg2rad(40.0)
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]]
    )
    warp = about(SIZE, rotation) @ motion("homography", SIZE, 25.0, seed)
    # source(warp x) shows the scene at x - by: the target's x is found at x + by.
    source = drawn(SCENE, SIZE, shift(-by[0], -by[1]) @ np.linalg.inv(warp))
    x, y = mapped(warp, *np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])))
    inside = (x > 3) & (y > 3) & (x < SIZE[0] - 4) & (y < SIZE[1] - 4)
    _, field = measured(level_pair(source, drawn(SCENE, SIZE), warp=warp, inside=inside))
    assert field.matched.mean() > 0.95
    assert_allclose(np.median(field.displacement, axis=0), by, atol=0.01)
    assert np.quantile(np.abs(field.displacement - by), 0.9) < 0.05


@pytest.mark.parametrize(("gain", "bias"), [(0.3, 0.0), (4.0, -7.0), (1.0, 100.0)])
def test_gain_and_bias_change_nothing(gain: float, bias: float) -> None:
    by = 0.37, -0.21
    source, target = drawn(SCENE, SIZE, shift(-by[0], -by[1])), drawn(SCENE, SIZE)
    source, target = noisy(source, 0.02, 1), noisy(target, 0.02, 2)
    tiles, plain = measured(level_pair(source, target))
    field = displacement_field(level_pair(gain * source + bias, target), tiles)
    assert_allclose(field.displacement, plain.displacement, atol=1e-3)
    assert_allclose(field.covariance, plain.covariance, rtol=0.02)
    assert_allclose(field.correlation, plain.correlation, atol=1e-4)


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_the_covariance_is_what_noise_scatters(sigma: float, gain: float) -> None:
    clean, moved = drawn(SCENE, SIZE), drawn(SCENE, SIZE, shift(-0.3, 0.4))
    tiles = textured_tiles(level_pair(moved, clean), most=60)
    # One noise for both: as much as each of them has in the target's units.
    pairs = [
        level_pair(
            noisy(gain * moved, gain * sigma, 2 * seed),
            noisy(clean, sigma, 2 * seed + 1),
            noise=2.0 * sigma**2,
        )
        for seed in range(40)
    ]
    fields = [displacement_field(pair, tiles) for pair in pairs]
    found = np.stack([field.displacement for field in fields])
    told = np.stack([field.covariance for field in fields]).mean(axis=0)
    centred = found - found.mean(axis=0)
    scattered = np.einsum("rni,rnj->nij", centred, centred) / (len(fields) - 1)
    for axis in (0, 1):
        ratio = scattered[:, axis, axis] / told[:, axis, axis]
        assert 0.5 < np.median(ratio) < 2.0
    # Along and across: its axes too. A tile that is told thrice as exact as another is so.
    cross = scattered[:, 0, 1] / np.sqrt(scattered[:, 0, 0] * scattered[:, 1, 1])
    expected = told[:, 0, 1] / np.sqrt(told[:, 0, 0] * told[:, 1, 1])
    assert np.corrcoef(cross, expected)[0, 1] > 0.4


def test_what_does_not_fit_makes_it_uncertain_and_the_noise_is_the_least() -> None:
    clean, moved = drawn(SCENE, SIZE), drawn(SCENE, SIZE, shift(-0.3, 0.4))
    other = 0.5 * drawn(speckle(9, spread=3.0), SIZE)
    tiles, field = measured(level_pair(moved, clean, noise=1e-4))
    worse = displacement_field(level_pair(moved + other, clean, noise=1e-4), tiles)

    def variance(each):
        return np.median(np.trace(each.covariance, axis1=1, axis2=2))

    assert variance(worse) > 100.0 * variance(field)
    sure = displacement_field(level_pair(moved, clean, noise=1.0), tiles)
    twice = displacement_field(level_pair(moved, clean, noise=2.0), tiles)
    assert variance(twice) == pytest.approx(2.0 * variance(sure), rel=1e-6)


def test_errors_that_are_alike_at_neighbours_count_for_more() -> None:
    clean = drawn(SCENE, SIZE)
    numbers = np.random.default_rng(3)
    fine = numbers.normal(0.0, 0.2, clean.shape)
    coarse = np.kron(numbers.normal(0.0, 0.2, (48, 64)), np.ones((4, 4)))
    tiles = textured_tiles(level_pair(clean, clean), most=60)
    white, blocks = (
        np.trace(
            displacement_field(
                level_pair((clean + each).astype(np.float32), clean, noise=1e-9), tiles
            ).covariance,
            axis1=1,
            axis2=2,
        )
        for each in (fine, coarse)
    )
    assert 5.0 < np.median(blocks) / np.median(white) < 30.0


def test_an_edge_tells_nothing_along_itself() -> None:
    y, x = np.mgrid[:192, :256].astype(np.float32)
    across = np.array([0.8, 0.6])

    def edge(by: float) -> np.ndarray:
        return noisy(np.tanh((across[0] * (x - 128) + across[1] * (y - 96) - by) / 2.0), 0.01, 3)

    tiles = Tiles(np.array([[120, 88], [96, 120]]), 16, 1.0)
    field = displacement_field(level_pair(edge(0.5), edge(0.0), noise=2e-4), tiles)
    along = np.array([-across[1], across[0]])
    for displacement, covariance in zip(field.displacement, field.covariance, strict=True):
        assert displacement @ across == pytest.approx(0.5, abs=0.03)
        assert across @ covariance @ across < 1e-3
        assert along @ covariance @ along > 0.1
        assert along @ covariance @ along > 200.0 * (across @ covariance @ across)


def test_a_tile_without_any_texture_is_blind_and_finite() -> None:
    flat = np.zeros((192, 256), np.float32)
    field = displacement_field(level_pair(flat, flat), Tiles(np.array([[40, 40]]), 16, 0.0))
    assert not field.matched.any()
    assert np.isfinite(field.displacement).all()
    assert_allclose(field.covariance[0], MOST_VARIANCE * np.eye(2), rtol=1e-6)


def test_other_content_is_no_match() -> None:
    image, other = drawn(SCENE, SIZE), drawn(speckle(2, spread=3.0), SIZE)
    half = image.copy()
    half[:, 128:] = other[:, 128:]
    _, field = measured(level_pair(half, image))
    left = field.position[:, 0] + field.side / 2 < 128
    right = field.position[:, 0] - field.side / 2 > 128
    assert field.matched[left].all()
    assert field.matched[right].mean() < 0.2
    assert (field.correlation[field.matched] > LEAST_CORRELATION).all()
    # Nor is the negative one.
    assert not measured(level_pair(-image, image))[1].matched.any()


@pytest.mark.parametrize(("noise", "matched"), [(0.7, True), (6.0, False)])
def test_what_agrees_little_is_no_match(noise: float, matched: bool) -> None:
    image = drawn(SCENE, SIZE)
    tiles = textured_tiles(level_pair(image, image), most=60)
    field = displacement_field(level_pair(noisy(image, noise, 1), image, noise=noise**2), tiles)
    assert (np.median(field.correlation) > 0.7) == matched
    assert (field.matched.mean() > 0.9) if matched else (field.matched.mean() < 0.1)


@pytest.mark.parametrize(("x", "matched"), [(1.4, True), (1.7, False)])
def test_a_match_lies_within_the_reach_of_the_steps(x: float, matched: bool) -> None:
    source, target = drawn(SCENE, SIZE, shift(-x, 0.0)), drawn(SCENE, SIZE)
    _, field = measured(level_pair(source, target))
    assert field.matched.mean() > 0.9 if matched else not field.matched.any()


def test_a_second_plane_like_the_first_tells_as_much_again() -> None:
    clean = drawn(SCENE, SIZE)
    blocks = np.kron(np.random.default_rng(3).normal(0.0, 0.2, (48, 64)), np.ones((4, 4)))
    source = (clean + blocks).astype(np.float32)
    tiles = textured_tiles(level_pair(clean, clean), most=60)
    one = displacement_field(level_pair(source, clean, noise=1e-9), tiles)
    two = displacement_field(level_pair([source] * 2, [clean] * 2, noise=1e-9), tiles)
    assert_allclose(two.displacement, one.displacement, atol=1e-4)
    assert_allclose(two.covariance, 0.5 * one.covariance, rtol=0.02)


def test_from_further_than_a_step_leads_it_must_begin_nearer() -> None:
    by = np.array([5.3, -4.2])
    source, target = drawn(SCENE, SIZE, shift(-by[0], -by[1])), drawn(SCENE, SIZE)
    inside = np.ones(target.shape, np.bool_)
    inside[:8] = inside[-8:] = inside[:, :8] = inside[:, -8:] = False
    pair = level_pair(source, target, inside=inside)
    tiles = textured_tiles(pair, most=80)
    lost = displacement_field(pair, tiles)
    assert lost.matched.mean() < 0.3
    assert np.abs(lost.displacement).max() <= REACH_PX
    found = displacement_field(pair, tiles, np.tile(np.round(by), (len(tiles), 1)))
    assert found.matched.all()
    assert_allclose(np.median(found.displacement, axis=0), by, atol=0.01)
    fine = speckle(1, spread=1.1)
    sharp = level_pair(drawn(fine, SIZE, shift(-5.3, 4.2)), drawn(fine, SIZE), inside=inside)
    some = textured_tiles(sharp, most=80)
    found = displacement_field(sharp, some, np.tile(np.round(by), (len(some), 1)))
    assert found.matched.mean() > 0.95
    begin = np.tile(np.round(by), (len(tiles), 1))
    begin[::2] += [40.0, 0.0]
    half = displacement_field(pair, tiles, begin)
    assert half.matched[1::2].all()
    assert half.matched[::2].mean() < 0.3
    assert (np.abs(half.displacement - begin).max(axis=0) <= REACH_PX + 1e-9).all()


def test_nothing_asked_nothing_found() -> None:
    image = drawn(SCENE, SIZE)
    field = displacement_field(
        level_pair(image, image, level=2), Tiles(np.empty((0, 2), np.intp), 16, 0.0)
    )
    assert len(field) == 0
    assert field.displacement.shape == (0, 2)
    assert field.covariance.shape == (0, 2, 2)
    assert field.matched.dtype == np.bool_
    assert (field.side, field.level) == (64.0, 2)


def test_what_is_not_believed_is_no_match() -> None:
    image = drawn(SCENE, SIZE)
    _, field = measured(level_pair(image, image))
    known = np.arange(len(field)) % 2 == 0
    believed = field.restricted_to(known)
    assert np.array_equal(believed.matched, known)
    assert np.array_equal(believed.restricted_to(~known).matched, np.zeros(len(field), np.bool_))
    assert believed.displacement is field.displacement


def test_the_covariance_has_the_axes_of_the_information_and_is_limited_along_each() -> None:
    rng = np.random.default_rng(3)
    axes = np.linalg.qr(rng.normal(size=(30, 2, 2)))[0]
    values = 10.0 ** rng.uniform(-12.0, 4.0, (30, 2))
    values[:5, 0] = values[:5, 1]
    values[5:9] = 0.0
    information = axes * values[:, None] @ axes.transpose(0, 2, 1)
    variance = 10.0 ** rng.uniform(-3.0, 2.0, 30)
    limited = variance[:, None] / np.maximum(values, variance[:, None] / MOST_VARIANCE)
    expected = axes * limited[:, None] @ axes.transpose(0, 2, 1)
    told = _covariance(information.reshape(30, 4)[:, [0, 1, 3]], variance)
    for found, wanted in zip(told, expected, strict=True):
        assert_allclose(found, wanted, atol=1e-6 * wanted.max())
