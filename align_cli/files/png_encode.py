"""Write PNG: rows are filtered by numpy and compressed by zlib, a strip of rows on each core.

A PNG's pixels are one zlib stream. Each strip is compressed by itself up to the end of a byte
(zlib's sync flush), so that the strips, one after the other, are that stream; each is an IDAT chunk
of its own. How a picture is cut does not depend on the cores: same pixels, same bytes.

Photographs are filtered by Average and then only Huffman coded: noise leaves nothing to be found
twice, and to look for it takes longer and makes the file larger. Strips with areas of one colour
are coded by run lengths too. Beside OpenCV's own default (Sub, run lengths) a photograph takes four
fifths of the time on one core, and 8 % less room.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from align_cli.files.pixels import Indexed, Pixels
from align_cli.files.png_chunks import (
    END,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    Header,
    chunk,
    start,
)
from align_cli.files.png_filters import (
    AVERAGE,
    NONE,
    Bytes,
    Neighbours,
    best_filtered,
    filtered,
)
from align_cli.workers import Workers, available_cores

_COLOURS: Final = {1: GREY, 2: GREY_ALPHA, 3: RGB, 4: RGBA}

STRIP_BYTES: Final = 1 << 18
"""Of rows as they are, about: with all that is made of them they stay in the cache."""

_QUICK_LEVEL, _SMALL_LEVEL = 1, 6

_RUNS_SHARE: Final = 0.05
"""Where fewer bytes than this begin a run of four equal ones, run lengths save less than 2 %
of the room and take a quarter more of the time."""

_MOST_SAMPLED_ROWS: Final = 8

_MEMORY_LEVEL: Final = 9
"""zlib's largest, which makes the longest blocks."""

_RAW_DEFLATE: Final = -15
"""zlib's largest window, and no header: that is written once for all strips."""

_STREAM_START: Final = b"\x78\x01"
_ADLER_BASE: Final = 65521


class _Strip(NamedTuple):
    """Some compressed rows; checksum (Adler-32) and length are those of the filtered rows."""

    data: bytes
    checksum: int
    length: int


def encode(picture: Pixels | Indexed, *, small: bool = False) -> bytes:
    """Return the bytes of a PNG file.

    Args:
        picture: (H, W) or (H, W, 2 to 4), uint8 or uint16; or one with a palette.
        small: spend several times the time on a smaller file.
    """
    palette = b""
    if isinstance(picture, Indexed):
        palette = chunk(b"PLTE", picture.colours[:, :3].tobytes())
        if picture.colours.shape[1] == 4:
            palette += chunk(b"tRNS", picture.colours[:, 3].tobytes())
        picture = picture.indices
    height, width = picture.shape[:2]
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    colour = PALETTE if palette else _COLOURS[channels]
    rows = max(1, STRIP_BYTES // picture[0].nbytes)
    tops = range(0, height, rows)

    def strip(top: int) -> _Strip:
        near = _neighbours(picture, top, top + rows, channels)
        last = top == tops[-1]
        # The number of a colour says nothing of its neighbours'.
        ready = filtered(near, NONE if palette else AVERAGE)
        quick = _compressed(ready, _QUICK_LEVEL, _quick_strategy(ready), last=last)
        if not small:
            return quick
        ready = ready if palette else best_filtered(near)
        patient = _compressed(ready, _SMALL_LEVEL, zlib.Z_DEFAULT_STRATEGY, last=last)
        # Noise grows by any attempt to compress it.
        return min(quick, patient, key=lambda strip: len(strip.data))

    with Workers(available_cores()) as workers:
        strips = workers.map(strip, tops)
    header = Header(width, height, 8 * picture.dtype.itemsize, colour)
    return b"".join([start(header), palette, *_chunks(strips), END])


def _neighbours(pixels: Pixels, top: int, bottom: int, channels: int) -> Neighbours:
    """Return the bytes of some rows, high bytes first, beside their neighbours."""
    above = min(top, 1)
    stored = pixels[top - above : bottom].astype(pixels.dtype.newbyteorder(">"), order="C")
    rows = stored.reshape(len(stored), -1).view(np.uint8)
    pixel_bytes = channels * pixels.dtype.itemsize
    return Neighbours.of(rows[above:], rows[0] if above else None, pixel_bytes)


def _quick_strategy(rows: Bytes) -> int:
    sample = rows[:: max(1, len(rows) // _MOST_SAMPLED_ROWS)]
    equal = sample[:, 1:] == sample[:, :-1]
    runs = equal[:, 2:] & equal[:, 1:-1] & equal[:, :-2]  # of four
    return zlib.Z_RLE if runs.sum() >= _RUNS_SHARE * sample.size else zlib.Z_HUFFMAN_ONLY


def _compressed(rows: Bytes, level: int, strategy: int, *, last: bool) -> _Strip:
    packer = zlib.compressobj(level, zlib.DEFLATED, _RAW_DEFLATE, _MEMORY_LEVEL, strategy)
    end = zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
    data = packer.compress(rows.data) + packer.flush(end)
    return _Strip(data, zlib.adler32(rows.data), rows.nbytes)


def _chunks(strips: Sequence[_Strip]) -> list[bytes]:
    """Return the IDAT chunks of all strips, which together hold one zlib stream."""
    checksum = zlib.adler32(b"")
    for each in strips:
        checksum = _joined_checksum(checksum, each)
    bodies = [each.data for each in strips]
    bodies[0] = _STREAM_START + bodies[0]
    bodies[-1] += struct.pack(">I", checksum)
    return [chunk(b"IDAT", body) for body in bodies]


def _joined_checksum(checksum: int, following: _Strip) -> int:
    """Return the Adler-32 of what ``checksum`` is that of, and a strip after it (RFC 1950).

    Its low half is 1 and the sum of all bytes, its high half the sum of those sums after every
    byte: each of the strip's own sums, which began with 1, lacks what came before.
    """
    before, before_sums = checksum & 0xFFFF, checksum >> 16
    own, own_sums = following.checksum & 0xFFFF, following.checksum >> 16
    low = (before + own - 1) % _ADLER_BASE
    high = (before_sums + own_sums + following.length * (before - 1)) % _ADLER_BASE
    return high << 16 | low
