"""Tiles lie where the target's texture can tell, spread by area and not by contrast."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from align_cli.engine.displacements.tiles import (
    FEW_TILES,
    SIDE,
    STRIDE,
    Tiles,
    side_for,
    textured_tiles,
)
from tests.engine.displacements.pairs import drawn, level_pair, noisy, speckle

HEIGHT, WIDTH = 192, 256


def tiles_of(image: np.ndarray, *, most: int = 150, **pair: object) -> Tiles:
    return textured_tiles(level_pair(image, image, **pair), most=most)


@cache
def _texture(seed: int) -> np.ndarray:
    return drawn(speckle(seed), (WIDTH, HEIGHT))


def texture(seed: int = 0) -> np.ndarray:
    return _texture(seed).copy()


def covered(tiles: Tiles, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """How many tiles lie on each pixel."""
    count = np.zeros(shape, np.intp)
    for x, y in tiles.corner:
        assert x >= 0
        assert y >= 0
        assert y + tiles.side <= shape[0]
        assert x + tiles.side <= shape[1]
        count[y : y + tiles.side, x : x + tiles.side] += 1
    return count


def test_texture_everywhere_is_covered_by_tiles() -> None:
    tiles = tiles_of(texture(), most=1000)
    assert tiles.side == SIDE
    assert tiles.textured > 0.99
    assert tiles.corner.dtype == np.intp
    count = covered(tiles)
    assert count.max() == 1
    assert count.mean() > 0.3
    assert not (tiles.corner % STRIDE).any()


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(1, 200), st.integers(0, 2**16))
def test_tiles_lie_inside_and_apart(seed: int, most: int, holes: int) -> None:
    numbers = np.random.default_rng(holes)
    inside = np.ones((HEIGHT, WIDTH), np.bool_)
    for _ in range(int(numbers.integers(0, 5))):
        x, y, width, height = numbers.integers(0, (WIDTH, HEIGHT, 90, 90))
        inside[y : y + height, x : x + width] = False
    tiles = tiles_of(texture(seed), most=most, inside=inside)
    count = covered(tiles)
    assert count.max(initial=0) <= 1
    assert not count[~inside].any()
    assert len(tiles) <= most
    assert 0.0 <= tiles.textured <= 1.0


def test_tiles_need_a_margin_of_pixels_that_are_inside() -> None:
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    inside[40:152, 60:172] = True
    image = texture()
    local_field = textured_tiles(level_pair(image, image, inside=inside), most=500, margin=0)
    far = textured_tiles(level_pair(image, image, inside=inside), most=500, margin=5)
    assert local_field.corner.min(axis=0).tolist() == [60, 40]
    assert (local_field.corner.max(axis=0) + local_field.side).tolist() == [172, 152]
    whole = textured_tiles(level_pair(image, image), most=500, margin=5)
    assert whole.corner.min() >= 5
    assert (whole.corner.max(axis=0) + whole.side <= [WIDTH - 5, HEIGHT - 5]).all()
    assert (far.corner.min(axis=0) >= [65, 45]).all()
    assert (far.corner.max(axis=0) + far.side <= [167, 147]).all()


@pytest.mark.parametrize("most", [1, 5, 20, 100])
def test_at_most_so_many_spread_over_the_overlap(most: int) -> None:
    tiles = tiles_of(texture(), most=most)
    assert 0.25 * most <= len(tiles) <= most
    if most >= 20:
        middle = tiles.corner + 0.5 * tiles.side
        for rows in (middle[:, 1] < HEIGHT / 2, middle[:, 1] >= HEIGHT / 2):
            for columns in (middle[:, 0] < WIDTH / 2, middle[:, 0] >= WIDTH / 2):
                assert (rows & columns).sum() >= 0.15 * len(tiles)


def test_every_part_counts_by_its_area_and_none_by_its_contrast() -> None:
    image = texture()
    image[:, : WIDTH // 2] *= 50.0
    tiles = tiles_of(image, most=40)
    left = (tiles.corner[:, 0] + tiles.side / 2 < WIDTH / 2).sum()
    assert 0.35 <= left / len(tiles) <= 0.65
    # It is the best of its block, though: contrast chooses within it.
    faint = texture()
    faint[:, :] *= 0.2
    faint[90:106, 120:136] *= 30.0
    (corner,) = tiles_of(faint, most=1).corner
    assert np.abs(corner - [120, 90]).max() <= SIDE


def test_the_slopes_of_a_pixel_are_counted_where_it_is() -> None:
    # Of a dot they lie at the pixels around it; the first tile that has them all is taken.
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    image[62, 118] = 100.0
    (corner,) = tiles_of(image, most=1).corner
    assert corner.tolist() == [104, 48]
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    image[63, 119] = 100.0
    (corner,) = tiles_of(image, most=1).corner
    assert corner.tolist() == [108, 52]


def test_half_of_the_picture_without_texture_has_no_tiles() -> None:
    image = texture()
    image[:, : WIDTH // 2] = 0.0
    tiles = tiles_of(noisy(image, 0.05, 1), noise=2 * 0.05**2, slope_noise=0.5 * 0.05**2)
    assert (tiles.corner[:, 0] + tiles.side > WIDTH // 2).all()
    assert tiles.textured == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sigma", [0.02, 3.0])
def test_noise_alone_has_no_texture(seed: int, sigma: float) -> None:
    noise = noisy(np.full((HEIGHT, WIDTH), 7.0), sigma, seed)
    tiles = tiles_of(noise, noise=2.0 * sigma**2, slope_noise=0.5 * sigma**2)
    assert len(tiles) == 0
    assert tiles.textured == 0.0
    assert tiles.corner.shape == (0, 2)


def test_what_the_noise_displaces_by_a_pixel_cannot_tell() -> None:
    # A tile of slopes of 1 along both axes, on average, knows as much as it has pixels.
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    waves = (2.0**0.5 * 4.0 * (np.sin(x / 4.0) + np.sin(y / 4.0))).astype(np.float32)
    assert len(tiles_of(waves, noise=0.5 * SIDE**2))
    assert not len(tiles_of(waves, noise=2.0 * SIDE**2))
    assert not len(tiles_of(waves, slope_noise=1.0))
    assert len(tiles_of(waves, slope_noise=0.25))


def test_edges_of_one_direction_cannot_tell() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    assert not len(tiles_of(np.sin(0.4 * x + 0.3 * y)))
    assert len(tiles_of((np.sin(0.4 * x + 0.3 * y) + np.sin(0.4 * x - 0.3 * y)).astype("f4")))


def test_all_planes_are_asked() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    one, other = np.sin(0.4 * x), np.sin(0.4 * y)
    assert not len(textured_tiles(level_pair([one, one], [one, one]), most=50))
    assert len(textured_tiles(level_pair([one, other], [one, other]), most=50)) > 20
    noise = {"slope_noise": 0.015}
    assert len(textured_tiles(level_pair([one, other], [one, other], **noise), most=50))
    # Each plane has its noise: two have twice as much.
    assert not len(
        textured_tiles(level_pair([one, other], [one, other], slope_noise=0.025), most=9)
    )


def stars(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An image of stars, and their (n, 2) places, far apart."""
    numbers = np.random.default_rng([10, seed])
    cells = numbers.choice(8 * 6, count, replace=False)
    places = 32.0 * np.column_stack([cells % 8, cells // 8]) + numbers.uniform(10, 22, (count, 2))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    sky = np.zeros((HEIGHT, WIDTH))
    for at_x, at_y in places:
        sky += np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2.0 * 1.3**2))
    return noisy(sky, 0.02, seed), places


@pytest.mark.parametrize("count", [3, 10, 25])
def test_sparse_stars_are_found(count: int) -> None:
    sky, places = stars(count)
    tiles = tiles_of(sky, noise=2 * 0.02**2, slope_noise=0.5 * 0.02**2)
    inside = [
        ((places >= corner) & (places < corner + tiles.side)).all(axis=1).sum()
        for corner in tiles.corner
    ]
    # Each tile has its star, and nearly every star its tile.
    assert sum(each == 0 for each in inside) <= 0.1 * len(inside)
    assert count - 1 - count // 10 <= len(tiles) <= count + 1 + count // 10


def test_sparse_texture_is_asked_by_smaller_tiles_where_that_makes_more_of_them() -> None:
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    image[80:128, 100:148] = texture()[80:128, 100:148]
    tiles = tiles_of(image, noise=1e-3)
    assert tiles.side == SIDE // 2
    assert len(tiles) > 6
    # Where smaller ones are not more, the larger ones see more of it each.
    sky, _ = stars(5)
    assert tiles_of(sky, noise=8e-4, slope_noise=2e-4).side == SIDE
    # Where there are enough, they are large: so few blocks make few of them, whatever the side.
    assert tiles_of(texture(), most=FEW_TILES).side == SIDE


def test_masked_pixels_take_part_in_no_tile() -> None:
    image = texture()
    inside = np.ones((HEIGHT, WIDTH), np.bool_)
    inside[50:150, 80:180] = False
    spoilt = np.where(inside, image, np.float32(1e6))
    tiles, others = tiles_of(image, inside=inside), tiles_of(spoilt, inside=inside)
    count = covered(tiles)
    assert not count[~inside].any()
    assert not count[49:151, 79:181].any()
    assert np.array_equal(tiles.corner, others.corner)
    assert tiles.textured == others.textured


def test_nothing_inside_has_no_tiles() -> None:
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    assert len(tiles_of(texture(), inside=inside)) == 0
    assert len(tiles_of(texture()[:6, :9])) == 0


def test_a_small_overlap_has_smaller_tiles() -> None:
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    assert side_for(inside) == SIDE
    for extent, side in ((30, 8), (71, 8), (72, 12), (95, 12), (96, 16), (150, 16)):
        inside[:] = False
        inside[10 : 10 + extent, 20:220] = True
        assert side_for(inside) == side
        assert side_for(inside.T) == side


def test_some_of_them_evenly_spaced_and_those_that_are_picked() -> None:
    tiles = tiles_of(texture(), most=100)
    some = tiles.evenly_spaced(7)
    assert len(some) == 7
    assert some.side == tiles.side
    assert some.textured == tiles.textured
    assert some.corner[0].tolist() == tiles.corner[0].tolist()
    assert some.corner[-1].tolist() == tiles.corner[-1].tolist()
    assert len(np.unique(some.corner, axis=0)) == 7
    picked = tiles.corner[:, 0] > WIDTH / 2
    assert np.array_equal(tiles.subset(picked).corner, tiles.corner[picked])
