"""The score of a candidate: how many tiles of a level correlate under its warp.

A tile votes by the ZNCC of both images in it, so that something that moves independently, or covers
a part, costs only its own tiles. A wrong warp with little overlap has few tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.numerics.negligible import NEGLIGIBLE

TILE: Final = 12
"""Approximate side of a tile, in pixels of the level."""

LEAST_CONTRAST: Final = NEGLIGIBLE
"""Least contrast of a tile relative to the mean; below it there is only rounding."""

FEWEST_TILES, LEAST_KNOWN = 16, 0.5
"""Least number of tiles, and least share of their pixels valid in both images, to test whether the
images correlate at all."""

ZNCC_NO_VOTE, ZNCC_FULL_VOTE = 0.3, 0.8
"""ZNCC up to which a tile has no vote, and from which on it has a full vote."""


class OverlapPlanes(NamedTuple):
    """Both images over their overlap on the target's grid, one plane or two.

    Attributes:
        source: (height, width) float32 each, of the warped source; 0 where it is not valid.
        target: the same of the target.
        inside: bool, the pixels that are valid in both.
    """

    source: Sequence[Plane]
    target: Sequence[Plane]
    inside: Mask


class Score(NamedTuple):
    """The score of a candidate.

    Attributes:
        agreeing_tiles: how many tiles correlate, a sum of votes.
        share: the same relative to the tiles of the overlap; 0 if there are none.
    """

    agreeing_tiles: float
    share: float


NO_SCORE: Final = Score(0.0, 0.0)


def score(shown: OverlapPlanes, noise: float = 0.0) -> Score:
    """The score of two images: the sum of the votes of their tiles.

    Args:
        shown: both images.
        noise: contrast, the geometric mean of both images' mean squares, below which tiles have no
            vote: even under the true warp they correlate only by chance.
    """
    zncc, contrast, known = tile_zncc(shown)
    if not contrast.size:
        return NO_SCORE
    informative = contrast > max(noise * TILE**2, LEAST_CONTRAST * float(contrast.mean()))
    area = float(known[informative].sum())
    if not area > 0.0:
        return NO_SCORE
    # By area: the number of tiles that a small overlap touches depends on its position.
    votes = np.clip((zncc[informative] - ZNCC_NO_VOTE) / (ZNCC_FULL_VOTE - ZNCC_NO_VOTE), 0.0, 1.0)
    agreeing_tiles = float(known[informative] @ votes)
    return Score(agreeing_tiles, agreeing_tiles / area)


def t_statistic(tiles: TileZncc) -> float | None:
    """The mean ZNCC in units of its standard error (Student's t); None for too few tiles.

    Unrelated images correlate in some tiles and anticorrelate in others, so that their mean ZNCC
    differs from 0 by about its standard error.
    """
    zncc, contrast, known = tiles
    if not zncc.size:
        return None
    informative = zncc[(known > LEAST_KNOWN) & (contrast > LEAST_CONTRAST * contrast.mean())]
    if informative.size < FEWEST_TILES:
        return None
    error = float(informative.std(ddof=1)) / math.sqrt(informative.size)
    return float(informative.mean()) / max(error, float(np.finfo(np.float64).tiny))


class TileZncc(NamedTuple):
    """The ZNCC of each tile in which both images have texture, (n,) each.

    Attributes:
        zncc: in [-1, 1], of all planes together.
        contrast: the geometric mean of both images' energies.
        known: the pixels that are valid in both images, in whole tiles.
    """

    zncc: NDArray[np.float64]
    contrast: NDArray[np.float64]
    known: NDArray[np.float64]


def tile_zncc(shown: OverlapPlanes) -> TileZncc:
    """The ZNCC and the contrast of two images, tile by tile."""

    def energy(one: Sequence[Plane], other: Sequence[Plane]) -> NDArray[np.float64]:
        return _tile_sums(
            np.asarray(sum(a * b for a, b in zip(one, other, strict=True)), np.float32)
        )

    products = energy(shown.source, shown.target)
    of_both = energy(shown.source, shown.source) * energy(shown.target, shown.target)
    contrast = np.sqrt(of_both)
    textured = contrast > 0.0
    known = _tile_sums(shown.inside.astype(np.float32))[textured] / TILE**2
    return TileZncc(products[textured] / contrast[textured], contrast[textured], known)


def _tile_sums(image: Plane) -> NDArray[np.float64]:
    """(tiles,) sums of an image over tiles of about ``TILE`` pixels on a side."""
    rows, columns = (np.arange(0, max(side - TILE // 2, 1), TILE) for side in image.shape)
    of_rows = np.add.reduceat(image, rows, 0)
    sums: NDArray[np.float64] = np.add.reduceat(of_rows, columns, 1, dtype=np.float64)
    return sums.ravel()
