"""Refinement at full size: unsmoothed images, spline interpolation, a denoised gradient.

With a noisy target, noise in its *gradient*, not in the residual, keeps the error at twice the
Cramer-Rao bound. Here the steepest-descent images are those of the denoised mean of both images
(``align_cli.engine.solver.dct_denoising``), the residual is that of the unsmoothed images, whose
noise is white, and the source is sampled by cubic B-splines, which avoids the bias towards integer
positions (peak locking) of linear interpolation. The solver is that of every other level.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Plane
from align_cli.engine.equations.dense import RowEquations, residual_planes
from align_cli.engine.equations.normal_equations import least_scale
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import corner_step_px, inverse
from align_cli.engine.images.inpainting import inpainted
from align_cli.engine.images.luma import LARGEST_SIDE, Luma
from align_cli.engine.images.pyramid import PRESMOOTHING, REACH, Level, SplineLevel, eroded_by_reach
from align_cli.engine.numerics.losses import Loss, scale_of
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.sampling.bilinear import overlap_mask
from align_cli.engine.sampling.bspline import coefficients, gradient
from align_cli.engine.sampling.gradients import central_differences
from align_cli.engine.sampling.sinc_upsampling import SHARP_SINC, upsampled
from align_cli.engine.solver.dct_denoising import Denoised, denoise
from align_cli.engine.solver.gauss_newton import (
    LevelResult,
    LevelSettings,
    SolvedPlane,
    solve_level,
)
from align_cli.engine.target.planes import TargetPlanes, planes_with_gradient, textured

MOST_ROUNDS: Final = 3
"""Number of rounds of denoising and solving at most."""

DENOISED_STEP_PX: Final = 0.01
"""A round that displaced no corner by more is the last: the denoised image would not change."""

MARGIN_PX: Final = 3.0
"""Pixels next to the source's border that are not used, because the sinc and the spline depend on
extrapolated values there. Determined once a round, so that the overlap is constant in a solve."""

BORDER_PX: Final = float(SHARP_SINC.reach + REACH)
BORDER_RATIO: Final = 1.2
"""The error of extrapolation decays over the whole reach of the sinc. If residuals nearer to the
border than ``BORDER_PX`` are larger than the others by the factor ``BORDER_RATIO``, those pixels
are not used either. Without noise they biased the scale by 3e-7; with noise of 10 grey levels the
factor is not reached, and to exclude them would cost more."""

RESIDUAL_SIGMA_PX: Final = 1.0
"""Standard deviation of the Gaussian that smooths the residuals before they are weighted."""

ILLUMINATION_SIGMA_PX: Final = 2.0
"""Standard deviation of the Gaussian that smooths the image for the illumination's column. Sampling
attenuates the finest details, which would bias the gain, and through it the scale. Without noise
the mean EPE is 0.0004 px with it, 0.0011 px without."""

SCALE_MULTIPLE: Final = 1.5
"""Factor on the scale of the smoothed residuals in the loss. With 1 it would cost 1 to 2 % of the
accuracy on images with noise alone; on the graffiti and exposure pairs the corner error is 0.26 and
0.31 px with 1.5, 0.29 and 0.33 px with 1."""

MOST_RESIDUALS: Final = 1 << 15
"""Largest number of residuals from which the scale is estimated."""

LARGEST_MOVE_PX: Final = 1.0
"""A refinement that displaces a corner by more is rejected."""


def refine(
    target: Luma,
    source: Luma,
    start: State,
    settings: LevelSettings,
    *,
    tolerance_px: float,
    threads: Threads,
) -> SolvedPlane | None:
    """Refine an alignment; None if it fails, or displaces a corner too far.

    Args:
        target: the target at full size.
        source: the source at full size.
        start: the state, accurate to a fraction of a pixel.
        settings: those of the previous solve: model, loss, illumination and limits.
        tolerance_px: convergence threshold: displacement of a corner by the next step.
        threads: the pool.
    """
    if 2 * max(source.size) > LARGEST_SIDE:
        return None  # cv2 cannot sample the grid of twice the size
    whole_source = inpainted(source.plane, source.valid)
    spline = SplineLevel(
        coefficients(upsampled(whole_source, SHARP_SINC)), eroded_by_reach(source.valid)
    )
    level = Level(inpainted(target.plane, target.valid), target.valid)
    planes = planes_with_gradient(
        level,
        central_differences(_smoothed(level.image, PRESMOOTHING)),
        reach=0,
        column=_smoothed(level.image, ILLUMINATION_SIGMA_PX),
    )

    # The denoised mean is better the more accurate the alignment: at noise of 30 grey levels this
    # first solve, on the smoothed target's gradient, reduces the final error by 2 %.
    def solve(planes: TargetPlanes, begin: State) -> LevelResult:
        equations = RowEquations(planes, spline, settings.model, settings.loss, threads=threads)
        return solve_level(equations, begin, settings)

    first = solve(planes, start)
    state, iterations = first.state if first.usable else start, first.iterations
    settings = replace(settings, tolerance_px=tolerance_px)
    refined: SolvedPlane | None = None
    picture: Denoised | None = None
    for _ in range(MOST_ROUNDS):
        half, weight = _half_difference(planes, spline, state, settings.loss, threads)
        pilot = None if picture is None else picture.image
        picture = denoise(level.image + half, half, weight > 0.0, threads, pilot=pilot)
        if picture is None:
            return refined
        expected = (*gradient(picture.image), picture.image - np.float32(planes.mean))
        column = _smoothed(picture.image, ILLUMINATION_SIGMA_PX)
        steepest = _scaled_gradient(picture, expected)
        final = planes_with_gradient(level, steepest, reach=0, column=column, weight=weight)
        result = solve(final, state)
        if not result.usable:
            return refined
        iterations += result.iterations
        result = replace(result, iterations=iterations)
        moved = corner_step_px(inverse(state.warp) @ result.state.warp, target.size)
        state = result.state
        if corner_step_px(inverse(start.warp) @ state.warp, target.size) > LARGEST_MOVE_PX:
            return None
        refined = SolvedPlane(final, spline, settings, result, level=0, expected=expected)
        if moved <= DENOISED_STEP_PX:
            break
    return refined


def _half_difference(
    planes: TargetPlanes, source: Level, state: State, loss: Loss, threads: Threads
) -> tuple[Plane, Plane]:
    """Half the difference of both images, and the weight of each pixel, 0 outside the overlap.

    The weights are those of the smoothed difference, in which other content stands out from the
    noise, and errors of sampling at edges do not.
    """
    difference, inside = residual_planes(
        planes, source, state, source_margin=MARGIN_PX, threads=threads
    )
    interior = inside & overlap_mask(state.warp, planes.size, source.size, margin=BORDER_PX)
    if (
        scale_of(difference[inside & ~interior])
        > BORDER_RATIO * scale_of(difference[interior])
        > 0.0
    ):
        inside = interior
    difference[~inside] = 0.0
    weight = inside.astype(np.float32)
    if loss.robust:
        smooth = _smoothed(difference, RESIDUAL_SIGMA_PX)
        residuals = smooth[inside & textured(planes)]
        residuals = residuals[:: max(1, residuals.size // MOST_RESIDUALS)]
        scale = SCALE_MULTIPLE * max(scale_of(residuals), least_scale(planes.spread))
        np.multiply(smooth, np.float32(1.0 / (loss.constant * scale)), out=smooth)
        np.multiply(smooth, smooth, out=smooth)
        loss.weigh(smooth)
        weight *= smooth
    difference *= np.float32(0.5)
    return difference, weight


def _scaled_gradient(
    picture: Denoised, expected: tuple[Plane, Plane, Plane]
) -> tuple[Plane, Plane]:
    """The gradient of the weighted image, scaled so that steps have about the right length.

    The solution does not depend on this scale, the number of iterations does.
    """
    x, y = gradient(picture.weighted)
    energy = float(np.vdot(x, x) + np.vdot(y, y))
    shared = float(np.vdot(x, expected[0]) + np.vdot(y, expected[1]))
    scale = np.float32(shared / energy if energy > 0.0 else 1.0)
    return x * scale, y * scale


def _smoothed(image: Plane, sigma: float) -> Plane:
    smooth = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth, np.float32)
