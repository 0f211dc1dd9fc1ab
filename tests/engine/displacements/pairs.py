"""Pairs of images on one level, and views of pairs, whose truth is known, for these tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.equations.pair import Pair
from align_cli.engine.images.luma import Luma
from align_cli.engine.options import Options
from align_cli.engine.target.target import Target
from tests.scenes import mapped, pixel_grid

Image = NDArray[Any]
Matrix = NDArray[np.float64]
Size = tuple[int, int]
Scene = Callable[[Image, Image], Image]

FINE_SIZE = (320, 240)


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


@cache
def speckle(seed: int, *, spread: float = 2.0, size: Size = FINE_SIZE) -> Scene:
    """Texture without any structure, of standard deviation 1: smoothed noise, seen by waves."""
    numbers = np.random.default_rng([7, seed])
    count = 160
    frequency = numbers.normal(0.0, 1.0 / (np.sqrt(2.0) * spread), (count, 2))
    phase = numbers.uniform(0.0, 2.0 * np.pi, count)

    def scene(x: Image, y: Image) -> Image:
        total = np.zeros(np.broadcast(x, y).shape)
        for (along_x, along_y), begin in zip(frequency, phase, strict=True):
            total += np.cos(along_x * x + along_y * y + begin)
        return total * np.sqrt(2.0 / count)

    return scene


def drawn(scene: Scene, size: Size, to_scene: Matrix | None = None) -> Image:
    """(height, width) float32 of a scene at ``to_scene`` of every pixel."""
    matrix = np.eye(3) if to_scene is None else to_scene
    return _drawn(scene, size, tuple(matrix.ravel().tolist())).copy()


@lru_cache(maxsize=64)
def _drawn(scene: Scene, size: Size, entries: tuple[float, ...]) -> Image:
    x, y = mapped(np.reshape(entries, (3, 3)), *pixel_grid(size))
    return scene(x, y).astype(np.float32)


def noisy(image: Image, sigma: float, seed: int) -> Image:
    noise = np.random.default_rng([8, seed]).normal(0.0, sigma, image.shape)
    return (image + noise).astype(np.float32)


def level_pair(
    source: Image | Sequence[Image],
    target: Image | Sequence[Image],
    *,
    warp: Matrix | None = None,
    inside: Image | None = None,
    noise: float = 1e-4,
    slope_noise: float = 0.0,
    level: int = 0,
) -> LevelPair:
    """Planes as they are; ``noise`` is its power density."""
    planes, others = (
        [image] if isinstance(image, np.ndarray) else list(image) for image in (source, target)
    )
    return LevelPair(
        level=level,
        source=planes,
        target=others,
        warp=np.eye(3) if warp is None else warp,
        inside=np.ones(others[0].shape, np.bool_) if inside is None else inside,
        noise=noise,
        slope_noise=slope_noise,
    )


def as_luma(image: Image, valid: Image | None = None) -> Luma:
    return Luma(np.asarray(image, np.float32), valid, 0.0, 1.0)


def pair_of(
    source: Image,
    target: Image,
    *,
    source_valid: Image | None = None,
    target_valid: Image | None = None,
) -> Pair:
    return Pair(as_luma(source, source_valid), Target(as_luma(target, target_valid), Options()))


def view(source: Image, target: Image, gain: float = 1.0, **valid: Any) -> IntensityView:
    return IntensityView(pair_of(source, target, **valid), gain)


def text_page(seed: int, size: Size = FINE_SIZE, *, step: int = 20) -> Image:
    """(height, width) float32, 0 to 1: lines of letters on white paper, all lines a step apart."""
    width, height = size
    letters = np.random.default_rng([9, seed]).integers(97, 123, (height // step, width // 8))
    page = np.full((height, width), 250, np.uint8)
    for line, row in enumerate(letters):
        text = "".join(map(chr, row))
        at = 4, step - 6 + step * line
        cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 20, 1, cv2.LINE_AA)
    return (page / 255.0).astype(np.float32)
