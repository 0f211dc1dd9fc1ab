"""The solution of one level of both images: points first, then rows, simple models before large.

A level of both images (``BothLevels``) yields the equations of its planes: one of grey values
(``align_cli.engine.solver.grey_values``), or two of orientations
(``align_cli.engine.solver.orientations``).

What is solved for grows on the way down. The coarsest level climbs from a translation to the model
that was asked for; the first level that is large enough tries whether the illumination varies over
the image. Every level is solved at chosen points alone; the last goes on from there with all its
rows, is held to the tolerance, and is sampled on a finer grid. A coarse level may be led astray
(lines of text look alike), so each level begins again at the start where the images agree better
there.
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
from align_cli.engine.geometry.coordinates import Size, at_level, coarser_by
from align_cli.engine.geometry.ladder import ladder
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.options import DEFAULTS, Options
from align_cli.engine.records import LevelRecord, Status
from align_cli.engine.solver.coarse_to_fine import LevelSolution
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings, Solved, solve_level

COARSE_TOLERANCE_PX: Final = 0.05
"""Tolerance of every level but the last, in that level's pixels: the next level does better."""

FIELD_SIDE: Final = 64
"""Shorter side of the smallest level on which an illumination that varies over the image is tried;
on smaller ones it would explain the motion away."""

FIELD_TOLERANCE_PX: Final = 0.02
"""How exact a level must be before that is asked: what a step would still take away, an
illumination that varies explains too."""

FIELD_SHARE: Final = 0.25
"""A varying illumination is tried if, to first order, it takes away this share of the squared
residual. Measured: 0.30 to 0.92 where there was a vignette or another lamp, up to 0.10 where there
was none; and to know it costs next to nothing."""

FIELD_RMSE: Final = 0.015
"""Residuals below this share of the target's standard deviation are those of sampling and rounding,
which a varying illumination explains too where few pixels have texture."""

FIELD_GAIN: Final = 0.8
"""A varying illumination is kept if it takes the residual below this share of what a uniform
illumination leaves. Measured: 0.26 and 0.72 where there was a vignette or another lamp, 0.97 to
1.02 where there was none."""

MOST_ON_THE_WAY: Final = 20
"""Iterations of a level that is not the last: where a few pixels do not come to rest, more do."""

MOST_PIXELS: Final = 1 << 29
LEAST_PASSES: Final = 12
"""The budget of the last solve: so many pixels in all its passes over the rows, but so many passes
at least. What converges needs 3 to 9; between smooth pictures of 40 MP it had taken 134 s."""

LEAST_RATIO: Final = 0.05
POINTS_RATIO: Final = 0.1
ROWS_RATIO: Final = 0.2
"""Steps are not expected to shrink faster than the first at all, nor than the second at points of
the next level, nor, with all rows and their exact slope, slower than the third."""

TELLING_STEP_PX: Final = 0.05
"""Of two steps of which the first was no larger than this, in pixels of the level, the second says
more of noise than of how steps shrink."""

SOME_TOLERANCE_PX: Final = 5e-3
"""How exact the strips that stand in for the points of a large level must be: a step more with them
takes a quarter of the time of one more with all rows."""

RESTLESS_PX: Final = 0.3
"""Where they find no rest, and their last step still moves a corner by more pixels of the level,
all rows find none either. Measured on pictures of 2 to 40 MP: right answers 0.1 at most (noise of
30 grey levels, a fifth covered), clouds in one round field of view 0.5 to 4 in six of seven, 0.2 in
one."""

DOUBTFUL: Final = 0.8
"""A level that begins with a correlation above this has not been led astray."""


class BothLevels(Protocol):
    """One level of both images: the planes that are compared, and the equations that they give.

    Attributes:
        level: 0 for full size.
        size: (width, height) of the target's level.
        pointed: whether it is solved at points.
        pixels: of all its rows; 0 where those are not wanted.
        some: every so manieth strip of its rows can stand in for its points; 1 for none.
        clear: whether the picture stands out of its noise, so that the rows' steps can be foretold.
    """

    level: int
    size: Size
    pointed: bool
    pixels: int
    some: int
    clear: bool

    def agreement(self, state: State) -> float:
        """In [-1, 1], how well both agree at a state, at full size; -1 where unknown."""

    def at_points(
        self, state: State, model: MotionModel, illumination_terms: int
    ) -> LevelEquations:
        """The equations from chosen points near a state, at full size."""

    def with_rows(self, model: MotionModel, every: int) -> LevelEquations:
        """The equations from every so manieth strip of the rows."""

    def solved(self, settings: LevelSettings, result: LevelResult) -> tuple[Solved, ...]:
        """Its planes at rest."""


def _better(level: BothLevels, state: State, other: State) -> State:
    """A state, or another at which the images agree better on a level, if they hardly do there."""
    agreement = level.agreement(state)
    return other if agreement < DOUBTFUL and level.agreement(other) > agreement else state


class LevelSolver:
    """Solves level after level, coarsest first, and carries from one to the next what it learns.

    That is where the coarsest began, whether the illumination varies, and by how much steps shrink.

    Args:
        model: the motion model.
        loss: the robust loss.
        options: limits and the preset.
        unit: what a grey value of 1 in the target's planes is in units of full scale.
        illumination_terms: how many terms of factor and offset are solved for.
        agree: whether the images agree in anything under a warp, target -> source, at full size.
            The rows of the last level are only solved where they do: between pictures of different
            things hundreds of passes would not converge.
        field: whether an illumination that varies over the image may be tried.
    """

    def __init__(
        self,
        model: MotionModel,
        loss: Loss,
        options: Options,
        *,
        unit: float,
        illumination_terms: int,
        agree: Callable[[Matrix], bool] = lambda warp: True,
        field: bool = True,
    ) -> None:
        self.model, self.loss, self.options, self.unit = model, loss, options, unit
        self.illumination_terms, self.agree = illumination_terms, agree
        self._field_to_try = field and illumination_terms > 0
        self._start: State | None = None
        self._pointed: BothLevels | None = None
        self._ratio = 1.0

    def __call__(self, level: BothLevels, state: State) -> LevelSolution:
        """Solve a level from a state at full size."""
        rungs = ladder(self.model, level.size, coarsest=self._start is None)
        self._state, self._iterations = state, 0
        self._scale: float | None = None
        if self._start is None:
            self._start = state
        elif level.pointed:
            self._state = _better(level, state, self._start)
        record: LevelRecord | None = None
        if level.pointed:
            record = self._record(level, self._solve_points(level, rungs))
            rungs = rungs[-1:]
            self._pointed = level
        if not level.pixels:
            return LevelSolution(self._state, record)
        if self._pointed is not None and not self._anything_agrees(self._pointed):
            if record is not None:
                record = replace(record, status=Status.NO_AGREEMENT)
            return LevelSolution(self._state, record)
        settings, result = self._solve_rows(level, rungs)
        return LevelSolution(
            self._state, self._record(level, result), level.solved(settings, result)
        )

    def _record(self, level: BothLevels, result: LevelResult) -> LevelRecord:
        return level_record(level.level, level.size, result, self._iterations, self.unit)

    def _solve_points(self, level: BothLevels, rungs: Sequence[MotionModel]) -> LevelResult:
        """Solve at the target's points, to what is a good start for the next level."""
        _, result = self._climb(
            level,
            rungs,
            lambda model, terms: level.at_points(self._state, model, terms),
            max(self._tolerance_px(level), COARSE_TOLERANCE_PX),
        )
        return result

    def _anything_agrees(self, level: BothLevels) -> bool:
        """Whether the images agree in anything by now: of most pairs one level's points tell."""
        return level.agreement(self._state) > DOUBTFUL or self.agree(self._state.warp)

    def _solve_rows(
        self, level: BothLevels, rungs: Sequence[MotionModel]
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve with the target's rows, and the source sampled on a finer grid, to the end."""

        def anywhere(state: State) -> bool:
            return self.agree(state.at_level(-level.level).warp)

        astray = False
        if not level.pointed and level.some > 1:
            settings, result = self._climb(
                level,
                rungs,
                lambda model, _: level.with_rows(model, level.some),
                max(self._tolerance_px(level), SOME_TOLERANCE_PX),
                agree=anywhere,
            )
            restless = result.status is Status.ITERATION_LIMIT and result.last_step_px > RESTLESS_PX
            if restless or result.status is Status.NO_AGREEMENT:
                return settings, result
            rungs = rungs[-1:]
            astray = result.status is Status.ITERATION_LIMIT
        return self._climb(
            level,
            rungs,
            lambda model, _: level.with_rows(model, 1),
            self._tolerance_px(level),
            agree=anywhere,
            to_the_end=True,
            # What is near the end by now needs few more.
            passes=LEAST_PASSES if astray else MOST_PIXELS // level.pixels,
        )

    def _tolerance_px(self, level: BothLevels) -> float:
        # Coordinates are float32: whatever tolerance is asked for, steps become no shorter.
        rounding = 0.5 * float(np.finfo(np.float32).eps) * max(level.size)
        return max(self.options.level_tolerance_px * 0.5**level.level, rounding)

    def _climb(
        self,
        level: BothLevels,
        rungs: Sequence[MotionModel],
        equations_of: Callable[[MotionModel, int], LevelEquations],
        tolerance_px: float,
        *,
        agree: Callable[[State], bool] | None = None,
        to_the_end: bool = False,
        passes: int = 0,
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve model after model, then try whether the illumination varies.

        Args:
            level: that is solved.
            rungs: the models.
            equations_of: makes the equations of a model, and of so many terms of illumination.
            tolerance_px: of the level.
            agree: see ``LevelSettings``.
            to_the_end: whether nothing finer follows.
            passes: then so many iterations at most, and at least ``LEAST_PASSES``, unless the user
                chose how many.

        Returns:
            Settings and result of the last solve that counts.
        """
        iterations = self.options.max_iterations
        if not to_the_end:
            iterations = min(iterations, MOST_ON_THE_WAY)
        elif iterations == DEFAULTS.max_iterations:
            iterations = min(iterations, max(passes, LEAST_PASSES))
        ask_field = self._field_to_try and min(level.size) >= FIELD_SIDE
        if ask_field:
            tolerance_px = min(tolerance_px, FIELD_TOLERANCE_PX)
        by_noise = to_the_end and self.options.tolerance is None
        for model in rungs:
            settings = LevelSettings(
                model,
                self.loss,
                self.illumination_terms,
                iterations,
                tolerance_px,
                ask_field=ask_field,
                below_noise=by_noise and level.clear,
                or_noise=by_noise,
                agree=agree,
            )
            equations = equations_of(model, VARYING if ask_field else self.illumination_terms)
            state, result = self._solve(equations, level, settings, to_the_end)
            if result.status is Status.DIVERGED and self.illumination_terms == VARYING:
                # What covers a part of the image can lead an illumination that varies out of its
                # range; of fixed shape it cannot leave it so.
                self._iterations += result.iterations
                settings = replace(settings, illumination_terms=GAIN_BIAS)
                equations = equations_of(model, GAIN_BIAS)
                state, result = self._solve(equations, level, settings, to_the_end)
            self._adopt(state, result)
        if ask_field:
            self._field_to_try = False
            telling = result.rmse > FIELD_RMSE * equations.spread
            if telling and result.field_share > FIELD_SHARE:
                varying = replace(settings, illumination_terms=VARYING)
                state, field = self._solve(equations, level, varying, to_the_end)
                self._iterations += field.iterations
                if field.usable and field.rmse < FIELD_GAIN * result.rmse:
                    self._state, self.illumination_terms = state, VARYING
                    return varying, field
        return settings, result

    def _solve(
        self,
        equations: LevelEquations,
        level: BothLevels,
        settings: LevelSettings,
        to_the_end: bool,
    ) -> tuple[State, LevelResult]:
        """Solve from where the descent stands; where that ends nowhere, the state stays."""
        if to_the_end:
            # A source on larger pixels is less steep than the target says: steps shrink slowly, and
            # nothing is foretold.
            as_large = coarser_by(at_level(self._state.warp, level.level), level.size) == 0
            ratio = min(self._ratio, ROWS_RATIO) if level.clear and as_large else 1.0
            settings = replace(settings, below_noise=settings.below_noise and as_large)
        else:
            least = POINTS_RATIO if level.pointed else LEAST_RATIO
            ratio = 1.0 if settings.ask_field else max(self._ratio, least)
        result = solve_level(
            equations,
            self._state.at_level(level.level),
            settings,
            scale=self._scale if to_the_end else None,
            ratio=ratio,
        )
        return (result.state.at_level(-level.level) if result.usable else self._state), result

    def _adopt(self, state: State, result: LevelResult) -> None:
        self._state = state
        self._iterations += result.iterations
        self._scale = result.scale if result.usable else None
        if not result.usable:
            self._ratio = 1.0
        elif result.iterations > 1 and result.last_step_px > result.ratio * TELLING_STEP_PX:
            self._ratio = max(result.ratio, LEAST_RATIO)


def level_record(
    level: int, size: Size, result: LevelResult, iterations: int, unit: float
) -> LevelRecord:
    """What people are told of a level.

    Args:
        level: 0 for full size.
        size: (width, height) of the level.
        result: of the last solve.
        iterations: of all solves.
        unit: what a grey value of 1 is in units of full scale.
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
