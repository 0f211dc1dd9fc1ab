"""First guesses: where the solver begins, and which models it climbs through on the way.

All guesses are warps ``W``: target pixel -> source pixel, at full size.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import Size, plausible, unit
from align_cli.engine.errors import ImageError
from align_cli.engine.motion import MODELS, MotionModel, nearest

PROJECTIVE_SIDE: Final = 40
"""Levels whose shorter side is below this carry too few pixels for more than an affine warp."""


def starting_warp(source_to_target: Matrix | None, model: MotionModel, target_size: Size) -> Matrix:
    """The warp to begin with: identity, or the user's transform brought into the model.

    Raises:
        ImageError: if the given transform is not an invertible, finite (3, 3) matrix.
    """
    if source_to_target is None:
        return np.eye(3)
    matrix = np.asarray(source_to_target, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or matrix[2, 2] == 0.0:
        raise ImageError(
            "the starting transform must be a finite (3, 3) matrix, last entry not 0", role="init"
        )
    if abs(np.linalg.det(matrix / np.abs(matrix).max())) < np.finfo(np.float64).eps:
        raise ImageError("the starting transform is singular", role="init")
    warp: Matrix = np.linalg.inv(matrix).astype(np.float64)
    if warp[2, 2] == 0.0 or not plausible(unit(warp), target_size):
        raise ImageError("the starting transform mirrors or folds the target", role="init")
    return nearest(model, unit(warp), target_size)


def ladder(model: MotionModel, size: Size, *, coarsest: bool = False) -> list[MotionModel]:
    """The models to solve for on a level of ``size``, from the stiffest to the final one.

    A stiff model moves far without bending. The coarsest level climbs through all of them;
    finer levels start near enough for the model itself. Measured on a 30 degree change of
    viewpoint over bricks: without the climb robust weights lock onto the wrong bricks.
    """
    limit = MODELS["affine"].size if min(size) < PROJECTIVE_SIDE else model.size
    allowed = [step for step in MODELS.values() if step.size <= min(limit, model.size)]
    return allowed if coarsest else allowed[-1:]
