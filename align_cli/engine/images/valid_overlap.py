"""The pixels of a level that are valid in both images under a warp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from align_cli.engine.arrays import Mask, Matrix

if TYPE_CHECKING:
    from align_cli.engine.images.pyramid import Level

from align_cli.engine.sampling.bilinear import overlap_mask, sample_valid


def valid_overlap(source: Level, target: Level, warp: Matrix, *, margin: float) -> Mask:
    """The pixels of a level of the target that are valid in it and in a level of the source.

    Args:
        source: a level of the source.
        target: a level of the target.
        warp: (3, 3), target pixel -> source pixel, of these levels.
        margin: excluded pixels next to the source's border.

    Returns:
        (height, width) bool, of the target's level.
    """
    inside = overlap_mask(warp, target.size, source.size, margin=margin)
    if target.valid is not None:
        inside &= target.valid
    if source.valid is not None:
        inside &= sample_valid(source.valid, warp, target.size)
    return inside
