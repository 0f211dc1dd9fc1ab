"""A search window finds where a tile fits best, and says whether another place comes near to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.displacements.windows import (
    FEWEST_POSITIONS,
    PEAK_RADIUS,
    REACH,
    STATIONARY,
    Windows,
    WindowSearch,
)
from tests.engine.displacements.pairs import drawn, level_pair, noisy, shift, speckle
from tests.scenes import about

SIZE = (160, 120)
SCENE = speckle(3)
CORNERS = np.array([[30, 30], [70, 52], [100, 70], [48, 80]])
TILES = Tiles(CORNERS, 16, 1.0)


def found_at(x: float, y: float, *, warp: np.ndarray | None = None, **pair: object) -> Windows:
    """Windows of a pair whose tiles are found (x, y) from where they stand."""
    there = np.eye(3) if warp is None else warp
    source = drawn(SCENE, SIZE, shift(-x, -y) @ np.linalg.inv(there))
    return Windows(level_pair(source, drawn(SCENE, SIZE), warp=there, **pair))


@pytest.mark.parametrize("by", [(0, 0), (1, -1), (3, -2), (-9, 4), (7, 9)])
def test_the_best_place_is_found(by: tuple[int, int]) -> None:
    found = found_at(*by).search(TILES)
    assert found.tested.all()
    assert_array_equal(found.offset, np.tile(by, (len(TILES), 1)))
    assert (found.peak > 0.999).all()
    assert found.distinct.all()
    assert (found.stationary == (max(map(abs, by)) <= STATIONARY)).all()


@pytest.mark.parametrize(("x", "stationary"), [(1, True), (-1, True), (2, False), (-2, False)])
def test_a_pixel_away_is_stationary_and_two_are_not(x: int, stationary: bool) -> None:
    for by in ((x, 0), (0, x)):
        assert (found_at(*by).search(TILES).stationary == stationary).all()


def test_under_a_warp_the_place_is_that_of_the_target() -> None:
    turn = about(SIZE, np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    found = found_at(4, -2, warp=turn).search(TILES)
    assert_array_equal(found.offset, np.tile([4, -2], (len(TILES), 1)))


def test_both_planes_are_searched_as_one() -> None:
    scene = drawn(SCENE, SIZE)
    target = [np.tile(scene[60], (120, 1)), np.tile(scene[:, 80:81], (1, 160))]
    source = [np.roll(each, (-3, 5), (0, 1)) for each in target]
    found = Windows(level_pair(source, target)).search(TILES)
    assert_array_equal(found.offset, np.tile([5, -3], (len(TILES), 1)))
    assert found.distinct.all()
    # Each alone leaves it open along its own direction.
    for one in zip(source, target, strict=True):
        assert not Windows(level_pair(*one)).search(TILES).distinct.any()


def test_at_the_rim_of_its_window_a_tile_has_not_found_its_match() -> None:
    for by, distinct in (((REACH - 1, 0), True), ((REACH, 0), False), ((0, -REACH), False)):
        found = found_at(*by).search(TILES)
        assert_array_equal(found.offset, np.tile(by, (len(TILES), 1)))
        assert (found.distinct == distinct).all()
    far = found_at(13, 0)
    assert not (far.search(TILES).peak > 0.9).any()
    assert_array_equal(far.search(TILES, reach=20).offset, np.tile([13, 0], (len(TILES), 1)))


def test_windows_are_clipped_at_the_borders_and_not_asked_where_too_little_is_left() -> None:
    tiles = Tiles(np.array([[0, 0], [144, 104], [144, 0], [60, 104]]), 16, 1.0)
    found = found_at(0, 0).search(tiles)
    assert found.tested.all()
    assert_array_equal(found.offset, np.zeros((4, 2)))
    assert found.distinct.all()
    places = [(REACH + 1) ** 2] * 3 + [(REACH + 1) * (2 * REACH + 1)]
    assert found.chance == pytest.approx(np.mean([9.0 / each for each in places]))
    # A strip, so narrow that few places are left: 21 by 1.
    inside = np.zeros(SIZE[::-1], np.bool_)
    inside[30:46] = True
    middle = Tiles(np.array([[70, 30]]), 16, 1.0)
    assert 2 * REACH + 1 < FEWEST_POSITIONS
    assert not found_at(0, 0, inside=inside).search(middle).tested.any()
    inside[46] = True
    found = found_at(0, 0, inside=inside).search(middle)
    assert found.tested.all()
    assert found.chance == pytest.approx(9.0 / 42.0)


def test_the_chance_of_a_place_in_a_whole_window() -> None:
    assert found_at(0, 0).search(TILES).chance == pytest.approx(9.0 / (2 * REACH + 1) ** 2)
    assert found_at(0, 0).search(TILES, reach=4).chance == pytest.approx(9.0 / 81.0)


def test_places_that_are_not_inside_are_no_places() -> None:
    by = (6, 0)
    inside = np.ones(SIZE[::-1], np.bool_)
    inside[40:90, 89:100] = False  # where the second tile would be found, and beside it
    windows = found_at(*by, inside=inside)
    found = windows.search(TILES)
    assert_array_equal(found.offset[[0, 2, 3]], np.tile(by, (3, 1)))
    assert found.tested[1]
    assert found.offset[1].tolist() != list(by)
    assert not found.distinct[1]
    # A tile that is not inside itself is not asked, nor counted.
    inside[60, 75] = False
    found = found_at(*by, inside=inside).search(TILES)
    assert_array_equal(found.tested, [True, False, True, True])
    assert not found.stationary[1]
    assert not found.distinct[1]


def test_masked_pixels_change_nothing() -> None:
    inside = np.ones(SIZE[::-1], np.bool_)
    inside[20:60, 90:130] = False
    source, target = drawn(SCENE, SIZE, shift(-3, 2)), drawn(SCENE, SIZE)
    spoilt = [np.where(inside, each, np.float32(55.0)) for each in (source, target)]
    clean, dirty = (
        Windows(level_pair(*pair, inside=inside)).search(TILES)
        for pair in ((source, target), spoilt)
    )
    for one, other in zip(
        (clean.tested, clean.offset, clean.distinct, clean.stationary),
        (dirty.tested, dirty.offset, dirty.distinct, dirty.stationary),
        strict=True,
    ):
        assert_array_equal(one, other)
    assert clean.chance == dirty.chance


def lattice(period: float, x: float = 0.0) -> np.ndarray:
    across, down = np.meshgrid(np.arange(160.0) + x, np.arange(120.0))
    waves = np.cos(2 * np.pi / period * across) + np.cos(2 * np.pi / period * down)
    return noisy(waves, 0.02, 1)


def test_on_a_lattice_no_place_is_distinct() -> None:
    found = Windows(level_pair(lattice(8.0), lattice(8.0))).search(TILES)
    assert found.tested.all()
    assert (found.peak > 0.99).all()
    assert not found.distinct.any()
    # One whose next place lies beyond the window has a single one in it.
    assert Windows(level_pair(lattice(26.0), lattice(26.0))).search(TILES).distinct[:3].all()


def test_a_rival_counts_by_how_near_it_comes() -> None:
    target = np.zeros((120, 160), np.float32)
    target[52:68, 70:86] = drawn(SCENE, (16, 16))
    other = drawn(speckle(8), (16, 16))
    patch, tile = target[52:68, 70:86], Tiles(np.array([[70, 52]]), 16, 1.0)
    for share, distinct in ((0.2, False), (1.2, True)):
        source = target.copy()
        # A copy beside it, worse by so much noise.
        source[52:68, 70 + 18 : 86 + 18] = patch + share * other
        found = Windows(level_pair(source, target)).search(tile, reach=20)
        assert found.offset[0].tolist() == [0, 0]
        assert found.distinct[0] == distinct
    local_field = target.copy()
    local_field[52:68, 70 + PEAK_RADIUS - 1 : 86 + PEAK_RADIUS - 1] = patch
    found = Windows(level_pair(local_field, target)).search(tile)
    assert found.offset[0].tolist() == [PEAK_RADIUS - 1, 0]
    assert found.distinct[0]


def test_the_best_of_what_does_not_agree_is_no_match() -> None:
    source, target = drawn(speckle(8), SIZE), drawn(SCENE, SIZE)
    found = Windows(level_pair(source, target)).search(TILES)
    assert found.tested.all()
    assert (found.peak < 0.8).all()
    negative = Windows(level_pair(-drawn(SCENE, SIZE), target)).search(TILES)
    assert not negative.stationary.any()
    flat = Windows(level_pair(np.zeros_like(target), target)).search(TILES)
    assert not flat.distinct.any()


@pytest.mark.parametrize("displaced", [(12, 0), (0, -9), (10, -14)])
def test_a_displaced_window_has_its_middle_elsewhere(displaced: tuple[int, int]) -> None:
    """The tile's own content, asked around a place that is not its own."""
    # Found where the window's middle is: stationary there, by accident as it were.
    there = found_at(*displaced).search(TILES, displaced)
    assert_array_equal(there.offset, np.zeros((len(TILES), 2)))
    assert there.stationary.all()
    back = found_at(0, 0).search(TILES, displaced)
    assert back.stationary.sum() <= 1  # by accident
    local_field = max(map(abs, displaced)) <= REACH
    if local_field:
        assert_array_equal(back.offset, -np.tile(displaced, (len(TILES), 1)))


def test_a_displaced_window_beyond_the_borders_is_not_asked() -> None:
    windows = found_at(0, 0)
    assert_array_equal(windows.search(TILES, (-40, 0)).tested, [False, True, True, True])
    assert_array_equal(windows.search(TILES, (50, 0)).tested, [True, True, False, True])
    assert_array_equal(windows.search(TILES, (0, -60)).tested, [False, False, True, True])
    nothing = windows.search(TILES, (500, 500))
    assert not nothing.tested.any()
    assert not nothing.stationary.any()
    assert nothing.chance == 1.0


def test_searches_of_some_tiles_and_of_the_others_are_that_of_all() -> None:
    windows, both = found_at(1, -1), np.array([0, 1, 2, 3])
    for at in ((0, 0), (-40, 0), (500, 500)):
        parts = (windows.search(TILES.subset(some), at) for some in (both < 1, both >= 1))
        concatenated, whole = next(parts).concatenated(next(parts)), windows.search(TILES, at)
        for name in ("tested", "offset", "peak", "stationary", "distinct"):
            assert_array_equal(getattr(concatenated, name), getattr(whole, name))
        assert concatenated.chance == pytest.approx(whole.chance)


def test_the_shape_is_that_of_the_level() -> None:
    assert found_at(0, 0).shape == (120, 160)


@pytest.mark.parametrize("seed", range(8))
def test_the_most_that_agree_are_those_of_the_fullest_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offset = rng.integers(-REACH, REACH + 1, (40, 2))
    offset[: 3 * seed] = rng.integers(-STATIONARY, STATIONARY + 1, (3 * seed, 2)) + np.array(
        [4, -7]
    )
    tested = rng.random(40) < 0.8
    nothing = np.zeros(40, np.bool_)
    chance = (2 * STATIONARY + 1) ** 2 / (2 * REACH + 1) ** 2
    search = WindowSearch(tested, offset, np.ones(40), nothing, nothing, chance)
    most = max(
        int((np.abs(offset[tested] - (x, y)).max(axis=1) <= STATIONARY).sum())
        for x in range(-REACH - 1, REACH + 2)
        for y in range(-REACH - 1, REACH + 2)
    )
    assert search.consensus == (most if seed > 1 else 0)
    assert replace(search, stationary=tested).consensus == tested.sum()
