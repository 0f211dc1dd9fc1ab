"""The search: the starts propose candidates, the score selects, and the evidence decides.

The first candidate is the identity, or the user's initial transform: it is solved on all levels. If
its estimate does not have the majority of the texture, the starts propose others, cheapest first.
Each candidate is refined on coarse levels and scored there (``align_cli.engine.search.scoring``);
the best of a start is solved to full size if its score is high enough. An estimate between two
motions, or biased by one part, is corrected by its tiles, which also propose candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Final, NamedTuple

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.windows import REACH, STATIONARY
from align_cli.engine.geometry.coordinates import corner_step_px, inverse, plausible
from align_cli.engine.options import DEFAULTS
from align_cli.engine.records import SearchedTransform, Status
from align_cli.engine.search.attempt import (
    LEAST_SHARE,
    Attempt,
    correct_by_tiles,
    run_attempt,
    with_fewer_parameters,
)
from align_cli.engine.search.scoring import NO_SCORE, Score
from align_cli.engine.search.similarity import COARSE_LEVELS, Similarity
from align_cli.engine.starts import COSTLY, GIVEN, IDENTITY, LAST_RESORTS, STARTS, Views, tiles
from align_cli.engine.verdict.assessment import LOG10_NFA_ALIGNED

SOLVE_RATIO: Final = 0.9
"""A candidate is solved if its score is at least this multiple of the best of any estimate so far:
only the solution counts, since between two motions, or in self-similar texture, as many tiles may
correlate, but none well."""

LEAST_TILES: Final = 4.0
"""Least number of correlating tiles; fewer may be chance."""

ENOUGH_SHARE, ENOUGH_TILES = 0.8, 16.0
"""From this share of all tiles and this number of correlating tiles on, a start is asked for no
further candidate: right estimates between similar images reach a share of 0.84 and more, one
between two motions 0.76."""

MOST_ATTEMPTS: Final = 8
MOST_PIXELS: Final = 1 << 30
ITERATION_PIXELS: Final = 1 << 17
"""The budget: nothing is solved after ``MOST_ATTEMPTS`` attempts, or ``MOST_PIXELS`` pixels in all
their iterations; each iteration counts as ``ITERATION_PIXELS`` pixels more. Counted instead of
timed, so that it is the same on every machine."""

CORRECTIONS: Final = 3
"""Corrections by tiles at most: if they are far off, the first brings them near, the next is
accurate."""

MOTION_TESTS: Final = round(((2 * REACH + 1) / (2 * STATIONARY + 1)) ** 2)
"""Number of motions among which tiles choose the one they propose: the positions of their windows.
"""

SAME_PX: Final = 1.5
"""Candidates whose corners differ by no more, in pixels of the level on which they are scored,
converge to the same estimate."""

GUESS_RATIO: Final = 1.02
"""A candidate is kept unrefined if its score exceeds that of the refined one by this factor. Less
may be chance, and refined candidates are nearer to the solution."""


class Candidate(NamedTuple):
    """An initial transform.

    Attributes:
        start: name of the start that proposed it.
        warp: (3, 3), target pixel -> source pixel, at full size.
        used: number of the finest levels on which it is to be solved.
        score: of it.
    """

    start: str
    warp: Matrix
    used: int
    score: Score


def search(
    similarities: Sequence[Similarity], starts: Sequence[str], initial_warp: Matrix
) -> Attempt:
    """The estimate with the strongest evidence.

    Args:
        similarities: the similarity measures, in order of preference.
        starts: names, in the order in which they are tried.
        initial_warp: that of ``IDENTITY`` or ``GIVEN``, a warp target -> source.

    Returns:
        An attempt that is aligned; if none is, one that is doubtful, else any.
    """
    searches = [_Search(similarity, initial_warp) for similarity in similarities]
    task = similarities[0].task
    orientations = (each.orientations for each in similarities)
    views = Views(
        task.pair.levels,
        task.pair.target.levels,
        task.model,
        next((each for each in orientations if each is not None), None),
    )
    # Computed lazily, and once for all similarity measures.
    proposed = {
        start: tee(
            (initial_warp,) if start in (IDENTITY, GIVEN) else STARTS[start](views), len(searches)
        )
        for start in starts
    }
    # The cheap starts of the first measure come before those of the others.
    both = range(len(searches))
    late = (*COSTLY, *LAST_RESORTS)
    cheap = [(start, n) for n in both for start in starts if start not in late]
    turns = (COSTLY, LAST_RESORTS)
    costly = [(start, n) for some in turns for start in starts if start in some for n in both]
    best: Attempt | None = None
    for start, n in (*cheap, *costly):
        if best is not None and (
            (start in LAST_RESORTS and best.aligned)
            or best.has_majority  # no other can have it too
        ):
            break
        for found in searches[n].attempts(start, proposed[start][n]):
            if best is None or found.better_than(best):
                best = found
            if best.conclusive:
                return best
    if best is None:
        best = searches[0].solved(IDENTITY, initial_warp)
    if not _simplify_at_once(best):
        best = with_fewer_parameters(best)
    best_candidate = searches[0].best_candidate
    evaluated = sum(one.evaluated for one in searches)
    searched = (each for one in searches for each in one.searched())
    return best.with_search_report(evaluated, best_candidate.warp, best_candidate.score, searched)


def _simplify_at_once(attempt: Attempt) -> bool:
    """Whether simpler models are tried before any further start, not for the best estimate alone.

    If the texture does not determine the model near the identity, further starts would only guess
    the rest; and an estimate that is not solved cannot be ranked.
    """
    return attempt.start in (IDENTITY, GIVEN) or attempt.outcome.status is Status.SINGULAR


class _Search:
    """The search by one similarity measure.

    Args:
        similarity: what is compared.
        initial_warp: the identity, or the user's transform.
    """

    def __init__(self, similarity: Similarity, initial_warp: Matrix) -> None:
        self.similarity, self.initial_warp = similarity, initial_warp
        self.evaluated = 0
        self._candidates: list[Candidate] = []
        self.best_candidate = Candidate(IDENTITY, initial_warp, 0, NO_SCORE)
        self._attempt_count = self._pixel_count = 0
        self._needed_tiles = 0.0
        self._converged_warps: list[Matrix] = []
        self._start_warps: list[tuple[int, Matrix]] = []

    def searched(self) -> Iterator[SearchedTransform]:
        """The candidates that were scored, but for those without an inverse."""
        for start, warp, _, score in self._candidates:
            if abs(np.linalg.det(warp)) > 0.0:
                yield SearchedTransform(start, inverse(warp), score.share)

    def attempts(self, start: str, guesses: Iterable[Matrix]) -> Iterator[Attempt]:
        """The attempts from a start and the warps that it proposed."""
        if start in (IDENTITY, GIVEN):
            yield from self._with_tiles(self.solved(start, self.initial_warp))
            if self.similarity.task.options.levels is not None:
                return  # exactly the levels that the user chose
        candidate = self._best(start, guesses)
        if candidate is not None and self._worth_solving(candidate):
            yield from self._with_tiles(self.solved(start, candidate.warp, used=candidate.used))

    def solved(
        self,
        start: str,
        warp: Matrix,
        *,
        used: int | None = None,
        among: Similarity | None = None,
    ) -> Attempt:
        """An attempt from a warp, see ``run_attempt``; without ``used`` on all levels."""
        used = len(self.similarity.task.pair.levels) if used is None else used
        self._start_warps.append((used, warp))
        attempt = run_attempt(
            self.similarity,
            start,
            warp,
            used=used,
            before=self.initial_warp,
            among=among,
            tests=self._tests * (1 if among is None else MOTION_TESTS),
        )
        self._attempt_count += 1
        self._pixel_count += sum(
            each.iterations * (each.width * each.height + ITERATION_PIXELS)
            for each in attempt.descent.records
        )
        return attempt

    def _with_tiles(self, attempt: Attempt) -> Iterator[Attempt]:
        """An attempt, and the attempts from the motions that more of its tiles share."""
        if _simplify_at_once(attempt):
            attempt = with_fewer_parameters(attempt)
        yield attempt
        self._record_end(attempt)
        for warp, part in self._tile_motions(attempt):
            self.evaluated += 1
            among = (
                None
                if self._budget_spent or self._already_converged(warp)
                else self.similarity.restricted_to(part)
            )
            if among is not None:
                used = self.similarity.levels.fine + 1
                second = self.solved(attempt.start, warp, used=used, among=among)
                yield second
                self._record_end(second)
            yield from self._corrections(attempt, warp)

    def _corrections(self, attempt: Attempt, warp: Matrix) -> Iterator[Attempt]:
        """The estimates that tiles propose in turn, until they propose no other."""
        for _ in range(CORRECTIONS):
            attempt = correct_by_tiles(
                attempt, warp, self.initial_warp, tests=MOTION_TESTS * self._tests
            )
            yield attempt
            self._record_end(attempt)
            motion = next(self._tile_motions(attempt), None)
            if motion is None:
                return
            warp = motion.warp

    def _tile_motions(self, attempt: Attempt) -> Iterator[tiles.SharedMotion]:
        """The motions that more tiles share than are inliers of an attempt."""
        task, displacements = self.similarity.task, attempt.assessment.displacements
        size = task.pair.target.size
        # With a user's limit of iterations, non-convergence is reported, not corrected.
        limited = task.options.max_iterations < DEFAULTS.max_iterations
        stopped = limited and not attempt.descent.converged
        if displacements is None or stopped or not plausible(attempt.warp, size):
            return iter(())
        return tiles.guesses(displacements.field, attempt.warp, task.model, size)

    def _record_end(self, attempt: Attempt) -> None:
        if attempt.descent.converged:
            self._converged_warps.append(attempt.warp)
        # An estimate without evidence is no rival to others.
        if attempt.assessment.log10_false_alarms > LOG10_NFA_ALIGNED:
            return
        self._needed_tiles = max(self._needed_tiles, SOLVE_RATIO * attempt.score.agreeing_tiles)

    def _best(self, start: str, guesses: Iterable[Matrix]) -> Candidate | None:
        """The candidate with the highest score; no more are evaluated once it is high enough."""
        best = None
        for guess in guesses:
            candidate = self._refined_candidate(start, guess)
            if candidate.score.agreeing_tiles > self.best_candidate.score.agreeing_tiles:
                self.best_candidate = candidate
            if best is None or candidate.score.agreeing_tiles > best.score.agreeing_tiles:
                best = candidate
            enough = candidate.score.agreeing_tiles >= ENOUGH_TILES
            if enough and candidate.score.share >= ENOUGH_SHARE:
                break
        return best

    def _refined_candidate(self, start: str, guess: Matrix) -> Candidate:
        """A guess, or its refinement on the coarse levels: the one with the higher score."""
        self.evaluated += 1
        coarse, fine = self.similarity.levels
        used = min(coarse + COARSE_LEVELS, len(self.similarity.task.pair.levels))
        warp = self.similarity.descend(guess, used=used, finest=coarse).warp
        # If much moves independently, the solver may converge from a good guess to a compromise.
        refined, unrefined = self.similarity.score(warp), self.similarity.score(guess)
        if unrefined.agreeing_tiles > GUESS_RATIO * refined.agreeing_tiles:
            candidate = Candidate(start, guess, fine + 1, unrefined)
        else:
            candidate = Candidate(start, warp, used, refined)
        self._candidates.append(candidate)
        return candidate

    def _worth_solving(self, candidate: Candidate) -> bool:
        """Whether its score is high enough, and no attempt has started or converged there.

        In a small image all tiles may correlate, and be few.
        """
        score, warp = candidate.score, candidate.warp
        enough = score.agreeing_tiles >= LEAST_TILES or score.share >= ENOUGH_SHARE
        if not enough or score.share < LEAST_SHARE or score.agreeing_tiles <= self._needed_tiles:
            return False
        alike = [initial_warp for used, initial_warp in self._start_warps if used == candidate.used]
        return not (
            self._budget_spent or self._already_converged(warp) or self._is_near(warp, alike)
        )

    @property
    def _tests(self) -> int:
        """How many candidates were evaluated, the next included."""
        return self.evaluated + 1

    @property
    def _budget_spent(self) -> bool:
        """Whether the budget of attempts and pixels is exhausted."""
        return self._attempt_count >= MOST_ATTEMPTS or self._pixel_count >= MOST_PIXELS

    def _already_converged(self, warp: Matrix) -> bool:
        """Whether an attempt has converged there."""
        return self._is_near(warp, self._converged_warps)

    def _is_near(self, warp: Matrix, others: Iterable[Matrix]) -> bool:
        """Whether a warp is the same as one of others, to the resolution of the fine level."""
        limit_px = SAME_PX * 2.0**self.similarity.levels.fine
        size = self.similarity.task.pair.target.size
        return any(corner_step_px(inverse(other) @ warp, size) < limit_px for other in others)
