"""EXIF blocks: which way up the picture was stored, and the same block for another picture.

By hand, because a block is changed where it stands. Pillow's ``Image.Exif`` writes one anew, and
whatever a camera's maker note points to, by offsets that nobody else knows, is elsewhere then.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

EXIF, GPS = 0x8769, 0x8825
MAKER_NOTE = 0x927C
RESOLUTION = 0x011A, 0x011B, 0x0128
"""The tags of pixels across and down, and of their unit."""

UPRIGHT = 1
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0xA002, 0xA003
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_FORMS = {3: "H", 4: "I"}
_SHORT, _LONG = _FORMS


def _entries(
    block: bytes, order: str, start: int, of: int = 0
) -> Iterator[tuple[int, int, int, int]]:
    """Yield each entry of the directory at ``start``, then of the EXIF directory that it points to.

    That is: ``of`` (0, or EXIF for the inner directory), the tag, its position, and its value where
    that is one whole number, else 0.

    Raises:
        struct.error: where the block ends too early.
    """
    child = 0
    (count,) = struct.unpack_from(order + "H", block, start)
    for position in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, raw = struct.unpack_from(order + "HHI4s", block, position)
        whole = length == 1 and kind in _FORMS
        value = struct.unpack_from(order + _FORMS[kind], raw)[0] if whole else 0
        yield of, tag, position, value
        if tag == EXIF and not of:
            child = value
    if child:  # one: hostile files have thousands that are alike
        yield from _entries(block, order, child, EXIF)


def _opened(block: bytes) -> tuple[str, int]:
    """Return the byte order of a block and where its first directory stands."""
    order = _ORDERS.get(block[:4])
    if order is None:
        raise struct.error("no byte order")
    (start,) = struct.unpack_from(order + "I", block, 4)
    return order, start


def orientation(block: bytes) -> int:
    """Return the orientation (1 to 8) that an EXIF block states, 1 where it states none.

    A broken block counts as none: it must not keep anybody from reading the pixels.
    """
    block = block.removeprefix(b"Exif\0\0")
    try:
        for of, tag, _, value in _entries(block, *_opened(block)):
            if tag == _ORIENTATION and not of and UPRIGHT <= value <= 8:
                return value
    except struct.error:
        pass
    return UPRIGHT


def per_inch(across: float, down: float, unit: int) -> tuple[float, float] | None:
    """Return a resolution in pixels per inch (unit 2) or cm (unit 3); None for another unit."""
    scale = {2: 1.0, 3: 2.54}.get(unit, 0.0)
    return (across * scale, down * scale) if across > 0 and down > 0 and scale else None


def has_maker_notes(block: bytes) -> bool:
    """Tell whether there are any; of a sound block."""
    found = _entries(block, *_opened(block))
    return any(of and tag == MAKER_NOTE for of, tag, _, _ in found)


def renewed(block: bytes, width: int, height: int) -> bytes:
    """Return an EXIF block for a picture that is upright and has another size.

    The orientation becomes 1, width and height become true, and the thumbnail, which shows what
    was, is no longer pointed to. Empty where the block is broken: that helps nobody.
    """
    changed = bytearray(block)
    sides = {_WIDTH: width, _HEIGHT: height}
    try:
        order, start = _opened(block)
        for of, tag, position, _ in _entries(block, order, start):
            if tag == _ORIENTATION and not of:
                struct.pack_into(order + "HIHH", changed, position + 2, _SHORT, 1, UPRIGHT, 0)
            elif tag in sides and of:
                struct.pack_into(order + "HII", changed, position + 2, _LONG, 1, sides[tag])
        (count,) = struct.unpack_from(order + "H", block, start)
        end = start + 2 + 12 * count
        if end + 4 <= len(block):
            struct.pack_into(order + "I", changed, end, 0)
    except struct.error:
        return b""
    return bytes(changed)
