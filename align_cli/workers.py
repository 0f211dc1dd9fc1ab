"""Threads that wait for calls: what every layer that shares work among the cores builds on.

``concurrent.futures`` would do, but brings ``logging`` and more into every start of the command,
5 ms of it, and takes three times as long to hand over a call.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

AWAKE_SECONDS: Final = 0.2
"""A wait is left so often to look for signals. One that reaches another thread is handled by the
main thread, which does not wake for it: while it starts a thread, it blocks all signals."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Task(Generic[Result]):
    """A call that a thread makes, or will make."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._finished = Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call."""
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        del self._call  # and whatever it holds
        self._finished.set()

    def result(self) -> Result:
        """Wait for the call; return what it returned, or raise what it raised."""
        while not self._finished.wait(AWAKE_SECONDS):
            pass
        if self._error is not None:
            raise self._error
        return self._value


def begin(call: Callable[[], Result]) -> Task[Result]:
    """Have a thread of its own make a call, or make it here where the system gives no more."""
    task = Task(call)
    try:
        Thread(target=task.run).start()
    except RuntimeError:
        task.run()
    return task


class Workers:
    """A pool of threads, each started when there is something for it to do.

    Where the system gives no more threads those that there are make the calls, or whoever asks.

    Leaving ``with`` waits for the calls that are under way; calls that have not begun by then are
    made only if no exception ends the block.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads: list[Thread] = []
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()

    def start(self, call: Callable[[], Result]) -> Task[Result]:
        """Have a thread make a call."""
        task = Task(call)
        self._tasks.put(task)
        if len(self._threads) < self._count:
            thread = Thread(target=self._work, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                if not self._threads:  # nobody else will make it
                    self._tasks.get()
                    task.run()
            else:
                self._threads.append(thread)
        return task

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """``[work(item) for item in items]``, in that order, on all threads."""
        tasks = [self.start(lambda item=item: work(item)) for item in items]  # type: ignore[misc]
        return [task.result() for task in tasks]

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.run()
            del task  # its result may be large, and this thread may wait for long

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupted = kind is not None and not issubclass(kind, Exception)
        if kind is not None:
            with contextlib.suppress(Empty):
                while True:
                    self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        # Who was interrupted does not wait: a call may be reading from a pipe that nobody writes.
        for thread in () if interrupted else self._threads:
            while thread.is_alive():
                thread.join(AWAKE_SECONDS)
