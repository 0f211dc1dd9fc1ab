"""The displacement of each tile to a fraction of a pixel, and how exactly it can tell.

Around a tile of the target T the warped source is believed to be S(x) = a T(x - d) + b. A few
Gauss-Newton steps find the displacement d of each tile by itself:

    d <- d - A^-1 sum g r,    r = (S(x + d) - b) / a - T(x),    A = sum g g^T

with g the gradient of T. Its covariance is v A_st^-1: v is the variance of r, noise and whatever
else keeps the tile from fitting, corrected for what smoothing has correlated; A_st = sum g_t g_s^T
is the structure tensor that both images share. Their noises are independent, so it has none of
them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.geometry.coordinates import map_points
from align_cli.native.tiles import StepRules, displaced_tiles

STEPS: Final = 4
"""Gauss-Newton steps: from 1 px away the last is below 0.01 px in nine of ten tiles."""

SMALL_PX: Final = 0.01
"""A tile's steps end where one is shorter along both axes, in pixels of the level."""

REACH_PX: Final = 1.5
"""A step leads no further from where a tile began, in pixels of its level: beyond, the slope says
nothing."""

LEAST_CORRELATION: Final = 0.5
"""A tile whose best place agrees less has found no match. Measured on tiles of unrelated
photographs at their best place within 10 px: half reach 0.45."""

FITTED_PARAMETERS: Final = 4
"""Gain, bias and displacement of a tile, taken off the number of its pixels."""

RIDGE: Final = 1e-9
"""Share of its trace that is added to a structure tensor before it is inverted."""

CELL: Final = 4
"""Side, in pixels, of the cells over which the residuals' correlation is measured."""

MOST_VARIANCE: Final = 1e6
"""Variance, in squared pixels, along a direction of which a tile knows nothing."""


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """What each tile says; pixels are those of the full-size target.

    Attributes:
        position: (n, 2) float64, x and y of the tiles' centres.
        displacement: (n, 2) float64, where the tile is found in the warped source, less where it
            stands.
        covariance: (n, 2, 2) float64 of the displacement.
        correlation: (n,) float64, ZNCC at that place.
        matched: (n,) bool, whether the tile found a match there.
        side: of a tile.
        level: the pyramid level that was looked at.
    """

    position: NDArray[np.float64]
    displacement: NDArray[np.float64]
    covariance: NDArray[np.float64]
    correlation: NDArray[np.float64]
    matched: NDArray[np.bool_]
    side: float
    level: int

    def __len__(self) -> int:
        return len(self.position)

    def restricted_to(self, known: NDArray[np.bool_]) -> DisplacementField:
        """The same, where only some (n,) of the matches are believed."""
        return replace(self, matched=self.matched & known)


def displacement_field(
    pair: LevelPair, tiles: Tiles, begin: NDArray[np.float64] | None = None
) -> DisplacementField:
    """Ask tiles of a level where they lie in the warped source.

    Args:
        pair: both images on the level.
        tiles: of the target.
        begin: (n, 2) displacements to begin with, in pixels of the level; None for none.
    """
    side, size = tiles.side, len(tiles)
    if not size:
        nothing = np.empty((0, 2))
        scale = 2.0**pair.level
        return DisplacementField(
            position=nothing,
            displacement=nothing,
            covariance=np.empty((0, 2, 2)),
            correlation=np.empty(0),
            matched=np.empty(0, np.bool_),
            side=scale * side,
            level=pair.level,
        )
    start = np.zeros((size, 2)) if begin is None else np.asarray(begin, np.float64)
    records = displaced_tiles(
        pair.source,
        pair.target,
        pair.warp,
        tiles.corner,
        side,
        start,
        StepRules(STEPS, SMALL_PX, REACH_PX, RIDGE),
    )
    moved, correlation = records["moved"], records["correlation"]
    planes = len(pair.source)
    variance = records["squares"] / (planes * side * side - FITTED_PARAMETERS)
    correlated = _correlation_factor(records["squares"], records["cells"], side)
    covariance = _covariance(records["shared"], np.maximum(variance * correlated, pair.noise))
    found = (correlation > LEAST_CORRELATION) & (records["last"] < 0.5)
    found &= np.abs(moved - start).max(axis=1) < REACH_PX
    scale = 2.0**pair.level
    return DisplacementField(
        position=scale * (tiles.corner.astype(np.float64) + 0.5 * (side - 1.0)),
        displacement=scale * moved,
        covariance=scale**2 * covariance,
        correlation=correlation,
        matched=found,
        side=scale * side,
        level=pair.level,
    )


def _correlation_factor(
    squares: NDArray[np.float64], cells: NDArray[np.float64], side: int
) -> float:
    """Power of the residuals over square cells of 4 px, over that of single pixels.

    Args:
        squares: (n,) sums of squares of the residuals of each tile.
        cells: (n,) sums of squares of their means over cells.
        side: of a tile.
    """
    alone = float(squares.sum()) / side**2
    means = float(cells.sum()) / (side // CELL) ** 2
    return float(np.clip(CELL**2 * means / max(alone, 1e-30), 1.0, CELL**2))


def _covariance(
    information: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2, 2) variance / information, limited along directions that have none.

    The inverse of a symmetric matrix of eigenvalues l and m is, as any function f of it, the one
    that is linear in it and has f(l) and f(m).

    Args:
        information: (n, 3) xx, xy and yy.
        variance: (n,).
    """
    xx, xy, yy = information.T
    middle, half = 0.5 * (xx + yy), 0.5 * (xx - yy)
    radius = np.hypot(half, xy)
    least = variance / MOST_VARIANCE + np.finfo(np.float32).tiny
    large, small = (
        variance / np.maximum(each, least) for each in (middle - radius, middle + radius)
    )
    mean, slope = (
        0.5 * (large + small),
        0.5 * (small - large) / np.maximum(radius, np.finfo(np.float64).tiny),
    )
    found = np.empty((len(variance), 2, 2))
    found[:, 0, 0], found[:, 1, 1] = mean + slope * half, mean - slope * half
    found[:, 0, 1] = found[:, 1, 0] = slope * xy
    return found


def share_at_same_pixel(field: DisplacementField, warp: Matrix) -> float:
    """The share of the tiles with a match that are found at their own raw pixel, to a pixel.

    Args:
        field: where tiles of the target lie under a warp, and where they are found.
        warp: (3, 3), target pixel -> source pixel.

    Returns:
        1 where no tile has a match: then all may be.
    """
    if not field.matched.any():
        return 1.0
    there = field.position + field.displacement
    moved = np.hypot(*(map_points(warp, there) - field.position).T)
    return float((moved[field.matched] < 1.0).mean())
