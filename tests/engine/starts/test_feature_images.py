"""An image as features are looked for in it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import Level, level_count, pyramid
from align_cli.engine.starts.feature_images import reduced_image


def blob(size: tuple[int, int], at: tuple[float, float], sigma: float) -> np.ndarray:
    """A bright spot on grey; uint8."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    square = (x - at[0]) ** 2 + (y - at[1]) ** 2
    return (60.0 + 180.0 * np.exp(-square / (2.0 * sigma**2))).astype(np.uint8)


@pytest.mark.parametrize("size", [(400, 300), (641, 479), (90, 70)])
def test_places_keep_their_place(size: tuple[int, int]) -> None:
    at = 0.3 * size[0], 0.6 * size[1]
    plane = luma(blob(size, at, 0.03 * size[0]))
    reduced = reduced_image(pyramid(plane, level_count(size)), 9000)
    assert reduced.image.size <= 1.02 * 9000
    if size == (90, 70):
        assert reduced.image.shape == size[::-1]
    bright = np.maximum(reduced.image.astype(np.float64) - 128.0, 0.0)
    y, x = np.mgrid[: bright.shape[0], : bright.shape[1]]
    centre = np.array([[(bright * x).sum(), (bright * y).sum()]]) / bright.sum()
    np.testing.assert_allclose(map_points(reduced.to_full, centre), [at], atol=0.3)


def test_what_is_not_known_is_marked_and_has_no_say_in_the_contrast() -> None:
    image = np.dstack([blob((300, 200), (200, 100), 20.0), np.full((200, 300), 255, np.uint8)])
    image[:, :100] = 0
    plane = luma(image)
    reduced = reduced_image(pyramid(plane, level_count(plane.size)), 1 << 12)
    known = cv2.resize(image[..., 1], reduced.image.shape[::-1], interpolation=cv2.INTER_NEAREST)
    assert not reduced.known[known == 0].any()
    assert reduced.known.mean() > 0.5 * 255
    assert reduced.image[reduced.known > 0].min() < 10


def test_a_few_pixels_however_bright_do_not_darken_the_rest_and_flat_pictures_are_flat() -> None:
    ramp = np.tile(np.linspace(0.0, 1.0, 100, dtype=np.float32), (100, 1))
    ramp[0, :20], ramp[1, :20] = 50.0, -50.0
    grey = reduced_image([Level(ramp, None)], 1 << 20).image
    assert grey[50, -1] == 255
    assert grey[50, 0] == 0
    assert 110 < grey[50, 50] < 145
    flat = reduced_image([Level(np.full((20, 30), 3.0, np.float32), None)], 1 << 20)
    assert flat.image.min() == flat.image.max()
