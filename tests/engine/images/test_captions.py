"""Opaque marks are found where they stand still in both images, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli.engine.aligner import align
from align_cli.engine.images.captions import (
    LEAST_INTERIOR,
    brightest_pixels,
    common_captions,
    darkest_pixels,
)
from align_cli.engine.images.fixed_pattern import suspected_kinds
from align_cli.engine.images.luma import Luma

SIDE, NOISE = 240, 2.0
TEXTS = "CAM 03", "12:33:07", "HOLD"


def letters(scale: float = 1.2) -> np.ndarray:
    """(240, 240) float: how much of each pixel a caption covers."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    for line, text in enumerate(TEXTS):
        place = (12, 50 + 80 * line)
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, 255, 3, cv2.LINE_AA)
    return drawn / 255.0


def scene(x: float = 0.0, y: float = 0.0, *, contrast: float = 20.0) -> np.ndarray:
    """(240, 240): what was at (0, 0) is found at (x, y)."""
    numbers = np.random.default_rng(3).normal(size=(SIDE + 120, SIDE + 120)).astype(np.float32)
    speckle = cv2.GaussianBlur(numbers, (0, 0), 2.0)
    speckle *= contrast / speckle.std()
    to_scene = np.array([[1.0, 0.0, 60.0 - x], [0.0, 1.0, 60.0 - y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(110.0 + cv2.warpAffine(speckle, to_scene, (SIDE, SIDE), flags=flags))


def seen(of_scene: np.ndarray, cover: np.ndarray, value: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, NOISE, of_scene.shape)
    values = of_scene * (1.0 - cover) + value * cover + noise
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def captions(source: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    return common_captions(np.float32(source), np.float32(target), None, None)


@pytest.mark.parametrize("value", [0.0, 255.0])
@pytest.mark.parametrize("motion", [(2, 1), (30, 11), (0.6, 0.5)])
def test_what_covers_a_scene_that_moves_is_found(value: float, motion: tuple[float, float]) -> None:
    cover = letters()
    pair = seen(scene(), cover, value, 1), seen(scene(*motion), cover, value, 2)
    found = captions(*pair)
    assert found is not None
    assert found[cover == 1.0].mean() > 0.8
    assert found[cover == 0.0].mean() < 0.01
    assert suspected_kinds(*(Luma(np.float32(each), None, 0.0, 1.0) for each in pair)).captions


@pytest.mark.parametrize("motion", [(2, 1), (30, 11), (0.6, 0.5)])
def test_letters_that_move_with_their_paper_are_none(motion: tuple[float, float]) -> None:
    cover = letters()
    to_scene = np.array([[1.0, 0.0, -motion[0]], [0.0, 1.0, -motion[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(cover, to_scene, (SIDE, SIDE), flags=flags)
    paper = np.full((SIDE, SIDE), 240.0)
    assert captions(seen(paper, cover, 20.0, 1), seen(paper, moved, 20.0, 2)) is None


def test_a_scene_without_captions_and_a_mosaic_have_none() -> None:
    assert (
        captions(
            seen(scene(), np.zeros((SIDE, SIDE)), 0.0, 1),
            seen(scene(5, 3), np.zeros((SIDE, SIDE)), 0.0, 2),
        )
        is None
    )
    mosaic = np.where(np.indices((SIDE, SIDE)).sum(axis=0) % 4 == 0, 10.0, 200.0)
    assert captions(mosaic, mosaic) is None
    assert LEAST_INTERIOR > 0.0


def test_what_is_not_known_is_no_caption() -> None:
    cover = letters()
    pair = [np.float32(seen(scene(x, 0), cover, 255.0, x)) for x in (0, 9)]
    known = cover == 0.0
    assert common_captions(*pair, known, None) is None


@pytest.mark.parametrize("contrast", [20.0, 6.0])
@pytest.mark.parametrize("motion", [(1.5, 0.5), (25.0, -11.0)])
@pytest.mark.parametrize("model", ["translation", "homography"])
def test_the_scene_under_captions_is_aligned(
    contrast: float, motion: tuple[float, float], model: str
) -> None:
    cover = letters(1.4)
    source = seen(scene(contrast=contrast), cover, 255.0, 1)
    target = seen(scene(*motion, contrast=contrast), cover, 255.0, 2)
    found = align(source, target, model=model)
    there = found.source_to_target @ [SIDE / 2, SIDE / 2, 1.0]
    off = np.hypot(*(there[:2] / there[2] - SIDE / 2 - motion))
    assert found.outcome.aligned
    assert off < 0.2


def with_a_mark(value: float, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(100, 100) float32, grey values of 100 to 200 but for a mark, and where that is."""
    rng = np.random.default_rng(4)
    plane, mark = rng.uniform(100.0, 200.0, (100, 100)), np.zeros((100, 100), np.bool_)
    mark[40:50, 30:50] = True
    plane[mark] = value + rng.uniform(0.0, spread, int(mark.sum()))
    return plane.astype(np.float32), mark


def test_a_mark_has_the_value_at_an_end_up_to_noise() -> None:
    # Contrast is about 200 with the mark, and it may differ by an eighth of that.
    for spread in (0.0, 20.0):
        plane, mark = with_a_mark(0.0, spread)
        np.testing.assert_array_equal(darkest_pixels(plane, None), mark)
        np.testing.assert_array_equal(brightest_pixels(-plane, None), mark)
        assert not brightest_pixels(plane, None).any()
    # A few darker pixels are no mark and hide none.
    plane, mark = with_a_mark(0.0)
    plane[0, :5] = -300.0
    np.testing.assert_array_equal(darkest_pixels(plane, None)[1:], mark[1:])


def test_the_end_of_a_scenes_values_is_no_mark_nor_is_what_covers_much() -> None:
    ramp = np.tile(np.linspace(0.0, 200.0, 100, dtype=np.float32), (100, 1))
    assert not darkest_pixels(ramp, None).any()
    plane, _ = with_a_mark(0.0)
    plane[:30] = 0.0
    assert not darkest_pixels(plane, None).any()


def test_a_mark_is_looked_for_among_what_is_known() -> None:
    plane, mark = with_a_mark(20.0)
    known = np.ones_like(mark)
    known[:, 80:] = False
    plane[:, 80:] = -100.0
    plane[:, 80] = 20.0  # as dark as the mark, and not known
    np.testing.assert_array_equal(darkest_pixels(plane, known), mark)
    # Of what is known the mark is little, and of a tenth of it all.
    plane[:, 50:] = 20.0
    known[:, 50:] = False
    np.testing.assert_array_equal(darkest_pixels(plane, known), mark)
    known[:, :20] = False
    known[50:, :] = known[:38, :] = False
    assert not darkest_pixels(plane, known).any()
    assert not darkest_pixels(plane, np.zeros_like(mark)).any()


def test_dark_and_bright_marks_are_found_together_and_specks_are_none() -> None:
    cover = letters()
    upper, lower = cover.copy(), cover.copy()
    upper[80:], lower[:80] = 0.0, 0.0
    pair = [seen(scene(x, 0), upper, 0.0, 1 + x) for x in (0, 9)]
    pair = [seen(each.astype(float), lower, 255.0, 3) for each in pair]
    found = captions(*pair)
    assert found is not None
    assert found[upper == 1.0].mean() > 0.8
    assert found[lower == 1.0].mean() > 0.8
    # Dots of one pixel have no interior, thin lines next to none, and one small letter is too small
    # where others of its value move.
    dots = np.zeros_like(cover)
    dots[5::9, 5::9] = 1.0
    lines = np.zeros_like(cover)
    lines[20:220:12, 20:220] = 1.0
    lines[18:215:12, 100:105] = lines[20:217:12, 100:105] = lines[19:216:12, 100:105] = 1.0
    letter = np.zeros_like(cover)
    letter[100:106, 100:106] = 1.0
    one, other = letter.copy(), letter.copy()
    one[20:30, 20:40] = other[200:210, 20:40] = 1.0
    for marks in ((dots, dots), (lines, lines), (one, other)):
        both = zip((0, 9), marks, strict=True)
        assert captions(*(seen(scene(x, 0), each, 255.0, x) for x, each in both)) is None
