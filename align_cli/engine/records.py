"""Plain data of an alignment: outcome, quality, uncertainty."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LARGE_STEP_PX: Final = 0.3
"""Largest displacement of a corner by a step near convergence. After larger steps the Gauss-Newton
matrix is computed again, an estimate at the iteration limit is not assessed, and if the strips of a
large level do not converge, all its rows do not either. Measured on images of 2 to 40 MP: right
estimates 0.1 at most (noise of 30 grey levels, a fifth covered), clouds in one round field of view
0.5 to 4 in six of seven, 0.2 in one."""


class Status(str, enum.Enum):
    """The status of an alignment. Only ``CONVERGED`` is a success.

    Example:
        >>> from align_cli import Status
        >>> Status.CONVERGED.value, Status("no_agreement").name
        ('converged', 'NO_AGREEMENT')
    """

    CONVERGED = "converged"
    ITERATION_LIMIT = "iteration_limit"
    SINGULAR = "singular"
    DIVERGED = "diverged"
    TOO_LITTLE_OVERLAP = "too_little_overlap"
    NO_AGREEMENT = "no_agreement"
    SECOND_MOTION = "second_motion"
    MODEL_TOO_SIMPLE = "model_too_simple"
    UNCERTAIN = "uncertain"
    AMBIGUOUS = "ambiguous"
    LIMIT_EXCEEDED = "limit_exceeded"


class Verdict(str, enum.Enum):
    """The verdict on an alignment: use it, inspect it first, or do not use it.

    Example:
        >>> from align_cli import Verdict
        >>> [verdict.value for verdict in Verdict]
        ['aligned', 'doubtful', 'failed']
    """

    ALIGNED = "aligned"
    DOUBTFUL = "doubtful"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """Status and verdict of an alignment.

    Attributes:
        status: ``CONVERGED``, or the gravest objection to the transform.
        sentence: the same in words: the cause and the next thing to try.
        reasons: all objections in words, each with the measured value and the limit; empty if the
            images are aligned.
        doubtful: whether the transform may be right despite the objections. It is not aligned, but
            may be used after inspection.
        advice: the next thing to try, with which the sentence ends; empty if the images are
            aligned.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> one, other = np.random.default_rng(0).random((2, 80, 100))
        >>> outcome = align(one, other).outcome
        >>> outcome.verdict.value, outcome.aligned, len(outcome.reasons) > 0
        ('failed', False, True)
    """

    status: Status
    sentence: str
    reasons: tuple[str, ...] = ()
    doubtful: bool = False
    advice: str = ""

    @property
    def aligned(self) -> bool:
        """True only if the solver converged and no test speaks against the transform."""
        return self.status is Status.CONVERGED

    @property
    def vouched(self) -> bool:
        """Whether there is a usable transform: aligned, or doubtful."""
        return self.aligned or self.doubtful

    @property
    def verdict(self) -> Verdict:
        """Aligned, doubtful or failed."""
        if self.aligned:
            return Verdict.ALIGNED
        return Verdict.DOUBTFUL if self.doubtful else Verdict.FAILED


@dataclass(frozen=True)
class ImageKind:
    """What an image consists of: its channels (1 for a two-dimensional one), and their dtype."""

    channels: int
    dtype: str

    @classmethod
    def of(cls, image: NDArray[Any]) -> ImageKind:
        """The kind of an image."""
        return cls(1 if image.ndim == 2 else int(image.shape[2]), image.dtype.name)


@dataclass(frozen=True)
class Agreement:
    """Similarity of the warped source and the target over their overlap.

    NaN without overlap; ``zncc`` also if an image is flat.

    Attributes:
        zncc: zero-mean normalised cross-correlation of the luma, in [-1, 1], invariant to gain and
            bias.
        rmse, mae: root mean square and mean absolute value of ``corrected - target``, where
            ``corrected`` is the warped source after the illumination of the result
            (``Alignment.illumination``), in units of full scale (1.0 = white for integer images;
            floating-point images as they are). Without an illumination equal to the raw ones.
        rmse_raw, mae_raw: the same of ``warped - target``, before it.
    """

    zncc: float
    rmse: float
    mae: float
    rmse_raw: float
    mae_raw: float

    def without_illumination(self) -> Agreement:
        """The same before the illumination."""
        return replace(self, rmse=self.rmse_raw, mae=self.mae_raw)


@dataclass(frozen=True)
class Quality:
    """Similarity before and after alignment, and the share of the target that is covered.

    ``before`` is under the identity, or under the transform that was given. ``after`` is measured
    over the final overlap, ``before`` over the part of it that it covers too (over its own overlap
    if they are disjoint), so that the two numbers are comparable.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
        >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
        >>> quality = align(source, target, model="translation").quality
        >>> quality.before.zncc < 0.99 < quality.after.zncc
        True
        >>> f"{quality.overlap:.0%}"
        '99%'
        >>> bright = align(1.3 * source, target, model="translation").quality.after
        >>> bright.rmse < 0.01 < 0.1 < bright.rmse_raw  # after and before the illumination
        True
    """

    before: Agreement
    after: Agreement
    overlap: float

    def without_illumination(self) -> Quality:
        """The same before the illumination."""
        before, after = (each.without_illumination() for each in (self.before, self.after))
        return replace(self, before=before, after=after)


@dataclass(frozen=True, eq=False)
class IlluminationRecord:
    """The change of illumination between grey values: target ~ factor * warped source + offset.

    Both are polynomials in u and v, the target's pixel coordinates relative to its centre, divided
    by half its longer side: u = (x - (width - 1) / 2) / (max(width, height) / 2), and v likewise.

    Attributes:
        factor: (6,) float64, coefficients of 1, u, v, u u, u v, v v.
        offset: the same, in units of full scale.
    """

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def changes(self) -> bool:
        """Whether any grey value becomes another one."""
        return bool(self.factor[0] != 1.0 or self.factor[1:].any() or self.offset.any())


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Covariance of the transform and standard deviations of mapped points.

    The standard deviation of a point is the square root of the sum of the variances along x and y,
    in target pixels.

    Attributes:
        covariance: (8, 8) float64, of the first eight entries of ``source_to_target``, row by row
            (the ninth is 1). Its rank is the number of the model's parameters.
        corners_px: (4,) float64, standard deviation at the source's corners, clockwise from the
            top left.
        mean_px: mean over the overlap (over the target, if they do not overlap).
        max_px: maximum over the target.

    Example:
        >>> import numpy as np
        >>> from align_cli import align
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.sin(x / 5) + np.cos(y / 7 + x / 20)
        >>> source = np.sin((x + 1) / 5) + np.cos(y / 7 + (x + 1) / 20)
        >>> sure = align(source, target, model="translation").uncertainty
        >>> sure.covariance.shape, sure.mean_px < 0.1
        ((8, 8), True)
        >>> bool(sure.max_px >= sure.mean_px)
        True
    """

    covariance: NDArray[np.float64]
    corners_px: NDArray[np.float64]
    mean_px: float
    max_px: float


@dataclass(frozen=True)
class LevelRecord:
    """The record of a solve of one pyramid level; 0 is full size.

    ``last_step_px`` is the largest displacement of a corner of the target by the last step, in
    pixels of that level. ``rmse`` is the root mean square residual after gain and bias, under the
    robust weights, in units of the full scale.
    """

    level: int
    width: int
    height: int
    iterations: int
    last_step_px: float
    rmse: float
    status: Status


@dataclass(frozen=True, eq=False)
class SearchedTransform:
    """A candidate of the search for an initial transform.

    Attributes:
        start: name of the start that proposed it.
        source_to_target: (3, 3) float64, after its refinement on coarse levels.
        share: of the tiles of the overlap that correlate under it, in [0, 1].
    """

    start: str
    source_to_target: NDArray[np.float64]
    share: float


@dataclass(frozen=True)
class ModelScore:
    """The information criterion of a motion model for a pair of images.

    Attributes:
        model: its name.
        parameters: number of its parameters.
        score: the information criterion, lower is better; only differences are meaningful.
            Infinite if the model does not fit.
    """

    model: str
    parameters: int
    score: float
