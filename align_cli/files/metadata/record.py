"""What is carried from the source's file to the output's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from align_cli.files.metadata import exif

INCH_PER_METRE = 1 / 0.0254


class Metadata(NamedTuple):
    """What a file says beside its pixels; what it does not say is empty.

    Attributes:
        exif: a TIFF structure, as JPEG, PNG and WebP hold it, without the word Exif before it.
        icc: the colour profile.
        xmp: the XMP packet.
        resolution: (x, y) in pixels per inch; None where unknown, or where only their ratio is.
        colour: PNG's own chunks about colours (gAMA and the like), as they stand in the file.
        lost: what the file also says and nothing can carry, in words.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    resolution: tuple[float, float] | None = None
    colour: bytes = b""
    lost: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """What is there: the attribute's name -> how people call it."""
        names = {
            "exif": "EXIF",
            "icc": "ICC profile",
            "xmp": "XMP",
            "resolution": "resolution",
            "colour": "PNG gamma",
        }
        return {key: name for key, name in names.items() if getattr(self, key)}

    def upright(self, width: int, height: int) -> Metadata:
        """Return the same for a picture that is upright, and of another size."""
        packet = re.sub(rb"(tiff:Orientation(?:=[\"']|>))[2-8]", rb"\g<1>1", self.xmp)
        return self._replace(exif=exif.renewed(self.exif, width, height), xmp=packet)

    def without(self, kind: str) -> Metadata:
        """Return the same without the attribute of a name."""
        return self._replace(**{kind: getattr(NOTHING, kind)})


NOTHING = Metadata()


def readable(read: Callable[[], Metadata]) -> Metadata:
    """Return what ``read`` finds.

    What is broken counts as not there: it must not keep anybody from the pixels.
    """
    try:
        return read()
    except Exception:  # hostile bytes may break anything
        return NOTHING


def profile_fits(icc: bytes, channels: int) -> bool:
    """Tell whether a colour profile is one for grey (1, 2 channels) or for RGB (3, 4)."""
    space = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}.get(channels)
    return icc[16:20] == space
