"""The search for a start: cheap guesses first, and no more of them than it takes.

Where the alignment from identity does not convince, other starts propose; the judge brings each
guess to rest on coarse levels and says how much agrees there; and the best goes on to full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, Protocol, TypeVar

from align_cli.engine.arrays import Matrix
from align_cli.engine.judge import ENOUGH_SHARE, Judge, Judgement
from align_cli.engine.majority import Majority, Settled

AS_GOOD: Final = 0.9
"""A guess is tried if so many times as many tiles agree as do already: it is the end that counts,
where between two motions as many may agree, but none of them well."""

ALIKE: Final = 1.02
"""What began further from the images as they lie wins with more than so many times as much: a
chessboard fits as well when it is turned by 180 degrees."""

LEAST_TILES, LEAST_SHARE = 4.0, 0.2
"""Agreement of fewer tiles, or of a smaller share of those that overlap, may be chance. Measured:
wrong guesses reached a share of 0.19, right ones in a photograph covered by 40 % began at 0.27."""

PLENTY_OF_TILES: Final = 16.0
"""Where so many agree, and ``ENOUGH_SHARE`` of all, a start is asked for no further guess."""


LEAST_EXPLAINED: Final = 0.3
MORE: Final = 1.02
"""A motion is the majority's if it explains at least the first share, and so many times as much as
what was found without."""


class Attempt(Protocol):
    """An alignment from some start, finished."""

    @property
    def warp(self) -> Matrix:
        """Where it ended, target -> source."""

    @property
    def aligned(self) -> bool:
        """What the verdict says."""

    @property
    def doubtful(self) -> bool:
        """What the verdict says."""

    @property
    def settled(self) -> bool:
        """Aligned, and most of the textured area follows beyond doubt."""


A = TypeVar("A", bound=Attempt)


@dataclass(frozen=True)
class Found(Generic[A]):
    """An attempt, the start that it began with, and how much agrees."""

    attempt: A
    start: str
    judgement: Judgement

    @property
    def rank(self) -> tuple[int, float]:
        """Larger is better: aligned before doubtful before failed, then how many tiles agree."""
        return 2 * self.attempt.aligned + self.attempt.doubtful, self.judgement.agreement

    def better_than(self, other: Found[A]) -> bool:
        """Whether it does clearly better than what began nearer to the images as they lie."""
        (verdict, well), (as_well, as_good) = self.rank, other.rank
        return verdict > as_well or (verdict == as_well and well > ALIKE * as_good)


def search(
    first: Found[A] | None,
    starts: Sequence[str],
    *,
    guesses: Callable[[str], Iterator[Matrix]],
    judge: Judge,
    attempt: Callable[[Judgement], A],
) -> Found[A] | None:
    """Try starts until one convinces.

    Args:
        first: what there is already.
        starts: names, in the order in which they are tried.
        guesses: what a start proposes, warps at full size.
        judge: of the guesses.
        attempt: aligns from where a guess was judged, to the end.

    Returns:
        The attempt in which most agrees, of those that are aligned; if none is, of those that are
        doubtful, else of all.
    """
    best = first
    ends = [first.attempt.warp] if first is not None and first.attempt.aligned else []
    for start in starts:
        judged = _best(judge, guesses(start))
        if judged is None or not _promising(judged, best):
            continue
        if any(judge.same(judged.warp, end) for end in ends):
            continue
        tried = attempt(judged)
        ends.append(tried.warp)
        found = Found(tried, start, judge.compared(tried.warp))
        if best is None or found.better_than(best):
            best = found
        if best.attempt.settled:
            break
    return best


def by_majority(
    best: Found[A],
    guessed: Iterable[tuple[str, Matrix]],
    *,
    judge: Judge,
    majority: Majority,
    attempt: Callable[[Settled], A | None],
) -> Found[A]:
    """What a search found, or the motion that explains more, solved where the images agree.

    Args:
        best: what the search found, and what does not settle it.
        guessed: what was guessed, and the name of the start that did.
        judge: of the guesses.
        majority: of the pair.
        attempt: aligns among what agrees with a settled guess; None where too little does.
    """
    promising = (each for each in guessed if _no_chance(judge.compared(each[1])))
    found = majority.best(chain([(best.start, best.attempt.warp)], promising))
    if found is None:
        return best
    start, settled = found
    explained = majority.explained(best.attempt.warp)
    # The same motion, solved without what does not follow it, only has to explain as much.
    needed = explained if judge.same(settled.warp, best.attempt.warp) else MORE * explained
    if settled.explained < LEAST_EXPLAINED or settled.explained <= needed:
        return best
    tried = attempt(settled)
    if tried is None or tried.aligned < best.attempt.aligned:
        return best
    if majority.explained(tried.warp) <= needed:
        return best
    return Found(tried, start, judge.compared(tried.warp))


def _best(judge: Judge, guesses: Iterator[Matrix]) -> Judgement | None:
    """The guess in which most tiles agree; no more are looked at once one cannot be bettered."""
    best = None
    for judged in map(judge, guesses):
        if best is None or judged.agreement > best.agreement:
            best = judged
        if judged.share >= ENOUGH_SHARE and judged.agreement >= PLENTY_OF_TILES:
            break
    return best


def _promising(judged: Judgement, best: Found[A] | None) -> bool:
    better = best is None or judged.agreement > AS_GOOD * best.judgement.agreement
    return better and _no_chance(judged)


def _no_chance(judged: Judgement) -> bool:
    """Whether it is worth an attempt: of a small picture all may agree, and be few tiles."""
    enough = judged.agreement >= LEAST_TILES or judged.share >= ENOUGH_SHARE
    return enough and judged.share >= LEAST_SHARE
