"""Pairs that must be searched for, for ``benchmarks.search``.

One image shows the other at another resolution, or a small part of it; a form has been filled in
and scanned at a resolution of its own; a plane is seen from aside. Each kind is one function of the
random numbers and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from align_cli.engine.geometry.coordinates import Size, corners, inverse, map_points, unit
from benchmarks.capture import viewpoint
from benchmarks.scenes import Floats, exposed, random_motion, render, shift
from benchmarks.verdict_pairs import SCENES, WORDS, Image, picture

SIGMA = 2.0
TILT_SIGMA = 3.0
LARGEST_RATIO = 5.0
LEAST_SIDE = 32
SMOOTHING = 0.45
"""Standard deviation of what an image of half the resolution is smoothed by, a pixel of it."""

CROP = 5.0
"""Sides of the whole for one of a crop."""

CLEAR_CONTRAST = 12.0
"""Standard deviation in grey levels that a crop has at least."""

PAGE: Size = (620, 800)
PEN = (60.0, 140.0)


@dataclass(frozen=True)
class SearchPair:
    """A pair, the model to solve it by, and ``truth``, its source_to_target."""

    source: Image
    target: Image
    truth: Floats
    model: str

    @property
    def swapped(self) -> SearchPair:
        """The same with source and target in each other's place."""
        return SearchPair(self.target, self.source, inverse(self.truth), self.model)


Kind = Callable[[np.random.Generator], SearchPair]


def seen_at(scene: Floats, to_scene: Floats, size: Size, ratio: float) -> Floats:
    """``render``, of a scene that has ``ratio`` pixels for one of the image, without aliasing."""
    smooth = ndimage.gaussian_filter(scene, SMOOTHING * ratio) if ratio > 1.0 else scene
    return render(smooth, to_scene, size)


def similarity(size: Size, angle: float, scale: float, move: Floats) -> Floats:
    """A rotation by radians, and a scale, about the centre of an image, then a shift."""
    centre = (np.array(size) - 1.0) / 2.0
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return unit(shift(*(centre + move)) @ turned @ shift(*-centre))


def _scene(rng: np.random.Generator, least: int) -> Floats:
    """A photograph both sides of which have at least so many pixels."""
    while True:
        scene = picture(SCENES[rng.integers(len(SCENES))])
        if min(scene.shape) >= least:
            return scene


def scaled(rng: np.random.Generator) -> SearchPair:
    """A photograph, and the middle of it at another resolution, a little turned."""
    scene = _scene(rng, 256)
    size = scene.shape[1], scene.shape[0]
    ratio = LARGEST_RATIO ** rng.uniform(0.0, 1.0)
    part = 0.85 * np.array(size)
    small: Size = (round(part[0] / ratio), round(part[1] / ratio))
    middle = shift(*((np.array(size) - ratio * np.array(small)) / 2.0)) @ np.diag([ratio, ratio, 1])
    turn = similarity(size, np.radians(rng.uniform(-5.0, 5.0)), 1.0, rng.uniform(-6.0, 6.0, 2))
    truth = unit(turn @ middle)
    source = seen_at(scene, truth, small, ratio)
    pair = SearchPair(exposed(source, SIGMA, rng), exposed(scene, SIGMA, rng), truth, "similarity")
    return pair.swapped if rng.uniform() < 0.5 else pair


def _crop_motion(model: str, size: Size, rng: np.random.Generator) -> Floats:
    if model == "translation":
        return shift(*rng.uniform(-0.5, 0.5, 2))
    if model in {"rigid", "similarity"}:
        scale = 1.1 ** rng.uniform(-1.0, 1.0) if model == "similarity" else 1.0
        return similarity(size, np.radians(rng.uniform(-10.0, 10.0)), scale, np.zeros(2))
    return random_motion(model, size, 0.05 * min(size), rng)


def cropped(model: str) -> Kind:
    """A photograph, and a part of it with a fifth of its sides, moved by a model."""

    def kind(rng: np.random.Generator) -> SearchPair:
        while True:
            scene = _scene(rng, 200)
            side = rng.uniform(CROP * LEAST_SIDE, min(scene.shape))
            whole: Size = (round(side), round(rng.uniform(0.75, 1.0) * side))
            corner = [
                rng.integers(0, a - b + 1) for a, b in zip(scene.shape[::-1], whole, strict=True)
            ]
            target = scene[corner[1] : corner[1] + whole[1], corner[0] : corner[0] + whole[0]]
            size: Size = (
                max(LEAST_SIDE, round(whole[0] / CROP)),
                max(LEAST_SIDE, round(whole[1] / CROP)),
            )
            place = rng.uniform(0.0, 1.0, 2) * (np.array(whole) - size)
            truth = unit(shift(*place) @ _crop_motion(model, size, rng))
            shown = map_points(truth, corners(size))
            if (shown < 0.0).any() or (shown > np.array(whole) - 1.0).any():
                continue
            source = render(target, truth, size)
            if source.std() >= CLEAR_CONTRAST:
                break
        pair = SearchPair(exposed(source, SIGMA, rng), exposed(target, SIGMA, rng), truth, model)
        return pair.swapped if rng.uniform() < 0.5 else pair

    return kind


def form(rng: np.random.Generator) -> Floats:
    """(800, 620) float64: a form that nobody has filled in, at most 240."""
    width, height = PAGE
    paper = np.full((height, width), 240, np.uint8)
    face = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX]))

    def say(count: int, x: int, y: int, large: float) -> None:
        words = " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=count))
        cv2.putText(paper, words, (x, y), face, large, 30, 1, cv2.LINE_AA)

    say(3, 40, 60, 1.0)
    y = 100
    while y < height - 80:
        kind = rng.integers(3)
        if kind == 0:
            say(8, 40, y, 0.45)
            y += 26
        elif kind == 1:
            columns = np.sort(rng.integers(60, width - 100, 2))
            cv2.rectangle(paper, (40, y - 14), (width - 40, y + 22), 30, 1)
            for column in columns.tolist():
                cv2.line(paper, (column, y - 14), (column, y + 22), 30, 1)
            say(2, 46, y + 2, 0.4)
            y += 36
        else:
            say(2, 40, y, 0.45)
            cv2.line(paper, (240, y + 3), (width - 40, y + 3), 30, 1)
            y += 30
    return ndimage.gaussian_filter(paper.astype(np.float64), 0.6)


def _written(page: Floats, rng: np.random.Generator) -> Floats:
    """With strokes of a pen, thin or thick."""
    ink = np.zeros(page.shape, np.uint8)
    thick = int(rng.integers(1, 5))
    for _ in range(int(rng.integers(10, 40))):
        at = rng.uniform([60, 100], [PAGE[0] - 160, PAGE[1] - 80])
        steps = rng.normal(0.0, 8.0, (int(rng.integers(6, 20)), 2)) + np.array((4.0, 0.0))
        points = (at + np.cumsum(steps, axis=0)).round().astype(np.int32)
        cv2.polylines(ink, [points.reshape(-1, 1, 2)], False, 255, thick, cv2.LINE_AA)
    covered = ndimage.gaussian_filter(ink / 255.0, 0.6)
    return page * (1.0 - covered) + covered * rng.uniform(*PEN)


def filled_form(rng: np.random.Generator) -> SearchPair:
    """A form, and the same filled in and scanned at a quarter to 1.5 times its resolution."""
    template = form(rng)
    ratio = float(np.exp(rng.uniform(np.log(1.0 / 1.5), np.log(4.0))))
    size: Size = (round(PAGE[0] / ratio), round(PAGE[1] / ratio))
    laid = similarity(PAGE, np.radians(rng.uniform(-1.5, 1.5)), 1.0, rng.uniform(-12.0, 12.0, 2))
    truth = unit(laid @ np.diag([ratio, ratio, 1.0]))
    scanned = seen_at(_written(template, rng), truth, size, ratio)
    return SearchPair(
        exposed(scanned, SIGMA, rng), exposed(template, 0.0, rng), truth, "homography"
    )


def tilted(degrees: int) -> Kind:
    """A photograph on a plane, straight on and from aside."""

    def kind(rng: np.random.Generator) -> SearchPair:
        scene = _scene(rng, 300)
        width, height = 360, 280
        left, top = (
            int(rng.integers(0, a - b + 1))
            for a, b in zip(scene.shape[::-1], (width, height), strict=True)
        )
        truth = viewpoint((width, height), degrees, rng.uniform(0.0, 2.0 * np.pi))
        source = render(scene, shift(left, top) @ truth, (width, height))
        target = scene[top : top + height, left : left + width]
        images = (exposed(each, TILT_SIGMA, rng) for each in (source, target))
        return SearchPair(*images, truth, "homography")

    return kind


MODELS = ("translation", "rigid", "similarity", "affine", "homography")
SCALES: dict[str, Kind] = {"scale 0.2 to 5": scaled}
CROPS: dict[str, Kind] = {f"crop of 1/25, {model}": cropped(model) for model in MODELS}
FORMS: dict[str, Kind] = {"form, x 0.25 to 1.5": filled_form}
TILTS: dict[str, Kind] = {
    f"tilted by {degrees} degrees": tilted(degrees) for degrees in (60, 65, 70)
}
