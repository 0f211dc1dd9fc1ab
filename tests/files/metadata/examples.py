"""Metadata as other programs write it, for the tests of each format."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from align_cli.files.images import encode_with_metadata, read_image
from align_cli.files.metadata.exif import EXIF, GPS
from align_cli.files.metadata.record import Metadata

RGB = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:li tiff:Orientation="6"/></x:xmpmeta>'
UPRIGHT_XMP = XMP.replace(b'"6"', b'"1"')
MAKE, MODEL, DATE, FOCAL_LENGTH, MAKER_NOTE = 0x010F, 0x0110, 0x9003, 0x920A, 0x927C
WIDTH, HEIGHT = 0xA002, 0xA003
LATITUDE = (48.0, 51.0, 29.6)


def exif_block(*, notes: bool = False, order: str = "<") -> bytes:
    """What a camera writes: orientation, EXIF and GPS directories, perhaps maker notes."""
    exif = Image.Exif()
    exif.endian = order
    exif[MAKE], exif[MODEL], exif[0x0112] = "Maker", "Model 7", 6
    inner = exif.get_ifd(EXIF)
    inner[DATE], inner[FOCAL_LENGTH] = "2024:01:02 03:04:05", TiffImagePlugin.IFDRational(35, 10)
    inner[WIDTH], inner[HEIGHT] = 4000, 3000
    if notes:
        inner[MAKER_NOTE] = b"Maker\0" + bytes(range(40))
    gps = exif.get_ifd(GPS)
    gps[1], gps[2] = "N", tuple(TiffImagePlugin.IFDRational(each) for each in LATITUDE)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def by_hand(place: int, entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """A directory from the standard, with no library."""
    outside, lines = b"", struct.pack("<H", len(entries))
    for tag, kind, count, raw in sorted(entries):
        value = raw.ljust(4, b"\0")
        if len(raw) > 4:
            value = struct.pack("<I", place + 6 + 12 * len(entries) + len(outside))
            outside += raw + bytes(len(raw) % 2)
        lines += struct.pack("<HHI", tag, kind, count) + value
    return lines + bytes(4) + outside


def full(**changes: Any) -> Metadata:
    parts = {"exif": exif_block(), "icc": PROFILE, "xmp": XMP, "resolution": (300.0, 150.0)}
    return Metadata(**{**parts, **changes})


def saved(suffix: str, pixels: np.ndarray, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    return encode_with_metadata(f"a{suffix}", pixels, metadata)


def dpi(image: Image.Image) -> list[float]:
    return [float(each) for each in image.info["dpi"]]


def read_metadata(data: bytes) -> Metadata:
    """What is read of a file with these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(data)
        return read_image(path).metadata
