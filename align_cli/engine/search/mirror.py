"""Mirrored sources: a film scanned from behind, a print for a transfer.

No motion model contains a reflection, and none converges to one. So the mirror image is aligned
like any other image, and the reflection is composed with its transform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from align_cli.engine.arrays import Image, Mask, Matrix
from align_cli.engine.geometry.coordinates import unit
from align_cli.engine.records import Uncertainty
from align_cli.engine.result.alignment import Alignment

LEFT_AND_RIGHT: Final = (1, 0, 3, 2)
"""Index of the mirrored corner of each corner, clockwise from the top left."""


def mirror(width: int) -> Matrix:
    """The transform between an image and its mirror image, left for right; its own inverse."""
    return np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def allowing_flip(
    align: Callable[[Image, Mask | None, str | Matrix], Alignment],
    source: Image,
    mask: Mask | None,
    init: str | Matrix,
) -> Alignment:
    """Align a source, or its mirror image if only that can be aligned.

    Args:
        align: aligns an image, with its mask, from an initial transform.
        source: (height, width) or (height, width, channels).
        mask: (height, width) bool, its valid pixels; None for all.
        init: the initial transform; one that mirrors selects the mirror image.
    """
    matrix = None if isinstance(init, str) else np.asarray(init, np.float64)
    mirrors = matrix is not None and matrix.shape == (3, 3) and _mirrors(matrix)
    if not mirrors:
        found = align(source, mask, init)
        if found.outcome.aligned or not isinstance(init, str):
            return found
    flip = mirror(source.shape[1])
    begin: str | Matrix = init if isinstance(init, str) else np.asarray(init, np.float64) @ flip
    flipped_mask = None if mask is None else np.ascontiguousarray(mask[:, ::-1])
    flipped = align(np.ascontiguousarray(source[:, ::-1]), flipped_mask, begin)
    if mirrors or flipped.outcome.aligned:
        return _of_the_source(flipped, flip)
    return found


def _mirrors(matrix: Matrix) -> bool:
    return bool(np.isfinite(matrix).all()) and float(np.linalg.det(matrix) * matrix[2, 2]) < 0.0


def _of_the_source(found: Alignment, flip: Matrix) -> Alignment:
    """The alignment of a source, from that of its mirror image."""
    uncertainty = found.uncertainty
    return replace(
        found,
        source_to_target=unit(found.source_to_target @ flip),
        target_to_source=unit(flip @ found.target_to_source),
        uncertainty=None
        if uncertainty is None
        else _mirrored(uncertainty, found.source_to_target, flip),
        mirrored=True,
        path=tuple(unit(each @ flip) for each in found.path),
        searched=tuple(
            replace(each, source_to_target=unit(each.source_to_target @ flip))
            for each in found.searched
        ),
    )


def _mirrored(uncertainty: Uncertainty, source_to_target: Matrix, flip: Matrix) -> Uncertainty:
    # The entries of M F are linear in those of M, row by row; then they are divided by the last.
    linear = np.kron(np.eye(3), flip.T)
    entries = linear @ source_to_target.ravel()
    jacobian = (linear - np.outer(entries / entries[8], linear[8])) / entries[8]
    jacobian = jacobian[:8, :8]
    return replace(
        uncertainty,
        covariance=jacobian @ uncertainty.covariance @ jacobian.T,
        corners_px=uncertainty.corners_px[list(LEFT_AND_RIGHT)],
    )
