"""Down the pyramid: each level starts from where the one above it ended, whatever is compared.

A level of both images (``BothLevels``) yields the equations of its planes: one of grey values
(``align_cli.engine.solver.grey_values``), or two of orientations
(``align_cli.engine.solver.orientations``).

What is solved for grows on the way down. The coarsest level climbs from a shift to the model
that was asked for; the first level that is large enough tries whether the light varies over the
image. Every level is solved at chosen points alone; the last goes on from there with all its rows,
is held to the tolerance, and is sampled on a finer grid. A coarse level may be led astray (lines of
text look alike), so each level begins again at the start where the images agree better there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import FIELD, UNIFORM
from align_cli.engine.equations.normal_equations import LevelEquations
from align_cli.engine.equations.state import Place
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, at_level, coarser_by
from align_cli.engine.geometry.ladder import ladder
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.pyramid import FullSize
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.options import DEFAULTS, Options
from align_cli.engine.records import LevelRecord, Status
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings, Solved, solve_level
from align_cli.engine.target.target import Target

COARSE_TOLERANCE_PX: Final = 0.05
"""Tolerance of every level but the last, in that level's pixels: the next level does better."""

FIELD_SIDE: Final = 64
"""Shorter side of the smallest level on which a light that varies over the image is tried; on
smaller ones it would explain the motion away."""

FIELD_TOLERANCE_PX: Final = 0.02
"""How exact a level must be before that is asked: what a step would still take away, a light that
varies explains too."""

FIELD_SHARE: Final = 0.25
"""A varying light is tried if, to first order, it takes away this share of the squared residual.
Measured: 0.30 to 0.92 where there was a vignette or another lamp, up to 0.10 where there was none;
and to know it costs next to nothing."""

FIELD_RMSE: Final = 0.015
"""Residuals below this share of the target's standard deviation are those of sampling and rounding,
which a varying light explains too where few pixels have texture."""

FIELD_GAIN: Final = 0.8
"""A varying light is kept if it takes the residual below this share of what a uniform light
leaves. Measured: 0.26 and 0.72 where there was a vignette or another lamp, 0.97 to 1.02 where
there was none."""

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

Progress = Callable[[LevelRecord], None]


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

    def agreement(self, place: Place) -> float:
        """In [-1, 1], how well both agree at a place, at full size; -1 where unknown."""

    def at_points(self, place: Place, model: MotionModel, light_terms: int) -> LevelEquations:
        """The equations from chosen points near a place, at full size."""

    def with_rows(self, model: MotionModel, every: int) -> LevelEquations:
        """The equations from every so manieth strip of the rows."""

    def solved(self, settings: LevelSettings, result: LevelResult) -> tuple[Solved, ...]:
        """Its planes at rest."""


class Descent(NamedTuple):
    """Where a descent ended.

    Attributes:
        place: the warp at full size, and the light.
        records: one for each level, in their order.
        solved: the planes of the last of them, at rest there; empty where its rows were not solved.
    """

    place: Place
    records: tuple[LevelRecord, ...]
    solved: tuple[Solved, ...] = ()

    @property
    def warp(self) -> Matrix:
        """(3, 3), target pixel -> source pixel, at full size."""
        return self.place.warp

    @property
    def converged(self) -> bool:
        """Whether the last level did."""
        return self.records[-1].status is Status.CONVERGED


def levels_used(
    target: Target, source_size: Size, options: Options, *, used: int, finest: int | None
) -> list[int]:
    """The levels of a descent, coarsest first: those that have an interior.

    Args:
        target: the target.
        source_size: (width, height) of the source.
        options: the preset, and how many levels at most.
        used: how many of the finest there are to choose from.
        finest: end on this level or above it, or nowhere; None for the preset's.

    Raises:
        ImageError: if none has an interior, and one is needed.
    """
    count = used if options.levels is None else min(used, options.levels)
    known = [level for level in range(count) if target.known(level)]
    if finest is not None:
        known = [level for level in known if not isinstance(target.levels[level], FullSize)]
    else:
        width, height = (min(both) for both in zip(target.size, source_size, strict=True))
        finest = options.finest_level((width, height), range(count))
        if not known:
            raise ImageError(
                "the requested pyramid levels have no interior; use fewer (--levels)", role="target"
            )
    last = next((level for level in known if level >= finest), min(known, default=0))
    return [level for level in reversed(known) if level >= last]


def coarse_to_fine(
    levels: Sequence[BothLevels],
    start: Place,
    *,
    model: MotionModel,
    loss: Loss,
    options: Options,
    unit: float,
    light_terms: int,
    agree: Callable[[Matrix], bool] = lambda warp: True,
    progress: Progress | None = None,
    field: bool = True,
) -> Descent:
    """Solve every level, coarsest first.

    The rows of the last are only solved where the images agree in anything by then: between
    pictures of different things there is no rest, and hundreds of passes would not find it.

    Args:
        levels: coarsest first; the last one with its rows, or without them where points are exact
            enough.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits and the preset.
        unit: what a grey value of 1 in the target's planes is in units of full scale.
        light_terms: how many terms of factor and offset are solved for.
        agree: whether the images agree in anything under a warp, target -> source, at full size.
        progress: called with each level's record.
        field: whether a light that varies over the image may be tried.
    """
    solver = _Solver(loss, options, agree, start, light_terms, field and light_terms > 0)
    solved: tuple[Solved, ...] = ()
    records: list[LevelRecord] = []
    looked_at: BothLevels | None = None

    def record(level: BothLevels, result: LevelResult) -> LevelRecord:
        return level_record(level.level, level.size, result, solver.iterations, unit)

    for level in levels:
        rungs = ladder(model, level.size, coarsest=not records)
        solver.iterations, solver.scale = 0, None
        if level.pointed:
            if records:
                solver.place = _better(level, solver.place, start)
            records.append(record(level, solver.solve_points(level, rungs)))
            rungs = rungs[-1:]
            looked_at = level
        if level.pixels:
            if looked_at is not None and not solver.anything_agrees(looked_at):
                records[-1] = replace(records[-1], status=Status.NO_AGREEMENT)
                if not level.pointed:
                    break
            else:
                settings, result = solver.solve_rows(level, rungs)
                solved = level.solved(settings, result)
                records[len(records) - level.pointed :] = [record(level, result)]
        if progress is not None:
            progress(records[-1])
    return Descent(solver.place, tuple(records), solved)


def _better(level: BothLevels, place: Place, other: Place) -> Place:
    """A place, or another at which the images agree better on a level, if they hardly do there."""
    agreement = level.agreement(place)
    return other if agreement < DOUBTFUL and level.agreement(other) > agreement else place


@dataclass
class _Solver:
    """What solves level after level, and what it carries from one to the next.

    Attributes:
        loss: the robust loss.
        options: limits and the preset.
        agree: whether the images agree in anything under a warp, at full size.
        place: at full size.
        light_terms: how many terms of factor and offset are solved for.
        field_to_try: whether it is still open that the light varies.
        iterations: on this level so far.
        scale: of the residuals in the last solve on this level; None before the first, or where
            that ended nowhere.
        ratio: by how much steps shrank in the last solve, 1 where that is not known.
    """

    loss: Loss
    options: Options
    agree: Callable[[Matrix], bool]
    place: Place
    light_terms: int
    field_to_try: bool
    iterations: int = 0
    scale: float | None = None
    ratio: float = 1.0

    def solve_points(self, level: BothLevels, rungs: Sequence[MotionModel]) -> LevelResult:
        """Solve at the target's points, to what is a good start for the next level."""
        _, result = self._climb(
            level,
            rungs,
            lambda model, terms: level.at_points(self.place, model, terms),
            max(self._tolerance_px(level), COARSE_TOLERANCE_PX),
        )
        return result

    def anything_agrees(self, level: BothLevels) -> bool:
        """Whether the images agree in anything by now: of most pairs one level's points tell."""
        return level.agreement(self.place) > DOUBTFUL or self.agree(self.place.warp)

    def solve_rows(
        self, level: BothLevels, rungs: Sequence[MotionModel]
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve with the target's rows, and the source sampled on a finer grid, to the end."""

        def anywhere(place: Place) -> bool:
            return self.agree(place.at_level(-level.level).warp)

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
        agree: Callable[[Place], bool] | None = None,
        to_the_end: bool = False,
        passes: int = 0,
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve model after model, then try whether the light varies.

        Args:
            level: that is solved.
            rungs: the models.
            equations_of: makes the equations of a model, and of so many terms of light.
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
        ask_field = self.field_to_try and min(level.size) >= FIELD_SIDE
        if ask_field:
            tolerance_px = min(tolerance_px, FIELD_TOLERANCE_PX)
        by_noise = to_the_end and self.options.tolerance is None
        for model in rungs:
            settings = LevelSettings(
                model,
                self.loss,
                self.light_terms,
                iterations,
                tolerance_px,
                ask_field=ask_field,
                below_noise=by_noise and level.clear,
                or_noise=by_noise,
                agree=agree,
            )
            equations = equations_of(model, FIELD if ask_field else self.light_terms)
            place, result = self._solve(equations, level, settings, to_the_end)
            if result.status is Status.DIVERGED and self.light_terms == FIELD:
                # What covers a part of the image can lead a light that varies out of its range;
                # of fixed shape it cannot leave it so.
                self.iterations += result.iterations
                settings = replace(settings, light_terms=UNIFORM)
                equations = equations_of(model, UNIFORM)
                place, result = self._solve(equations, level, settings, to_the_end)
            self._adopt(place, result)
        if ask_field:
            self.field_to_try = False
            telling = result.rmse > FIELD_RMSE * equations.spread
            if telling and result.field_share > FIELD_SHARE:
                varying = replace(settings, light_terms=FIELD)
                place, field = self._solve(equations, level, varying, to_the_end)
                self.iterations += field.iterations
                if field.usable and field.rmse < FIELD_GAIN * result.rmse:
                    self.place, self.light_terms = place, FIELD
                    return varying, field
        return settings, result

    def _solve(
        self,
        equations: LevelEquations,
        level: BothLevels,
        settings: LevelSettings,
        to_the_end: bool,
    ) -> tuple[Place, LevelResult]:
        """Solve from where the descent stands; where that ends nowhere, the place stays."""
        if to_the_end:
            # A source on larger pixels is less steep than the target says: steps shrink slowly, and
            # nothing is foretold.
            as_large = coarser_by(at_level(self.place.warp, level.level), level.size) == 0
            ratio = min(self.ratio, ROWS_RATIO) if level.clear and as_large else 1.0
            settings = replace(settings, below_noise=settings.below_noise and as_large)
        else:
            least = POINTS_RATIO if level.pointed else LEAST_RATIO
            ratio = 1.0 if settings.ask_field else max(self.ratio, least)
        result = solve_level(
            equations,
            self.place.at_level(level.level),
            settings,
            scale=self.scale if to_the_end else None,
            ratio=ratio,
        )
        return (result.place.at_level(-level.level) if result.usable else self.place), result

    def _adopt(self, place: Place, result: LevelResult) -> None:
        self.place = place
        self.iterations += result.iterations
        self.scale = result.scale if result.usable else None
        if not result.usable:
            self.ratio = 1.0
        elif result.iterations > 1 and result.last_step_px > result.ratio * TELLING_STEP_PX:
            self.ratio = max(result.ratio, LEAST_RATIO)


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
