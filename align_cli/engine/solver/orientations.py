"""One level of two multimodal images as edge orientations: two planes, (c, s).

A rotation of an image rotates its orientations too, so the source is warped by the current estimate
before its orientations are computed: for the points once before they are solved, for the rows
before every step. The small warp that remains is solved for and composed with that estimate:

    W <- W S,    S from (c, s) of source(W x) against (c, s) of target(x)
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.equations.illumination import NO_TERMS
from align_cli.engine.equations.normal_equations import LevelEquations, NormalEquations
from align_cli.engine.equations.registered import RegisteredEquations
from align_cli.engine.equations.sparse import PointEquations, PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import at_level, inverse
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.pyramid import Level
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings, SolvedPlane
from align_cli.engine.solver.orientation_levels import (
    IDENTITY_STATE,
    OrientationPair,
    View,
    orientation_pair,
)
from align_cli.engine.target.planes import TargetPlanes

LEAST_EIGENVALUE: Final = 0.05
"""See ``RegisteredEquations``. Median EPE after 2.3 steps with all rows, ten photographs with
remapped grey values: 0.027 to 0.054 px, with 0.1 and 0.2 the same, with 1 (Gauss-Newton's) 0.035 to
0.067 px after 2.7 to 4.3."""


class Orientations:
    """The ``level_solver.LevelProblem`` of edge orientations.

    Args:
        source: the source.
        target: the target.
        level: of both pyramids, 0 for full size.
        loss: the robust loss.
        threads: the pool.
        rows: whether it is solved with all rows, the source's grey values sampled more finely.
        uses_points: whether it is solved at selected points.
    """

    strip_step = 1
    low_noise = True

    def __init__(
        self,
        source: View,
        target: View,
        level: int,
        *,
        loss: Loss,
        threads: Threads,
        rows: bool,
        uses_points: bool,
    ) -> None:
        self.source, self.target, self.level = source, target, level
        self.size = target.levels[level].size
        self.loss, self.threads, self.uses_points = loss, threads, uses_points
        self.exact = rows
        self.row_pixels = math.prod(self.size) if rows else 0
        self._last: tuple[Matrix, OrientationPair] | None = None

    def pair_at(self, warp: Matrix) -> OrientationPair:
        """Both images under a warp, target -> source, at full size; the last one is cached."""
        if self._last is None or not np.array_equal(self._last[0], warp):
            self._last = (
                warp,
                orientation_pair(self.source, self.target, self.level, warp, exact=self.exact),
            )
        return self._last[1]

    def correlation(self, state: State) -> float:
        """Correlation of the planes at a state."""
        return self.pair_at(state.warp).correlation

    def point_equations(
        self, state: State, model: MotionModel, illumination_terms: int
    ) -> LevelEquations:
        """The equations of the points of both planes, the source warped by a state."""
        del illumination_terms
        return _PointEquations(self, state.warp, model)

    def row_equations(self, model: MotionModel, strip_step: int) -> LevelEquations:
        """The equations of all rows."""
        del strip_step
        return _RowEquations(self, model)

    def solved_planes(
        self, settings: LevelSettings, result: LevelResult
    ) -> tuple[SolvedPlane, ...]:
        """Both planes with their solution, the identity: the source is warped by the estimate."""
        assert self._last is not None
        both = self._last[1]
        registered = replace(result, state=IDENTITY_STATE)
        return tuple(
            SolvedPlane(
                _restricted_to(plane, both.inside),
                Level(source.image, None),
                settings,
                registered,
                self.level,
            )
            for plane, source in zip(both.target.rows, both.source, strict=True)
        )


class _PointEquations:
    """The summed equations of the points of both planes; zero if the overlap is too small."""

    mean = 0.0
    illumination_terms = 0
    spread = 1.0

    def __init__(self, level: Orientations, warp: Matrix, model: MotionModel) -> None:
        both = level.pair_at(warp)
        self.size, self.motion_size = level.size, model.size
        self._back = inverse(at_level(warp, level.level))
        self._planes = []
        if both.sufficient and len(both.target.points) == len(both.source):
            self._planes = [
                PointEquations(points, PointSource(source), model, level.loss, NO_TERMS)
                for points, source in zip(both.target.points, both.source, strict=True)
            ]

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations of the motion at a state; each plane has its own scale of the residuals."""
        if not self._planes:
            return _empty_equations(self.motion_size)
        moved = State(self._back @ state.warp, IDENTITY_STATE.illumination)
        sums = [
            plane.at(moved, scale, at_least=at_least, with_matrix=with_matrix)
            for plane in self._planes
        ]
        matrices = [each.matrix for each in sums if each.matrix is not None]
        weight = sum(each.weight for each in sums)
        return NormalEquations(
            vector=np.sum([each.vector for each in sums], axis=0),
            matrix=np.asarray(np.sum(matrices, axis=0)) if matrices else None,
            weight=weight,
            squares=sum(each.squares for each in sums),
            share=min(each.share for each in sums),
            scale=float(np.mean([each.scale for each in sums])),
            estimate=float(np.mean([each.estimate for each in sums])),
            slope=sum(each.weight * each.slope for each in sums) / max(weight, 1.0),
        )


class _RowEquations:
    """The equations of all rows, the source warped again for every state."""

    mean = 0.0
    illumination_terms = 0
    spread = 1.0

    def __init__(self, level: Orientations, model: MotionModel) -> None:
        self._level, self._model = level, model
        self.size, self.motion_size = level.size, model.size

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations of the motion at a state."""
        level = self._level
        both = level.pair_at(at_level(state.warp, -level.level))
        if not both.sufficient:
            return _empty_equations(self.motion_size)
        equations = RegisteredEquations(
            [_restricted_to(plane, both.inside) for plane in both.target.rows],
            [plane.image for plane in both.source],
            self._model,
            level.loss,
            threads=level.threads,
            least_eigenvalue=LEAST_EIGENVALUE,
        )
        return equations.at(IDENTITY_STATE, scale, at_least=at_least, with_matrix=with_matrix)


def _empty_equations(parameters: int) -> NormalEquations:
    """The equations of images without overlap: zero."""
    return NormalEquations(
        vector=np.zeros(parameters),
        matrix=None,
        weight=0.0,
        squares=0.0,
        share=0.0,
        scale=1.0,
        estimate=1.0,
        slope=1.0,
    )


def _restricted_to(rows: TargetPlanes, inside: Mask) -> TargetPlanes:
    """The rows of a plane, valid only where the source is too."""
    if inside.all():
        return rows
    (x, y), (height, width) = rows.origin, rows.shape
    known = np.ascontiguousarray(inside[y : y + height, x : x + width])
    return rows.replaced(valid=known if rows.valid is None else known & rows.valid)
