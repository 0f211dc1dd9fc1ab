"""Metadata of PNG: the chunks eXIf, iCCP, iTXt, pHYs, and gAMA with its like.

By hand, because OpenCV, which reads and writes the pixels, knows neither pHYs nor gAMA, and refuses
a profile that is longer than it says; and Pillow takes several times as long for the pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

from align_cli.files.metadata.record import INCH_PER_METRE, Metadata
from align_cli.files.png_chunks import chunk

_XMP = b"XML:com.adobe.xmp\0"
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
KINDS = (b"eXIf", b"iCCP", b"iTXt", b"pHYs", *_COLOUR)
_LARGEST_PROFILE = 1 << 24


def read(chunks: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Return what the chunks of a PNG file say, of which kind and body are given."""
    found = Metadata()
    for kind, body in chunks:
        if kind == b"eXIf" and not found.exif:
            found = found._replace(exif=body)
        elif kind == b"iCCP":
            found = found._replace(icc=_inflated(body.partition(b"\0")[2][1:]))
        elif kind == b"iTXt" and body.startswith(_XMP):
            # Behind the flag and the kind of compression stand a language and a translated keyword.
            flags, text = body[len(_XMP) :][:2], body[len(_XMP) + 2 :].split(b"\0", 2)[-1]
            found = found._replace(xmp=_inflated(text) if flags[:1] == b"\1" else text)
        elif kind == b"pHYs" and len(body) == 9 and body[8] == 1:
            across, down = struct.unpack(">II", body[:8])
            found = found._replace(resolution=(across / INCH_PER_METRE, down / INCH_PER_METRE))
        elif kind in _COLOUR:
            found = found._replace(colour=found.colour + chunk(kind, body))
    return found


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream, _LARGEST_PROFILE)
    except zlib.error:
        return b""


def chunks_of(metadata: Metadata) -> bytes:
    """Return the chunks that say it, to stand behind the header of a PNG file."""
    chunks: Mapping[bytes, bytes] = {
        b"iCCP": metadata.icc and b"ICC profile\0\0" + zlib.compress(metadata.icc),
        b"pHYs": b"" if metadata.resolution is None else _per_metre(*metadata.resolution),
        b"eXIf": metadata.exif,
        b"iTXt": metadata.xmp and _XMP + bytes(4) + metadata.xmp,
    }
    return metadata.colour + b"".join(chunk(kind, body) for kind, body in chunks.items() if body)


def _per_metre(*per_inch: float) -> bytes:
    return struct.pack(">IIB", *(round(each * INCH_PER_METRE) for each in per_inch), 1)
