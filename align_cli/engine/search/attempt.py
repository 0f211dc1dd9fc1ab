"""One attempt: the solution from one initial transform, and its assessment."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.evidence import LOG10_NFA_CONCLUSIVE, gather_evidence
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import corner_step_px, inverse, plausible
from align_cli.engine.geometry.models import MODELS, MotionModel, describe, nearest
from align_cli.engine.records import (
    LevelRecord,
    Outcome,
    Quality,
    SearchedTransform,
    Status,
    Verdict,
)
from align_cli.engine.search.quality import overlap
from align_cli.engine.search.scoring import Score
from align_cli.engine.search.similarity import Similarity
from align_cli.engine.solver.coarse_to_fine import Descent
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
"""Least share of correlating tiles in the overlap; less may be chance. Measured: wrong candidates
reached a share of 0.19, right ones in a photograph covered by 40 % began at 0.27."""

CLEAR_MARGIN: Final = 0.08
"""Relative margin by which an attempt further from the identity must win: a chessboard matches as
well when it is rotated by 180 degrees. Measured: sunbursts rotated by one ray 0.06 more votes;
colour plates after correction by their tiles 0.27 and more over the solver's result."""

SAME_PX: Final = 0.1
"""Two estimates differ if a corner is displaced by more than this distance plus this many of its
standard deviations: removing the steps of a block grid moves a static pair by 0.03 px."""
SIGMAS: Final = 1.0
"""see ``SAME_PX``"""

SIMPLER_RATIO: Final = 1.5
"""Largest median displacement of a simpler model, relative to a richer one's. Measured where the
texture does not determine the richer: sunbursts 0.4 to 0.9, a blurred photograph that needs it 4.
"""

FINEST_LEVELS: Final = 4
"""Levels on which a simpler model is solved, starting from a richer one's estimate."""


@dataclass(frozen=True)
class Attempt:
    """The result of an attempt, and its assessment.

    Attributes:
        similarity: what was compared.
        start: name of the start that proposed the initial transform.
        descent: the solution from coarse to fine.
        before: the warp that the estimate must improve on, target -> source.
        assessment: of the result.
        searched: the candidates of the search that ended with it, if it failed.
    """

    similarity: Similarity
    start: str
    descent: Descent
    before: Matrix
    assessment: Assessment
    searched: tuple[SearchedTransform, ...] = ()

    @property
    def model(self) -> MotionModel:
        """The motion model."""
        return self.similarity.task.model

    @property
    def warp(self) -> Matrix:
        """The estimated warp, target -> source."""
        return self.descent.state.warp

    @property
    def gain(self) -> float:
        """Gain of the source relative to the target."""
        return self.descent.state.illumination.gain

    @property
    def outcome(self) -> Outcome:
        """The verdict with its reasons."""
        return self.assessment.outcome

    @property
    def aligned(self) -> bool:
        """Whether the verdict is aligned."""
        return self.outcome.aligned

    @property
    def doubtful(self) -> bool:
        """Whether the verdict is doubtful."""
        return self.outcome.doubtful

    @property
    def conclusive(self) -> bool:
        """Whether stage one of the evidence was conclusive: no other estimate can do better."""
        return self.assessment.conclusive

    @cached_property
    def overlap_share(self) -> float:
        """The overlap as a share of either image, whichever is larger."""
        pair, target = self.similarity.task.pair, self.similarity.task.pair.target.image
        return max(
            overlap(pair.source, target, self.warp),
            overlap(target, pair.source, inverse(self.warp)),
        )

    @property
    def has_majority(self) -> bool:
        """Whether the evidence is conclusive, and most texture of a whole image is stationary.

        Of a small overlap two estimates may each have a majority.
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
        """The same, with the note that it was solved in place of a richer model.

        The parameters that the texture does not determine need not be zero: the difference that
        they would make is part of the uncertainty, unless the texture has no information on them at
        all.

        Returns:
            None if the simpler model leaves larger displacements, is no more certain, or has too
            few tiles to tell.
        """
        own, other = self.assessment, richer.assessment
        uncertainty, unsolved = own.uncertainty, other.displacements is None
        if not self.aligned or (unsolved and not own.model_tested):
            return None
        if not unsolved and (uncertainty is None or not self._fits_as_well_as(richer)):
            return None
        # With too few tiles to test the model, the difference of the two estimates is used.
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
        """The same, doubtful, where a richer model could not be solved and its need not tested.

        Returns:
            None if the simpler model is not aligned either, or there were enough tiles to test it.
        """
        if not self.aligned or self.assessment.model_tested or richer.assessment.displacements:
            return None
        reason = (
            f"the texture does not determine every parameter of the {richer.model.name} model, and "
            f"there are too few tiles to test whether the {self.model.name} model is sufficient"
        )
        outcome = messages.outcome([Objection(Status.UNCERTAIN, reason)], model=richer.model.name)
        return replace(self, assessment=replace(self.assessment, outcome=outcome))

    def with_search_report(
        self, count: int, warp: Matrix, score: Score, searched: Iterable[SearchedTransform]
    ) -> Attempt:
        """The same; if it failed, with the candidates, their number and the best of them.

        Args:
            count: how many candidates were scored.
            warp: the one with the highest score, target -> source.
            score: its score.
            searched: all of them.
        """
        if self.outcome.verdict is not Verdict.FAILED:
            return self
        pair, told = self.similarity.task.pair, replace(self, searched=tuple(searched))
        if score.share < LEAST_SHARE or not plausible(warp, pair.target.size):
            return told
        terms = describe(inverse(warp), MODELS["similarity"], pair.source.size)
        outcome = messages.with_best_candidate(self.outcome, count, terms, score.share)
        return replace(told, assessment=replace(self.assessment, outcome=outcome))

    def _fits_as_well_as(self, richer: Attempt) -> bool:
        """Whether its median displacement is about as small as that of a richer model."""
        own, other = self.assessment.displacements, richer.assessment.displacements
        if own is None or other is None:
            return False
        return own.median_px <= SIMPLER_RATIO * other.median_px

    def differs_from(self, other: Attempt) -> bool:
        """Whether it differs from another attempt by more than its uncertainty."""
        failed = other.outcome.verdict is Verdict.FAILED
        return failed or self.differs_from_warp(other.warp)

    def differs_from_warp(self, warp: Matrix) -> bool:
        """Whether it differs from a warp by more than its uncertainty."""
        uncertainty = self.assessment.uncertainty
        least = SAME_PX + (0.0 if uncertainty is None else SIGMAS * uncertainty.max_px)
        relative = inverse(warp) @ self.warp
        return corner_step_px(relative, self.similarity.task.pair.target.size) > least

    @cached_property
    def quality(self) -> Quality:
        """ZNCC, RMSE and MAE at full size, before and after."""
        return self.similarity.quality(self.before, self.descent.state)

    @cached_property
    def score(self) -> Score:
        """The score on a coarse level."""
        return self.similarity.score(self.warp)

    @property
    def votes(self) -> float:
        """The share of the matched tiles that are displaced by less than half a pixel.

        Between two motions many tiles are displaced by a few pixels, and hardly any by so little.
        """
        displacements = self.assessment.displacements
        return (
            0.0
            if displacements is None or math.isnan(displacements.within_half_px)
            else displacements.within_half_px
        )

    def better_than(self, first: Attempt) -> bool:
        """Whether it is clearly better than one that started nearer to the identity.

        A majority ranks before aligned before doubtful before failed, then the votes of the tiles;
        if these are the same, or there are none, the score.
        """
        verdicts = [each.has_majority + 2 * each.aligned + each.doubtful for each in (self, first)]
        if verdicts[0] != verdicts[1]:
            return verdicts[0] > verdicts[1]
        if self.votes == first.votes:
            # Scores of different similarity measures are not comparable.
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
    """Align a pair from one initial transform, and assess the result.

    Args:
        similarity: what is compared.
        start: name of the start that proposed the initial transform.
        initial_warp: the initial transform, a warp target -> source at full size.
        used: how many of the finest levels.
        before: the warp that the estimate must improve on; None for the initial one.
        among: the same images without what is excluded from solving, though not from the
            assessment; None for all of them.
        tests: how many candidates were evaluated, this one included.
    """
    before = initial_warp if before is None else before
    descent = (among or similarity).descend(initial_warp, used=used)
    assessment = assess_descent(similarity, start, descent, before, tests=tests)
    return Attempt(similarity, start, descent, before, assessment)


def correct_by_tiles(attempt: Attempt, warp: Matrix, before: Matrix, *, tests: int) -> Attempt:
    """The attempt with the warp on which its tiles agree, as a last step.

    If grey values differ by more than an illumination (halos around edges, a pen, one plate of
    another colour) the solver's residual is biased; each tile's correlation is not.
    """
    similarity, records = attempt.similarity, attempt.descent.records
    # The correction belongs to the last level.
    path = (*attempt.descent.path[:-1], warp)
    solved = attempt.descent.state.illumination
    # One that varies was solved for, and is so smooth that the correction leaves it as it is.
    illumination = solved if solved.varies else similarity.illumination(warp)
    descent = Descent(State(warp, illumination), records, path=path)
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
    """Assess a solution; the arguments are those of ``run_attempt``.

    ``last`` is the record of its last level; None for the last of its records.
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
    """If the texture does not determine the model, the attempt with the richest model that it does.

    Also if the solver does not converge though tiles agree with its last estimate; doubtful if they
    are too few to tell whether the simpler model is sufficient.
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
    """Whether there is evidence for an estimate, and most of the matched tiles are inliers."""
    view = attempt.similarity.view(attempt.descent)
    evidence = gather_evidence(view, attempt.warp, parameters=0, tests=1)
    if evidence is None or evidence.log10_false_alarms > LOG10_NFA_DOUBTFUL:
        return False
    return evidence.inlier_fraction >= MAJORITY
