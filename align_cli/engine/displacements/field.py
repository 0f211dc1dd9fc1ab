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

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.coordinates import map_points
from align_cli.engine.derivatives import differences_at
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles

STEPS: Final = 4
"""Gauss-Newton steps: from 1 px away the last is below 0.01 px in nine of ten tiles."""

SMALL_PX: Final = 0.01
"""Steps end where the longest is shorter, in pixels of the level."""

REACH_PX: Final = 1.5
"""A step leads no further from where a tile began, in pixels of its level: beyond, the slope says
nothing."""

LEAST_CORRELATION: Final = 0.5
"""A tile whose best place agrees less has found no match. Measured on tiles of unrelated
photographs at their best place within 10 px: half reach 0.45."""

FITTED: Final = 4
"""Gain, bias and displacement of a tile, taken off the number of its pixels."""

SINGULAR: Final = 1e-9
"""Share of its trace that is added to a structure tensor before it is inverted."""

BLIND: Final = 1e6
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

    def among(self, known: NDArray[np.bool_]) -> DisplacementField:
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
    within = np.arange(side)
    x = tiles.corner[:, 0, None, None] + within
    y = tiles.corner[:, 1, None, None] + within[:, None]
    target = [_normalised(plane[y, x]) for plane in pair.target]
    sampled = _Sampled(pair, tiles)
    # The mean of a patch is taken off, so that of its derivatives is too.
    slopes = [
        (_normalised(along_x), _normalised(along_y))
        for along_x, along_y in (differences_at(plane, x, y) for plane in pair.target)
    ]
    inverse = _inverse(np.sum([_tensor(slope, slope) for slope in slopes], axis=0))
    start = np.zeros((size, 2)) if begin is None else np.asarray(begin, np.float64)
    moved, last = start.copy(), np.full(size, np.inf)
    for _ in range(STEPS):
        residual, _, _, _ = _residuals(sampled(moved), target)
        pull = np.sum(
            [
                np.stack([(g * r).sum(axis=(1, 2)) for g in slope], axis=1)
                for slope, r in zip(slopes, residual, strict=True)
            ],
            axis=0,
        )
        step = -np.einsum("nij,nj->ni", inverse, pull)
        moved = np.clip(moved + step, start - REACH_PX, start + REACH_PX)
        last = np.abs(step).max(axis=1)
        if last.max() < SMALL_PX:
            break
    residual, source, correlation, gain = _residuals(sampled(moved), target)
    over = 1.0 / gain[:, None, None]
    shared = over * np.sum(
        [_tensor(slope, _slopes_of(each)) for slope, each in zip(slopes, source, strict=True)],
        axis=0,
    )
    squares = np.sum([np.square(r, dtype=np.float64).sum(axis=(1, 2)) for r in residual], axis=0)
    variance = squares / (len(residual) * side * side - FITTED)
    covariance = _covariance(shared, np.maximum(variance * _correlated(residual), pair.noise))
    found = (correlation > LEAST_CORRELATION) & (last < 0.5)
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


def _normalised(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patches (n, side, side) without their means."""
    return np.asarray(patch - patch.mean(axis=(1, 2), keepdims=True), np.float32)


def _slopes_of(patch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Central differences of patches (n, side, side) by themselves; 0 at their rims."""
    along_x, along_y = np.zeros_like(patch), np.zeros_like(patch)
    along_x[:, 1:-1, 1:-1] = 0.5 * (patch[:, 1:-1, 2:] - patch[:, 1:-1, :-2])
    along_y[:, 1:-1, 1:-1] = 0.5 * (patch[:, 2:, 1:-1] - patch[:, :-2, 1:-1])
    return _normalised(along_x), _normalised(along_y)


def _tensor(
    one: tuple[NDArray[np.float32], NDArray[np.float32]],
    other: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """(n, 2, 2) symmetric sums of the products of two gradients."""
    products = np.empty((len(one[0]), 2, 2))
    for i in range(2):
        for j in range(2):
            products[:, i, j] = np.einsum("nij,nij->n", one[i], other[j])
    return 0.5 * (products + products.swapaxes(1, 2))


class _Sampled:
    """The source at the pixels of tiles, displaced by a fraction of them."""

    def __init__(self, pair: LevelPair, tiles: Tiles) -> None:
        side, count = tiles.side, len(tiles)
        self._planes = pair.source
        self._shape = count, side, side
        within = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
        points = (tiles.corner[:, None, None] + within).reshape(-1, 2).astype(np.float64)
        mapped = map_points(pair.warp, points).reshape(count, side * side, 2)
        self._at = mapped[..., 0].copy(), mapped[..., 1].copy()
        # Over a pixel or two the warp is linear.
        middle = tiles.corner.astype(np.float64) + 0.5 * (side - 1.0)
        here = map_points(pair.warp, middle)
        along = [map_points(pair.warp, middle + step) - here for step in np.eye(2)]
        self._change = np.stack(along, axis=1)

    def __call__(self, moved: NDArray[np.float64]) -> list[NDArray[np.float32]]:
        """Patches, (n, side, side) of each plane, at displacements (n, 2) of the target's level."""
        count, side, _ = self._shape
        by = np.einsum("ni,nij->nj", moved, self._change)
        x, y = (
            (self._at[axis] + by[:, axis, None]).astype(np.float32).reshape(count, side * side)
            for axis in (0, 1)
        )
        return [
            np.asarray(
                cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
                np.float32,
            ).reshape(self._shape)
            for plane in self._planes
        ]


def _residuals(
    patches: list[NDArray[np.float32]], target: list[NDArray[np.float32]]
) -> tuple[
    list[NDArray[np.float32]],
    list[NDArray[np.float32]],
    NDArray[np.float64],
    NDArray[np.float64],
]:
    """Residuals in the target's units, source patches without their means, ZNCC and gain."""
    source = [_normalised(patch) for patch in patches]
    product, of_source, of_target = (
        np.sum(
            [np.einsum("nij,nij->n", *both, dtype=np.float64) for both in zip(*pair, strict=True)],
            axis=0,
        )
        for pair in ((source, target), (source, source), (target, target))
    )
    correlation = product / np.sqrt(of_source * of_target + 1e-30)
    # The geometric mean of both regressions: noise in either image does not bend it.
    gain = np.sqrt(of_source / (of_target + 1e-30)) + 1e-12
    over = (1.0 / gain).astype(np.float32)[:, None, None]
    residual = [s * over - t for s, t in zip(source, target, strict=True)]
    return residual, source, correlation, gain


def _correlated(residual: list[NDArray[np.float32]]) -> float:
    """Power of the residuals over square cells of 4 px, over that of single pixels."""
    cell = 4
    count, side, _ = residual[0].shape
    whole = side // cell * cell
    means = alone = 0.0
    for r in residual:
        cells = r[:, :whole, :whole].reshape(count, whole // cell, cell, whole // cell, cell)
        means += float(np.square(cells.mean(axis=(2, 4))).mean())
        alone += float(np.square(r).mean())
    return float(np.clip(cell**2 * means / max(alone, 1e-30), 1.0, cell**2))


def _inverse(tensor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses of (n, 2, 2) structure tensors; finite where one is singular."""
    trace = np.trace(tensor, axis1=1, axis2=2)[:, None, None]
    least = SINGULAR * trace + np.finfo(np.float32).tiny
    return np.asarray(np.linalg.inv(tensor + least * np.eye(2)))


def _covariance(
    information: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 2, 2) variance / information, limited along directions that have none."""
    values, vectors = np.linalg.eigh(information)
    spread = variance[:, None] / np.maximum(
        values, variance[:, None] / BLIND + np.finfo(np.float32).tiny
    )
    return np.asarray(np.einsum("nij,nj,nkj->nik", vectors, spread, vectors))
