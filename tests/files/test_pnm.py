import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from align_cli.files import pnm
from align_cli.files.errors import ContentError
from align_cli.files.quiet import silent_opencv


def decode(data, limit=10.0):
    return pnm.decoded(data, limit).pixels


def exactly(data, expected, dtype="uint8"):
    pixels = decode(data, 1.0)
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, np.array(expected, dtype))


@given(
    st_numpy.arrays(
        st.sampled_from(["uint8", "uint16"]),
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3])),
    )
)
def test_what_is_written_is_read_here_and_by_opencv(pixels):
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    data = pnm.encode(np.ascontiguousarray(pixels))
    exactly(data, pixels, pixels.dtype)
    by_opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(by_opencv[..., ::-1] if pixels.ndim == 3 else by_opencv, pixels)


def test_16_bit_colours_keep_their_depth_and_order():
    exactly(b"P6 1 1 65535\n\1\2\3\4\5\6", [[[0x0102, 0x0304, 0x0506]]], "uint16")


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n2 1\n255\n\x07\x09",
        b"P5 # a comment\n2\t1 # one more\r\n255\n\x07\x09 rest",
        b"P2\n2 1\n255\n7 9\n",
        b"P2 2 1 255 7 # seven\n9",
    ],
)
def test_layouts_of_the_same_picture(data):
    exactly(data, [[7, 9]])


def test_plain_colour():
    exactly(b"P3 1 2 255 1 2 3 4 5 6", [[[1, 2, 3]], [[4, 5, 6]]])


def test_the_first_byte_of_the_pixels_may_look_like_a_comment():
    exactly(b"P5 2 1 255\n#\n", [[35, 10]])


def test_other_largest_values_mean_white_too():
    exactly(b"P5 3 1 100\n\0\x32\x64", [[0, 128, 255]])
    exactly(b"P5 2 1 4095\n\x0f\xff\x00\x01", [[65535, 16]], "uint16")
    exactly(b"P5 2 1 256\n\1\0\0\x80", [[65535, 32768]], "uint16")
    exactly(b"P2 2 1 1 0 1", [[0, 255]])


def test_why_it_is_read_by_hand():
    """When this fails, a library may do it."""
    with silent_opencv:
        assert cv2.imdecode(np.frombuffer(b"P2 2 1 255 7 9", np.uint8), -1) is None
        grey = cv2.imdecode(np.frombuffer(b"P5 3 1 100\n\0\x32\x64", np.uint8), -1)
    assert grey.tolist() == [[0, 50, 100]]
    with Image.open(io.BytesIO(b"P6 1 1 65535\n\1\2\3\4\5\6")) as picture:
        assert np.asarray(picture).dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"P5 2 2 255\nabc", "truncated"),
        (b"P6 1 1 65535\nabcde", "truncated"),
        (b"P2 2 2 255 1 2 3", "truncated"),
        (b"P5 2 2", "no PGM or PPM header"),
        (b"P5 0 2 255\n", "has no pixels"),
        (b"P5 2 1 0\nab", "largest value"),
        (b"P5 2 1 65536\nabcd", "largest value"),
        (b"P5 2 1 10\n\x0a\x0b", "above the largest"),
        (b"P2 2 1 10 3 x", "not a number"),
        (b"P2 2 1 10 3 -1", "negative"),
        (b"P5 9999 9999 255\n", "megapixels"),
    ],
)
def test_each_kind_of_damage_has_its_cause(data, cause):
    with pytest.raises(ContentError) as caught:
        decode(data, 1.0)
    assert cause in caught.value.cause
