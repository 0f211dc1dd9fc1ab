import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from align_cli.files import png, png_encode
from align_cli.files.pixels import Indexed

KINDS = [(dtype, channels) for dtype in ("uint8", "uint16") for channels in (1, 2, 3, 4)]


def photograph(height, width, channels=3, dtype="uint8", noise=2.0, seed=0):
    """Smooth areas with noise; channels differ, so that their order shows."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    scale = 1 if dtype == "uint8" else 257
    planes = [
        (128 + 60 * np.sin(x / 20 + y / 30 + n) + rng.normal(0.0, noise, (height, width))) * scale
        for n in range(channels)
    ]
    pixels = np.rint(np.dstack(planes)).astype(dtype)
    return pixels[..., 0] if channels == 1 else pixels


def by_opencv(data):
    """Decoded by another library; RGB or RGBA order, grey and alpha of RGBA."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 3:
        swap = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, swap)
    return pixels


def chunks_of(data):
    """(kind, body) of every chunk; the checksums are checked."""
    position, found = 8, []
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        assert struct.unpack_from(">I", data, position + 8 + length) == (zlib.crc32(kind + body),)
        found.append((kind, body))
        position += 12 + length
    return found


def rows_of(data):
    """The filtered rows; zlib itself checks their Adler-32."""
    stream = b"".join(body for kind, body in chunks_of(data) if kind == b"IDAT")
    decompressor = zlib.decompressobj()
    rows = decompressor.decompress(stream)
    assert decompressor.eof
    assert not decompressor.unused_data
    return rows


@given(
    st_numpy.arrays(
        st.sampled_from(["uint8", "uint16"]),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_what_is_written_is_read(pixels, small):
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    read = png.decoded(png_encode.encode(np.ascontiguousarray(pixels), small=small), 10.0).pixels
    assert read.dtype == pixels.dtype
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("dtype", "channels"), KINDS)
def test_opencv_agrees_with_what_is_written(dtype, channels, flat, small):
    pixels = photograph(23, 37, channels, dtype)
    if flat:
        pixels[:, :20] = pixels[0, 0]
    data = png_encode.encode(pixels, small=small)
    read = by_opencv(data)
    assert read.dtype == pixels.dtype
    np.testing.assert_array_equal(read[..., [0, 3]] if channels == 2 else read, pixels)
    assert len(rows_of(data)) == 23 * (1 + pixels[0].nbytes)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pillow_agrees_with_what_is_written(channels):
    pixels = photograph(7, 5, channels)
    with Image.open(io.BytesIO(png_encode.encode(pixels))) as picture:
        assert picture.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("small", [False, True])
def test_a_palette_is_kept_and_its_numbers_are(small):
    rng = np.random.default_rng(0)
    picture = Indexed(
        rng.integers(0, 200, (11, 30), dtype=np.uint8),
        rng.integers(0, 256, (200, 3), dtype=np.uint8),
    )
    data = png_encode.encode(picture, small=small)
    np.testing.assert_array_equal(by_opencv(data), picture.rgb())
    with Image.open(io.BytesIO(data)) as seen:
        assert seen.mode == "P"
        np.testing.assert_array_equal(np.asarray(seen), picture.indices)


def test_a_palette_with_alpha_is_kept():
    rng = np.random.default_rng(0)
    picture = Indexed(
        rng.integers(0, 5, (11, 30), dtype=np.uint8), rng.integers(0, 256, (5, 4), dtype=np.uint8)
    )
    data = png_encode.encode(picture)
    with Image.open(io.BytesIO(data)) as seen:
        assert seen.mode == "P"
        np.testing.assert_array_equal(np.asarray(seen), picture.indices)
        np.testing.assert_array_equal(np.asarray(seen.convert("RGBA")), picture.rgb())


def test_16_bit_numbers_are_written_high_byte_first():
    pixels = np.array([[0x0102, 0x0304]], np.uint16)
    assert rows_of(png_encode.encode(pixels)) == bytes([0, 1, 2, 3, 4])


def opencv_default(pixels):
    return len(cv2.imencode(".png", pixels)[1])


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0, 10.0])
def test_files_are_not_larger_than_opencvs_own(noise):
    pixels = photograph(300, 400, noise=noise)
    pixels[:, 250:] = 0  # what the source does not reach
    assert len(png_encode.encode(pixels)) < 1.0 * opencv_default(pixels)


def test_areas_of_one_colour_take_no_room():
    flat = np.full((1000, 1000, 3), 77, np.uint8)
    assert len(png_encode.encode(flat)) < 0.01 * flat.nbytes
    assert len(png_encode.encode(flat)) < 1.3 * opencv_default(flat)


def test_small_files_are_smaller_but_never_larger():
    smooth = photograph(300, 400, noise=0.5)
    assert len(png_encode.encode(smooth, small=True)) < 0.95 * len(png_encode.encode(smooth))
    noise = np.random.default_rng(2).integers(0, 255, (200, 300), dtype=np.uint8)
    assert len(png_encode.encode(noise, small=True)) <= len(png_encode.encode(noise))


def test_few_colours_take_less_room_by_their_numbers():
    grey = photograph(300, 400, channels=1)
    colours = np.random.default_rng(1).integers(0, 255, (256, 3), dtype=np.uint8)
    picture = Indexed(grey, colours)
    assert len(png_encode.encode(picture)) < 0.6 * len(png_encode.encode(picture.rgb()))
