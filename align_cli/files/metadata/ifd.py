"""TIFF's directories of tags, which EXIF and TIFF files share: read, change, and write anew."""

from __future__ import annotations

import struct
from typing import NamedTuple

EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
CHILDREN = (EXIF, GPS, INTEROPERABILITY)
ORIENTATION, WIDTH, HEIGHT = 0x0112, 0xA002, 0xA003
MAKER_NOTE = 0x927C
# Image description, make, model, software, date, artist, host computer, copyright.
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
# Bytes of one number (rationals are two), and of one value, of each type.
_NUMBER = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}
_VALUE = {**_NUMBER, 5: 8, 10: 8}
_SHORT, _LONG = 3, 4
_LARGEST = 1 << 24


class Directory(NamedTuple):
    """One directory.

    Attributes:
        values: tag -> (type, bytes in the order of ``order``).
        children: tag -> the directory that it points to.
        order: "<" or ">".
    """

    values: dict[int, tuple[int, bytes]]
    children: dict[int, Directory]
    order: str

    def number(self, tag: int) -> int | None:
        """The one whole number of a tag, or None."""
        kind, raw = self.values.get(tag, (0, b""))
        form = {_SHORT: "H", _LONG: "I"}.get(kind)
        if form is None or len(raw) != _VALUE[kind]:
            return None
        return int(struct.unpack(self.order + form, raw)[0])

    def rational(self, tag: int) -> float | None:
        """The one rational number of a tag, or None."""
        kind, raw = self.values.get(tag, (0, b""))
        if kind != 5 or len(raw) != 8:
            return None
        above, below = struct.unpack(self.order + "II", raw)
        return above / below if below else None


def byte_order(block: bytes) -> str | None:
    """Return "<" or ">" for a block that begins like a TIFF file, else None."""
    return _ORDERS.get(block[:4])


def read(block: bytes) -> Directory | None:
    """Return the first directory of a TIFF structure with its children; None if it is broken."""
    order = byte_order(block)
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        return _read(block, start, order, depth=0)
    except (struct.error, ValueError):
        return None


def _read(block: bytes, start: int, order: str, depth: int) -> Directory:
    directory = Directory({}, {}, order)
    for position in _entries(block, start, order):
        tag, kind, count = struct.unpack_from(order + "HHI", block, position)
        size = _VALUE.get(kind, 0) * count
        if size == 0 or size > _LARGEST:
            continue
        place = position + 8
        if size > 4:
            (place,) = struct.unpack_from(order + "I", block, place)
        raw = bytes(block[place : place + size])
        if len(raw) != size:
            continue
        if tag in CHILDREN:
            if depth < 2 and size == 4:
                (child,) = struct.unpack(order + "I", raw)
                directory.children[tag] = _read(block, child, order, depth + 1)
            continue
        directory.values[tag] = kind, raw
    return directory


def _entries(block: bytes, start: int, order: str) -> range:
    """Where the entries of the directory at ``start`` stand."""
    (count,) = struct.unpack_from(order + "H", block, start)
    if start + 2 + 12 * count > len(block):
        raise ValueError("the directory ends beyond the block")
    return range(start + 2, start + 2 + 12 * count, 12)


def renewed(exif: bytes, width: int, height: int) -> bytes:
    """Return an EXIF block for a picture that is upright and has another size.

    Changed where it stands, so that maker notes, whose offsets nobody knows, stay right: the
    orientation becomes 1, width and height become true, and the thumbnail, which shows what was, is
    no longer pointed to.
    """
    order = byte_order(exif)
    if order is None:
        return b""
    changed = bytearray(exif)
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        last = start
        for position in _entries(exif, start, order):
            tag, kind, count = struct.unpack_from(order + "HHI", exif, position)
            if tag == ORIENTATION:
                struct.pack_into(order + "HIHH", changed, position + 2, _SHORT, 1, 1, 0)
            if tag == EXIF and kind == _LONG and count == 1:
                (child,) = struct.unpack_from(order + "I", exif, position + 8)
                for inner in _entries(exif, child, order):
                    (tag,) = struct.unpack_from(order + "H", exif, inner)
                    side = {WIDTH: width, HEIGHT: height}.get(tag)
                    if side is not None:
                        struct.pack_into(order + "HII", changed, inner + 2, _LONG, 1, side)
            last = position + 12
        if last + 4 <= len(exif) and last != start:
            struct.pack_into(order + "I", changed, last, 0)
    except (struct.error, ValueError):
        return b""  # a broken block helps nobody
    return bytes(changed)


def descriptive(directory: Directory) -> tuple[Directory, bool]:
    """Return what of a directory is about the picture, not about how the file stores it.

    Without maker notes, whose offsets would be wrong; second is whether there were any.
    """
    kept = Directory({}, {}, directory.order)
    for tag in _DESCRIPTIVE:
        if tag in directory.values:
            kept.values[tag] = directory.values[tag]
    notes = False
    for tag, child in directory.children.items():
        notes |= MAKER_NOTE in child.values
        values = {key: value for key, value in child.values.items() if key != MAKER_NOTE}
        kept.children[tag] = Directory(values, child.children, child.order)
    return kept, notes


def block(directory: Directory) -> bytes:
    """Return a directory as an EXIF block; empty where it holds nothing."""
    if not directory.values and not directory.children:
        return b""
    return b"II*\0" + struct.pack("<I", 8) + written(directory, 8)


def written(directory: Directory, place: int, pointers: bytes = b"") -> bytes:
    """Return the bytes of a directory and its children that are to stand at ``place``.

    Args:
        directory: in any byte order; the bytes are little endian.
        place: an even offset from the beginning of the structure.
        pointers: entries (12 bytes each, little endian) that are taken as they are.
    """
    taken = [pointers[start : start + 12] for start in range(0, len(pointers), 12)]
    count = len(directory.values) + len(directory.children) + len(taken)
    room = place + 2 + 12 * count + 4  # of what does not fit into an entry
    entries, outside = [*taken], bytearray()
    for tag, (kind, raw) in directory.values.items():
        value = _little_endian(raw, kind, directory.order)
        head = struct.pack("<HHI", tag, kind, len(raw) // _VALUE[kind])
        if len(value) <= 4:
            entries.append(head + value.ljust(4, b"\0"))
            continue
        entries.append(head + struct.pack("<I", room + len(outside)))
        outside += value + b"\0" * (len(value) % 2)
    for tag, child in directory.children.items():
        entries.append(struct.pack("<HHII", tag, _LONG, 1, room + len(outside)))
        outside += written(child, room + len(outside))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2]))
    return struct.pack("<H", count) + b"".join(entries) + bytes(4) + bytes(outside)


def _little_endian(raw: bytes, kind: int, order: str) -> bytes:
    step = _NUMBER[kind]
    if order == "<" or step == 1:
        return raw
    return b"".join(raw[start : start + step][::-1] for start in range(0, len(raw), step))
