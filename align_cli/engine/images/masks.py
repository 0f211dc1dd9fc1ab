"""Masks as given by the user, and rectangles as masks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from align_cli.engine.arrays import Mask
from align_cli.engine.errors import ImageError


class Region(NamedTuple):
    """A rectangle of an image: its first column and row, its width and height, in pixels."""

    x: int
    y: int
    width: int
    height: int


def check_mask(mask: Mask, shape: tuple[int, ...], role: str) -> None:
    """Check a mask of an image of ``shape`` (height, width).

    Raises:
        ImageError: of the role "source mask" or "target mask", if the mask is no (height, width)
            bool array of the image's size, or marks no pixel.
    """
    mask_role = f"{role} mask"
    if not isinstance(mask, np.ndarray) or mask.ndim != 2 or mask.dtype != np.bool_:
        kind = type(mask).__name__
        if isinstance(mask, np.ndarray):
            kind = f"{mask.dtype.name} of shape {mask.shape}"
        raise ImageError(
            f"expected a (height, width) array of bool, got {kind}; use mask != 0",
            role=mask_role,
        )
    if mask.shape != shape:
        height, width = shape
        raise ImageError(
            f"the mask has {mask.shape[1]}x{mask.shape[0]} px, the {role} {width}x{height} px; "
            f"use a mask of the {role}'s size",
            role=mask_role,
        )
    if not mask.any():
        raise ImageError(
            "every pixel of the mask is zero, so no pixel would be used; set the pixels to use to "
            "a non-zero value",
            role=mask_role,
        )


def region_mask(region: Region, size: tuple[int, int], *, role: str = "region") -> Mask:
    """(height, width) bool, True in a rectangle of an image of ``size`` (width, height).

    Raises:
        ImageError: of that role, if the rectangle is not all within the image.
    """
    x, y, width, height = region
    if min(x, y) < 0 or min(width, height) < 1 or x + width > size[0] or y + height > size[1]:
        raise ImageError(
            f"the region extends beyond the image, which has {size[0]}x{size[1]} px; choose x and "
            f"y from 0, x + w up to {size[0]} and y + h up to {size[1]}",
            role=role,
        )
    mask = np.zeros(size[::-1], np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask
