"""Hot pixels and spots are found, stars and scenes are not."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.isolated_pixels import contrast_of, isolated_pixels
from tests.photographs import NAMES, photograph

HEIGHT, WIDTH = 200, 300
NOISE = 15.0


def night(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(300.0, NOISE, (HEIGHT, WIDTH)).astype(np.float32)


def stars(sigma: float, *, count: int = 60, seed: int = 0, largest: float = np.inf) -> np.ndarray:
    random = np.random.default_rng([seed, int(10 * sigma)])
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    sky = np.zeros((HEIGHT, WIDTH))
    for _ in range(count):
        at_x, at_y = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
        flux = 90.0 + 60.0 * random.pareto(1.2)
        sky += flux * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2.0 * sigma**2))
    return np.minimum(sky + night(seed), largest).astype(np.float32)


def hot_places(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Places on a grid of 8 px, so that none touches another."""
    random = np.random.default_rng(seed)
    cells = random.choice((HEIGHT // 8) * (WIDTH // 8), count, replace=False)
    return cells // (WIDTH // 8) * 8 + 3, cells % (WIDTH // 8) * 8 + 3


@pytest.mark.parametrize("height", [200.0, 3000.0, -200.0])
def test_each_hot_or_cold_pixel_is_found_and_nothing_else(height: float) -> None:
    image, places = night(), hot_places(50)
    image[places] += height
    expected = np.zeros(image.shape, np.bool_)
    expected[places] = True
    found = isolated_pixels(image)
    assert not (found & ~expected).any()
    # The faint ones stand out by 13 deviations: a noisy ring may have an eighth of that.
    assert found.sum() >= (50 if height == 3000.0 else 47)


@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize("corner", [(100, 200), (2, 2), (HEIGHT - 5, 50), (50, WIDTH - 5)])
def test_a_saturated_spot_is_found_whole(side: int, corner: tuple[int, int]) -> None:
    image = night()
    rows, columns = (slice(first, first + side) for first in corner)
    expected = np.zeros(image.shape, np.bool_)
    image[rows, columns] = 65535.0
    expected[rows, columns] = True
    np.testing.assert_array_equal(isolated_pixels(image), expected)


@pytest.mark.parametrize("place", [(0, 0), (0, 50), (HEIGHT - 1, 80), (90, WIDTH - 1)])
def test_a_hot_pixel_on_the_border_is_found(place: tuple[int, int]) -> None:
    image = night()
    image[place] = 4000.0
    assert np.argwhere(isolated_pixels(image)).tolist() == [list(place)]


@pytest.mark.parametrize("size", [(4, 4), (2, 4), (4, 1)])
def test_a_spot_of_four_pixels_is_scene(size: tuple[int, int]) -> None:
    image = night()
    image[100 : 100 + size[0], 200 : 200 + size[1]] = 4000.0
    assert not isolated_pixels(image).any()


def test_a_bright_pixel_beside_a_dark_one_is_texture() -> None:
    image = night()
    image[100, 200], image[100, 201] = 3300.0, -2700.0
    assert not isolated_pixels(image).any()


def test_a_raw_mosaic_of_colours_has_none() -> None:
    image = night()
    image[::4, ::4] += 1000.0
    assert not isolated_pixels(image).any()


def test_hot_pixels_of_a_fax_are_found_where_nothing_touches_them() -> None:
    page = np.zeros((HEIGHT, WIDTH), np.float32)
    for line in range(10, 150, 12):
        page[line : line + 6, 20:280:7] = page[line, 20:280] = 1.0
    places = np.array([170, 180, 190]), np.array([40, 150, 260])
    page[places] = 1.0
    assert isolated_pixels(page)[places].all()
    assert isolated_pixels(page).sum() == 3


@pytest.mark.parametrize("sigma", [0.8, 1.0, 1.3, 2.0])
@pytest.mark.parametrize("largest", [np.inf, 4095.0])
def test_stars_are_scene(sigma: float, largest: float) -> None:
    assert not isolated_pixels(stars(sigma, largest=largest)).any()


def test_hot_pixels_are_found_among_stars() -> None:
    image, places = stars(1.1), hot_places(50)
    image[places] += 1000.0
    found = isolated_pixels(image)
    assert found[places].sum() >= 48  # the others lie on a star
    assert found.sum() <= 50


@pytest.mark.parametrize("name", NAMES)
def test_photographs_have_next_to_none(name: str) -> None:
    assert isolated_pixels(photograph(name).astype(np.float32)).mean() < 2e-4


@pytest.mark.parametrize("gain", [1.0 / 65535.0, 1000.0])
def test_the_unit_does_not_matter(gain: float) -> None:
    image = stars(1.1)
    image[hot_places(20)] += 1000.0
    scaled = (image * np.float32(gain)).astype(np.float32)
    np.testing.assert_array_equal(isolated_pixels(image), isolated_pixels(scaled))


def test_a_line_of_one_pixel_is_no_spot_but_a_dot_without_noise_is() -> None:
    page = np.ones((HEIGHT, WIDTH), np.float32)
    page[50, 20:200] = page[60:160, 40] = 0.0
    assert not isolated_pixels(page).any()
    page[100, 100] = 0.0
    assert np.argwhere(isolated_pixels(page)).tolist() == [[100, 100]]


def test_spots_that_touch_invalid_pixels_do_not_count() -> None:
    image, valid = night(), np.ones((HEIGHT, WIDTH), np.bool_)
    image[50, 60] = image[80, 90] = 4000.0
    valid[51, 61] = False
    assert np.argwhere(isolated_pixels(image, valid)).tolist() == [[80, 90]]


def test_a_flat_image_has_none_and_no_contrast() -> None:
    flat = np.full((HEIGHT, WIDTH), 7.0, np.float32)
    assert not isolated_pixels(flat).any()
    flat[3, 3] = 1e6
    assert contrast_of(flat) == 0.0
