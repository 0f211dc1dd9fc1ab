"""One answer, assessed: the evidence, what is left, how sure, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix, quantile
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
from align_cli.engine.records import LevelRecord, Outcome, Status, Uncertainty, Verdict
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
"""log10 of the false alarms up to which images show the same thing. Of 2,000 unrelated pairs fewer
than one in a hundred reach it, of 200 that are aligned one in a hundred do not
(``benchmarks.evidence``, ``benchmarks.verdict``)."""

LOG10_NFA_DOUBTFUL: Final = -1.0
"""With less evidence than this an answer is failed, not doubtful."""

MAJORITY: Final = 0.5
"""Of the tiles that find a match anywhere so many must lie where they fit. Measured on 33 real
pairs: right answers 0.53 to 1.00, but for the ends of two focus stacks; wrong ones 0.00."""

LEAST_INLIER_FRACTION: Final = 0.25
"""Where less of the texture that finds a match lies where it fits, an answer is failed. Measured:
right answers on 33 real pairs 0.34 and more."""

MOST_UNEXPLAINED: Final = 3.0
"""What no motion model explains may be so many times what is allowed. Measured: right answers on 16
real pairs 2.5 at most; a mirrored room laid over itself 7 and 9."""

SMALL_STEP_PX: Final = 0.3
"""A solver that is stopped while its last step moved no corner by more has an answer."""

PERIOD_SHARE: Final = 0.4
"""Where a target repeats itself, only an initial transform that was given tells which answer was
meant: the one nearest to it, no corner further than this share of the period. Half of it is half
way to the next."""


@dataclass(frozen=True)
class Estimate:
    """What the solver found.

    Attributes:
        model: the motion model.
        warp: (3, 3), target pixel -> source pixel, at full size.
        last: how its last level ended.
        overlap: the share of the target that the source covers.
        noise: the uncertainty that noise leaves; None where the solver could not tell.
        moved_px: how far the corners went from where it began.
        start_given: whether somebody gave that.
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
    """What is to be thought of an answer.

    Attributes:
        outcome: the verdict with its reasons.
        displacements: where the images still differ in place; None where no tile can tell, or
            nothing was solved.
        uncertainty: how far the answer is likely to be off; None where there is too little to tell.
        settled: whether most of the textured area follows it beyond doubt: no other can do better.
        nearly_all: whether all but a few tiles do.
        log10_false_alarms: the evidence.
        allowed_px: how uncertain an answer may be.
        blind: whether the texture tells nothing at all of some direction of the model's parameters.
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
        """Whether there were tiles enough to see what the model leaves."""
        return self.displacements is not None and math.isfinite(self.displacements.systematic_px)

    def with_doubt(self, outcome: Outcome) -> Assessment:
        """The same with a doubtful outcome: nothing is settled by it."""
        return replace(self, outcome=outcome, conclusive=False, nearly_all=False)

    def without(self, pattern: FixedPattern) -> Assessment:
        """The same, with the word of what was left out."""
        estimated_uncertainty = self.displacements
        if estimated_uncertainty is None:
            return self
        return replace(
            self, displacements=replace(estimated_uncertainty, fixed_pattern=record_of(pattern))
        )


def prefer_orientations(by_values: Outcome, by_edges: Outcome) -> bool:
    """Whether the answer by the orientation of edges counts, and not the one by grey values."""
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
    """Assess an answer.

    Args:
        view: both images.
        answer: what the solver found, or what somebody gave.
        repeat: the shortest shift under which the target looks like itself.
        tests: how many answers were tried.
        accept_residual: what a richer model may still move, px; None for ``REPORTED_PX``.
        all_tiles: ask all tiles of the target.
    """
    last = estimate.last
    stopped = last.status is Status.ITERATION_LIMIT
    cycling = stopped and last.last_step_px * 2.0**last.level <= SMALL_STEP_PX
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
    if evidence is None and estimate.overlap <= 0.0:
        message = "the source and the target do not overlap"
        objections = [Objection(Status.TOO_LITTLE_OVERLAP, message, refutes=True)]
        return Assessment(_outcome(objections, estimate))
    if evidence is None:
        message = "the overlap has no texture above the noise"
        objections = [Objection(Status.SINGULAR, message, refutes=True)]
        return Assessment(_outcome(objections, estimate))
    residual = residual_displacement(
        estimate.model, evidence, estimate.warp, view.target_size, view.source_size
    )
    estimated_uncertainty = partial(
        combined_uncertainty,
        estimate.noise,
        estimate.model,
        residual.matches,
        residual.fit,
        estimate.warp,
        source_size=view.source_size,
        target_size=view.target_size,
    )
    uncertainty = estimated_uncertainty(drift=residual.drift)
    undetermined = (
        len(undetermined_directions(evidence.coarse.gradient_moments, estimate.model)) > 0
    )
    objections = _evidence_objections(evidence, residual, estimate.model)
    if period is not None:  # whose words say how far
        objections = [each for each in objections if each.status is not Status.AMBIGUOUS]
    if not any(each.refutes for each in objections):
        objections += _model_objections(estimate, residual, view, accept_residual)
        # What the model does not describe is told; whether texture fixes it is another question.
        determined_to = (
            uncertainty
            if not objections and not residual.outside_model
            else estimated_uncertainty()
        )
        objections += _determinacy_objections(
            estimate, evidence, determined_to, undetermined=undetermined
        )
        objections += _scatter_objections(evidence, uncertainty, objections)
        objections += _ambiguity_objections(estimate, period, view)
        objections += _frame_objections(estimate, evidence, view)
    if cycling:
        message = (
            f"the solver did not converge within {last.iterations} iterations "
            f"(last step {last.last_step_px:.3g} px)"
        )
        objections.append(Objection(Status.ITERATION_LIMIT, message))
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


def _outcome(objections: list[Objection], estimate: Estimate, richer: str | None = None) -> Outcome:
    model, solved = estimate.model.name, estimate.parameters > 0
    return messages.outcome(objections, model=model, richer=richer, solved=solved)


def _evidence_objections(
    evidence: Evidence, residual: ResidualDisplacement, model: MotionModel
) -> list[Objection]:
    """Do they show the same thing, and does most of it follow?"""
    objections = []
    log10_nfa = evidence.log10_false_alarms
    if log10_nfa > LOG10_NFA_ALIGNED and evidence.ambiguous:
        message = "the texture is periodic: other positions of the source match equally well"
        objections.append(Objection(Status.AMBIGUOUS, message))
    elif log10_nfa > LOG10_NFA_ALIGNED and evidence.stationary >= NEARLY_ALL * evidence.tested:
        message = (
            f"the overlap has {evidence.tested} textured tiles, too few to tell a true match from a "
            f"chance match (number of false alarms {10.0 ** min(log10_nfa, 3.0):.2g}, at most "
            f"{10.0**LOG10_NFA_ALIGNED:g} allowed)"
        )
        refutes = log10_nfa > LOG10_NFA_DOUBTFUL
        objections.append(Objection(Status.NO_AGREEMENT, message, refutes, messages.MORE_TEXTURE))
    elif log10_nfa > LOG10_NFA_ALIGNED:
        message = (
            f"only {evidence.stationary} of {evidence.tested} textured tiles match best at zero "
            "displacement, which may be chance (number of false alarms "
            f"{10.0 ** min(log10_nfa, 3.0):.2g}, at most {10.0**LOG10_NFA_ALIGNED:g} allowed)"
        )
        objections.append(
            Objection(Status.NO_AGREEMENT, message, refutes=log10_nfa > LOG10_NFA_DOUBTFUL)
        )
    elif log10_nfa > (needed := _allowed_log10_nfa(evidence)):
        message = (
            f"only {evidence.stationary} of {evidence.tested} textured tiles match best at zero "
            f"displacement, which is weak evidence (number of false alarms {10.0**log10_nfa:.2g}, at "
            f"most {10.0**needed:.2g} allowed at this inlier fraction)"
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
            message += f"; {evidence.far_share:.0%} of the texture is displaced by x {x:+.3g}, y {y:+.3g} px"
        refutes = inlier_fraction < LEAST_INLIER_FRACTION
        objections.append(Objection(Status.SECOND_MOTION, message, refutes=refutes))
    return objections


def _allowed_log10_nfa(evidence: Evidence) -> float:
    """log10 of the false alarms that are allowed: less where fewer than half of the tiles fit.

    From ``LOG10_NFA_ALIGNED`` for a majority to ``LOG10_NFA_CONCLUSIVE`` for next to none: a caption or an aperture
    that unrelated pictures share has a few tiles that do agree.
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
            f"{residual.second.share:.0%} of the texture, {residual.second.where}, moves independently "
            f"({residual.second.length_px:.3g} px)"
        )
        objections.append(Objection(Status.SECOND_MOTION, message))
    return objections


def _frame_objections(estimate: Estimate, evidence: Evidence, view: PairView) -> list[Objection]:
    """May a frame that both images have be all that agrees?

    Different pictures in one frame, with one caption or logo, agree there, at the pixels where it
    is drawn. Pictures of one thing that lie as they are agree in most of their texture.
    """
    most = 2 * evidence.stationary >= evidence.tested
    if most or view.source_size != view.target_size:
        return []
    if share_at_same_pixel(evidence.field, estimate.warp) <= MAJORITY:
        return []
    message = (
        "the matching texture is at the same pixels of both images, as a frame or a caption would "
        f"be, and only {evidence.stationary} of {evidence.tested} textured tiles match best at zero "
        "displacement"
    )
    return [Objection(Status.SECOND_MOTION, message)]


def _determinacy_objections(
    estimate: Estimate, evidence: Evidence, uncertainty: Uncertainty | None, *, undetermined: bool
) -> list[Objection]:
    """Does the texture fix the transform?"""
    objections = []
    if undetermined:
        message = (
            f"the texture does not determine every parameter of the {estimate.model.name} model"
        )
        objections.append(Objection(Status.UNCERTAIN, message))
    elif uncertainty is None:
        # Evidence within a pixel of a coarse level needs a covariance that bridges the gap.
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
    """Is what the model does not describe little enough?"""
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
    """Is another place as good, and is the transform possible?"""
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
    """Whether an initial transform tells which of the places was meant where a target repeats."""
    return (
        period is not None
        and estimate.start_given
        and estimate.moved_px <= PERIOD_SHARE * period.length_px
    )
