"""How to turn a picture upright that was stored another way up."""

from __future__ import annotations

import numpy as np

from align_cli.files.pixels import Pixels


def turn_upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return (H, W) or (H, W, C) ``pixels`` as they are meant to be seen (EXIF 2.32, tag 0x0112).

    Orientations 5 to 8 swap width and height; values outside 1 to 8 leave the picture alone.
    """
    if orientation in (5, 6, 7, 8):  # stored with rows as columns
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):  # the first stored pixel belongs to the right
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):  # ... to the bottom
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
