from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.report.page.stretch import shown, stretch_of


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 64 * 64).reshape(64, 64).astype(dtype)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (ramp("uint8", 0, 255), "as it is, 0 black and 255 white"),
        (ramp("uint16", 0, 65535), "as it is, 0 black and 65535 white"),
        (ramp("float32", 0.0, 1.0), "as it is, 0 black and 1 white"),
    ],
)
def test_what_uses_its_scale_is_shown_as_it_is(image: np.ndarray, words: str) -> None:
    stretch = stretch_of(image)
    assert stretch.words == words
    of_eight_bit = image / {"uint8": 1, "uint16": 257, "float32": 1 / 255}[image.dtype.name]
    assert_array_equal(shown(image, stretch).colours, np.rint(of_eight_bit).astype(np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        ramp("uint8", 3, 40),
        ramp("uint16", 100, 4095),
        ramp("float32", -3.0, 250.0),
        ramp("float64", 1e-7, 3e-7),
    ],
)
def test_what_would_be_dark_is_stretched_and_says_so(image: np.ndarray) -> None:
    stretch = stretch_of(image)
    assert stretch.words.startswith(f"stretched linearly, {stretch.black:.4g} black and ")
    made = shown(image, stretch).colours
    assert made.min() == 0
    assert made.max() == 255


def test_one_stretch_serves_all_channels() -> None:
    grey = ramp("uint16", 0, 3000)
    stretch = stretch_of(np.dstack([grey, grey // 2, grey // 4]))
    made = shown(np.dstack([grey, grey // 2, grey // 4]), stretch).colours.astype(float)
    assert abs(made[-1, -1, 1] / made[-1, -1, 0] - 0.5) < 0.01


def test_hot_pixels_do_not_darken_the_rest() -> None:
    image = ramp("uint16", 100, 1000)
    image[5, 5] = 65535
    assert stretch_of(image).white < 1100


@pytest.mark.parametrize("channels", [2, 4])
def test_the_last_of_two_and_four_channels_is_what_can_be_seen(channels: int) -> None:
    image = np.full((16, 16, channels), 200, np.uint8)
    image[:, :4, -1] = 0
    made = shown(image, stretch_of(image))
    assert made.opaque is not None
    assert_array_equal(made.opaque, image[..., -1])
    assert made.colours.shape == ((16, 16) if channels == 2 else (16, 16, 3))


def test_what_is_not_finite_is_nothing_to_see() -> None:
    image = ramp("float32", 0.0, 1.0)
    image[2, 3] = np.nan
    image[4, 5] = np.inf
    made = shown(image, stretch_of(image))
    assert made.opaque is not None
    assert sorted(zip(*np.nonzero(made.opaque == 0), strict=True)) == [(2, 3), (4, 5)]


@pytest.mark.parametrize("value", [0.0, 7.5, np.nan])
def test_a_flat_image_has_a_stretch(value: float) -> None:
    image = np.full((8, 8), value, np.float32)
    shown(image, stretch_of(image))


def test_of_many_channels_the_first_three_are_shown() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 5), np.uint8)
    assert_array_equal(shown(image, stretch_of(image)).colours, image[..., :3])


def test_what_is_transparent_or_not_finite_is_nothing() -> None:
    pixels = np.full((2, 2, 4), 0.5, np.float32)
    pixels[0, 0, 1], pixels[0, 1, 3] = np.nan, 0.0
    pixels[1, :, 3] = 1.0
    opaque = shown(pixels, stretch_of(pixels)).opaque
    assert opaque is not None
    assert opaque.tolist() == [[0, 0], [255, 255]]
