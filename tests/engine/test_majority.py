from __future__ import annotations

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.coordinates import corner_error, endpoint_error, inverse
from align_cli.engine.errors import ImageError
from align_cli.engine.luma import luma
from align_cli.engine.majority import MOST_PIXELS, TOO_MANY, Majority, practicable
from align_cli.engine.motion import MODELS
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.robust import LOSSES
from align_cli.engine.target import Target
from tests.photographs import NAMES, cut, photograph, shifted

SIZE = (240, 180)
MOST, REST = shifted(-6.0, 4.0), shifted(5.0, -7.0)
"""Where most of the source, and the rest of it, belongs in the target."""
LIMIT_PX = 0.15


def images(name: str, moving: float = 0.4, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A source part of which, from the left, moved by itself, and the target."""
    image = photograph(name)
    target = cut(image, SIZE, 40, 40, noise=noise)
    source, other = (
        cut(image, SIZE, 40 + round(to[0, 2]), 40 + round(to[1, 2]), noise=noise, seed=1)
        for to in (MOST, REST)
    )
    columns = round(moving * SIZE[0])
    source[:, :columns] = other[:, :columns]
    return source, target


def majority(source: np.ndarray, target: np.ndarray, model: str = "homography") -> Majority:
    pair = Pair(luma(source), Target(luma(target), Options()))
    return Majority(pair, model=MODELS[model], loss=LOSSES["tukey"], photometric=True)


@pytest.mark.parametrize("model", ["translation", "rigid", "affine", "homography"])
@pytest.mark.parametrize("name", NAMES)
def test_a_guess_comes_to_rest_on_its_own_motion(name: str, model: str) -> None:
    seen = majority(*images(name), model)
    shares = []
    # On the columns that show the one and the other: further on, and along a page's empty edge, the
    # answer is extrapolated.
    for truth, columns in ((MOST, slice(100, 230)), (REST, slice(10, 90))):
        settled = seen(inverse(truth) @ shifted(0.7, -0.6))
        assert settled is not None
        errors = endpoint_error(settled.warp, inverse(truth), SIZE)
        assert np.median(errors[:, columns]) < 0.25
        shares.append(seen.explained(inverse(truth)))
        assert settled.explained == pytest.approx(shares[-1], abs=0.02)
        assert seen.explained(inverse(truth) @ shifted(0.5, 0.0)) < 0.7 * shares[-1]
    assert 0.9 < sum(shares) < 1.0
    assert shares[0] > shares[1]


@pytest.mark.parametrize("noise", [0.0, 2.0, 10.0])
@pytest.mark.parametrize("name", NAMES)
def test_between_two_motions_hardly_anything_is_explained(name: str, noise: float) -> None:
    seen = majority(*images(name, noise=noise))
    between = inverse(shifted(*(0.5 * (MOST + REST))[:2, 2]))
    assert seen.explained(between) < 0.5 * seen.explained(inverse(MOST))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("gain", "bias"), [(1.0, 0.0), (0.6, 40.0), (0.4, 100.0)])
def test_all_of_a_plain_pair_is_explained_whatever_the_light(
    name: str, gain: float, bias: float
) -> None:
    image = photograph(name)
    # The light first, then the noise, which does not fade with it.
    target = cut(image, SIZE, 40, 40)
    source = cut(gain * image + bias, SIZE, 34, 44, seed=1)
    seen = majority(source, target)
    assert seen.explained(inverse(MOST)) > 0.94
    assert seen.explained(inverse(MOST) @ shifted(0.5, 0.0)) < 0.8
    found = align(source, target, model="homography")
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, MOST, SIZE) < 0.05
    assert found.gain == pytest.approx(gain, rel=0.01)
    assert found.bias == pytest.approx(bias / 255.0, abs=0.005)


def test_the_best_guess_explains_most() -> None:
    seen = majority(*images("poster"))
    found = seen.best([("rest", inverse(REST)), ("most", inverse(MOST)), ("far", shifted(90, 90))])
    assert found is not None
    assert found[0] == "most"
    assert seen.best([]) is None
    assert seen.best([("nowhere", shifted(5000.0, 0.0))]) is None


def test_only_what_agrees_takes_part() -> None:
    seen = majority(*images("poster"))
    valid = seen.restricted(inverse(MOST), Options()).target.image.valid
    assert valid is not None
    columns = valid.mean(axis=0)
    # The moving part's edge lies, in the target, where it is without its own motion.
    assert columns[120:220].mean() > 0.5
    assert columns[15:75].mean() < 0.1
    with pytest.raises(ImageError, match="no pixel"):
        seen.restricted(shifted(5000.0, 0.0), Options())


@pytest.mark.parametrize("name", NAMES)
def test_the_motion_of_most_is_found(name: str) -> None:
    source, target = images(name)
    found = align(source, target, model="homography")
    assert found.outcome.aligned or found.outcome.doubtful
    assert corner_error(found.source_to_target, MOST, SIZE) < LIMIT_PX


@pytest.mark.parametrize("name", ["poster", "scan", "exposure"])
def test_where_two_fifths_move_by_themselves_the_rest_is_aligned(name: str) -> None:
    assert align(*images(name), model="homography").outcome.aligned


def test_what_covers_two_fifths_does_not_lead_astray() -> None:
    source, target = images("poster", moving=0.0)
    source[:, :96] = cut(photograph("scan"), (96, 180), 100, 100)
    found = align(source, target, model="homography")
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, MOST, SIZE) < LIMIT_PX


def test_a_large_target_of_a_tiny_source_is_not_looked_at() -> None:
    image = photograph("poster")
    tiny = luma(cut(image, (12, 12), 30, 30))
    for side, small in ((200, True), (1500, False)):
        target = Target(luma(np.tile(image, (8, 8))[:side, :side]), Options())
        pair = Pair(tiny, target)
        assert practicable(pair) is small
        assert len(pair.levels) == 1
        assert (side * side > TOO_MANY * MOST_PIXELS) is not small


def patched(name: str, share: float) -> tuple[np.ndarray, np.ndarray]:
    """A pair whose source shows something else in patches of 20 px all over it."""
    source, target = images(name, moving=0.0)
    other = cut(photograph("poster" if name == "scan" else "scan"), SIZE, 60, 60, noise=2.0, seed=3)
    rng = np.random.default_rng(0)
    for y in range(0, SIZE[1], 20):
        for x in range(0, SIZE[0], 20):
            if rng.random() < share:
                source[y : y + 20, x : x + 20] = other[y : y + 20, x : x + 20]
    return source, target


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_explains_most_is_aligned_though_few_tiles_are_whole(name: str) -> None:
    source, target = patched(name, 0.4)
    found = align(source, target, model="homography")
    assert corner_error(found.source_to_target, MOST, SIZE) < 0.1
    assert found.outcome.aligned
