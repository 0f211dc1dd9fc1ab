"""The details of two levels, which is what differs from its neighbourhood, and how they agree.

Photographs of different things may share a bright top and a dark bottom; their details agree in
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.sampling import common, sample

DETAIL_SIGMA: Final = 3.0
"""Standard deviation, in pixels of the level, of the neighbourhood that is taken off."""

_HALF_SIGMA: Final = 0.5 * math.sqrt(DETAIL_SIGMA**2 - 2.0)
"""Of half size: halving and doubling smooth by a variance of one square pixel each."""

DETAIL_TILE: Final = 12
"""Side, in pixels of the level, of the tiles whose details are compared, about."""


class Details(NamedTuple):
    """What differs from its neighbourhood's mean, (h, w) each, on the grid of a target's level.

    Attributes:
        source: float32, of the warped source; 0 outside.
        target: float32, of the target; 0 outside.
        inside: bool, the pixels that both know.
    """

    source: Plane
    target: Plane
    inside: Mask


def details(source: Level, target: Level, warp: Matrix) -> Details:
    """The details of two levels, each pixel's own neighbourhood taken off.

    Args:
        source: a level of the source.
        target: a level of the target.
        warp: (3, 3), target pixel -> source pixel, of these levels.
    """
    inside = common(source, target, warp, margin=REACH)
    of_source, of_target = details_of(
        (sample(source.image, warp, target.size), target.image), inside
    )
    return Details(of_source, of_target, inside)


def details_of(images: Sequence[Plane], inside: Mask) -> list[Plane]:
    """What differs from its neighbourhood's mean over the pixels inside; 0 outside."""
    known = inside.astype(np.float32)
    share = _blurred(known) + np.finfo(np.float32).tiny
    found = []
    for image in images:
        mean = _blurred(image * known)
        mean /= share
        np.subtract(image, mean, out=mean)
        mean *= known
        found.append(mean)
    return found


class TileZncc(NamedTuple):
    """How well the details of two levels agree in each tile that has any, (n,) each.

    Attributes:
        zncc: in [-1, 1].
        contrast: the geometric mean of both images' energies.
        known: the pixels that both images know, in whole tiles.
    """

    zncc: NDArray[np.float64]
    contrast: NDArray[np.float64]
    known: NDArray[np.float64]


def tile_zncc(of_both: Details) -> TileZncc:
    """ZNCC of the details of two levels, and their contrast, tile by tile."""
    s, t = of_both.source, of_both.target
    products, source_energy, target_energy = (_tile_sums(p) for p in (s * t, s * s, t * t))
    contrast = np.sqrt(source_energy * target_energy)
    textured = contrast > 0.0
    known = _tile_sums(of_both.inside.astype(np.float32))[textured] / DETAIL_TILE**2
    return TileZncc(products[textured] / contrast[textured], contrast[textured], known)


def _tile_sums(image: Plane) -> NDArray[np.float64]:
    """(tiles,) sums of an image over tiles of about ``DETAIL_TILE`` pixels on a side."""
    rows, columns = (
        np.arange(0, max(side - DETAIL_TILE // 2, 1), DETAIL_TILE) for side in image.shape
    )
    of_rows = np.add.reduceat(image, rows, 0)
    sums: NDArray[np.float64] = np.add.reduceat(of_rows, columns, 1, dtype=np.float64)
    return sums.ravel()


def _blurred(image: Plane) -> Plane:
    """The Gaussian mean around each pixel, made at half size, which takes a third of the time."""
    height, width = image.shape
    half = cv2.GaussianBlur(
        cv2.pyrDown(image), (0, 0), _HALF_SIGMA, borderType=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.pyrUp(half, dstsize=(width, height)), np.float32)
