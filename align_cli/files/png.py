"""PNG. OpenCV decodes the pixels; nearly all that can be wrong is found before it sees them.

OpenCV reads and writes PNG several times faster than Pillow and keeps 16-bit colour, which
Pillow cuts to 8 bit. But the libpng inside it writes complaints straight to stderr, also about
harmless things such as an odd colour profile, and its failures have no cause. So this module
checks the structure and the checksums, and hands OpenCV a minimal file: header, palette, pixels.
That costs about 5 % of the decoding. (Inflating the pixels here, to know that they are complete,
would cost 45 %; instead stderr is held back while OpenCV decodes.)
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np

from align_cli.files.errors import ContentError, damaged, truncated
from align_cli.files.limits import check_size
from align_cli.files.orientation import exif_orientation, turn_upright
from align_cli.files.pixels import Pixels, full_scale
from align_cli.files.quiet import no_libpng_on_stderr, silent_opencv

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGBA: (8, 16),
}
_MAX_CHUNK = 1 << 30  # a chunk may hold 2^31 - 1 bytes; a large picture is split
# Fixed inside libpng and OpenCV.
_MAX_SIDE = 1_000_000
_MAX_PIXELS = 1 << 30

# Settings for writing. On photographs the Average filter and run lengths are as fast as OpenCV's
# own default (Sub filter) and about 8 % smaller; level 3 of plain deflate takes 2.5 times as long
# for 10 % less, all filters at level 6 six times as long for 4 % less than that. A painted picture
# has few colours, which any filter would hide: without one it takes half the size in the same time.
_ZLIB_LEVEL = 1
_SMALL_LEVEL = 6

_SWAPPED_ROWS = 64


class _Header(NamedTuple):
    """The IHDR chunk."""

    width: int
    height: int
    depth: int
    colour: int
    interlacing: int = 0


class _Chunks(NamedTuple):
    """What is used of a PNG file; the chunks that it lacks are empty.

    ``pixels`` are the IDAT chunks as they stand in the file, with their lengths and checksums;
    ``minimal`` is the file itself where it holds nothing else, else None.
    """

    header: _Header
    palette: bytes
    transparency: bytes
    exif: bytes
    pixels: list[memoryview]
    minimal: bytes | None


def decode(data: bytes, max_megapixels: float) -> Pixels:
    """Return the upright picture in PNG ``data``.

    Returns:
        (H, W), (H, W, 2) grey and alpha, (H, W, 3) or (H, W, 4), uint8 or uint16. Depths below
        8 are widened to the full range of uint8; palettes become RGB, or RGBA where any entry
        is transparent.

    Raises:
        ContentError: if it is truncated, damaged, animated, empty or too large.
    """
    chunks = _split(data, max_megapixels)
    header = chunks.header
    decoded = _by_opencv(chunks)
    if header.colour == _GREY_ALPHA:
        decoded = decoded[..., [0, 3]]  # OpenCV hands out grey and alpha as BGRA
    elif header.colour == _GREY and len(chunks.transparency) == 2:
        decoded = _with_key_as_alpha(decoded, header, chunks.transparency)
    return turn_upright(decoded, exif_orientation(chunks.exif))


def _split(data: bytes, max_megapixels: float) -> _Chunks:
    """Walk the chunks: the only place that trusts no length and no checksum."""
    header: _Header | None = None
    kept: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    kinds: set[bytes] = set()
    view = memoryview(data)
    position = len(SIGNATURE)
    while True:
        if position + 8 > len(data):
            raise truncated("the file ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            if not kind.isalpha():
                raise damaged("a chunk without a name")
            raise truncated("the file ends within a chunk")
        body = view[position + 8 : end]
        critical = not kind[0] & 0x20
        if (critical or kind in (b"tRNS", b"eXIf", b"acTL")) and struct.unpack_from(
            ">I", data, end
        ) != (zlib.crc32(view[position + 4 : end]),):
            raise damaged("wrong checksum")
        if header is None:
            header = _header(kind, bytes(body), max_megapixels)
        elif kind == b"IDAT":
            pixels.append(view[position : end + 4])
        elif kind == b"acTL" and bytes(body[:4]) > b"\0\0\0\1":
            raise ContentError("is an animation", "save the one frame to align as a picture")
        elif kind == b"IEND":
            break
        elif critical and kind != b"PLTE":
            raise damaged(f"unknown chunk {kind.decode('latin-1')}")
        elif kind in (b"PLTE", b"tRNS", b"eXIf"):
            kept.setdefault(kind, bytes(body))
        kinds.add(kind)
        position = end + 4
    if not pixels:
        raise damaged("no pixels")
    return _Chunks(
        header=header,
        palette=kept.get(b"PLTE", b""),
        transparency=kept.get(b"tRNS", b""),
        exif=kept.get(b"eXIf", b""),
        pixels=pixels,
        minimal=data if kinds == {b"IHDR", b"IDAT"} and header.colour != _PALETTE else None,
    )


def _header(kind: bytes, body: bytes, max_megapixels: float) -> _Header:
    if kind != b"IHDR" or len(body) != 13:
        raise damaged("no PNG header")
    width, height, depth, colour, compression, filtering, interlacing = struct.unpack(
        ">IIBBBBB", body
    )
    check_size(width, height, max_megapixels)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlacing > 1:
        raise damaged("impossible values in the PNG header")
    if max(width, height) > _MAX_SIDE or width * height > _MAX_PIXELS:
        raise ContentError(
            f"has {width} x {height} pixels, more than PNG files are read with",
            "convert it to TIFF or reduce it",
        )
    return _Header(width, height, depth, colour, interlacing)


def _by_opencv(chunks: _Chunks) -> Pixels:
    """Return (H, W), RGB or RGBA; grey and alpha as RGBA."""
    import cv2  # noqa: PLC0415 - 90 ms to import; --help must not pay for it

    minimal = chunks.minimal
    if minimal is None:
        before = _start(chunks.header) + _palette_chunks(chunks)
        minimal = b"".join([before, *chunks.pixels, _chunk(b"IEND", b"")])
    with silent_opencv, no_libpng_on_stderr:
        decoded = cv2.imdecode(np.frombuffer(minimal, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise damaged("the compressed pixels cannot be decoded")
    if decoded.ndim == 3:
        swap = cv2.COLOR_BGR2RGB if decoded.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        # Strip by strip: a second picture beside the first would be the most memory ever used.
        for top in range(0, len(decoded), _SWAPPED_ROWS):
            strip = decoded[top : top + _SWAPPED_ROWS]
            strip[...] = cv2.cvtColor(strip, swap)
    return decoded


def _palette_chunks(chunks: _Chunks) -> bytes:
    """Return the PLTE and tRNS chunks that matter for decoding, in a form libpng accepts."""
    header = chunks.header
    if header.colour == _PALETTE:
        if not chunks.palette or len(chunks.palette) % 3:
            raise damaged("no palette")
        palette = chunks.palette[: 3 << header.depth]
        made = _chunk(b"PLTE", palette)
        alpha = chunks.transparency[: len(palette) // 3]
        return made + _chunk(b"tRNS", alpha) if alpha else made
    if header.colour == _RGB and len(chunks.transparency) == 6:
        return _chunk(b"tRNS", chunks.transparency)
    return b""


def _with_key_as_alpha(grey: Pixels, header: _Header, transparency: bytes) -> Pixels:
    """Add the alpha channel for a grey value that is declared transparent; OpenCV drops it."""
    (key,) = struct.unpack(">H", transparency)
    if header.depth < 8:
        key = key * 255 // (2**header.depth - 1)
    alpha = np.where(grey == key, 0, full_scale(grey)).astype(grey.dtype)
    return np.stack([grey, alpha], axis=-1)


def encode(pixels: Pixels, *, small: bool = False, painted: bool = False) -> bytes:
    """Return PNG bytes of (H, W) or (H, W, 2 to 4) ``pixels``, uint8 or uint16.

    Args:
        pixels: the picture.
        small: spend several times the time on a smaller file.
        painted: the picture has few colours.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        return _encode_grey_alpha(pixels, _SMALL_LEVEL if small else _ZLIB_LEVEL)
    import cv2  # noqa: PLC0415

    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels[..., ::-1].flags.c_contiguous:
        pixels = pixels[..., ::-1]  # blue comes first already
    elif pixels.ndim == 3:
        swap = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = cv2.cvtColor(pixels, swap)
    quick = _settings(small=False, painted=painted)
    encoded = _imencode(pixels, quick)
    if small:
        # Noise grows by any attempt to compress it.
        encoded = min(encoded, _imencode(pixels, _settings(small=True, painted=painted)), key=len)
    return encoded


def _settings(*, small: bool, painted: bool) -> list[int]:
    import cv2  # noqa: PLC0415

    strategy, filters = cv2.IMWRITE_PNG_STRATEGY_RLE, cv2.IMWRITE_PNG_FILTER_AVG
    if painted or small:
        strategy = cv2.IMWRITE_PNG_STRATEGY_DEFAULT
        filters = cv2.IMWRITE_PNG_FILTER_NONE if painted else cv2.IMWRITE_PNG_ALL_FILTERS
    return [
        *(cv2.IMWRITE_PNG_COMPRESSION, _SMALL_LEVEL if small else _ZLIB_LEVEL),
        *(cv2.IMWRITE_PNG_STRATEGY, strategy),
        *(cv2.IMWRITE_PNG_FILTER, filters),
    ]


def _imencode(pixels: Pixels, settings: list[int]) -> bytes:
    import cv2  # noqa: PLC0415

    done, encoded = cv2.imencode(".png", pixels, settings)
    if not done:
        raise MemoryError("OpenCV could not encode a PNG")
    return bytes(encoded.tobytes())


def _encode_grey_alpha(pixels: Pixels, level: int) -> bytes:
    """Return PNG bytes of (H, W, 2): OpenCV has no such kind, Pillow has it for 8 bit only."""
    height, width, _ = pixels.shape
    depth = pixels.dtype.itemsize * 8
    rows = np.zeros((height, 1 + width * 2 * pixels.dtype.itemsize), np.uint8)
    # Filter 2 (Up): each byte minus the one above, modulo 256; one subtraction for numpy.
    rows[:, 0] = 2
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows[:, 1:] = np.frombuffer(big_endian.tobytes(), np.uint8).reshape(height, -1)
    rows[1:, 1:] -= rows[:-1, 1:]  # numpy minds the overlap
    header = _Header(width, height, depth, _GREY_ALPHA)
    return _assemble(header, b"", zlib.compress(rows.tobytes(), level))


def _assemble(header: _Header, palette_chunks: bytes, stream: bytes) -> bytes:
    """Return a whole PNG file around a zlib ``stream`` of filtered rows."""
    pixels = [
        _chunk(b"IDAT", stream[start : start + _MAX_CHUNK])
        for start in range(0, len(stream), _MAX_CHUNK)
    ]
    return b"".join([_start(header), palette_chunks, *pixels, _chunk(b"IEND", b"")])


def _start(header: _Header) -> bytes:
    """Return the signature and the IHDR chunk."""
    fields = (header.width, header.height, header.depth, header.colour, 0, 0, header.interlacing)
    return SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)])
