import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from align_cli.files import pillow
from align_cli.files.errors import ContentError
from align_cli.files.images import encode_image, encode_with_metadata
from align_cli.files.metadata.record import NOTHING, Metadata
from align_cli.files.orientation import turn_upright
from tests.files.metadata.examples import PROFILE, RGB, XMP, exif_block, full, read_metadata
from tests.files.metadata.examples import saved as saved_with


def decode(data, limit=10.0):
    return pillow.decoded(data, limit).pixels


def saved(picture, form, **settings):
    file = io.BytesIO()
    picture.save(file, form, **settings)
    return file.getvalue()


def smooth(height=40, width=56):
    """A picture that JPEG keeps within a few grey levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 3 * y, 250 - x - y], axis=-1).astype(np.uint8)


def cause_of(data, limit=1.0):
    with pytest.raises(ContentError) as caught:
        decode(data, limit)
    return caught.value.cause


@pytest.mark.parametrize("form", ["BMP", "WEBP"])
def test_lossless_colour(scene, form):
    pixels = scene(7, 9, 3)
    data = saved(Image.fromarray(pixels), form, lossless=True)
    read = decode(data, 1.0)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels)


def test_bmp_kinds(scene):
    grey = scene(7, 9)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(grey), "BMP"), 1.0), grey)
    bits = Image.fromarray(grey > 127)
    read = decode(saved(bits, "BMP"), 1.0)
    np.testing.assert_array_equal(read, np.where(grey > 127, 255, 0))
    assert read.dtype == np.uint8
    palette = Image.fromarray(scene(7, 9, 3)).quantize(16)
    read = decode(saved(palette, "BMP"), 1.0)
    np.testing.assert_array_equal(read, np.asarray(palette.convert("RGB")))


def test_jpeg_colours_and_greys():
    pixels = smooth()
    read = decode(saved(Image.fromarray(pixels), "JPEG", quality=98, subsampling=0), 1.0)
    np.testing.assert_allclose(read.astype(int), pixels, atol=4)
    grey = decode(saved(Image.fromarray(pixels[..., 0]), "JPEG", quality=98), 1.0)
    assert grey.shape == pixels.shape[:2]
    np.testing.assert_allclose(grey.astype(int), pixels[..., 0], atol=4)


def test_cmyk_jpeg_becomes_rgb():
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    data = saved(Image.fromarray(flat).convert("CMYK"), "JPEG", quality=98)
    np.testing.assert_allclose(decode(data, 1.0).astype(int), flat, atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_orientation_is_applied_once(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = smooth()
    data = saved(Image.fromarray(pixels), form, exif=exif, quality=98, lossless=True)
    read = decode(data, 1.0)
    expected = turn_upright(pixels, orientation)
    assert read.shape == expected.shape
    np.testing.assert_allclose(read.astype(int), expected, atol=12)


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\0\xff"])
def test_a_broken_exif_block_keeps_nobody_from_the_pixels(exif):
    data = saved(Image.fromarray(smooth()), "JPEG", exif=exif)
    assert decode(data, 1.0).shape == smooth().shape


@pytest.mark.parametrize("progressive", [False, True])
@given(share=st.floats(0.01, 0.98))
@settings(deadline=None)
def test_cut_jpeg_is_an_error(progressive, share):
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(pixels), "JPEG", progressive=progressive)
    cause = cause_of(data[: int(len(data) * share)])
    assert "truncated" in cause or "damaged" in cause


@pytest.mark.parametrize("form", ["BMP", "WEBP", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_errors(scene, form, share):
    data = saved(Image.fromarray(scene(64, 64, 3)), form)
    cause = cause_of(data[: int(len(data) * share)])
    assert "truncated" in cause or "damaged" in cause


def test_an_animation_is_refused():
    frames = [Image.fromarray(smooth()), Image.fromarray(255 - smooth())]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    assert cause_of(data) == "is an animation"


def test_the_first_picture_of_a_phones_jpeg():
    pictures = [Image.fromarray(smooth()), Image.fromarray(255 - smooth())]
    data = saved(pictures[0], "MPO", save_all=True, append_images=pictures[1:], quality=98)
    np.testing.assert_allclose(decode(data, 1.0).astype(int), smooth(), atol=12)


@pytest.mark.parametrize("form", ["BMP", "WEBP", "JPEG"])
def test_the_limit_is_checked(form):
    data = saved(Image.fromarray(smooth()), form)
    assert "56 x 40 pixels" in cause_of(data, 0.001)


def test_pillows_own_limit_is_not_in_the_way(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = saved(Image.fromarray(smooth()), "BMP")
    np.testing.assert_array_equal(decode(data, 1.0), smooth())
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("metadata", [NOTHING, Metadata(xmp=XMP)])
def test_webp_is_written_without_loss_even_where_transparent(scene, channels, metadata):
    pixels = scene(12, 15, channels)
    if channels == 4:
        pixels[:6, :, 3] = 0
    data, _ = encode_with_metadata("a.webp", pixels, metadata)
    np.testing.assert_array_equal(decode(data, 1.0), pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_metadata_changes_no_pixel(suffix, channels):
    """It has Pillow write what OpenCV writes otherwise."""
    if (suffix, channels) == (".webp", 1):
        pytest.skip("holds no grey")
    pixels = smooth()[..., 0].copy() if channels == 1 else smooth()
    plain = encode_image(f"a{suffix}", pixels)
    metadata = Metadata(xmp=XMP, resolution=(300.0, 150.0))
    data, _ = encode_with_metadata(f"a{suffix}", pixels, metadata)
    assert data != plain
    np.testing.assert_array_equal(decode(data, 1.0), decode(plain, 1.0))


def test_exif_that_is_too_long_for_jpeg() -> None:
    metadata = full(exif=exif_block() + bytes(70_000), xmp=b"x" * 70_000)
    data, lost = saved_with(".jpg", RGB, metadata)
    assert lost == ("EXIF (too long for JPEG)", "XMP (too long for JPEG)")
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == PROFILE


@pytest.mark.parametrize(("kind", "room"), [("exif", 65_527), ("xmp", 65_504)])
def test_what_just_fits_into_a_segment_of_jpeg(kind, room) -> None:
    block = exif_block() if kind == "exif" else b""
    for length, told in (room, ()), (room + 1, (Metadata(**{kind: b"x"}).kinds[kind],)):
        metadata = Metadata(**{kind: block.ljust(length, b"\0")})
        data, lost = saved_with(".jpg", RGB, metadata)
        assert lost == tuple(f"{name} (too long for JPEG)" for name in told)
        assert len(getattr(read_metadata(data), kind)) == (0 if told else room)


def test_a_long_profile_is_split_over_segments() -> None:
    long = PROFILE + bytes(200_000)
    data, _ = saved_with(".jpg", RGB, full(icc=long))
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == long
    assert read_metadata(data).icc == long


def with_density(exif=b"", unit=0, density=(0, 0)):
    """A JPEG file whose JFIF segment gives this density."""
    data = bytearray(saved(Image.fromarray(smooth()), "JPEG", exif=exif))
    place = data.index(b"JFIF\0") + 7
    data[place : place + 5] = struct.pack(">BHH", unit, *density)
    return bytes(data)


def test_the_resolution_of_a_jpeg_is_the_one_it_gives():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert pillow.decoded(with_density(exif), 1.0).metadata.resolution is None
    assert pillow.decoded(with_density(unit=1, density=(300, 150)), 1.0).metadata.resolution == (
        *(300.0, 150.0),
    )
    centimetres = pillow.decoded(with_density(unit=2, density=(100, 50)), 1.0).metadata
    np.testing.assert_allclose(centimetres.resolution, (254, 127))
    exif[0x011A], exif[0x011B], exif[0x0128] = 100.0, 50.0, 3
    by_exif = pillow.decoded(with_density(exif), 1.0).metadata
    np.testing.assert_allclose(by_exif.resolution, (254, 127))
