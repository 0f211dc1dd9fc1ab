"""Is the motion model sufficient? What is left of the displacements, and what explains it.

The tiles that found a match are fitted by the answer's own model, by every richer one and by a
cubic field. What a motion model would still move is told as such; what none explains, a lens,
curled paper or a second plane, is a remainder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.coordinates import Size, corners, map_points
from align_cli.engine.displacements.evidence import Evidence
from align_cli.engine.displacements.fit import Fit, Matches, of_model, polynomial, refit
from align_cli.engine.displacements.nested import CHANCE, log10_chance
from align_cli.engine.displacements.remainder import (
    explained_by_richer,
    fitted_transform,
    smooth_remainder,
)
from align_cli.engine.displacements.second_motion import SecondMotion, second_motion
from align_cli.engine.motion import LARGEST, MODELS, MotionModel

TOLD_PX: Final = 1.0
"""What is left of less is not told apart from nothing."""

QUIET_PX: Final = 0.5
"""Where nine of ten tiles lie within so much, at its place and model, there is nothing to explain:
beyond the tiles a homography doubles it at most. Measured: see ``benchmarks.sufficiency``."""

CERTAIN: Final = 5.0
"""The tiles agree on another transform of the answer's own model where, over the overlap, it lies
away by so many standard errors of their fit (root mean square). Measured: answers that are right on
12 real pairs 0.5 to 3.2, on cleaned ones less; four that are off by 2 to 7 px 9.1 to 14.9."""

FEWEST_TILES: Final = 8
"""Fewer tiles fix no homography with any to spare."""

GRID: Final = 16
"""Places along each side of the target at which what is left is looked at."""


@dataclass(frozen=True, eq=False)
class Remaining:
    """What is left of the displacements after an answer.

    Attributes:
        px: the largest that is left, over the overlap, of what is systematic.
        at_px: (x, y) of that place.
        explained_by: the simplest motion model that would remove it; the answer's own where its
            tiles agree on another transform of it; None where no motion model does.
        second: what moves by itself.
        fit: of the answer's own model to the tiles; None where they are too few.
    """

    px: float
    at_px: tuple[float, float]
    explained_by: str | None = None
    second: SecondMotion | None = None
    fit: Fit | None = None


NOTHING: Final = Remaining(math.nan, (math.nan, math.nan))


def matches_of(evidence: Evidence) -> Matches:
    """The tiles that found a match."""
    field, known = evidence.field, evidence.field.matched
    count = int(np.count_nonzero(known))
    return Matches(
        field.position[known],
        field.displacement[known],
        field.covariance[known],
        np.full(count, field.side),
        np.full(count, evidence.reach_px),
    )


def remaining(
    model: MotionModel, evidence: Evidence, warp: Matrix, target_size: Size, source_size: Size
) -> Remaining:
    """What is left after an answer of a model.

    Args:
        model: of the answer.
        evidence: for it.
        warp: (3, 3), target pixel -> source pixel, at full size.
        target_size: (width, height) of the target.
        source_size: the same of the source.
    """
    matches = matches_of(evidence)
    within = places(warp, target_size, source_size)
    if len(matches) < FEWEST_TILES or not len(within):
        return NOTHING
    transform, fit = fitted_transform(model, matches, target_size)
    own = _own(model, transform, fit, within, target_size)
    if np.quantile(np.hypot(*matches.displacement.T), 0.9) < QUIET_PX:
        return own
    second = second_motion(matches, target_size)
    explained = explained_by_richer(model, matches, target_size, within)
    if explained is not None:
        return Remaining(explained.largest_px, explained.at, explained.model, second, fit)
    if own.explained_by is not None:
        return Remaining(own.px, own.at_px, own.explained_by, second, fit)
    if second is None:
        largest = fitted_transform(MODELS[LARGEST], matches, target_size)[1]
        smooth = smooth_remainder(matches, target_size, within)
        if smooth is not None and _bent(largest, smooth.fit, matches, target_size):
            return Remaining(smooth.largest_px, smooth.at, None, None, fit)
    return Remaining(own.px, own.at_px, None, second, fit)


def places(warp: Matrix, target_size: Size, source_size: Size) -> Points:
    """(m, 2) places of the target that the source reaches: a grid, and the target's corners."""
    x, y = (np.linspace(0.0, side - 1.0, GRID) for side in target_size)
    points = np.concatenate(
        [np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), corners(target_size)]
    )
    there = map_points(warp, points)
    inside = (there >= 0.0).all(axis=1) & (there <= np.array(source_size) - 1.0).all(axis=1)
    return np.asarray(points[inside])


def _own(model: MotionModel, transform: Matrix, fit: Fit, within: Points, size: Size) -> Remaining:
    """What the answer's own model would still move."""
    length = np.hypot(*(map_points(transform, within) - within).T)
    variance = of_model(model).variance(fit, within, size)
    at = int(length.argmax())
    if not math.sqrt(float((length**2 / variance).mean())) > CERTAIN:
        return Remaining(0.0, (math.nan, math.nan), None, None, fit)
    place = (float(within[at, 0]), float(within[at, 1]))
    told = model.name if length[at] > TOLD_PX else None
    return Remaining(float(length[at]), place, told, None, fit)


def _bent(plane: Fit, bent: Fit, matches: Matches, size: Size) -> bool:
    """Whether a cubic field explains more than a homography does, beyond chance."""
    rows = polynomial(3).at(matches.position, size)
    flat = of_model(MODELS[LARGEST]).at(matches.position, size)
    simple = refit(flat, matches.displacement, bent)
    rich = refit(rows, matches.displacement, bent)
    return bool(log10_chance(simple, rich) < math.log10(CHANCE))
