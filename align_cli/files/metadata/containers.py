"""Which format carries what, and taking it from one file to another."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final

from align_cli.files.metadata.record import NOTHING, Metadata, profile_fits, upright_xmp
from align_cli.files.pixels import Pixels

_ALL = ("exif", "icc", "xmp", "resolution")

CARRIED: Final = {
    "PNG": (*_ALL, "colour"),
    "TIFF": _ALL,
    "JPEG": _ALL,
    "BMP": ("resolution",),
    "WebP": ("exif", "icc", "xmp"),
}
"""Which attributes of ``Metadata`` each format of ``encode.FORMATS`` holds; the module of its name
here reads and attaches them. PGM and PPM hold none."""

_BEGINNINGS: Final = {
    b"\x89PNG": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"RIFF": "WebP",
}


def _format(data: bytes) -> str | None:
    found = (name for start, name in _BEGINNINGS.items() if data.startswith(start))
    return next(found, None)


def _module(name: str) -> ModuleType:
    """Return the module of a format; most pictures have no need of the others."""
    return import_module(f"align_cli.files.metadata.{name.lower()}")


def read_metadata(data: bytes) -> Metadata:
    """Return what a picture's file says beside its pixels.

    What is broken counts as not there: it must not keep anybody from the pixels.
    """
    name = _format(data)
    try:
        found: Metadata = NOTHING if name is None else _module(name).read(data)
    except Exception:  # hostile bytes may break anything
        return NOTHING
    return found


def with_metadata(data: bytes, metadata: Metadata, pixels: Pixels) -> tuple[bytes, tuple[str, ...]]:
    """Return a picture's file with the metadata of another, and what it could not take, in words.

    Args:
        data: the file's bytes without metadata, of any format that is written here.
        metadata: of the picture that it was made from; the new one is called upright.
        pixels: (H, W) or (H, W, C), what ``data`` shows.
    """
    if not metadata.kinds:
        return data, metadata.lost
    from align_cli.files.metadata import ifd  # noqa: PLC0415  (most pictures have none)

    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else int(pixels.shape[2])
    renewed = metadata._replace(
        exif=ifd.renewed(metadata.exif, width, height),
        xmp=upright_xmp(metadata.xmp),
    )
    format_name = _format(data)
    held = CARRIED[format_name] if format_name else ()
    carried, lost = {}, list(metadata.lost)
    for kind, name in metadata.kinds.items():
        if kind == "icc" and kind in held and not profile_fits(metadata.icc, channels):
            lost.append(f"{name} (it is for other channels)")
        elif kind in held and kind in renewed.kinds:
            carried[kind] = getattr(renewed, kind)
        else:
            lost.append(name)
    if format_name is None or not carried:
        return data, tuple(lost)
    attached, too_long = _module(format_name).attach(data, Metadata(**carried))
    return attached, (*lost, *too_long)
