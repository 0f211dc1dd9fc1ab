"""EPE and time of several methods on the same pairs."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from align_cli.engine.geometry.coordinates import endpoint_error, inverse
from benchmarks.methods import Method
from benchmarks.scenes import Floats, Image


class Tally:
    """Errors by method and by a key of the benchmark's own (a noise and a photograph, say)."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self.methods = tuple(methods)
        self._refused: Counter[tuple[str, Hashable]] = Counter()
        self._errors: dict[tuple[str, Hashable], list[float]] = defaultdict(list)
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def run(
        self, source: Image, target: Image, truth: Floats, *, model: str, key: Hashable
    ) -> None:
        """Align one pair by every method that has the model; refused answers count all the same."""
        height, width = target.shape
        for method in self.methods:
            if model not in method.models:
                continue
            begun = time.perf_counter()
            found = method.run(source, target, model)
            self._seconds[method.name].append(time.perf_counter() - begun)
            error = endpoint_error(
                inverse(found.source_to_target), inverse(truth), (width, height)
            ).mean()
            self._errors[method.name, key].append(float(error))
            self._refused[method.name, key] += found.refused

    def errors(self, method: str, keys: Iterable[Hashable]) -> Floats:
        """EPE of each pair in pixels, those of all ``keys`` after each other."""
        return np.array([error for key in keys for error in self._errors[method, key]])

    def refused(self, method: str, keys: Iterable[Hashable]) -> int:
        """How many pairs the method itself says it has not aligned."""
        return sum(self._refused[method, key] for key in keys)

    def mean(self, method: str, keys: Iterable[Hashable]) -> float:
        errors = self.errors(method, keys)
        return float(errors.mean()) if errors.size else float("nan")

    def heading(self) -> str:
        return "".join(f"{method.name:>11}{'max':>9}" for method in self.methods)

    def row(self, keys: Iterable[Hashable]) -> str:
        """Mean and largest EPE of each method, a dash where it did not run."""
        keys = tuple(keys)
        cells = []
        for method in self.methods:
            errors = self.errors(method.name, keys)
            cells.append(
                f"{errors.mean():>11.5f}{errors.max():>9.4f}"
                if errors.size
                else f"{'-':>11}{'-':>9}"
            )
        return "".join(cells)

    def ms(self, method: str) -> float:
        """Mean time for a pair."""
        seconds = self._seconds[method]
        return 1e3 * float(np.mean(seconds)) if seconds else float("nan")

    def times(self) -> str:
        """Mean milliseconds for a pair, under the columns of ``heading``."""
        means = (self.ms(method.name) for method in self.methods)
        return "".join(f"{'-' if np.isnan(mean) else round(mean):>11}{'':9}" for mean in means)
