"""Pictures of different things agree in nothing, and so does no answer that is far off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.search.scoring import FEWEST_TILES, TileZncc, t_statistic
from align_cli.engine.search.similarity import LEAST_T
from tests.engine.search.similarities import gradient, intensity
from tests.photographs import NAMES, cut, photograph, shifted

SIZE = (300, 220)
TRUTH = inverse(shifted(-60, -40))


KINDS = [intensity, gradient]


def agree(images: tuple[np.ndarray, np.ndarray], warp: np.ndarray, kind: Any = intensity) -> bool:
    with Threads() as threads:
        return bool(kind(*images, threads).correlates(warp))


def windows(name: str, noise: float) -> tuple[np.ndarray, np.ndarray]:
    image = photograph(name)
    return cut(image, SIZE, 0, 0, noise=noise), cut(image, SIZE, 60, 40, noise=noise)


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_agrees_at_the_truth_by_its_edges_alone(name: str) -> None:
    source, target = windows(name, 5.0)
    assert agree((255 - source, target), TRUTH, gradient)
    assert not agree((255 - source, target), TRUTH, intensity)


@pytest.mark.parametrize("noise", [2.0, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_images_agree_at_the_truth_whatever_the_noise(name: str, noise: float) -> None:
    both = windows(name, noise)
    assert agree(both, TRUTH)
    assert agree(both, inverse(shifted(-59.0, -40.5)))


@pytest.mark.parametrize("name", NAMES)
def test_a_third_that_is_covered_takes_no_part(name: str) -> None:
    source, target = windows(name, 2.0)
    source[:, -100:] = np.random.default_rng(1).integers(0, 256, (SIZE[1], 100))
    assert agree((source, target), TRUTH)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", NAMES[1:])
def test_pictures_of_different_things_agree_in_nothing(other: str, kind: Any) -> None:
    both = windows(NAMES[0], 2.0)[0], windows(other, 2.0)[1]
    for warp in (np.eye(3), TRUTH):
        assert not agree(both, warp, kind)


def test_too_few_tiles_tell_nothing() -> None:
    one, other = (np.random.default_rng(seed).uniform(size=(40, 40)) for seed in (1, 2))
    assert agree((one, other), np.eye(3))
    some = np.full(FEWEST_TILES - 1, 0.1)
    assert t_statistic(TileZncc(some, np.ones_like(some), np.ones_like(some))) is None


def test_tiles_that_hold_nothing_do_not_count() -> None:
    zncc = np.random.default_rng(3).normal(0.5, 0.1, 100)
    ones = np.ones_like(zncc)
    clear = t_statistic(TileZncc(zncc, ones, ones))
    assert clear is not None
    assert clear > LEAST_T
    assert clear == pytest.approx(zncc.mean() / (zncc.std(ddof=1) / 10.0))
    beside = np.concatenate([zncc, np.full(400, -1.0)])
    empty = np.concatenate([ones, np.full(400, 1e-9)])
    unknown = np.concatenate([ones, np.full(400, 0.1)])
    full = np.ones_like(beside)
    assert t_statistic(TileZncc(beside, empty, full)) == pytest.approx(clear)
    assert t_statistic(TileZncc(beside, full, unknown)) == pytest.approx(clear)
