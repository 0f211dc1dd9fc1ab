"""Honest times of short calls on a shared machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def median_ms(call: Callable[[], object], runs: int = 15) -> float:
    """Median time of a call in milliseconds, after one call that is not counted."""
    return statistics.median(interleaved({"": call}, runs)[""]) * 1e3


def interleaved(calls: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each call, ``runs`` times one after the other, so that all meet the same load.

    One round that is not counted comes first.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(-1, runs):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(seconds: Mapping[str, list[float]], name: str, other: str) -> float:
    """Median over the rounds of the time of ``name`` over that of ``other`` in the same round."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[other], strict=True))
