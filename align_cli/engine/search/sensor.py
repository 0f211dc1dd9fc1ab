"""What stays with the sensor loses its vote: the scene decides, if anything of it moves.

Hot pixels, the blocks of a codec, apertures and captions stand at the same raw pixels of both
images, and so agree under the identity whatever the scene does. Without them
(``align_cli.engine.search.cleaned``) the search looks once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.evidence import gathered
from align_cli.engine.displacements.field import at_own_pixel
from align_cli.engine.displacements.records import Displacements, record_of
from align_cli.engine.displacements.views import IntensityView, PairView
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import AUTO, Options
from align_cli.engine.records import Outcome, Status, Verdict
from align_cli.engine.search.attempt import Attempt, assessed
from align_cli.engine.search.cleaned import cleaned
from align_cli.engine.search.intensity import Intensity
from align_cli.engine.search.loop import search
from align_cli.engine.search.similarity import Similarity, Task
from align_cli.engine.starts.given import chosen_starts
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.assessment import MAJORITY, SOME_EVIDENCE, Assessment
from align_cli.engine.verdict.messages import Objection

STAYING: Final = 0.1
"""Share of the tiles with a match that must stay at their raw pixels before what stays with the
sensor is looked for: one in ten outvotes nothing."""


def without_fixed_pattern(first: Attempt, starts: Sequence[str], begin: Matrix) -> Attempt:
    """The answer without what belongs to the sensor, where the images are aligned then.

    The first where nothing does, or where nearly all follow it and nothing else has evidence:
    what nearly all tiles follow is the scene if they do not stay at their own pixels.

    Args:
        first: the answer with all that both images show.
        starts: names, in the order in which they are tried.
        begin: where the images, or the user, have it, a warp target -> source.
    """
    nearly_all, task = first.assessment.nearly_all, first.similarity.task
    if nearly_all and not stays(first.warp, first.assessment.displacements):
        return first
    without = cleaned(task.pair, task.options, quickly=nearly_all)
    if without is None:
        return first
    clean, pattern = without
    seen_clean = first.similarity.of(clean)
    if nearly_all and not _tells(seen_clean, first, begin):
        return first
    second = search([seen_clean], starts, begin)
    elsewhere = not first.aligned or second.moves_away_from(first)
    if (
        second.aligned
        and (elsewhere or not nearly_all)
        and outvotes(first.similarity.view(second.descent), second.warp, pattern)
    ):
        return replace(second, assessment=second.assessment.without(pattern))
    if first.aligned and not second.aligned and _refuted(seen_clean, first):
        words = "the rest of the texture does not match"
        outcome = resting_on(pattern, words, first.model.name)
        return replace(first, assessment=first.assessment.with_doubt(outcome))
    return first


def doubted(
    pair: Pair, warp: Matrix, assessment: Assessment, options: Options, threads: Threads
) -> Assessment:
    """The assessment of a given warp, doubtful where without the sensor another has evidence.

    Args:
        pair: source and target.
        warp: (3, 3), target pixel -> source pixel, that somebody gave.
        assessment: what is thought of it with all that both images show.
        options: of the alignment; the model is solved for.
        threads: where to work.
    """
    failed = assessment.outcome.verdict is Verdict.FAILED
    if failed or not stays(warp, assessment.displacements):
        return assessment
    without = cleaned(pair, options)
    if without is None:
        return assessment
    clean, pattern = without
    task = Task(clean, MODELS[options.model], LOSSES[options.loss], options, threads)
    starts, begin = chosen_starts(AUTO, task.model, clean.target.size)
    second = search([Intensity(task)], starts, begin)
    away = second.aligned and second.lies_away_from(warp)
    if not (away and outvotes(IntensityView(pair, second.gain), second.warp, pattern)):
        return assessment
    words = "without it another transform matches"
    outcome = resting_on(pattern, words, options.model, solved=False)
    return assessment.with_doubt(outcome)


def resting_on(pattern: FixedPattern, words: str, model: str, *, solved: bool = True) -> Outcome:
    """The outcome of an answer that may rest on a fixed pattern; ``words`` say what else is so."""
    kinds = ", ".join(record_of(pattern).kinds)
    objection = Objection(
        Status.SECOND_MOTION,
        f"the match may rest on a fixed pattern ({kinds} at the same pixels of both images), and "
        f"{words}",
    )
    return messages.outcome([objection], model=model, solved=solved)


def outvotes(view: PairView, warp: Matrix, pattern: FixedPattern) -> bool:
    """Whether an answer without a fixed pattern holds with the constant areas' edges too.

    Blank paper that does not move is a constant area, and the letters on it are its edges: they
    are scene, unless most of the texture moves. Measured, the share that follows: apertures,
    mounts and undeclared nodata 0.97 to 1.00, windows in which a panel scrolls 0.17 to 0.21.

    Args:
        view: both images as they are.
        warp: (3, 3), target pixel -> source pixel, of the answer.
        pattern: what was left out.
    """
    if pattern.areas is None:
        return True
    evidence = gathered(view, warp, parameters=0, tests=1)
    return evidence is not None and evidence.following >= MAJORITY


def stays(warp: Matrix, told: Displacements | None) -> bool:
    """Whether tiles that found a match are found at their own raw pixel in the source.

    Args:
        warp: (3, 3), target pixel -> source pixel.
        told: where the tiles lie; None where nothing is known.
    """
    return told is None or at_own_pixel(told.field, warp) > STAYING


def _tells(clean: Similarity, first: Attempt, begin: Matrix) -> bool:
    """Whether a pair without its fixed pattern has texture that could tell anything."""
    left = assessed(clean, first.start, first.descent, begin).outcome
    return left.status is not Status.SINGULAR


def _refuted(clean: Similarity, first: Attempt) -> bool:
    """Whether what is left of a pair without a fixed pattern could tell, and does not follow."""
    view = clean.view(first.descent)
    evidence = gathered(view, first.warp, parameters=first.model.size, tests=1)
    if evidence is None or evidence.log10_false_alarms <= SOME_EVIDENCE:
        return False
    return 2 * evidence.stationary < evidence.asked
