"""One frame of an animated GIF, PNG or WebP, by Pillow, which composes it of those before it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from align_cli.files.errors import ContentError, damaged, truncated
from align_cli.files.limits import check_size
from align_cli.files.pixels import Decoded, Pixels
from align_cli.files.quiet import no_pillow_limit, no_warnings

if TYPE_CHECKING:
    from PIL import Image

_DEPTH_AT, _DEEP = 24, 16
"""Where a PNG file says how many bits a number has."""


def count(data: bytes) -> int:
    """Return how many frames there are; 1 for a still image.

    Raises:
        ContentError: if it is damaged.
    """
    from PIL import Image  # noqa: PLC0415 - only an animation needs it here

    with no_warnings, no_pillow_limit:
        try:
            with Image.open(io.BytesIO(data)) as file:
                return int(getattr(file, "n_frames", 1))
        except Exception as error:
            raise damaged("its header cannot be read") from error


def decoded(data: bytes, max_megapixels: float, number: int) -> Decoded:
    """Return frame ``number``, from 0, as it is shown; without metadata.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4) uint8; palettes become RGB, or RGBA where a colour is
        transparent.

    Raises:
        ContentError: if there is no such frame, or it is damaged, too large, or has 16 bit.
    """
    from PIL import Image  # noqa: PLC0415

    frames = count(data)
    if number >= frames:
        raise no_such_page(number, frames, "frame")
    if data.startswith(b"\x89PNG") and data[_DEPTH_AT] == _DEEP:
        raise ContentError(
            "is an animation of 16 bit, of which Pillow reads 8",
            "save the frame to align as a single image",
        )
    with no_warnings, no_pillow_limit:
        try:
            with Image.open(io.BytesIO(data)) as file:
                check_size(*file.size, max_megapixels)
                file.seek(number)
                return Decoded(_shown(file))
        except (ContentError, MemoryError):
            raise
        except Exception as error:
            if "truncated" in str(error):
                raise truncated("pixels are missing") from error
            raise damaged("the frame cannot be decoded") from error


def animation() -> ContentError:
    """Return the error for an animation of which no frame is chosen."""
    return ContentError(
        "is an animation", "choose a frame with --page N, from 0, or save it as a single image"
    )


def no_such_page(number: int, count: int, kind: str = "page") -> ContentError:
    """Return the error for a page that is not there."""
    some = f"{count} {kind}{'s' * (count != 1)}"
    return ContentError(
        f"contains {some}, counted from 0, and no {kind} {number}",
        "omit --page" if count == 1 else f"choose one with --page 0 to {count - 1}",
    )


def _shown(file: Image.Image) -> Pixels:
    if file.mode == "L" and not file.has_transparency_data:
        return np.array(file)
    return np.array(file.convert("RGBA" if file.has_transparency_data else "RGB"))
