"""What a PNG file is made of, for the one who reads it and the one who writes it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from align_cli.files.errors import damaged, truncated

SIGNATURE = b"\x89PNG\r\n\x1a\n"


_HEADER = ">IIBBBBB"


class Colour(IntEnum):
    """The kinds of colour."""

    GREY = 0
    RGB = 2
    PALETTE = 3
    GREY_ALPHA = 4
    RGBA = 6


class Header(NamedTuple):
    """The IHDR chunk; ``colour`` is of :class:`Colour` in a sound file."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int = 0
    filtering: int = 0
    interlacing: int = 0


def walk(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and whole of each chunk to the last: the only place that trusts no length.

    Raises:
        ContentError: where the file ends before that.
    """
    view, position, kind = memoryview(data), len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 8 > len(data):
            raise truncated("the file ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            if not kind.isalpha():
                raise damaged("a chunk without a name")
            raise truncated("the file ends within a chunk")
        yield kind, view[position:end]
        position = end


def sound(whole: memoryview) -> bool:
    """Tell whether the checksum at the end of a chunk is right."""
    return whole[-4:] == zlib.crc32(whole[4:-4]).to_bytes(4, "big")


def header_of(body: bytes) -> Header:
    """Return what the body of an IHDR chunk says.

    Raises:
        ContentError: if it has another length.
    """
    if len(body) != struct.calcsize(_HEADER):
        raise damaged("no PNG header")
    return Header(*struct.unpack(_HEADER, body))


def start(header: Header) -> bytes:
    """Return the signature and the IHDR chunk."""
    return SIGNATURE + chunk(b"IHDR", struct.pack(_HEADER, *header))


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)])


END = chunk(b"IEND", b"")
