"""PGM and PPM, plain and raw.

Read by hand: Pillow cuts 16-bit colour to 8 bit, and OpenCV calls a plain file truncated that ends
with its last number, and takes a largest value other than 255 or 65535 for no white.
"""

from __future__ import annotations

import re

import numpy as np

from align_cli.files.errors import damaged, truncated
from align_cli.files.limits import check_size
from align_cli.files.pixels import Decoded, Pixels, full_scale

_CHANNELS = {b"P2": 1, b"P3": 3, b"P5": 1, b"P6": 3}
_PLAIN = (b"P2", b"P3")
# Between the words of a header lies white space, with comments that run to the end of a line.
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(
    rb"(P[2356])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s"
)

_COMMENT = re.compile(rb"#[^\r\n]*")


def decoded(data: bytes, max_megapixels: float) -> Decoded:
    """Return the (H, W) or (H, W, 3) picture in PGM or PPM ``data``: uint8, or uint16 above 255.

    A largest value other than 255 or 65535 means white too: values are scaled to the full range
    of the dtype, to the nearest integer.

    Raises:
        ContentError: if it is truncated, damaged, empty or too large.
    """
    found = _HEADER.match(data)
    if found is None:
        raise damaged("no PGM or PPM header")
    magic = found[1]
    width, height, largest = (int(found[index]) for index in (2, 3, 4))
    check_size(width, height, max_megapixels)
    if not 1 <= largest <= 65535:
        raise damaged(f"the largest value is {largest}, not within 1 to 65535")
    count = width * height * _CHANNELS[magic]
    body = data[found.end() :]
    stored = _plain(body, count) if magic in _PLAIN else _raw(body, count, largest)
    if stored.max() > largest:
        raise damaged(f"a value is above the largest, {largest}")
    shape = (height, width, 3) if _CHANNELS[magic] == 3 else (height, width)
    return Decoded(_to_full_range(stored, largest).reshape(shape))


def _raw(body: bytes, count: int, largest: int) -> Pixels:
    kind = np.dtype(">u2" if largest > 255 else "u1")
    if len(body) < count * kind.itemsize:
        raise truncated("pixels are missing")
    return np.frombuffer(body, kind, count)


def _plain(body: bytes, count: int) -> Pixels:
    words = _COMMENT.sub(b"", body).split()
    if len(words) < count:
        raise truncated("pixels are missing")
    try:
        values = np.array(words[:count]).astype(np.int64)
    except ValueError as error:
        raise damaged("a pixel is not a number") from error
    if values.min() < 0:
        raise damaged("a pixel is negative")
    return values


def _to_full_range(stored: Pixels, largest: int) -> Pixels:
    dtype, full = (np.uint16, 65535) if largest > 255 else (np.uint8, 255)
    if largest == full:
        return stored.astype(dtype)
    # Every stored value through a table; 65535 * 65535 needs more than 32 bits.
    table = (np.arange(largest + 1, dtype=np.int64) * full + largest // 2) // largest
    scaled: Pixels = table.astype(dtype)[stored]
    return scaled


def encode(pixels: Pixels) -> bytes:
    """Return raw PGM bytes of (H, W), raw PPM bytes of (H, W, 3); uint8 or uint16."""
    height, width = pixels.shape[:2]
    magic = "P5" if pixels.ndim == 2 else "P6"
    header = f"{magic}\n{width} {height}\n{full_scale(pixels)}\n"
    return header.encode("ascii") + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
