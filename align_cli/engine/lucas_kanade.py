"""One pyramid level: inverse-compositional Gauss-Newton steps until the corners stand still.

docs/method.md gives every equation. The warp W takes a target pixel to the source pixel that it
samples; the light makes the source look like the target. What is left is the residual

    r(x) = factor(x) source(W x) + offset(x) - target(x)

One step looks for the small warp D(dp) of the *target*, and the small change of its light, that
explain the residual best under the weights of a robust loss, and undoes them:

    [J, T m, m]^T W [J, T m, m] (dp, d, e) = [J, T m, m]^T W r      normal_step
    W <- W @ inv(D(dp))                                             compose_inverse
    light <- light / (1 + d), less e                                photometry.updated

J, the gradient of the target times dD/dp, belongs to the target alone, and so do the columns of
the light, the target T and 1 times the monomials m (``align_cli.engine.moments``). At the end no
column explains anything: [J, T m, m]^T W r = 0. (That is not the minimum of the residual over the
factor, which a factor of zero would make vanish.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.alignment import Status
from align_cli.engine.arrays import Mask, Matrix, Plane, Vector
from align_cli.engine.coordinates import (
    Size,
    corners,
    map_points,
    normalisation,
    plausible,
    unit,
)
from align_cli.engine.moments import (
    Scratch,
    Sums,
    residual_sums,
    sample_pairs,
)
from align_cli.engine.motion import MotionModel
from align_cli.engine.photometry import FIELD, updated
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import Loss, scale_of
from align_cli.engine.targets import TargetPlanes
from align_cli.engine.threads import Threads

SINGULAR_RATIO: Final = 1e-6
"""Smallest eigenvalue of the Gauss-Newton matrix, scaled to a unit diagonal, over its largest,
below which some motion leaves the target's picture as it is (stripes along their own direction).
Sums in single precision are right to about 1e-8 of the largest, more or less by the machine."""

SMALLEST_OVERLAP: Final = 0.1
"""Share of the target, or of a smaller source, that must be in both on a level."""

LEAST_SCALE: Final = 1e-12

LEAST_SCALE_SHARE: Final = 0.05
"""Floor of the residuals' scale, as a share of the target's standard deviation. Between images
with little noise most residuals are those of sampling, small in flat places and large at
edges: taken for outliers, the edges would lose their vote. Measured without noise: mean EPE
0.0020 px instead of 0.0039."""

SMALL_STEP: Final = 0.02
"""Only steps below this, in normalised coordinates, are so near the end that they can be
extrapolated; doing it with larger ones costs capture range (measured)."""

LARGEST_SHARE: Final = 5.0
"""Extrapolation further than this many times the last change is not trusted."""

USABLE: Final = (Status.CONVERGED, Status.ITERATION_LIMIT)

CAUTION: Final = 2.0
"""Steps shrink by about a constant ratio; the next one is expected to be no longer than so many
times what the last two foretell, and not made where that is below the tolerance."""

STEADY_STEP_PX: Final = 0.3
"""The Gauss-Newton matrix is computed again while steps are larger than this."""

STEADY_SCALE_PX: Final = 0.05
"""The residuals' scale is estimated again while steps are larger than this; a scale that still
breathed with every step would keep the last digits of the warp from settling."""


@dataclass(frozen=True)
class LevelSettings:
    """What a level's solve needs to know besides its images.

    ``ask_field``: whether the result's ``field_share`` is wanted.
    """

    model: MotionModel
    loss: Loss
    light_terms: int
    max_iterations: int
    tolerance_px: float
    ask_field: bool = False


@dataclass(frozen=True)
class LevelResult:
    """Where a level's solve ended.

    ``last_step_px`` is the largest movement of a corner in the last iteration; ``rmse`` the
    weighted root mean square residual, in the target plane's units. ``field_share`` is the share of
    the squared residual that a light varying over the image would take away, to first order; 0
    where the level did not converge or nobody asked.
    """

    place: Place
    status: Status
    iterations: int
    last_step_px: float
    rmse: float
    field_share: float

    @property
    def usable(self) -> bool:
        """True where the place is a better start for what follows than what it began with."""
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


def normal_step(
    matrix: NDArray[np.float64], vector: Vector, motion_size: int, light_terms: int
) -> Vector | None:
    """Solve the normal equations, or None where they are singular.

    Args:
        matrix: (p + 12, p + 12), [J, T m, m]^T W [J, T m, m].
        vector: (p + 12,), [J, T m, m]^T W r.
        motion_size: p.
        light_terms: n, how many terms factor and offset are solved for: 0, 1 or 6.

    Returns:
        (p + 2 n,): dp, then the light's step as ``photometry.updated`` takes it.
    """
    chosen = columns(motion_size, light_terms)
    kept, vector = matrix[chosen[:, None], chosen], vector[chosen]
    diagonal = np.sqrt(np.diag(kept))
    if not np.isfinite(kept).all() or not (diagonal > 0.0).all():
        return None
    # Unit diagonal: the units of T and of the motion differ.
    eigenvalues, vectors = np.linalg.eigh(kept / np.outer(diagonal, diagonal))
    if eigenvalues[0] <= SINGULAR_RATIO * eigenvalues[-1]:
        return None
    step: Vector = vectors @ ((vectors.T @ (vector / diagonal)) / eigenvalues) / diagonal
    return step


@lru_cache
def columns(motion_size: int, light_terms: int) -> NDArray[np.intp]:
    """Which of the p + 12 columns are solved for: those of the motion, and some of the light."""
    light = np.arange(light_terms)
    columns = [np.arange(motion_size), motion_size + light, motion_size + FIELD + light]
    chosen: NDArray[np.intp] = np.concatenate(columns)
    return chosen


def compose_inverse(warp: Matrix, small: Matrix) -> Matrix:
    """W <- W o D^-1: both are matrices, so the composition is their product."""
    return unit(warp @ np.linalg.inv(small))


@dataclass(frozen=True)
class Taken:
    """The iteration before: the Gauss-Newton step as solved, and the step as taken."""

    solved: Vector
    taken: Vector


def accelerated(step: Vector, before: Taken | None) -> Vector:
    """Anderson acceleration of depth one (Anderson 1965; the secant method for vectors).

    Near the end reweighting makes Gauss-Newton steps shrink by a constant ratio, 0.7 where there
    are many outliers. From how the last step changed the solved one, extrapolate to where it
    would vanish.

    Args:
        step: (n,) the Gauss-Newton step.
        before: the iteration before, or None.

    Returns:
        (n,) the step to take.
    """
    if before is None:
        return step
    change = step - before.solved
    size = float(change @ change)
    if size == 0.0:
        return step
    share = float(step @ change) / size
    if abs(share) > LARGEST_SHARE:
        return step
    return step - share * (before.taken + change)


def corner_step_px(small: Matrix, size: Size) -> float:
    """Largest distance in pixels by which ``small`` moves a corner of an image of ``size``."""
    points = corners(size)
    return float(np.hypot(*(map_points(small, points) - points).T).max())


def solve_level(
    target: TargetPlanes,
    source: Level,
    start: Place,
    settings: LevelSettings,
    *,
    threads: Threads,
    scratch: Scratch,
) -> LevelResult:
    """Gauss-Newton steps on one level.

    Args:
        target: the target's level.
        source: the source's level.
        start: the warp, target pixel -> source pixel of this level, and the light.
        settings: model, loss and limits.
        threads: where to work.
        scratch: buffers.
    """
    to_normalised = normalisation(target.size)
    from_normalised = np.linalg.inv(to_normalised)
    model = settings.model
    place = start
    scale = residual_scale(target, source, place)
    share = target.image.shape[0] / (target.size[1] - 2 * target.origin[1])
    smaller = min(_pixels(target.valid, target.image), share * _pixels(source.valid, source.image))
    matrix: NDArray[np.float64] | None = None
    before: Taken | None = None
    last_step = np.inf
    rmse = np.nan

    def result(status: Status, iterations: int) -> LevelResult:
        share = 0.0
        if settings.ask_field and status is Status.CONVERGED and matrix is not None:
            share = _field_share(matrix, sums)
        return LevelResult(place, status, iterations, last_step, rmse, share)

    for iteration in range(1, settings.max_iterations + 1):
        sums = residual_sums(
            target,
            source,
            place,
            model=model,
            loss=settings.loss,
            scale=scale,
            source_margin=REACH,
            with_matrix=matrix is None or last_step > STEADY_STEP_PX,
            threads=threads,
            scratch=scratch,
        )
        if sums.count < SMALLEST_OVERLAP * smaller:
            return result(Status.TOO_LITTLE_OVERLAP, iteration)
        rmse = _rmse(sums)
        matrix = sums.matrix if sums.matrix is not None else matrix
        assert matrix is not None
        step = normal_step(matrix, sums.vector, model.size, settings.light_terms)
        if step is None:
            return result(Status.SINGULAR, iteration)
        if np.abs(step).max() < SMALL_STEP:
            solved, step = step, accelerated(step, before)
            before = Taken(solved, step)
        else:
            before = None
        small = from_normalised @ model.to_matrix(step[: model.size]) @ to_normalised
        new_warp = compose_inverse(place.warp, small)
        new_light = updated(place.light, step[model.size :], target.mean)
        if not (
            plausible(small, target.size)
            and plausible(new_warp, target.size)
            and new_light.plausible
        ):
            return result(Status.DIVERGED, iteration)
        place = Place(new_warp, new_light)
        step_before, last_step = last_step, corner_step_px(small, target.size)
        if _next_step_px(last_step, step_before) <= settings.tolerance_px:
            return result(Status.CONVERGED, iteration)
        if last_step > STEADY_SCALE_PX:
            scale = max(scale_of(sums.residuals), least_scale(target))
    return result(Status.ITERATION_LIMIT, settings.max_iterations)


def _next_step_px(last: float, before: float) -> float:
    """How far the next step would go at most, from how much the last was shorter than its own."""
    return last * min(1.0, CAUTION * last / before) if before < np.inf else last


def _pixels(valid: Mask | None, image: Plane) -> int:
    return image.size if valid is None else int(np.count_nonzero(valid))


def least_scale(target: TargetPlanes) -> float:
    """Floor of the residuals' scale, above 0 for a flat level too."""
    return max(LEAST_SCALE_SHARE * target.spread, LEAST_SCALE)


def residual_scale(target: TargetPlanes, source: Level, place: Place) -> float:
    """Standard deviation of the residuals at a place, estimated robustly."""
    source_values, target_values, textured = sample_pairs(target, source, place.warp, REACH)
    light = place.light
    residuals = ((source_values - light.bias) / light.gain - target_values)[textured]
    return max(scale_of(residuals), least_scale(target))


def _field_share(matrix: NDArray[np.float64], sums: Sums) -> float:
    """Share of sum w r^2 that all columns together, the light's six terms included, explain."""
    motion_size = len(sums.vector) - 2 * FIELD
    step = normal_step(matrix, sums.vector, motion_size, FIELD)
    if step is None or sums.squares == 0.0:
        return 0.0
    return float(step @ sums.vector) / sums.squares


def _rmse(sums: Sums) -> float:
    return float(np.sqrt(sums.squares / sums.weight)) if sums.weight > 0.0 else np.nan
