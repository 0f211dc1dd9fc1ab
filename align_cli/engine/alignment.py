"""What an alignment is once it is finished: the transform, how it ended, how good it is.

Everything here is plain data that other layers read; nothing here computes an alignment.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask, Matrix, Points
from align_cli.engine.canvas import (
    Canvas,
    Rectangle,
    inner_rectangle,
    onto_target,
    overlap_polygon,
)
from align_cli.engine.options import INTENSITY
from align_cli.engine.sampling import overlap_mask
from align_cli.engine.warping import warp_image

if TYPE_CHECKING:
    from align_cli.engine.displacements.records import Displacements


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


@dataclass(frozen=True)
class Alignment:
    """A finished alignment: ``source_to_target`` and all that is known about it.

    Attributes:
        model: name of the motion model, a key of ``align_cli.engine.motion.MODELS``.
        source_to_target: (3, 3) float64, maps homogeneous source pixels (x, y, 1) to target
            pixels, last entry 1. Pixel centres are at integers.
        target_to_source: its inverse, scaled in the same way.
        parameters: the transform in the model's own terms (degrees, pixels, ratios); see
            ``align_cli.engine.motion.describe``.
        outcome: how the solve ended. Check ``outcome.aligned`` before using the transform.
        quality: agreement before and after, and overlap.
        uncertainty: how far it is likely to be off, where it is aligned or doubtful; None where it
            failed, or where there is too little to tell.
        gain, bias: the light: ``source ~ gain * target + bias``, bias in units of full scale.
        levels: one record for each solve, in their order: the pyramid levels, coarsest first; with
            the preset "precise" full size once more.
        start: where it began: a name of ``align_cli.engine.starts.STARTS``, or "given".
        mirrored: whether it is the source's mirror image, left for right, that is aligned;
            ``parameters`` are then those of the mirror image, the matrices those of the source.
        source_size, target_size: (width, height) in pixels.
        model_scores: what each motion model is worth, where the model was chosen among them, from
            the fewest parameters to the most; empty where it was given.
        similarity: what was compared in the end, "intensity" or "gradient". With the latter each
            ``zncc`` is of the orientations of edges, and there is no light:
            ``gain`` and ``bias`` are NaN.
        displacements: where the images still differ in place, as tiles of the target tell it; None
            where no tile could tell, or the solver found no answer.
    """

    model: str
    source_to_target: Matrix
    target_to_source: Matrix
    parameters: Mapping[str, float | tuple[float, float]]
    outcome: Outcome
    quality: Quality
    uncertainty: Uncertainty | None
    gain: float
    bias: float
    levels: tuple[LevelRecord, ...]
    start: str
    source_size: tuple[int, int]
    target_size: tuple[int, int]
    mirrored: bool = False
    model_scores: tuple[ModelScore, ...] = ()
    similarity: str = INTENSITY
    displacements: Displacements | None = None

    @property
    def overlap_polygon(self) -> Points:
        """(n, 2) corners, in target pixels, of the part of the target that the source covers."""
        return overlap_polygon(self.target_to_source, self.target_size, self.source_size)

    @property
    def inner_rectangle(self) -> Rectangle | None:
        """The largest rectangle of target pixels that the source covers: x, y, width, height."""
        return inner_rectangle(self.target_to_source, self.target_size, self.source_size)

    def valid_mask(self, canvas: Canvas | None = None) -> Mask:
        """(height, width) bool: which pixels of a canvas (None: the target) the source reaches."""
        canvas = onto_target(self.target_size) if canvas is None else canvas
        return overlap_mask(canvas.warp(self.target_to_source), canvas.size, self.source_size)

    def warp(
        self,
        image: Image,
        *,
        fill: float = 0.0,
        interpolation: str = "linear",
        canvas: Canvas | None = None,
    ) -> Image:
        """Resample ``image``, which lies on the source's grid, onto the target's grid.

        Args:
            image: (height, width) or (height, width, channels) of the source's size; uint8,
                uint16, float32 or float64. Any image that lies on the source's grid will do:
                another channel, a label map, a mask.
            fill: value of the pixels that the source does not reach, in the image's own units.
            interpolation: see ``align_cli.engine.warping.warp_image``; "nearest" for labels.
            canvas: another part of the target's plane, see ``align_cli.engine.canvas``.

        Returns:
            An array of the canvas's height and width, with the image's dtype and channels.

        Raises:
            ImageError: if the image is not of the source's size.
        """
        canvas = onto_target(self.target_size) if canvas is None else canvas
        return warp_image(
            image,
            canvas.warp(self.target_to_source),
            target_size=canvas.size,
            source_size=self.source_size,
            fill=fill,
            interpolation=interpolation,
        )
