"""A pool of threads that maps a function over strips, with results in the order of the strips.

numpy and cv2 release the interpreter's lock in their loops. The results do not depend on the number
of threads, because the sums of the strips are added in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from types import TracebackType
from typing import Final, TypeVar

from align_cli.workers import Workers, available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS: Final = 4
"""However many cores there are: the strips of a level are few."""

SHORTEST_LIST: Final = 4
"""Number of strips below which another thread costs more time than it saves."""


def _checked(count: int | None) -> int | None:
    if count is not None and (not isinstance(count, int) or count < 1):
        raise ValueError(f"threads must be a whole number of at least 1, got {count!r}")
    return count


_most: ContextVar[int | None] = ContextVar("_most", default=None)


@contextmanager
def at_most(count: int | None) -> Iterator[None]:
    """Limit the number of threads of every pool created inside; None for no limit.

    Raises:
        ValueError: if it is no whole number of at least 1.
    """
    before = _most.set(_checked(count))
    try:
        yield
    finally:
        _most.reset(before)


def limit() -> int | None:
    """How many threads ``at_most`` allows here; None where it does not say."""
    return _most.get()


class Threads:
    """A pool of threads, created when first needed and closed by ``with``.

    Args:
        count: number of threads; None for the limit of ``at_most``, else one for each core, up to
            ``MOST_THREADS``.

    Raises:
        ValueError: if it is no whole number of at least 1.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = _checked(count) or _most.get() or min(available_cores(), MOST_THREADS)
        self._pool: Workers | None = None

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``[work(item) for item in items]``, computed on all threads."""
        shares = min(self.count, len(items))
        if shares <= 1 or len(items) < SHORTEST_LIST:
            return [work(item) for item in items]
        if self._pool is None:
            self._pool = Workers(self.count - 1)

        def work_share(first: int) -> list[Result]:
            return [work(item) for item in items[first::shares]]

        results: list[Result] = [None] * len(items)  # type: ignore[list-item]
        others = [
            self._pool.start(partial(copy_context().run, work_share, first))
            for first in range(1, shares)
        ]
        results[::shares] = work_share(0)
        for first, other in enumerate(others, start=1):
            results[first::shares] = other.result()
        return results

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.__exit__(kind, error, traceback)
            self._pool = None
