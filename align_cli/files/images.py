"""Read and write pictures: which decoder for which bytes, which encoder for which suffix.

Importing this module loads numpy; cv2, imageio and tifffile are loaded by the first file that
needs them.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from align_cli.files import encode, frames, pillow, png, png_encode, pnm, tiff
from align_cli.files.atomic import write_bytes
from align_cli.files.errors import (
    STDIN,
    ContentError,
    PathLike,
    UnknownNameError,
    UnwritableError,
    reading,
    writing,
)
from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS
from align_cli.files.metadata.record import NOTHING, Metadata
from align_cli.files.pixels import Decoded, Indexed, Integers, Pixels, full_scale, shown_pixels
from align_cli.files.png_chunks import SIGNATURE

__all__ = [
    "DEFAULT_MAX_MEGAPIXELS",
    "Picture",
    "default_suffix",
    "encode_array",
    "encode_image",
    "encode_with_metadata",
    "ensure_encodable",
    "lossless_suffix",
    "read_image",
    "write_image",
]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture from a file, upright.

    Attributes:
        path: the file as the user named it.
        pixels: (H, W), or (H, W, C) with C >= 2; uint8, uint16, float32 or float64, contiguous.
            Two channels are grey and alpha, three RGB, four RGB and alpha, in that order.
            Floating-point pixels may be NaN or infinite.
        metadata: what the file says beside the pixels.
        valid: (H, W) bool, False where the file says that its integers are no data (floats are NaN
            there); None where all are.
        indexed: the same picture by its palette, where it is a PNG file with one.
        integers: what the pixels were in the file, where they are integers that arrive as floats.
    """

    path: str
    pixels: Pixels
    metadata: Metadata = NOTHING
    valid: npt.NDArray[np.bool_] | None = None
    indexed: Indexed | None = None
    integers: Integers | None = None

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        """1 for (H, W)."""
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])

    @property
    def dtype(self) -> str:
        """The name of the dtype, such as "uint16"."""
        return self.pixels.dtype.name

    @property
    def full_scale(self) -> float:
        """The value of white: 255, 65535, or 1 for floating-point pixels."""
        return float(full_scale(self.pixels))


_Decode: TypeAlias = Callable[[bytes, float], Decoded]


def _gif(data: bytes, max_megapixels: float) -> Decoded:
    if frames.count(data) > 1:
        raise frames.animation()
    return frames.decoded(data, max_megapixels, 0)


# How files that begin with any of these bytes are read.
_DECODERS: dict[tuple[bytes, ...], _Decode] = {
    (SIGNATURE,): png.decoded,
    (b"\xff\xd8\xff", b"BM"): pillow.decoded,
    (b"GIF8",): _gif,
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"): tiff.decoded,
    tuple(b"P%d%c" % (n, gap) for n in (2, 3, 5, 6) for gap in b" \t\r\n#"): pnm.decoded,
}
# What people have that is not read, by a pattern of its first bytes, to say more than "not a
# picture".
_OTHERS = {
    rb"%PDF": "a PDF",
    rb"8BPS": "a Photoshop file",
    rb"v/1\x01": "an OpenEXR file",
    rb"\0\0\0\x0cjP|\xff\x4f\xff\x51": "a JPEG 2000 file",
    rb"\xff\x0a": "a JPEG XL file",
    rb"#\?RADIANCE": "a Radiance HDR file",
    rb"SIMPLE  =": "a FITS file",
    rb"\x93NUMPY": "a NumPy array",
    rb"<svg": "an SVG drawing",
    rb"P[14]": "a PBM bitmap",
    rb"P[fF]": "a PFM file",
    rb"(?s:....)ftyp": "a HEIC, AVIF or video file",
}
READ_FORMATS = "PNG, JPEG, TIFF, BMP, WebP, GIF, PPM or PGM"
_SNIFFED = 16
"""Bytes from which the format is recognised: of the patterns here none is longer than 12."""


def read_image(
    path: PathLike, *, max_megapixels: float = DEFAULT_MAX_MEGAPIXELS, page: int | None = None
) -> Picture:
    """Read a picture, whatever its suffix says: PNG, JPEG, TIFF, BMP, WebP, GIF, PPM or PGM.

    EXIF orientation has been applied. 8 and 16 bit integers and 32 and 64 bit floats are kept as
    they are; palettes are expanded to RGB or RGBA; each format's ``decoded`` documents what else
    is widened. May be called from several threads at once.

    Args:
        path: a file, or a pipe such as /dev/stdin.
        max_megapixels: refuse larger pictures, before they are decoded.
        page: which page of a TIFF file, or frame of an animated GIF, PNG or WebP, from 0; None for
            a file that has one only.

    Raises:
        UnreadableError: if the file is missing, a folder, not permitted, empty, not a picture of
            these formats, truncated, damaged, without pixels, or too large, or has no such page, or
            several where none is chosen; the message says which.
    """
    with reading(path):
        data, decode = _load(path)
        found = _page(data, decode, max_megapixels, page)
    metadata = found.metadata
    if found.valid is not None:
        metadata = metadata._replace(lost=(*metadata.lost, "GDAL's no-data value"))
    return Picture(
        os.fspath(path), found.pixels, metadata, found.valid, found.indexed, found.integers
    )


def _page(data: bytes, decode: _Decode, max_megapixels: float, page: int | None) -> Decoded:
    """Return what a file holds, or one page of it; of a still image page 0 is the image."""
    if page is None:
        return decode(data, max_megapixels)
    if decode is tiff.decoded:
        return tiff.decoded(data, max_megapixels, page)
    animated = data.startswith((SIGNATURE, b"GIF8", b"RIFF")) and frames.count(data) > 1
    if animated:
        return frames.decoded(data, max_megapixels, page)
    if page > 0:
        raise frames.no_such_page(page, 1)
    return decode(data, max_megapixels)


def _load(path: PathLike) -> tuple[bytes, _Decode]:
    """Return the bytes of a file and their decoder; the rest of a foreign file is not read."""
    with Path(path).open("rb") as file:
        start = file.read(_SNIFFED)
        decode = _decoder(start)
        if file.seekable():  # to add the rest to the start would hold all of it twice
            file.seek(0)
            start = b""
        rest = file.read()
        return start + rest if start else rest, decode


def _decoder(start: bytes) -> _Decode:
    if not start:
        raise ContentError("is empty (0 bytes)", "copy or download it again")
    for magics, decode in _DECODERS.items():
        if start.startswith(magics):
            return decode
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return pillow.decoded
    if any(magic.startswith(start) for magics in _DECODERS for magic in magics):
        raise ContentError(f"is truncated ({len(start)} bytes)", "copy or download it again")
    advice = f"convert it to {READ_FORMATS}"
    for pattern, name in _OTHERS.items():
        if re.match(pattern, start):
            raise ContentError(f"is {name}, which is not supported", advice)
    raise ContentError("is not an image in a supported format", advice)


def default_suffix(pixels: Pixels) -> str:
    """Return ".png" where PNG holds (H, W) or (H, W, C) ``pixels`` without loss, else ".tif"."""
    return ".png" if encode.PNG.holds(pixels) else ".tif"


def lossless_suffix(path: PathLike, pixels: Pixels) -> str:
    """Return the suffix of ``path`` where it means a lossless format that holds ``pixels``.

    Otherwise ``default_suffix``.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    chosen = encode.BY_SUFFIX.get(suffix)
    lossless = chosen is not None and chosen.name != "JPEG" and chosen.holds(pixels)
    return suffix if lossless else default_suffix(pixels)


def ensure_encodable(path: PathLike, pixels: Pixels) -> None:
    """Check, before long work, that a file with this suffix can hold pixels of this kind.

    Only the dtype and the shape of ``pixels`` count. Every format is lossless but JPEG, which is
    allowed for 8 bit because the user chose it.

    Raises:
        UnwritableError: naming a suffix that can; ``UnknownNameError`` where it is none of these.
    """
    _output_format(path, pixels)


def write_image(path: PathLike, pixels: Pixels) -> None:
    """Write a picture, atomically, in the format of the path's suffix. Same pixels, same bytes.

    Args:
        path: see ``encode_image``.
        pixels: (H, W) or (H, W, C), as in :class:`Picture`; not changed.

    Raises:
        UnwritableError: if the format cannot hold such pixels, or the file cannot be written.
    """
    write_bytes(path, encode_image(path, pixels))


def encode_image(path: PathLike, picture: Pixels | Indexed, *, small: bool = False) -> bytes:
    """What ``write_image`` would write; see ``encode_with_metadata``."""
    return encode_with_metadata(path, picture, NOTHING, small=small)[0]


def encode_with_metadata(
    path: PathLike, picture: Pixels | Indexed, metadata: Metadata, *, small: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """Return a picture's file, and in words what it could not take of the metadata of another.

    May be called from several threads at once.

    Args:
        path: .png, .tif, .tiff, .jpg, .jpeg, .bmp, .webp (lossless), .pgm, .ppm or .pnm. A device
            or pipe without a suffix gets the default format.
        picture: (H, W) or (H, W, C), as in :class:`Picture`, not changed; or one with a palette,
            which only PNG keeps: in all other formats it becomes RGB.
        metadata: of the picture that it was made from; the new one is called upright.
        small: whether to spend several times the time on a smaller PNG.

    Raises:
        UnwritableError: if the format cannot hold such pixels, or they do not fit into memory.
    """
    shown = shown_pixels(picture)
    chosen = _output_format(path, shown)
    kept, lost = chosen.carried(metadata, shown)
    pixels = picture if isinstance(picture, Indexed) else encode.plain(picture)
    if chosen is encode.PNG:
        write = partial(png_encode.encode, pixels, small=small)
    else:
        write = partial(chosen.encode, pixels.rgb() if isinstance(pixels, Indexed) else pixels)
    with writing(path):
        try:
            return write(kept), lost
        except Exception as error:  # hostile metadata may break any library
            if not kept.kinds or isinstance(error, MemoryError):
                raise
            return write(NOTHING), (*lost, *kept.kinds.values())


def _output_format(path: PathLike, pixels: Pixels) -> encode.Format:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - "a/.png" has none in either
    if not suffix and _is_stream(path):
        suffix = default_suffix(pixels)
    chosen = encode.BY_SUFFIX.get(suffix)
    better = default_suffix(pixels)
    if chosen is None:
        cause = f"the suffix {suffix} is not that of" if suffix else "has no suffix of"
        known = " ".join(encode.BY_SUFFIX)
        if os.fspath(path) == STDIN:
            raise UnwritableError(
                path,
                "does not stand for stdout here",
                "give /dev/stdout, or a file",
            )
        raise UnknownNameError(
            path, f"{cause} an image format that can be written ({known})", f"use {better}"
        )
    reason = chosen.refusal(pixels)
    if reason:
        raise UnwritableError(path, reason, f"use {better} instead")
    return chosen


def _is_stream(path: PathLike) -> bool:
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def encode_array(path: PathLike, array: npt.NDArray[np.float32]) -> bytes:
    """Return the file of a (H, W) map of signed values, as float32: .tif, .tiff or .npy.

    Raises:
        UnknownNameError: for a suffix other than .tif, .tiff and .npy.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    array = np.ascontiguousarray(array, dtype=np.float32)
    if suffix == ".npy":
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        return file.getvalue()
    if suffix in (".tif", ".tiff"):
        return tiff.encode(array)
    raise UnknownNameError(
        path, f"the suffix {suffix or '(none)'} cannot hold signed values", "use .tif or .npy"
    )
