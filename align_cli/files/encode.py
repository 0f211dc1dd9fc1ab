"""The formats that are written, and which pixels each of them holds without loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from align_cli.files import pillow, png_encode, pnm, tiff
from align_cli.files.pixels import Pixels

_CHANNEL_NAMES = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha"}
# Nearly indistinguishable; colours are not stored at half resolution, so edges stay in place.
_JPEG_QUALITY = 95


class Format(NamedTuple):
    """An output format.

    Attributes:
        name: as people know it.
        suffixes: lower case, with the dot; the first is the usual one.
        dtypes: names of the dtypes that it holds.
        channels: the numbers of channels that it holds; empty for any.
        max_side: the most pixels in a row or column.
        encode: returns the file's bytes for what :func:`plain` returns.
    """

    name: str
    suffixes: tuple[str, ...]
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]
    max_side: int
    encode: Callable[[Pixels], bytes]

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


def plain(pixels: Pixels) -> Pixels:
    """Return (H, W), or (H, W, C) with C >= 2, contiguous and in native byte order."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _channels(pixels: Pixels) -> int:
    return 1 if pixels.ndim == 2 else int(pixels.shape[2])


def _by_opencv(suffix: str) -> Callable[[Pixels], bytes]:
    """Return an encoder of (H, W) or (H, W, 3) uint8 by OpenCV."""

    def encode(pixels: Pixels) -> bytes:
        import cv2  # noqa: PLC0415

        if pixels.ndim == 3:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        settings = [
            *(cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        ]
        done, encoded = cv2.imencode(suffix, pixels, settings if suffix == ".jpg" else [])
        if not done:
            raise MemoryError(f"OpenCV could not encode {suffix}")
        return bytes(encoded)

    return encode


_8, _8_16, _ALL = ("uint8",), ("uint8", "uint16"), ("uint8", "uint16", "float32", "float64")
_UNLIMITED = 2**31 - 1

PNG = Format("PNG", (".png",), _8_16, (1, 2, 3, 4), 1_000_000, png_encode.encode)
FORMATS = (
    PNG,
    Format("TIFF", (".tif", ".tiff"), _ALL, (), _UNLIMITED, tiff.encode),
    Format("JPEG", (".jpg", ".jpeg"), _8, (1, 3), 65_500, _by_opencv(".jpg")),
    Format("BMP", (".bmp",), _8, (1, 3), 32_767, _by_opencv(".bmp")),
    Format("WebP", (".webp",), _8, (3, 4), 16_383, pillow.encode_webp),
    Format("PGM", (".pgm",), _8_16, (1,), _UNLIMITED, pnm.encode),
    Format("PPM", (".ppm",), _8_16, (3,), _UNLIMITED, pnm.encode),
    Format("PNM", (".pnm",), _8_16, (1, 3), _UNLIMITED, pnm.encode),
)
BY_SUFFIX = {suffix: each for each in FORMATS for suffix in each.suffixes}
