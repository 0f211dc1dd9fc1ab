"""One answer, assessed: the evidence, what is left, how sure, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix, quantile
from align_cli.engine.displacements.evidence import NEARLY_ALL, RIVAL, SETTLING, Evidence, gathered
from align_cli.engine.displacements.field import at_own_pixel
from align_cli.engine.displacements.isotropy import blind_directions
from align_cli.engine.displacements.records import Displacements, record_of
from align_cli.engine.displacements.second_motion import place_of
from align_cli.engine.displacements.views import PairView
from align_cli.engine.geometry.coordinates import plausible
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.images.periodicity import Repeat
from align_cli.engine.records import LevelRecord, Outcome, Status, Uncertainty, Verdict
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.messages import Objection
from align_cli.engine.verdict.sufficiency import FEWEST_TILES, TOLD_PX, Remaining, remaining
from align_cli.engine.verdict.summary import summarised
from align_cli.engine.verdict.uncertainty import with_scatter

EVIDENCE: Final = -2.0
"""log10 of the false alarms up to which images show the same thing. Of 2,000 unrelated pairs fewer
than one in a hundred reach it, of 200 that are aligned one in a hundred do not
(``benchmarks.evidence``, ``benchmarks.verdict``)."""

SOME_EVIDENCE: Final = -1.0
"""With less evidence than this an answer is failed, not doubtful."""

MAJORITY: Final = 0.5
"""Of the tiles that find a match anywhere so many must lie where they fit. Measured on 33 real
pairs: right answers 0.53 to 1.00, but for the ends of two focus stacks; wrong ones 0.00."""

HARDLY_ANY: Final = 0.25
"""Where less of the texture that finds a match lies where it fits, an answer is failed. Measured:
right answers on 33 real pairs 0.34 and more."""

MOST_LEFT: Final = 3.0
"""What no motion model explains may be so many times what is allowed. Measured: right answers on 16
real pairs 2.5 at most; a mirrored room laid over itself 7 and 9."""

RESTLESS_PX: Final = 0.3
"""A solver that is stopped while its last step moved no corner by more has an answer."""

SHARE_OF_REPEAT: Final = 0.4
"""Where a target repeats itself, only an initial transform that was given tells which answer was
meant: the one nearest to it, no corner further than this share of the period. Half of it is half
way to the next."""


@dataclass(frozen=True)
class Answer:
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
    settled: bool = False
    nearly_all: bool = False
    log10_false_alarms: float = math.inf
    allowed_px: float = math.nan
    blind: bool = False

    @property
    def tested(self) -> bool:
        """Whether there were tiles enough to see what the model leaves."""
        return self.displacements is not None and math.isfinite(self.displacements.systematic_px)

    def with_doubt(self, outcome: Outcome) -> Assessment:
        """The same with a doubtful outcome: nothing is settled by it."""
        return replace(self, outcome=outcome, settled=False, nearly_all=False)

    def without(self, pattern: FixedPattern) -> Assessment:
        """The same, with the word of what was left out."""
        told = self.displacements
        if told is None:
            return self
        return replace(self, displacements=replace(told, fixed_pattern=record_of(pattern)))


def by_edges_instead(by_values: Outcome, by_edges: Outcome) -> bool:
    """Whether the answer by the orientation of edges counts, and not the one by grey values."""
    return by_edges.aligned or (by_values.verdict is Verdict.FAILED and by_edges.doubtful)


def assess(
    view: PairView,
    answer: Answer,
    *,
    repeat: Repeat | None,
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
        accept_residual: what a richer model may still move, px; None for ``TOLD_PX``.
        all_tiles: ask all tiles of the target.
    """
    last = answer.last
    restless = last.status is Status.ITERATION_LIMIT
    circles = restless and last.last_step_px * 2.0**last.level <= RESTLESS_PX
    if last.status is not Status.CONVERGED and not circles:
        return Assessment(messages.unsolved(last, model=answer.model.name, overlap=answer.overlap))
    evidence = gathered(
        view,
        answer.warp,
        parameters=answer.parameters,
        tests=tests,
        periodic=repeat is not None,
        all_tiles=all_tiles,
        accepted_px=accept_residual or 0.0,
    )
    if evidence is None and answer.overlap <= 0.0:
        words = "the source and the target do not overlap"
        found = [Objection(Status.TOO_LITTLE_OVERLAP, words, refutes=True)]
        return Assessment(_outcome(found, answer))
    if evidence is None:
        words = "the overlap has no texture above the noise"
        found = [Objection(Status.SINGULAR, words, refutes=True)]
        return Assessment(_outcome(found, answer))
    left = remaining(answer.model, evidence, answer.warp, view.target_size, view.source_size)
    told = partial(
        with_scatter,
        answer.noise,
        answer.model,
        left.matches,
        left.fit,
        answer.warp,
        source_size=view.source_size,
        target_size=view.target_size,
    )
    uncertainty = told(drift=left.drift)
    blind = len(blind_directions(evidence.coarse.slopes, answer.model)) > 0
    objections = _of_agreement(evidence, left, answer.model)
    if repeat is not None:  # whose words say how far
        objections = [each for each in objections if each.status is not Status.AMBIGUOUS]
    if not any(each.refutes for each in objections):
        objections += _of_model(answer, left, view, accept_residual)
        # What the model does not describe is told; whether texture fixes it is another question.
        sure = uncertainty if not objections and not left.bent else told()
        objections += _of_certainty(answer, evidence, sure, blind=blind)
        objections += _of_remainder(evidence, uncertainty, objections)
        objections += _of_place(answer, repeat, view)
        objections += _of_frame(answer, evidence, view)
    if circles:
        words = (
            f"the solver did not converge within {last.iterations} iterations "
            f"(last step {last.last_step_px:.3g} px)"
        )
        objections.append(Objection(Status.ITERATION_LIMIT, words))
    return Assessment(
        outcome=_outcome(objections, answer, left.explained_by),
        displacements=summarised(evidence, left),
        uncertainty=uncertainty,
        settled=evidence.settled and not objections,
        nearly_all=evidence.nearly_all and not objections,
        log10_false_alarms=evidence.log10_false_alarms,
        allowed_px=evidence.allowed_px,
        blind=blind,
    )


def _outcome(objections: list[Objection], answer: Answer, richer: str | None = None) -> Outcome:
    model, solved = answer.model.name, answer.parameters > 0
    return messages.outcome(objections, model=model, richer=richer, solved=solved)


def _of_agreement(evidence: Evidence, left: Remaining, model: MotionModel) -> list[Objection]:
    """Do they show the same thing, and does most of it follow?"""
    found = []
    weak = evidence.log10_false_alarms
    if weak > EVIDENCE and evidence.ambiguous:
        words = "the texture is periodic: other positions of the source match equally well"
        found.append(Objection(Status.AMBIGUOUS, words))
    elif weak > EVIDENCE and evidence.stationary >= NEARLY_ALL * evidence.asked:
        words = (
            f"the overlap has {evidence.asked} textured tiles, too few to tell a true match from a "
            f"chance match (number of false alarms {10.0 ** min(weak, 3.0):.2g}, at most "
            f"{10.0**EVIDENCE:g} allowed)"
        )
        refutes = weak > SOME_EVIDENCE
        found.append(Objection(Status.NO_AGREEMENT, words, refutes, messages.MORE_TEXTURE))
    elif weak > EVIDENCE:
        words = (
            f"only {evidence.stationary} of {evidence.asked} textured tiles match best at zero "
            "displacement, which may be chance (number of false alarms "
            f"{10.0 ** min(weak, 3.0):.2g}, at most {10.0**EVIDENCE:g} allowed)"
        )
        found.append(Objection(Status.NO_AGREEMENT, words, refutes=weak > SOME_EVIDENCE))
    elif weak > (needed := _needed(evidence)):
        words = (
            f"only {evidence.stationary} of {evidence.asked} textured tiles match best at zero "
            f"displacement, which is weak evidence (number of false alarms {10.0**weak:.2g}, at "
            f"most {10.0**needed:.2g} allowed at this inlier fraction)"
        )
        found.append(Objection(Status.NO_AGREEMENT, words))
    following = min(evidence.following, left.following)
    richer = left.explained_by not in (None, model.name)
    if (evidence.matches or evidence.away) and following < MAJORITY and not richer:
        words = (
            f"the inlier fraction of the matched texture is only {following:.0%} "
            f"(inliers are displaced by at most {evidence.allowed_px:.2g} px)"
        )
        if evidence.away:
            x, y = evidence.away_px
            words += (
                f"; {evidence.away:.0%} of the texture is displaced by x {x:+.3g}, y {y:+.3g} px"
            )
        refutes = following < HARDLY_ANY
        found.append(Objection(Status.SECOND_MOTION, words, refutes=refutes))
    return found


def _needed(evidence: Evidence) -> float:
    """log10 of the false alarms that are allowed: less where fewer than half of the tiles fit.

    From ``EVIDENCE`` for a majority to ``SETTLING`` for next to none: a caption or an aperture
    that unrelated pictures share has a few tiles that do agree.
    """
    share = evidence.stationary / max(evidence.asked, 1)
    return EVIDENCE + (SETTLING - EVIDENCE) * max(1.0 - share / MAJORITY, 0.0)


def _of_model(
    answer: Answer,
    left: Remaining,
    view: PairView,
    accept_residual: float | None,
) -> list[Objection]:
    """Is the model sufficient?"""
    found = []
    most = TOLD_PX if accept_residual is None else max(TOLD_PX, accept_residual)
    if left.explained_by is not None and left.px > most:
        where = place_of(np.array([left.at_px]), view.target_size)
        model = answer.model.name
        by = (
            f"another transform of the {model} model"
            if left.explained_by == model
            else f"the {left.explained_by} model"
        )
        words = f"a residual displacement of up to {left.px:.3g} px {where} is explained by {by}"
        found.append(Objection(Status.MODEL_TOO_SIMPLE, words))
    known = left.matches is not None and len(left.matches) >= FEWEST_TILES
    shift = quantile(left.matches.displacement, 0.5) if left.matches and known else (0.0, 0.0)
    if not found and math.hypot(*shift) > most:
        x, y = shift
        words = f"the median displacement of the texture is x {x:+.2g}, y {y:+.2g} px"
        found.append(Objection(Status.MODEL_TOO_SIMPLE, words))
    if not found and left.second is not None and left.rival >= RIVAL:
        words = (
            f"{left.second.share:.0%} of the texture, {left.second.where}, moves independently "
            f"({left.second.length_px:.3g} px)"
        )
        found.append(Objection(Status.SECOND_MOTION, words))
    return found


def _of_frame(answer: Answer, evidence: Evidence, view: PairView) -> list[Objection]:
    """May a frame that both images have be all that agrees?

    Different pictures in one frame, with one caption or logo, agree there, at the pixels where it
    is drawn. Pictures of one thing that lie as they are agree in most of their texture.
    """
    most = 2 * evidence.stationary >= evidence.asked
    if most or view.source_size != view.target_size:
        return []
    if at_own_pixel(evidence.field, answer.warp) <= MAJORITY:
        return []
    words = (
        "the matching texture is at the same pixels of both images, as a frame or a caption would "
        f"be, and only {evidence.stationary} of {evidence.asked} textured tiles match best at zero "
        "displacement"
    )
    return [Objection(Status.SECOND_MOTION, words)]


def _of_certainty(
    answer: Answer, evidence: Evidence, uncertainty: Uncertainty | None, *, blind: bool
) -> list[Objection]:
    """Does the texture fix the transform?"""
    found = []
    if blind:
        words = f"the texture does not determine every parameter of the {answer.model.name} model"
        found.append(Objection(Status.UNCERTAIN, words))
    elif uncertainty is None:
        # Evidence within a pixel of a coarse level needs a covariance that bridges the gap.
        if evidence.pixel_px > evidence.allowed_px:
            words = "there is too little texture to estimate the uncertainty of the transform"
            found.append(Objection(Status.UNCERTAIN, words))
    elif uncertainty.mean_px > evidence.allowed_px:
        words = (
            f"the texture determines the transform only to {uncertainty.mean_px:.2g} px "
            f"(standard deviation, at most {evidence.allowed_px:.2g} px allowed)"
        )
        found.append(Objection(Status.UNCERTAIN, words))
    return found


def _of_remainder(
    evidence: Evidence, uncertainty: Uncertainty | None, found: list[Objection]
) -> list[Objection]:
    """Is what the model does not describe little enough?"""
    most = MOST_LEFT * evidence.allowed_px
    if found or uncertainty is None or uncertainty.mean_px <= most:
        return []
    words = (
        "displacements that no motion model explains make the transform uncertain by "
        f"{uncertainty.mean_px:.2g} px (standard deviation, at most {most:.2g} px allowed)"
    )
    return [Objection(Status.UNCERTAIN, words, advice=messages.MASKS)]


def _of_place(answer: Answer, repeat: Repeat | None, view: PairView) -> list[Objection]:
    """Is another place as good, and is the transform possible?"""
    found = []
    if repeat is not None and not _meant(answer, repeat):
        x, y = repeat.shift_px
        words = (
            f"the target is periodic (period {repeat.length_px:.3g} px: x {x:+.3g}, y {y:+.3g}): "
            "other positions of the source match equally well"
        )
        found.append(Objection(Status.AMBIGUOUS, words))
    if not plausible(answer.warp, view.target_size):
        words = "the transform mirrors the target, or its horizon crosses the target"
        found.append(Objection(Status.DIVERGED, words))
    return found


def _meant(answer: Answer, repeat: Repeat | None) -> bool:
    """Whether an initial transform tells which of the places was meant where a target repeats."""
    return (
        repeat is not None
        and answer.start_given
        and answer.moved_px <= SHARE_OF_REPEAT * repeat.length_px
    )
