"""The tiles of the displacement field: where the target has enough texture to measure one.

The structure tensor (Förstner and Gülch 1987) of a tile, less the contribution of noise, is the
information on its displacement. A tile is used if noise alone would displace it little along both
axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane, Points
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads
from align_cli.native.tiles import CELL, structure_cells, suppress_neighbours

SIDE: Final = 16
"""Side of a tile in pixels of its level."""

FEW_TILES: Final = 16
"""With fewer tiles, half their side is tried: sparse texture then gives more."""

FEW_ACROSS: Final = 6
"""Tiles across the shorter side of an overlap below which they are made smaller."""

STRIDE: Final = CELL
"""Pixels of the grid on which tiles are placed."""

MOST_SIGMA_PX: Final = 1.0
"""Largest standard deviation of a tile's displacement by noise alone, in pixels of its level: four
of them are within the pixel up to which it counts as stationary."""


CHUNK_POINTS: Final = 256
"""Points that are compared with all others at once: a megapixel has thousands."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles of a level with enough texture.

    Attributes:
        corner: (n, 2) int, x and y of their top left pixels, row by row.
        side: in pixels of the level.
        textured: the share of the overlap, by area, that has enough texture.
    """

    corner: NDArray[np.intp]
    side: int
    textured: float

    def __len__(self) -> int:
        return len(self.corner)

    def subset(self, picked: Mask) -> Tiles:
        """Some of the tiles, (n,) bool."""
        return replace(self, corner=self.corner[picked])

    def evenly_spaced(self, count: int) -> Tiles:
        """A number of the tiles, evenly spaced."""
        picked = np.linspace(0, len(self) - 1, count).astype(np.intp)
        return replace(self, corner=self.corner[picked])


def side_for(inside: Mask) -> int:
    """The side of the tiles of an overlap: smaller if only few would fit otherwise."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return SIDE
    smaller = min(np.ptp(rows), np.ptp(columns)) + 1
    return int(np.clip(smaller // FEW_ACROSS // STRIDE * STRIDE, 2 * STRIDE, SIDE))


def textured_tiles(pair: LevelPair, *, most: int, margin: int = 1) -> Tiles:
    """Tiles spread over the textured part of the overlap of a level.

    The overlap is divided into at most ``most`` blocks; of each the tile with the most information
    is taken, so that every part counts by its area and none by its contrast.

    Args:
        pair: both images on the level.
        most: how many tiles at most.
        margin: pixels around a tile that must be inside too.
    """
    side = side_for(pair.inside)
    found = _tiles_of_side(pair, side, most, margin)
    half = side // 2 // STRIDE * STRIDE
    if len(found) < FEW_TILES and half >= 2 * STRIDE:
        smaller = _tiles_of_side(pair, half, most, margin)
        found = smaller if len(smaller) > len(found) else found
    return found


def _tiles_of_side(pair: LevelPair, side: int, most: int, margin: int) -> Tiles:
    """``textured_tiles`` with tiles of a side."""
    least = _least_information(pair, side, margin)
    textured = least > 0.0
    known = int(np.count_nonzero(np.isfinite(least)))
    share = int(np.count_nonzero(textured)) / max(known, 1)
    if not textured.any():
        return Tiles(np.empty((0, 2), np.intp), side, 0.0)
    block = max(side, int(np.ceil(np.sqrt(np.count_nonzero(pair.inside) / most)))) // STRIDE
    corner, strength = _best_of_blocks(least, max(block, 1))
    strongest = _without_overlaps(corner, strength, side)[:most]
    return Tiles(strongest[np.lexsort(strongest.T)], side, share)


def _least_information(pair: LevelPair, side: int, margin: int) -> Plane:
    """The smaller eigenvalue of each tile's information matrix, less what is required.

    (rows, columns) float32 on a grid of ``STRIDE`` pixels, of tiles by their top left corners; -inf
    where a tile is not inside, negative where it has too little.
    """
    height, width = (extent // STRIDE for extent in pair.inside.shape)
    tensor = np.zeros((3, height, width), np.float32)
    for plane in pair.target:
        tensor += _structure(plane)
    cells = side // STRIDE
    if min(height, width) < cells:
        return np.full((0, 0), -np.inf, np.float32)
    xx, xy, yy = (_windows(each, cells) * np.float32(side**2) for each in tensor)
    least = 0.5 * (xx + yy) - np.sqrt((0.5 * (xx - yy)) ** 2 + xy**2)
    # Twice the expectation for noise: over a few pixels it varies by about as much.
    least -= np.float32(2.0 * side**2 * pair.slope_noise * len(pair.target))
    least -= np.float32(pair.noise / MOST_SIGMA_PX**2)
    return np.where(_tiles_inside(pair.inside, side, margin), least, np.float32(-np.inf))


def _structure(plane: Plane) -> NDArray[np.float32]:
    """(3, rows, columns): means over cells of gx gx, gx gy and gy gy."""
    height, width = (extent // STRIDE for extent in plane.shape)
    found = np.empty((3, height, width), np.float32)
    rows = max(1, STRIP_PIXELS // (STRIDE * plane.shape[1]))

    def fill(top: int) -> None:
        structure_cells(plane, (found[0], found[1], found[2]), slice(top, top + rows))

    with Threads() as threads:
        threads.map(fill, range(0, height, rows))
    return found


def _tiles_inside(inside: Mask, side: int, margin: int) -> Mask:
    """(rows, columns) bool: whether a tile and its margin are inside as a whole."""
    padded = cv2.copyMakeBorder(
        inside.view(np.uint8), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0
    )
    # The integral image at four corners gives the number of pixels of a rectangle.
    summed, reach = np.asarray(cv2.integral(padded)), side + 2 * margin
    above, below = summed[:-reach:STRIDE], summed[reach::STRIDE]
    strips = below - above
    found: Mask = strips[:, reach::STRIDE] - strips[:, :-reach:STRIDE] == reach**2
    return found


def _windows(cells: Plane, side: int) -> Plane:
    """Means over windows of ``side`` by ``side`` cells, by their top left one."""
    height, width = cells.shape
    means = cv2.boxFilter(cells, -1, (side, side), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(means, np.float32)[: height - side + 1, : width - side + 1]


def _best_of_blocks(least: Plane, block: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The best window with enough information of each block: (n, 2) corners, and information."""
    rows, columns = (-(-extent // block) for extent in least.shape)
    padded = np.full((rows * block, columns * block), -np.inf, np.float32)
    padded[: least.shape[0], : least.shape[1]] = least
    blocks = padded.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(-1, block * block)
    best = blocks.argmax(axis=1)
    strength = blocks[np.arange(len(best)), best]
    row, column = np.divmod(np.arange(len(best)), columns)
    y, x = row * block + best // block, column * block + best % block
    kept = strength > 0.0
    return STRIDE * np.column_stack([x, y])[kept].astype(np.intp), strength[kept]


def _without_overlaps(
    corner: NDArray[np.intp], strength: NDArray[np.float32], side: int
) -> NDArray[np.intp]:
    """The tiles, strongest first, without those that overlap a stronger one."""
    ranked = (corner // STRIDE)[np.argsort(-strength, kind="stable")]
    return STRIDE * ranked[suppress_neighbours(ranked, side // STRIDE - 1)]


def nearest(points: Points, others: Points) -> NDArray[np.intp]:
    """(n,) index of the nearest of ``others`` to each of n points."""
    found = np.zeros(len(points), np.intp)
    for start in range(0, len(points), CHUNK_POINTS):
        some = slice(start, start + CHUNK_POINTS)
        found[some] = np.hypot(*(points[some, None] - others).transpose(2, 0, 1)).argmin(axis=1)
    return found
