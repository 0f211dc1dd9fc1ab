"""Metadata of JPEG: the segments APP0 (JFIF), APP1 (EXIF, XMP) and APP2 (ICC profile)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from align_cli.files.metadata import ifd
from align_cli.files.metadata.record import Metadata

_APP0, _APP1, _APP2, _SCAN = 0xE0, 0xE1, 0xE2, 0xDA
_JFIF, _EXIF = b"JFIF\0", b"Exif\0\0"
_XMP, _ICC = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_MOST = 65_533
"""Bytes in a segment."""

_PER_INCH, _PER_CM = 1, 2


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield marker, position and body of each segment before the pixels."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker == _SCAN:
            return
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, position, data[position + 4 : position + 2 + length]
        position += 2 + length


def read(data: bytes) -> Metadata:
    """Return the metadata of a JPEG file."""
    exif = xmp = b""
    profile: dict[int, bytes] = {}
    resolution = None
    for marker, _, body in _segments(data):
        if marker == _APP0 and body.startswith(_JFIF) and len(body) >= 12:
            resolution = _density(*struct.unpack_from(">BHH", body, 7))
        elif marker == _APP1 and body.startswith(_EXIF) and not exif:
            exif = body.removeprefix(_EXIF)
        elif marker == _APP1 and body.startswith(_XMP):
            xmp = body.removeprefix(_XMP)
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]
    directory = ifd.read(exif)
    if resolution is None and directory is not None:
        resolution = ifd_resolution(directory)
    icc = b"".join(profile[number] for number in sorted(profile))
    return Metadata(exif=exif, icc=icc, xmp=xmp, resolution=resolution)


def _density(unit: int, across: int, down: int) -> tuple[float, float] | None:
    if unit not in (_PER_INCH, _PER_CM) or not across or not down:
        return None
    scale = 2.54 if unit == _PER_CM else 1.0
    return across * scale, down * scale


def ifd_resolution(directory: ifd.Directory) -> tuple[float, float] | None:
    """Return pixels per inch of a TIFF directory, None where they have no unit."""
    across, down = directory.rational(0x011A), directory.rational(0x011B)
    unit = directory.number(0x0128)
    scale = {None: 1.0, 2: 1.0, 3: 2.54}.get(unit)
    if not across or not down or scale is None:
        return None
    return across * scale, down * scale


def attach(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Return a JPEG file with metadata behind its JFIF segment, and what is too long for it."""
    changed = bytearray(data[:20])
    start = 2
    if data[2:4] == b"\xff\xe0" and data[6:11] == _JFIF:
        start = 20
        if metadata.resolution is not None:
            densities = (min(max(round(each), 1), 65_535) for each in metadata.resolution)
            struct.pack_into(">BHH", changed, 13, _PER_INCH, *densities)
    segments = []
    too_long = []
    for kind, head, content in (("exif", _EXIF, metadata.exif), ("xmp", _XMP, metadata.xmp)):
        if len(head) + len(content) > _MOST:
            too_long.append(f"{metadata.kinds[kind]} (too long for JPEG)")
        elif content:
            segments.append(_segment(_APP1, head + content))
    room = _MOST - len(_ICC) - 2
    parts = [metadata.icc[at : at + room] for at in range(0, len(metadata.icc), room)]
    for number, part in enumerate(parts, start=1):
        segments.append(_segment(_APP2, _ICC + bytes([number, len(parts)]) + part))
    return b"".join([changed[:start], *segments, memoryview(data)[start:]]), tuple(too_long)


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
