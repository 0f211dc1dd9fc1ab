"""The formats that are written, and which pixels each of them holds without loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from align_cli.files import pillow, png_encode, pnm, tiff
from align_cli.files.metadata.exif import has_maker_notes
from align_cli.files.metadata.record import Metadata, profile_fits
from align_cli.files.pixels import Pixels, swapped

_NAMES = {"exif": b"Exif\0\0", "xmp": b"http://ns.adobe.com/xap/1.0/\0"}
_CHANNEL_NAMES = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha"}


class Format(NamedTuple):
    """An output format.

    Attributes:
        name: as people know it.
        suffixes: lower case, with the dot; the first is the usual one.
        dtypes: names of the dtypes that it holds.
        channels: the numbers of channels that it holds; empty for any.
        max_side: the most pixels in a row or column.
        encode: returns the file's bytes for what :func:`plain` returns, with metadata.
        carries: the attributes of ``Metadata`` that it holds.
        longest: the most bytes of EXIF or XMP, with the name that JPEG has before it.
    """

    name: str
    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]
    max_side: int
    encode: Callable[[Pixels, Metadata], bytes]
    carries: tuple[str, ...] = ()
    longest: int = 2**31

    def holds(self, pixels: Pixels) -> bool:
        """Tell whether pixels of this dtype and shape fit."""
        return not self.refusal(pixels)

    def refusal(self, pixels: Pixels) -> str:
        """Return why pixels of this dtype and shape do not fit, in words; empty if they do."""
        if pixels.ndim not in (2, 3) or 0 in pixels.shape:
            return f"an array of shape {pixels.shape} is not an image"
        channels = _channels(pixels)
        dtype = pixels.dtype.name
        if dtype not in self.dtypes:
            return f"{self.name} cannot hold {dtype} pixels, only {' or '.join(self.dtypes)}"
        if self.channels and channels not in self.channels:
            held = " or ".join(_CHANNEL_NAMES[count] for count in self.channels)
            kind = _CHANNEL_NAMES.get(channels, f"{channels} channels")
            return f"{self.name} cannot hold {kind}, only {held}"
        if max(pixels.shape[:2]) > self.max_side:
            return f"{self.name} cannot hold more than {self.max_side} pixels in a row or column"
        return ""

    def carried(self, metadata: Metadata, pixels: Pixels) -> tuple[Metadata, tuple[str, ...]]:
        """Return what this format holds of another picture's metadata, and what not, in words."""
        kept, lost = metadata.upright(pixels.shape[1], pixels.shape[0]), list(metadata.lost)
        for kind, name in metadata.kinds.items():
            value = getattr(kept, kind)
            reason = None if value and kind in self.carries else name
            if reason is None and kind == "icc" and not profile_fits(value, _channels(pixels)):
                reason = f"{name} (it is for other channels)"
            named = len(value) + len(_NAMES.get(kind, b""))
            if reason is None and kind in _NAMES and named > self.longest:
                reason = f"{name} (too long for {self.name})"
            if reason is not None:
                kept = kept.without(kind)
                lost.append(reason)
        if self.name == "TIFF" and kept.exif and has_maker_notes(kept.exif):
            lost.append("maker notes")
        return kept, tuple(lost)


def plain(pixels: Pixels) -> Pixels:
    """Return (H, W), or (H, W, C) with C >= 2, contiguous and in native byte order."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _channels(pixels: Pixels) -> int:
    return 1 if pixels.ndim == 2 else int(pixels.shape[2])


def _by_opencv(name: str) -> Callable[[Pixels, Metadata], bytes]:
    """Return an encoder of (H, W), (H, W, 3) or (H, W, 4) uint8: by Pillow if there is metadata.

    To load Pillow takes 15 ms, as long as a JPEG of 4 megapixels does; the pixels are the same.
    """

    def encode(pixels: Pixels, metadata: Metadata) -> bytes:
        if metadata.kinds:
            return pillow.encode(name, pixels, metadata)
        import cv2  # noqa: PLC0415

        settings = {
            "JPEG": (
                *(cv2.IMWRITE_JPEG_QUALITY, pillow.JPEG_QUALITY),
                *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
            ),
            "WebP": (cv2.IMWRITE_WEBP_LOSSLESS_MODE, cv2.IMWRITE_WEBP_LOSSLESS_PRESERVE_COLOR),
        }
        stored = swapped(pixels) if pixels.ndim == 3 else pixels
        done, encoded = cv2.imencode(f".{name.lower()}", stored, settings.get(name, ()))
        if not done:
            raise MemoryError(f"OpenCV could not encode {name}")
        return bytes(encoded)

    return encode


def _pnm(pixels: Pixels, _: Metadata) -> bytes:
    return pnm.encode(pixels)


_8, _8_16, _ALL = ("uint8",), ("uint8", "uint16"), ("uint8", "uint16", "float32", "float64")
_ALL_AND_LABELS = (*_ALL, "int8", "int16", "int32", "uint32", "int64", "uint64")
_UNLIMITED = 2**31 - 1
"""No format is limited further than the 32 bits of its lengths."""

_EVERYTHING = ("exif", "icc", "xmp", "resolution")

PNG = Format(
    "PNG", (".png",), _8_16, (1, 2, 3, 4), 1_000_000, png_encode.encode, (*_EVERYTHING, "colour")
)
FORMATS = (
    PNG,
    Format(
        "TIFF",
        (".tif", ".tiff"),
        _ALL_AND_LABELS,
        (),
        _UNLIMITED,
        tiff.encode,
        _EVERYTHING,
    ),
    # A segment of JPEG has 65533 bytes.
    Format("JPEG", (".jpg", ".jpeg"), _8, (1, 3), 65_500, _by_opencv("JPEG"), _EVERYTHING, 65_533),
    Format("BMP", (".bmp",), _8, (1, 3), 32_767, _by_opencv("BMP"), ("resolution",)),
    Format("WebP", (".webp",), _8, (3, 4), 16_383, _by_opencv("WebP"), ("exif", "icc", "xmp")),
    Format("PGM", (".pgm",), _8_16, (1,), _UNLIMITED, _pnm),
    Format("PPM", (".ppm",), _8_16, (3,), _UNLIMITED, _pnm),
    Format("PNM", (".pnm",), _8_16, (1, 3), _UNLIMITED, _pnm),
)
BY_SUFFIX = {suffix: each for each in FORMATS for suffix in each.suffixes}
