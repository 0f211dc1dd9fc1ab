"""A pair of images without the fixed pattern of the sensor."""

from __future__ import annotations

import math
from typing import Final

from align_cli.engine.equations.pair import Pair
from align_cli.engine.errors import ImageError
from align_cli.engine.images.fixed_pattern import (
    FixedPattern,
    fixed_pattern,
    suspected_kinds,
    without_fixed_pattern,
)
from align_cli.engine.images.luma import Luma
from align_cli.engine.options import Options
from align_cli.engine.target.target import Target

SAMPLED_PIXELS: Final = 1 << 20
"""An image of at least twice this many pixels is first examined in strips of at least this many."""

SAMPLED_SHARE: Final = 0.1
"""Least share of the image in the strips: spots of which thirty are in 4 or in 40 MP are among
them."""


def cleaned_pair(
    pair: Pair, options: Options, *, quickly: bool = False
) -> tuple[Pair, FixedPattern] | None:
    """The pair without what is at the same raw pixels of both images, and that pattern.

    Args:
        pair: source and target.
        options: of the alignment.
        quickly: examine parts of the images first, and all of them only if those show a pattern.

    Returns:
        None if the images differ in size, there is no fixed pattern, or nothing remains without it.
    """
    if options.keep_fixed_pattern or pair.source.size != pair.target.size:
        return None
    kinds, pixels = None, math.prod(pair.source.size)
    if quickly or pixels >= 2 * SAMPLED_PIXELS:
        enough = 0 if quickly else max(SAMPLED_PIXELS, round(SAMPLED_SHARE * pixels))
        kinds = suspected_kinds(pair.source, pair.target.image, pixels=enough)
        if not any(kinds):
            return None
    source, target = _converted(pair.source), _converted(pair.target.image)
    planes = source.plane, target.plane
    valid = source.valid, target.valid
    pattern = fixed_pattern(*planes, source_valid=valid[0], target_valid=valid[1], kinds=kinds)
    if pattern.empty:
        return None
    of_source, of_target = (
        Luma(plane, valid, image.offset, image.scale)
        for image in (source, target)
        for plane, valid in [without_fixed_pattern(image.plane, image.valid, pattern)]
    )
    try:
        return Pair(of_source, Target(of_target, options)), pattern
    except ImageError:
        return None


def _converted(image: Luma) -> Luma:
    """The same with its plane stored: that of a large image is converted on demand."""
    return Luma(image.plane, image.valid, image.offset, image.scale)
