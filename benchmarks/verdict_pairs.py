"""Pairs that can be aligned and pairs that cannot, for ``benchmarks.verdict``.

Each kind is one function of the random numbers and nothing else, so that a pair does not depend on
how many there are of others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from align_cli.engine.geometry.coordinates import Size, corners, map_points, unit
from benchmarks.analytic import random_waves
from benchmarks.illumination import all_four, covered
from benchmarks.scenes import Floats, exposed, photograph, random_motion, render, shift

SCENES = (
    "astronaut.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
LARGE_SCENES = ("astronaut.png", "cell.png", "coffee.png", "motorcycle_left.png", "retina.jpg")
TEXTURES = ("brick.png", "grass.png", "gravel.png")
SIZES: tuple[Size, ...] = ((200, 160), (240, 240), (320, 240), (360, 280))
SIGMA = 2.0
COMMON_WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who will "
    "no more if out so up said what its about than into them can only other time new some could "
    "these two may first then do any like my now over such our man me even most made after also"
)
WORDS = COMMON_WORDS.split()

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """``truth`` is source_to_target; None where the two images have none."""

    source: Image
    target: Image
    truth: Floats | None


Kind = Callable[[np.random.Generator], Pair]
Motion = Callable[[Size, np.random.Generator], Floats]
Change = Callable[[Floats, np.random.Generator], Floats]


@cache
def picture(name: str) -> Floats:
    return photograph(name)


def _one_of(names: tuple[str, ...], rng: np.random.Generator) -> str:
    return names[rng.integers(len(names))]


def _size(rng: np.random.Generator, *within: Floats) -> Size:
    """One of the sizes that fit into all these pictures."""
    height, width = np.min([whole.shape for whole in within], axis=0)
    fitting = [size for size in SIZES if size[0] <= width and size[1] <= height]
    return fitting[rng.integers(len(fitting))]


def _place(size: Size, within: Floats, rng: np.random.Generator) -> tuple[int, int]:
    x = rng.integers(within.shape[1] - size[0] + 1)
    y = rng.integers(within.shape[0] - size[1] + 1)
    return int(x), int(y)


def _cut(image: Floats, size: Size, x: int, y: int) -> Floats:
    return image[y : y + size[1], x : x + size[0]]


def _shown(to_picture: Floats, size: Size, whole: Floats) -> bool:
    """Whether an image that sees the picture through ``to_picture`` sees nothing beside it."""
    points = map_points(to_picture, corners(size))
    right, bottom = whole.shape[1] - 1.0, whole.shape[0] - 1.0
    return bool((points >= 0.0).all() and (points <= [right, bottom]).all())


# What can be aligned.


def _as_it_is(image: Floats, _: np.random.Generator) -> Floats:
    return image


def moved(motion: Motion, *, sigma: float = SIGMA, change: Change = _as_it_is) -> Kind:
    """Two views of one photograph or texture, the motion between them, and what befalls one."""

    def kind(rng: np.random.Generator) -> Pair:
        while True:
            whole = picture(_one_of((*SCENES, *TEXTURES), rng))
            size = _size(rng, whole)
            x, y = _place(size, whole, rng)
            truth = motion(size, rng)
            to_picture = shift(x, y) @ truth
            if _shown(to_picture, size, whole):
                break
        source = change(render(whole, to_picture, size), rng)
        target = _cut(whole, size, x, y)
        return Pair(exposed(source, sigma, rng), exposed(target, sigma, rng), truth)

    return kind


def _corners_moved(move_px: float, model: str = "homography") -> Motion:
    return lambda size, rng: random_motion(model, size, move_px, rng)


def _about_centre(size: Size, angle: float, scale: float) -> Floats:
    x, y = (np.array(size) - 1.0) / 2.0
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return unit(shift(x, y) @ turned @ shift(-x, -y))


def _turned(degrees: float) -> Motion:
    def motion(size: Size, rng: np.random.Generator) -> Floats:
        angle = np.radians(rng.uniform(-degrees, degrees))
        return shift(*rng.uniform(-4.0, 4.0, 2)) @ _about_centre(size, angle, 1.0)

    return motion


def _scaled(ratio: float) -> Motion:
    def motion(size: Size, rng: np.random.Generator) -> Floats:
        scale = ratio ** rng.uniform(-1.0, 1.0)
        return shift(*rng.uniform(-4.0, 4.0, 2)) @ _about_centre(size, 0.0, scale)

    return motion


def _overlapping(least: float, most: float) -> Motion:
    """The next part of a panorama: beside or below, a share of the image in common."""

    def motion(size: Size, rng: np.random.Generator) -> Floats:
        along = int(rng.integers(2))
        step = np.zeros(2)
        step[along] = (1.0 - rng.uniform(least, most)) * size[along] * rng.choice([-1.0, 1.0])
        return shift(*step) @ random_motion("homography", size, 4.0, rng)

    return motion


def _covered(share: float) -> Change:
    """Behind a rectangle with another photograph."""
    return lambda image, rng: covered(image, picture(_one_of(SCENES, rng)), rng, share=share)


def _at_night(image: Floats, rng: np.random.Generator) -> Floats:
    """So dark that a few grey levels are left, and lit from one side."""
    height, width = image.shape
    x, y = np.linspace(-1.0, 1.0, width), np.linspace(-1.0, 1.0, height)[:, None]
    lamp = 1.0 + 0.5 * (rng.uniform(-1.0, 1.0) * x + rng.uniform(-1.0, 1.0) * y)
    return rng.uniform(0.1, 0.3) * image * lamp


def _blurred(image: Floats, rng: np.random.Generator) -> Floats:
    return ndimage.gaussian_filter(image, rng.uniform(1.0, 3.0))


ALIGNABLE: dict[str, Kind] = {
    "translation, 20 px": moved(_corners_moved(20.0, "translation")),
    "homography, 2 px": moved(_corners_moved(2.0)),
    "homography, 5 px": moved(_corners_moved(5.0)),
    "homography, 10 px": moved(_corners_moved(10.0)),
    "homography, 20 px": moved(_corners_moved(20.0)),
    "homography, 40 px": moved(_corners_moved(40.0)),
    "rotation, 5 degrees": moved(_turned(5.0)),
    "rotation, 20 degrees": moved(_turned(20.0)),
    "scale, x1.05": moved(_scaled(1.05)),
    "scale, x1.25": moved(_scaled(1.25)),
    "overlap, 70 to 90 %": moved(_overlapping(0.7, 0.9)),
    "overlap, 35 to 70 %": moved(_overlapping(0.35, 0.7)),
    "noise, sigma 10": moved(_corners_moved(10.0), sigma=10.0),
    "noise, sigma 30": moved(_corners_moved(10.0), sigma=30.0),
    "light": moved(_corners_moved(10.0), change=all_four),
    "night": moved(_corners_moved(10.0), change=_at_night),
    "a fifth covered": moved(_corners_moved(10.0), change=_covered(0.2)),
    "a third covered": moved(_corners_moved(10.0), change=_covered(1.0 / 3.0)),
    "blur": moved(_corners_moved(10.0), change=_blurred),
    "light, noise, cover": moved(
        _corners_moved(10.0),
        sigma=10.0,
        change=lambda image, rng: all_four(_covered(0.2)(image, rng), rng),
    ),
}


# What cannot.


def _unrelated(source: Floats, target: Floats, rng: np.random.Generator, sigma: float) -> Pair:
    return Pair(exposed(source, sigma, rng), exposed(target, sigma, rng), None)


def _different(names: tuple[str, ...]) -> Kind:
    """Cut from two of these pictures."""

    def kind(rng: np.random.Generator) -> Pair:
        wholes = [picture(names[i]) for i in rng.choice(len(names), 2, replace=False)]
        size = _size(rng, *wholes)
        source, target = (_cut(whole, size, *_place(size, whole, rng)) for whole in wholes)
        return _unrelated(source, target, rng, SIGMA)

    return kind


def _elsewhere(names: tuple[str, ...]) -> Kind:
    """Cut from two places of one picture that share no pixel."""

    def kind(rng: np.random.Generator) -> Pair:
        while True:
            whole = picture(_one_of(names, rng))
            size = _size(rng, whole)
            first, second = _place(size, whole, rng), _place(size, whole, rng)
            if abs(first[0] - second[0]) >= size[0] or abs(first[1] - second[1]) >= size[1]:
                break
        source, target = (_cut(whole, size, *place) for place in (first, second))
        return _unrelated(source, target, rng, SIGMA)

    return kind


def _any_size(rng: np.random.Generator) -> Size:
    return SIZES[rng.integers(len(SIZES))]


def _page(size: Size, font: int, step: int, rng: np.random.Generator) -> Floats:
    paper = np.full((size[1], size[0]), 250, np.uint8)
    for y in range(step, size[1], step):
        text = " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=size[0] // 20))
        cv2.putText(paper, text, (8, y), font, step / 40.0, 20, 1, cv2.LINE_AA)
    return ndimage.gaussian_filter(paper.astype(np.float64), 0.5)


def _pages(rng: np.random.Generator) -> Pair:
    """Two pages of one book: the same type, lines and margins, other words."""
    size, step = _any_size(rng), int(rng.integers(14, 24))
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX]))
    source, target = (_page(size, font, step, rng) for _ in range(2))
    return _unrelated(source, target, rng, SIGMA)


def _stripes(rng: np.random.Generator) -> Pair:
    """The same stripes, which fix no shift along themselves."""
    width, height = _any_size(rng)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    angle = rng.uniform(0.0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    period = rng.uniform(6.0, 40.0)
    source, target = (
        128.0 + 80.0 * np.sin(2.0 * np.pi / period * (along + offset))
        for offset in (rng.uniform(-3.0, 3.0), 0.0)
    )
    return _unrelated(source, target, rng, rng.uniform(1.0, 10.0))


def _flat(rng: np.random.Generator) -> Pair:
    """Two walls of one grey, and the noise of the camera."""
    width, height = _any_size(rng)
    source, target = (np.full((height, width), rng.uniform(20.0, 230.0)) for _ in range(2))
    return _unrelated(source, target, rng, rng.uniform(0.0, 5.0))


def _blank(rng: np.random.Generator) -> Pair:
    """A photograph, and a wall of one grey; either may be the source."""
    whole = picture(_one_of(SCENES, rng))
    size = _size(rng, whole)
    images = [
        _cut(whole, size, *_place(size, whole, rng)),
        np.full((size[1], size[0]), rng.uniform(20.0, 230.0)),
    ]
    source, target = (images[i] for i in rng.permutation(2))
    return _unrelated(source, target, rng, SIGMA)


def _noise(rng: np.random.Generator) -> Pair:
    """Noise of any colour, from white to that of clouds."""
    width, height = _any_size(rng)
    grain = rng.uniform(0.0, 12.0)
    images = []
    for _ in range(2):
        image = ndimage.gaussian_filter(rng.normal(size=(height, width)), grain)
        images.append(128.0 + 40.0 * image / image.std())
    return _unrelated(*images, rng, SIGMA)


def _waves(rng: np.random.Generator) -> Pair:
    """Two rendered scenes with the spectrum of nature."""
    size = _any_size(rng)
    source, target = (random_waves(rng).image(size, shift(0.0, 0.0)) for _ in range(2))
    return _unrelated(source, target, rng, SIGMA)


UNALIGNABLE: dict[str, Kind] = {
    "other photograph": _different(SCENES),
    "other texture": _different(TEXTURES),
    "photograph, elsewhere": _elsewhere(LARGE_SCENES),
    "texture, elsewhere": _elsewhere(TEXTURES),
    "other page": _pages,
    "stripes": _stripes,
    "flat": _flat,
    "blank": _blank,
    "noise": _noise,
    "other waves": _waves,
}
