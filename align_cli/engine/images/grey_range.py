"""The range of the grey values of an image: what is black and white in it.

Of most images it is their full scale: of integers that of their type, of floating-point values 0 to
1. Images that are darker than a quarter of that (12-bit data in 16 bits, a night), or lie
elsewhere, have a range of their own, which a few hot pixels do not stretch. What people are shown
(``align_cli.report.page.stretch``) and what a grey level is (``align_cli.engine.search.changes``)
are by the same rule.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask
from align_cli.engine.images.luma import alpha_of, full_scale

DARK: Final = 0.25
"""Images whose brightest part is below this share of white have a range of their own."""

PERCENTILES: Final = (0.1, 99.9)
"""Of the values: this range. A few hot pixels do not count."""

ENOUGH_VALUES: Final = 1 << 17
"""Of so many the percentiles are known well enough."""


class GreyRange(NamedTuple):
    """Black and white, in the values of the image.

    ``own``: whether they are its own, and not those of its type; None if it has no finite value.
    """

    black: float
    white: float
    own: bool | None


class GreyLevels(NamedTuple):
    """What 255 grey levels are, in units of full scale.

    ``rounding`` is the standard deviation of the rounding of both images where that matters: of
    integers that fill a part of their type only.
    """

    unit: float
    rounding: float


def grey_levels(source: Image, target: Image, valid: Mask | None) -> GreyLevels:
    """The grey levels of a pair: of the target's range, where it is ``valid``."""
    pixels = target.reshape(*target.shape[:2], -1)
    colours = pixels if alpha_of(target) is None else pixels[..., :-1]
    black, white, own = grey_range(colours, valid)
    steps = [1.0 / full_scale(each) for each in (source, target) if each.dtype.kind == "u"]
    rounding = math.hypot(*steps) / math.sqrt(12.0) if own else 0.0
    return GreyLevels((white - black) / full_scale(target), rounding)


def grey_range(colours: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> GreyRange:
    """The range of an image.

    Args:
        colours: (height, width) or (height, width, channels), without alpha.
        valid: (height, width) bool, the pixels that count; None for all.
    """
    step = 1 + int(np.sqrt(colours.size / ENOUGH_VALUES))
    some = colours[::step, ::step]
    if valid is not None:
        some = some[valid[::step, ::step]]
    if some.dtype.kind == "f":
        some = some[np.isfinite(some)]
    white = full_scale(colours)
    if not some.size:
        return GreyRange(0.0, white, None)
    ranks = [round(each / 100.0 * (some.size - 1)) for each in (0.0, *PERCENTILES, 100.0)]
    ordered = np.partition(some, ranks, axis=None)
    least, low, high, most = (float(ordered[rank]) for rank in ranks)
    within = colours.dtype.kind == "u" or (least >= 0.0 and most <= 1.0)
    if within and high >= DARK * white:
        return GreyRange(0.0, white, own=False)
    if not high > low:
        low, high = low - 0.5 * white, low + 0.5 * white
    return GreyRange(low, high, own=True)
