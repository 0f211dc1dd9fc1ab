from __future__ import annotations

import threading

import pytest

from align_cli.engine.numerics.threads import SHORTEST_LIST, Threads, at_most
from align_cli.workers import available_cores


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 7, 20])
def test_results_are_in_the_order_of_the_list(count: int, length: int) -> None:
    with Threads(count) as threads:
        assert threads.map(lambda item: item**2, range(length)) == [i**2 for i in range(length)]


def test_work_is_shared_between_as_many_threads_as_asked_for() -> None:
    meeting = threading.Barrier(2)

    def work(_: int) -> int:
        meeting.wait(timeout=10)  # only passes when two threads are here at once
        return threading.get_ident()

    with Threads(2) as threads:
        assert len(set(threads.map(work, range(4)))) == 2


def test_a_short_list_stays_on_the_callers_thread() -> None:
    with Threads(4) as threads:
        found = threads.map(lambda _: threading.get_ident(), range(SHORTEST_LIST - 1))
    assert set(found) == {threading.get_ident()}


@pytest.mark.parametrize("bad", [0, 1, 5])
def test_an_error_of_any_thread_reaches_the_caller(bad: int) -> None:
    def work(item: int) -> int:
        return 1 // (item - bad)

    with Threads(3) as threads, pytest.raises(ZeroDivisionError):
        threads.map(work, range(8))


def test_the_pool_is_closed_and_may_be_opened_again() -> None:
    before = threading.active_count()
    threads = Threads(3)
    for _ in range(2):
        with threads:
            threads.map(lambda item: item, range(8))
        assert threading.active_count() == before


def test_the_default_is_the_cores_but_no_more_than_four() -> None:
    assert Threads().count == min(available_cores(), 4)


def test_a_limit_holds_for_pools_made_inside_on_other_threads_too_and_no_longer() -> None:
    def counted(_: int) -> int:
        return Threads().count

    with at_most(3):
        assert Threads().count == 3
        with at_most(1):
            assert Threads().count == 1
        with at_most(None):
            assert Threads().count == min(available_cores(), 4)
        with Threads() as threads:
            assert threads.map(counted, range(8)) == [3] * 8
    assert Threads().count == min(available_cores(), 4)


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_a_limit_that_is_no_number_of_threads_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="threads must be a whole number"), at_most(count):
        pass
