"""The user's choice of the initial transform: a name, or a matrix."""

from __future__ import annotations

from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, plausible, unit
from align_cli.engine.geometry.models import MotionModel, nearest
from align_cli.engine.options import AUTO, INIT_NAMES, START_NAMES

GIVEN: Final = "given"
"""The name of the start for a transform that the user gives."""


def chosen_starts(
    init: str | Matrix, model: MotionModel, target_size: Size
) -> tuple[tuple[str, ...], Matrix]:
    """The names of the starts to try, in their order, and the warp of the first attempt.

    Args:
        init: a name of ``options.INIT_NAMES``, or (3, 3) ``source_to_target``.
        model: the motion model.
        target_size: (width, height) of the target.

    Raises:
        ImageError: if a given transform is not an invertible, finite (3, 3) matrix.
        ValueError: if there is no start of this name.
    """
    if not isinstance(init, str):
        return (GIVEN,), starting_warp(init, model, target_size)
    if init not in INIT_NAMES:
        raise ValueError(
            f"unknown init {init!r}; choose one of {', '.join(INIT_NAMES)}, or give a (3, 3) matrix"
        )
    return (START_NAMES if init == AUTO else (init,)), np.eye(3)


def starting_warp(source_to_target: Matrix, model: MotionModel, target_size: Size) -> Matrix:
    """The initial warp: the user's transform, projected onto the motion model.

    Raises:
        ImageError: if the given transform is not an invertible, finite (3, 3) matrix.
    """
    matrix = np.asarray(source_to_target, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or matrix[2, 2] == 0.0:
        raise ImageError(
            "the initial transform must be a finite (3, 3) matrix, last entry not 0", role="init"
        )
    if abs(np.linalg.det(matrix / np.abs(matrix).max())) < np.finfo(np.float64).eps:
        raise ImageError(
            "the initial transform is singular, or nearly so; check its matrix",
            role="init",
        )
    warp: Matrix = np.linalg.inv(matrix).astype(np.float64)
    if warp[2, 2] != 0.0 and np.linalg.det(unit(warp)) < 0.0:
        raise ImageError(
            "the initial transform mirrors the target; if the source is a mirror image, allow it "
            "(--allow-flip, in Python allow_flip=True), else check the matrix",
            role="init",
        )
    if warp[2, 2] == 0.0 or not plausible(unit(warp), target_size):
        raise ImageError(
            "the horizon of the initial transform crosses the target; check the matrix, or give "
            "another initial transform",
            role="init",
        )
    return nearest(model, unit(warp), target_size)
