"""Read PNG. OpenCV decodes the pixels; nearly all that can be wrong is found before it sees them.

OpenCV reads PNG several times faster than Pillow and keeps 16-bit colour, which Pillow cuts to
8 bit. But the libpng inside it writes complaints straight to stderr, also about harmless things
such as an odd colour profile, and its failures have no cause. So this module checks the structure,
and hands OpenCV a minimal file: header, palette, pixels. That costs about 2 % of the decoding.
(Inflating the pixels here, to know that they are complete, would cost 45 %; instead stderr is held
back while OpenCV decodes. Nor are the checksums of pixels computed here: libpng does that, and a
file may have a thousand of them, after each of which a thread waits for the interpreter.)
"""

from __future__ import annotations

import struct
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from align_cli.files.errors import ContentError, damaged
from align_cli.files.frames import animation
from align_cli.files.limits import check_size
from align_cli.files.metadata import png as png_metadata
from align_cli.files.metadata.exif import orientation
from align_cli.files.metadata.record import Metadata, readable
from align_cli.files.orientation import turn_upright
from align_cli.files.pixels import Decoded, Indexed, Pixels, full_scale, swapped
from align_cli.files.png_chunks import END, Colour, Header, chunk, header_of, sound, start, walk
from align_cli.files.quiet import no_libpng_on_stderr, silent_opencv

_MAX_SIDE = 1_000_000
_MAX_PIXELS = 1 << 30
"""Fixed inside libpng and OpenCV."""

_SWAPPED_ROWS = 64
"""Rows whose channels are swapped at a time: of 10,000 pixels in a row they take 2 MB."""


class _Chunks(NamedTuple):
    """What is used of a PNG file; the chunks that it lacks are empty.

    ``pixels`` are the IDAT chunks as they stand in the file, with their lengths and checksums;
    ``minimal`` is the file itself where it holds nothing else, else None.
    """

    header: Header
    palette: bytes
    transparency: bytes
    metadata: Metadata
    pixels: list[memoryview]
    minimal: bytes | None


def decoded(data: bytes, max_megapixels: float) -> Decoded:
    """Return the upright picture in PNG ``data``, and by its palette where it has one.

    Returns:
        (H, W), (H, W, 2) grey and alpha, (H, W, 3) or (H, W, 4), uint8 or uint16. Depths below
        8 are widened to the full range of uint8; palettes become RGB, or RGBA where any entry
        is transparent.

    Raises:
        ContentError: if it is truncated, damaged, animated, empty or too large.
    """
    chunks = _split(data, max_megapixels)
    header, metadata = chunks.header, chunks.metadata
    stored = orientation(metadata.exif)
    if header.colour == Colour.PALETTE:
        colours = _colours(chunks)
        indices = np.asarray(turn_upright(_indices(chunks), stored), np.uint8)
        used = max(len(chunks.palette) // 3, int(indices.max()) + 1)
        indexed = Indexed(indices, colours[:used])
        return Decoded(indexed.rgb(), metadata, indexed=indexed)
    pixels = _by_opencv(chunks)
    if header.colour == Colour.GREY_ALPHA:
        pixels = pixels[..., [0, 3]]  # OpenCV hands out grey and alpha as BGRA
    elif header.colour == Colour.GREY and len(chunks.transparency) == 2:
        pixels = _with_key_as_alpha(pixels, header, chunks.transparency)
    return Decoded(turn_upright(pixels, stored), metadata)


def _split(data: bytes, max_megapixels: float) -> _Chunks:
    header: Header | None = None
    kept: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    extras: list[tuple[bytes, bytes]] = []
    kinds: set[bytes] = set()
    for kind, whole in walk(data):
        body = whole[8:-4]
        critical = not kind[0] & 0x20
        checked = kind in (b"tRNS", b"eXIf", b"acTL") or (critical and kind != b"IDAT")
        if checked and not sound(whole):
            raise damaged("wrong checksum")
        if header is None:
            header = _header(kind, bytes(body), max_megapixels)
        elif kind == b"IDAT":
            pixels.append(whole)
        elif kind == b"acTL" and bytes(body[:4]) > b"\0\0\0\1":
            raise animation()
        elif critical and kind not in (b"PLTE", b"IEND"):
            raise damaged(f"unknown chunk {kind.decode('latin-1')}")
        elif kind in (b"PLTE", b"tRNS"):
            kept.setdefault(kind, bytes(body))
        elif kind in png_metadata.KINDS:
            extras.append((kind, bytes(body)))
        kinds.add(kind)
    if header is None or not pixels:
        raise damaged("no pixels")
    plain = kinds == {b"IHDR", b"IDAT", b"IEND"} and header.colour != Colour.PALETTE
    return _Chunks(
        header=header,
        palette=kept.get(b"PLTE", b""),
        transparency=kept.get(b"tRNS", b""),
        metadata=readable(partial(png_metadata.read, extras)),
        pixels=pixels,
        minimal=data if plain else None,
    )


def _header(kind: bytes, body: bytes, max_megapixels: float) -> Header:
    header = header_of(body if kind == b"IHDR" else b"")  # OpenCV refuses whatever is impossible
    check_size(header.width, header.height, max_megapixels)
    if max(header[:2]) > _MAX_SIDE or header.width * header.height > _MAX_PIXELS:
        raise ContentError(
            f"has {header.width} x {header.height} pixels, more than is supported for PNG",
            "convert it to TIFF or reduce it",
        )
    return header


def _by_opencv(chunks: _Chunks) -> Pixels:
    """Return (H, W), RGB or RGBA; grey and alpha as RGBA."""
    import cv2  # noqa: PLC0415 - 90 ms to import; --help must not pay for it

    minimal = chunks.minimal
    if minimal is None:
        before = start(chunks.header) + _key_chunk(chunks)
        minimal = b"".join([before, *chunks.pixels, END])
    flags = cv2.IMREAD_UNCHANGED
    if chunks.header.colour == Colour.RGB and not chunks.transparency:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH
    with silent_opencv, no_libpng_on_stderr:
        decoded = cv2.imdecode(np.frombuffer(minimal, np.uint8), flags)
    if decoded is None:
        intact = all(map(sound, chunks.pixels))
        raise damaged("the compressed pixels cannot be decoded" if intact else "wrong checksum")
    if decoded.ndim == 3 and flags == cv2.IMREAD_UNCHANGED:
        # Strip by strip: a second picture beside the first would be the most memory ever used.
        for top in range(0, len(decoded), _SWAPPED_ROWS):
            strip = decoded[top : top + _SWAPPED_ROWS]
            strip[...] = swapped(strip)
    return decoded


def _indices(chunks: _Chunks) -> npt.NDArray[np.uint8]:
    """Return (H, W) indices into the palette: a picture of greys has the same pixels."""
    header = chunks.header._replace(colour=Colour.GREY)
    greys = _by_opencv(chunks._replace(header=header, transparency=b""))
    # Depths below 8 are widened to the full range of uint8.
    return np.asarray(greys // (255 // (2**header.depth - 1)), np.uint8)


def _colours(chunks: _Chunks) -> npt.NDArray[np.uint8]:
    """Return the (N, 3) palette, (N, 4) where the file gives alpha; N is what the depth allows.

    What the file leaves out is opaque black, as libpng has it.
    """
    if not chunks.palette or len(chunks.palette) % 3 or chunks.header.depth > 8:
        raise damaged("no palette")
    count = 1 << chunks.header.depth
    given = np.frombuffer(chunks.palette[: 3 * count], np.uint8).reshape(-1, 3)
    colours = np.full((count, 4), (0, 0, 0, 255), np.uint8)
    colours[: len(given), :3] = given
    alpha = np.frombuffer(chunks.transparency[: len(given)], np.uint8)
    colours[: len(alpha), 3] = alpha
    return colours if len(alpha) else np.ascontiguousarray(colours[:, :3])


def _key_chunk(chunks: _Chunks) -> bytes:
    """Return the tRNS chunk of a picture of which one colour is transparent."""
    if chunks.header.colour == Colour.RGB and len(chunks.transparency) == 6:
        return chunk(b"tRNS", chunks.transparency)
    return b""


def _with_key_as_alpha(grey: Pixels, header: Header, transparency: bytes) -> Pixels:
    """Add the alpha channel for a grey value that is declared transparent; OpenCV drops it."""
    (key,) = struct.unpack(">H", transparency)
    if header.depth < 8:
        key = key * 255 // (2**header.depth - 1)
    alpha = np.where(grey == key, 0, full_scale(grey)).astype(grey.dtype)
    return np.stack([grey, alpha], axis=-1)
