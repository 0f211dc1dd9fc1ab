"""Metadata of PNG: the chunks eXIf, iCCP, iTXt, pHYs, and gAMA with its like."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from align_cli.files.metadata.record import INCH_PER_METRE, Metadata

_SIGNATURE = 8
_HEADER = 8 + 25  # the signature and the IHDR chunk
_XMP = b"XML:com.adobe.xmp"
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
_LARGEST_PROFILE = 1 << 24


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield kind, body and whole of each chunk that stands complete in the file."""
    view, position = memoryview(data), _SIGNATURE
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            return
        yield kind, view[position + 8 : end - 4], view[position:end]
        position = end


def read(data: bytes) -> Metadata:
    """Return the metadata of a PNG file."""
    exif = icc = xmp = colour = b""
    resolution = None
    for kind, body, whole in _chunks(data):
        if kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"iCCP":
            icc = _profile(bytes(body))
        elif kind == b"iTXt" and bytes(body[: len(_XMP) + 1]) == _XMP + b"\0":
            xmp = _text(bytes(body))
        elif kind == b"pHYs" and len(body) == 9 and body[8] == 1:
            across, down = struct.unpack(">II", body[:8])
            resolution = across / INCH_PER_METRE, down / INCH_PER_METRE
        elif kind in _COLOUR:
            colour += bytes(whole)
    return Metadata(exif=exif, icc=icc, xmp=xmp, resolution=resolution, colour=colour)


def _profile(body: bytes) -> bytes:
    name, _, rest = body.partition(b"\0")
    del name
    try:
        return zlib.decompressobj().decompress(rest[1:], _LARGEST_PROFILE)
    except zlib.error:
        return b""


def _text(body: bytes) -> bytes:
    """Return the text of an iTXt chunk, whose language and translated keyword are skipped."""
    rest = body[len(_XMP) + 1 :]
    compressed, rest = rest[:1] == b"\1", rest[2:]
    text = rest.split(b"\0", 2)[-1]
    try:
        return zlib.decompressobj().decompress(text, _LARGEST_PROFILE) if compressed else text
    except zlib.error:
        return b""


def attach(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Return a PNG file with metadata behind its header."""
    chunks = [metadata.colour]
    if metadata.icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.resolution is not None:
        across, down = (round(each * INCH_PER_METRE) for each in metadata.resolution)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append(_chunk(b"iTXt", _XMP + b"\0" * 5 + metadata.xmp))
    view = memoryview(data)
    return b"".join([view[:_HEADER], *chunks, view[_HEADER:]]), ()


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
