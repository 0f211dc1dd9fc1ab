"""Self-checks on the user's own images: derivatives of the objective, and recovery of known warps.

The solver computes its derivatives from moments, without a Jacobian image. They are checked against
central differences of the objective, which share no code with the moments: the target is warped by
a small D(p), and the loss summed pixel by pixel in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.aligner import Aligner
from align_cli.engine.arrays import Image, Mask, Matrix, Points, Vector
from align_cli.engine.equations.dense import RowEquations
from align_cli.engine.equations.illumination import (
    VARYING,
    Illumination,
    illumination_from_quantiles,
)
from align_cli.engine.equations.state import State
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import (
    Size,
    corner_error,
    corners,
    inverse,
    map_points,
    normalisation,
)
from align_cli.engine.geometry.models import MODELS, MONOMIALS, MotionModel
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import REACH, Level, level_count, pyramid
from align_cli.engine.numerics.losses import LOSSES, Loss
from align_cli.engine.numerics.threads import Threads, limit
from align_cli.engine.records import Status
from align_cli.engine.result.warp import warp_image
from align_cli.engine.sampling.bilinear import overlap_mask
from align_cli.engine.starts import IDENTITY
from align_cli.engine.target.planes import TargetPlanes, target_planes

LARGEST_DIFFERENCE: Final = 1e-5
"""Largest difference of the derivatives, as a share of their length."""

LARGEST_ERROR_PX: Final = 0.1
"""Largest corner error of a recovered warp, in pixels."""

STEP_PX: Final = 1e-4
"""Displacement of the corners, about, in the finite differences, in pixels."""

PATTERN_SHARE: Final = 0.1
PATTERN_WAVES: Final = ((0.43, 0.17), (-0.11, 0.29), (0.05, -0.03))
"""Waves, in radians per pixel along x and y, that are added to the source with ``PATTERN_SHARE`` of
the target's contrast: without a residual, as between an image and itself, all derivatives are 0."""

LARGEST_SCENE: Final = 200_000
"""Largest number of pixels of the level on which derivatives are compared."""

RECOVERY_SHARE: Final = 0.02
"""Largest displacement of a corner by a known warp, as a share of the longer side."""

GREY_LEVEL: Final = 1.0 / 255.0
"""Assumed noise, as a share of the range of an image's values: about the least of any image."""


@dataclass(frozen=True)
class DerivativeCheck:
    """Comparison of the analytic and the numeric derivative of the objective for one setting.

    ``difference`` is the largest entry of their difference, per pixel of corner displacement, over
    the largest sum of the pixels' absolute contributions to an entry; the contributions themselves
    may cancel, as in symmetric images. ``passed`` compares it with ``LARGEST_DIFFERENCE``.
    """

    model: str
    loss: str
    photometric: bool
    difference: float

    @property
    def passed(self) -> bool:
        """Whether both derivatives agree."""
        return self.difference <= LARGEST_DIFFERENCE


@dataclass(frozen=True)
class RecoveryCheck:
    """Recovery of a known warp of the user's image.

    ``error_px`` is the corner error. ``bound_px`` is the Cramer-Rao bound of the model at noise of
    ``GREY_LEVEL``, in pixels; infinite if the texture does not determine a direction. ``doubtful``
    is whether the verdict was doubtful.
    """

    model: str
    status: Status
    error_px: float
    bound_px: float = 0.0
    doubtful: bool = False

    @property
    def passed(self) -> bool:
        """Whether the known warp was recovered.

        For a periodic image the status may rightly be ambiguous, or the verdict doubtful.
        """
        found = self.doubtful or self.status in (Status.CONVERGED, Status.AMBIGUOUS)
        return found and self.error_px <= LARGEST_ERROR_PX

    @property
    def undetermined(self) -> bool:
        """Whether the texture does not determine the warp, and the result was not aligned."""
        unfixed = not self.bound_px <= LARGEST_ERROR_PX or self.status is Status.AMBIGUOUS
        return unfixed and not self.passed and self.status is not Status.CONVERGED

    @property
    def failed(self) -> bool:
        """Whether the warp was not recovered though determined, or a wrong one was aligned."""
        return not (self.passed or self.undetermined)


@dataclass(frozen=True)
class Scene:
    """One level of a pair at which the objective is differentiated, under the identity.

    ``source_values`` is (n,) float64 and ``pixels`` (n, 2), the x and y of the target pixels that
    the solver uses; ``scale`` is the residuals' scale that the losses assume.
    """

    level: Level
    target: TargetPlanes
    source: Level
    illumination: Illumination
    scale: float
    pixels: Points
    source_values: Vector

    @property
    def unit_steps(self) -> tuple[float, float, float]:
        """Steps of motion, gain and bias that all change the target by about ``STEP_PX``."""
        gradients = self.target.whole.gradient_x, self.target.whole.gradient_y
        slope = STEP_PX * max(float(np.abs(gradient).mean()) for gradient in gradients)
        motion = STEP_PX / self.target.pixels_per_unit
        return motion, slope / float(np.std(self.target.whole.image)), slope


def scene(source: Image, target: Image) -> Scene:
    """The pair on the finest level of at most ``LARGEST_SCENE`` pixels, with an illumination.

    The waves of ``PATTERN_WAVES`` are added to the source.

    Raises:
        ImageError: if an image cannot be aligned.
    """
    lumas = luma(source, "source"), luma(target, "target")
    width, height = lumas[1].size
    wanted = 1 + max(0, math.ceil(math.log(width * height / LARGEST_SCENE, 4)))
    count = min(wanted, *(level_count(plane.size) for plane in lumas))
    source_level, target_level = (pyramid(plane, count)[-1] for plane in lumas)
    planes = target_planes(target_level)
    inside = None if planes is None else _inside(planes, source_level)
    if planes is None or inside is None or not inside.any():
        raise ImageError("no pixel is far enough from borders and invalid ones", role="target")
    rows, columns = np.nonzero(inside)
    target_values = target_level.image[rows, columns]
    illumination = illumination_from_quantiles(source_level.image[rows, columns], target_values)
    spread = float(np.std(target_values))
    waved = source_level.image + illumination.gain * PATTERN_SHARE * spread * _waves(
        source_level.size
    )
    source_level = Level(waved.astype(np.float32), source_level.valid)
    values = source_level.image[rows, columns].astype(np.float64)
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    return Scene(target_level, planes, source_level, illumination, 0.2 * spread, pixels, values)


def _waves(size: Size) -> NDArray[np.float64]:
    """(height, width) sum of the waves, with a standard deviation of about 1."""
    width, height = size
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, np.newaxis]
    total = np.zeros((height, width))
    for along_x, along_y in PATTERN_WAVES:
        total += np.sin(along_x * x + along_y * y)
    return total * math.sqrt(2.0 / len(PATTERN_WAVES))


def _inside(target: TargetPlanes, source: Level) -> Mask:
    """(height, width) bool: the target pixels that the solver uses at the identity."""
    inside = overlap_mask(np.eye(3), target.size, source.size, margin=REACH)
    height, width = inside.shape
    x, y = target.origin
    interior = np.zeros_like(inside)
    interior[y : height - y, x : width - x] = True if target.valid is None else target.valid
    inside &= interior
    if source.valid is not None:
        valid = source.valid[:height, :width]
        inside[: valid.shape[0], : valid.shape[1]] &= valid
    return inside


def derivative_checks(source: Image, target: Image) -> list[DerivativeCheck]:
    """The checks of every model and every loss, with and without gain and bias.

    Raises:
        ImageError: if an image cannot be aligned.
    """
    pair = scene(source, target)
    checks = []
    for model in MODELS.values():
        changes = [target_changes(pair, model, factor) for factor in (1.0, 0.5)]
        for loss in LOSSES.values():
            analytic = analytic_derivative(pair, model, loss)
            # Interpolation has a kink at each pixel, so the error of a central difference is of
            # first order in the step; Richardson extrapolation removes it.
            (whole, most), (half, _) = (numeric_derivative(pair, loss, each) for each in changes)
            numeric = 4.0 * half - whole
            for photometric in (True, False):
                size = len(numeric) if photometric else model.size
                error = np.abs(analytic - numeric)[:size].max() / most[:size].max()
                checks.append(DerivativeCheck(model.name, loss.name, photometric, float(error)))
    return checks


def analytic_derivative(pair: Scene, model: MotionModel, loss: Loss) -> Vector:
    """(p + 12,) derivative of the objective from the moments, times each parameter's step.

    It is -[J, T m, m]^T W r, since a small warp changes the residual by -J p.
    """
    with Threads(1) as threads:
        sums = RowEquations(pair.target, pair.source, model, loss, threads=threads).sums(
            State(np.eye(3), pair.illumination), pair.scale, with_matrix=False
        )
    motion, gain, bias = pair.unit_steps
    steps: Vector = np.array([motion] * model.size + [gain] * VARYING + [bias] * VARYING)
    return -sums.vector * steps


def numeric_derivative(
    pair: Scene, loss: Loss, changes: list[tuple[Vector, Vector]]
) -> tuple[Vector, Vector]:
    """(p + 12,) central differences of the objective over each parameter's step.

    Second are the sums of the absolute contributions of the pixels, (p + 12,).
    """
    shares = [(losses(pair, loss, up) - losses(pair, loss, down)) / 2.0 for up, down in changes]
    return (
        np.array([float(share.sum()) for share in shares]),
        np.array([float(np.abs(share).sum()) for share in shares]),
    )


def target_changes(pair: Scene, model: MotionModel, factor: float) -> list[tuple[Vector, Vector]]:
    """The target, (n,) float64, after each parameter's step up and down, times ``factor``."""
    motion, gain, bias = (step * factor for step in pair.unit_steps)
    to_normalised = normalisation(pair.target.size)
    from_normalised = np.linalg.inv(to_normalised)
    image = pair.level.image.astype(np.float64)
    unchanged = bilinear(image, pair.pixels)
    changes = []
    for step in np.eye(model.size) * motion:
        smalls = (from_normalised @ model.to_matrix(s) @ to_normalised for s in (step, -step))
        up, down = (bilinear(image, map_points(small, pair.pixels)) for small in smalls)
        changes.append((up, down))
    x, y = map_points(to_normalised, pair.pixels).T
    for uniform in ((unchanged - pair.target.mean) * gain, np.full_like(unchanged, bias)):
        for i, j in MONOMIALS:
            change = uniform * x**i * y**j
            changes.append((unchanged + change, unchanged - change))
    return changes


def losses(pair: Scene, loss: Loss, target_values: Vector) -> Vector:
    """(n,) losses, multiplied by (constant * scale)**2 so that rho(r) ~ r**2 / 2.

    Their sum is the objective.
    """
    r = (pair.source_values - pair.illumination.bias) / pair.illumination.gain - target_values
    if not loss.robust:
        return 0.5 * r**2
    unit = loss.constant * pair.scale
    return loss.rho(r / unit) * unit**2


def bilinear(image: NDArray[np.float64], points: Points) -> Vector:
    """Values of ``image`` at (n, 2) points x, y, by linear interpolation in float64."""
    height, width = image.shape
    left = np.clip(np.floor(points[:, 0]), 0, width - 2).astype(np.intp)
    top = np.clip(np.floor(points[:, 1]), 0, height - 2).astype(np.intp)
    x, y = points[:, 0] - left, points[:, 1] - top
    upper = image[top, left] * (1.0 - x) + image[top, left + 1] * x
    lower = image[top + 1, left] * (1.0 - x) + image[top + 1, left + 1] * x
    return upper * (1.0 - y) + lower * y


def recovery_checks(image: Image) -> list[RecoveryCheck]:
    """Warp the image by a known member of every model, and recover it.

    Raises:
        ImageError: if the image cannot be aligned.
    """
    height, width = image.shape[:2]
    pair = scene(image, image)
    checks = []
    for model in MODELS.values():
        truth = known_warp(model, (width, height))
        target = warp_image(
            image, inverse(truth), target_size=(width, height), source_size=(width, height)
        )
        inside = overlap_mask(inverse(truth), (width, height), (width, height))
        # Without a search, which could find the warp despite wrong derivatives.
        aligner = Aligner(_nan_outside(target, inside), model=model.name, threads=limit())
        alignment = aligner.align(image, init=IDENTITY)
        error = corner_error(alignment.source_to_target, truth, (width, height))
        bound = bound_px(pair, model) * width / pair.level.size[0]
        outcome = alignment.outcome
        checks.append(RecoveryCheck(model.name, outcome.status, error, bound, outcome.doubtful))
    return checks


def bound_px(pair: Scene, model: MotionModel) -> float:
    """Cramer-Rao bound of the least determined combination of a model's parameters.

    In pixels of the level, about, with gain and bias unknown too.
    """
    changes = target_changes(pair, model, 1.0)
    slopes = np.column_stack([(up - down) / 2.0 for up, down in changes])
    uniform = MONOMIALS.index((0, 0)) + model.size
    motion, illumination = slopes[:, : model.size], slopes[:, [uniform, uniform + VARYING]]
    explained, *_ = np.linalg.lstsq(illumination, motion, rcond=None)
    left = motion - illumination @ explained
    least = float(np.linalg.eigvalsh(left.T @ left)[0])
    image = pair.level.image
    noise = GREY_LEVEL * float(image.max() - image.min())
    return STEP_PX * noise / math.sqrt(least) if least > 0.0 else math.inf


def known_warp(model: MotionModel, size: tuple[int, int]) -> Matrix:
    """A ``source_to_target`` of the model that displaces every corner differently."""
    points = corners(size)
    share = np.array([[0.7, -0.4], [-0.5, 0.8], [0.9, 0.3], [0.2, -1.0]])
    return model.from_points(points, points + RECOVERY_SHARE * max(size) * (share + 0.3))


def _nan_outside(image: Image, inside: Mask) -> Image:
    """The image as float64, NaN outside a mask."""
    result = image.astype(np.float64)
    result[~inside] = np.nan
    return result
