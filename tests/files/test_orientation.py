import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from align_cli.files.orientation import exif_orientation, turn_upright

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


def block(order, value, kind=3, count=1, before=()):
    """An EXIF block by hand: header, one directory, the orientation as its last entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = [struct.pack(order + "HHI4s", tag, 3, 1, b"\7\7\7\7") for tag in before]
    number = struct.pack(order + ("H2x" if kind == 3 else "I"), value)
    entries.append(struct.pack(order + "HHI", 0x0112, kind, count) + number)
    return mark + struct.pack(order + "IH", 8, len(entries)) + b"".join(entries)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("kind", [3, 4])
def test_stated_orientation_is_found(order, prefix, kind):
    for value in range(1, 9):
        exif = prefix + block(order, value, kind, before=(0x010F, 0x0110))
        assert exif_orientation(exif) == value


def test_nonsense_counts_as_upright():
    exif = block("<", 6)
    for bad in (b"", b"junk", exif[:12], exif[:-3], block("<", 9), block("<", 0)):
        assert exif_orientation(bad) == 1
    assert exif_orientation(block("<", 6, kind=2)) == 1
    assert exif_orientation(block("<", 6, count=2)) == 1


@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=60))
def test_no_bytes_raise(mark, rest):
    assert 1 <= exif_orientation(mark + rest) <= 8
