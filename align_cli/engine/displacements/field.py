"""The displacement of each tile with sub-pixel accuracy, and its covariance.

Around a tile of the target T the warped source is modelled as S(x) = a T(x - d) + b. A few
Gauss-Newton steps estimate the displacement d of each tile independently:

    d <- d - A^-1 sum g r,    r = (S(x + d) - b) / a - T(x),    A = sum g g^T

with g the gradient of T. Its covariance is v A_st^-1: v is the variance of r, from noise and any
other mismatch, corrected for the correlation that smoothing causes; A_st = sum g_t g_s^T is the
cross structure tensor of both images, which is unbiased since their noises are independent.
"""

from __future__ import annotations

import sys
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
"""Step length along both axes that ends a tile's iteration, in pixels of the level."""

REACH_PX: Final = 1.5
"""Largest distance from the start of a tile's iteration, in pixels of its level: the linearisation
does not hold beyond."""

LEAST_CORRELATION: Final = 0.5
"""Least ZNCC of a match. Measured on tiles of unrelated photographs at their best position within
10 px: half reach 0.45."""

FITTED_PARAMETERS: Final = 4
"""Gain, bias and displacement of a tile: degrees of freedom lost."""

RIDGE: Final = 1e-9
"""Share of its trace that is added to a structure tensor before it is inverted."""

CELL: Final = 4
"""Side, in pixels, of the cells over which the residuals' correlation is measured."""

MOST_VARIANCE: Final = 1e6
"""Variance, in squared pixels, along a direction without texture."""


@dataclass(frozen=True, eq=False)
class DisplacementField:
    """The displacements of n tiles; pixels are those of the full-size target.

    Attributes:
        position: (n, 2) float64, x and y of the tiles' centres.
        displacement: (n, 2) float64, position of the match in the warped source less position of
            the tile.
        covariance: (n, 2, 2) float64 of the displacement.
        correlation: (n,) float64, ZNCC at the match.
        matched: (n,) bool, whether the tile has a match.
        side: of a tile.
        level: the pyramid level.
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
        """The same with only some (n,) bool of the matches."""
        return replace(self, matched=self.matched & known)


def displacement_field(
    pair: LevelPair, tiles: Tiles, begin: NDArray[np.float64] | None = None
) -> DisplacementField:
    """Measure the displacements of tiles of a level in the warped source.

    Args:
        pair: both images on the level.
        tiles: of the target.
        begin: (n, 2) displacements at which the iteration starts, in pixels of the level; None for
            zero.
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
    """Power of the residuals over square cells of 4 px, relative to that of single pixels.

    Args:
        squares: (n,) sums of squares of the residuals of each tile.
        cells: (n,) sums of squares of their means over cells.
        side: of a tile.
    """
    alone = float(squares.sum()) / side**2
    means = float(cells.sum()) / (side // CELL) ** 2
    return float(np.clip(CELL**2 * means / max(alone, sys.float_info.min), 1.0, CELL**2))


def _covariance(
    information: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2, 2) variance / information, limited along directions without information.

    A function f of a symmetric matrix of eigenvalues l and m is the linear function of it with the
    values f(l) and f(m).

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
    """The share of the matched tiles whose match is within a pixel of their own raw position.

    Args:
        field: of the tiles of a target under a warp.
        warp: (3, 3), target pixel -> source pixel.

    Returns:
        1 if no tile has a match.
    """
    if not field.matched.any():
        return 1.0
    match = field.position + field.displacement
    moved = np.hypot(*(map_points(warp, match) - field.position).T)
    return float((moved[field.matched] < 1.0).mean())
