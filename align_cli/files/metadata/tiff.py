"""Metadata of TIFF: tags of its first directory, and the directories of EXIF and GPS."""

from __future__ import annotations

import re
import struct

from align_cli.files.metadata import ifd
from align_cli.files.metadata.jpeg import ifd_resolution
from align_cli.files.metadata.record import Metadata

_XMP, _ICC, _DESCRIPTION = 0x02BC, 0x8773, 0x010E
_X_RESOLUTION, _Y_RESOLUTION, _UNIT, _INCH = 0x011A, 0x011B, 0x0128, 2
_GEOREFERENCE = (33550, 33922, 34264, 34735)
_BYTE, _SHORT, _RATIONAL, _UNDEFINED = 1, 3, 5, 7
# Descriptions that say how the pixels are stored, which is no longer so.
_OF_STORAGE = (b"ImageJ=", b"<?xml")
_SHAPED = re.compile(
    rb'\{(?:"axes": "[A-Z]+", )?([^{}]*)"shape": \[[0-9, ]+\](?:, "axes": "[A-Z]+")?(.*)\}\0*',
    re.DOTALL,
)
"""What tifffile writes unless it is told not to, and whatever its user added to it; until 2025 it
wrote the shape last."""
_BIG = (b"II+\0", b"MM\0+")
_MOST = (1 << 32) - (1 << 16)
"""Bytes that offsets of 32 bits reach, with some room for tags."""


def read(data: bytes) -> Metadata:
    """Return the metadata of a TIFF file."""
    if data[:4] in _BIG:
        return Metadata(lost=("metadata of a BigTIFF",))
    directory = ifd.read(data)
    if directory is None:
        return Metadata()
    lost = []
    _, description = directory.values.get(_DESCRIPTION, (0, b""))
    if description.startswith(_OF_STORAGE):
        del directory.values[_DESCRIPTION]
        lost.append("ImageJ's or OME's description")
    elif shaped := _SHAPED.fullmatch(description):
        del directory.values[_DESCRIPTION]
        if shaped[1] or shaped[2]:
            lost.append("tifffile's description")
    if any(tag in directory.values for tag in _GEOREFERENCE):
        lost.append("GeoTIFF's georeference, which belongs to the source's grid")
    kept, notes = ifd.descriptive(directory)
    if notes:
        lost.append("maker notes")
    return Metadata(
        exif=ifd.block(kept),
        icc=directory.values.get(_ICC, (0, b""))[1],
        xmp=directory.values.get(_XMP, (0, b""))[1],
        resolution=ifd_resolution(directory),
        lost=tuple(lost),
    )


def attach(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Return a little endian TIFF file with metadata: its directory is written anew at the end."""
    size = len(data) + len(metadata.exif) + len(metadata.icc) + len(metadata.xmp)
    if ifd.byte_order(data) != "<" or size > _MOST:
        return data, tuple(metadata.kinds.values())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    own = data[start + 2 : start + 2 + 12 * count]
    found = ifd.read(metadata.exif) or ifd.Directory({}, {}, "<")
    directory, notes = ifd.descriptive(found)
    added = _tags(metadata, directory.order)
    replaced = {*directory.values, *added, *directory.children}
    kept = [
        own[at : at + 12]
        for at in range(0, len(own), 12)
        if struct.unpack_from("<H", own, at)[0] not in replaced
    ]
    directory.values.update(added)
    padding = len(data) % 2
    place = len(data) + padding
    parts: list[bytes | memoryview] = [
        data[:4],
        struct.pack("<I", place),
        memoryview(data)[8:],
        bytes(padding),
        ifd.written(directory, place, b"".join(kept)),
    ]
    return b"".join(parts), ("maker notes",) if notes else ()


def _tags(metadata: Metadata, order: str) -> dict[int, tuple[int, bytes]]:
    tags: dict[int, tuple[int, bytes]] = {}
    if metadata.icc:
        tags[_ICC] = _UNDEFINED, metadata.icc
    if metadata.xmp:
        tags[_XMP] = _BYTE, metadata.xmp
    if metadata.resolution is not None:
        across, down = (struct.pack(order + "II", *_ratio(each)) for each in metadata.resolution)
        tags[_X_RESOLUTION] = _RATIONAL, across
        tags[_Y_RESOLUTION] = _RATIONAL, down
        tags[_UNIT] = _SHORT, struct.pack(order + "H", _INCH)
    return tags


def _ratio(value: float) -> tuple[int, int]:
    """Return a rational number of two 32-bit integers that is near enough to a resolution."""
    from fractions import Fraction  # noqa: PLC0415 - rarely needed

    exact = Fraction(min(value, 4e9)).limit_denominator(1000)
    return exact.numerator, exact.denominator
