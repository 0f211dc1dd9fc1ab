"""Metadata is read and written as other programs do: Pillow, and tifffile, say what is there."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, TiffImagePlugin

from align_cli.files.encode import FORMATS
from align_cli.files.images import encode_image, read_image
from align_cli.files.metadata import ifd
from align_cli.files.metadata.containers import _BEGINNINGS, CARRIED, read_metadata, with_metadata
from align_cli.files.metadata.record import NOTHING, Metadata

RGB = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li tiff:Orientation="6"/></x:xmpmeta>'
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
MAKE, MODEL, DATE, FOCAL_LENGTH, MAKER_NOTE = 0x010F, 0x0110, 0x9003, 0x920A, 0x927C
LATITUDE = (48.0, 51.0, 29.6)


def exif_block(*, notes: bool = False, order: str = "<") -> bytes:
    """What a camera writes: orientation, EXIF and GPS directories, perhaps maker notes."""
    exif = Image.Exif()
    exif.endian = order
    exif[MAKE], exif[MODEL], exif[0x0112] = "Maker", "Model 7", 6
    inner = exif.get_ifd(ifd.EXIF)
    inner[DATE], inner[FOCAL_LENGTH] = "2024:01:02 03:04:05", TiffImagePlugin.IFDRational(35, 10)
    inner[ifd.WIDTH], inner[ifd.HEIGHT] = 4000, 3000
    if notes:
        inner[MAKER_NOTE] = b"Maker\0" + bytes(range(40))
    gps = exif.get_ifd(ifd.GPS)
    gps[1], gps[2] = "N", tuple(TiffImagePlugin.IFDRational(each) for each in LATITUDE)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def full(**changes: Any) -> Metadata:
    parts = {"exif": exif_block(), "icc": PROFILE, "xmp": XMP, "resolution": (300.0, 150.0)}
    return Metadata(**{**parts, **changes})


def saved(suffix: str, pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    return with_metadata(encode_image(f"a{suffix}", pixels), metadata, pixels)


def check_exif(exif: Image.Exif) -> None:
    assert (exif[MAKE], exif[MODEL]) == ("Maker", "Model 7")
    assert exif.get(0x0112, 1) == 1
    inner = exif.get_ifd(ifd.EXIF)
    assert inner[DATE] == "2024:01:02 03:04:05"
    assert inner[FOCAL_LENGTH] == 3.5
    assert (inner[ifd.WIDTH], inner[ifd.HEIGHT]) == (40, 30)
    gps = exif.get_ifd(ifd.GPS)
    assert gps[1] == "N"
    assert tuple(map(float, gps[2])) == pytest.approx(LATITUDE)


def dpi(image: Image.Image) -> list[float]:
    return [float(each) for each in image.info["dpi"]]


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
    again, _ = with_metadata(data, found.metadata, RGB)
    second = read_metadata(again if suffix != ".png" else data)
    assert second.icc == (b"" if suffix == ".bmp" else PROFILE)
    kinds = set(CARRIED[FORMAT_OF[suffix]]) - {"colour"}
    assert set(found.metadata.kinds) == kinds
    if "resolution" in kinds:
        np.testing.assert_allclose(second.resolution, (300, 150), atol=0.02)


FORMAT_OF = {suffix: each.name for each in FORMATS for suffix in each.suffixes}


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
    assert with_metadata(plain, NOTHING, RGB) == (plain, ())
    assert read_metadata(plain) == NOTHING


def test_a_profile_for_other_channels_is_left_out() -> None:
    data, lost = saved(".png", RGB[..., 0], full())
    assert lost == ("ICC profile (it is for other channels)",)
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info


def test_maker_notes_stay_where_they_are_or_are_said_to_be_lost() -> None:
    metadata = full(exif=exif_block(notes=True))
    data, lost = saved(".jpg", RGB, metadata)
    assert lost == ()
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(ifd.EXIF)[MAKER_NOTE][:5] == b"Maker"
    data, lost = saved(".tif", RGB, metadata)
    assert lost == ("maker notes",)
    assert MAKER_NOTE not in Image.open(io.BytesIO(data)).getexif().get_ifd(ifd.EXIF)


def test_the_thumbnail_of_what_was_is_not_shown() -> None:
    block = bytearray(exif_block())
    (start,) = struct.unpack_from("<I", block, 4)
    (count,) = struct.unpack_from("<H", block, start)
    struct.pack_into("<I", block, start + 2 + 12 * count, len(block))
    block += struct.pack("<HHHII", 1, 0x0201, 4, 1, 1234) + bytes(4)
    renewed = ifd.renewed(bytes(block), 40, 30)
    assert struct.unpack_from("<I", renewed, start + 2 + 12 * count) == (0,)


def test_exif_that_is_too_long_for_jpeg() -> None:
    metadata = full(exif=exif_block() + bytes(70_000), xmp=b"x" * 70_000)
    data, lost = saved(".jpg", RGB, metadata)
    assert lost == ("EXIF (too long for JPEG)", "XMP (too long for JPEG)")
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == PROFILE


def test_a_long_profile_is_split_over_segments() -> None:
    long = PROFILE + bytes(200_000)
    data, _ = saved(".jpg", RGB, full(icc=long))
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == long
    assert read_metadata(data).icc == long


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 2), (30, 40, 3), (30, 40, 4), (30, 40, 6)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_a_tiff_keeps_its_pixels(shape: tuple[int, ...], dtype: str, tmp_path) -> None:
    pixels = np.random.default_rng(1).uniform(0, 250, shape).astype(dtype)
    data, _ = saved(".tif", pixels, full(icc=b""))
    (tmp_path / "a.tif").write_bytes(data)
    assert (read_image(tmp_path / "a.tif").pixels == pixels).all()
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert page.tags["XResolution"].value == (300, 1)
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == "2024:01:02 03:04:05"
        codes = [tag.code for tag in page.tags.values()]
        assert codes == sorted(set(codes))


def test_what_of_a_tiff_belongs_to_its_own_grid_is_lost() -> None:
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        RGB,
        description="a meadow",
        extratags=[(33550, "d", 3, (0.5, 0.5, 0.0), True)],
        metadata=None,
    )
    found = read_metadata(file.getvalue())
    assert "georeference" in found.lost[0]
    _, lost = saved(".png", RGB, found)
    assert lost == found.lost
    directory = ifd.read(found.exif)
    assert directory is not None
    assert directory.values[0x010E][1].startswith(b"a meadow")
    file = io.BytesIO()
    tifffile.imwrite(file, RGB[..., 0], imagej=True, resolution=(2.5, 2.5), metadata={"unit": "um"})
    assert read_metadata(file.getvalue()).lost == ("ImageJ's or OME's description",)


@pytest.mark.parametrize(
    ("metadata", "lost"),
    [
        ({}, ()),
        ({"axes": "YX"}, ()),
        ({"axes": "YX", "camera": "left"}, ("tifffile's description",)),
    ],
)
def test_what_tifffile_writes_of_the_shape_is_no_loss(
    metadata: dict[str, str], lost: tuple[str, ...]
) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 9), np.uint8), metadata=metadata)
    assert b'"shape": [8, 9]' in file.getvalue()
    read = read_metadata(file.getvalue())
    assert read.lost == lost
    assert b"shape" not in read.exif
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 9), np.uint8), description='{"mine": 1}', metadata=None)
    assert b'{"mine": 1}' in read_metadata(file.getvalue()).exif


@pytest.mark.parametrize(
    ("description", "lost"),
    [
        (b'{"axes": "YX", "shape": [8, 9]}', ()),
        (b'{"axes": "YX", "camera": "left", "shape": [8, 9]}', ("tifffile's description",)),
        (b'{"camera": "left", "shape": [8, 9]}', ("tifffile's description",)),
    ],
)
def test_so_is_what_earlier_tifffiles_wrote(description: bytes, lost: tuple[str, ...]) -> None:
    file = io.BytesIO()
    pixels = np.zeros((8, 9), np.uint8)
    tifffile.imwrite(file, pixels, description=description, metadata=None)
    read = read_metadata(file.getvalue())
    assert read.lost == lost
    assert b"shape" not in read.exif


def test_pixels_per_cm_are_inches_times_that() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, RGB, resolution=(100, 50), resolutionunit="CENTIMETER", metadata=None)
    np.testing.assert_allclose(read_metadata(file.getvalue()).resolution, (254, 127))


def test_png_gamma_goes_from_png_to_png_only() -> None:
    gamma = struct.pack(">I", 4) + b"gAMA" + struct.pack(">I", 100000)
    import zlib  # noqa: PLC0415

    gamma += struct.pack(">I", zlib.crc32(gamma[4:]))
    data, lost = saved(".png", RGB, Metadata(colour=gamma))
    assert lost == ()
    assert Image.open(io.BytesIO(data)).info["gamma"] == 1.0
    assert read_metadata(data).colour == gamma
    assert saved(".tif", RGB, Metadata(colour=gamma))[1] == ("PNG gamma",)


@given(st.binary(max_size=300), st.sampled_from(list(_BEGINNINGS)))
def test_no_bytes_break_the_reader(junk: bytes, start: bytes) -> None:
    read_metadata(start + junk)
    ifd.renewed(b"II*\0" + junk, 4, 3)
    ifd.read(b"MM\0*" + junk)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_no_truncated_file_breaks_the_reader(suffix: str) -> None:
    data, _ = saved(suffix, RGB, full())
    for length in range(0, len(data), 97):
        read_metadata(data[:length])


def test_broken_exif_is_lost_and_said() -> None:
    data, lost = saved(".png", RGB, Metadata(exif=b"II*\0\xff\xff\xff\0"))
    assert lost == ("EXIF",)
    assert data == encode_image("a.png", RGB)
