"""One attempt: the descent from one start, and what speaks for its end and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.evidence import LOG10_NFA_CONCLUSIVE, gather_evidence
from align_cli.engine.equations.state import Place
from align_cli.engine.geometry.coordinates import inverse, plausible
from align_cli.engine.geometry.models import MODELS, MotionModel, describe, nearest
from align_cli.engine.records import LevelRecord, Outcome, Quality, Status, Verdict
from align_cli.engine.search.quality import overlap
from align_cli.engine.search.scoring import Score
from align_cli.engine.search.similarity import Similarity
from align_cli.engine.solver.coarse_to_fine import Descent
from align_cli.engine.solver.gauss_newton import corner_step_px
from align_cli.engine.starts.given import GIVEN
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.assessment import (
    LOG10_NFA_DOUBTFUL,
    MAJORITY,
    Assessment,
    Estimate,
    assess,
)
from align_cli.engine.verdict.messages import Objection
from align_cli.engine.verdict.uncertainty import with_rival_difference

LEAST_SHARE: Final = 0.2
"""Agreement of a smaller share of the tiles that overlap may be chance. Measured: wrong guesses
reached a share of 0.19, right ones in a photograph covered by 40 % began at 0.27."""

CLEAR_MARGIN: Final = 0.08
"""What began further from the images as they lie wins by this share more: a chessboard fits as well
when it is turned by 180 degrees. Measured: sunbursts turned by one ray 0.06 more votes; colour
plates as their tiles tell them 0.27 and more than as the solver left them."""

SAME_PX: Final = 0.1
SIGMAS: Final = 1.0
"""Answers lie elsewhere where a corner is further from the other's than the first and so many of
its standard deviations: taking off the steps of a block grid moves an unmoved pair by 0.03 px."""

SIMPLER_RATIO: Final = 1.5
"""A simpler model may leave so many times the median displacement of a richer one. Measured where
the texture does not fix the richer: sunbursts 0.4 to 0.9, a blurred photograph that needs it 4."""

FINEST_LEVELS: Final = 4
"""A simpler model begins so near to a richer one's answer that it needs no coarser ones."""


@dataclass(frozen=True)
class Attempt:
    """Where an attempt ended, and what is to be thought of it.

    Attributes:
        similarity: what was compared.
        start: the name of what proposed the place where it began.
        descent: how it went.
        before: the warp that the answer must be better than, target -> source.
        assessment: what is to be thought of it.
    """

    similarity: Similarity
    start: str
    descent: Descent
    before: Matrix
    assessment: Assessment

    @property
    def model(self) -> MotionModel:
        """That was solved for."""
        return self.similarity.task.model

    @property
    def warp(self) -> Matrix:
        """Where it ended, target -> source."""
        return self.descent.place.warp

    @property
    def gain(self) -> float:
        """Source grey values for one of the target."""
        return self.descent.place.light.gain

    @property
    def outcome(self) -> Outcome:
        """The verdict."""
        return self.assessment.outcome

    @property
    def aligned(self) -> bool:
        """What the verdict says."""
        return self.outcome.aligned

    @property
    def doubtful(self) -> bool:
        """What the verdict says."""
        return self.outcome.doubtful

    @property
    def conclusive(self) -> bool:
        """Whether most of the textured area follows beyond doubt: no other can do better."""
        return self.assessment.conclusive

    @cached_property
    def overlap_share(self) -> float:
        """The share of the one image that the other shows, of whichever is shown more of."""
        pair, target = self.similarity.task.pair, self.similarity.task.pair.target.image
        return max(
            overlap(pair.source, target, self.warp),
            overlap(target, pair.source, inverse(self.warp)),
        )

    @property
    def has_majority(self) -> bool:
        """Whether it is aligned beyond doubt, and most of the texture fits best where it lies.

        That is the texture of a whole image: of a small overlap two answers may each hold most.
        """
        displacements = self.assessment.displacements
        if (
            displacements is None
            or self.assessment.log10_false_alarms > LOG10_NFA_CONCLUSIVE
            or not self.aligned
        ):
            return False
        return displacements.stationary * self.overlap_share > MAJORITY * displacements.sampled

    def accepted_instead_of(self, richer: Attempt) -> Attempt | None:
        """The same, with the word that it was solved in place of a richer model.

        What the texture does not fix of the richer model may have happened all the same: how far
        that would move the answer is part of its uncertainty, unless the texture knows nothing of
        it at all.

        Returns:
            None where the simpler model leaves more, is no more certain, or there are too few tiles
            to see what it leaves.
        """
        own, other = self.assessment, richer.assessment
        uncertainty, unsolved = own.uncertainty, other.displacements is None
        if not self.aligned or (unsolved and not own.model_tested):
            return None
        if not unsolved and (uncertainty is None or not self._fits_as_well_as(richer)):
            return None
        # Where tiles are too few to see what it leaves, how far apart the two are tells that.
        known = not (unsolved or (other.undetermined and own.model_tested))
        if uncertainty is not None and known:
            pair = self.similarity.task.pair
            sizes = {"source_size": pair.source.size, "target_size": pair.target.size}
            uncertainty = with_rival_difference(uncertainty, self.warp, richer.warp, **sizes)
            if uncertainty is None or uncertainty.mean_px > own.allowed_px:
                return None
        sentence = (
            "the images are aligned; the texture does not determine every parameter of the "
            f"{richer.model.name} model, so a simpler model was used ({self.model.name})"
        )
        outcome = replace(self.outcome, sentence=sentence)
        return replace(self, assessment=replace(own, outcome=outcome, uncertainty=uncertainty))

    def doubted_for(self, richer: Attempt) -> Attempt | None:
        """The same, doubtful, where a richer model is not solved at all and nothing tells its need.

        Returns:
            None where the simpler model is no answer either, or there were tiles enough to tell.
        """
        if not self.aligned or self.assessment.model_tested or richer.assessment.displacements:
            return None
        reason = (
            f"the texture does not determine every parameter of the {richer.model.name} model, and "
            f"there are too few tiles to test whether the {self.model.name} model is sufficient"
        )
        outcome = messages.outcome([Objection(Status.UNCERTAIN, reason)], model=richer.model.name)
        return replace(self, assessment=replace(self.assessment, outcome=outcome))

    def with_search_report(self, places: int, warp: Matrix, score: Score) -> Attempt:
        """The same; where it failed, with the word of where a search looked, and what came nearest.

        Args:
            places: how many candidates were scored.
            warp: that under which most agreed, target -> source.
            score: how much did.
        """
        pair = self.similarity.task.pair
        failed = self.outcome.verdict is Verdict.FAILED
        if not failed or score.share < LEAST_SHARE or not plausible(warp, pair.target.size):
            return self
        terms = describe(inverse(warp), MODELS["similarity"], pair.source.size)
        outcome = messages.with_best_candidate(self.outcome, places, terms, score.share)
        return replace(self, assessment=replace(self.assessment, outcome=outcome))

    def _fits_as_well_as(self, richer: Attempt) -> bool:
        """Whether its tiles lie about as near to where they fit as those of a richer model."""
        own, other = self.assessment.displacements, richer.assessment.displacements
        if own is None or other is None:
            return False
        return own.median_px <= SIMPLER_RATIO * other.median_px

    def differs_from(self, other: Attempt) -> bool:
        """Whether it lies elsewhere than another, by more than it is uncertain."""
        failed = other.outcome.verdict is Verdict.FAILED
        return failed or self.differs_from_warp(other.warp)

    def differs_from_warp(self, warp: Matrix) -> bool:
        """Whether it lies elsewhere than a warp, by more than it is uncertain."""
        uncertainty = self.assessment.uncertainty
        least = SAME_PX + (0.0 if uncertainty is None else SIGMAS * uncertainty.max_px)
        relative = inverse(warp) @ self.warp
        return corner_step_px(relative, self.similarity.task.pair.target.size) > least

    @cached_property
    def quality(self) -> Quality:
        """How well the images agree at full size, before and after."""
        return self.similarity.quality(self.before, self.warp)

    @cached_property
    def score(self) -> Score:
        """How much agrees on a coarse level."""
        return self.similarity.score(self.warp)

    @property
    def votes(self) -> float:
        """The share of the tiles with a match that lie within half a pixel of it.

        Between two motions many tiles lie within a few pixels of either, and hardly any of these.
        """
        displacements = self.assessment.displacements
        return (
            0.0
            if displacements is None or math.isnan(displacements.within_half_px)
            else displacements.within_half_px
        )

    def better_than(self, first: Attempt) -> bool:
        """Whether it does clearly better than one that began nearer to the images as they lie.

        What holds the majority counts before aligned before doubtful before failed, then the votes
        of the tiles; where they are the same, or there are none, the score.
        """
        verdicts = [each.has_majority + 2 * each.aligned + each.doubtful for each in (self, first)]
        if verdicts[0] != verdicts[1]:
            return verdicts[0] > verdicts[1]
        if self.votes == first.votes:
            # Of another similarity the score is of other tiles.
            same = self.similarity.name == first.similarity.name
            return (
                same
                and self.score.agreeing_tiles > (1.0 + CLEAR_MARGIN) * first.score.agreeing_tiles
            )
        return self.votes > (1.0 + CLEAR_MARGIN) * first.votes


def run_attempt(
    similarity: Similarity,
    start: str,
    initial_warp: Matrix,
    *,
    used: int,
    before: Matrix | None = None,
    among: Similarity | None = None,
    tests: int = 1,
) -> Attempt:
    """Align a pair from one place, and ask what there is to be asked of the answer.

    Args:
        similarity: what is compared.
        start: the name of what proposed the place.
        begin: the place, a warp target -> source at full size.
        used: how many of the finest levels.
        before: the warp that the answer must be better than; None for the place.
        among: the same images without what takes no part in the solving, though it is asked
            afterwards; None for all of them.
        tests: how many candidates were looked at, this one among them.
    """
    before = initial_warp if before is None else before
    descent = (among or similarity).descend(initial_warp, used=used)
    assessment = assess_descent(similarity, start, descent, before, tests=tests)
    return Attempt(similarity, start, descent, before, assessment)


def correct_by_tiles(attempt: Attempt, warp: Matrix, before: Matrix, *, tests: int) -> Attempt:
    """The attempt with the warp that its tiles agree on, as a last step.

    Where grey values differ by more than an illumination (halos around edges, a pen, one plate of
    another colour) the solver's residual is biased, and each tile's correlation is not.
    """
    similarity, records = attempt.similarity, attempt.descent.records
    descent = Descent(Place(warp, similarity.illumination(warp)), records)
    step = corner_step_px(inverse(attempt.warp) @ warp, similarity.task.pair.target.size)
    last = replace(records[-1], status=Status.CONVERGED, last_step_px=step)
    assessment = assess_descent(similarity, attempt.start, descent, before, last=last, tests=tests)
    return Attempt(similarity, attempt.start, descent, before, assessment)


def assess_descent(
    similarity: Similarity,
    start: str,
    descent: Descent,
    before: Matrix,
    *,
    last: LevelRecord | None = None,
    tests: int = 1,
) -> Assessment:
    """What is to be thought of where a descent ended; the arguments are those of ``run_attempt``.

    ``last`` is how it ended; None for what the last of its records says.
    """
    task, warp, size = similarity.task, descent.warp, similarity.task.pair.target.size
    pair = task.pair
    estimate = Estimate(
        task.model,
        warp,
        descent.records[-1] if last is None else last,
        overlap=overlap(pair.source, pair.target.image, warp),
        noise=similarity.uncertainty(descent),
        moved_px=corner_step_px(inverse(before) @ warp, size),
        start_given=start == GIVEN,
        parameters=task.model.size,
    )
    return assess(
        similarity.view(descent),
        estimate,
        period=similarity.period,
        tests=tests,
        accept_residual=task.options.accept_residual,
    )


def with_fewer_parameters(attempt: Attempt) -> Attempt:
    """What the texture does not fix, by the richest simpler model that it does fix.

    So too where the solver does not converge, though the tiles agree with where it ended; doubtful
    where they are too few to tell whether the simpler model is enough.
    """
    unsolved_status = attempt.outcome.status in (Status.SINGULAR, Status.DIVERGED)
    if attempt.outcome.status is not Status.UNCERTAIN and not unsolved_status:
        return attempt
    pair = attempt.similarity.task.pair
    if unsolved_status and not _has_evidence(attempt):
        return attempt
    used = min(FINEST_LEVELS, len(pair.levels))
    doubted: Attempt | None = None
    for model in sorted(MODELS.values(), key=lambda each: -each.size):
        if model.size < attempt.model.size:
            initial_warp = nearest(model, attempt.warp, pair.target.size)
            simpler = run_attempt(
                attempt.similarity.with_model(model),
                attempt.start,
                initial_warp,
                used=used,
                before=attempt.before,
                tests=len(MODELS),
            )
            instead = simpler.accepted_instead_of(attempt)
            if instead is not None:
                return instead
            doubted = doubted or simpler.doubted_for(attempt)
    return doubted or attempt


def _has_evidence(attempt: Attempt) -> bool:
    """Whether tiles agree with a warp, and most of those that find a match follow it."""
    view = attempt.similarity.view(attempt.descent)
    evidence = gather_evidence(view, attempt.warp, parameters=0, tests=1)
    if evidence is None or evidence.log10_false_alarms > LOG10_NFA_DOUBTFUL:
        return False
    return evidence.inlier_fraction >= MAJORITY
