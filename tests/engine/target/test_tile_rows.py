from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.numerics.row_bands import Bands
from align_cli.engine.target import tile_rows
from align_cli.engine.target.tile_rows import TILE_PX, rows_of_tiles

ALL = 1 << 30


def test_of_a_whole_level_every_row_is_in_a_tile() -> None:
    found = rows_of_tiles(Bands.whole(50), 40, ALL)
    assert found.runs == [slice(0, 50)]
    assert_array_equal(found.rows, np.arange(50))
    assert found.own.all()
    assert_array_equal(found.edges, [0, 49])
    assert_array_equal(found.tiles, [[0, 12, 24, 36, 48], [11, 23, 35, 47, 49]])


@pytest.mark.parametrize("most_pixels", [ALL, 40 * 60])
def test_a_run_has_a_row_more_on_each_side_but_at_the_end_of_a_band(
    most_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_rows, "GROUP_PIXELS", 40 * TILE_PX)
    bands = Bands(first=5, rows=36, period=50, count=4)
    found = rows_of_tiles(bands, 40, most_pixels)
    # Three rows of tiles in each of four bands; with few pixels every second or third of them.
    assert len(found.runs) == (12 if most_pixels == ALL else 6)
    assert found.tiles.shape == (2, len(found.runs))
    for n, run in enumerate(found.runs):
        first, last = found.rows[found.tiles[:, n]]
        assert last - first == TILE_PX - 1
        assert first % TILE_PX == 0
        assert run.start == first - (first % 36 > 0)
        assert run.stop == last + 1 + ((last + 1) % 36 > 0)
        assert found.own[found.tiles[0, n] : found.tiles[1, n] + 1].all()
    assert np.count_nonzero(found.own) == TILE_PX * len(found.runs)
    assert_array_equal(found.rows, np.concatenate([np.r_[run] for run in found.runs]))
    edges = sorted(found.rows[found.edges])
    assert edges == sorted(row for run in found.runs for row in (run.start, run.stop - 1))


def test_of_large_planes_no_fewer_groups_than_four_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tile_rows, "GROUP_PIXELS", 40 * TILE_PX)
    found = rows_of_tiles(Bands.whole(20 * TILE_PX), 40, 1)
    assert len(found.runs) == tile_rows.FEWEST_GROUPS
    assert [run.start for run in found.runs] == [(2 + 5 * n) * TILE_PX - 1 for n in range(4)]
