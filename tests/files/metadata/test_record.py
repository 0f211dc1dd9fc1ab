"""Metadata is read and written as other programs do: Pillow, and tifffile, say what is there."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from align_cli.files.encode import BY_SUFFIX
from align_cli.files.errors import UnreadableError
from align_cli.files.images import encode_image, encode_with_metadata, read_image
from align_cli.files.metadata.exif import EXIF, GPS
from align_cli.files.metadata.record import NOTHING, Metadata
from tests.files.metadata.examples import (
    DATE,
    FOCAL_LENGTH,
    HEIGHT,
    LATITUDE,
    MAKE,
    MODEL,
    PROFILE,
    RGB,
    UPRIGHT_XMP,
    WIDTH,
    dpi,
    exif_block,
    full,
    read_metadata,
    saved,
)


def check_exif(exif: Image.Exif) -> None:
    assert (exif[MAKE], exif[MODEL]) == ("Maker", "Model 7")
    assert exif.get(0x0112, 1) == 1
    inner = exif.get_ifd(EXIF)
    assert inner[DATE] == "2024:01:02 03:04:05"
    assert inner[FOCAL_LENGTH] == 3.5
    assert (inner[WIDTH], inner[HEIGHT]) == (40, 30)
    gps = exif.get_ifd(GPS)
    assert gps[1] == "N"
    assert tuple(map(float, gps[2])) == pytest.approx(LATITUDE)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_pillow_finds_what_was_carried(suffix: str, order: str) -> None:
    data, lost = saved(suffix, RGB, full(exif=exif_block(order=order)))
    assert lost == (("resolution",) if suffix == ".webp" else ())
    image = Image.open(io.BytesIO(data))
    check_exif(image.getexif())
    assert image.info["icc_profile"] == PROFILE
    if suffix != ".webp":
        np.testing.assert_allclose(dpi(image), (300, 150), atol=0.0127)  # PNG: per metre
    xmp = image.info.get("xmp", image.info.get("XML:com.adobe.xmp", b""))
    assert (xmp.encode() if isinstance(xmp, str) else bytes(xmp)) == UPRIGHT_XMP
    plain = np.asarray(Image.open(io.BytesIO(encode_image(f"a{suffix}", RGB))))
    assert (np.asarray(image) == plain).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_what_was_written_is_read_and_written_again(suffix: str, tmp_path) -> None:
    data, _ = saved(suffix, RGB, full())
    (tmp_path / "a").write_bytes(data)
    found = read_image(tmp_path / "a")
    assert found.pixels.shape == RGB.shape
    second = read_metadata(saved(suffix, RGB, found.metadata)[0])
    assert second.icc == (b"" if suffix == ".bmp" else PROFILE)
    kinds = set(BY_SUFFIX[suffix].carries) - {"colour"}
    assert set(found.metadata.kinds) == kinds
    if "resolution" in kinds:
        np.testing.assert_allclose(second.resolution, (300, 150), atol=0.02)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_what_pillow_wrote_is_read(suffix: str) -> None:
    exif = Image.Exif()
    exif.load(exif_block())
    file = io.BytesIO()
    form = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}[suffix]
    Image.fromarray(RGB).save(file, form, exif=exif, icc_profile=PROFILE, dpi=(300, 300))
    found = read_metadata(file.getvalue())
    assert found.icc == PROFILE
    if suffix != ".webp":
        np.testing.assert_allclose(found.resolution, (300, 300), atol=0.01)
    data, lost = saved(".png", RGB, found)
    assert lost == ()
    check_exif(Image.open(io.BytesIO(data)).getexif())


@pytest.mark.parametrize("suffix", [".pgm", ".ppm", ".bmp"])
def test_what_a_format_cannot_hold_is_said(suffix: str) -> None:
    pixels = RGB[..., 0] if suffix == ".pgm" else RGB
    grey = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    data, lost = saved(suffix, pixels, full(icc=grey if suffix == ".pgm" else PROFILE))
    assert lost[:3] == ("EXIF", "ICC profile", "XMP")
    assert ("resolution" in lost) == (suffix != ".bmp")
    if suffix == ".bmp":
        np.testing.assert_allclose(dpi(Image.open(io.BytesIO(data))), (300, 150), atol=0.02)


def test_nothing_to_carry_changes_no_byte() -> None:
    plain = encode_image("a.png", RGB)
    assert encode_with_metadata("a.png", RGB, NOTHING) == (plain, ())
    assert read_metadata(plain) == NOTHING


def test_a_profile_for_other_channels_is_left_out() -> None:
    data, lost = saved(".png", RGB[..., 0], full())
    assert lost == ("ICC profile (it is for other channels)",)
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info


HOSTILE = st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
@given(HOSTILE, st.binary(max_size=100))
@settings(max_examples=30, deadline=None)
def test_hostile_exif_costs_no_pixel(suffix: str, start: bytes, junk: bytes) -> None:
    data, _ = saved(suffix, RGB, Metadata(exif=start + junk, resolution=(1e30, 1e-30)))
    plain = np.asarray(Image.open(io.BytesIO(encode_image(f"a{suffix}", RGB))))
    assert (np.asarray(Image.open(io.BytesIO(data))) == plain).all()
    read_metadata(data)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_no_damaged_file_breaks_the_reader(suffix: str, data: st.DataObject) -> None:
    file = bytearray(saved(suffix, RGB, full())[0])
    place = data.draw(st.integers(0, len(file) - 1))
    file[place : place + 4] = data.draw(st.binary(max_size=4))
    with contextlib.suppress(UnreadableError):
        read_metadata(bytes(file[: data.draw(st.integers(len(file) // 2, len(file)))]))


def test_broken_exif_is_lost_and_said() -> None:
    data, lost = saved(".png", RGB, Metadata(exif=b"II*\0\xff\xff\xff\0"))
    assert lost == ("EXIF",)
    assert data == encode_image("a.png", RGB)
