"""The evidence for an answer: right pairs settle it, unrelated ones do not, whatever they show."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements import evidence
from align_cli.engine.displacements.evidence import (
    ALLOWED_PX,
    ALLOWED_SHARE,
    FIRST_CONTROL_TILES,
    LOG10_NFA_CONCLUSIVE,
    MOST_CONTROL_TILES,
    MOST_TILES,
    ControlSearches,
    Evidence,
    LevelEvidence,
    allowed_px,
    control_offsets,
    gather_evidence,
)
from align_cli.engine.displacements.false_alarms import log10_binomial_tail
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.displacements.views import IntensityView, OrientationView
from align_cli.engine.displacements.windows import Windows, WindowSearch
from align_cli.engine.numerics.threads import at_most
from align_cli.engine.solver.orientation_levels import View
from tests.engine.displacements.pairs import (
    FINE_SIZE,
    as_luma,
    drawn,
    level_pair,
    noisy,
    pair_of,
    shift,
    speckle,
    text_page,
    view,
)

WIDTH, HEIGHT = FINE_SIZE
SETTINGS = {"parameters": 8, "tests": 1}


@cache
def scene(
    seed: int = 1, x: float = 0.0, y: float = 0.0, *, spread: float = 3.0, noise: float = 0.05
) -> np.ndarray:
    """Found (x, y) from where it stands in ``scene(seed)``; each call has noise of its own."""
    clean = drawn(speckle(seed, spread=spread), FINE_SIZE, shift(-x, -y))
    return noisy(clean, noise, round(1000 * seed + 100 * x + 10 * y) % 997)


def evidence_of(source: np.ndarray, target: np.ndarray, **settings: object) -> Evidence:
    found = gather_evidence(view(source, target), np.eye(3), **{**SETTINGS, **settings})
    assert found is not None
    return found


def asked_at(source: np.ndarray, target: np.ndarray, warp: np.ndarray) -> Evidence:
    found = gather_evidence(view(source, target), warp, parameters=2, tests=1)
    assert found is not None
    return found


def again(image: np.ndarray, noise: float = 0.05) -> np.ndarray:
    return noisy(image, noise, 77)


@pytest.mark.parametrize("by", [(0.0, 0.0), (0.4, -0.3), (1.0, 0.5)])
def test_a_right_answer_is_settled(by: tuple[float, float]) -> None:
    found = evidence_of(scene(1, *by), again(scene()))
    assert found.conclusive
    assert found.nearly_all
    assert found.log10_false_alarms < -5.0
    assert found.stationary == found.tested == found.tiles
    assert found.inlier_fraction == 1.0
    assert found.match_count == len(found.field)
    assert found.field.matched.all()
    assert found.far_share == 0.0
    assert found.allowed_px == ALLOWED_PX
    assert_allclose(np.median(found.field.displacement, axis=0), by, atol=0.05)


def test_nothing_finer_is_looked_at_than_what_settles_it() -> None:
    of_pair, all_levels = view(scene(), again(scene())), []

    @dataclass(frozen=True)
    class Watched(IntensityView):
        def at(self, warp: np.ndarray, level: int) -> LevelPair:
            all_levels.append(level)
            return super().at(warp, level)

    found = gather_evidence(Watched(of_pair.pair, of_pair.gain), np.eye(3), **SETTINGS)
    assert found is not None
    assert found.conclusive
    assert all_levels == [found.field.level] == [1]


def test_the_chance_is_measured_on_no_more_levels_than_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[LevelEvidence] = []
    by_level = LevelEvidence.log10_false_alarms

    def watched(level: LevelEvidence, parameters: int, tests: int) -> float:
        measured.append(level)
        return by_level(level, parameters, tests)

    monkeypatch.setattr(LevelEvidence, "log10_false_alarms", watched)
    right = evidence_of(scene(), again(scene()), periodic=True)
    assert right.log10_false_alarms < LOG10_NFA_CONCLUSIVE
    assert len(measured) == 1
    assert right.stationary == measured[0].counts[0]
    # Where none is sure, the surest counts.
    measured.clear()
    wrong = evidence_of(scene(10), again(scene()), periodic=True)
    assert len(measured) == len(wrong.all_levels()) > 1
    fewest = min(by_level(each, 8, len(measured)) for each in measured)
    assert wrong.log10_false_alarms == fewest > LOG10_NFA_CONCLUSIVE


@pytest.mark.parametrize("by", [(3.0, 0.0), (0.0, -3.0), (-2.5, 2.5), (0.0, 6.0)])
def test_three_pixels_off_is_not(by: tuple[float, float]) -> None:
    found = evidence_of(scene(1, *by), again(scene()))
    assert not found.conclusive
    assert found.inlier_fraction < 0.1
    # They do show the same thing: on a coarser level their tiles lie within a pixel.
    assert found.log10_false_alarms < -2.0
    assert found.match_count > 0.8 * len(found.field)
    known = found.field.displacement[found.distinct]
    assert_allclose(np.median(known, axis=0), by, atol=0.05)


def test_what_is_allowed_bites_on_both_sides() -> None:
    within, beyond = (
        evidence_of(scene(1, 1.8), again(scene())),
        evidence_of(scene(1, 2.4), again(scene())),
    )
    assert within.inlier_fraction > 0.95
    assert beyond.inlier_fraction < 0.05
    # Each tile is allowed its own uncertainty besides.
    noise = 0.9
    loose = evidence_of(scene(1, 2.1, noise=noise), again(scene(), noise))
    sigma = np.sqrt(np.trace(loose.field.covariance, axis1=1, axis2=2))
    assert np.median(sigma) > 0.1
    assert loose.inlier_fraction > 0.5
    assert (np.hypot(*loose.field.displacement[loose.inlier].T) > ALLOWED_PX).any()


@pytest.mark.parametrize("seed", range(4))
def test_unrelated_pictures_have_no_evidence(seed: int) -> None:
    for source, target in (
        (scene(10 + seed), scene()),
        (scene(10 + seed, spread=1.5), scene(1, spread=1.5)),
        (text_page(seed), text_page(seed + 50)),
    ):
        found = evidence_of(source, target)
        assert not found.conclusive
        assert found.log10_false_alarms > -2.0
        assert found.inlier_fraction < 0.5
        assert found.field.matched.mean() < 0.6


def test_more_tests_and_more_parameters_leave_less_evidence() -> None:
    pair = scene(), again(scene())
    one, many = (evidence_of(*pair, tests=tests).log10_false_alarms for tests in (1, 10))
    assert many == pytest.approx(one + 1.0)
    # Each pair of parameters takes one tile of 150, at a chance of a half.
    none = evidence_of(*pair, parameters=0).log10_false_alarms
    assert one == pytest.approx(none + 4.0 * math.log10(2.0))
    measured = [
        evidence_of(*pair, parameters=parameters, periodic=True).log10_false_alarms
        for parameters in (0, 8)
    ]
    assert measured[0] < measured[1] - 0.1


def lattice(period: float, x: float = 0.0) -> np.ndarray:
    across, down = np.meshgrid(np.arange(WIDTH) + x, np.arange(HEIGHT))
    waves = np.cos(2 * np.pi / period * across) + np.cos(2 * np.pi / period * down)
    return waves.astype(np.float32)


@pytest.mark.parametrize(("period", "conclusive"), [(8.0, False), (12.0, True)])
def test_of_a_periodic_target_the_chance_is_measured(period: float, conclusive: bool) -> None:
    source, target = (noisy(lattice(period), 0.05, seed) for seed in (1, 2))
    # Two periods of 8 px lie in one window and tell by themselves; of 12 px, the spectrum must.
    assert evidence_of(source, target).conclusive == conclusive
    periodic = evidence_of(source, target, periodic=True)
    assert not periodic.conclusive
    assert periodic.log10_false_alarms > -1.0
    # A target that is not periodic keeps its evidence where it is.
    other = evidence_of(scene(), again(scene()), periodic=True)
    assert not other.conclusive
    assert other.log10_false_alarms < -10.0
    assert other.inlier_fraction > 0.99


def test_all_tiles_are_asked_where_all_are_wanted() -> None:
    some, every = (
        evidence_of(scene(), again(scene()), all_tiles=wanted) for wanted in (False, True)
    )
    assert len(every.field) > 90
    assert len(every.field) >= len(some.field)
    assert every.field.level == 0
    assert every.inlier_fraction > 0.98
    size = 720, 540
    big = noisy(drawn(speckle(1, spread=1.5), size), 0.05, 1)
    limited = evidence_of(big, again(big), periodic=True)
    assert len(limited.field) <= MOST_TILES
    assert len(evidence_of(big, again(big), all_tiles=True).field) > 2 * MOST_TILES


def test_every_level_is_a_test_of_its_own() -> None:
    found = evidence_of(scene(), again(scene()))
    levels = len(view(scene(), again(scene())).levels)
    assert levels >= 4
    tail = log10_binomial_tail(found.stationary - 4, found.tested - 4, 0.5)
    assert found.log10_false_alarms == pytest.approx(tail + math.log10(4.0))


@dataclass(frozen=True)
class OneLevel:
    """A pair that has a single level, as it is given."""

    pair: LevelPair
    target_size: tuple[int, int] = FINE_SIZE
    source_size: tuple[int, int] = FINE_SIZE
    levels: range = range(1)

    def at(self, warp: np.ndarray, level: int) -> LevelPair:
        return self.pair


def test_tiles_that_cannot_be_asked_are_no_evidence() -> None:
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    inside[99:110, 99:110] = True  # a tile of 8 px and 9 places at most around it
    image = drawn(speckle(1), FINE_SIZE)
    pair = replace(level_pair(image, image, inside=inside), target_known=inside)
    found = gather_evidence(OneLevel(pair), np.eye(3), parameters=8, tests=100)
    assert found is not None
    assert found.tiles == 1
    assert found.tested == 0
    assert 0.0 < found.log10_false_alarms <= 2.0
    assert not found.distinct.any()
    assert found.inlier_fraction == 0.0


def test_it_looks_where_the_texture_can_tell() -> None:
    levels = []
    for spread, noise in ((1.0, 0.05), (4.0, 0.5), (12.0, 0.5)):
        source, target = (
            noisy(drawn(speckle(1, spread=spread), FINE_SIZE), noise, seed) for seed in (1, 2)
        )
        found = evidence_of(source, target, all_tiles=True)
        assert found.inlier_fraction > 0.9
        levels.append(found.field.level)
    assert levels == [0, 1, 2]


def test_where_only_fine_texture_agrees_full_size_settles_it() -> None:
    fine = drawn(speckle(1, spread=1.0), FINE_SIZE)
    source, target = (
        noisy(fine + 0.5 * drawn(speckle(seed, spread=10.0), FINE_SIZE), 0.05, seed)
        for seed in (20, 21)
    )
    found = evidence_of(source, target)
    assert found.conclusive
    assert found.field.level == 0
    assert found.coarse.pair.level == 1


@pytest.mark.parametrize(("share", "conclusive"), [(0.2, True), (0.7, False)])
def test_what_does_not_follow_is_counted_by_its_area(share: float, conclusive: bool) -> None:
    source = scene().copy()
    other = round(share * WIDTH)
    source[:, :other] = scene(1, 0.0, -6.0)[:, :other]
    found = evidence_of(source, again(scene()))
    assert found.conclusive == conclusive
    assert not found.nearly_all
    assert found.inlier_fraction == pytest.approx(1.0 - share, abs=0.08)
    left = found.field.position[:, 0] + found.field.side / 2 < other
    assert not found.inlier[left].any()
    moved = found.field.displacement[left & found.distinct]
    assert_allclose(np.median(moved, axis=0), [0.0, -6.0], atol=0.1)


def test_where_it_went_that_lies_further_than_a_window_reaches() -> None:
    source, target = scene(1, 110.0, spread=1.5), again(scene(1, spread=1.5))
    found = evidence_of(source, target)
    assert not found.conclusive
    assert found.far_share == pytest.approx((WIDTH - 110.0 - 16.0) / WIDTH, abs=0.2)
    assert_allclose(found.far_motion_px, [110.0, 0.0], atol=0.5)
    assert found.inlier_fraction < 0.2
    # Unrelated pictures went nowhere.
    nowhere = evidence_of(scene(12, spread=1.5), target)
    assert nowhere.far_share == 0.0
    assert all(map(math.isnan, nowhere.far_motion_px))


def test_what_is_blurred_where_it_stands_is_not_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Out of focus a tile finds no match on a fine level; on a coarser one it does, where it is."""
    looked_for: list[int] = []

    def watched(windows: Windows, tiles: Tiles, level: int) -> tuple[float, None]:
        looked_for.append(len(tiles))
        return 0.0, None

    monkeypatch.setattr(evidence, "far_motion", watched)
    sharp, other = scene(spread=2.0), scene(9, spread=2.0)
    blurred = noisy(cv2.GaussianBlur(sharp, (0, 0), 2.5), 3.0, 3)
    for half, there in ((blurred, True), (other, False)):
        looked_for.clear()
        source = sharp.copy()
        source[:, : WIDTH // 2] = half[:, : WIDTH // 2]
        found = evidence_of(source, again(sharp), periodic=True)
        lost = len(found.field) - np.count_nonzero(found.field.matched)
        assert lost > 0.2 * len(found.field)
        assert len(looked_for) == 1
        assert (looked_for[0] <= 3) == there


def test_tiles_away_take_part_in_the_share_that_follows() -> None:
    source = scene(1, 110.0, spread=1.5).copy()
    source[:, :100] = scene(1, spread=1.5)[:, :100]
    found = evidence_of(source, again(scene(1, spread=1.5)))
    # Of the tiles that lost their match, and they are half of all.
    assert 0.12 < found.far_share < 0.3
    stays = np.count_nonzero(found.inlier)
    expected = stays / (found.match_count + found.far_share * len(found.field))
    assert found.inlier_fraction == pytest.approx(expected)
    assert expected < 0.75 * stays / found.match_count


PAGE_AT, CROP = (200, 150), 28


def crop_of_page(*, again: bool = False) -> Evidence:
    """A crop of a page with room for few tiles, where it belongs; shown again elsewhere, or not."""
    page = text_page(3, (640, 480))
    x, y = PAGE_AT
    crop = page[y : y + CROP, x : x + CROP].copy()
    if again:
        page[300 : 300 + CROP, 400 : 400 + CROP] = crop
    return asked_at(noisy(crop, 0.02, 1), noisy(page, 0.02, 2), shift(-x, -y))


def test_a_crop_with_room_for_few_tiles_is_believed_by_all_other_places() -> None:
    found = crop_of_page()
    assert found.tiles < 6
    assert found.log10_false_alarms < -3.0
    assert not found.ambiguous


def test_a_crop_that_is_shown_twice_is_ambiguous() -> None:
    found = crop_of_page(again=True)
    assert found.ambiguous
    assert found.log10_false_alarms >= 0.0


def test_nothing_is_said_where_no_tile_can_tell() -> None:
    flat = np.zeros((HEIGHT, WIDTH))
    pair = view(noisy(flat, 0.05, 1), noisy(flat, 0.05, 2))
    assert gather_evidence(pair, np.eye(3), **SETTINGS) is None
    assert gather_evidence(view(scene(), again(scene())), shift(5e3, 0.0), **SETTINGS) is None


def test_masked_pixels_take_no_part() -> None:
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    valid[:, : WIDTH // 2] = False
    source, target = scene(1, 0.3).copy(), again(scene()).copy()
    source[:, : WIDTH // 2] = scene(1, 4.0)[:, : WIDTH // 2]
    found = gather_evidence(
        view(source, target, source_valid=valid, target_valid=valid), np.eye(3), **SETTINGS
    )
    assert found is not None
    assert found.conclusive
    assert (found.field.position[:, 0] - found.field.side / 2 >= WIDTH // 2 - 1).all()
    assert found.inlier_fraction == 1.0


def test_orientations_tell_it_too() -> None:
    clean = drawn(speckle(1, spread=3.0), FINE_SIZE)
    target = noisy(clean, 0.02, 1)

    def seen(by: float) -> OrientationView:
        moved = drawn(speckle(1, spread=3.0), FINE_SIZE, shift(-by, 0.0))
        pair = pair_of(noisy(-moved, 0.02, 2), target)
        return OrientationView(
            View(pair.source, pair.levels), View(as_luma(target), pair.target.levels)
        )

    right, wrong = (gather_evidence(seen(by), np.eye(3), **SETTINGS) for by in (0.0, 4.0))
    assert right is not None
    assert wrong is not None
    assert right.conclusive
    assert right.inlier_fraction > 0.95
    assert not wrong.conclusive
    assert wrong.inlier_fraction < 0.1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_what_is_allowed_is_a_share_of_the_overlaps_diagonal(level: int) -> None:
    inside = np.zeros((3000, 2500), np.bool_)
    assert allowed_px(inside, level) == ALLOWED_PX
    inside[100:700, 200:1000] = True
    diagonal = 2.0**level * 1000.0
    assert allowed_px(inside, level) == max(ALLOWED_PX, ALLOWED_SHARE * diagonal)
    inside[2000:, 300:] = True
    assert allowed_px(inside, level) == pytest.approx(
        2.0**level * ALLOWED_SHARE * math.hypot(2900.0, 2300.0)
    )


def test_displaced_windows_tell_the_same_on_any_number_of_threads() -> None:
    pair, found = level_pair(scene(1, 6.0, 0.0), again(scene())), []
    for count in (1, 3):
        with at_most(count):
            found.append(LevelEvidence(pair, MOST_TILES).counts_and_chance)
    assert found[0] == found[1]
    assert math.isfinite(found[0][2].concentration)


def test_a_few_tiles_are_asked_at_displaced_windows_and_more_where_they_leave_a_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searched: list[int] = []
    search = Windows.search

    def watched(windows: Windows, tiles: Tiles, at: tuple[int, int] = (0, 0)) -> WindowSearch:
        searched.append(len(tiles) if any(at) else 0)
        return search(windows, tiles, at)

    monkeypatch.setattr(Windows, "search", watched)
    for seed, sure in ((1, True), (10, False)):
        searched.clear()
        level = LevelEvidence(level_pair(scene(seed), again(scene())), MOST_TILES)
        with at_most(1):
            assert (level.log10_false_alarms(8, 1) <= LOG10_NFA_CONCLUSIVE) == sure
        most = FIRST_CONTROL_TILES if sure else MOST_CONTROL_TILES
        assert sum(searched) == most * len(control_offsets(16))
    # All that were asked count, none twice.
    monkeypatch.undo()
    whole, parts = (LevelEvidence(level.pair, MOST_TILES) for _ in range(2))
    tiles = whole.tiles.evenly_spaced(MOST_CONTROL_TILES)
    expected = ControlSearches.of(
        [whole.windows.search(tiles, at) for at in ((0, 0), *control_offsets(16))]
    )
    whole.__dict__["_displaced"] = expected
    assert parts.counts_and_chance == whole.counts_and_chance


def test_displaced_windows_lie_all_around_and_none_at_home() -> None:
    places = control_offsets(16)
    assert len(set(places)) == len(places) == 32
    assert {(-x, -y) for x, y in places} == set(places)
    assert {(y, x) for x, y in places} == set(places)
    assert min(max(abs(x), abs(y)) for x, y in places) == 24
    assert max(max(abs(x), abs(y)) for x, y in places) == 68
    kinds = {(x == 0, y == 0, x == y) for x, y in places}
    assert len(kinds) == 4


@pytest.mark.parametrize(("ratio", "level"), [(0.5, 0), (1.0, 0), (2.0, 1), (4.0, 2)])
def test_no_level_is_looked_at_that_shows_more_than_the_source(ratio: float, level: int) -> None:
    size = (round(640 / ratio), round(480 / ratio))
    texture, coarser = speckle(1, spread=12.0), np.diag([ratio, ratio, 1.0])
    source, target = drawn(texture, size, coarser), drawn(texture, (640, 480))
    warp = np.diag([1.0 / ratio, 1.0 / ratio, 1.0])
    for all_tiles in (False, True):
        found = gather_evidence(
            view(noisy(source, 0.02, 1), noisy(target, 0.02, 2)),
            warp,
            all_tiles=all_tiles,
            **SETTINGS,
        )
        assert found is not None
        finest = min(each.pair.level for each in found.all_levels())
        assert finest == level
