"""GDAL's no-data value: pixels that a TIFF file holds but does not mean."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from align_cli.files.pixels import Decoded, Pixels

TAG: Final = 42113
"""GDAL_NODATA: the value as text, one for all bands."""

_ALPHA_CHANNELS: Final = (2, 4)

_ROUNDED: Final = 1e30, 1e-5
"""From the first on values mean the end of float32's range, which writers round as they like: they
are the same up to the second, relative."""


def declared(page: Any) -> float | None:
    """Return the value that a tifffile page declares; None where there is none, or no number."""
    tag = page.tags.get(TAG)
    text = getattr(tag, "value", None)
    text = text.decode("latin-1") if isinstance(text, bytes) else str(text)
    try:
        return float(text.strip(" \0"))
    except ValueError:
        return None


def set_apart(pixels: Pixels, value: float | None) -> Decoded:
    """Return pixels with their no-data value made NaN, or beside the mask of those that are data.

    Floats become NaN in every channel but alpha that holds the value, in place. Integers stay as
    they are; such a pixel is no data where all of its channels but alpha hold it: one may by
    chance.
    """
    if value is None:
        return Decoded(pixels)
    if pixels.dtype.kind == "f":
        pixels = np.require(pixels, requirements="W")
    alpha = pixels.ndim == 3 and pixels.shape[2] in _ALPHA_CHANNELS
    colours = pixels[..., :-1] if alpha else pixels
    if pixels.dtype.kind == "f":
        colours[_equal(colours, value)] = np.nan
        return Decoded(pixels)
    held = colours == value
    missing = held if held.ndim == 2 else held.all(axis=2)
    return Decoded(pixels, valid=~missing if missing.any() else None)


def _equal(pixels: Pixels, value: float) -> npt.NDArray[np.bool_]:
    least, share = _ROUNDED
    if pixels.dtype == np.float64 or not least <= abs(value) < math.inf:
        return np.asarray(pixels == pixels.dtype.type(value))
    with np.errstate(over="ignore"):
        return np.asarray(np.abs(pixels / value - 1.0) <= share)
