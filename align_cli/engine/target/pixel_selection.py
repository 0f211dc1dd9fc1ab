"""Pixel selection: a few thousand pixels of a level that determine the motion best.

A coarse level need only give the next one a good start, for which a few thousand selected
pixels suffice. A level is divided into cells, and in each the candidate with the largest
gradient is selected (Dellaert and Collins 1999 select pixels by their information on the motion;
one for each cell spreads them over the image). The cost of a level does not depend on the size of
the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask
from align_cli.engine.geometry.coordinates import Size, normalisation
from align_cli.engine.images.pyramid import Level, eroded_by_reach
from align_cli.engine.target.planes import BORDER, TEXTURE_SHARE, TargetPlanes, has_interior
from align_cli.native.points import (
    ENERGY,
    FACTOR,
    OFFSET,
    SelectedPoints,
    X,
    select_points,
)

MOST_POINTS: Final = 1 << 11
"""Number of cells, about, and so of points of a level."""

PIXELS_PER_POINT: Final = 64
MOST_POINTS_LAST_LEVEL: Final = 1 << 14
"""The finest level has a point for every ``PIXELS_PER_POINT`` pixels, at most
``MOST_POINTS_LAST_LEVEL``, so that its rows need few further iterations."""

CANDIDATES_PER_SIDE: Final = 3
"""Candidates along each side of a cell; large cells have more pixels than candidates."""

MOST_SCALE_SAMPLES: Final = 1 << 10
"""Largest number of residuals whose median gives the scale."""

Samples = NDArray[np.float32]
"""(n,) float32, a value for each point."""


@dataclass(frozen=True, eq=False)
class TargetPoints:
    """n selected pixels of one level of the target.

    Attributes:
        size: (width, height) of the level.
        chosen: their table, and statistics of the level's grey values.
        textured: indices of a sample of the points with texture, evenly spaced.
        correct_curvature: whether linear samples are corrected by the second derivatives of the
            image; unnecessary if a finer level follows.
        noise: standard deviation of the noise in ``image``; 0 if unknown.
    """

    size: Size
    chosen: SelectedPoints
    textured: NDArray[np.intp]
    correct_curvature: bool
    noise: float

    def row(self, first: int, count: int) -> NDArray[np.float32]:
        """``count`` rows of the table, (count, n) float32."""
        return self.chosen.table[first : first + count, : self.chosen.number]

    @property
    def coordinates(self) -> NDArray[np.float32]:
        """(2, n) float32, x and y of each in pixels of the level."""
        return self.row(X, 2)

    @property
    def image(self) -> Samples:
        """Grey values less ``mean``."""
        return self.chosen.table[FACTOR, : self.chosen.number]

    @property
    def monomials(self) -> NDArray[np.float32]:
        """(6, n) float32, ``MONOMIALS`` of the normalised coordinates."""
        return self.row(OFFSET, 6)

    @property
    def mean(self) -> float:
        """Mean grey value of the candidates."""
        return self.chosen.mean

    @property
    def spread(self) -> float:
        """Their standard deviation."""
        return self.chosen.spread


def target_points(
    level: Level, most: int = MOST_POINTS, *, correct_curvature: bool = False, noise: float = 0.0
) -> TargetPoints | None:
    """The selected pixels of a pyramid level; None if it has no interior.

    Args:
        level: the level.
        most: number of points, about.
        correct_curvature: see ``TargetPoints``.
        noise: standard deviation of the noise of the level.
    """
    if not has_interior(level.size):
        return None
    width, height = level.size
    valid = eroded_by_reach(level.valid)
    if valid is not None:
        valid = valid[BORDER : height - BORDER, BORDER : width - BORDER]
    return _strongest_per_cell(
        level, np.arange(BORDER, height - BORDER), valid, most, correct_curvature, noise
    )


def points_of(planes: TargetPlanes, level: Level, most: int | None = None) -> TargetPoints | None:
    """The selected pixels among the rows of a level's planes; None if too few are valid.

    Args:
        planes: the planes.
        level: their level.
        most: number of points, about; None for that of the finest level.
    """
    if most is None:
        pixels = _pixels(planes.shape, planes.valid)
        most = min(max(MOST_POINTS, pixels // PIXELS_PER_POINT), MOST_POINTS_LAST_LEVEL)
    rows = planes.bands.y.astype(np.int64) + BORDER
    return _strongest_per_cell(level, rows, planes.valid, most, True, planes.noise)


def _pixels(shape: tuple[int, int], valid: Mask | None) -> int:
    return math.prod(shape) if valid is None else int(np.count_nonzero(valid))


def _strongest_per_cell(
    level: Level,
    rows: NDArray[np.int64],
    valid: Mask | None,
    most: int,
    correct_curvature: bool,
    noise: float,
) -> TargetPoints | None:
    """The candidate with the largest gradient of each cell; None if there is none.

    Args:
        level: the level.
        rows: indices of the level's rows that are used.
        valid: (rows, width of the interior) bool, the valid pixels; None for all.
        most: number of points, about.
        correct_curvature: see ``TargetPoints``.
        noise: see ``TargetPoints``.
    """
    width = level.size[0] - 2 * BORDER
    side = max(1, round(math.sqrt(_pixels((rows.size, width), valid) / most)))
    cell = min(side, CANDIDATES_PER_SIDE)
    step = max(1, round(side / cell))
    (x_scale, _, x_offset), (_, y_scale, y_offset), _ = normalisation(level.size).tolist()
    chosen = select_points(
        level.image,
        None if valid is None else valid[::step, ::step],
        rows[::step],
        left=BORDER,
        across=-(-width // step),
        step=step,
        cell=cell,
        normalisation=(x_scale, x_offset, y_scale, y_offset),
    )
    if not chosen.number:
        return None
    textured = np.flatnonzero(chosen.table[ENERGY] > TEXTURE_SHARE * chosen.energy)
    sampled = textured[:: max(1, textured.size // MOST_SCALE_SAMPLES)]
    return TargetPoints(level.size, chosen, sampled, correct_curvature, noise)
