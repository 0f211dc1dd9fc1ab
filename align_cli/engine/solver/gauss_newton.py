"""One pyramid level: inverse-compositional Gauss-Newton steps until it has converged.

docs/method.md gives every equation. The warp W takes a target pixel to the source pixel that it
samples; the illumination makes the source look like the target. What is left is the residual

    r(x) = factor(x) source(W x) + offset(x) - target(x)

One step looks for the small warp D(dp) of the *target*, and the small change of its illumination
L, that explain the residual best under the weights of a robust loss, and undoes them:

    [J, T m, m]^T W [J, T m, m] (dp, d, e) = [J, T m, m]^T W r      step
    W <- W @ inv(D(dp))                                             compose_inverse
    L <- L / (1 + d), less e                                        illumination.updated

J, the gradient of the target times dD/dp, belongs to the target alone, and so do the columns of
the illumination, the target T and 1 times the monomials m
(``align_cli.engine.equations.normal_equations``). At the end no column explains anything: [J, T m,
m]^T W r = 0. (That is not the minimum of the residual over the factor, which a factor of zero
would make vanish.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane, Vector
from align_cli.engine.equations.illumination import updated
from align_cli.engine.equations.normal_equations import (
    LEAST_SLOPE,
    LevelEquations,
    NormalEquations,
    Solver,
    columns,
)
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import (
    Size,
    corners,
    inverse_of_small,
    map_points,
    normalisation,
    plausible,
    unit,
)
from align_cli.engine.geometry.models import MONOMIALS, MotionModel
from align_cli.engine.images.pyramid import Level
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.records import Status
from align_cli.engine.target.planes import TargetPlanes

SMALLEST_OVERLAP: Final = 0.02
"""Share of the target, or of a smaller source, that must be in both on a level."""

SMALL_STEP: Final = 0.02
"""Only steps below this, in normalised coordinates, are so near the end that they can be
extrapolated; doing it with larger ones costs capture range (measured)."""

LARGEST_SHARE: Final = 5.0
"""Extrapolation further than this many times the last change is not trusted."""

USABLE: Final = (Status.CONVERGED, Status.ITERATION_LIMIT)

CAUTION: Final = 2.0
"""Steps shrink by about a constant ratio; the next one is expected to be no longer than so many
times what the last two foretell, and not made where that is below the tolerance."""

NOISE_SHARE: Final = 1.5
"""A step below so many times what noise, were it white, does to a corner is not worth making: what
the level's smoothing has correlated does two to three times as much."""

ASKED_AFTER: Final = 8
"""Iterations after which it is asked whether the images agree in anything, where that is wanted.
Of 26 right answers on pictures of 2 and 4 MP all but 2 were at rest by then, with all rows."""

STEADY_STEP_PX: Final = 0.3
"""The Gauss-Newton matrix is computed again while steps are larger than this."""

STEADY_SCALE_PX: Final = 0.05
"""The residuals' scale is estimated again while steps are larger than this; a scale that still
breathed with every step would keep the last digits of the warp from settling."""


@dataclass(frozen=True)
class LevelSettings:
    """What a level's solve needs to know besides its images.

    ``ask_field``: whether the result's ``field_share`` is wanted. ``below_noise``: whether steps
    that are foretold to be below the noise need not be made. ``or_noise``: whether it is at rest,
    too, if it still moves by less than noise would move it when the iterations are used up: where
    little but noise is left, steps hardly shrink. ``agree``: whether the images agree in anything
    at a state; asked once, where there is no rest after ``ASKED_AFTER`` iterations.
    """

    model: MotionModel
    loss: Loss
    illumination_terms: int
    max_iterations: int
    tolerance_px: float
    ask_field: bool = False
    below_noise: bool = False
    or_noise: bool = False
    agree: Callable[[State], bool] | None = None


@dataclass(frozen=True)
class LevelResult:
    """Where a level's solve ended.

    ``last_step_px`` is the largest movement of a corner in the last iteration; ``rmse`` the
    weighted root mean square residual, in the target plane's units. ``field_share`` is the share of
    the squared residual that an illumination varying over the image would take away, to first
    order; 0 where the level did not converge or nobody asked. ``scale`` is the residuals' scale
    that the weights assumed, and ``ratio`` by how much the last step taken was shorter than the one
    before.
    """

    state: State
    status: Status
    iterations: int
    last_step_px: float
    rmse: float
    field_share: float
    scale: float
    ratio: float

    @property
    def usable(self) -> bool:
        """True where the state is a better start for what follows than what it began with."""
        return self.status in USABLE


@dataclass(frozen=True)
class Solved:
    """A level's problem and its solution.

    ``expected`` holds gradient along x, along y and grey values, (h, w) each on the interior, of
    the picture without its noise, where that is known. ``level`` is the pyramid level, 0 for full
    size.
    """

    target: TargetPlanes
    source: Level
    settings: LevelSettings
    result: LevelResult
    level: int
    expected: tuple[Plane, Plane, Plane] | None = None


def compose_inverse(warp: Matrix, small: Matrix) -> Matrix:
    """W <- W o D^-1: both are matrices, so the composition is their product."""
    return unit(warp @ inverse_of_small(small))


class Taken(NamedTuple):
    """The iteration before: the Gauss-Newton step as solved, and the step as taken."""

    solved: Vector
    taken: Vector


def step(solver: Solver, vector: Vector, slope: float, motion_size: int) -> tuple[Vector, bool]:
    """The Gauss-Newton step, and whether it is so small that steps can be extrapolated.

    A small step is divided by ``NormalEquations.slope``, by which the right side changes with the
    parameters other than the matrix says.

    Args:
        solver: the matrix of the columns that are solved for.
        vector: (n,) their right side.
        slope: of these equations.
        motion_size: p, how many of the columns are the motion's; they come first.
    """
    solved = solver.step(vector)
    small = max(map(abs, solved[:motion_size].tolist())) < SMALL_STEP
    return (solved / max(slope, LEAST_SLOPE) if small else solved), small


def acceleration(solved: Vector, before: Taken | None) -> Vector:
    """Anderson acceleration of depth one (Anderson 1965; the secant method for vectors).

    Near the end reweighting makes Gauss-Newton steps shrink by a constant ratio, 0.7 where there
    are many outliers. From how the last step changed the solved one, extrapolate to where it
    would vanish.

    Args:
        solved: (n,) the Gauss-Newton step.
        before: the iteration before, or None.

    Returns:
        (n,) the step to take.
    """
    if before is None:
        return solved
    change = solved - before.solved
    size = float(change @ change)
    if size == 0.0:
        return solved
    share = float(solved @ change) / size
    further = solved - share * (before.taken + change)
    near = float(further @ further) <= LARGEST_SHARE**2 * float(solved @ solved)
    return further if near and abs(share) <= LARGEST_SHARE else solved


class StepLengths(NamedTuple):
    """How far the steps of a level move a corner of the target, in pixels.

    Attributes:
        last: the last step, as solved or as taken, whichever is the longer; infinite before the
            first.
        ratio: by how much it is shorter than the one before, at most 1.
        taken: the last step as taken.
        taken_ratio: by how much that is shorter than the one before.
    """

    last: float
    ratio: float
    taken: float
    taken_ratio: float

    def after(self, taken: float, solved: float) -> StepLengths:
        """The lengths after one more step."""
        last = max(taken, solved)
        if math.isinf(self.last):
            return StepLengths(last, self.ratio, taken, self.taken_ratio)
        ratio = min(1.0, last / self.last)
        taken_ratio = min(1.0, taken / self.taken) if self.taken > 0.0 else ratio
        return StepLengths(last, ratio, taken, taken_ratio)


def termination(
    iteration: int,
    lengths: StepLengths,
    state: State,
    settings: LevelSettings,
    noise_px: Callable[[], float],
) -> Status | None:
    """How a level ends after an iteration; None where another follows.

    Args:
        iteration: how many there were.
        lengths: of its steps.
        state: where they led.
        settings: the limits.
        noise_px: by how much noise would move a corner.
    """
    expected = lengths.last * min(1.0, CAUTION * lengths.ratio)
    if expected <= settings.tolerance_px or (
        settings.below_noise and expected <= NOISE_SHARE * noise_px()
    ):
        return Status.CONVERGED
    asked = settings.agree if iteration == ASKED_AFTER else None
    if asked is not None and not asked(state):
        return Status.NO_AGREEMENT
    if iteration < settings.max_iterations:
        return None
    within_noise = settings.or_noise and lengths.last <= noise_px()
    return Status.CONVERGED if within_noise else Status.ITERATION_LIMIT


def corner_step_px(small: Matrix, size: Size) -> float:
    """Largest distance in pixels by which ``small`` moves a corner of an image of ``size``."""
    (a, b, c), (d, e, f), (g, h, i) = small.tolist()
    right, bottom = size[0] - 1.0, size[1] - 1.0
    # Four points, many times in every alignment: arrays would take ten times as long.
    distances = []
    for x, y in ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)):
        w = g * x + h * y + i
        if w == 0.0:
            return math.inf
        distances.append(math.hypot((a * x + b * y + c) / w - x, (d * x + e * y + f) / w - y))
    return max(distances)


def solve_level(
    equations: LevelEquations,
    start: State,
    settings: LevelSettings,
    *,
    scale: float | None = None,
    ratio: float = 1.0,
) -> LevelResult:
    """Gauss-Newton steps on one level.

    Args:
        equations: the level of both images.
        start: the warp, target pixel -> source pixel of this level, and the illumination.
        settings: model and limits.
        scale: standard deviation of the residuals, where it is known already.
        ratio: by how much a step is shorter than the one before, as far as that is known.
    """
    size, model = equations.size, settings.model
    chosen = columns(model.size, settings.illumination_terms, equations.illumination_terms)
    state, lengths = start, StepLengths(math.inf, ratio, math.inf, ratio)
    matrix: NDArray[np.float64] | None = None
    before: Taken | None = None
    status: Status | None = None
    estimate, rmse, iteration = 0.0, np.nan, 0

    while status is None:
        iteration += 1
        sums = equations.at(
            state,
            scale,
            # Not less than before the last step: what does not fit yet may come to.
            at_least=estimate,
            with_matrix=matrix is None or lengths.last > STEADY_STEP_PX,
        )
        estimate = sums.estimate
        if sums.share < SMALLEST_OVERLAP:
            status = Status.TOO_LITTLE_OVERLAP
            break
        rmse = _rmse(sums)
        if sums.matrix is not None:
            matrix = sums.matrix
            solver = Solver(matrix[chosen[:, None], chosen])
        if solver.singular:
            status = Status.SINGULAR
            break
        solved, small = step(solver, sums.vector[chosen], sums.slope, model.size)
        taken = acceleration(solved, before) if small else solved
        before = Taken(solved, taken) if small else None
        motion = small_warp(taken, model, size)
        new = State(
            compose_inverse(state.warp, motion),
            updated(state.illumination, taken[model.size :], equations.mean),
        )
        if not (
            plausible(motion, size) and plausible(new.warp, size) and new.illumination.plausible
        ):
            status = Status.DIVERGED
            break
        state = new
        length = alone = corner_step_px(motion, size)
        if taken is not solved:
            alone = corner_step_px(small_warp(solved, model, size), size)
        lengths = lengths.after(length, alone)
        noise_px = partial(_noise_px, solver, model, size, rmse)
        status = termination(iteration, lengths, state, settings, noise_px)
        scale = sums.scale if lengths.last <= STEADY_SCALE_PX else None

    field_share = 0.0
    if settings.ask_field and status is Status.CONVERGED and matrix is not None:
        field_share = _field_share(matrix, sums)
    ratio = lengths.taken_ratio
    return LevelResult(state, status, iteration, lengths.last, rmse, field_share, sums.scale, ratio)


def small_warp(parameters: Vector, model: MotionModel, size: Size) -> Matrix:
    """D(dp), (3, 3) in pixels, of the first parameters of a step."""
    to_normalised, from_normalised = _normalisations(size)
    small: Matrix = from_normalised @ model.to_matrix(parameters[: model.size]) @ to_normalised
    return small


@lru_cache
def _normalisations(size: Size) -> tuple[Matrix, Matrix]:
    """Pixels -> normalised coordinates, and back; not to be written to."""
    there = normalisation(size)
    return there, inverse_of_small(there)


def _noise_px(solver: Solver, model: MotionModel, size: Size, rmse: float) -> float:
    """How far noise moves a corner, if it were white: the standard deviation of the worst one."""
    to_normalised = normalisation(size)
    monomials = np.array(
        [(x**i * y**j) for x, y in map_points(to_normalised, corners(size)) for i, j in MONOMIALS]
    )
    monomials = monomials.reshape(4, len(MONOMIALS))
    motion = solver.inverse[: model.size, : model.size]
    along_x, along_y = monomials @ model.jacobian_x.T, monomials @ model.jacobian_y.T
    variance = ((along_x @ motion) * along_x + (along_y @ motion) * along_y).sum(axis=1).max()
    return rmse * math.sqrt(max(float(variance), 0.0)) / float(to_normalised[0, 0])


def _field_share(matrix: NDArray[np.float64], sums: NormalEquations) -> float:
    """Share of sum w r^2 that all columns explain, those of all six monomials included."""
    solver = Solver(matrix)
    if solver.singular or sums.squares == 0.0:
        return 0.0
    return float(solver.step(sums.vector) @ sums.vector) / sums.squares


def _rmse(sums: NormalEquations) -> float:
    weight = sums.weight
    return float(np.sqrt(sums.squares / weight)) if weight > 0.0 else np.nan
