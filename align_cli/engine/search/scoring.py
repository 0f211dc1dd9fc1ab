"""The score of a candidate: how many tiles of a level agree under its warp.

A tile votes by the correlation of what both images show in it, so that something that moves by
itself, or covers a part, costs its own tiles and no others. A wrong warp that overlaps little
agrees in few tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane

TILE: Final = 12
"""Side of a tile, in pixels of the level, about."""

LEAST_CONTRAST: Final = 1e-3
"""Tiles of a smaller share of the mean contrast hold nothing but rounding."""

FEWEST_TILES, LEAST_KNOWN = 16, 0.5
"""Fewer tiles, of which both images know this share, do not tell whether anything agrees."""

ZNCC_NO_VOTE, ZNCC_FULL_VOTE = 0.3, 0.8
"""ZNCC up to which a tile does not count, and from which on it counts whole."""


class OverlapPlanes(NamedTuple):
    """What both images show on the target's grid, one plane or two, each (height, width) float32.

    Attributes:
        source: of the warped source; 0 where it is not known.
        target: of the target; 0 where it is not known.
        inside: bool, the pixels that both know.
    """

    source: Sequence[Plane]
    target: Sequence[Plane]
    inside: Mask


class Score(NamedTuple):
    """How much agrees.

    Attributes:
        agreement: how many tiles agree, a sum of shares.
        share: the same over the tiles that both images show; 0 where there are none.
    """

    agreeing_tiles: float
    share: float


NO_SCORE: Final = Score(0.0, 0.0)


def score(shown: OverlapPlanes, noise: float = 0.0) -> Score:
    """How many tiles agree.

    Args:
        shown: both images.
        noise: tiles whose contrast, the geometric mean of both images' mean squares, is less say
            nothing: even under the true warp they agree by chance only.
    """
    zncc, contrast, known = tile_zncc(shown)
    if not contrast.size:
        return NO_SCORE
    informative = contrast > max(noise * TILE**2, LEAST_CONTRAST * float(contrast.mean()))
    area = float(known[informative].sum())
    if not area > 0.0:
        return NO_SCORE
    # By area: how many tiles a small overlap touches depends on where it lies.
    votes = np.clip((zncc[informative] - ZNCC_NO_VOTE) / (ZNCC_FULL_VOTE - ZNCC_NO_VOTE), 0.0, 1.0)
    agreeing_tiles = float(known[informative] @ votes)
    return Score(agreeing_tiles, agreeing_tiles / area)


def t_statistic(tiles: TileZncc) -> float | None:
    """How many standard errors above 0 the mean ZNCC is; None of too few tiles.

    Pictures of different things correlate in some tiles and anticorrelate in others, so that the
    mean differs from 0 by no more than its standard error has it (Student's t).
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
    """How well two images agree in each tile in which both show anything, (n,) each.

    Attributes:
        zncc: in [-1, 1], of all planes together.
        contrast: the geometric mean of both images' energies.
        known: the pixels that both images know, in whole tiles.
    """

    zncc: NDArray[np.float64]
    contrast: NDArray[np.float64]
    known: NDArray[np.float64]


def tile_zncc(shown: OverlapPlanes) -> TileZncc:
    """The correlation of two images, and their contrast, tile by tile."""

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
