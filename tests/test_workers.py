from __future__ import annotations

import signal
import subprocess
import sys
import threading
from threading import Thread

import pytest

from align_cli import workers as workers_module
from align_cli.workers import Workers, available_cores, begin


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    with Workers(count) as workers:
        assert workers.map(lambda item: item**2, range(20)) == [i**2 for i in range(20)]


def test_calls_are_made_at_once_and_not_by_the_caller() -> None:
    meeting = threading.Barrier(3)

    def meet() -> int:
        meeting.wait(timeout=10)  # only passes when three threads are here at once
        return threading.get_ident()

    with Workers(3) as workers:
        found = [task.result() for task in [workers.start(meet) for _ in range(3)]]
    assert len(set(found)) == 3
    assert threading.get_ident() not in found


def test_one_thread_makes_one_call_after_the_other() -> None:
    order: list[int] = []
    with Workers(1) as workers:
        workers.map(order.append, range(50))
    assert order == list(range(50))


def test_an_error_reaches_who_asks_for_the_result_and_the_thread_lives_on() -> None:
    with Workers(1) as workers:
        wrong, right = workers.start(lambda: 1 // 0), workers.start(lambda: 1)
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        assert right.result() == 1


def test_the_end_of_the_block_waits_for_all_calls() -> None:
    may_go, made = threading.Event(), []
    with Workers(2) as workers:
        for n in range(4):
            workers.start(lambda n=n: (may_go.wait(10), made.append(n)))  # type: ignore[misc]
        threading.Timer(0.05, may_go.set).start()
    assert sorted(made) == [0, 1, 2, 3]


def test_after_an_error_what_has_not_begun_is_left_undone() -> None:
    begun, may_go, made = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        may_go.wait(10)

    def interrupted() -> None:
        with Workers(1) as workers:
            workers.start(first)
            workers.start(lambda: made.append(1))
            begun.wait(10)
            threading.Timer(0.05, may_go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made == []


def test_a_call_on_a_thread_of_its_own() -> None:
    assert begin(threading.get_ident).result() != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        begin(lambda: 1 // 0).result()


def test_at_least_one_core_is_available() -> None:
    assert available_cores() >= 1


class _Fewer(Thread):
    """As where the system gives so many threads and no more."""

    left = 0

    def start(self) -> None:
        if _Fewer.left == 0:
            raise RuntimeError("can't start new thread")
        _Fewer.left -= 1
        super().start()


@pytest.mark.parametrize("given", [0, 1, 2])
def test_where_the_system_gives_no_more_threads_the_calls_are_made_all_the_same(
    given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "Thread", _Fewer)
    _Fewer.left = given
    with Workers(3) as workers:
        assert workers.map(lambda item: item + 1, range(9)) == list(range(1, 10))
    _Fewer.left = 0
    assert begin(lambda: 7).result() == 7


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals for single threads")
@pytest.mark.parametrize("wait", ["task.result()", "pass"])
def test_a_signal_that_another_thread_gets_interrupts_the_wait(wait: str) -> None:
    program = f"""
import signal, sys, threading, time
from align_cli.workers import Workers

def ended(number, frame):
    raise SystemExit(7)

signal.signal(signal.SIGTERM, ended)

def call():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(30)

with Workers(1) as workers:
    task = workers.start(call)
    {wait}
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=20, check=False)
    assert ended.returncode == 7
