"""What is left is told as large as it is: pairs whose true displacements are known."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.aligner import align
from benchmarks.bent_pairs import BentPair, lens, too_simple, two_planes
from benchmarks.sufficiency import planes_row, smooth_row, told


def drawn(kind: object, seed: int) -> BentPair:
    assert callable(kind)
    pair = kind(np.random.default_rng(seed))
    assert isinstance(pair, BentPair)
    return pair


@pytest.mark.parametrize("seed", [1, 2])
def test_a_lens_is_told_to_its_corners(seed: int) -> None:
    pair = drawn(lens, seed)
    found = align(pair.source, pair.target, model=pair.model)
    row = smooth_row(pair, found)
    assert row.true_px > 5.0
    assert row.within
    assert told(found).explained_by is None
    assert found.outcome.aligned
    assert 0.7 < row.ratios[0] < 1.4


@pytest.mark.parametrize("model", ["rigid", "affine"])
def test_a_model_that_is_too_simple_is_told_so(model: str) -> None:
    pair = drawn(too_simple(model), 3)
    found = align(pair.source, pair.target, model=model)
    row = smooth_row(pair, found)
    assert row.true_px > 1.0
    assert row.within
    assert told(found).explained_by == "homography"
    assert found.outcome.doubtful
    assert 0.7 < row.ratios[0] < 1.4


@pytest.mark.parametrize("parallax_px", [5.0, 20.0])
def test_two_planes_are_told_by_motion_and_share(parallax_px: float) -> None:
    # 20 px are out of reach of the windows of full size.
    pair = drawn(two_planes(parallax_px), 4)
    found = align(pair.source, pair.target, model=pair.model)
    row = planes_row(pair, found)
    assert row.true_px == pytest.approx(parallax_px, rel=0.1)
    assert row.within
    assert row.share_within


def test_nothing_is_told_of_a_pair_of_which_nothing_is_left() -> None:
    pair = drawn(too_simple("homography"), 5)
    found = align(pair.source, pair.target, model="homography")
    assert told(found).largest_px < 0.1
    assert told(found).share is None
    assert found.uncertainty is not None
    assert found.uncertainty.mean_px < 0.05
