"""Solves one pyramid level: selected points, then rows; few parameters, then more.

A level of both images (``LevelProblem``) yields the normal equations of its planes: one of grey
values (``align_cli.engine.solver.grey_values``), or two of orientations
(``align_cli.engine.solver.orientations``).

The number of parameters grows on the way down. The coarsest level is solved for a translation
first, then for each richer model up to the requested one; the first level that is large enough
tests whether the illumination varies over the image. Every level is solved at selected points; the
finest then with all its rows, to the full tolerance, the source sampled on a finer grid. A coarse
level may converge to a wrong solution (lines of text look alike), so each level starts at the
initial transform again if the images correlate better there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import GAIN_BIAS, VARYING
from align_cli.engine.equations.normal_equations import LevelEquations
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size, at_level, level_difference
from align_cli.engine.geometry.model_schedule import model_schedule
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.options import DEFAULTS, Options
from align_cli.engine.records import LARGE_STEP_PX, LevelRecord, Status
from align_cli.engine.solver.coarse_to_fine import LevelSolution
from align_cli.engine.solver.gauss_newton import (
    LevelResult,
    LevelSettings,
    SolvedPlane,
    solve_level,
)

COARSE_TOLERANCE_PX: Final = 0.05
"""Tolerance of every level but the finest, in pixels of the level: finer levels refine it."""

VARYING_SIDE: Final = 64
"""Shorter side of the smallest level on which a varying illumination is tested; on smaller ones it
would explain the motion."""

VARYING_TOLERANCE_PX: Final = 0.02
"""Tolerance of a level before this test: a residual due to motion would be attributed to the
illumination."""

VARYING_SHARE: Final = 0.25
"""A varying illumination is solved for if, to first order, it explains this share of the squared
residual. Measured: 0.30 to 0.92 with a vignette or another lamp, up to 0.10 without; the test costs
almost nothing."""

VARYING_LEAST_RMSE: Final = 0.015
"""Residuals below this share of the target's standard deviation are due to sampling and rounding; a
varying illumination would explain these too if few pixels have texture."""

VARYING_RMSE_RATIO: Final = 0.8
"""A varying illumination is kept if it reduces the RMS residual below this share of that of a
uniform one. Measured: 0.26 and 0.72 with a vignette or another lamp, 0.97 to 1.02 without."""

COARSE_ITERATIONS: Final = 20
"""Iteration limit of all levels but the finest, which has more pixels to converge with."""

MOST_PIXELS: Final = 1 << 29
LEAST_PASSES: Final = 12
"""The budget of the last solve: pixels in all its passes over the rows, but at least this number of
passes. A solve that converges needs 3 to 9; between smooth images of 40 MP one took 134 s."""

LEAST_RATIO: Final = 0.05
POINTS_RATIO: Final = 0.1
ROWS_RATIO: Final = 0.2
"""Limits of the expected ratio of one step's length to that of the step before: least at all, least
at the points of the next level, and most with all rows, whose slope is exact."""

RATIO_STEP_PX: Final = 0.05
"""The ratio of two steps is ignored if the first is no longer than this, in pixels of the level: it
is then determined by noise, not by the rate of convergence."""

STRIPS_TOLERANCE_PX: Final = 5e-3
"""Tolerance of the strips that replace the points of a large level: another step with them takes a
quarter of the time of one with all rows."""

GOOD_CORRELATION: Final = 0.8
"""ZNCC of a level above which the solution of the coarser level is not doubted."""


class LevelProblem(Protocol):
    """One level of both images: the planes that are compared, and their normal equations.

    Attributes:
        level: 0 for full size.
        size: (width, height) of the target's level.
        uses_points: whether it is solved at selected points.
        row_pixels: number of pixels in all its rows; 0 if it is not solved with rows.
        strip_step: every n-th strip of its rows replaces the points; 1 for none.
        low_noise: whether noise is so low that the lengths of steps can be predicted.
    """

    level: int
    size: Size
    uses_points: bool
    row_pixels: int
    strip_step: int
    low_noise: bool

    def correlation(self, state: State) -> float:
        """Correlation of the planes at a state of full size, in [-1, 1]; -1 if unknown."""

    def point_equations(
        self, state: State, model: MotionModel, illumination_terms: int
    ) -> LevelEquations:
        """The equations of the selected points near a state of full size."""

    def row_equations(self, model: MotionModel, strip_step: int) -> LevelEquations:
        """The equations of every n-th strip of rows, n being ``strip_step``."""

    def solved_planes(
        self, settings: LevelSettings, result: LevelResult
    ) -> tuple[SolvedPlane, ...]:
        """Its planes with their solution."""


def _more_correlated(level: LevelProblem, state: State, other: State) -> State:
    """A state, or another of higher correlation if that of the first is low."""
    correlation = level.correlation(state)
    if correlation < GOOD_CORRELATION and level.correlation(other) > correlation:
        return other
    return state


class LevelSolver:
    """Solves level after level, coarsest first.

    From level to level it keeps the initial state, whether the illumination varies, and the ratio
    by which steps shrink.

    Args:
        model: the motion model.
        loss: the robust loss.
        options: limits and the preset.
        unit: a grey value of 1 in the target's planes, in units of full scale.
        illumination_terms: number of terms of factor and offset that are solved for.
        has_agreement: whether the images correlate at all under a warp, target -> source, at full
            size. If not, the rows of the finest level are not solved: between unrelated images
            hundreds of passes would not converge.
        allow_varying: whether a varying illumination may be tested.
    """

    def __init__(
        self,
        model: MotionModel,
        loss: Loss,
        options: Options,
        *,
        unit: float,
        illumination_terms: int,
        has_agreement: Callable[[Matrix], bool] = lambda warp: True,
        allow_varying: bool = True,
    ) -> None:
        self.model, self.loss, self.options, self.unit = model, loss, options, unit
        self.illumination_terms, self.has_agreement = illumination_terms, has_agreement
        self._try_varying = allow_varying and illumination_terms > 0
        self._start: State | None = None
        self._solved_at_points: LevelProblem | None = None
        self._ratio = 1.0

    def __call__(self, level: LevelProblem, state: State) -> LevelSolution:
        """Solve a level from a state at full size."""
        models = model_schedule(self.model, level.size, coarsest=self._start is None)
        self._state, self._iterations = state, 0
        self._scale: float | None = None
        if self._start is None:
            self._start = state
        elif level.uses_points:
            self._state = _more_correlated(level, state, self._start)
        record: LevelRecord | None = None
        if level.uses_points:
            record = self._record(level, self._solve_points(level, models))
            models = models[-1:]
            self._solved_at_points = level
        if not level.row_pixels:
            return LevelSolution(self._state, record)
        if self._solved_at_points is not None and not self._correlates(self._solved_at_points):
            if record is not None:
                record = replace(record, status=Status.NO_AGREEMENT)
            return LevelSolution(self._state, record)
        settings, result = self._solve_rows(level, models)
        return LevelSolution(
            self._state, self._record(level, result), level.solved_planes(settings, result)
        )

    def _record(self, level: LevelProblem, result: LevelResult) -> LevelRecord:
        return level_record(level.level, level.size, result, self._iterations, self.unit)

    def _solve_points(self, level: LevelProblem, models: Sequence[MotionModel]) -> LevelResult:
        """Solve at the target's points, to the tolerance of a coarse level."""
        _, result = self._solve_models(
            level,
            models,
            lambda model, terms: level.point_equations(self._state, model, terms),
            max(self._tolerance_px(level), COARSE_TOLERANCE_PX),
        )
        return result

    def _correlates(self, level: LevelProblem) -> bool:
        """Whether the images correlate at the current state; mostly decided by a level's points."""
        return level.correlation(self._state) > GOOD_CORRELATION or self.has_agreement(
            self._state.warp
        )

    def _solve_rows(
        self, level: LevelProblem, models: Sequence[MotionModel]
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve with the target's rows to the full tolerance, sampling the source more finely."""

        def level_has_agreement(state: State) -> bool:
            return self.has_agreement(state.at_level(-level.level).warp)

        near_limit = False
        if not level.uses_points and level.strip_step > 1:
            settings, result = self._solve_models(
                level,
                models,
                lambda model, _: level.row_equations(model, level.strip_step),
                max(self._tolerance_px(level), STRIPS_TOLERANCE_PX),
                has_agreement=level_has_agreement,
            )
            stalled = (
                result.status is Status.ITERATION_LIMIT and result.last_step_px > LARGE_STEP_PX
            )
            if stalled or result.status is Status.NO_AGREEMENT:
                return settings, result
            models = models[-1:]
            near_limit = result.status is Status.ITERATION_LIMIT
        return self._solve_models(
            level,
            models,
            lambda model, _: level.row_equations(model, 1),
            self._tolerance_px(level),
            has_agreement=level_has_agreement,
            final=True,
            # Strips at the iteration limit with a short step are near the solution.
            passes=LEAST_PASSES if near_limit else MOST_PIXELS // level.row_pixels,
        )

    def _tolerance_px(self, level: LevelProblem) -> float:
        # Coordinates are float32: no step can be shorter than their rounding.
        rounding = 0.5 * float(np.finfo(np.float32).eps) * max(level.size)
        return max(self.options.level_tolerance_px * 0.5**level.level, rounding)

    def _solve_models(
        self,
        level: LevelProblem,
        models: Sequence[MotionModel],
        equations_of: Callable[[MotionModel, int], LevelEquations],
        tolerance_px: float,
        *,
        has_agreement: Callable[[State], bool] | None = None,
        final: bool = False,
        passes: int = 0,
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve for one model after the other, then test whether the illumination varies.

        Args:
            level: the level.
            models: the models, fewest parameters first.
            equations_of: makes the equations of a model and a number of illumination terms.
            tolerance_px: tolerance in pixels of the level.
            has_agreement: see ``LevelSettings``.
            final: whether no finer solve follows.
            passes: iteration limit of the final solve, at least ``LEAST_PASSES``; unused if the
                user chose a limit.

        Returns:
            Settings and result of the last accepted solve.
        """
        iterations = self.options.max_iterations
        if not final:
            iterations = min(iterations, COARSE_ITERATIONS)
        elif iterations == DEFAULTS.max_iterations:
            iterations = min(iterations, max(passes, LEAST_PASSES))
        test_varying = self._try_varying and min(level.size) >= VARYING_SIDE
        if test_varying:
            tolerance_px = min(tolerance_px, VARYING_TOLERANCE_PX)
        by_noise = final and self.options.tolerance is None
        for model in models:
            settings = LevelSettings(
                model,
                self.loss,
                self.illumination_terms,
                iterations,
                tolerance_px,
                test_varying=test_varying,
                stop_below_noise=by_noise and level.low_noise,
                accept_within_noise=by_noise,
                has_agreement=has_agreement,
            )
            equations = equations_of(model, VARYING if test_varying else self.illumination_terms)
            state, result = self._solve(equations, level, settings, final)
            if result.status is Status.DIVERGED and self.illumination_terms == VARYING:
                # An occlusion can drive a varying illumination out of its range, a uniform one not.
                self._iterations += result.iterations
                settings = replace(settings, illumination_terms=GAIN_BIAS)
                equations = equations_of(model, GAIN_BIAS)
                state, result = self._solve(equations, level, settings, final)
            self._accept(state, result)
        if test_varying:
            self._try_varying = False
            significant = result.rmse > VARYING_LEAST_RMSE * equations.spread
            if significant and result.varying_share > VARYING_SHARE:
                varying = replace(settings, illumination_terms=VARYING)
                state, varying_result = self._solve(equations, level, varying, final)
                self._iterations += varying_result.iterations
                if varying_result.usable and varying_result.rmse < VARYING_RMSE_RATIO * result.rmse:
                    self._state, self.illumination_terms = state, VARYING
                    return varying, varying_result
        return settings, result

    def _solve(
        self,
        equations: LevelEquations,
        level: LevelProblem,
        settings: LevelSettings,
        final: bool,
    ) -> tuple[State, LevelResult]:
        """Solve from the current state; return that state if the solve fails."""
        if final:
            # The gradient of a source on larger pixels is smaller than the target's: steps shrink
            # slowly, and their lengths cannot be predicted.
            same_scale = level_difference(at_level(self._state.warp, level.level), level.size) == 0
            ratio = min(self._ratio, ROWS_RATIO) if level.low_noise and same_scale else 1.0
            settings = replace(settings, stop_below_noise=settings.stop_below_noise and same_scale)
        else:
            least = POINTS_RATIO if level.uses_points else LEAST_RATIO
            ratio = 1.0 if settings.test_varying else max(self._ratio, least)
        result = solve_level(
            equations,
            self._state.at_level(level.level),
            settings,
            scale=self._scale if final else None,
            ratio=ratio,
        )
        return (result.state.at_level(-level.level) if result.usable else self._state), result

    def _accept(self, state: State, result: LevelResult) -> None:
        self._state = state
        self._iterations += result.iterations
        self._scale = result.scale if result.usable else None
        if not result.usable:
            self._ratio = 1.0
        elif result.iterations > 1 and result.last_step_px > result.ratio * RATIO_STEP_PX:
            self._ratio = max(result.ratio, LEAST_RATIO)


def level_record(
    level: int, size: Size, result: LevelResult, iterations: int, unit: float
) -> LevelRecord:
    """The record of a level for the report.

    Args:
        level: 0 for full size.
        size: (width, height) of the level.
        result: of the last solve.
        iterations: total number of iterations of all solves.
        unit: a grey value of 1 in units of full scale.
    """
    return LevelRecord(
        level=level,
        width=size[0],
        height=size[1],
        iterations=iterations,
        last_step_px=result.last_step_px,
        rmse=result.rmse * unit,
        status=result.status,
    )
