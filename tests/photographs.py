"""Photographs of ``sample_data/``, and pairs cut from them whose truth needs no resampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[1] / "sample_data"
NAMES = ("poster", "scan", "exposure")

Image = NDArray[Any]
Matrix = NDArray[np.float64]


def photograph(name: str) -> Image:
    """(height, width) uint8."""
    image = cv2.imread(str(FOLDER / f"{name}_target.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None, f"{name}_target.png cannot be read"
    return image


def shifted(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def cut(
    image: Image, size: tuple[int, int], x: int, y: int, *, noise: float = 2.0, seed: int = 0
) -> Image:
    """A window whose pixel (0, 0) is the image's (x, y), with noise of its own."""
    width, height = size
    window = image[y : y + height, x : x + width].astype(np.float64)
    window += np.random.default_rng([x, y, seed]).normal(0.0, noise, window.shape)
    return np.clip(np.rint(window), 0, 255).astype(np.uint8)


def quarter_turns(image: Image, turns: int) -> tuple[Image, Matrix]:
    """An image turned by so many quarters, and the transform from it back to the image."""
    height, width = image.shape[:2]
    last_x, last_y = width - 1.0, height - 1.0
    back = {
        0: np.eye(3),
        1: np.array([[0.0, -1.0, last_x], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        2: np.array([[-1.0, 0.0, last_x], [0.0, -1.0, last_y], [0.0, 0.0, 1.0]]),
        3: np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, last_y], [0.0, 0.0, 1.0]]),
    }
    return np.ascontiguousarray(np.rot90(image, turns)), back[turns]
