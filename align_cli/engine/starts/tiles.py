"""Motions that the tiles of an estimate share, other than the estimate.

An estimate between two motions is a few pixels off both, and one that is biased by a part is off
the rest. Each tile has its own match, and a motion that more of them share
(``align_cli.engine.displacements.motions``) than are inliers of the estimate is another candidate.
It is solved on the part of those tiles: over the whole target the solver would converge between the
motions again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.displacements.coarser_matches import matches_of
from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.displacements.fit import add_scatter, squared_lengths, tukey_weight
from align_cli.engine.displacements.motions import motions
from align_cli.engine.displacements.residual_field import fitted_transform
from align_cli.engine.displacements.tiles import nearest
from align_cli.engine.displacements.windows import REACH
from align_cli.engine.geometry.coordinates import Size, plausible, unit
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.numerics.samples import SAMPLE_ROWS

MOTIONS: Final = 2
"""Motions that are proposed, of those with the most tiles."""

GRID: Final = SAMPLE_ROWS
"""Points along each side of the target that are assigned to the nearest tile."""


class SharedMotion(NamedTuple):
    """A motion that tiles share.

    Attributes:
        warp: (3, 3), target pixel -> source pixel, at full size.
        part: (height, width) bool, the pixels of the target whose nearest tile has it.
    """

    warp: Matrix
    part: Mask


def guesses(
    field: DisplacementField, warp: Matrix, model: MotionModel, size: Size
) -> Iterator[SharedMotion]:
    """Motions that more tiles share than are inliers of an estimate, the most frequent first.

    Args:
        field: of the tiles of the estimate.
        warp: the estimate, (3, 3), target pixel -> source pixel.
        model: the motion model.
        size: (width, height) of the target.
    """
    matches = matches_of(field, float(REACH * 2.0**field.level))
    groups = sorted(
        motions(matches, size, neighbours=True),
        key=lambda each: int(np.count_nonzero(each.tiles)),
        reverse=True,
    )
    for group in groups[:MOTIONS]:
        variance = add_scatter(matches.covariance, group.fit.scatter_px)
        follow = tukey_weight(squared_lengths(matches.displacement, variance)) > 0.0
        count = np.count_nonzero(group.tiles)
        if 2 * count < model.size or count <= np.count_nonzero(follow):
            continue
        moved = warp @ fitted_transform(model, matches[group.tiles], size)[0]
        if np.isfinite(moved).all() and plausible(unit(moved), size):
            x, y = (np.linspace(0.0, side - 1.0, GRID) for side in size)
            points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
            of_group = group.tiles[nearest(points, matches.position)].reshape(GRID, GRID)
            part = cv2.resize(of_group.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            yield SharedMotion(unit(moved), np.asarray(part, np.bool_))
