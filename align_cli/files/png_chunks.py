"""What a PNG file is made of, for the one who reads it and the one who writes it."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""The kinds of colour."""


class Header(NamedTuple):
    """The IHDR chunk."""

    width: int
    height: int
    depth: int
    colour: int
    interlacing: int = 0


def start(header: Header) -> bytes:
    """Return the signature and the IHDR chunk."""
    fields = (header.width, header.height, header.depth, header.colour, 0, 0, header.interlacing)
    return SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)])


END = chunk(b"IEND", b"")
