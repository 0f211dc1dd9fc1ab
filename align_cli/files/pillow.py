"""JPEG, BMP and WebP: read through imageio's Pillow plugin, written by Pillow with metadata."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np

from align_cli.files.errors import damaged, truncated
from align_cli.files.frames import animation
from align_cli.files.limits import check_size
from align_cli.files.metadata.exif import RESOLUTION, orientation, per_inch
from align_cli.files.metadata.record import Metadata, readable
from align_cli.files.orientation import turn_upright
from align_cli.files.pixels import Decoded, Pixels
from align_cli.files.quiet import no_pillow_limit, no_warnings

_JPEG = b"\xff\xd8\xff"
_JFIF_UNITS = 1, 2  # inch, cm
_JFIF_DENSITIES = 1, 65_535

JPEG_QUALITY: Final = 95
"""Nearly indistinguishable; colours are not stored at half resolution, so edges stay in place."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": JPEG_QUALITY, "subsampling": 0},
    "WebP": {"lossless": True, "exact": True},
}


def decoded(data: bytes, max_megapixels: float) -> Decoded:
    """Return the upright picture in JPEG, BMP or WebP ``data``, and its metadata.

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
            pixels = _pixels(file, data, max_megapixels)
        metadata = readable(lambda: _metadata(data))
    # Not by imageio, which also heeds the orientation in XMP, unlike viewers.
    return Decoded(turn_upright(pixels, orientation(metadata.exif)), metadata)


def _pixels(file: Any, data: bytes, max_megapixels: float) -> Pixels:
    shape = file.properties(index=0).shape
    check_size(shape[1], shape[0], max_megapixels)
    if data.startswith(b"RIFF") and file.properties(index=...).n_images != 1:
        raise animation()
    cmyk = data.startswith(_JPEG) and len(shape) == 3 and shape[2] == 4
    try:
        pixels = np.asarray(file.read(index=0, mode="RGB" if cmyk else None, rotate=False))
    except MemoryError:
        raise
    except Exception as error:
        if "truncated" in str(error):
            raise truncated("pixels are missing") from error
        raise damaged("the pixels cannot be decoded") from error
    return np.where(pixels, np.uint8(255), np.uint8(0)) if pixels.dtype.kind == "b" else pixels


def _metadata(data: bytes) -> Metadata:
    """Return what Pillow finds beside the pixels, which it does not decode for that."""
    from PIL import Image  # noqa: PLC0415 - imageio has loaded it

    with Image.open(io.BytesIO(data)) as picture:
        found = picture.info
        (across, down), unit = found.get("dpi", (0, 0)), 2
        if data.startswith(_JPEG) and found.get("jfif_unit") not in _JFIF_UNITS:
            # Pillow says 72 where EXIF says nothing.
            exif = picture.getexif()
            across, down, unit = map(exif.get, RESOLUTION, (0, 0, 2))
        return Metadata(
            exif=found.get("exif", b"").removeprefix(b"Exif\0\0"),
            icc=found.get("icc_profile") or b"",
            xmp=found.get("xmp", b""),
            resolution=per_inch(float(across), float(down), unit),
        )


def encode(form: str, pixels: Pixels, metadata: Metadata) -> bytes:
    """Return the bytes of a file with metadata.

    Args:
        form: "JPEG", "BMP" or "WebP", which is lossless, hidden colours included.
        pixels: (H, W), (H, W, 3) or (H, W, 4) uint8.
        metadata: what the format holds.
    """
    from PIL import Image  # noqa: PLC0415

    density = metadata.resolution or (0, 0)
    if form == "JPEG" and metadata.resolution is not None:
        density = np.clip(metadata.resolution, *_JFIF_DENSITIES).tolist()
    file = io.BytesIO()
    with no_warnings:
        Image.fromarray(pixels).save(
            file,
            form,
            exif=metadata.exif and b"Exif\0\0" + metadata.exif,
            icc_profile=metadata.icc,
            xmp=metadata.xmp,
            dpi=density,
            **_SETTINGS.get(form, {}),
        )
    return file.getvalue()
