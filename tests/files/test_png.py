import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from align_cli.files import png
from align_cli.files.errors import ContentError

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def hand_made(width, height, depth, colour, rows, before=b"", interlace=0, stream=None):
    """A PNG written from the standard, with no library: ``rows`` include the filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            before,
            chunk(b"IDAT", zlib.compress(rows) if stream is None else stream),
            chunk(b"IEND", b""),
        ]
    )


def decode(data, limit=10.0):
    return png.decoded(data, limit).pixels


def exactly(pixels, expected, dtype="uint8"):
    assert pixels.dtype == dtype
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, np.array(expected, dtype))


def test_16_bit_colours_keep_their_depth_and_order():
    red, green, blue, alpha = 0x0102, 0x0304, 0x0506, 0x0708
    pixel = struct.pack(">4H", red, green, blue, alpha)
    rgb = hand_made(1, 1, 16, RGB, b"\0" + pixel[:6])
    exactly(decode(rgb), [[[red, green, blue]]], "uint16")
    exactly(
        decode(hand_made(1, 1, 16, RGBA, b"\0" + pixel)), [[[red, green, blue, alpha]]], "uint16"
    )
    exactly(decode(hand_made(1, 1, 16, GREY_ALPHA, b"\0" + pixel[:4])), [[[red, green]]], "uint16")
    exactly(decode(hand_made(1, 1, 16, GREY, b"\0" + pixel[:2])), [[red]], "uint16")


def test_8_bit_colours_keep_their_order():
    exactly(decode(hand_made(1, 1, 8, RGB, bytes([0, 10, 20, 30]))), [[[10, 20, 30]]])
    exactly(decode(hand_made(1, 1, 8, RGBA, bytes([0, 10, 20, 30, 40]))), [[[10, 20, 30, 40]]])
    exactly(decode(hand_made(1, 1, 8, GREY_ALPHA, bytes([0, 10, 20]))), [[[10, 20]]])


@pytest.mark.parametrize(
    ("depth", "packed", "expected"),
    [
        (1, 0b10100000, [[255, 0, 255]]),
        (2, 0b00011000, [[0, 85, 170]]),
        (4, [0x0F, 0x50], [[0, 255, 85]]),
    ],
)
def test_low_depths_fill_the_range(depth, packed, expected):
    rows = bytes([0, *(packed if isinstance(packed, list) else [packed])])
    exactly(decode(hand_made(3, 1, depth, GREY, rows)), expected)


COLOURS = bytes([1, 2, 3, 10, 20, 30, 100, 150, 200])


def test_palettes_become_rgb():
    data = hand_made(3, 1, 8, PALETTE, bytes([0, 2, 0, 1]), chunk(b"PLTE", COLOURS))
    exactly(decode(data), [[[100, 150, 200], [1, 2, 3], [10, 20, 30]]])


def test_palettes_with_transparent_entries_become_rgba():
    extra = chunk(b"PLTE", COLOURS) + chunk(b"tRNS", bytes([0, 128]))
    data = hand_made(3, 1, 2, PALETTE, bytes([0, 0b00011000]), extra)
    exactly(decode(data), [[[1, 2, 3, 0], [10, 20, 30, 128], [100, 150, 200, 255]]])


@pytest.mark.parametrize(
    ("depth", "rows", "key", "expected", "dtype"),
    [
        (8, bytes([0, 7, 9]), 9, [[[7, 255], [9, 0]]], "uint8"),
        (4, bytes([0, 0x79]), 9, [[[119, 255], [153, 0]]], "uint8"),
        (16, bytes([0, 1, 7, 1, 9]), 265, [[[263, 65535], [265, 0]]], "uint16"),
    ],
)
def test_a_transparent_grey_becomes_alpha(depth, rows, key, expected, dtype):
    data = hand_made(2, 1, depth, GREY, rows, chunk(b"tRNS", struct.pack(">H", key)))
    exactly(decode(data), expected, dtype)


def test_a_transparent_colour_becomes_alpha():
    extra = chunk(b"tRNS", struct.pack(">3H", 4, 5, 6))
    data = hand_made(2, 1, 8, RGB, bytes([0, 1, 2, 3, 4, 5, 6]), extra)
    exactly(decode(data), [[[1, 2, 3, 255], [4, 5, 6, 0]]])


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (8, 8), (13, 17), (2, 9)])
@pytest.mark.parametrize("depth", [8, 16])
def test_interlaced(scene, width, height, depth):
    dtype = f"uint{depth}"
    pixels = scene(height, width, 3, dtype=dtype)
    rows = []
    starts = [(0, 0), (4, 0), (0, 4), (2, 0), (0, 2), (1, 0), (0, 1)]
    steps = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)]
    for (x, y), (dx, dy) in zip(starts, steps, strict=True):
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += [b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in part]
    data = hand_made(width, height, depth, RGB, b"".join(rows), interlace=1)
    exactly(decode(data), pixels, dtype)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(scene, orientation):
    pixels = scene(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG", exif=exif)
    with Image.open(data) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    exactly(decode(data.getvalue()), expected)


def picture(height=40, width=50):
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue(), pixels


@given(st.floats(0, 1, exclude_max=True))
def test_cut_anywhere_is_truncated(share):
    data, _ = picture()
    cut = 8 + int(share * (len(data) - 8))
    with pytest.raises(ContentError) as caught:
        decode(data[:cut])
    assert "truncated" in caught.value.cause


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_one_wrong_byte_is_never_a_wrong_picture(share, change):
    data, pixels = picture()
    changed = bytearray(data)
    changed[8 + int(share * (len(data) - 8))] ^= change
    try:
        decoded = decode(bytes(changed))
    except ContentError:
        return
    # Only bytes that do not matter may change unseen: the checksum of the last, empty chunk.
    np.testing.assert_array_equal(decoded, pixels)


def test_a_wrong_colour_in_a_palette_is_noticed():
    data = hand_made(3, 1, 8, PALETTE, bytes([0, 2, 0, 1]), chunk(b"PLTE", COLOURS))
    with pytest.raises(ContentError) as caught:
        decode(data.replace(COLOURS, COLOURS[:-1] + b"!"))
    assert "wrong checksum" in caught.value.cause


@pytest.mark.parametrize("broken", range(5))
@pytest.mark.parametrize("before", [b"", chunk(b"tEXt", b"Comment\0none")])
def test_a_wrong_checksum_of_pixels_is_named(broken, before):
    rows = np.random.default_rng(0).integers(0, 256, (30, 33), np.uint8)
    rows[:, 0] = 0
    stream = zlib.compress(rows.tobytes())
    part = len(stream) // 5 + 1
    chunks = [bytearray(chunk(b"IDAT", stream[i : i + part])) for i in range(0, len(stream), part)]
    chunks[broken][-1] ^= 1
    whole = hand_made(32, 30, 8, GREY, b"", before, stream=stream)
    data = whole.replace(chunk(b"IDAT", stream), b"".join(map(bytes, chunks)))
    with pytest.raises(ContentError) as caught:
        decode(data)
    assert "wrong checksum" in caught.value.cause


GOOD_ROWS = bytes([0, 1, 2, 3]) * 3
UNDECODABLE = "the compressed pixels cannot be decoded"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (hand_made(3, 3, 8, GREY, GOOD_ROWS[:-1]), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, bytes([9, 1, 2, 3]) * 3), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, b"", stream=b"junk"), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, b"", stream=zlib.compress(GOOD_ROWS)[:-8]), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, b"", stream=b""), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, GOOD_ROWS[:-1], interlace=1), UNDECODABLE),
        (hand_made(3, 3, 8, GREY, GOOD_ROWS).replace(b"IDAT", b"junK"), "no pixels"),
        (hand_made(3, 3, 7, GREY, GOOD_ROWS), UNDECODABLE),
        (hand_made(3, 3, 16, PALETTE, GOOD_ROWS, chunk(b"PLTE", bytes(9))), "no palette"),
        (hand_made(3, 3, 8, GREY, GOOD_ROWS, interlace=2), UNDECODABLE),
        (hand_made(3, 3, 8, PALETTE, GOOD_ROWS), "no palette"),
        (hand_made(3, 3, 8, GREY, GOOD_ROWS, chunk(b"ABCD", b"")), "unknown chunk ABCD"),
        (hand_made(0, 3, 8, GREY, GOOD_ROWS), "has no pixels"),
        (hand_made(3, 0, 8, GREY, GOOD_ROWS), "has no pixels"),
        (hand_made(2**21, 4, 8, GREY, b""), "more than is supported for PNG"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), "no PNG header"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\1" + b"\0" * 4, "without a name"),
        (
            hand_made(3, 3, 8, GREY, GOOD_ROWS, chunk(b"acTL", struct.pack(">II", 2, 0))),
            "is an animation",
        ),
    ],
)
def test_each_kind_of_damage_has_its_cause_and_nothing_is_printed(data, cause, capfd):
    with pytest.raises(ContentError) as caught:
        decode(data)
    assert cause in caught.value.cause
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("colour", range(8))
@pytest.mark.parametrize("before", [b"", chunk(b"PLTE", bytes(9))])
def test_an_impossible_header_is_damage(colour, before):
    possible = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
    for depth in (0, *range(1, 18), 32, 64, 128, 255):
        for tail in (b"\0\0\0", b"\1\0\0", b"\0\1\0", b"\0\0\2"):
            sound = depth in possible.get(colour, (8, 16)) and colour in (0, 2, 3, 4, 6)
            if sound and tail == b"\0\0\0":
                continue
            data = hand_made(3, 3, depth, colour, bytes(200), before)
            header = struct.pack(">IIBB", 3, 3, depth, colour)
            data = data.replace(chunk(b"IHDR", header + b"\0\0\0"), chunk(b"IHDR", header + tail))
            with pytest.raises(ContentError):
                decode(data)


def test_an_animation_of_one_frame_is_a_picture():
    one = chunk(b"acTL", struct.pack(">II", 1, 0))
    exactly(decode(hand_made(3, 3, 8, GREY, GOOD_ROWS, one)), [[1, 2, 3]] * 3)


def test_the_limit_is_checked_before_the_pixels():
    bomb = hand_made(50_000, 50_000, 8, GREY, b"")
    with pytest.raises(ContentError) as caught:
        decode(bomb, 512)
    assert "2500.0 megapixels" in caught.value.cause
    assert "--max-megapixels 2500" in caught.value.advice


@pytest.mark.parametrize(
    "harmless",
    [
        chunk(b"iCCP", b"x\0\0junk"),
        chunk(b"gAMA", b"\0"),
        chunk(b"sRGB", b"\x09"),
        chunk(b"sBIT", b"\3"),
        chunk(b"tRNS", b"\0"),
        chunk(b"PLTE", b"\0"),
        chunk(b"eXIf", b"junk"),
        chunk(b"tEXt", b"\xff" * 9),
    ],
)
def test_odd_extras_neither_matter_nor_print(harmless, capfd):
    exactly(decode(hand_made(3, 3, 8, GREY, GOOD_ROWS, harmless)), [[1, 2, 3]] * 3)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "palette", [COLOURS * 200, COLOURS[:3], COLOURS + bytes(3 * 253)], ids=["long", "short", "full"]
)
def test_odd_palettes_do_not_print(palette, capfd):
    extra = chunk(b"PLTE", palette) + chunk(b"tRNS", bytes(300))
    assert decode(hand_made(3, 3, 2, PALETTE, b"\0\0" * 3, extra)).shape == (3, 3, 4)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_numbers_of_a_palette_are_kept(depth, interlace):
    count = min(1 << depth, 100)
    rng = np.random.default_rng(depth)
    numbers = rng.integers(0, count, (9, 8), dtype=np.uint8)
    numbers[0, 0] = count - 1
    colours = rng.integers(0, 256, (count, 3), dtype=np.uint8)

    def packed(part):
        bits = np.unpackbits(part[..., None], axis=2)[..., 8 - depth :]
        rows = np.packbits(bits.reshape(len(part), -1), axis=1)
        return b"".join(b"\0" + row.tobytes() for row in rows)

    passes = [np.s_[:, :]]
    if interlace:
        starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4))
        starts += ((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        passes = [np.s_[y::down, x::right] for y, x, down, right in starts]
    rows = b"".join(packed(numbers[each]) for each in passes if numbers[each].size)
    before = chunk(b"PLTE", colours.tobytes())
    found = png.decoded(hand_made(8, 9, depth, PALETTE, rows, before, interlace), 1.0)
    np.testing.assert_array_equal(found.indexed.indices, numbers)
    np.testing.assert_array_equal(found.indexed.colours, colours)
    np.testing.assert_array_equal(found.pixels, colours[numbers])
    assert found.pixels.flags.c_contiguous


def test_a_number_beyond_the_palette_is_black():
    rows = b"\0" + bytes([0, 1, 7])
    found = png.decoded(hand_made(3, 1, 8, PALETTE, rows, chunk(b"PLTE", bytes(range(6)))), 1.0)
    exactly(found.pixels, [[[0, 1, 2], [3, 4, 5], [0, 0, 0]]])
    assert len(found.indexed.colours) == 8
