"""The illumination under a warp that is given: the solver's equations, without their motion."""

from __future__ import annotations

import math
from typing import NamedTuple

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import GAIN_BIAS, VARYING, Illumination, updated
from align_cli.engine.equations.normal_equations import LevelEquations, Solver, columns
from align_cli.engine.equations.pair import Pair
from align_cli.engine.equations.sparse import PointEquations, PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import at_level
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.negligible import NEGLIGIBLE
from align_cli.engine.options import DEFAULTS
from align_cli.engine.solver.level_solver import (
    COARSE_ITERATIONS,
    VARYING_LEAST_RMSE,
    VARYING_RMSE_RATIO,
)


class _Solution(NamedTuple):
    illumination: Illumination
    rmse: float


def illumination_under(pair: Pair, warp: Matrix) -> Illumination:
    """The illumination under a warp, varying if that explains much more than a uniform one.

    Solved at the points of the finest level that has any; without any it is estimated.

    Args:
        pair: source and target.
        warp: (3, 3), target pixel -> source pixel, at full size.
    """
    start = pair.illumination_under(warp)
    for level, source in enumerate(pair.levels):
        points = pair.target.points(level)
        if points is not None:
            loss, any_model = LOSSES[DEFAULTS.loss], MODELS["translation"]
            equations = PointEquations(points, PointSource(source), any_model, loss, VARYING)
            level_warp = at_level(warp, level)
            uniform = _solved(equations, State(level_warp, start), GAIN_BIAS)
            # As in a solve, where a smaller residual is due to sampling.
            if uniform.rmse > VARYING_LEAST_RMSE * equations.spread:
                varying = _solved(equations, State(level_warp, uniform.illumination), VARYING)
                if varying.rmse < VARYING_RMSE_RATIO * uniform.rmse:
                    return varying.illumination
            return uniform.illumination
    return start


def _solved(equations: LevelEquations, start: State, terms: int) -> _Solution:
    """The illumination of some terms; the start, of no merit, if it cannot be solved for."""
    size = equations.motion_size
    chosen = columns(size, terms, equations.illumination_terms)[size:]
    state = start
    for _ in range(COARSE_ITERATIONS):
        sums = equations.at(state, None, with_matrix=True)
        assert sums.matrix is not None
        if sums.weight <= 0.0:
            break
        rmse = math.sqrt(sums.squares / sums.weight)
        solver = Solver(sums.matrix[chosen[:, None], chosen])
        if solver.singular:
            break
        step = solver.step(sums.vector[chosen])
        new = updated(state.illumination, step, equations.mean)
        if not new.plausible:
            break
        state = State(state.warp, new)
        if abs(step).max() < NEGLIGIBLE:
            return _Solution(new, rmse)
    return _Solution(start.illumination, math.inf)
