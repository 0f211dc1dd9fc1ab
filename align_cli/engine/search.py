"""The search for a start: cheap guesses first, and no more of them than it takes.

Where the alignment from identity does not convince, other starts propose; the judge brings each
guess to rest on coarse levels and says how much agrees there; and the best goes on to full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from align_cli.engine.arrays import Matrix
from align_cli.engine.judge import Judgement

BETTER: Final = 1.03
"""A guess is tried if so many times as many tiles agree as do already. Where what there is already
is not aligned, as many are enough: another start may come to rest better in the same place."""

LEAST_TILES, LEAST_SHARE = 4.0, 0.2
"""Agreement of fewer tiles, or of a smaller share of those that overlap, may be chance. Measured:
wrong guesses reached a share of 0.19, right ones in a photograph covered by 40 % began at 0.27."""

ENOUGH_SHARE: Final = 0.8
"""Where this share of all tiles agrees, nothing else can agree in more."""


class Attempt(Protocol):
    """An alignment from some start, finished."""

    @property
    def warp(self) -> Matrix:
        """Where it ended, target -> source."""

    @property
    def aligned(self) -> bool:
        """What the verdict says."""

    @property
    def beyond_doubt(self) -> bool:
        """Aligned, and nothing speaks against it."""


A = TypeVar("A", bound=Attempt)


@dataclass(frozen=True)
class Found(Generic[A]):
    """An attempt, the start that it began with, and how much agrees."""

    attempt: A
    start: str
    judgement: Judgement

    @property
    def convinces(self) -> bool:
        """Whether no other start can do better."""
        return self.attempt.beyond_doubt and self.judgement.share >= ENOUGH_SHARE


def search(
    first: Found[A] | None,
    starts: Sequence[str],
    *,
    guesses: Callable[[str], Iterator[Matrix]],
    judge: Callable[[Matrix], Judgement],
    compared: Callable[[Matrix], Judgement],
    attempt: Callable[[Judgement], A],
) -> Found[A] | None:
    """Try starts until one convinces.

    Args:
        first: what there is already.
        starts: names, in the order in which they are tried.
        guesses: what a start proposes, warps at full size.
        judge: brings a guess to rest on coarse levels.
        compared: judges a warp as it is.
        attempt: aligns from where a guess was judged, to the end.

    Returns:
        The aligned attempt in which most agrees; if none is, the attempt in which most does.
    """
    best = first
    for start in starts:
        judged = max(map(judge, guesses(start)), key=lambda each: each.agreement, default=None)
        if judged is None or not _promising(judged, best):
            continue
        tried = attempt(judged)
        found = Found(tried, start, compared(tried.warp))
        if best is None or _rank(found) > _rank(best):
            best = found
        if best.convinces:
            break
    return best


def _promising(judged: Judgement, best: Found[A] | None) -> bool:
    if judged.agreement < LEAST_TILES or judged.share < LEAST_SHARE:
        return False
    if best is None:
        return True
    times = BETTER if best.attempt.aligned else 1.0 / BETTER
    return judged.agreement > times * best.judgement.agreement


def _rank(found: Found[A]) -> tuple[bool, float]:
    return found.attempt.aligned, found.judgement.agreement
