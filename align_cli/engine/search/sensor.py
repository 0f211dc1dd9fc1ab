"""Fixed patterns of the sensor are excluded if the scene moves without them.

Hot pixels, the blocks of a codec, apertures and captions are at the same raw pixels of both images,
and so match under the identity whatever the scene does. The search is repeated without them
(``align_cli.engine.search.cleaned_pair``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.evidence import gather_evidence
from align_cli.engine.displacements.field import share_at_same_pixel
from align_cli.engine.displacements.records import Displacements, record_of
from align_cli.engine.displacements.views import IntensityView, PairView
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import AUTO, Options
from align_cli.engine.records import Outcome, Status, Verdict
from align_cli.engine.search.attempt import Attempt, assess_descent
from align_cli.engine.search.cleaned_pair import cleaned_pair
from align_cli.engine.search.intensity import Intensity
from align_cli.engine.search.loop import search
from align_cli.engine.search.similarity import Similarity, Task
from align_cli.engine.starts.given import chosen_starts
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.assessment import LOG10_NFA_DOUBTFUL, MAJORITY, Assessment
from align_cli.engine.verdict.messages import Objection

LEAST_STATIC_SHARE: Final = 0.1
"""Share of the matched tiles at the same raw pixels above which a fixed pattern is searched for:
one in ten outvotes nothing."""


def realigned_without_pattern(
    first: Attempt, starts: Sequence[str], initial_warp: Matrix
) -> Attempt:
    """The attempt without the fixed pattern of the sensor, if the images are aligned then.

    The first attempt is returned if there is no such pattern; if nearly all tiles are inliers of it
    and no other has evidence: what nearly all tiles follow is the scene, unless they are at the
    same raw pixels; or if nothing has moved, what is left without the pattern included: paper that
    lies unmoved on itself is static.

    Args:
        first: the attempt on the unmodified images.
        starts: names, in the order in which they are tried.
        initial_warp: the identity, or the user's transform, a warp target -> source.
    """
    nearly_all, task = first.assessment.nearly_all, first.similarity.task
    if nearly_all and not is_static(first.warp, first.assessment.displacements):
        return first
    without = cleaned_pair(task.pair, task.options, quickly=nearly_all)
    if without is None:
        return first
    clean, pattern = without
    cleaned = first.similarity.with_pair(clean)
    rest = assess_descent(cleaned, first.start, first.descent, initial_warp)
    if (nearly_all and rest.outcome.status is Status.SINGULAR) or _unmoved(first, rest):
        return first
    second = search([cleaned], starts, initial_warp)
    elsewhere = not first.aligned or second.differs_from(first)
    if (
        second.aligned
        and (elsewhere or not nearly_all)
        and holds_with_edges(first.similarity.view(second.descent), second.warp, pattern)
    ):
        return replace(second, assessment=second.assessment.without(pattern))
    if first.aligned and not second.aligned and _refuted(cleaned, first):
        reason = "the rest of the texture does not match"
        outcome = pattern_outcome(pattern, reason, first.model.name)
        return replace(first, assessment=first.assessment.with_doubt(outcome))
    return first


def recheck_given_warp(
    pair: Pair, warp: Matrix, assessment: Assessment, options: Options, threads: Threads
) -> Assessment:
    """The assessment of a given warp, doubtful if another has evidence without the fixed pattern.

    Args:
        pair: source and target.
        warp: (3, 3), target pixel -> source pixel, that is given.
        assessment: of it on the unmodified images.
        options: of the alignment; the model is solved for.
        threads: where to work.
    """
    failed = assessment.outcome.verdict is Verdict.FAILED
    if failed or not is_static(warp, assessment.displacements):
        return assessment
    without = cleaned_pair(pair, options)
    if without is None:
        return assessment
    clean, pattern = without
    task = Task(clean, MODELS[options.model], LOSSES[options.loss], options, threads)
    starts, initial_warp = chosen_starts(AUTO, task.model, clean.target.size)
    second = search([Intensity(task)], starts, initial_warp)
    elsewhere = second.aligned and second.differs_from_warp(warp)
    if not (elsewhere and holds_with_edges(IntensityView(pair, second.gain), second.warp, pattern)):
        return assessment
    reason = "without it another transform matches"
    outcome = pattern_outcome(pattern, reason, options.model, solved=False)
    return assessment.with_doubt(outcome)


def pattern_outcome(
    pattern: FixedPattern, reason: str, model: str, *, solved: bool = True
) -> Outcome:
    """The outcome of an estimate that may rest on a fixed pattern; ``reason`` is the second one."""
    kinds = ", ".join(record_of(pattern).kinds)
    objection = Objection(
        Status.SECOND_MOTION,
        f"the match may rest on a fixed pattern ({kinds} at the same pixels of both images), and "
        f"{reason}",
    )
    return messages.outcome([objection], model=model, solved=solved)


def holds_with_edges(view: PairView, warp: Matrix, pattern: FixedPattern) -> bool:
    """Whether an estimate without a fixed pattern also holds with the edges of constant areas.

    Static blank paper is a constant area, and its edges are the letters on it: they are the scene,
    unless most of the texture moves. Measured inlier fractions: apertures, mounts and undeclared
    nodata 0.97 to 1.00, windows in which a panel scrolls 0.17 to 0.21.

    Args:
        view: both unmodified images.
        warp: (3, 3), target pixel -> source pixel, of the estimate.
        pattern: that was excluded.
    """
    if pattern.areas is None:
        return True
    evidence = gather_evidence(view, warp, parameters=0, tests=1)
    return evidence is not None and evidence.inlier_fraction >= MAJORITY


def is_static(warp: Matrix, displacements: Displacements | None) -> bool:
    """Whether matched tiles are at the same raw pixel of the source.

    Args:
        warp: (3, 3), target pixel -> source pixel.
        displacements: of the tiles; None if unknown.
    """
    return (
        displacements is None or share_at_same_pixel(displacements.field, warp) > LEAST_STATIC_SHARE
    )


def _unmoved(first: Attempt, rest: Assessment) -> bool:
    """Whether an attempt is aligned with hardly a tile that moved, and the rest agrees.

    Args:
        first: the attempt on the unmodified images.
        rest: its assessment on the pair without the pattern.
    """
    tiles, left = first.assessment.displacements, rest.displacements
    if not first.aligned or tiles is None or left is None:
        return False
    moved = 1.0 - share_at_same_pixel(tiles.field, first.warp)
    agreed = 2 * left.stationary >= left.sampled and left.explained_by is None
    return moved <= LEAST_STATIC_SHARE and agreed


def _refuted(clean: Similarity, first: Attempt) -> bool:
    """Whether the remaining texture contradicts the first estimate."""
    view = clean.view(first.descent)
    evidence = gather_evidence(view, first.warp, parameters=first.model.size, tests=1)
    if evidence is None or evidence.log10_false_alarms <= LOG10_NFA_DOUBTFUL:
        return False
    return 2 * evidence.stationary < evidence.tested
