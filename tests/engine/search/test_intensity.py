from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from align_cli.engine.coordinates import corner_error, inverse
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.robust import LOSSES
from align_cli.engine.search import intensity as module
from align_cli.engine.search.intensity import LEAST_SIDE, MOST_PIXELS, Intensity
from align_cli.engine.search.similarity import COARSE_LEVELS, Task
from align_cli.engine.target import Target
from align_cli.engine.threads import Threads
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
    assert true.agreement > 3.0 * wrong.agreement


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
    assert found.solved == ()
    assert seen.score(found.warp).agreement > seen.score(guess).agreement


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
        assert part.agreement == pytest.approx(Intensity(task).score(warp).agreement, abs=0.3)


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
