"""Target and warped source one after the other, as an animation for a chat window."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.report.overlay import coloured, flat
from align_cli.report.page.pictures import METHOD, QUALITY
from align_cli.report.view_names import ANIMATIONS

if TYPE_CHECKING:
    from PIL.Image import Image

    from align_cli.report.page.stretch import Shown

MOST_SIDE: Final = 1600
"""Pixels of the longer side: a chat window shows no more, and takes files of some megabytes."""

FRAME_MS: Final = 500
"""How long each of the two pictures is shown: the eye sees what jumps, and can follow it."""

COLOURS: Final = 256
"""Of a GIF."""

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "GIF": {},
    "WEBP": {"quality": QUALITY, "method": METHOD},
    "PNG": {},
}
"""What Pillow is told of each format."""


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of an animation of pictures of this size."""
    share = min(1.0, MOST_SIDE / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def encode(path: str, target: Shown, warped: Shown) -> bytes:
    """The file of an animation that begins with the target and never ends.

    Args:
        path: its name, with a suffix of ``view_names.ANIMATIONS``.
        target: shown first.
        warped: the warped source, of the target's size.
    """
    from PIL import Image  # noqa: PLC0415  (only reports and a few formats need it)

    kind = ANIMATIONS[PurePath(path).suffix.lower()]
    pictures = [_reduced(flat(each)) for each in (target, warped)]
    if any(each.ndim == 3 for each in pictures):
        pictures = [coloured(each) for each in pictures]
    frames = [Image.fromarray(each) for each in pictures]
    if kind == "GIF" and pictures[0].ndim == 3:
        frames = _of_one_palette(frames)
    file = io.BytesIO()
    frames[0].save(
        file,
        kind,
        save_all=True,
        append_images=frames[1:],
        duration=FRAME_MS,
        loop=0,
        **SETTINGS[kind],
    )
    return file.getvalue()


def _reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    size = reduced_size(width, height)
    if size == (width, height):
        return np.ascontiguousarray(picture)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _of_one_palette(frames: list[Image]) -> list[Image]:
    """The frames by colours that both share: with two palettes what is equal would blink too.

    They are not dithered, because its dots would differ between the frames.
    """
    from PIL import Image  # noqa: PLC0415

    width, height = frames[0].size
    both = Image.new("RGB", (width, 2 * height))
    for row, each in enumerate(frames):
        both.paste(each, (0, row * height))
    chosen = both.quantize(COLOURS)
    return [chosen.crop((0, row * height, width, (row + 1) * height)) for row in range(len(frames))]
