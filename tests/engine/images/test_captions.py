"""Opaque marks are found where they stand still in both images, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli.engine.aligner import align
from align_cli.engine.images.captions import LEAST_INTERIOR, common_captions
from align_cli.engine.images.fixed_pattern import suspected
from align_cli.engine.luma import Luma

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
    assert suspected(*(Luma(np.float32(each), None, 0.0, 1.0) for each in pair)).captions


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
