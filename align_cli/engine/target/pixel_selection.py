"""A level seen at a few thousand of its pixels: those that tell most of the motion.

Down the pyramid an answer need only be a good start for the next level, and a few thousand pixels
give that as well as all of them, if they are the right ones. A level is cut into cells, and each
cell sends the pixel with the largest gradient among its candidates (Dellaert and Collins 1999
choose pixels by what they say of the motion; one a cell keeps them spread over the image). The cost
of a level does not depend on the size of the image.
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
"""Cells of a level, about, and so its points."""

PIXELS_PER_POINT: Final = 64
MOST_POINTS_LAST_LEVEL: Final = 1 << 14
"""Of the last level, whose rows must have little left to do, every 64 pixels have a point; but no
more than so many."""

CANDIDATES_PER_SIDE: Final = 3
"""Pixels along each side of a cell that stand for election; of large cells not every pixel does."""

MOST_SCALE_SAMPLES: Final = 1 << 10
"""Residuals whose median gives the scale."""

Samples = NDArray[np.float32]
"""(n,) float32, a value for each point."""


@dataclass(frozen=True, eq=False)
class TargetPoints:
    """Chosen pixels of one level of the target, n of them.

    Attributes:
        size: (width, height) of the level.
        chosen: their table, and what the level's grey values are like.
        textured: indices of points with texture, evenly spaced.
        correct_curvature: whether linear samples are corrected by the second derivatives of the
            image; unnecessary if a finer level follows.
        noise: standard deviation of the noise in ``image``; 0 where none is known.
    """

    size: Size
    chosen: SelectedPoints
    textured: NDArray[np.intp]
    correct_curvature: bool
    noise: float

    def row(self, first: int, count: int) -> NDArray[np.float32]:
        """Rows of the table, (count, n) float32."""
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
    """The pixels of a pyramid level that tell most, or None where no interior is left.

    Args:
        level: the level.
        most: how many, about.
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
    """The pixels that tell most among the planes of a level.

    None where so few take part that there is nothing to choose from.
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
    """One pixel of each cell: that with the largest gradient; None where no cell has one.

    Args:
        level: the level.
        rows: of the level, those of its pixels that take part.
        valid: (rows, width of the interior) bool, which of them do; None for all.
        most: how many points, about.
        correct_curvature: see ``TargetPoints``.
        noise: the same.
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
    ranked = textured[:: max(1, textured.size // MOST_SCALE_SAMPLES)]
    return TargetPoints(level.size, chosen, ranked, correct_curvature, noise)
