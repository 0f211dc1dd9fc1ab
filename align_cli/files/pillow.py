"""JPEG, BMP and WebP, through imageio's Pillow plugin."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from align_cli.files.errors import ContentError, damaged, truncated
from align_cli.files.limits import check_size
from align_cli.files.orientation import UPRIGHT, exif_orientation, turn_upright
from align_cli.files.pixels import Pixels
from align_cli.files.quiet import no_pillow_limit, no_warnings

_JPEG = b"\xff\xd8\xff"


def decode(data: bytes, max_megapixels: float) -> Pixels:
    """Return the upright picture in JPEG, BMP or WebP ``data``.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4) uint8. One bit per pixel becomes 0 and 255, a palette RGB,
        CMYK RGB by the plain formula (without colour profiles). Of the several pictures in a
        phone's JPEG (MPO) the first is read, as every viewer does.

    Raises:
        ContentError: if it is truncated, damaged, animated or too large.
    """
    import imageio.v3 as iio  # noqa: PLC0415 - 30 ms, only for who reads these formats

    with no_warnings, no_pillow_limit:
        try:
            file = iio.imopen(io.BytesIO(data), "r", plugin="pillow")
        except Exception as error:
            raise damaged("its header cannot be read") from error
        with file:
            return _decode_file(file, data, max_megapixels)


def _decode_file(file: Any, data: bytes, max_megapixels: float) -> Pixels:
    shape = file.properties(index=0).shape
    check_size(shape[1], shape[0], max_megapixels)
    if data.startswith(b"RIFF") and file.properties(index=...).n_images != 1:
        raise ContentError("is an animation", "save the frame to align as a single image")
    cmyk = data.startswith(_JPEG) and len(shape) == 3 and shape[2] == 4
    try:
        pixels = np.asarray(file.read(index=0, mode="RGB" if cmyk else None, rotate=False))
    except MemoryError:
        raise
    except Exception as error:
        if "truncated" in str(error):
            raise truncated("pixels are missing") from error
        raise damaged("the pixels cannot be decoded") from error
    if pixels.dtype.kind == "b":
        pixels = np.where(pixels, np.uint8(255), np.uint8(0))
    return turn_upright(pixels, _orientation(file))


def _orientation(file: Any) -> int:
    """Return the EXIF orientation. Not imageio's own: that one also heeds XMP, unlike viewers."""
    try:
        return exif_orientation(file.metadata(index=0).get("exif", b""))
    except Exception:  # Pillow raises many kinds over a broken EXIF block; the pixels are fine
        return UPRIGHT


def encode_webp(pixels: Pixels) -> bytes:
    """Return lossless WebP bytes of (H, W, 3) or (H, W, 4) uint8, hidden colours included."""
    import imageio.v3 as iio  # noqa: PLC0415

    with no_warnings:
        return bytes(
            iio.imwrite(
                "<bytes>", pixels, extension=".webp", plugin="pillow", lossless=True, exact=True
            )
        )
