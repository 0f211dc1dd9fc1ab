"""The metadata of TIFF, as tifffile, Pillow and GDAL's kind of files have it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from align_cli.files.images import read_image
from align_cli.files.metadata.exif import EXIF, GPS, RESOLUTION
from tests.files.metadata.examples import (
    MAKER_NOTE,
    PROFILE,
    RGB,
    XMP,
    by_hand,
    exif_block,
    full,
    read_metadata,
    saved,
)


def pillow_exif(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


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
    assert pillow_exif(found.exif)[0x010E] == "a meadow"
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


def test_maker_notes_are_said_to_be_lost() -> None:
    data, lost = saved(".tif", RGB, full(exif=exif_block(notes=True)))
    assert lost == ("maker notes",)
    assert MAKER_NOTE not in Image.open(io.BytesIO(data)).getexif().get_ifd(EXIF)
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "TIFF", exif=exif_block(notes=True))
    assert read_metadata(file.getvalue()).lost == ("maker notes",)


# Tag, type, count and bytes of what a camera may write in its EXIF directory.
ENTRIES = [
    (0x829A, 5, 1, struct.pack("<II", 10, 2500)),
    (0x9000, 7, 4, b"0230"),
    (0x9101, 7, 4, b"\1\2\3\0"),
    (0x9201, 10, 1, struct.pack("<ii", -7, 10)),
    (0x9286, 7, 12, b"ASCII\0\0\0text"),
    (0xA301, 7, 1, b"\1"),
    (0xA432, 5, 4, struct.pack("<8I", 24, 1, 70, 1, 0, 0, 0, 0)),
    (0xA433, 2, 6, "Mé".encode() + b"ab\0"),
    (0xEA1D, 9, 1, struct.pack("<i", -3)),
    (0xEA1E, 4, 1, struct.pack("<I", 7)),
]
INTEROPERABILITY = 0xA005


def types_and_values(page: tifffile.TiffPage, data: bytes) -> dict[int, tuple[int, object]]:
    place = struct.unpack_from("<I", data, page.tags[EXIF].offset + 8)[0]
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8], group=EXIF)
    file = io.BytesIO(data)
    file.seek(place)
    directory.load(file)
    return {tag: (directory.tagtype[tag], directory._tagdata[tag]) for tag in directory._tagdata}


def test_exif_keeps_its_types_and_values() -> None:
    inner = by_hand(26, [*ENTRIES, (INTEROPERABILITY, 4, 1, struct.pack("<I", 400))])
    block = b"II*\0" + struct.pack("<IHHHII", 8, 1, EXIF, 4, 1, 26) + bytes(4) + inner
    block = block.ljust(400, b"\0") + by_hand(400, [(1, 2, 4, b"R98\0"), (2, 7, 4, b"0100")])
    data, lost = saved(".tif", RGB, full(exif=block))
    assert lost == ()
    for _ in range(2):  # and once more, from TIFF to TIFF
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            found = types_and_values(file.pages[0], data)
        del found[INTEROPERABILITY]
        expected = {tag: (kind, raw) for tag, kind, _, raw in ENTRIES}
        expected[0x829A] = found[0x829A]  # reduced
        assert found == expected
        exif = Image.open(io.BytesIO(data)).getexif()
        assert exif.get_ifd(EXIF)[0x829A] == 1 / 250
        assert exif.get_ifd(INTEROPERABILITY)[1] == "R98"
        data, lost = saved(".tif", RGB, read_metadata(data))
        assert lost == ()


def test_why_directories_are_copied_by_hand(caplog) -> None:
    """When this fails, a library may do it."""
    file = io.BytesIO()
    tifffile.imwrite(file, RGB, metadata=None, extratags=[(EXIF, 4, 1, 8, True)])
    assert "not writing extratag 34665" in caplog.text
    exif = pillow_exif(exif_block())
    exif.get_ifd(EXIF)[0x9286] = b"ASCII\0\0\0text"
    exif[0x013B] = "é"
    data = exif.tobytes().removeprefix(b"Exif\0\0")
    assert b"\x86\x92\x01\0" in data  # user comment, of type BYTE, where UNDEFINED is right
    assert pillow_exif(data)[0x013B] == "?"


def test_text_keeps_its_bytes() -> None:
    file = io.BytesIO()
    text = "eine Wiese, größer".encode()
    tifffile.imwrite(file, RGB, description=text, metadata=None, software=False)
    data, lost = saved(".tif", RGB, read_metadata(file.getvalue()))
    assert lost == ()
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        assert tiff.pages[0].description == text.decode()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_big_tiff_is_read(order: str) -> None:
    file = io.BytesIO()
    tifffile.imwrite(
        *(file, RGB),
        bigtiff=True,
        byteorder=order,
        description="a meadow",
        metadata=None,
        resolution=(300, 150),
        extratags=[(700, 1, len(XMP), XMP, True), (34675, 7, len(PROFILE), PROFILE, True)],
    )
    found = read_metadata(file.getvalue())
    assert (found.icc, found.xmp, found.resolution) == (PROFILE, XMP, (300.0, 150.0))
    if order == "<":
        assert pillow_exif(found.exif)[0x010E] == "a meadow"
        assert found.lost == ()
    else:  # Pillow does not know such files
        assert found.lost == ("EXIF",)


def test_a_thumbnail_that_comes_first_is_not_what_is_asked() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB[::4, ::4], subfiletype=1, description="small", metadata=None)
        writer.write(RGB, description="a meadow", metadata=None, software="a camera")
    found = read_metadata(file.getvalue())
    assert pillow_exif(found.exif)[0x010E] == "a meadow"
    assert pillow_exif(found.exif)[0x0131] == "a camera"
    assert found.lost == ()


def test_exif_that_pillow_cannot_read_is_lost_and_said(tmp_path) -> None:
    broken = struct.pack("<IHHHII", 8, 1, EXIF, 4, 1, 7) + bytes(4)
    data, lost = saved(".tif", RGB, full(exif=b"II*\0" + broken))
    (tmp_path / "a.tif").write_bytes(data)
    assert (read_image(tmp_path / "a.tif").pixels == RGB).all()
    assert "EXIF" in lost


def test_gps_directories_are_read_from_tiff() -> None:
    data, _ = saved(".tif", RGB, full())
    found = pillow_exif(read_metadata(data).exif)
    assert found.get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("tag", RESOLUTION)
@pytest.mark.parametrize("kind", [1, 2, 3, 7, 11])
def test_a_resolution_of_another_type_costs_nothing_else(tag: int, kind: int) -> None:
    extra = [(0x8773, 7, len(PROFILE), PROFILE, True)]
    file = io.BytesIO()
    tifffile.imwrite(
        file, RGB, resolution=(300, 300), description="a meadow", extratags=extra, metadata=None
    )
    right = struct.pack("<HHI", tag, 3 if tag == RESOLUTION[2] else 5, 1)
    wrong = struct.pack("<HHI", tag, kind, 1)
    found = read_metadata(file.getvalue().replace(right, wrong))
    assert found.icc == PROFILE
    assert pillow_exif(found.exif)[0x010E] == "a meadow"


def test_xmp_and_a_profile_of_another_type_are_read() -> None:
    extra = [(0x02BC, "s", 0, XMP.decode(), True), (0x8773, 1, len(PROFILE), PROFILE, True)]
    file = io.BytesIO()
    tifffile.imwrite(file, RGB, extratags=extra, metadata=None)
    found = read_metadata(file.getvalue())
    assert (found.xmp.rstrip(b"\0"), found.icc) == (XMP, PROFILE)
