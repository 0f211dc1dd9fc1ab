"""Pairs that start far apart: found, or refused; never called aligned and wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli import Alignment, align
from align_cli.engine.equations import dense as moments
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corner_error, inverse
from align_cli.engine.numerics import threads as threads_module
from align_cli.engine.options import POSES, START_NAMES
from align_cli.workers import Workers
from tests.photographs import NAMES, cut, photograph, quarter_turns, shifted

SIZE = (240, 200)


def check(found: Alignment, truth: np.ndarray, limit_px: float = 0.1) -> None:
    assert found.outcome.aligned, found.outcome.sentence
    error = corner_error(found.source_to_target, truth, found.source_size)
    assert error < limit_px


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", ["translation", "rigid"])
def test_little_overlap(name: str, model: str) -> None:
    image = photograph(name)
    source, target = cut(image, SIZE, 130, 70), cut(image, SIZE, 0, 0)  # 30 %
    found = align(source, target, model=model)
    check(found, shifted(130, 70), 0.15)
    assert found.start != "identity"
    assert not align(source, target, model=model, init="identity").outcome.aligned


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns(name: str, turns: int) -> None:
    image = photograph(name)
    turned, truth = quarter_turns(image, turns)
    noisy = cut(turned, turned.shape[::-1], 0, 0)
    check(align(noisy, image, model="similarity"), truth)


@pytest.mark.parametrize("angle", [65.0, 200.0])
@pytest.mark.parametrize("scale", [0.6, 1.0, 1.6])
def test_rotation_and_scale(angle: float, scale: float) -> None:
    image = photograph("poster")
    matrix = cv2.getRotationMatrix2D((240.0, 180.0), angle, scale)
    size = image.shape[::-1]
    if scale < 1.0:  # what the smaller picture cannot hold
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / scale)
    source = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    found = align(source, image)
    check(found, inverse(np.vstack([matrix, [0.0, 0.0, 1.0]])), 0.5)


def test_both_masks_and_sizes_count() -> None:
    image = photograph("scan")
    target = np.dstack([image, np.full_like(image, 255)])
    source = np.dstack([cut(image, (260, 220), 180, 300), np.full((220, 260), 255, np.uint8)])
    # A frame that both share, in the same place, and that nobody should see.
    for pixels in (source, target):
        pixels[:60, :, 0] = np.arange(pixels.shape[1]) % 7 * 36
        pixels[:60, :, 1] = 0
    check(align(source, target, model="rigid"), shifted(180, 300))


@pytest.mark.parametrize("init", START_NAMES)
def test_a_start_by_name_is_the_only_one(init: str) -> None:
    image = photograph("poster")
    turned, truth = quarter_turns(image, 2)
    how = "gradient" if init == POSES else "intensity"
    found = align(turned, image, model="rigid", init=init, similarity=how)
    if init in ("fourier", "features", POSES):
        check(found, truth)
        assert found.start == init
    else:
        assert not found.outcome.aligned
        assert found.start in ("identity", init)


def test_a_start_without_a_guess_begins_with_the_images_as_they_lie() -> None:
    image = photograph("poster")
    source, target = cut(image, SIZE, 103, 52), cut(image, SIZE, 100, 50)
    found = align(source, target, model="translation", init="fourier")  # knows only rotations
    check(found, shifted(3, 2))
    assert found.start == "identity"


def test_an_unknown_start_is_an_error() -> None:
    image = photograph("poster")
    with pytest.raises(ValueError, match="choose similarity 'gradient' or 'auto'"):
        align(image, image, init=POSES)
    with pytest.raises(ValueError, match="unknown init 'sift'; choose one of auto, identity"):
        align(image, image, init="sift")
    with pytest.raises(ImageError, match="finite"):
        align(image, image, init=np.full((3, 3), np.nan))


def test_before_is_how_the_images_lie() -> None:
    image = photograph("poster")
    turned, _ = quarter_turns(image, 2)
    found = align(turned, image, model="rigid")
    assert found.start == "fourier"
    assert abs(found.quality.before.zncc) < 0.5
    assert found.quality.after.zncc > 0.99


def test_a_part_that_moves_by_itself() -> None:
    image = photograph("poster")
    source, target = cut(image, (420, 320), 30, 20), cut(image, (420, 320), 22, 26)
    source[100:300, 180:380] = cut(image, (200, 200), 230, 105)  # a third, 20 px to the right
    check(align(source, target, model="rigid"), shifted(8, -6))


def test_a_part_that_shows_something_else() -> None:
    image = photograph("poster")
    source, target = cut(image, (420, 320), 40, 30), cut(image, (420, 320), 0, 0)
    source[60:250, 100:300] = cut(photograph("scan"), (200, 190), 100, 60)  # a third of the overlap
    check(align(source, target, model="rigid"), shifted(40, 30))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("one", "other"), [("poster", "scan"), ("scan", "exposure")])
def test_unlike_photographs_stay_unlike(one: str, other: str, seed: int) -> None:
    source = cut(photograph(one), (400, 290), 10 * seed, 2 * seed)
    target = cut(photograph(other), (400, 290), 5 * seed, 3 * seed)
    assert not align(source, target).outcome.aligned


@pytest.mark.parametrize("preset", ["balanced", "precise"])
def test_a_far_pair_gives_the_same_answer_on_any_number_of_threads(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = set()

    class Counted(Workers):
        def __init__(self, count: int) -> None:
            opened.add(count)
            super().__init__(count)

    monkeypatch.setattr(threads_module, "Workers", Counted)
    monkeypatch.setattr(moments, "STRIP_PIXELS", 1 << 12)  # else so small a picture is one strip
    image = photograph("exposure")
    turned, truth = quarter_turns(image, 1)
    source = cut(turned, turned.shape[::-1], 0, 0)
    alone, *others = (align(source, image, threads=n, preset=preset) for n in (1, 2, 3))
    check(alone, truth)
    assert alone.start == "fourier"
    assert opened == {1, 2}  # the caller's own thread works too
    for other in others:
        np.testing.assert_array_equal(other.source_to_target, alone.source_to_target)
        assert other.quality == alone.quality
        assert other.outcome == alone.outcome


def half_and_half(seed: int, init: str) -> tuple[Alignment, float]:
    """A pair half of which moves by itself, aligned, and how far that is from the nearer motion."""
    image = photograph("poster")
    x, y = np.random.default_rng(seed).integers(4, 22, 2)
    source, target = cut(image, (400, 300), 40, 30), cut(image, (400, 300), 34, 26)
    # Either motion is an answer, nothing between them is.
    source[:, 200:] = cut(image, (200, 300), 234 + x, 26 + y)
    found = align(source, target, init=init)
    motions = shifted(6, 4), shifted(float(x), float(y))
    return found, min(corner_error(found.source_to_target, m, (400, 300)) for m in motions)


@pytest.mark.parametrize("seed", range(4))
def test_half_and_half_is_right(seed: int) -> None:
    found, error = half_and_half(seed, "auto")
    assert error < 0.25
    # Where the two motions claim about as much, it may say so.
    assert found.outcome.aligned or found.outcome.doubtful
    assert found.displacements is not None
    second = found.displacements.second_motion
    assert second is not None
    assert second.where == "on the right"
    assert 0.35 < second.share < 0.5


@pytest.mark.parametrize("seed", range(4))
def test_half_and_half_from_one_start_is_right_or_refused(seed: int) -> None:
    found, error = half_and_half(seed, "identity")
    assert error < 0.25 or not found.outcome.aligned


@pytest.mark.parametrize("angle", [60.0, 210.0])
def test_a_source_on_larger_pixels_comes_to_rest(angle: float) -> None:
    # Its steps shrink slowly, and one that is extrapolated may be short by chance.
    image = photograph("scan")
    size = image.shape[::-1]
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), angle, 0.5)
    small = cv2.warpAffine(
        cv2.GaussianBlur(image, (0, 0), 1.2), matrix, size, borderMode=cv2.BORDER_REFLECT
    )
    rng = np.random.default_rng(round(angle))
    source, target = (
        np.clip(np.rint(each + rng.normal(0.0, 2.0, each.shape)), 0, 255).astype(np.uint8)
        for each in (small, image)
    )
    truth = inverse(np.vstack([matrix, [0.0, 0.0, 1.0]]))
    found = align(source, target, model="similarity", init=truth @ shifted(1.0, -1.0))
    to_the_end = align(source, target, model="similarity", init=truth, tolerance=1e-4)
    check(found, to_the_end.source_to_target, 0.2)


def test_a_chessboard_is_shifted_not_turned() -> None:
    y, x = np.mgrid[:300, :400]
    rng = np.random.default_rng(0)
    source, target = (
        np.clip(
            40.0 + 180.0 * ((x + dx) // 32 + (y + dy) // 32 & 1) + rng.normal(0.0, 2.0, x.shape),
            0,
            255,
        ).astype(np.uint8)
        for dx, dy in ((20, 9), (0, 0))
    )
    for model in ("rigid", "similarity", "homography"):
        found = align(source, target, model=model)
        np.testing.assert_allclose(found.source_to_target[:2, :2], np.eye(2), atol=0.01)
        np.testing.assert_allclose(found.source_to_target[:2, 2], [20.0, 9.0], atol=0.2)
        assert found.outcome.doubtful
