from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import corner_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.noise import noise_gain
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.records import Status
from align_cli.engine.search import intensity as module
from align_cli.engine.search import similarity
from align_cli.engine.search.intensity import CONTRAST_TO_NOISE, LEAST_SIDE, MOST_PIXELS, Intensity
from align_cli.engine.search.scoring import OverlapPlanes, Score, score
from align_cli.engine.search.similarity import COARSE_LEVELS, Task
from align_cli.engine.target.target import Target
from tests.engine.search.similarities import SIZE, TRUTH, intensity, windows
from tests.photographs import NAMES, cut, photograph, shifted


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as pool:
        yield pool


@pytest.mark.parametrize("noise", [2.0, 20.0])
@pytest.mark.parametrize("name", NAMES)
def test_at_the_truth_most_tiles_agree_and_elsewhere_few(
    name: str, noise: float, threads: Threads
) -> None:
    seen = intensity(*windows(name, noise), threads)
    true, wrong = (seen.score(inverse(shifted(*by))) for by in ((-60, -40), (20, 10)))
    assert true.share >= 0.8
    assert wrong.share < 0.25
    assert true.agreeing_tiles > 3.0 * wrong.agreeing_tiles


def test_flat_parts_do_not_count(threads: Threads) -> None:
    source, target = windows("poster")
    for image, right in ((source, 60), (target, 0)):
        image[:, : 150 + right] = 128  # no noise either
    assert intensity(source, target, threads).score(inverse(TRUTH)).share >= 0.8


def test_without_overlap_nothing_agrees(threads: Threads) -> None:
    assert intensity(*windows("poster"), threads).score(shifted(5000, 0)) == (0.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_coarse_levels_bring_a_guess_to_rest(name: str, threads: Threads) -> None:
    seen = intensity(*windows(name), threads)
    coarse = seen.levels.coarse
    guess = inverse(shifted(-55, -44))
    found = seen.descend(guess, used=coarse + COARSE_LEVELS, finest=coarse)
    assert corner_error(found.warp, inverse(TRUTH), SIZE) < 1.0
    assert [each.level for each in found.records] == [coarse + 1, coarse]
    assert found.solved_planes == ()
    assert seen.score(found.warp).agreeing_tiles > seen.score(guess).agreeing_tiles


def test_guesses_are_looked_at_where_both_images_are_large_enough(threads: Threads) -> None:
    image = photograph("poster")
    wide = np.tile(image, (4, 4))[:700, :900]
    target = Target(luma(wide), Options())
    for side in (90, 350):
        pair = Pair(luma(cut(image, (side, side), 0, 0)), target)
        task = Task(pair, MODELS["rigid"], LOSSES["tukey"], Options(), threads)
        coarse, fine = Intensity(task).levels
        assert fine <= coarse
        assert side / 2**coarse >= LEAST_SIDE > side / 2 ** (coarse + 1)
        assert target.pixels(fine) <= MOST_PIXELS or fine == coarse


def test_guesses_of_a_long_strip_are_looked_at_where_it_is_small(threads: Threads) -> None:
    strip = np.tile(photograph("poster")[:90], (1, 12))
    coarse = intensity(strip, strip.copy(), threads).levels.coarse
    width, height = strip.shape[1] >> coarse, strip.shape[0] >> coarse
    assert width * height <= MOST_PIXELS < 4.2 * width * height


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("x", "y"), [(100, 80), (0, 0), (3, 150), (230, 0), (301, 207)])
def test_the_score_of_the_part_that_a_source_reaches_is_that_of_all(
    x: int, y: int, masked: bool, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = photograph("poster")
    valid = np.ones(image.shape, np.bool_)
    valid[y + 20 : y + 40] = not masked
    target = Target(luma(cut(image, image.shape[::-1], 0, 0), mask=valid), Options())
    source = luma(cut(image, (90, 70), x, y, seed=1))
    task = Task(Pair(source, target), MODELS["rigid"], LOSSES["tukey"], Options(), threads)
    turned = inverse(shifted(x, y)) @ np.array([[1.0, -0.05, 3.0], [0.05, 1.0, -2.0], [0, 0, 1.0]])
    warps = (inverse(shifted(x, y)), turned)
    parts = [Intensity(task).score(warp) for warp in warps]
    monkeypatch.setattr(module, "_reached", lambda *_: None)
    for warp, part in zip(warps, parts, strict=True):
        # Of fewer tiles the mean contrast is another.
        assert part.agreeing_tiles == pytest.approx(
            Intensity(task).score(warp).agreeing_tiles, abs=0.3
        )


def test_no_more_of_a_large_target_is_looked_at_than_a_small_source_reaches() -> None:
    rows, columns = module._reached(inverse(shifted(100, 80)), (90, 70), (400, 320)) or (None, None)
    assert rows is not None
    assert columns is not None
    assert rows.start <= 80 - 12
    assert rows.stop >= 150 + 12
    assert columns.start <= 100 - 12
    assert columns.stop >= 190 + 12
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 0.25 * 400 * 320
    assert module._reached(np.eye(3), (390, 310), (400, 320)) is None
    assert module._reached(shifted(5000.0, 0.0), (90, 70), (400, 320)) is None


def test_guesses_are_scored_on_a_finer_level_than_they_rest_on(threads: Threads) -> None:
    assert intensity(*windows("poster"), threads).levels == (1, 0)
    # A source too small for any level is looked for where the target has no more pixels.
    image = photograph("poster")
    target = Target(luma(np.tile(image, (4, 4))[:700, :900]), Options())
    pair = Pair(luma(cut(image, (60, 60), 0, 0)), target)
    assert len(pair.levels) == 3
    task = Task(pair, MODELS["rigid"], LOSSES["tukey"], Options(), threads)
    assert Intensity(task).levels == (2, 2)
    assert target.pixels(2) <= MOST_PIXELS < target.pixels(1)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_contrast_of_a_tile_is_held_against_the_noise_of_both_as_they_are_seen(
    scale: float, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = photograph("poster")
    source, target = cut(image, (480, 360), 0, 0, noise=20.0), cut(image, (240, 180), 60, 40)
    seen = intensity(source, target, threads)
    of_source, of_target = seen.task.pair.noise
    assert of_source > 4.0 * of_target
    tested: list[float] = []

    def remembered(shown: OverlapPlanes, noise: float = 0.0) -> Score:
        tested.append(noise)
        return score(shown, noise)

    monkeypatch.setattr(module, "score", remembered)
    seen.score(np.diag([scale, scale, 1.0]))
    fine = seen.levels.fine
    level = fine + (scale == 2.0)  # half the source's pixels for one of the target's
    expected = CONTRAST_TO_NOISE * noise_gain(level) * of_source * noise_gain(fine) * of_target
    assert tested == [pytest.approx(expected)]


@pytest.mark.parametrize("told", [(0.97, None, 0.1), (None, None, None), (0.1, 0.2, 1.03)])
def test_one_level_that_tells_is_enough(
    told: tuple[float | None, ...], threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_levels = iter([None if each is None else each * similarity.LEAST_T for each in told])
    monkeypatch.setattr(similarity, "t_statistic", lambda _: next(of_levels))
    correlates = intensity(*windows("poster"), threads).correlates(inverse(TRUTH))
    assert correlates is (told[0] is None or told[-1] == 1.03)


def test_what_agrees_in_nothing_is_not_solved_to_the_end(threads: Threads) -> None:
    seen = intensity(windows("scan")[0], windows("poster")[1], threads)
    found = seen.descend(np.eye(3), used=len(seen.task.pair.levels))
    assert found.records[-1].status is Status.NO_AGREEMENT
    assert found.solved_planes == ()


@pytest.mark.parametrize("photometric", [True, False])
def test_the_illumination_is_told_where_it_is_solved_for(
    photometric: bool, threads: Threads
) -> None:
    source, target = windows("poster")
    seen = intensity(np.clip(0.5 * source, 0, 255).astype(np.uint8), target, threads)
    task = replace(seen.task, options=Options(photometric=photometric))
    illumination = Intensity(task).illumination(inverse(TRUTH))
    assert illumination.gain == pytest.approx(0.5 if photometric else 1.0, rel=0.05)


def test_all_rows_are_solved_where_the_source_may_lie_between_some(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = cut(photograph("poster"), (300, 340), 0, 0)
    part = large[100:200]
    for source, target, top, every in (
        (large, large, 0, False),
        (part, large, -100, True),
        # A target that its source reaches far beyond.
        (large, part, 100, False),
    ):
        seen = intensity(source, target, threads, "translation")
        whole, tested = seen.task.pair.target, list[int]()
        all_rows = whole.all_rows

        def remembered(level: int, tested: list[int] = tested, all_rows: Any = all_rows) -> Any:
            tested.append(level)
            return all_rows(level)

        monkeypatch.setattr(whole, "all_rows", remembered)
        seen.descend(shifted(0.0, top), used=len(seen.task.pair.levels))
        assert bool(tested) is every


def test_a_part_of_a_target_is_compared_alone(threads: Threads) -> None:
    source, target = windows("poster")
    valid = np.ones(target.shape, np.bool_)
    valid[:100] = False
    pair = Pair(luma(source), Target(luma(target, mask=valid), Options()))
    records: list[object] = []
    task = Task(pair, MODELS["rigid"], LOSSES["tukey"], Options(), threads, progress=records.append)
    part = np.zeros_like(valid)
    part[:, :150] = True
    among = Intensity(task).restricted_to(part)
    assert among is not None
    image = among.task.pair.target.image
    np.testing.assert_array_equal(image.valid, valid & part)
    assert not image.plane[~(valid & part)].any()
    assert among.task.pair.source is pair.source
    among.descend(inverse(TRUTH), used=1)
    assert records == []
    whole, half = Intensity(task).score(inverse(TRUTH)), among.score(inverse(TRUTH))
    assert half.agreeing_tiles < 0.65 * whole.agreeing_tiles
    assert half.share > 0.8
    part[2:] = False
    assert Intensity(task).restricted_to(part) is None
