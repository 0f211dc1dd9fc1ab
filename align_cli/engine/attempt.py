"""One attempt: the descent from one start, and what speaks for its end and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from align_cli.engine import agreement
from align_cli.engine.alignment import Outcome, Quality, Status, Verdict
from align_cli.engine.arrays import Matrix
from align_cli.engine.coarse_to_fine import (
    Descent,
    Progress,
    TargetLevel,
    coarse_to_fine,
    level_record,
)
from align_cli.engine.coordinates import Size, coarser_by, inverse, map_points, plausible
from align_cli.engine.displacements.evidence import gathered
from align_cli.engine.displacements.records import Displacements, record_of
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.errors import ImageError
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.lucas_kanade import corner_step_px
from align_cli.engine.motion import MotionModel
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.place import Place
from align_cli.engine.polish import polish
from align_cli.engine.robust import Loss
from align_cli.engine.row_choice import spans
from align_cli.engine.threads import Threads
from align_cli.engine.uncertainty import uncertainty
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.assessment import MAJORITY, Answer, Assessment, assess
from align_cli.engine.verdict.messages import Objection
from align_cli.engine.verdict.uncertainty import with_difference

MOST_POLISHED: Final = 1 << 20
"""A target of no more pixels is polished, whatever the preset, where the source shows it on pixels
half or twice as large, or beyond: what one of them blurs are outliers to the descent, and edges are
most of them. Measured on rocket.jpg, noise of 2 grey levels: 0.05 px, polished 0.02."""


SAME_PX: Final = 0.1
SIGMAS: Final = 1.0
"""Answers lie elsewhere where a corner is further from the other's than the first and so many of
its standard deviations: taking off the steps of a block grid moves an unmoved pair by 0.03 px."""

NO_MORE: Final = 1.5
"""A simpler model may leave so many times the median displacement of a richer one. Measured where
the texture does not fix the richer: sunbursts 0.4 to 0.9, a blurred photograph that needs it 4."""

STAYING: Final = 0.1
"""Share of the tiles with a match that must stay at their raw pixels before what stays with the
sensor is looked for: one in ten outvotes nothing."""


class Task(NamedTuple):
    """What all attempts at a pair have in common."""

    pair: Pair
    model: MotionModel
    loss: Loss
    options: Options
    threads: Threads
    progress: Progress | None = None


@dataclass(frozen=True)
class Attempt:
    """Where an attempt ended, and what is to be thought of it."""

    descent: Descent
    quality: Quality
    assessment: Assessment
    model: MotionModel
    size: Size

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
    def settled(self) -> bool:
        """Whether most of the textured area follows beyond doubt: no other can do better."""
        return self.assessment.settled

    def instead_of(self, richer: Attempt, pair: Pair) -> Attempt | None:
        """The same, with the word that it was solved in place of a richer model.

        What the texture does not fix of the richer model may have happened all the same: how far
        that would move the answer is part of its uncertainty, unless the texture knows nothing of
        it at all.

        Returns:
            None where the simpler model leaves more, is no more certain, or there are too few tiles
            to see what it leaves.
        """
        own, other = self.assessment, richer.assessment
        uncertainty = own.uncertainty
        if not (self.aligned and own.tested):
            return None
        unsolved = other.displacements is None
        if not unsolved and (uncertainty is None or not self._leaves_no_more_than(richer)):
            return None
        if uncertainty is not None and not unsolved and not other.blind:
            sizes = {"source_size": pair.source.size, "target_size": pair.target.size}
            uncertainty = with_difference(uncertainty, self.warp, richer.warp, **sizes)
            if uncertainty is None or uncertainty.mean_px > own.allowed_px:
                return None
        sentence = (
            f"the images are aligned; this texture does not fix every parameter of the "
            f"{richer.model.name} model, so a model with fewer was used ({self.model.name})"
        )
        outcome = replace(self.outcome, sentence=sentence)
        return replace(self, assessment=replace(own, outcome=outcome, uncertainty=uncertainty))

    def _leaves_no_more_than(self, richer: Attempt) -> bool:
        """Whether its tiles lie about as near to where they fit as those of a richer model."""
        own, other = self.assessment.displacements, richer.assessment.displacements
        if own is None or other is None:
            return False
        return own.median_px <= NO_MORE * other.median_px

    def without(self, pattern: FixedPattern) -> Attempt:
        """The same, with the word of what was left out."""
        return replace(self, assessment=self.assessment.without(pattern))

    def resting_on(self, pattern: FixedPattern) -> Attempt:
        """The same, doubtful: what agrees may belong to the sensor, and nothing else follows."""
        kinds = ", ".join(record_of(pattern).kinds)
        objection = Objection(
            Status.SECOND_MOTION,
            f"what agrees may belong to the sensor ({kinds} at the same pixels of both images), "
            "and the rest of the texture does not follow",
        )
        outcome = messages.outcome([objection], model=self.model.name)
        doubted = replace(self.assessment, outcome=outcome, settled=False, nearly_all=False)
        return replace(self, assessment=doubted)

    def moves_away_from(self, other: Attempt) -> bool:
        """Whether it lies elsewhere than another, by more than it is uncertain."""
        failed = other.outcome.verdict is Verdict.FAILED
        return failed or self.lies_away_from(other.warp)

    def lies_away_from(self, warp: Matrix) -> bool:
        """Whether it lies elsewhere than a warp, by more than it is uncertain."""
        sure = self.assessment.uncertainty
        least = SAME_PX + (0.0 if sure is None else SIGMAS * sure.max_px)
        there = inverse(warp) @ self.warp
        return corner_step_px(there, self.size) > least

    def better_than(self, first: Attempt) -> bool:
        """Whether a second attempt counts."""
        if self.outcome.aligned:
            return not first.outcome.aligned
        return self.outcome.doubtful and first.outcome.verdict is Verdict.FAILED


def attempted(
    task: Task,
    start: Matrix,
    *,
    used: int,
    given: bool = False,
    before: Matrix | None = None,
    among: Pair | None = None,
    tests: int = 1,
) -> Attempt:
    """Align a pair from one start, and ask what there is to be asked of the answer.

    Args:
        task: the pair, and how.
        start: the warp to begin with, target -> source, at full size.
        used: how many of the finest levels.
        given: whether somebody gave the start.
        before: the warp that the answer must be better than; None for the start.
        among: the pair without what takes no part in the solving, though it is asked afterwards;
            None for all of it.
        tests: how many answers were tried, this one among them.
    """
    pair, target = task.pair, task.pair.target
    before = start if before is None else before
    solved = task if among is None else task._replace(pair=among)
    descent = descended(solved, start, used)
    if task.options.polish or _of_other_size(pair, descent.place.warp):
        descent = _polished(solved, descent)
    place = descent.place
    assessment = _assessed(task, descent, before, given=given, tests=tests)
    quality = agreement.measure(pair.source, target.image, before, place.warp)
    return Attempt(descent, quality, assessment, task.model, target.size)


def _assessed(
    task: Task, descent: Descent, before: Matrix, *, given: bool, tests: int
) -> Assessment:
    """What is to be thought of where a descent ended."""
    pair, target, options = task.pair, task.pair.target, task.options
    place, last = descent.place, descent.records[-1]
    noise = None
    if last.status is Status.CONVERGED:
        noise = uncertainty(descent.solved, target.size, pair.source.size)
    answer = Answer(
        task.model,
        place.warp,
        last,
        overlap=agreement.overlap(pair.source, target.image, place.warp),
        noise=noise,
        moved_px=corner_step_px(inverse(before) @ place.warp, target.size),
        start_given=given,
        parameters=task.model.size,
    )
    return assess(
        IntensityView(pair, place.light.gain),
        answer,
        repeat=target.repeat,
        tests=tests,
        accept_residual=options.accept_residual,
    )


def descended(task: Task, start: Matrix, used: int) -> Descent:
    """Solve the ``used`` finest levels from ``start``, the warp target -> source.

    Raises:
        ImageError: if none of them has an interior.
    """
    pair, options = task.pair, task.options
    target, source = pair.target, pair.source
    if options.levels is not None:
        used = min(used, options.levels)
    width, height = (min(both) for both in zip(target.size, source.size, strict=True))
    finest = options.finest_level((width, height), range(used))
    known = [level for level in range(used) if target.known(level)]
    if not known:
        raise ImageError("the levels that were asked for have no interior", role="target")
    last = next((level for level in known if level >= finest), known[0])
    rows = (target.rows if spans(source.size, target.size, start) else target.all_rows)(last)
    targets = [
        TargetLevel(
            level, target.levels[level].size, target.points(level), rows if level == last else None
        )
        for level in reversed(known)
        if level >= last
    ]
    light = pair.first_light(start, used) if options.photometric else pair.light_as_it_is()
    return coarse_to_fine(
        targets,
        pair.levels,
        source,
        Place(start, light),
        model=task.model,
        loss=task.loss,
        options=options,
        unit=target.image.scale,
        threads=task.threads,
        progress=task.progress,
    )


def _of_other_size(pair: Pair, warp: Matrix) -> bool:
    size = pair.target.size
    few = math.prod(size) <= MOST_POLISHED
    return few and plausible(warp, size) and coarser_by(warp, size) != 0


def _polished(task: Task, descent: Descent) -> Descent:
    """A descent that came to rest, polished at full size; any other as it is."""
    if descent.records[-1].status is not Status.CONVERGED:
        return descent
    target = task.pair.target
    solved = polish(
        target.image,
        task.pair.source,
        descent.place,
        descent.solved.settings,
        tolerance_px=task.options.tolerance_px,
        threads=task.threads,
    )
    if solved is None:
        return descent
    result = solved.result
    record = level_record(0, target.size, result, result.iterations, target.image.scale)
    if task.progress is not None:
        task.progress(record)
    return Descent(result.place, (*descent.records, record), solved)


def outvotes(warp: Matrix, gain: float, pattern: FixedPattern, pair: Pair) -> bool:
    """Whether an answer without a fixed pattern holds with the constant areas' edges too.

    Blank paper that does not move is a constant area, and the letters on it are its edges: they
    are scene, unless most of the texture moves. Measured, the share that follows: apertures,
    mounts and undeclared nodata 0.97 to 1.00, windows in which a panel scrolls 0.17 to 0.21.

    Args:
        warp: (3, 3), target pixel -> source pixel, of the answer.
        gain: source grey values for one of the target, there.
        pattern: what was left out.
        pair: as it was.
    """
    if pattern.areas is None:
        return True
    evidence = gathered(IntensityView(pair, gain), warp, parameters=0, tests=1)
    return evidence is not None and evidence.following >= MAJORITY


def stays(warp: Matrix, told: Displacements | None) -> bool:
    """Whether tiles that found a match are found at their own raw pixel, to one, in the source.

    Args:
        warp: (3, 3), target pixel -> source pixel.
        told: where the tiles lie; None where nothing is known.
    """
    if told is None:
        return True
    field = told.field
    there = field.position + field.displacement
    moved = np.hypot(*(map_points(warp, there) - field.position).T)
    return bool((moved[field.matched] < 1.0).mean() > STAYING) if field.matched.any() else True
