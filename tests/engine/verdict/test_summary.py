"""The figures of a field: of the tiles that found a match, in pixels of the target."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.displacements.records import SecondMotion
from align_cli.engine.verdict.sufficiency import UNMEASURED, ResidualDisplacement
from align_cli.engine.verdict.summary import summarise, with_field

LENGTHS = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4, 3.0, 5.0, 40.0])


def field_of(lengths: np.ndarray, sigma: np.ndarray | float = 0.01) -> DisplacementField:
    count = len(lengths)
    position = np.column_stack([10.0 * np.arange(count), 5.0 * np.arange(count)])
    variance = np.broadcast_to(np.square(sigma), (count,)) / 2.0
    return DisplacementField(
        position=position,
        displacement=lengths[:, None] * [0.6, -0.8],
        covariance=variance[:, None, None] * np.eye(2),
        correlation=np.ones(count),
        matched=np.arange(count) < 9,
        side=16.0,
        level=0,
    )


def figures(field: DisplacementField, left: ResidualDisplacement = UNMEASURED) -> Any:
    evidence = SimpleNamespace(
        field=field, tiles=31, tested=21, stationary=11, log10_false_alarms=-4.5
    )
    return summarise(evidence, left)


def test_lengths_of_the_tiles_that_found_a_match() -> None:
    told = figures(field_of(LENGTHS))
    assert told.median_px == pytest.approx(0.6)
    assert told.p95_px == pytest.approx(np.quantile(LENGTHS[:9], 0.95))
    assert told.within_half_px == pytest.approx(4 / 9)
    assert told.within_1_px == pytest.approx(6 / 9)
    assert told.within_2_px == pytest.approx(7 / 9)
    assert told.largest_px == pytest.approx(5.0)
    assert told.largest_at_px == (80.0, 40.0)
    assert (told.tiles, told.sampled, told.stationary) == (31, 21, 11)
    assert told.log10_false_alarms == -4.5
    assert len(told.field) == 10


def test_the_largest_is_that_which_is_beyond_doubt() -> None:
    sigma = np.full(10, 0.01)
    sigma[8] = 2.4  # 5 px, of which 0.2 are left beyond two deviations
    told = figures(field_of(LENGTHS, sigma))
    assert told.largest_px == pytest.approx(3.0)
    assert told.largest_at_px == (70.0, 35.0)
    sigma[8] = 0.9
    assert figures(field_of(LENGTHS, sigma)).largest_px == pytest.approx(5.0)
    sigma[8] = 1.1  # 2.8 are left, of the other 2.98
    assert figures(field_of(LENGTHS, sigma)).largest_px == pytest.approx(3.0)


def test_where_every_tile_may_lie_where_it_fits_the_largest_is_no_short_one() -> None:
    told = figures(field_of(LENGTHS, 100.0))
    assert told.largest_px == pytest.approx(5.0)
    sigma = 10.0 * np.arange(1.0, 11.0)
    assert figures(field_of(LENGTHS, sigma)).largest_px == pytest.approx(0.1)


def test_the_lengths_are_those_of_the_field_that_goes_with_them() -> None:
    told = figures(field_of(LENGTHS), ResidualDisplacement(4.2, (7.0, 8.0), "affine"))
    other = with_field(told, field_of(2.0 * LENGTHS))
    assert len(other.field) == 10
    assert_array_equal(other.field.displacement, 2.0 * told.field.displacement)
    assert other.median_px == pytest.approx(1.2)
    assert other.largest_px == pytest.approx(10.0)
    assert other.within_half_px == pytest.approx(2 / 9)
    assert (other.tiles, other.systematic_px, other.explained_by) == (31, 4.2, "affine")


def test_shares_include_their_limit() -> None:
    told = figures(field_of(np.array([0.5, 1.0, 2.0, 4.0])))
    shares = told.within_half_px, told.within_1_px, told.within_2_px
    assert shares == pytest.approx((0.25, 0.5, 0.75))


def test_where_no_tile_found_a_match_nothing_is_known() -> None:
    field = field_of(LENGTHS).restricted_to(np.zeros(10, np.bool_))
    told = figures(field)
    for name in ("median_px", "p95_px", "largest_px", "within_half_px", "within_1_px"):
        assert math.isnan(getattr(told, name))
    assert math.isnan(told.within_2_px)
    assert all(map(math.isnan, told.largest_at_px))
    assert told.tiles == 31
    assert told.explained_by is None
    assert told.second_motion is None
    assert math.isnan(told.systematic_px)


def test_what_is_left_is_told_too() -> None:
    second = SecondMotion(0.3, (1.0, -2.0), (40.0, 50.0), "at the top")
    left = ResidualDisplacement(4.2, (7.0, 8.0), "affine", second)
    told = figures(field_of(LENGTHS), left)
    assert told.systematic_px == 4.2
    assert told.systematic_at_px == (7.0, 8.0)
    assert told.explained_by == "affine"
    assert told.second_motion is not None
    assert told.second_motion.share == 0.3
    assert told.second_motion.shift_px == (1.0, -2.0)
    assert told.second_motion.centre_px == (40.0, 50.0)
    assert told.second_motion.where == "at the top"
    assert told.fixed_pattern is None
