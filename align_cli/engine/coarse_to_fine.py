"""Down the pyramid: each level starts from where the one above it ended.

What is solved for grows on the way down. The coarsest level climbs from a shift to the model
that was asked for; the first level that is large enough tries whether the light varies over the
image. Every level is solved at chosen points alone; the last goes on from there with all its rows,
is held to the tolerance, and is sampled on a finer grid. A coarse level may be led astray (lines of
text look alike), so each level begins again at the start where the images agree better there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from align_cli.engine.alignment import LevelRecord, Status
from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import Size, at_level, coarser_by
from align_cli.engine.equations import LevelEquations
from align_cli.engine.fine import FinelySampled
from align_cli.engine.ladder import ladder
from align_cli.engine.lucas_kanade import LevelResult, LevelSettings, Solved, solve_level
from align_cli.engine.luma import Luma
from align_cli.engine.moments import RowEquations, strips
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import DEFAULTS, Options
from align_cli.engine.photometry import FIELD, NO_LIGHT, UNIFORM
from align_cli.engine.place import Place
from align_cli.engine.points import PointEquations, PointSource, TargetPoints
from align_cli.engine.pyramid import FullSize, Level
from align_cli.engine.robust import Loss
from align_cli.engine.targets import TargetPlanes
from align_cli.engine.threads import Threads

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

STEEPEST: Final = 1.15
"""A picture that seems steeper than this is noise in good part, and nothing is known of its steps:
at noise of 30 grey levels one step less cost 30 % of the accuracy."""

SOME_STRIPS: Final = 8
SOME_TOLERANCE_PX: Final = 5e-3
"""Strips of a large level that stand in for its points, and how exact they must be: a step more
with them takes a quarter of the time of one more with all rows."""

RESTLESS_PX: Final = 0.3
"""Where they find no rest, and their last step still moves a corner by more pixels of the level,
all rows find none either. Measured on pictures of 2 to 40 MP: right answers 0.1 at most (noise of
30 grey levels, a fifth covered), clouds in one round field of view 0.5 to 4 in six of seven, 0.2 in
one."""

DOUBTFUL: Final = 0.8
"""A level that begins with a correlation above this has not been led astray."""

FEWEST_PIXELS: Final = 32
"""A correlation of fewer pixels says nothing."""

Progress = Callable[[LevelRecord], None]


class TargetLevel(NamedTuple):
    """What a level of the target contributes to a descent.

    Attributes:
        level: the pyramid level, 0 for full size.
        size: (width, height) of the level.
        points: its chosen points; None where the level is so large that only its rows are solved.
        rows: all its rows, or as many as are wanted; only of the level on which the descent ends.
    """

    level: int
    size: Size
    points: TargetPoints | None
    rows: TargetPlanes | None = None


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


def coarse_to_fine(
    targets: Sequence[TargetLevel],
    sources: Sequence[Level],
    image: Luma,
    start: Place,
    *,
    model: MotionModel,
    loss: Loss,
    options: Options,
    unit: float,
    threads: Threads,
    agree: Callable[[Matrix], bool] = lambda warp: True,
    progress: Progress | None = None,
    field: bool = True,
) -> Descent:
    """Solve every level, coarsest first.

    The rows of the last are only solved where the images agree in anything by then: between
    pictures of different things there is no rest, and hundreds of passes would not find it.

    Args:
        targets: levels of the target, coarsest first; the last one with its rows, or without them
            where points are exact enough.
        sources: the source's levels, 0 = full size.
        image: the source, not smoothed.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits, the preset, and whether light is solved for.
        unit: what a grey value of 1 in the target's planes is in units of full scale.
        threads: where to work.
        agree: whether the images agree in anything under a warp, target -> source, at full size.
        progress: called with each level's record.
        field: whether a light that varies over the image may be tried.
    """
    terms = UNIFORM if options.photometric else NO_LIGHT
    state = _State(start, terms, field and options.photometric)
    solved: tuple[Solved, ...] = ()
    records: list[LevelRecord] = []
    looked_at: _LevelSolver | None = None
    for target in targets:
        level = target.level
        below = sources[level - 1] if level else image
        solver = _LevelSolver(target, sources[level], below, loss, options, threads)
        rungs = ladder(model, target.size, coarsest=not records)
        if records:
            state.place = solver.better(state.place, start)
        state.iterations, state.scale = 0, None
        if solver.points is not None:
            result = solver.solve_points(state, rungs)
            rungs = rungs[-1:]
            looked_at = solver
        if target.rows is not None and looked_at is not None:
            # That is known of most pairs without a look at their tiles.
            clear = looked_at.agreement(state.place) > DOUBTFUL
            if not clear and not agree(state.place.warp):
                if looked_at is solver:
                    records.append(level_record(level, target.size, result, state.iterations, unit))
                records[-1] = replace(records[-1], status=Status.NO_AGREEMENT)
                if progress is not None and looked_at is solver:
                    progress(records[-1])
                break
        if target.rows is not None:
            solved = (solver.solve_rows(state, rungs, target.rows, agree),)
            result = solved[0].result
        records.append(level_record(target.level, target.size, result, state.iterations, unit))
        if progress is not None:
            progress(records[-1])
    return Descent(state.place, tuple(records), solved)


@dataclass
class _State:
    """What a descent carries from solve to solve.

    Attributes:
        place: at full size.
        light_terms: how many terms of factor and offset are solved for.
        field_to_try: whether it is still open that the light varies.
        iterations: on this level so far.
        scale: of the residuals in the last solve on this level; None before the first, or where
            that ended nowhere.
        ratio: by how much steps shrank in the last solve, 1 where that is not known.
    """

    place: Place
    light_terms: int
    field_to_try: bool
    iterations: int = 0
    scale: float | None = None
    ratio: float = 1.0


class _LevelSolver:
    """One level of both images, and the source one level finer."""

    def __init__(
        self,
        target: TargetLevel,
        source: Level,
        below: Level | Luma,
        loss: Loss,
        options: Options,
        threads: Threads,
    ) -> None:
        self.level, self.size = target.level, target.size
        self.loss, self.options, self.threads = loss, options, threads
        self.source, self.below, self.rows = source, below, target.rows
        # A large source is smoothed where it is looked at, and points look everywhere.
        everywhere = not isinstance(source, FullSize) or target.rows is None
        self.points = target.points if everywhere else None
        self.at_points = None if self.points is None else PointSource(source)

    def better(self, place: Place, start: Place) -> Place:
        """The one of two places at which the images agree better on this level."""
        if self.points is None:
            return place
        agreement = self.agreement(place)
        if agreement < DOUBTFUL and self.agreement(start) > agreement:
            return start
        return place

    def agreement(self, place: Place) -> float:
        """ZNCC of both levels at a place, at the points with texture; -1 where unknown."""
        assert self.at_points is not None
        assert self.points is not None
        source, target = self.at_points.beside(
            self.points, at_level(place.warp, self.level), ranked=True
        )
        if source.size < FEWEST_PIXELS:
            return -1.0
        source, target = source - source.mean(), target - target.mean()
        energy = float(source @ source) * float(target @ target)
        return float(source @ target) / math.sqrt(energy) if energy > 0.0 else -1.0

    def solve_points(self, state: _State, rungs: Sequence[MotionModel]) -> LevelResult:
        """Solve at the target's points, to what is a good start for the next level."""
        points, source = self.points, self.at_points
        assert points is not None
        assert source is not None
        _, result = self._climb(
            state,
            rungs,
            lambda model, terms: PointEquations(points, source, model, self.loss, terms),
            max(self._tolerance_px, COARSE_TOLERANCE_PX),
        )
        return result

    def solve_rows(
        self,
        state: _State,
        rungs: Sequence[MotionModel],
        rows: TargetPlanes,
        agree: Callable[[Matrix], bool],
    ) -> Solved:
        """Solve with the target's rows, and the source sampled on a finer grid, to the end.

        Args:
            state: where the descent stands.
            rungs: the models to climb.
            rows: of the target.
            agree: whether the images agree in anything under a warp, at full size.
        """
        source = FinelySampled(self.source, self.below)

        def anywhere(place: Place) -> bool:
            return agree(place.at_level(-self.level).warp)

        def equations(every: int) -> Callable[[MotionModel, int], LevelEquations]:
            return lambda model, _: RowEquations(
                rows,
                source,
                model,
                self.loss,
                threads=self.threads,
                every=every,
            )

        some = len(strips(rows)) // SOME_STRIPS
        if self.points is None and some > 1:
            tolerance_px = max(self._tolerance_px, SOME_TOLERANCE_PX)
            settings, result = self._climb(
                state, rungs, equations(some), tolerance_px, agree=anywhere
            )
            restless = result.status is Status.ITERATION_LIMIT and result.last_step_px > RESTLESS_PX
            if restless or result.status is Status.NO_AGREEMENT:
                return Solved(rows, source, settings, result, self.level)
            rungs = rungs[-1:]
        settings, result = self._climb(
            state, rungs, equations(1), self._tolerance_px, agree=anywhere, to_the_end=True
        )
        return Solved(rows, source, settings, result, self.level)

    @property
    def _tolerance_px(self) -> float:
        return self.options.level_tolerance_px * 0.5**self.level

    def _climb(
        self,
        state: _State,
        rungs: Sequence[MotionModel],
        equations_of: Callable[[MotionModel, int], LevelEquations],
        tolerance_px: float,
        *,
        agree: Callable[[Place], bool] | None = None,
        to_the_end: bool = False,
    ) -> tuple[LevelSettings, LevelResult]:
        """Solve model after model, then try whether the light varies.

        Args:
            state: where the descent stands.
            rungs: the models.
            equations_of: makes the equations of a model, and of so many terms of light.
            tolerance_px: of the level.
            agree: see ``LevelSettings``.
            to_the_end: whether nothing finer follows.

        Returns:
            Settings and result of the last solve that counts.
        """
        iterations = self.options.max_iterations
        if not to_the_end:
            iterations = min(iterations, MOST_ON_THE_WAY)
        elif self.rows is not None and iterations == DEFAULTS.max_iterations:
            budget = MOST_PIXELS // max(math.prod(self.rows.shape), 1)
            iterations = min(iterations, max(budget, LEAST_PASSES))
        ask_field = state.field_to_try and min(self.size) >= FIELD_SIDE
        if ask_field:
            tolerance_px = min(tolerance_px, FIELD_TOLERANCE_PX)
        by_noise = to_the_end and self.options.tolerance is None
        for model in rungs:
            settings = LevelSettings(
                model,
                self.loss,
                state.light_terms,
                iterations,
                tolerance_px,
                ask_field=ask_field,
                below_noise=by_noise and self._clear,
                or_noise=by_noise,
                agree=agree,
            )
            equations = equations_of(model, FIELD if ask_field else state.light_terms)
            place, result = self._solve(equations, state, settings, to_the_end)
            if result.status is Status.DIVERGED and state.light_terms == FIELD:
                # What covers a part of the image can lead a light that varies out of its range;
                # of fixed shape it cannot leave it so.
                state.iterations += result.iterations
                settings = replace(settings, light_terms=UNIFORM)
                equations = equations_of(model, UNIFORM)
                place, result = self._solve(equations, state, settings, to_the_end)
            self._adopt(state, place, result)
        if ask_field:
            state.field_to_try = False
            telling = result.rmse > FIELD_RMSE * equations.spread
            if telling and result.field_share > FIELD_SHARE:
                varying = replace(settings, light_terms=FIELD)
                place, field = self._solve(equations, state, varying, to_the_end)
                state.iterations += field.iterations
                if field.usable and field.rmse < FIELD_GAIN * result.rmse:
                    state.place, state.light_terms = place, FIELD
                    return varying, field
        return settings, result

    def _solve(
        self, equations: LevelEquations, state: _State, settings: LevelSettings, to_the_end: bool
    ) -> tuple[Place, LevelResult]:
        """Solve from where the descent stands; where that ends nowhere, the place stays."""
        if to_the_end:
            # A source on larger pixels is less steep than the target says: steps shrink slowly, and
            # nothing is foretold.
            as_large = coarser_by(at_level(state.place.warp, self.level), self.size) == 0
            ratio = min(state.ratio, ROWS_RATIO) if self._clear and as_large else 1.0
            settings = replace(settings, below_noise=settings.below_noise and as_large)
        else:
            least = POINTS_RATIO if isinstance(equations, PointEquations) else LEAST_RATIO
            ratio = 1.0 if settings.ask_field else max(state.ratio, least)
        result = solve_level(
            equations,
            state.place.at_level(self.level),
            settings,
            scale=state.scale if to_the_end else None,
            ratio=ratio,
        )
        return (result.place.at_level(-self.level) if result.usable else state.place), result

    @property
    def _clear(self) -> bool:
        """Whether the picture stands out of its noise, so that the rows' steps can be foretold."""
        return self.rows is not None and self.rows.steepness <= STEEPEST

    def _adopt(self, state: _State, place: Place, result: LevelResult) -> None:
        state.place = place
        state.iterations += result.iterations
        state.scale = result.scale if result.usable else None
        if not result.usable:
            state.ratio = 1.0
        elif result.iterations > 1 and result.last_step_px > result.ratio * TELLING_STEP_PX:
            state.ratio = max(result.ratio, LEAST_RATIO)


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
