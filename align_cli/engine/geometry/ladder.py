"""Which motion models a level climbs through."""

from __future__ import annotations

from typing import Final

from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.geometry.models import MODELS, MotionModel, contains

PROJECTIVE_SIDE: Final = 40
"""Levels whose shorter side is below this carry too few pixels for more than an affine warp."""


def ladder(model: MotionModel, size: Size, *, coarsest: bool = False) -> list[MotionModel]:
    """The models to solve for on a level of ``size``, from the stiffest to the final one.

    A stiff model moves far without bending. The coarsest level climbs through all of them;
    finer levels start near enough for the model itself. Measured on a 30 degree change of
    viewpoint over bricks: without the climb robust weights lock onto the wrong bricks.
    """
    limit = MODELS["affine"].size if min(size) < PROJECTIVE_SIDE else model.size
    fitting = [step for step in MODELS.values() if step.size <= min(limit, model.size)]
    allowed = [step for step in fitting if contains(model, step)]
    return allowed if coarsest else allowed[-1:]
