"""What stays with the sensor loses its vote where the scene moves, and only there."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import Aligner, align
from align_cli.engine.check import check
from align_cli.engine.equations.pair import Pair
from align_cli.engine.images.fixed_pattern import FixedPattern, Kinds
from align_cli.engine.images.luma import luma
from align_cli.engine.options import Options
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.search import cleaned_pair as module
from align_cli.engine.search.cleaned_pair import cleaned_pair
from align_cli.engine.target.target import Target
from tests.engine.displacements.pairs import FINE_SIZE, pair_of, shift, speckle, view
from tests.engine.displacements.pairs import drawn as seen
from tests.engine.images.test_fixed_pattern import moved
from tests.engine.images.test_isolated_pixels import hot_places, stars

IDENTITY = np.eye(3)


def as_16_bits(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 65535).astype(np.uint16)


@cache
def night_sky(x: int, y: int, seed: int, hot: int = 50) -> np.ndarray:
    """60 stars, moved, with noise of its own and so many hot pixels that are not."""
    sky = np.roll(stars(1.1, seed=1), (y, x), (0, 1))
    sky = sky + np.random.default_rng(seed).normal(0.0, 3.0, sky.shape)
    sky[hot_places(hot)] += 1500.0
    return as_16_bits(sky)


def moves(found: Alignment, x: float, y: float) -> bool:
    return bool(np.abs(found.source_to_target - shift(x, y)).max() < 0.1)


@pytest.mark.parametrize("model", ["translation", "homography"])
def test_unmoved_stars_stay_aligned_among_hot_pixels(model: str) -> None:
    found = align(night_sky(0, 0, 1), night_sky(0, 0, 2), model=model)
    assert found.outcome.aligned, found.outcome.sentence
    assert_allclose(found.source_to_target, IDENTITY, atol=0.15)
    assert found.displacements is not None
    assert found.displacements.fixed_pattern is None


@pytest.mark.parametrize("by", [(9, 5)])
@pytest.mark.parametrize("model", ["translation", "homography"])
def test_the_motion_of_stars_is_found_among_hot_pixels(model: str, by: tuple[int, int]) -> None:
    source, target = night_sky(*by, 1), night_sky(0, 0, 2)
    found = align(source, target, model=model)
    assert found.outcome.aligned, found.outcome.sentence
    assert moves(found, -by[0], -by[1])
    assert found.displacements is not None
    pattern = found.displacements.fixed_pattern
    assert pattern is not None
    assert pattern.kinds == ("isolated pixels",)
    assert pattern.share == pytest.approx(50 / (240 * 320), abs=50 / (240 * 320))
    kept = align(source, target, model=model, keep_fixed_pattern=True)
    if kept.displacements is not None:
        assert kept.displacements.fixed_pattern is None


def test_all_tiles_are_those_of_the_images_without_it() -> None:
    aligner = Aligner(night_sky(0, 0, 2), model="translation")
    found = aligner.align(night_sky(9, 5, 1), all_tiles=True)
    assert found.outcome.aligned
    assert found.displacements is not None
    assert found.displacements.fixed_pattern is not None
    field = found.displacements.field
    assert (np.hypot(*field.displacement[field.matched].T) < 1.0).mean() > 0.9


@pytest.mark.parametrize("hot", [300])
def test_where_nearly_every_tile_has_a_hot_pixel(hot: int) -> None:
    source, target = night_sky(9, 5, 1, hot), night_sky(0, 0, 2, hot)
    kept = align(source, target, model="translation", keep_fixed_pattern=True)
    assert moves(kept, 0.0, 0.0)
    assert kept.displacements is not None
    assert kept.displacements.within_1_px > 0.9
    found = align(source, target, model="translation")
    assert found.outcome.aligned, found.outcome.sentence
    assert moves(found, -9.0, -5.0)
    still = align(night_sky(0, 0, 1, hot), target, model="translation")
    assert still.outcome.aligned
    assert moves(still, 0.0, 0.0)


def test_the_identity_that_somebody_gives_is_contradicted_by_the_stars() -> None:
    source, target = night_sky(9, 5, 1), night_sky(0, 0, 2)
    auto = check(source, target, IDENTITY, model="translation", similarity="auto")
    assert not auto.outcome.aligned
    told = check(source, target, IDENTITY, model="translation")
    kept = check(source, target, IDENTITY, model="translation", keep_fixed_pattern=True)
    assert not told.outcome.aligned
    assert any("rest on a fixed pattern" in reason for reason in told.outcome.reasons)
    assert not any("rest on a fixed pattern" in reason for reason in kept.outcome.reasons)
    unmoved = check(night_sky(0, 0, 1), target, IDENTITY, model="translation")
    assert unmoved.outcome.aligned, unmoved.outcome.sentence


def test_the_motion_of_stars_that_align_found_is_aligned_in_a_check() -> None:
    source, target = night_sky(9, 5, 1), night_sky(0, 0, 2)
    found = align(source, target, model="translation")
    told = check(source, target, found.source_to_target, model="translation")
    assert told.outcome.aligned, told.outcome.sentence
    assert told.displacements is not None
    assert told.displacements.fixed_pattern is not None
    assert told.displacements.fixed_pattern.kinds == ("isolated pixels",)
    assert told.quality.after.zncc == pytest.approx(found.quality.after.zncc, abs=0.02)
    off = found.source_to_target + np.array([[0, 0, 4.0], [0, 0, 0], [0, 0, 0]])
    assert not check(source, target, off, model="translation").outcome.aligned


def fax(x: int, y: int) -> np.ndarray:
    """(240, 320) uint8, black and white: a page of text, with 50 black pixels that never move."""
    page = np.full((240, 320), 255, np.uint8)
    words = "the quick brown fox jumps over the lazy dog"
    for line in range(-1, 13):
        at = 15 + x, 20 * line + y
        cv2.putText(page, words[2 * line + 2 :][:22], at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0)
    page = np.where(page < 128, 0, 255).astype(np.uint8)
    cells = np.random.default_rng(5).choice(30 * 40, 50, replace=False)
    page[cells // 40 * 8 + 3, cells % 40 * 8 + 3] = 0
    return page


@pytest.mark.parametrize("model", ["translation", "homography"])
def test_an_unmoved_fax_stays_aligned_and_a_moved_one_is_found(model: str) -> None:
    still = align(fax(0, 0), fax(0, 0), model=model)
    assert still.outcome.aligned, still.outcome.sentence
    assert_allclose(still.source_to_target, IDENTITY, atol=0.02)
    gone = align(fax(6, 3), fax(0, 0), model=model)
    assert gone.outcome.aligned, gone.outcome.sentence
    assert moves(gone, -6.0, -3.0)


def under_a_mount(x: int, y: int, seed: int, *, contrast: float = 0.2) -> np.ndarray:
    """(240, 320) uint8: a scene of little contrast in a black round aperture that stays."""
    down, across = np.mgrid[:240, :320]
    scene = 110.0 + contrast * (moved(x, y) - 110.0)
    image = np.where(np.hypot(across - 159.5, down - 119.5) < 110.0, scene, 4.0)
    noise = np.random.default_rng(seed).normal(0.0, 1.0, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def test_an_aperture_does_not_hold_the_scene_in_it() -> None:
    source, target = under_a_mount(12, 7, 1), under_a_mount(0, 0, 2)
    found = align(source, target, model="translation")
    assert found.outcome.aligned, found.outcome.sentence
    assert moves(found, 12.0, 7.0)
    assert found.displacements is not None
    pattern = found.displacements.fixed_pattern
    assert pattern is not None
    assert pattern.kinds == ("constant areas",)
    assert pattern.share == pytest.approx(1.0 - np.pi * 110.0**2 / (240 * 320), abs=0.05)
    kept = align(source, target, model="translation", keep_fixed_pattern=True)
    assert kept.displacements is None or kept.displacements.fixed_pattern is None
    unmoved = align(under_a_mount(0, 0, 1), target, model="translation")
    assert unmoved.outcome.aligned
    assert_allclose(unmoved.source_to_target, IDENTITY, atol=0.05)


def text_window(seed: int, width: int, height: int) -> np.ndarray:
    numbers = np.random.default_rng([4, seed])
    page = np.full((height, width), 245, np.uint8)
    for y in range(14, height + 10, 18):
        x = 4
        while x < width - 20:
            letters = numbers.integers(97, 123, int(numbers.integers(2, 8)))
            grey = int(numbers.integers(10, 90))
            word = "".join(map(chr, letters))
            cv2.putText(page, word, (x, y), cv2.FONT_HERSHEY_PLAIN, 1.0, grey, 1, cv2.LINE_AA)
            x += 9 * len(letters) + 10
    return page


def screenshot(scrolled: int) -> np.ndarray:
    """(400, 600) uint8: a window full of text, a fifth of it a panel that scrolls."""
    page = text_window(1, 600, 400)
    page[:, 480:] = text_window(2, 120, 460)[scrolled : scrolled + 400]
    return page


@pytest.mark.parametrize("scrolled", [7, 23])
@pytest.mark.parametrize("model", ["translation", "homography"])
def test_a_panel_that_scrolls_does_not_move_its_window(model: str, scrolled: int) -> None:
    found = align(screenshot(0), screenshot(scrolled), model=model)
    assert found.outcome.aligned, found.outcome.sentence
    assert_allclose(found.source_to_target, IDENTITY, atol=0.02)
    assert found.displacements is not None
    assert found.displacements.fixed_pattern is None
    if scrolled == 7:
        second = found.displacements.second_motion
        assert second is not None
        assert second.share == pytest.approx(0.2, abs=0.07)
        # The source shows 7 px lower what the target shows.
        assert_allclose(second.shift_px, [0.0, 7.0], atol=0.1)
        assert second.where == "on the right"


def test_nothing_against_an_unmoved_window_in_a_check_either() -> None:
    found = check(screenshot(0), screenshot(7), IDENTITY, model="translation")
    assert found.outcome.aligned, found.outcome.sentence
    wrong = check(screenshot(0), screenshot(7), shift(0.0, -7.0), model="translation")
    assert not wrong.outcome.aligned


def pair_with(source: np.ndarray, target: np.ndarray) -> object:
    return pair_of(source.astype(np.float32), target.astype(np.float32))


def test_the_pair_without_what_stays() -> None:
    source, target = night_sky(9, 5, 1), night_sky(0, 0, 2)
    found = cleaned_pair(pair_with(source, target), Options())
    assert found is not None
    pair, pattern = found
    assert pattern.isolated is not None
    assert pattern.isolated[hot_places(50)].sum() > 40
    for image, raw in ((pair.source, source), (pair.target.image, target)):
        assert image.plane[pattern.isolated].max() < 1000.0
        assert_array_equal(image.plane[~pattern.isolated], raw[~pattern.isolated])
        assert image.valid is None
    assert cleaned_pair(pair_with(source, target), Options(keep_fixed_pattern=True)) is None
    assert cleaned_pair(pair_with(source[:-1], target), Options()) is None


def test_what_lies_under_masks_stays_nowhere() -> None:
    source, target = (night_sky(*by) / np.float32(65535) for by in ((9, 5, 1), (0, 0, 2)))
    left, top = (np.ones(source.shape, np.bool_) for _ in range(2))
    left[:, :160] = False
    top[:80] = False
    found = cleaned_pair(pair_of(source, target, source_valid=left, target_valid=top), Options())
    assert found is not None
    pair, pattern = found
    assert pattern.isolated is not None
    assert not pattern.isolated[:70, :150].any()
    assert pattern.isolated[80:, 160:].sum() > 10
    assert_array_equal(pair.source.valid, left)
    assert_array_equal(pair.target.image.valid, top)


def test_areas_are_invalid_in_both_and_planes_keep_their_units() -> None:
    pair = pair_with(under_a_mount(12, 7, 1), under_a_mount(0, 0, 2))
    found = cleaned_pair(pair, Options())
    assert found is not None
    without, pattern = found
    assert pattern.areas is not None
    for image, before in ((without.source, pair.source), (without.target.image, pair.target.image)):
        assert image.valid is not None
        assert not image.valid[pattern.areas].any()
        assert image.valid[100:140, 120:200].all()
        assert_array_equal(image.plane, before.plane)
        assert (image.scale, image.offset) == (before.scale, before.offset)


def test_where_nothing_stays_or_nothing_is_left_there_is_nothing_to_clean() -> None:
    scene = seen(speckle(1), FINE_SIZE)
    other = seen(speckle(1), FINE_SIZE, shift(-7.0, 3.0))
    assert cleaned_pair(view(scene, other).pair, Options()) is None
    blank = np.zeros((240, 320), np.float32)
    blank[100:106, 100:106] = 1.0
    noise = [np.random.default_rng(seed).normal(0.0, 1e-3, blank.shape) for seed in (1, 2)]
    assert cleaned_pair(pair_with(blank + noise[0], blank + noise[1]), Options()) is None


def test_of_a_large_pair_parts_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLED_PIXELS", 1 << 14)
    options, looked_at = Options(), []
    pattern = module.fixed_pattern

    def counted(*planes: np.ndarray, **named: Any) -> FixedPattern:
        looked_at.append(named["kinds"])
        return pattern(*planes, **named)

    monkeypatch.setattr(module, "fixed_pattern", counted)
    skies = [luma(night_sky(x, 0, x, hot=hot)) for x, hot in ((1, 400), (2, 400))]
    found = cleaned_pair(Pair(skies[0], Target(skies[1], options)), options)
    assert looked_at == [Kinds(spots=True, grid=False, areas=False)]
    assert found is not None
    assert found[1].isolated is not None
    assert found[1].isolated.sum() > 380
    clear = [luma(as_16_bits(200.0 * moved(x, 0) + x)) for x in (0, 9)]
    assert cleaned_pair(Pair(clear[0], Target(clear[1], options)), options) is None
    assert len(looked_at) == 1
