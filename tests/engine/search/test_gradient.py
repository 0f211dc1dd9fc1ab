from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import corner_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.records import Status
from align_cli.engine.search.gradient import LEAST_SIDE
from align_cli.engine.search.similarity import COARSE_LEVELS
from tests.engine.search.similarities import SIZE, TRUTH, gradient, windows
from tests.photographs import NAMES, shifted


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as pool:
        yield pool


def negative(name: str) -> tuple[np.ndarray, np.ndarray]:
    source, target = windows(name)
    return 255 - source, target


@pytest.mark.parametrize("name", NAMES)
def test_edges_agree_at_the_truth_and_elsewhere_few_do(name: str, threads: Threads) -> None:
    seen = gradient(*negative(name), threads)
    true, wrong = (seen.score(inverse(shifted(*by))) for by in ((-60, -40), (20, 10)))
    assert true.share > 0.5
    assert wrong.share < 0.2
    assert seen.score(shifted(5000, 0)) == (0.0, 0.0)


def test_coarse_levels_bring_a_guess_to_rest(threads: Threads) -> None:
    seen = gradient(*negative("poster"), threads)
    coarse, fine = seen.levels
    assert coarse == fine
    assert min(SIZE) / 2**coarse >= LEAST_SIDE
    found = seen.descend(inverse(shifted(-56, -43)), used=coarse + COARSE_LEVELS, finest=coarse)
    assert corner_error(found.warp, inverse(TRUTH), SIZE) < 1.0
    assert found.records[-1].level == coarse


def test_orientations_know_no_illumination_but_their_own_agreement(threads: Threads) -> None:
    seen = gradient(*negative("poster"), threads)
    found = seen.descend(inverse(TRUTH), used=len(seen.task.pair.levels))
    assert math.isnan(found.state.illumination.gain)
    assert found.records[-1].level == 0
    quality = seen.quality(np.eye(3), found.state)
    # Of a negative the grey values would have -1.
    assert quality.after.zncc > 0.5 > quality.before.zncc
    assert seen.full_scale(found.state.illumination) is None
    for each in (quality.before, quality.after):
        assert (each.rmse, each.mae) == (each.rmse_raw, each.mae_raw)
    assert seen.uncertainty(found) is not None


def test_another_model_sees_the_same_images(threads: Threads) -> None:
    seen = gradient(*negative("poster"), threads)
    other = seen.with_model(MODELS["translation"])
    assert other.task.model is MODELS["translation"]
    assert other.source is seen.source
    assert other.target is seen.target


def test_guesses_are_looked_at_on_the_coarsest_level_that_is_large_enough(
    threads: Threads,
) -> None:
    # 110 pixels high; the next has 55.
    assert gradient(*negative("poster"), threads).levels == (1, 1)


def test_what_the_source_does_not_reach_has_no_say(threads: Threads) -> None:
    source, target = negative("poster")
    # The source ends in the middle of tiles of the level.
    source, beyond = source[:, :-11], target.copy()
    # It reaches the first 229 columns; a filter's width further, these do not count.
    beyond[:, 241:] = np.random.default_rng(1).integers(0, 256, beyond[:, 241:].shape)
    one, other = (
        gradient(source, each, threads).score(inverse(TRUTH)) for each in (target, beyond)
    )
    assert other.agreeing_tiles == pytest.approx(one.agreeing_tiles, abs=0.05)
    assert other.share == pytest.approx(one.share, abs=0.01)


def test_a_part_of_a_target_is_compared_alone(threads: Threads) -> None:
    seen = gradient(*negative("poster"), threads)
    part = np.zeros(SIZE[::-1], np.bool_)
    part[:, :120] = True
    among = seen.restricted_to(part)
    assert among is not None
    assert among.source is seen.source
    whole, half = seen.score(inverse(TRUTH)), among.score(inverse(TRUTH))
    assert half.agreeing_tiles < 0.65 * whole.agreeing_tiles
    assert half.share > 0.5
    part[2:] = False
    assert seen.restricted_to(part) is None


def test_what_agrees_in_nothing_is_not_solved_to_the_end(threads: Threads) -> None:
    seen = gradient(windows("scan")[0], windows("poster")[1], threads)
    found = seen.descend(np.eye(3), used=len(seen.task.pair.levels))
    assert found.records[-1].status is Status.NO_AGREEMENT
    assert found.solved_planes == ()


def test_a_guess_comes_to_rest_on_the_coarse_levels_alone_however_fine_they_are(
    threads: Threads,
) -> None:
    seen = gradient(*negative("poster"), threads)
    found = seen.descend(inverse(TRUTH), used=2, finest=0)
    assert [each.level for each in found.records] == [1, 0]
    assert found.solved_planes == ()
