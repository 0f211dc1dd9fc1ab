"""The planes of two images that are compared for changes: luma, two of their channels, alpha."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np

from align_cli.engine.arrays import Image, Mask
from align_cli.engine.errors import ImageError
from align_cli.engine.images.luma import Luma, is_colour, luma_with_options, opacity
from align_cli.engine.options import LUMA_CHANNEL, Options


def compared_planes(
    source: Image,
    target: Image,
    source_mask: Mask | None,
    target_mask: Mask | None,
    options: Options,
) -> list[tuple[Luma, Luma]]:
    """The plane that was aligned, of source and target; then red and blue, if both have colours.

    Args:
        source: (height, width) or (height, width, channels).
        target: the same.
        source_mask: (height, width) bool, the pixels of the source to use; None for all.
        target_mask: the same for the target.
        options: those of the alignment; only ``channel`` and ``ignore_alpha`` have an effect.
    """

    def planes(seen: Options) -> tuple[Luma, Luma]:
        return (
            luma_with_options(source, "source", source_mask, seen),
            luma_with_options(target, "target", target_mask, seen),
        )

    compared = [planes(options)]
    if options.channel == LUMA_CHANNEL and all(is_colour(each) for each in (source, target)):
        # With luma, red and blue, green would have changed too: another hue is seen.
        for number in (0, 2):
            with contextlib.suppress(ImageError):  # a channel may be flat
                compared.append(planes(replace(options, channel=number)))
    return compared


def opacities(
    source: Image,
    target: Image,
    source_mask: Mask | None,
    target_mask: Mask | None,
    options: Options,
) -> tuple[Luma, Luma] | None:
    """The alphas of both images, from 0 to 1; None if both are opaque, or alpha is ignored.

    The arguments are those of ``compared_planes``.
    """
    if options.ignore_alpha:
        return None
    both = opacity(source, source_mask), opacity(target, target_mask)
    if both == (None, None):
        return None
    opaque = (
        Luma(np.ones(image.shape[:2], np.float32), mask, 0.0, 1.0)
        for image, mask in ((source, source_mask), (target, target_mask))
    )
    one, other = (alpha or whole for alpha, whole in zip(both, opaque, strict=True))
    return one, other
