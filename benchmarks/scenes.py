"""Image pairs with a known transform, rendered from photographs by order-5 splines.

The photographs ship inside scikit-image (``pip install imalign[bench]``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from scipy import ndimage

from align_cli.engine.coordinates import Size, map_points

PHOTOGRAPHS = ("camera.png", "coffee.png", "rocket.jpg", "brick.png", "chelsea.png", "coins.png")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """``source_to_target`` maps source pixels to target pixels; both images are uint8 grey."""

    name: str
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    source_to_target: Floats


def photograph(name: str, blur: float = 0.7) -> Floats:
    """A photograph as grey values 0..255, float64; by default blurred so that nothing aliases."""
    path = Path(skimage.__file__).parent / "data" / name
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return ndimage.gaussian_filter(grey.astype(np.float64), blur)


def render(picture: Floats, to_picture: Floats, size: Size) -> Floats:
    """An image of ``size`` whose pixel x shows the picture at ``to_picture`` x."""
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    points = map_points(to_picture, np.column_stack([x.ravel(), y.ravel()]))
    values = ndimage.map_coordinates(picture, points.T[::-1], order=5, mode="mirror")
    return values.reshape(height, width)


def pair(
    name: str,
    source_to_target: Floats,
    size: Size,
    *,
    sigma: float,
    rng: np.random.Generator,
) -> Pair:
    """A pair cut from the middle of a photograph, with noise of ``sigma`` grey levels on both."""
    picture = photograph(name)
    height, width = picture.shape
    middle = np.array(
        [[1.0, 0.0, (width - size[0]) // 2], [0.0, 1.0, (height - size[1]) // 2], [0.0, 0.0, 1.0]]
    )
    images = []
    for to_picture in (middle @ source_to_target, middle):
        image = render(picture, to_picture, size)
        image += rng.normal(0.0, sigma, image.shape)
        images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return Pair(name, images[0], images[1], source_to_target)
