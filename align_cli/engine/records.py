"""Plain records of an alignment: how it ended, how good it is, how sure. Nothing here computes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


class Status(str, enum.Enum):
    """How a solve ended. Only ``CONVERGED`` is a success; no member is an exception."""

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
    """What to make of an alignment: use it, look at it first, or do not use it."""

    ALIGNED = "aligned"
    DOUBTFUL = "doubtful"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """How a solve ended.

    Attributes:
        status: the kind of ending; where something speaks against the answer, what it is.
        sentence: the same for people: the cause and the next thing to try.
        reasons: what speaks against the answer, each in words, with what was measured and what is
            needed; empty where it is aligned.
        doubtful: whether the answer may be right all the same: some evidence is for it, some
            against it. Such a one is not aligned; whoever knows better may use it.
    """

    status: Status
    sentence: str
    reasons: tuple[str, ...] = ()
    doubtful: bool = False

    @property
    def aligned(self) -> bool:
        """True only where the solver converged, and nothing that was measured speaks against it."""
        return self.status is Status.CONVERGED

    @property
    def vouched(self) -> bool:
        """Whether there is an answer at all: aligned, or doubtful."""
        return self.aligned or self.doubtful

    @property
    def verdict(self) -> Verdict:
        """Aligned, doubtful or failed."""
        if self.aligned:
            return Verdict.ALIGNED
        return Verdict.DOUBTFUL if self.doubtful else Verdict.FAILED


@dataclass(frozen=True)
class Agreement:
    """How well the warped source agrees with the target on the pixels that both show.

    ``zncc`` is the zero-mean normalised cross-correlation of the luma, in [-1, 1], blind to gain
    and bias. ``rmse`` and ``mae`` are the root mean square and the mean absolute value of
    ``warped - target`` as the pixels are, without gain and bias, in units of the full scale
    (1.0 = white for integer images; floating-point images as they are). NaN where nothing
    overlaps, or where an image is flat.
    """

    zncc: float
    rmse: float
    mae: float


@dataclass(frozen=True)
class Quality:
    """Agreement before and after, and the share of the target that is covered.

    ``before`` is with the images as they lie, or with the transform that was given. ``after`` is
    measured over the final overlap, ``before`` over those of its pixels that it reaches too (over
    its own overlap where the two share none), so that the pair of numbers compares like with like.
    """

    before: Agreement
    after: Agreement
    overlap: float


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How far the transform is likely to be off, predicted from the residuals.

    Standard deviations of a point are those of its distance from where it should be: the square
    root of the variances along x and y added, in target pixels.

    Attributes:
        covariance: (8, 8) float64, of the first eight entries of ``source_to_target``, row by row
            (the ninth is 1). Its rank is the number of the model's parameters.
        corners_px: (4,) float64, standard deviation at the source's corners, clockwise from the
            top left.
        mean_px: over the pixels of the target that the source reaches (all, if it reaches none).
        max_px: over all of the target.
    """

    covariance: NDArray[np.float64]
    corners_px: NDArray[np.float64]
    mean_px: float
    max_px: float


@dataclass(frozen=True)
class LevelRecord:
    """What happened on one pyramid level; 0 is full size.

    ``last_step_px`` is the largest movement of a corner of the target in the last iteration, in
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


@dataclass(frozen=True)
class ModelScore:
    """What a motion model is worth for a pair of images.

    Attributes:
        model: its name.
        parameters: how many it has.
        score: the information criterion, lower is better; only differences mean something.
            Infinite where the model does not fit at all.
    """

    model: str
    parameters: int
    score: float
