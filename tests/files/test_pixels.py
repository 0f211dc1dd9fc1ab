"""Pictures by pixels and by palettes."""

import numpy as np
import pytest

from align_cli.files.pixels import Indexed, full_scale, shown_pixels, swapped


@pytest.mark.parametrize(
    ("dtype", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float64", 1)]
)
def test_white(dtype, white):
    assert full_scale(np.zeros((2, 3), dtype)) == white


@pytest.mark.parametrize("channels", [3, 4])
def test_what_a_palette_shows(channels):
    colours = np.arange(2 * channels, dtype=np.uint8).reshape(2, channels)
    picture = Indexed(np.array([[0, 1, 1]], np.uint8), colours)
    assert picture.rgb().tolist() == [[colours[0].tolist(), *[colours[1].tolist()] * 2]]
    shown = shown_pixels(picture)
    assert (shown.shape, shown.dtype) == (picture.rgb().shape, np.uint8)
    assert shown.strides[:2] == (0, 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("order", [[2, 1, 0], [2, 1, 0, 3]])
def test_blue_for_red_and_back(dtype, order):
    pixels = np.arange(6 * len(order)).reshape(2, 3, len(order)).astype(dtype)
    assert (swapped(pixels) == pixels[..., order]).all()
    assert (swapped(swapped(pixels)) == pixels).all()


def test_pixels_show_themselves():
    pixels = np.zeros((2, 3), np.uint16)
    assert shown_pixels(pixels) is pixels
