"""Metadata of WebP: the RIFF chunks ICCP, EXIF and XMP, announced in a chunk VP8X."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from align_cli.files.metadata.record import Metadata

_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x20, 0x10, 0x08, 0x04
_LOSSLESS = 0x2F


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def read(data: bytes) -> Metadata:
    """Return the metadata of a WebP file."""
    found = {kind: body for kind, body in _chunks(data) if kind in (b"ICCP", b"EXIF", b"XMP ")}
    return Metadata(
        exif=found.get(b"EXIF", b"").removeprefix(b"Exif\0\0"),
        icc=found.get(b"ICCP", b""),
        xmp=found.get(b"XMP ", b""),
    )


def attach(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Return a lossless WebP file with metadata around its pixels."""
    pixels = next((body for kind, body in _chunks(data) if kind == b"VP8L"), b"")
    if not pixels or pixels[0] != _LOSSLESS:
        return data, tuple(metadata.kinds.values())
    (bits,) = struct.unpack_from("<I", pixels, 1)
    width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    flags = (
        (_ICC_FLAG if metadata.icc else 0)
        | (_ALPHA_FLAG if alpha else 0)
        | (_EXIF_FLAG if metadata.exif else 0)
        | (_XMP_FLAG if metadata.xmp else 0)
    )
    sides = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]  # less 1, 24 bits each
    parts = [
        (b"VP8X", struct.pack("<I", flags) + sides),
        (b"ICCP", metadata.icc),
        (b"VP8L", pixels),
        (b"EXIF", metadata.exif),
        (b"XMP ", metadata.xmp),
    ]
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2)
        for kind, part in parts
        if part
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body, ()
