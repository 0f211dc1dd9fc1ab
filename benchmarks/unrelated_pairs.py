"""Pairs of images that show nothing in common, for ``benchmarks.evidence``.

Each kind is one function of the random numbers and nothing else. Many kinds share what is not the
scene (type area and lines of a page, courses of a wall, the block grid of JPEG, the period of a
lattice) and share it *in place*, as a solver would lay them: these are the pairs on which evidence
is counted that is none. Sizes from 0.1 to 4 MP, most of them small.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from align_cli.engine.geometry.coordinates import Size
from benchmarks.scenes import Floats, exposed
from benchmarks.verdict_pairs import LARGE_SCENES, SCENES, WORDS, Image, Kind, Pair, picture

LEAST_MP, MOST_MP = 0.1, 4.0
SKEW = 6
"""Half of the pairs have less than 1.06 times the least area, 8 % more than 1 MP, 3 % more than
2 MP: so 2,000 pairs have 0.6 gigapixels."""
ASPECTS = (1.0, 4.0 / 3.0, 3.0 / 2.0, 16.0 / 9.0)
LEAST_SIGMA, MOST_SIGMA = 0.5, 5.0
PAPER, INK = 250, 20
FACES = ("sans", "italic", "uni")
"""The fonts that OpenCV brings along."""
DIGITS = tuple("0123456789")
LETTERS = tuple("etaoinshrdlucmfwypvbgk(){}=;,._01")
"""Of programs and tables: what stands often in monospaced text."""
MORTAR = 180.0
LAID = 0.08
"""Standard deviation of a joint from where it should be, of a brick's length."""


def random_size(rng: np.random.Generator) -> Size:
    """(width, height), upright as often as lying."""
    megapixels = LEAST_MP * (MOST_MP / LEAST_MP) ** (rng.uniform() ** SKEW)
    height = np.sqrt(megapixels * 1e6 / rng.choice(ASPECTS))
    sides = round(megapixels * 1e6 / height), round(height)
    return sides if rng.uniform() < 0.5 else (sides[1], sides[0])


def _exposed(source: Floats, target: Floats, rng: np.random.Generator) -> Pair:
    """Both with the noise of one camera."""
    sigma = rng.uniform(LEAST_SIGMA, MOST_SIGMA)
    return Pair(exposed(source, sigma, rng), exposed(target, sigma, rng), None)


# Photographs.


def _enlarged(image: Floats, size: Size) -> Floats:
    """As it is, or enlarged until it covers ``size``."""
    height, width = image.shape
    times = max(size[0] / width, size[1] / height)
    if times <= 1.0:
        return image
    covering = max(size[0], round(times * width)), max(size[1], round(times * height))
    return np.asarray(cv2.resize(image, covering, interpolation=cv2.INTER_CUBIC), np.float64)


def _cut(image: Floats, size: Size, rng: np.random.Generator) -> Floats:
    """A part of ``size`` from anywhere in the image."""
    whole = _enlarged(image, size)
    left = int(rng.integers(whole.shape[1] - size[0] + 1))
    top = int(rng.integers(whole.shape[0] - size[1] + 1))
    return whole[top : top + size[1], left : left + size[0]]


def _two_photographs(size: Size, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Of different things, the first in any of its eight orientations."""
    first, second = (picture(SCENES[i]) for i in rng.choice(len(SCENES), 2, replace=False))
    turned = np.rot90(first, rng.integers(4))
    turned = turned[:, ::-1] if rng.uniform() < 0.5 else turned
    return _cut(np.ascontiguousarray(turned), size, rng), _cut(second, size, rng)


def _photographs(rng: np.random.Generator) -> Pair:
    return _exposed(*_two_photographs(random_size(rng), rng), rng)


def _elsewhere(rng: np.random.Generator) -> Pair:
    """Cut from the two halves of one photograph, so that they share no pixel."""
    size, whole = random_size(rng), picture(LARGE_SCENES[rng.integers(len(LARGE_SCENES))])
    halves = np.array_split(whole, 2, axis=int(rng.integers(2)))
    source, target = (_cut(halves[i], size, rng) for i in rng.permutation(2))
    return _exposed(source, target, rng)


def _jpeg(rng: np.random.Generator) -> Pair:
    """Two photographs, down to a few grey levels of contrast, on one grid of 8x8 blocks."""
    quality, contrast = int(rng.integers(10, 61)), rng.uniform(0.1, 1.0)
    images = []
    for image in _two_photographs(random_size(rng), rng):
        flat = 128.0 + contrast * (image - image.mean())
        raw = exposed(flat, rng.uniform(LEAST_SIGMA, MOST_SIGMA), rng)
        _, file = cv2.imencode(".jpg", raw, [cv2.IMWRITE_JPEG_QUALITY, quality])
        images.append(np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8))
    return Pair(images[0], images[1], None)


# Text.


def page(size: Size, face: str, step: int, rng: np.random.Generator) -> Floats:
    """Lines of words at every ``step`` pixels; the face is of 0.7 of that."""
    font, points = cv2.FontFace(face), round(0.7 * step)
    paper = np.full((size[1], size[0]), PAPER, np.uint8)
    for y in range(2 * step, size[1] - step, step):
        x = 2 * step
        while True:
            word = WORDS[rng.integers(len(WORDS))]
            if x + len(word) * points * 0.6 > size[0] - step:
                break
            (x, _), _ = cv2.putText(paper, f"{word} ", (x, y), (INK, INK, INK), font, points, 400)
            x += points // 4
    return ndimage.gaussian_filter(paper.astype(np.float64), 0.5)


def _pages(rng: np.random.Generator) -> Pair:
    """Two pages of one book: the same type, lines and left margin, other words."""
    size, face, step = random_size(rng), str(rng.choice(FACES)), int(rng.integers(12, 31))
    return _exposed(page(size, face, step, rng), page(size, face, step, rng), rng)


@cache
def _glyphs(letters: tuple[str, ...], face: str, height: int) -> NDArray[np.uint8]:
    """(letters + 1, height, width): each in the middle of a cell of its own; the last is empty."""
    width, points = round(0.6 * height), round(0.75 * height)
    cells = np.full((len(letters) + 1, height, width), PAPER, np.uint8)
    for cell, letter in zip(cells, letters, strict=False):
        font = cv2.FontFace(face)
        left, _, inked, _ = cv2.getTextSize((0, 0), letter, (0, 0), font, points, 400)
        origin = (width - inked) // 2 - left, round(0.72 * height)
        cv2.putText(cell, letter, origin, (INK, INK, INK), font, points, 400)
    return cells


def _sheet(size: Size, glyphs: NDArray[np.uint8], full: float, rng: np.random.Generator) -> Floats:
    """Monospaced text: the share ``full`` of the cells bears a letter."""
    empty, height, width = len(glyphs) - 1, *glyphs.shape[1:]
    rows, columns = -(-size[1] // height), -(-size[0] // width)
    text = rng.integers(empty, size=(rows, columns))
    text[rng.uniform(size=text.shape) >= full] = empty
    sheet = glyphs[text].swapaxes(1, 2).reshape(rows * height, columns * width)
    return ndimage.gaussian_filter(sheet[: size[1], : size[0]].astype(np.float64), 0.5)


def _monospaced(rng: np.random.Generator) -> Pair:
    """Two listings, or two tables of digits: the same cells, in each another letter."""
    letters = (LETTERS, DIGITS)[rng.integers(2)]
    face, height = str(rng.choice(FACES)), int(rng.integers(10, 33))
    size, glyphs, full = random_size(rng), _glyphs(letters, face, height), rng.uniform(0.5, 1.0)
    return _exposed(_sheet(size, glyphs, full, rng), _sheet(size, glyphs, full, rng), rng)


# What repeats itself.


def _axes(size: Size, angle: float) -> tuple[Floats, Floats]:
    """Coordinates of every pixel along two perpendicular directions."""
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float64), np.arange(size[1], dtype=np.float64))
    c, s = np.cos(angle), np.sin(angle)
    return c * x + s * y, c * y - s * x


def _lattice(rng: np.random.Generator) -> Pair:
    """One lattice of soft dots or of lines at two phases; every period is as good as the next."""
    along, across = _axes(random_size(rng), rng.uniform(0.0, np.pi / 2.0))
    periods, sharpness = rng.uniform(6.0, 60.0, 2), rng.uniform(0.0, 8.0)
    images = []
    for phase in rng.uniform(0.0, 2.0 * np.pi, (2, 2)):
        one, other = (
            np.cos(2.0 * np.pi / period * axis + start)
            for axis, period, start in zip((along, across), periods, phase, strict=True)
        )
        images.append(128.0 + 60.0 * np.tanh((1.0 + sharpness) * (one + other) / 2.0))
    return _exposed(images[0], images[1], rng)


def _facade(rng: np.random.Generator) -> Pair:
    """The same windows in the same places, behind each another picture."""
    size, width, height = random_size(rng), *rng.integers(16, 49, 2)
    frame = int(rng.integers(3, 9))
    images = []
    for _ in range(2):
        image = ndimage.gaussian_filter(rng.normal(size=(size[1], size[0])), rng.uniform(1.0, 6.0))
        image = 110.0 + rng.uniform(5.0, 40.0) * image / image.std()
        image[np.arange(size[1]) % height < frame] = 200.0
        image[:, np.arange(size[0]) % width < frame] = 200.0
        images.append(ndimage.gaussian_filter(image, 0.7))
    return _exposed(images[0], images[1], rng)


def _brick(rng: np.random.Generator) -> Pair:
    """The upper and the lower half of one wall: its courses, which run down, on one another."""
    size, halves = random_size(rng), np.array_split(picture("brick.png"), 2, axis=0)
    wholes = [_enlarged(half, size) for half in halves]
    left = int(rng.integers(wholes[0].shape[1] - size[0] + 1))
    images = []
    for whole in wholes:
        top = int(rng.integers(whole.shape[0] - size[1] + 1))
        images.append(whole[top : top + size[1], left : left + size[0]])
    return _exposed(images[0], images[1], rng)


def _masonry(size: Size, course: int, length: int, mortar: int, rng: np.random.Generator) -> Floats:
    """Courses of one height; bricks about ``length`` long, laid by hand, each of its own grey."""
    width, height = size
    bricks = 2 + width // length
    greys = rng.normal(110.0, rng.uniform(5.0, 25.0), (1 + height // course, bricks + 1))
    image = np.empty((height, width))
    x = np.arange(width)
    for row, grey in enumerate(greys):
        ends = length * (np.arange(bricks) - row % 2 / 2.0)
        ends += rng.normal(0.0, LAID * length, bricks)
        line = grey[np.searchsorted(ends, x)]
        line[(np.abs(x[:, None] - ends) < mortar / 2.0).any(axis=1)] = MORTAR
        image[row * course : (row + 1) * course] = line
        image[row * course : row * course + mortar] = MORTAR
    rough = ndimage.gaussian_filter(rng.normal(size=image.shape), 1.0)
    return ndimage.gaussian_filter(image + rng.uniform(5.0, 30.0) * rough, 0.7)


def _wall(rng: np.random.Generator) -> Pair:
    """Two walls in one running bond, courses on courses."""
    size, course, mortar = random_size(rng), int(rng.integers(12, 41)), int(rng.integers(2, 5))
    length = int(course * rng.uniform(1.8, 3.2))
    walls = [_masonry(size, course, length, mortar, rng) for _ in range(2)]
    return _exposed(walls[0], walls[1], rng)


def _noise(rng: np.random.Generator) -> Pair:
    """Noise of any colour, from white to that of clouds."""
    width, height = random_size(rng)
    grain = rng.uniform(0.0, 12.0)
    images: list[Image] = []
    for _ in range(2):
        image = ndimage.gaussian_filter(rng.normal(size=(height, width)), grain)
        images.append(exposed(128.0 + 40.0 * image / image.std(), 0.0, rng))
    return Pair(images[0], images[1], None)


UNRELATED: dict[str, Kind] = {
    "other photograph": _photographs,
    "photograph, elsewhere": _elsewhere,
    "JPEG, one grid": _jpeg,
    "text": _pages,
    "monospaced text": _monospaced,
    "lattice": _lattice,
    "facade": _facade,
    "brick, elsewhere": _brick,
    "other wall": _wall,
    "noise": _noise,
}
