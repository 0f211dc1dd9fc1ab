"""How values become grey on a screen: a stretch that has a name.

Pictures are shown as they are where people would see something: integers of their full scale,
floating-point values from 0 to 1. What is darker than a quarter of that, or lies elsewhere, is
stretched linearly. One stretch serves all channels, so that hues stay.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.images.grey_range import grey_range
from align_cli.files.pixels import full_scale

COLOURS: Final = 3
"""Channels of a picture in colour; of more, without alpha, these first ones are shown."""


class Stretch(NamedTuple):
    """What becomes black and white, and the same in words."""

    black: float
    white: float
    words: str


class Shown(NamedTuple):
    """A picture for the screen.

    Attributes:
        colours: (H, W) or (H, W, 3) uint8.
        opaque: (H, W) uint8, 0 where there is nothing to see, 255 where all is; None where all is
            everywhere.
    """

    colours: NDArray[np.uint8]
    opaque: NDArray[np.uint8] | None = None


def stretch_of(pixels: NDArray[Any]) -> Stretch:
    """The stretch of an image, (H, W) or (H, W, C) of any dtype."""
    colours, _ = split(pixels)
    low, high, own = grey_range(colours)
    if own is None:
        return Stretch(low, high, "it has no finite value")
    if not own:
        return Stretch(low, high, f"as it is, 0 black and {high:g} white")
    of = f" of {full_scale(pixels):g}" if pixels.dtype.kind == "u" else ""
    return Stretch(low, high, f"stretched linearly, {low:.4g} black and {high:.4g} white{of}")


def shown(pixels: NDArray[Any], stretch: Stretch) -> Shown:
    """An image as a screen shows it; what is not finite has nothing to see."""
    colours, alpha = split(pixels)
    opaque = None
    if alpha is not None:
        opaque = shown(alpha, Stretch(0.0, float(full_scale(pixels)), "")).colours
    if colours.dtype.kind == "f":
        finite = np.isfinite(colours)
        if not finite.all():
            known = np.asarray((finite if finite.ndim == 2 else finite.all(axis=2)) * 255, np.uint8)
            opaque = known if opaque is None else np.minimum(known, opaque)
            colours = np.where(finite, colours, stretch.black)
    return Shown(_greys(np.ascontiguousarray(colours), stretch), opaque)


def split(pixels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The colours of an image that are shown, and its alpha: two and four channels have one."""
    if pixels.ndim == 2 or pixels.shape[2] == COLOURS:
        return pixels, None
    colours = pixels[..., 0] if pixels.shape[2] < COLOURS else pixels[..., :COLOURS]
    return colours, pixels[..., -1] if pixels.shape[2] in (2, 4) else None


def _greys(values: NDArray[Any], stretch: Stretch) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and (stretch.black, stretch.white) == (0.0, 255.0):
        return np.asarray(values, np.uint8)
    if values.dtype.kind == "u":  # each value is computed once
        table = _ramp(np.arange(full_scale(values) + 1, dtype=np.float64), stretch)
        return np.asarray(table[values], np.uint8)
    with np.errstate(over="ignore"):
        return _ramp(values, stretch)


def _ramp(values: NDArray[Any], stretch: Stretch) -> NDArray[np.uint8]:
    share = (values - stretch.black) * (255.0 / (stretch.white - stretch.black))
    return np.asarray(np.rint(np.clip(share, 0.0, 255.0)), np.uint8)
