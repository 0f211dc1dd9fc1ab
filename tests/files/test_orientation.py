import numpy as np
import pytest
from PIL import Image, ImageOps

from align_cli.files.orientation import turn_upright

# What the letters of a 2 x 3 picture look like once it is turned upright, from the standard's
# words: where the first row and the first column of the stored picture belong.
UPRIGHT = {
    1: ["abc", "def"],  # top, left
    2: ["cba", "fed"],  # top, right
    3: ["fed", "cba"],  # bottom, right
    4: ["def", "abc"],  # bottom, left
    5: ["ad", "be", "cf"],  # left, top
    6: ["da", "eb", "fc"],  # right, top
    7: ["fc", "eb", "da"],  # right, bottom
    8: ["cf", "be", "ad"],  # left, bottom
}


def letters(rows):
    return np.array([[ord(letter) for letter in row] for row in rows], np.uint8)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_every_orientation(orientation):
    turned = turn_upright(letters(UPRIGHT[1]), orientation)
    np.testing.assert_array_equal(turned, letters(UPRIGHT[orientation]))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_channels_travel_with_their_pixels_and_pillow_agrees(orientation, scene):
    pixels = scene(5, 7, 3)
    picture = Image.fromarray(pixels)
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(turn_upright(pixels, orientation), expected)


@pytest.mark.parametrize("nonsense", [0, 9, -1, 65535])
def test_undefined_values_change_nothing(nonsense):
    np.testing.assert_array_equal(turn_upright(letters(UPRIGHT[1]), nonsense), letters(UPRIGHT[1]))
