"""Pairs of photographs as the search compares them."""

from __future__ import annotations

import numpy as np

from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.search.gradient import Gradient
from align_cli.engine.search.intensity import Intensity
from align_cli.engine.search.similarity import Task
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.target.target import Target
from tests.photographs import cut, photograph, shifted

SIZE = (300, 220)
TRUTH = shifted(-60, -40)


def task(source: np.ndarray, target: np.ndarray, model: str, threads: Threads) -> Task:
    pair = Pair(luma(source), Target(luma(target), Options()))
    return Task(pair, MODELS[model], LOSSES["tukey"], Options(), threads)


def intensity(
    source: np.ndarray, target: np.ndarray, threads: Threads, model: str = "rigid"
) -> Intensity:
    return Intensity(task(source, target, model, threads))


def gradient(
    source: np.ndarray, target: np.ndarray, threads: Threads, model: str = "rigid"
) -> Gradient:
    of_both = task(source, target, model, threads)
    seen = of_both.pair.target
    return Gradient(of_both, View(seen.image, seen.levels))


def windows(name: str, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A source whose pixel (60, 40) is the target's (0, 0)."""
    image = photograph(name)
    return cut(image, SIZE, 0, 0, noise=noise), cut(image, SIZE, 60, 40, noise=noise, seed=1)
