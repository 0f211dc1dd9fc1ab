"""Tiles that find nothing nearby are looked for everywhere; one alone is believed nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements.global_search import FIRST_TILES, MOST_TILES, far_motion
from align_cli.engine.displacements.tiles import Tiles, textured_tiles
from align_cli.engine.displacements.windows import Windows, WindowSearch
from tests.engine.displacements.pairs import drawn, level_pair, noisy, shift, speckle

SIZE = (240, 160)
SCENE = speckle(3, spread=1.5)


def looked_for(
    source: np.ndarray, level: int = 0
) -> tuple[Tiles, tuple[float, tuple[float, float] | None]]:
    pair = level_pair(source, drawn(SCENE, SIZE))
    tiles = textured_tiles(pair, most=60)
    return tiles, far_motion(Windows(pair), tiles, level)


@pytest.mark.parametrize("by", [(40, 0), (-60, 30), (0, -50)])
@pytest.mark.parametrize("level", [0, 2])
def test_where_they_all_went(by: tuple[int, int], level: int) -> None:
    source = noisy(drawn(SCENE, SIZE, shift(-by[0], -by[1])), 0.02, 1)
    tiles, (share, motion) = looked_for(source, level)
    assert motion is not None
    assert_allclose(motion, 2.0**level * np.array(by, float), atol=0.5)
    there = tiles.corner + by
    seen = ((there >= 0) & (there + tiles.side <= SIZE)).all(axis=1).mean()
    assert share == pytest.approx(seen, abs=0.1)


def test_the_larger_of_two_motions_is_told() -> None:
    source = drawn(SCENE, SIZE, shift(-40, 0))
    source[110:] = drawn(SCENE, SIZE, shift(50, 0))[110:]
    _, (share, motion) = looked_for(noisy(source, 0.02, 1))
    assert motion is not None
    assert_allclose(motion, [40.0, 0.0], atol=0.5)
    assert 0.3 < share < 0.7


def test_other_content_went_nowhere() -> None:
    for seed in (8, 9):
        other = drawn(speckle(seed, spread=1.5), SIZE)
        assert looked_for(other)[1] == (0.0, None)
    assert looked_for(np.zeros(SIZE[::-1], np.float32))[1] == (0.0, None)


@pytest.mark.parametrize("related", [False, True])
def test_where_none_of_a_few_is_found_the_others_are_not_asked(
    related: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[np.ndarray] = []
    search = Windows.search

    def watched(windows: Windows, tiles: Tiles, *, reach: int) -> WindowSearch:
        searched.append(tiles.corner)
        return search(windows, tiles, reach=reach)

    monkeypatch.setattr(Windows, "search", watched)
    there = drawn(SCENE, SIZE, shift(-40, 0))
    tiles, _ = looked_for(there if related else np.zeros_like(there))
    tested = np.concatenate(searched)
    assert len(tiles) > 2 * FIRST_TILES
    expected = min(len(tiles), MOST_TILES) if related else FIRST_TILES
    assert len(tested) == len(np.unique(tested, axis=0)) == expected
    # The few lie all over.
    assert np.ptp(searched[0][:, 1]) > 0.9 * np.ptp(tiles.corner[:, 1])


def test_a_single_tile_that_is_found_is_believed_nothing() -> None:
    tile = Tiles(np.array([[100, 80]]), 16, 1.0)
    pair = level_pair(drawn(SCENE, SIZE, shift(-40, 0)), drawn(SCENE, SIZE))
    windows = Windows(pair)
    assert windows.search(tile, reach=240).offset[0].tolist() == [40, 0]
    assert far_motion(windows, tile, 0) == (0.0, None)
