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

BETTER: Final = 1.1
"""A guess is tried if so many times as many tiles agree as do already."""

LEAST_TILES: Final = 4.0
"""Agreement of fewer tiles may be chance."""

ENOUGH_SHARE: Final = 0.7
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
    attempt: Callable[[Matrix], A],
) -> Found[A] | None:
    """Try starts until one convinces.

    Args:
        first: what there is already.
        starts: names, in the order in which they are tried.
        guesses: what a start proposes, warps at full size.
        judge: brings a guess to rest on coarse levels.
        compared: judges a warp as it is.
        attempt: aligns from a warp, to the end.

    Returns:
        The aligned attempt in which most agrees; if none is, the attempt in which most does.
    """
    best = first
    for start in starts:
        judged = sorted(map(judge, guesses(start)), key=lambda each: -each.agreement)
        for judgement in judged[:1]:
            least = LEAST_TILES if best is None else max(LEAST_TILES, BETTER * best.judgement.agreement)
            if judgement.agreement < least:
                break
            tried = attempt(judgement.warp)
            found = Found(tried, start, compared(tried.warp))
            if best is None or _rank(found) > _rank(best):
                best = found
        if best is not None and best.convinces:
            break
    return best


def _rank(found: Found[A]) -> tuple[bool, float]:
    return found.attempt.aligned, found.judgement.agreement
