"""Assessment of an estimate: evidence, residual displacement, uncertainty, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix, Vector, quantile
from align_cli.engine.displacements.evidence import (
    LOG10_NFA_CONCLUSIVE,
    NEARLY_ALL,
    RIVAL_RATIO,
    Evidence,
    gather_evidence,
)
from align_cli.engine.displacements.field import share_at_same_pixel
from align_cli.engine.displacements.isotropy import undetermined_directions
from align_cli.engine.displacements.records import Displacements, record_of
from align_cli.engine.displacements.second_motion import region_in_words
from align_cli.engine.displacements.views import PairView
from align_cli.engine.geometry.coordinates import plausible
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.images.periodicity import Period
from align_cli.engine.records import (
    LARGE_STEP_PX,
    LevelRecord,
    Outcome,
    Status,
    Uncertainty,
    Verdict,
)
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.messages import Objection
from align_cli.engine.verdict.sufficiency import (
    FEWEST_TILES,
    REPORTED_PX,
    ResidualDisplacement,
    residual_displacement,
)
from align_cli.engine.verdict.summary import summarise
from align_cli.engine.verdict.uncertainty import combined_uncertainty

LOG10_NFA_ALIGNED: Final = -2.0
"""log10 of the number of false alarms up to which images correspond. Of 2,000 unrelated pairs fewer
than one in a hundred reach it, of 200 that are aligned one in a hundred do not
(``benchmarks.evidence``, ``benchmarks.verdict``)."""

LOG10_NFA_DOUBTFUL: Final = -1.0
"""With more false alarms than this an estimate is failed, not doubtful."""

MOST_TOLD: Final = 3.0
"""log10 of the largest number of false alarms that a message gives: more is no more informative."""

MAJORITY: Final = 0.5
"""Least inlier fraction of an aligned estimate. Measured on 33 real pairs: right estimates 0.53 to
1.00, except for the ends of two focus stacks; wrong ones 0.00."""

LEAST_INLIER_FRACTION: Final = 0.25
"""Inlier fraction below which an estimate is failed. Measured: right estimates on 33 real pairs
0.34 and more."""

MOST_UNEXPLAINED: Final = 3.0
"""Largest uncertainty by displacements that no motion model explains, relative to the allowed
displacement. Measured: right estimates on 16 real pairs 2.5 at most; a mirrored room laid over
itself 7 and 9."""

PERIOD_SHARE: Final = 0.4
"""If a target is periodic, only a given initial transform selects the intended estimate: the
nearest one, no corner further than this share of the period. Half a period would be halfway to the
next."""


@dataclass(frozen=True)
class Estimate:
    """The estimated transform of a solver.

    Attributes:
        model: the motion model.
        warp: (3, 3), target pixel -> source pixel, at full size.
        last: record of its last level.
        overlap: the share of the target that the source covers.
        noise: the uncertainty by noise; None if the solver could not estimate it.
        moved_px: largest displacement of a corner from the initial transform.
        start_given: whether the user gave the initial transform.
        parameters: how many were fitted to these images.
    """

    model: MotionModel
    warp: Matrix
    last: LevelRecord
    overlap: float
    noise: Uncertainty | None
    moved_px: float
    start_given: bool
    parameters: int


@dataclass(frozen=True, eq=False)
class Assessment:
    """The assessment of an estimate.

    Attributes:
        outcome: the verdict with its reasons.
        displacements: that remain; None if there is not enough texture, or nothing was solved.
        uncertainty: of the transform; None if there is too little texture.
        conclusive: whether most of the textured area is conclusively stationary: no other estimate
            can do better.
        nearly_all: whether all but a few tiles are stationary.
        log10_false_alarms: the evidence.
        allowed_px: largest allowed uncertainty.
        undetermined: whether the texture leaves a direction of the model's parameters undetermined.
    """

    outcome: Outcome
    displacements: Displacements | None = None
    uncertainty: Uncertainty | None = None
    conclusive: bool = False
    nearly_all: bool = False
    log10_false_alarms: float = math.inf
    allowed_px: float = math.nan
    undetermined: bool = False

    @property
    def model_tested(self) -> bool:
        """Whether there were enough tiles to test whether the model is sufficient."""
        return self.displacements is not None and math.isfinite(self.displacements.systematic_px)

    def with_doubt(self, outcome: Outcome) -> Assessment:
        """The same with a doubtful outcome, and hence not conclusive."""
        return replace(self, outcome=outcome, conclusive=False, nearly_all=False)

    def without(self, pattern: FixedPattern) -> Assessment:
        """The same with the record of the fixed pattern that was excluded."""
        displacements = self.displacements
        if displacements is None:
            return self
        return replace(self, displacements=replace(displacements, fixed_pattern=record_of(pattern)))


def prefer_orientations(by_values: Outcome, by_edges: Outcome) -> bool:
    """Whether the estimate by edge orientations is preferred to the one by grey values."""
    return by_edges.aligned or (by_values.verdict is Verdict.FAILED and by_edges.doubtful)


def assess(
    view: PairView,
    estimate: Estimate,
    *,
    period: Period | None,
    tests: int = 1,
    accept_residual: float | None = None,
    all_tiles: bool = False,
) -> Assessment:
    """Assess an estimate.

    Args:
        view: both images.
        estimate: by the solver, or given.
        period: of the target; None if it is not periodic.
        tests: how many estimates were tried.
        accept_residual: largest displacement that a richer model may remove, px; None for
            ``REPORTED_PX``.
        all_tiles: test all tiles of the target.
    """
    last = estimate.last
    stopped = last.status is Status.ITERATION_LIMIT
    cycling = stopped and last.last_step_px * 2.0**last.level <= LARGE_STEP_PX
    if last.status is not Status.CONVERGED and not cycling:
        return Assessment(
            messages.unsolved(last, model=estimate.model.name, overlap=estimate.overlap)
        )
    evidence = gather_evidence(
        view,
        estimate.warp,
        parameters=estimate.parameters,
        tests=tests,
        periodic=period is not None,
        all_tiles=all_tiles,
        accepted_px=accept_residual or 0.0,
    )
    if evidence is None:
        return Assessment(_outcome([_without_tiles(estimate)], estimate))
    residual = residual_displacement(
        estimate.model, evidence, estimate.warp, view.target_size, view.source_size
    )
    uncertainty = _uncertainty(view, estimate, residual, drift=residual.drift)
    undetermined = (
        len(undetermined_directions(evidence.coarse.gradient_moments, estimate.model)) > 0
    )
    objections = _evidence_objections(evidence, residual, estimate.model)
    if period is not None:  # its own objection states the period
        objections = [each for each in objections if each.status is not Status.AMBIGUOUS]
    if not any(each.refutes for each in objections):
        objections += _model_objections(estimate, residual, view, accept_residual)
        # Displacements outside the model are reported; the texture may determine it nevertheless.
        outside = bool(objections) or residual.outside_model
        determined_to = _uncertainty(view, estimate, residual) if outside else uncertainty
        objections += _determinacy_objections(
            estimate, evidence, determined_to, undetermined=undetermined
        )
        objections += _scatter_objections(evidence, uncertainty, objections)
        objections += _ambiguity_objections(estimate, period, view)
        objections += _frame_objections(estimate, evidence, view)
    if cycling:
        objections.append(_not_converged(last))
    return Assessment(
        outcome=_outcome(objections, estimate, residual.explained_by),
        displacements=summarise(evidence, residual),
        uncertainty=uncertainty,
        conclusive=evidence.conclusive and not objections,
        nearly_all=evidence.nearly_all and not objections,
        log10_false_alarms=evidence.log10_false_alarms,
        allowed_px=evidence.allowed_px,
        undetermined=undetermined,
    )


def _uncertainty(
    view: PairView, estimate: Estimate, residual: ResidualDisplacement, drift: Vector | None = None
) -> Uncertainty | None:
    """Noise and scatter of the tiles combined, and the drift of the displacements, if given."""
    return combined_uncertainty(
        estimate.noise,
        estimate.model,
        residual.matches,
        residual.fit,
        estimate.warp,
        source_size=view.source_size,
        target_size=view.target_size,
        drift=drift,
    )


def _without_tiles(estimate: Estimate) -> Objection:
    """Why no tile can be matched."""
    if estimate.overlap <= 0.0:
        message = "the source and the target do not overlap"
        return Objection(Status.TOO_LITTLE_OVERLAP, message, refutes=True)
    message = "the overlap has no texture above the noise"
    return Objection(Status.SINGULAR, message, refutes=True)


def _not_converged(last: LevelRecord) -> Objection:
    """The solver was stopped."""
    return Objection(Status.ITERATION_LIMIT, messages.not_converged(last))


def _outcome(objections: list[Objection], estimate: Estimate, richer: str | None = None) -> Outcome:
    model, solved = estimate.model.name, estimate.parameters > 0
    return messages.outcome(objections, model=model, richer=richer, solved=solved)


def _evidence_objections(
    evidence: Evidence, residual: ResidualDisplacement, model: MotionModel
) -> list[Objection]:
    """Do the images correspond, and are most tiles inliers?"""
    objections = []
    log10_nfa = evidence.log10_false_alarms
    alarms = f"number of false alarms {10.0 ** min(log10_nfa, MOST_TOLD):.2g}"
    if log10_nfa > LOG10_NFA_ALIGNED and evidence.ambiguous:
        message = "the texture is periodic: other positions of the source match equally well"
        objections.append(Objection(Status.AMBIGUOUS, message))
    elif log10_nfa > LOG10_NFA_ALIGNED and evidence.stationary >= NEARLY_ALL * evidence.tested:
        message = (
            f"the overlap has {evidence.tested} textured tiles, too few to tell a true match from "
            f"a chance match ({alarms}, at most {10.0**LOG10_NFA_ALIGNED:g} allowed)"
        )
        refutes = log10_nfa > LOG10_NFA_DOUBTFUL
        objections.append(Objection(Status.NO_AGREEMENT, message, refutes, messages.MORE_TEXTURE))
    elif log10_nfa > LOG10_NFA_ALIGNED:
        message = (
            f"only {evidence.stationary} of {evidence.tested} textured tiles match best at zero "
            f"displacement, which may be chance ({alarms}, at most {10.0**LOG10_NFA_ALIGNED:g} "
            "allowed)"
        )
        objections.append(
            Objection(Status.NO_AGREEMENT, message, refutes=log10_nfa > LOG10_NFA_DOUBTFUL)
        )
    elif log10_nfa > (needed := _allowed_log10_nfa(evidence)):
        message = (
            f"only {evidence.stationary} of {evidence.tested} textured tiles match best at zero "
            "displacement, which is weak evidence (number of false alarms "
            f"{10.0**log10_nfa:.2g}, at most {10.0**needed:.2g} allowed at this inlier fraction)"
        )
        objections.append(Objection(Status.NO_AGREEMENT, message))
    inlier_fraction = min(evidence.inlier_fraction, residual.inlier_fraction)
    richer = residual.explained_by not in (None, model.name)
    if (evidence.match_count or evidence.far_share) and inlier_fraction < MAJORITY and not richer:
        message = (
            f"the inlier fraction of the matched texture is only {inlier_fraction:.0%} "
            f"(inliers are displaced by at most {evidence.allowed_px:.2g} px)"
        )
        if evidence.far_share:
            x, y = evidence.far_motion_px
            message += (
                f"; {evidence.far_share:.0%} of the texture is displaced by "
                f"x {x:+.3g}, y {y:+.3g} px"
            )
        refutes = inlier_fraction < LEAST_INLIER_FRACTION
        objections.append(Objection(Status.SECOND_MOTION, message, refutes=refutes))
    return objections


def _allowed_log10_nfa(evidence: Evidence) -> float:
    """log10 of the allowed number of false alarms: lower if few tiles are stationary.

    From ``LOG10_NFA_ALIGNED`` for half of them down to ``LOG10_NFA_CONCLUSIVE`` for none: a caption
    or an aperture that unrelated images share has a few tiles that do match.
    """
    share = evidence.stationary / max(evidence.tested, 1)
    return LOG10_NFA_ALIGNED + (LOG10_NFA_CONCLUSIVE - LOG10_NFA_ALIGNED) * max(
        1.0 - share / MAJORITY, 0.0
    )


def _model_objections(
    estimate: Estimate,
    residual: ResidualDisplacement,
    view: PairView,
    accept_residual: float | None,
) -> list[Objection]:
    """Is the model sufficient?"""
    objections = []
    most = REPORTED_PX if accept_residual is None else max(REPORTED_PX, accept_residual)
    if residual.explained_by is not None and residual.px > most:
        where = region_in_words(np.array([residual.at_px]), view.target_size)
        model = estimate.model.name
        by = (
            f"another transform of the {model} model"
            if residual.explained_by == model
            else f"the {residual.explained_by} model"
        )
        message = (
            f"a residual displacement of up to {residual.px:.3g} px {where} is explained by {by}"
        )
        objections.append(Objection(Status.MODEL_TOO_SIMPLE, message))
    known = residual.matches is not None and len(residual.matches) >= FEWEST_TILES
    shift = (
        quantile(residual.matches.displacement, 0.5) if residual.matches and known else (0.0, 0.0)
    )
    if not objections and math.hypot(*shift) > most:
        x, y = shift
        message = f"the median displacement of the texture is x {x:+.2g}, y {y:+.2g} px"
        objections.append(Objection(Status.MODEL_TOO_SIMPLE, message))
    if not objections and residual.second is not None and residual.rival >= RIVAL_RATIO:
        message = (
            f"{residual.second.share:.0%} of the texture, {residual.second.where}, "
            f"{messages.INDEPENDENTLY} ({residual.second.length_px:.3g} px)"
        )
        objections.append(Objection(Status.SECOND_MOTION, message))
    return objections


def _frame_objections(estimate: Estimate, evidence: Evidence, view: PairView) -> list[Objection]:
    """Might only a common frame match?

    Different images in one frame, with one caption or logo, match there, at the same pixels.
    Unmoved images of the same scene match in most of their texture.
    """
    most = 2 * evidence.stationary >= evidence.tested
    if most or view.source_size != view.target_size:
        return []
    if share_at_same_pixel(evidence.field, estimate.warp) <= MAJORITY:
        return []
    message = (
        "the matching texture is at the same pixels of both images, as a frame or a caption would "
        f"be, and only {evidence.stationary} of {evidence.tested} textured tiles match best at "
        "zero displacement"
    )
    return [Objection(Status.SECOND_MOTION, message)]


def _determinacy_objections(
    estimate: Estimate, evidence: Evidence, uncertainty: Uncertainty | None, *, undetermined: bool
) -> list[Objection]:
    """Does the texture determine the transform?"""
    objections = []
    if undetermined:
        message = (
            f"the texture does not determine every parameter of the {estimate.model.name} model"
        )
        objections.append(Objection(Status.UNCERTAIN, message))
    elif uncertainty is None:
        # Evidence to a pixel of a coarse level is not accurate enough without a covariance.
        if evidence.pixel_px > evidence.allowed_px:
            message = "there is too little texture to estimate the uncertainty of the transform"
            objections.append(Objection(Status.UNCERTAIN, message))
    elif uncertainty.mean_px > evidence.allowed_px:
        message = (
            f"the texture determines the transform only to {uncertainty.mean_px:.2g} px "
            f"(standard deviation, at most {evidence.allowed_px:.2g} px allowed)"
        )
        objections.append(Objection(Status.UNCERTAIN, message))
    return objections


def _scatter_objections(
    evidence: Evidence, uncertainty: Uncertainty | None, objections: list[Objection]
) -> list[Objection]:
    """Are the displacements that no model explains small enough?"""
    most = MOST_UNEXPLAINED * evidence.allowed_px
    if objections or uncertainty is None or uncertainty.mean_px <= most:
        return []
    message = (
        "displacements that no motion model explains make the transform uncertain by "
        f"{uncertainty.mean_px:.2g} px (standard deviation, at most {most:.2g} px allowed)"
    )
    return [Objection(Status.UNCERTAIN, message, advice=messages.MASKS)]


def _ambiguity_objections(
    estimate: Estimate, period: Period | None, view: PairView
) -> list[Objection]:
    """Does another position match as well, and is the transform plausible?"""
    objections = []
    if period is not None and not _intended(estimate, period):
        x, y = period.shift_px
        message = (
            f"the target is periodic (period {period.length_px:.3g} px: x {x:+.3g}, y {y:+.3g}): "
            "other positions of the source match equally well"
        )
        objections.append(Objection(Status.AMBIGUOUS, message))
    if not plausible(estimate.warp, view.target_size):
        message = "the transform mirrors the target, or its horizon crosses the target"
        objections.append(Objection(Status.DIVERGED, message))
    return objections


def _intended(estimate: Estimate, period: Period | None) -> bool:
    """Whether a given initial transform selects this estimate of a periodic target."""
    return (
        period is not None
        and estimate.start_given
        and estimate.moved_px <= PERIOD_SHARE * period.length_px
    )
