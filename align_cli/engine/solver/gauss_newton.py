"""One pyramid level: inverse-compositional Gauss-Newton steps until it has converged.

docs/method.md gives every equation. The warp W takes a target pixel to the source pixel that it
samples; the illumination maps the source's grey values to the target's. The residual is

    r(x) = factor(x) source(W x) + offset(x) - target(x)

One step solves for the small warp D(dp) of the *target*, and the small change of its illumination
L, that explain the residual best under the weights of a robust loss, and composes their inverse
with the state (Baker and Matthews 2004):

    [J, T m, m]^T W [J, T m, m] (dp, d, e) = [J, T m, m]^T W r      gauss_newton_step
    W <- W @ inv(D(dp))                                             compose_inverse
    L <- L / (1 + d), less e                                        illumination.updated

J, the gradient of the target times dD/dp, depends on the target only, and so do the columns of the
illumination, the target T and 1 times the monomials m
(``align_cli.engine.equations.normal_equations``). At the solution the score is zero: [J, T m,
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
    corner_step_px,
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
from align_cli.engine.records import LARGE_STEP_PX, Status
from align_cli.engine.target.planes import TargetPlanes

SMALLEST_OVERLAP: Final = 0.02
"""Least overlap on a level, as a share of the target, or of the source if that is smaller."""

SMALL_STEP: Final = 0.02
"""Only steps below this, in normalised coordinates, are extrapolated; to extrapolate larger ones
costs capture range (measured)."""

LARGEST_EXTRAPOLATION: Final = 5.0
"""Largest extrapolation, as a multiple of the last change; beyond it the plain step is taken."""

USABLE_STATUSES: Final = (Status.CONVERGED, Status.ITERATION_LIMIT)

STEP_MARGIN: Final = 2.0
"""Safety factor of the predicted step. Convergence is linear, so the ratio of the last two steps
predicts the next; that is not made if the prediction, times this, is within the tolerance."""

NOISE_MULTIPLE: Final = 1.5
"""A step below this many standard deviations of a corner under white noise is not made; noise
correlated by the level's smoothing moves a corner two to three times as far."""

AGREEMENT_ITERATION: Final = 8
"""Iteration after which ``LevelSettings.has_agreement`` is tested. Of 26 right estimates on images
of 2 and 4 MP, all but 2 had converged by then, with all rows."""

STEADY_SCALE_PX: Final = 0.05
"""The scale of the residuals is re-estimated while steps are longer than this; a scale that changes
with every step would keep the last digits of the warp from converging."""


@dataclass(frozen=True)
class LevelSettings:
    """The settings of a solve of one level.

    Attributes:
        model: the motion model.
        loss: the robust loss.
        illumination_terms: number of terms of factor and offset that are solved for.
        max_iterations: iteration limit.
        tolerance_px: convergence threshold: displacement of a corner by the next step, in pixels.
        test_varying: whether the result's ``varying_share`` is computed.
        stop_below_noise: whether a predicted step below the noise counts as converged.
        accept_within_noise: whether a last step within the noise counts as converged at the
            iteration limit: if only noise remains, steps hardly shrink.
        has_agreement: whether the images correlate at all at a state; tested once, if the solve has
            not converged after ``AGREEMENT_ITERATION`` iterations. None for no test.
    """

    model: MotionModel
    loss: Loss
    illumination_terms: int
    max_iterations: int
    tolerance_px: float
    test_varying: bool = False
    stop_below_noise: bool = False
    accept_within_noise: bool = False
    has_agreement: Callable[[State], bool] | None = None


@dataclass(frozen=True)
class LevelResult:
    """The result of a solve of one level.

    Attributes:
        state: the warp, target pixel -> source pixel of this level, and the illumination.
        status: how the solve ended.
        iterations: number of iterations.
        last_step_px: largest displacement of a corner by the last step, in pixels.
        rmse: weighted root mean square residual, in the target plane's units.
        varying_share: share of the squared residual that a varying illumination explains, to first
            order; 0 if the level did not converge or ``test_varying`` is false.
        scale: scale of the residuals that the weights assume.
        ratio: length of the last step taken over that of the step before.
    """

    state: State
    status: Status
    iterations: int
    last_step_px: float
    rmse: float
    varying_share: float
    scale: float
    ratio: float

    @property
    def usable(self) -> bool:
        """Whether the state is a better start for the next solve than the initial one."""
        return self.status in USABLE_STATUSES


@dataclass(frozen=True)
class SolvedPlane:
    """One plane of a level (grey values, or a component of the orientations) and its solution.

    Attributes:
        target: the plane of the target.
        source: the same level of the source.
        settings: of the solve.
        result: of the solve.
        level: the pyramid level, 0 for full size.
        expected: gradient along x, along y and grey values, (h, w) float32 each on the interior, of
            the denoised image; None if there is none.
    """

    target: TargetPlanes
    source: Level
    settings: LevelSettings
    result: LevelResult
    level: int
    expected: tuple[Plane, Plane, Plane] | None = None


def compose_inverse(warp: Matrix, small: Matrix) -> Matrix:
    """W D^-1: the warp composed with the inverse of the small warp, (3, 3), last entry 1."""
    return unit(warp @ inverse_of_small(small))


class PreviousStep(NamedTuple):
    """The previous iteration: the Gauss-Newton step as solved, and the step as taken."""

    solved: Vector
    taken: Vector


def gauss_newton_step(
    solver: Solver, vector: Vector, slope: float, motion_size: int
) -> tuple[Vector, bool]:
    """The Gauss-Newton step, (n,), and whether it is small enough to extrapolate steps.

    A small step is divided by ``NormalEquations.slope``, which corrects the Gauss-Newton matrix
    towards the true derivative of the right side.

    Args:
        solver: the matrix of the columns that are solved for.
        vector: (n,) right side.
        slope: of these equations.
        motion_size: p, number of motion parameters; their columns come first.
    """
    solved = solver.step(vector)
    small = max(map(abs, solved[:motion_size].tolist())) < SMALL_STEP
    return (solved / max(slope, LEAST_SLOPE) if small else solved), small


def acceleration(solved: Vector, before: PreviousStep | None) -> Vector:
    """Anderson acceleration of depth one (Anderson 1965; the secant method for vectors).

    Near the solution, reweighting makes Gauss-Newton steps shrink by a constant ratio, 0.7 with
    many outliers. The change of the solved step by the last one is extrapolated to a step of zero.

    Args:
        solved: (n,) the Gauss-Newton step.
        before: the previous iteration, or None.

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
    near = float(further @ further) <= LARGEST_EXTRAPOLATION**2 * float(solved @ solved)
    return further if near and abs(share) <= LARGEST_EXTRAPOLATION else solved


class StepLengths(NamedTuple):
    """Lengths of the steps of a level: displacement of a corner of the target, in pixels.

    Attributes:
        last: the last step, the longer of as solved and as taken; infinite before the first.
        ratio: its length over that of the step before, at most 1.
        taken: the last step as taken.
        taken_ratio: the same ratio for the steps as taken.
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
    """The status with which a solve ends after an iteration; None if it continues.

    Steps shrink by a nearly constant ratio, so the next one is predicted from the last two. The
    solve has converged if ``last * min(1, STEP_MARGIN * ratio) <= tolerance_px``, or, where
    ``stop_below_noise``, if that is at most ``NOISE_MULTIPLE * noise_px()`` (docs/method.md,
    section 9).

    Args:
        iteration: number of iterations so far.
        lengths: of the steps.
        state: the current state.
        settings: of the solve.
        noise_px: returns the standard deviation of a corner under white noise, in pixels.
    """
    expected = lengths.last * min(1.0, STEP_MARGIN * lengths.ratio)
    if expected <= settings.tolerance_px or (
        settings.stop_below_noise and expected <= NOISE_MULTIPLE * noise_px()
    ):
        return Status.CONVERGED
    has_agreement = settings.has_agreement if iteration == AGREEMENT_ITERATION else None
    if has_agreement is not None and not has_agreement(state):
        return Status.NO_AGREEMENT
    if iteration < settings.max_iterations:
        return None
    within_noise = settings.accept_within_noise and lengths.last <= noise_px()
    return Status.CONVERGED if within_noise else Status.ITERATION_LIMIT


def solve_level(
    equations: LevelEquations,
    start: State,
    settings: LevelSettings,
    *,
    scale: float | None = None,
    ratio: float = 1.0,
) -> LevelResult:
    """Solve one level by Gauss-Newton steps.

    Args:
        equations: the normal equations of the level.
        start: the warp, target pixel -> source pixel of this level, and the illumination.
        settings: model and limits.
        scale: standard deviation of the residuals; None to estimate it.
        ratio: expected length of the first step over that of the step before.
    """
    size, model = equations.size, settings.model
    chosen = columns(model.size, settings.illumination_terms, equations.illumination_terms)
    state, lengths = start, StepLengths(math.inf, ratio, math.inf, ratio)
    matrix: NDArray[np.float64] | None = None
    before: PreviousStep | None = None
    status: Status | None = None
    estimate, rmse, iteration = 0.0, np.nan, 0

    while status is None:
        iteration += 1
        sums = equations.at(
            state,
            scale,
            # Not below the previous estimate: pixels that are still misaligned may yet fit.
            at_least=estimate,
            with_matrix=matrix is None or lengths.last > LARGE_STEP_PX,
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
        solved, small = gauss_newton_step(solver, sums.vector[chosen], sums.slope, model.size)
        taken = acceleration(solved, before) if small else solved
        before = PreviousStep(solved, taken) if small else None
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
        length = solved_length = corner_step_px(motion, size)
        if taken is not solved:
            solved_length = corner_step_px(small_warp(solved, model, size), size)
        lengths = lengths.after(length, solved_length)
        noise_px = partial(_noise_px, solver, model, size, rmse)
        status = termination(iteration, lengths, state, settings, noise_px)
        scale = sums.scale if lengths.last <= STEADY_SCALE_PX else None

    share, ratio = 0.0, lengths.taken_ratio
    if settings.test_varying and status is Status.CONVERGED and matrix is not None:
        share = _varying_share(matrix, sums)
    return LevelResult(state, status, iteration, lengths.last, rmse, share, sums.scale, ratio)


def small_warp(parameters: Vector, model: MotionModel, size: Size) -> Matrix:
    """D(dp), (3, 3) in pixels, of the first parameters of a step."""
    to_normalised, from_normalised = _normalisations(size)
    small: Matrix = from_normalised @ model.to_matrix(parameters[: model.size]) @ to_normalised
    return small


@lru_cache
def _normalisations(size: Size) -> tuple[Matrix, Matrix]:
    """Pixels -> normalised coordinates, and the inverse; cached, so read only."""
    to_normalised = normalisation(size)
    return to_normalised, inverse_of_small(to_normalised)


def _noise_px(solver: Solver, model: MotionModel, size: Size, rmse: float) -> float:
    """Largest standard deviation of a corner, in pixels, if the residuals were white noise."""
    to_normalised = normalisation(size)
    monomials = np.array(
        [(x**i * y**j) for x, y in map_points(to_normalised, corners(size)) for i, j in MONOMIALS]
    )
    monomials = monomials.reshape(4, len(MONOMIALS))
    motion = solver.inverse[: model.size, : model.size]
    along_x, along_y = monomials @ model.jacobian_x.T, monomials @ model.jacobian_y.T
    variance = ((along_x @ motion) * along_x + (along_y @ motion) * along_y).sum(axis=1).max()
    return rmse * math.sqrt(max(float(variance), 0.0)) / float(to_normalised[0, 0])


def _varying_share(matrix: NDArray[np.float64], sums: NormalEquations) -> float:
    """Share of sum w r^2 explained by all columns, with all six monomials of the illumination."""
    solver = Solver(matrix)
    if solver.singular or sums.squares == 0.0:
        return 0.0
    return float(solver.step(sums.vector) @ sums.vector) / sums.squares


def _rmse(sums: NormalEquations) -> float:
    weight = sums.weight
    return float(np.sqrt(sums.squares / weight)) if weight > 0.0 else np.nan
