from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from align_cli.engine.numerics.row_bands import BAND_ROWS, FEWEST_BANDS, MOST_ROWS_SHARE, Bands


def test_a_small_image_is_one_band() -> None:
    bands = Bands.spread(100, 50, 100 * 50)
    assert bands == Bands.whole(100)
    assert bands.all_rows
    assert bands.slices == [slice(0, 100)]
    assert_array_equal(bands.y, np.arange(100))


@settings(derandomize=True, deadline=None)
@given(st.integers(8, 5000), st.integers(8, 5000), st.integers(1000, 1 << 20))
def test_bands_are_equal_evenly_spaced_and_centred(height: int, width: int, most: int) -> None:
    bands = Bands.spread(height, width, most)
    if bands.all_rows:
        assert bands == Bands.whole(height)
        return
    tops = np.array([rows.start for rows in bands.slices])
    assert {rows.stop - rows.start for rows in bands.slices} == {BAND_ROWS}
    assert len(set(np.diff(tops))) == 1
    assert tops[1] - tops[0] >= BAND_ROWS
    assert abs(tops[0] - (height - bands.slices[-1].stop)) <= 1
    assert len(bands.y) * width <= max(most, FEWEST_BANDS * BAND_ROWS * width)
    assert len(bands.y) <= MOST_ROWS_SHARE * height
    assert_array_equal(bands.y, np.concatenate([np.arange(r.start, r.stop) for r in bands.slices]))


@pytest.mark.parametrize("most_rows", [0, 1, 7, 12, 24, 1000])
@pytest.mark.parametrize("bands", [Bands.whole(100), Bands(3, 24, 30, 4)])
def test_pieces_hold_every_row_once_and_cross_no_gap(bands: Bands, most_rows: int) -> None:
    pieces = bands.cut(most_rows)
    rows = np.concatenate([np.arange(piece.start, piece.stop) for piece in pieces])
    assert_array_equal(rows, np.arange(len(bands.y)))
    for piece in pieces:
        assert 1 <= piece.stop - piece.start <= max(most_rows, 1)
        assert_array_equal(np.diff(bands.y[piece]), 1.0)


@pytest.mark.parametrize("bands", [Bands.whole(100), Bands(3, 24, 30, 4)])
def test_pieces_may_be_asked_for_in_multiples(bands: Bands) -> None:
    pieces = bands.cut(40, multiple=12)
    inner = [piece.stop - piece.start for piece in pieces if piece.stop % bands.rows]
    assert all(length % 12 == 0 for length in inner)
    assert sum(piece.stop - piece.start for piece in pieces) == len(bands.y)


@pytest.mark.parametrize("bands", [Bands.whole(100), Bands(5, 24, 60, 9)])
@pytest.mark.parametrize("most_rows", [1, 10, 24, 50, 100, 1000])
def test_groups_cover_every_row_once_and_hold_whole_bands(bands: Bands, most_rows: int) -> None:
    groups = bands.groups(most_rows)
    rows = [row for group in groups for row in range(group.start, group.stop)]
    assert rows == list(range(bands.count * bands.rows))
    for group in groups:
        assert group.stop - group.start <= most_rows
    if most_rows >= 2 * bands.rows:
        assert all(group.start % bands.rows == 0 for group in groups)
