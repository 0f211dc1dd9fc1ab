"""EXIF orientation: which way up a picture was stored, and how to turn it upright."""

from __future__ import annotations

import struct

import numpy as np

from align_cli.files.pixels import Pixels

UPRIGHT = 1
_TAG = 0x0112
_SHORT, _LONG = 3, 4
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def exif_orientation(exif: bytes) -> int:
    """Return the orientation (1 to 8) that an EXIF block states, 1 where it states none.

    A broken block counts as none: it must not keep anybody from reading the pixels.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(entries):
            position = start + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(order + "HHI", exif, position)
            if tag == _TAG and kind in (_SHORT, _LONG) and count == 1:
                form = order + ("H" if kind == _SHORT else "I")
                (value,) = struct.unpack_from(form, exif, position + 8)
                return int(value) if UPRIGHT <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


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
