"""Which format carries what, and taking it from one file to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from align_cli.files.metadata import bmp, ifd, jpeg, png, tiff, webp
from align_cli.files.metadata.record import NOTHING, Metadata, profile_fits, upright_xmp
from align_cli.files.pixels import Pixels


@dataclass(frozen=True)
class Container:
    """How files of one format hold metadata.

    Attributes:
        begins: the first bytes of such a file.
        read: returns the metadata of a file.
        attach: returns a file with metadata, and what of it did not fit after all, in words.
        carries: which attributes of ``Metadata`` it holds.
    """

    begins: tuple[bytes, ...]
    read: Callable[[bytes], Metadata]
    attach: Callable[[bytes, Metadata], tuple[bytes, tuple[str, ...]]]
    carries: tuple[str, ...]


_ALL = ("exif", "icc", "xmp", "resolution")

CONTAINERS: Final = {
    "PNG": Container((b"\x89PNG",), png.read, png.attach, (*_ALL, "colour")),
    "TIFF": Container((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), tiff.read, tiff.attach, _ALL),
    "JPEG": Container((b"\xff\xd8\xff",), jpeg.read, jpeg.attach, _ALL),
    "BMP": Container((b"BM",), bmp.read, bmp.attach, ("resolution",)),
    "WebP": Container((b"RIFF",), webp.read, webp.attach, ("exif", "icc", "xmp")),
}
"""By the names of ``align_cli.files.encode.FORMATS``; PGM and PPM hold no metadata."""


def read_metadata(data: bytes) -> Metadata:
    """Return what a picture's file says beside its pixels.

    What is broken counts as not there: it must not keep anybody from the pixels.
    """
    container = _container(data)
    try:
        return NOTHING if container is None else container.read(data)
    except Exception:  # hostile bytes may break anything
        return NOTHING


def with_metadata(data: bytes, metadata: Metadata, pixels: Pixels) -> tuple[bytes, tuple[str, ...]]:
    """Return a picture's file with the metadata of another, and what it could not take, in words.

    Args:
        data: the file's bytes without metadata, of any format that is written here.
        metadata: of the picture that it was made from; the new one is called upright.
        pixels: (H, W) or (H, W, C), what ``data`` shows.
    """
    if not metadata.kinds:
        return data, metadata.lost
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else int(pixels.shape[2])
    renewed = replace(
        metadata,
        exif=ifd.renewed(metadata.exif, width, height),
        xmp=upright_xmp(metadata.xmp),
    )
    container = _container(data)
    carried, lost = {}, list(metadata.lost)
    for kind, name in metadata.kinds.items():
        if kind == "icc" and container is not None and not profile_fits(metadata.icc, channels):
            lost.append(f"{name} (it is for other channels)")
        elif container is not None and kind in container.carries and kind in renewed.kinds:
            carried[kind] = getattr(renewed, kind)
        else:
            lost.append(name)
    if container is None or not carried:
        return data, tuple(lost)
    attached, too_long = container.attach(data, Metadata(**carried))
    return attached, (*lost, *too_long)


def _container(data: bytes) -> Container | None:
    found = (each for each in CONTAINERS.values() if data.startswith(each.begins))
    return next(found, None)
