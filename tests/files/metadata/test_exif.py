"""EXIF blocks are changed where they stand; Pillow says what is in them."""

from __future__ import annotations

import io
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from align_cli.files.metadata.exif import EXIF, has_maker_notes, orientation, renewed
from tests.files.metadata.examples import (
    HEIGHT,
    MAKER_NOTE,
    RGB,
    WIDTH,
    by_hand,
    exif_block,
    full,
    saved,
)


def test_the_thumbnail_of_what_was_is_not_shown() -> None:
    block = bytearray(exif_block())
    (start,) = struct.unpack_from("<I", block, 4)
    (count,) = struct.unpack_from("<H", block, start)
    struct.pack_into("<I", block, start + 2 + 12 * count, len(block))
    block += struct.pack("<HHHII", 1, 0x0201, 4, 1, 1234) + bytes(4)
    changed = renewed(bytes(block), 40, 30)
    assert struct.unpack_from("<I", changed, start + 2 + 12 * count) == (0,)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_maker_notes_stay_where_they_are(suffix: str) -> None:
    """What stands in them are offsets from the beginning of the block, of things behind it."""
    block = exif_block(notes=True)
    assert has_maker_notes(block)
    assert not has_maker_notes(exif_block())
    data, lost = saved(suffix, RGB, full(exif=block + b"what the note points to"))
    assert lost == (("resolution",) if suffix == ".webp" else ())
    image = Image.open(io.BytesIO(data))
    assert image.getexif().get_ifd(EXIF)[MAKER_NOTE][:5] == b"Maker"
    written = image.info["exif"].removeprefix(b"Exif\0\0")
    assert written.index(b"Maker\0\0") == block.index(b"Maker\0\0")
    assert written[len(block) :] == b"what the note points to"


def test_why_a_block_is_changed_where_it_stands() -> None:
    """When this fails, Pillow may do it."""
    block = b"II*\0" + struct.pack("<IHHHII", 8, 1, EXIF, 4, 1, 100) + bytes(4)
    block = block.ljust(100, b"\0") + by_hand(100, [(MAKER_NOTE, 7, 10, b"Maker12345")])
    exif = Image.Exif()
    exif.load(block)
    exif[0x0112] = 1
    anew = exif.tobytes().removeprefix(b"Exif\0\0")
    assert anew.index(b"Maker12345") != block.index(b"Maker12345")
    assert renewed(block, 4, 3) == block


def test_what_a_block_says_becomes_true() -> None:
    exif = Image.Exif()
    exif.load(renewed(exif_block(), 12, 34))
    inner = exif.get_ifd(EXIF)
    assert (exif[0x0112], inner[WIDTH], inner[HEIGHT]) == (1, 12, 34)


@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=300))
def test_no_bytes_break_it(mark: bytes, junk: bytes) -> None:
    changed = renewed(mark + junk, 4, 3)
    assert len(changed) in (0, len(mark + junk))
    if changed:
        has_maker_notes(changed)


def test_a_directory_of_nothing_but_pointers_to_itself_takes_no_time() -> None:
    entries = struct.pack("<HHII", EXIF, 4, 1, 8) * 65_535
    exif = b"II*\0" + struct.pack("<IH", 8, 65_535) + entries + bytes(4)
    started = time.perf_counter()
    assert orientation(exif) == 1
    assert renewed(exif, 4, 3) == exif
    assert time.perf_counter() - started < 10.0


def block(order, value, kind=3, count=1, before=()):
    """An EXIF block by hand: header, one directory, the orientation as its last entry."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = [struct.pack(order + "HHI4s", tag, 3, 1, b"\7\7\7\7") for tag in before]
    number = struct.pack(order + ("H2x" if kind == 3 else "I"), value)
    entries.append(struct.pack(order + "HHI", 0x0112, kind, count) + number)
    return mark + struct.pack(order + "IH", 8, len(entries)) + b"".join(entries)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("kind", [3, 4])
def test_stated_orientation_is_found(order, prefix, kind):
    for value in range(1, 9):
        exif = prefix + block(order, value, kind, before=(0x010F, 0x0110))
        assert orientation(exif) == value


def test_nonsense_counts_as_upright():
    exif = block("<", 6)
    for bad in (b"", b"junk", exif[:12], exif[:-3], block("<", 9), block("<", 0)):
        assert orientation(bad) == 1
    assert orientation(block("<", 6, kind=2)) == 1
    assert orientation(block("<", 6, count=2)) == 1


@given(st.sampled_from([b"II*\0", b"MM\0*", b""]), st.binary(max_size=60))
def test_no_bytes_raise(mark, rest):
    assert 1 <= orientation(mark + rest) <= 8
