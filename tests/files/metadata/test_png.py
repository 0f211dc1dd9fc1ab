"""The metadata chunks of PNG that OpenCV does not know, as Pillow sees them."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from align_cli.files.metadata import png
from align_cli.files.metadata.record import NOTHING, Metadata
from align_cli.files.quiet import no_libpng_on_stderr, silent_opencv
from tests.files.metadata.examples import PROFILE, RGB, UPRIGHT_XMP, full, read_metadata, saved


def test_png_gamma_goes_from_png_to_png_only() -> None:
    gamma = struct.pack(">I", 4) + b"gAMA" + struct.pack(">I", 100000)
    gamma += struct.pack(">I", zlib.crc32(gamma[4:]))
    data, lost = saved(".png", RGB, Metadata(colour=gamma))
    assert lost == ()
    assert Image.open(io.BytesIO(data)).info["gamma"] == 1.0
    assert read_metadata(data).colour == gamma
    assert saved(".tif", RGB, Metadata(colour=gamma))[1] == ("PNG gamma",)


@pytest.mark.parametrize("compressed", [False, True])
def test_text_by_pillow_is_read(compressed: bool) -> None:
    file, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", UPRIGHT_XMP.decode(), "en", "XMP", zip=compressed)
    info.add_itxt("Comment", "not this one")
    Image.fromarray(RGB).save(file, "PNG", pnginfo=info, dpi=(300, 150), icc_profile=PROFILE)
    found = read_metadata(file.getvalue())
    assert (found.xmp, found.icc) == (UPRIGHT_XMP, PROFILE)
    np.testing.assert_allclose(found.resolution, (300, 150), atol=0.0127)


def test_what_was_written_is_written_again_to_the_byte() -> None:
    data, _ = saved(".png", RGB, full())
    assert saved(".png", RGB, read_metadata(data))[0] == data


def test_why_chunks_are_written_by_hand() -> None:
    """When this fails, OpenCV may do it: a profile that is longer than it says itself."""
    profile = np.frombuffer(PROFILE + bytes(9), np.uint8)
    with silent_opencv, no_libpng_on_stderr:
        done, _ = cv2.imencodeWithMetadata(".png", RGB, [cv2.IMAGE_METADATA_ICCP], [profile])
    assert not done
    data, lost = saved(".png", RGB, Metadata(icc=profile.tobytes()))
    assert lost == ()
    assert read_metadata(data).icc == profile.tobytes()


def test_broken_chunks_count_as_none() -> None:
    broken = [(b"iCCP", b"name\0\0junk"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0junk")]
    assert png.read([*broken, (b"pHYs", b"\0"), (b"iCCP", b"")]) == NOTHING


def test_the_first_of_two_exif_chunks_counts() -> None:
    assert png.read([(b"eXIf", b"first"), (b"eXIf", b"second")]).exif == b"first"
