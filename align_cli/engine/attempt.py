"""One attempt: the descent from one start, and what speaks for its end and against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from align_cli.engine import agreement, level_evidence, verdict
from align_cli.engine.alignment import Outcome, Quality, Status, Uncertainty, Verdict
from align_cli.engine.arrays import Matrix
from align_cli.engine.coarse_to_fine import (
    Descent,
    Progress,
    TargetLevel,
    coarse_to_fine,
    level_record,
)
from align_cli.engine.coordinates import coarser_by, inverse, plausible
from align_cli.engine.errors import ImageError
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

MOST_POLISHED: Final = 1 << 20
"""A target of no more pixels is polished, whatever the preset, where the source shows it on pixels
half or twice as large, or beyond: what one of them blurs are outliers to the descent, and edges are
most of them. Measured on rocket.jpg, noise of 2 grey levels: 0.05 px, polished 0.02."""


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
    """Where an attempt ended, and what is to be thought of it.

    ``agrees`` says whether the images agree whatever else is asked, ``evidence`` why.
    """

    descent: Descent
    quality: Quality
    uncertainty: Uncertainty | None
    outcome: Outcome
    agrees: bool
    evidence: verdict.Evidence

    @property
    def warp(self) -> Matrix:
        """Where it ended, target -> source."""
        return self.descent.place.warp

    @property
    def aligned(self) -> bool:
        """What the verdict says."""
        return self.outcome.aligned

    @property
    def unexplained(self) -> float:
        """How much of the target's details is neither in the source nor noise; NaN if unknown."""
        return self.quality.unexplained

    @property
    def uncertainty_px(self) -> float:
        """How exactly the residuals fix it, mean over the target; NaN if unknown."""
        return math.nan if self.uncertainty is None else self.uncertainty.mean_px

    @property
    def beyond_doubt(self) -> bool:
        """Whether it is aligned, and the images agree whatever else is asked."""
        return self.outcome.aligned and self.agrees

    def unrivalled(self, model: MotionModel) -> Attempt:
        """The same, where another motion that may fit was looked for in vain."""
        return self._judged_again(replace(self.evidence, rivalled=False), model)

    def explaining(self, share: float | None, model: MotionModel) -> Attempt:
        """The same, where it is known what share of the target's texture it explains strictly."""
        return self._judged_again(replace(self.evidence, explained=share), model)

    def _judged_again(self, evidence: verdict.Evidence, model: MotionModel) -> Attempt:
        last = self.descent.records[-1]
        return replace(
            self,
            evidence=evidence,
            outcome=verdict.outcome(evidence, self.quality, last, model=model.name),
            agrees=verdict.beyond_doubt(evidence, self.quality),
        )

    def better_than(self, first: Attempt) -> bool:
        """Whether a second attempt counts: who tries twice is wrong more often."""
        if self.outcome.aligned:
            return self.agrees
        return self.outcome.doubtful and first.outcome.verdict is Verdict.FAILED


def attempted(
    task: Task,
    start: Matrix,
    *,
    used: int,
    given: bool = False,
    before: Matrix | None = None,
    among: Pair | None = None,
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
    """
    pair, target = task.pair, task.pair.target
    before = start if before is None else before
    solved = task if among is None else task._replace(pair=among)
    descent = descended(solved, start, used)
    if task.options.polish or _of_other_size(pair, descent.place.warp):
        descent = _polished(solved, descent)
    place, last = descent.place, descent.records[-1]
    quality = agreement.measure(
        pair.source,
        target.image,
        before,
        place.warp,
        detail=level_evidence.detail_zncc(pair, place.warp),
        texture=level_evidence.shared_texture(pair, place, task.model),
        unexplained=level_evidence.unexplained(pair, place),
    )
    uncertain = None
    evidence = verdict.Evidence(
        status=last.status,
        moved_px=corner_step_px(inverse(before) @ place.warp, target.size),
        start_given=given,
    )
    if last.status is Status.CONVERGED:
        uncertain = uncertainty(descent.solved, target.size, pair.source.size)
        evidence = replace(
            evidence,
            uncertainty_px=None if uncertain is None else uncertain.mean_px,
            repeat=target.repeat,
            folded=not plausible(inverse(place.warp), pair.source.size),
        )
    if verdict.asks_tiles(evidence, quality):
        evidence = replace(evidence, tiles=level_evidence.votes(pair, place))
    if verdict.asks_way_back(evidence, quality):
        evidence = replace(evidence, loop_px=_loop_px(solved, start, place.warp, used))
    outcome = verdict.outcome(evidence, quality, last, model=task.model.name)
    agrees = verdict.beyond_doubt(evidence, quality)
    return Attempt(descent, quality, uncertain, outcome, agrees, evidence)


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


def _loop_px(task: Task, start: Matrix, warp: Matrix, used: int) -> float:
    """How far the corners end from where they were, there and back, in target pixels.

    Back is an alignment of its own, of the target to the source, from the same start. Only
    where that comes to no rest does it begin at the answer, and must then stay there.
    """
    pair = task.pair
    try:
        back = pair.turned(task.options)
    except ImageError:  # so full of holes that it cannot be a target
        return math.inf
    backward = task._replace(pair=back, progress=None)
    for begin in (start, warp):
        found = descended(backward, inverse(begin), min(used, len(back.levels)))
        if found.records[-1].status is Status.CONVERGED:
            return corner_step_px(found.place.warp @ warp, pair.target.size)
    return math.inf
