"""Scenes in other grey values: renderings of a photograph, and two views of one subject.

A rendering changes the grey values of an image. A view of a subject is what another instrument
would have made of it: another band of light, a stain by itself, its depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage
from scipy import ndimage
from scipy.interpolate import PchipInterpolator
from skimage import color

from benchmarks.scenes import Floats, Frame

WHITE = 255.0
KNOTS = 6
EDGE_GAIN = 6.0
BLUR = 0.7  # as in benchmarks.scenes: nothing aliases when it is resampled


def negative(image: Floats, _: np.random.Generator) -> Floats:
    return WHITE - image


def curved(image: Floats, values: Floats) -> Floats:
    """Through the smooth curve that has ``values`` at evenly spaced grey levels."""
    curve = PchipInterpolator(np.linspace(0.0, WHITE, values.size), values)
    return np.asarray(curve(np.clip(image, 0.0, WHITE)), np.float64)


def rising(image: Floats, rng: np.random.Generator) -> Floats:
    return curved(image, np.sort(rng.uniform(0.0, WHITE, KNOTS)))


def up_and_down(image: Floats, rng: np.random.Generator) -> Floats:
    return curved(image, rng.uniform(0.0, WHITE, KNOTS))


def edges(image: Floats, _: np.random.Generator) -> Floats:
    along_y, along_x = np.gradient(image)
    return EDGE_GAIN * np.hypot(along_x, along_y)


Rendering = Callable[[Floats, np.random.Generator], Floats]

RENDERINGS: dict[str, Rendering] = {
    "negative": negative,
    "rising curve": rising,
    "up and down": up_and_down,
    "edges": edges,
}


@dataclass(frozen=True)
class Subject:
    """One subject seen in two ways, pixel on pixel, 0..255; ``sigma`` is the noise of both."""

    name: str
    source: Frame
    target: Frame
    sigma: float


def subjects(rim: int) -> list[Subject]:
    """Pairs of unlike views of what scikit-image's pictures show, cut to a rim of ``rim`` px."""
    found: list[Subject] = []

    def add(name: str, source: Floats, target: Floats, sigma: float = 5.0) -> None:
        one, other = (
            Frame(name, ndimage.gaussian_filter(view, BLUR), rim) for view in (source, target)
        )
        found.append(Subject(name, one, other, sigma))

    for name in ("chelsea.png", "rocket.jpg", "astronaut.png"):
        red, green, blue = bands(name)
        stem = Path(name).stem
        add(f"{stem}: blue, red", blue, red)
        add(f"{stem}: infra-red, green", infra_red(red, green, blue), green)
        add(f"{stem}: hue, luma", hue(name), luma(name))
        add(f"{stem}: night, day", night(luma(name)), luma(name))
        add(f"{stem}: curve, noise 20", bent(luma(name)), luma(name), 20.0)
        add(f"{stem}: curve, blurred", ndimage.gaussian_filter(bent(luma(name)), 3.0), luma(name))
        add(f"{stem}: labels", labels(luma(name)), luma(name))
    red, green, blue = bands("retina.jpg", 700)
    add("retina: red, green", red, green)
    add("retina: blue, red", blue, red)
    first, _, third = stains("ihc.png")
    add("tissue: stain 1, 3", first, third)
    add("tissue: stain 3, bright field", third, luma("ihc.png"))
    add("tissue: stain 1, bright field", first, luma("ihc.png"))
    add("motorcycle: depth, luma", depth(), luma("motorcycle_left.png"))
    return found


def picture(name: str, most_px: int = 0) -> Floats:
    """(height, width, 3) RGB 0..255; its longer side no more than ``most_px``, if that is not 0."""
    path = Path(skimage.__file__).parent / "data" / name
    image = cv2.imread(str(path))[..., ::-1].astype(np.float64)
    times = most_px / max(image.shape[:2]) if most_px else 1.0
    if times < 1.0:
        image = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
    return image


def bands(name: str, most_px: int = 0) -> list[Floats]:
    return [band.copy() for band in np.moveaxis(picture(name, most_px), -1, 0)]


def luma(name: str) -> Floats:
    return picture(name) @ [0.299, 0.587, 0.114]


def infra_red(red: Floats, green: Floats, blue: Floats) -> Floats:
    """Plants bright, sky and water dark, the rest about as it is."""
    plants = np.clip((green - 0.5 * (red + blue)) / 40.0, -1.0, 1.0)
    sky = np.clip((blue - red) / 60.0, 0.0, 1.0)
    return np.clip(0.7 * red + 0.3 * green + 120.0 * plants - 90.0 * sky, 0.0, WHITE)


def hue(name: str) -> Floats:
    """The angle between red, green and blue, as grey values that do not jump."""
    angle = 2.0 * np.pi * color.rgb2hsv(picture(name) / WHITE)[..., 0]
    return 127.5 + 100.0 * np.cos(angle - 0.5)


def night(image: Floats) -> Floats:
    """Little light, a few lamps, and bright things dark."""
    height, width = image.shape
    y, x = np.mgrid[0.0 : 1.0 : height * 1j, 0.0 : 1.0 : width * 1j]
    lamps = sum(
        np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 0.03)
        for at_x, at_y in ((0.2, 0.3), (0.7, 0.2), (0.5, 0.8))
    )
    return np.clip((20.0 + 0.4 * (WHITE - image)) * (0.25 + 1.5 * lamps), 0.0, WHITE)


def bent(image: Floats) -> Floats:
    """Up, down and up again."""
    return 127.5 + 110.0 * np.sin(image * (2.5 * np.pi / WHITE))


def labels(image: Floats, count: int = 8) -> Floats:
    """Areas of about like brightness, each of some grey value, as a segmentation names them."""
    smooth = ndimage.gaussian_filter(image, 2.0)
    limits = np.quantile(smooth, np.linspace(0.0, 1.0, count + 1)[1:-1])
    values = np.random.default_rng(1).permutation(np.linspace(20.0, 235.0, count))
    return values[np.digitize(smooth, limits)]


def stains(name: str) -> list[Floats]:
    """Three stains of a tissue, bright on black, as fluorescence shows them."""
    amounts = np.moveaxis(color.rgb2hed(picture(name) / WHITE), -1, 0)
    found = []
    for amount in amounts:
        low, high = np.percentile(amount, [2.0, 99.5])
        found.append(WHITE * np.clip((amount - low) / (high - low), 0.0, 1.0))
    return found


def depth() -> Floats:
    """The disparity of the motorcycle, what is not known filled from beside it."""
    with np.load(Path(skimage.__file__).parent / "data" / "motorcycle_disp.npz") as file:
        disparity = file["arr_0"].astype(np.float64)
    unknown = ~np.isfinite(disparity)
    nearest = ndimage.distance_transform_edt(unknown, return_indices=True, return_distances=False)
    disparity = disparity[tuple(nearest)]
    low, high = np.percentile(disparity, [1.0, 99.0])
    return WHITE * np.clip((disparity - low) / (high - low), 0.0, 1.0)
