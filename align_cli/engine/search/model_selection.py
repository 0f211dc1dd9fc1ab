"""Selection of the motion model: the simplest one that leaves no more than noise.

A larger model always fits at least as well, noise included. The Bayesian information criterion
(Schwarz 1978) weighs that against its size: twice the loss of the residuals, in units of their
noise, plus the logarithm of the number of points for every parameter. The least sum wins. The noise
is measured once, from the residuals of the largest model, or from the images if that is larger:
what no model explains (a scene that is not flat, a passing car) then favours none.

All models are fitted at selected points of one level (``align_cli.engine.equations.sparse``),
starting from the largest one's estimate, which takes a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask
from align_cli.engine.equations.sparse import (
    LARGEST_VALID,
    OUTSIDE_VALUE,
    PointEquations,
    PointSource,
)
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.models import MODELS, MotionModel, nearest
from align_cli.engine.numerics.losses import LOSSES, scale_of
from align_cli.engine.options import TOLERANCE_PX
from align_cli.engine.records import ModelScore
from align_cli.engine.solver.gauss_newton import LevelSettings, solve_level
from align_cli.engine.target.pixel_selection import Samples, TargetPoints

LOSS: Final = LOSSES["tukey"]

MOST_ITERATIONS: Final = 30
"""Of a model's fit at the points: half and double of it change nothing."""

CORRELATED_POINTS: Final = 4.0
"""Number of points with the information of one independent point: smoothing correlates the noise of
neighbours, and the residuals of the scene itself even more."""


@dataclass(frozen=True)
class _Fit:
    """The solution of a model, (n,) residuals at the points, and their validity in both images."""

    state: State
    residual: Samples
    known: Mask


def model_scores(
    points: TargetPoints,
    source: PointSource,
    state: State,
    noise: float,
    *,
    illumination_terms: int,
) -> tuple[ModelScore, ...]:
    """The information criterion of each model on one level.

    Args:
        points: the level's points in the target.
        source: the same level of the source.
        state: the solution of the largest model on this level, with its illumination.
        noise: standard deviation of the noise of the residuals, in the target's units.
        illumination_terms: how many terms of factor and offset are solved for.

    Returns:
        One score for each model, from the fewest parameters to the most; empty if the largest
        cannot be solved.
    """
    *others, most = MODELS.values()
    largest = _fit(points, source, state, most, illumination_terms)
    if largest is None:
        return ()
    # From its illumination: a first guess is biased by what covers a part.
    fits = [_fit(points, source, largest.state, model, illumination_terms) for model in others]
    # On the same points, or a model would gain by excluding some.
    known = largest.known
    scale = max(scale_of(largest.residual[known]), noise, float(np.finfo(np.float32).tiny))
    alone = max(float(np.count_nonzero(known)) / CORRELATED_POINTS, 1.0)
    scores = []
    for model, fit in zip((*others, most), (*fits, largest), strict=True):
        score = math.inf
        if fit is not None:
            u = fit.residual[known].astype(np.float64) / (LOSS.constant * scale)
            loss = 2.0 * LOSS.constant**2 * float(LOSS.rho(u).sum())
            score = loss / CORRELATED_POINTS + model.size * math.log(alone)
        scores.append(ModelScore(model.name, model.size, score))
    return tuple(scores)


def simplest(scores: Sequence[ModelScore]) -> str:
    """The name of the model with the lowest score."""
    return min(scores, key=lambda each: each.score).model


def _fit(
    points: TargetPoints, source: PointSource, state: State, model: MotionModel, terms: int
) -> _Fit | None:
    """A model fitted at the points, from its member nearest to a warp; None if not solvable."""
    start = State(nearest(model, state.warp, points.size), state.illumination)
    settings = LevelSettings(model, LOSS, terms, MOST_ITERATIONS, TOLERANCE_PX)
    result = solve_level(PointEquations(points, source, model, LOSS, terms), start, settings)
    if not result.usable:
        return None
    values = source.sample(result.state.warp, points)
    illumination = result.state.illumination
    factor, offset = (
        each.astype(np.float32) @ points.monomials
        for each in (illumination.factor, illumination.offset)
    )
    known = values < LARGEST_VALID
    residual = values * factor + offset - np.float32(points.mean) - points.image
    return _Fit(result.state, np.where(known, residual, np.float32(OUTSIDE_VALUE)), known)
