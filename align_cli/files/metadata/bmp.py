"""Metadata of BMP: the resolution in its header."""

from __future__ import annotations

import struct

from align_cli.files.metadata.record import INCH_PER_METRE, Metadata

_PLACE = 38


def read(data: bytes) -> Metadata:
    """Return the metadata of a BMP file."""
    if len(data) < _PLACE + 8 or struct.unpack_from("<I", data, 14)[0] < 40:
        return Metadata()
    across, down = struct.unpack_from("<ii", data, _PLACE)
    if across <= 0 or down <= 0:
        return Metadata()
    return Metadata(resolution=(across / INCH_PER_METRE, down / INCH_PER_METRE))


def attach(data: bytes, metadata: Metadata) -> tuple[bytes, tuple[str, ...]]:
    """Return a BMP file with its resolution set."""
    if metadata.resolution is None:
        return data, ()
    changed = bytearray(data)
    densities = (round(each * INCH_PER_METRE) for each in metadata.resolution)
    struct.pack_into("<ii", changed, _PLACE, *densities)
    return bytes(changed), ()
