"""Image pairs with a known transform, rendered from photographs by order-5 splines.

The photographs ship inside scikit-image (``pip install align-cli[bench]``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from scipy import ndimage

from align_cli.engine.geometry.coordinates import Size, corners, map_points
from align_cli.engine.geometry.models import MODELS

PHOTOGRAPHS = ("camera.png", "coffee.png", "rocket.jpg", "brick.png", "chelsea.png", "coins.png")
LARGE_PHOTOGRAPHS = ("camera.png", "coffee.png", "astronaut.png", "motorcycle_left.png")
"""Of 0.24 to 0.37 MP: at least 0.2 MP remain without a rim of 20 px."""

Floats = NDArray[np.float64]
Image = NDArray[np.float32] | NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """``source_to_target`` maps source pixels to target pixels; both images are uint8 grey."""

    name: str
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    source_to_target: Floats


@dataclass(frozen=True)
class Frame:
    """The middle of a photograph: the target shows all of it but a rim of ``rim`` pixels.

    So a source that moves by no more than the rim shows nothing but the photograph.
    """

    name: str
    picture: Floats
    rim: int

    @property
    def size(self) -> Size:
        """(width, height) of target and source."""
        height, width = self.picture.shape
        return width - 2 * self.rim, height - 2 * self.rim

    @property
    def target(self) -> Floats:
        return self.picture[self.rim : -self.rim, self.rim : -self.rim]

    def source(self, source_to_target: Floats) -> Floats:
        """The image whose pixel x shows what the target shows at ``source_to_target`` x."""
        return render(self.picture, shift(self.rim, self.rim) @ source_to_target, self.size)


def frames(names: Sequence[str], rim: int, blur: float = 0.0) -> list[Frame]:
    return [Frame(Path(name).name, photograph(name, blur), rim) for name in names]


def photograph(name: str, blur: float = 0.7) -> Floats:
    """A photograph as grey values 0..255, float64; by default blurred so that nothing aliases.

    ``name`` is a file of scikit-image's data folder, or any path.
    """
    shipped = Path(skimage.__file__).parent / "data" / name
    grey = cv2.imread(str(shipped if shipped.exists() else name), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        sys.exit(f"{name} is no picture, neither in {shipped.parent} nor as a path")
    return ndimage.gaussian_filter(grey.astype(np.float64), blur)


MOSAIC = (*LARGE_PHOTOGRAPHS, "retina.jpg", "hubble_deep_field.jpg", "ihc.png", "cell.png")
TILE = 300


def mosaic(size: Size, *, colour: bool = False, without: str = "") -> Floats | NDArray[np.uint8]:
    """A large picture: tiles cut from photographs, but that ``without``, side by side, endless.

    Returns:
        (height, width) float64, blurred like ``photograph``; or (height, width, 3) uint8 BGR.
    """
    folder = Path(skimage.__file__).parent / "data"
    tiles = []
    for name in MOSAIC:
        if name == without:
            continue
        picture = cv2.imread(str(folder / name))
        rows, columns = (side // TILE for side in picture.shape[:2])
        tiles += [
            picture[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            for row in range(rows)
            for column in range(columns)
        ]
    order = np.random.default_rng(0)
    width, height = size
    canvas = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            place = canvas[top : top + TILE, left : left + TILE]
            place[...] = tiles[order.integers(len(tiles))][: place.shape[0], : place.shape[1]]
    if colour:
        return canvas
    grey = cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY)
    return ndimage.gaussian_filter(grey.astype(np.float64), 0.7)


def shift(x: float, y: float) -> Floats:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def random_motion(model: str, size: Size, move_px: float, rng: np.random.Generator) -> Floats:
    """The member of a model nearest to corners that move uniformly within +-``move_px``."""
    start = corners(size)
    return MODELS[model].from_points(start, start + rng.uniform(-move_px, move_px, (4, 2)))


def noisy(image: Floats, sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """With Gaussian noise, neither rounded nor clipped."""
    return (image + rng.normal(0.0, sigma, image.shape)).astype(np.float32)


def exposed(image: Floats, sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """As a camera delivers it: with noise, rounded to 0..255 and clipped."""
    values = image + rng.normal(0.0, sigma, image.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


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
    middle = shift((width - size[0]) // 2, (height - size[1]) // 2)
    source, target = (
        exposed(render(picture, to_picture, size), sigma, rng)
        for to_picture in (middle @ source_to_target, middle)
    )
    return Pair(name, source, target, source_to_target)
