"""Pairs whose scene moves under what stays with the sensor, for ``benchmarks.sensor``.

Two views of a photograph, the motion between them, and a fixed pattern at the same raw pixels of
both images: burnt-in text, a round field of view, a mount, hot pixels, nodata, the grid of a JPEG.
The scene holds the majority: by construction the pattern covers less than ``LARGEST_SHARE`` of the
area, and the scene has texture all over. Each kind comes moved and unmoved; unmoved, the pattern is
as good a witness as the scene.

A pair is one function of the random numbers and nothing else, so that it does not depend on how
many there are of others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from align_cli.engine.geometry.coordinates import Size
from benchmarks.scenes import Floats, exposed, render, shift
from benchmarks.verdict_pairs import (
    SCENES,
    SIGMA,
    SIZES,
    TEXTURES,
    Image,
    Pair,
    _about_centre,
    _cut,
    _one_of,
    _place,
    _shown,
    picture,
)

CONTRASTS = (4.0, 60.0)
"""Standard deviation of the scene, grey levels."""
SHIFTS_PX = (0.5, 60.0)
LARGEST_TURN = np.radians(2.0)
LARGEST_SHARE = 0.45
"""Of the area, covered by the fixed pattern."""
TILE = 16
LEAST_TILE_CONTRAST = 0.2
"""Median standard deviation of a scene's tiles over that of all of it.

Textures and photographs with detail all over have 0.3 to 1; a launch in front of an empty sky, a
clock in front of a wall and a man in front of a lawn out of focus 0.03 to 0.15: there the text is
most of what can be seen.
"""
BLACK, WHITE = 0.0, 255.0
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


@dataclass(frozen=True)
class SensorPair(Pair):
    """``truth`` is never None.

    Attributes:
        model: the simplest that holds the motion, "translation" or "rigid".
        contrast: standard deviation of the scene before noise, grey levels.
        share: of the area, covered by the fixed pattern.
    """

    model: str
    contrast: float
    share: float


@dataclass(frozen=True)
class FixedPattern:
    """What stands at the same raw pixels of both images.

    Attributes:
        cover: (height, width), how much of the scene is hidden, 0 to 1.
        values: grey values of what hides it, (height, width) or one for all.
        exact: drawn into the finished image; else the sensor sees it, with noise.
        quality: of the JPEG that both images were; None for none.
    """

    cover: Floats
    values: Floats | float
    exact: bool
    quality: int | None = None

    @property
    def share(self) -> float:
        return float(np.mean(self.cover > 0.0))

    def over(self, image: Floats) -> Floats:
        return image * (1.0 - self.cover) + self.values * self.cover

    def taken(self, scene: Floats, rng: np.random.Generator) -> Image:
        """One image of the scene, as the file holds it."""
        image = exposed(scene if self.exact else self.over(scene), SIGMA, rng)
        if self.exact:
            image = np.rint(self.over(image)).astype(np.uint8)
        return image if self.quality is None else _through_jpeg(image, self.quality)


Kind = Callable[[np.random.Generator], SensorPair]
PatternMaker = Callable[[Size, np.random.Generator], FixedPattern]


def _through_jpeg(image: Image, quality: int) -> Image:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


# The motion and the scene.


def _log_uniform(least: float, most: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def _motion(size: Size, rng: np.random.Generator) -> tuple[str, Floats]:
    """A shift in any direction; every second one with a turn that moves no corner further."""
    length, direction = _log_uniform(*SHIFTS_PX, rng), rng.uniform(0.0, 2.0 * np.pi)
    step = shift(length * np.cos(direction), length * np.sin(direction))
    if rng.integers(2):
        return "translation", step
    most = min(LARGEST_TURN, length / (np.hypot(*size) / 2.0))
    return "rigid", step @ _about_centre(size, rng.uniform(-most, most), 1.0)


def _textured_all_over(scene: Floats) -> bool:
    height, width = (side // TILE for side in scene.shape)
    whole_tiles = scene[: height * TILE, : width * TILE]
    tiles = whole_tiles.reshape(height, TILE, width, TILE).std(axis=(1, 3))
    return bool(np.median(tiles) >= LEAST_TILE_CONTRAST * scene.std())


def _views(
    size: Size, truth: Floats, contrast: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Source and target, a photograph seen from two places, with ``contrast`` in the target."""
    while True:
        whole = picture(_one_of((*SCENES, *TEXTURES), rng))
        if size[0] > whole.shape[1] or size[1] > whole.shape[0]:
            continue
        x, y = _place(size, whole, rng)
        to_picture, target = shift(x, y) @ truth, _cut(whole, size, x, y)
        if _shown(to_picture, size, whole) and _textured_all_over(target):
            break
    source = render(whole, to_picture, size)
    gain, mean = contrast / target.std(), target.mean()
    level = rng.uniform(40.0 + contrast, 215.0 - contrast)
    return level + gain * (source - mean), level + gain * (target - mean)


def _moving_under(make_pattern: PatternMaker) -> Kind:
    def kind(rng: np.random.Generator) -> SensorPair:
        size = SIZES[rng.integers(len(SIZES))]
        return _pair(make_pattern(size, rng), *_motion(size, rng), size, rng)

    return kind


def _unmoved_under(make_pattern: PatternMaker) -> Kind:
    def kind(rng: np.random.Generator) -> SensorPair:
        size = SIZES[rng.integers(len(SIZES))]
        return _pair(make_pattern(size, rng), "translation", np.eye(3), size, rng)

    return kind


def _pair(
    pattern: FixedPattern, model: str, truth: Floats, size: Size, rng: np.random.Generator
) -> SensorPair:
    contrast = _log_uniform(*CONTRASTS, rng)
    source, target = (pattern.taken(view, rng) for view in _views(size, truth, contrast, rng))
    return SensorPair(source, target, truth, model, contrast, pattern.share)


# What stays.


def _any_of(values: tuple[float, ...], rng: np.random.Generator) -> float:
    return values[rng.integers(len(values))]


def _written(
    size: Size, lines: list[tuple[str, int]], height_px: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Ink (0 to 1) and the lines' boxes of text, each line with the row of its base."""
    ink, boxes = (np.zeros(size[::-1], np.uint8) for _ in range(2))
    font = FONTS[rng.integers(len(FONTS))]
    scale, thickness = height_px / 22.0, max(1, round(height_px / 12.0))
    left = int(rng.integers(4, max(5, size[0] // 6)))
    for text, base in lines:
        cv2.putText(ink, text, (left, base), font, scale, 255, thickness, cv2.LINE_AA)
        (width, height), below = cv2.getTextSize(text, font, scale, thickness)
        cv2.rectangle(boxes, (left - 3, base - height - 3), (left + width + 3, base + below), 1, -1)
    return ink / 255.0, boxes.astype(np.float64)


def _inked(ink: Floats, boxes: Floats, rng: np.random.Generator) -> FixedPattern:
    """White or black, or white on black boxes."""
    look = rng.integers(3)
    if look == 0:
        return FixedPattern(boxes, WHITE * ink, exact=True)
    return FixedPattern(ink, WHITE if look == 1 else BLACK, exact=True)


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(str(digit) for digit in rng.integers(10, size=count))


def _timestamp(rng: np.random.Generator) -> str:
    month, day, hour, minute, second = rng.integers([1, 1, 0, 0, 0], [13, 29, 24, 60, 60])
    return f"2021-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"


def burnt_in_text(size: Size, rng: np.random.Generator) -> FixedPattern:
    """One to three large lines anywhere in the image, a tenth of its height each at most."""
    words = (f"CAM {_digits(2, rng)}", _timestamp(rng), "SAMPLE COPY", f"REC {_digits(6, rng)}")
    height_px = rng.uniform(0.05, 0.1) * size[1]
    bases = rng.uniform(0.12, 0.95, rng.integers(1, 4)) * size[1]
    lines = [(words[rng.integers(len(words))], round(base)) for base in bases]
    return _inked(*_written(size, lines, height_px, rng), rng)


def timestamp(size: Size, rng: np.random.Generator) -> FixedPattern:
    """One small line along the upper or the lower border."""
    base = 18 if rng.integers(2) else size[1] - 8
    return _inked(*_written(size, [(_timestamp(rng), base)], rng.uniform(8.0, 12.0), rng), rng)


def logo(size: Size, rng: np.random.Generator) -> FixedPattern:
    """A ring, a letter and a bar, opaque or translucent, of an eighth to a third of the height."""
    ink = np.zeros(size[::-1], np.uint8)
    radius = int(rng.uniform(0.06, 0.17) * size[1])
    x, y = (int(rng.integers(radius, side - radius)) for side in size)
    cv2.circle(ink, (x, y), radius, 255, max(2, radius // 5), cv2.LINE_AA)
    cv2.rectangle(ink, (x - radius, y + radius // 2), (x + radius, y + 2 * radius // 3), 255, -1)
    letter = chr(ord("A") + int(rng.integers(26)))
    at = (x - radius // 2, y + radius // 3)
    cv2.putText(ink, letter, at, FONTS[1], radius / 24.0, 255, max(1, radius // 8), cv2.LINE_AA)
    return FixedPattern(
        ink / 255.0 * rng.uniform(0.4, 1.0), _any_of((WHITE, BLACK), rng), exact=True
    )


def aperture(size: Size, rng: np.random.Generator) -> FixedPattern:
    """A round field of view, of an endoscope or an eyepiece, with an edge of a pixel or three."""
    width, height = size
    visible = rng.uniform(1.0 - LARGEST_SHARE, 0.75)
    x, y = ((side - 1.0) / 2.0 + rng.uniform(-0.03, 0.03) * side for side in size)
    distance = np.hypot(np.arange(width) - x, np.arange(height)[:, None] - y)
    radius = np.quantile(distance, visible)
    edge_px = rng.uniform(0.5, 3.0)
    cover = np.clip((distance - radius) / edge_px, 0.0, 1.0)
    return FixedPattern(cover, rng.uniform(0.0, 12.0), exact=False)


def _borders(size: Size, left: int, top: int, right: int, bottom: int) -> Floats:
    cover = np.ones(size[::-1])
    cover[top : size[1] - bottom, left : size[0] - right] = 0.0
    return cover


def mount(size: Size, rng: np.random.Generator) -> FixedPattern:
    """A slide's mount or a film holder: a rim all round, bright or dark, with round corners."""
    rim = [int(share * min(size)) for share in rng.uniform(0.04, 0.13, 4)]
    round_px = 2 * int(rng.integers(0, 9)) + 1
    opening = 1.0 - _borders(size, *rim)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round_px, round_px))
    cover = 1.0 - cv2.morphologyEx(opening, cv2.MORPH_OPEN, kernel)
    value = rng.uniform(225.0, 250.0) if rng.integers(2) else rng.uniform(5.0, 30.0)
    return FixedPattern(cover, value, exact=False)


def letterbox(size: Size, rng: np.random.Generator) -> FixedPattern:
    """Two black bars, above and below or left and right."""
    share = rng.uniform(0.05, LARGEST_SHARE / 2.0)
    along = int(rng.integers(2))
    bar = int(share * size[along])
    rim = (bar, 0, bar, 0) if along == 0 else (0, bar, 0, bar)
    return FixedPattern(_borders(size, *rim), _any_of((BLACK, 16.0), rng), exact=True)


def _spots(size: Size, count: int, side: int, rng: np.random.Generator) -> Floats:
    cover = np.zeros(size[::-1])
    for _ in range(count):
        x, y = (int(rng.integers(length - side + 1)) for length in size)
        cover[y : y + side, x : x + side] = 1.0
    return cover


def isolated_hot_pixels(size: Size, rng: np.random.Generator) -> FixedPattern:
    """30 to 1500 single pixels, from 120 grey levels to saturation."""
    count = round(_log_uniform(30.0, 1500.0, rng))
    values = rng.uniform(120.0, 400.0, size[::-1])
    return FixedPattern(_spots(size, count, 1, rng), np.minimum(values, WHITE), exact=True)


def hot_spots(size: Size, rng: np.random.Generator) -> FixedPattern:
    """1 to 100 saturated spots of 3x3 pixels."""
    count = round(_log_uniform(1.0, 100.0, rng))
    return FixedPattern(_spots(size, count, 3, rng), WHITE, exact=True)


def nodata_rim(size: Size, rng: np.random.Generator) -> FixedPattern:
    """An extreme value that no tag names along two borders, straight or aslant."""
    width, height = size
    near, far = rng.uniform(0.03, 0.18, (2, 2))
    ends = near if rng.integers(2) else far
    x, y = np.arange(width) / width, np.arange(height)[:, None] / height
    left, top = near[0] + (ends[0] - near[0]) * y, near[1] + (ends[1] - near[1]) * x
    cover = ((x < left) | (y < top)).astype(np.float64)
    turned = np.ascontiguousarray(cover[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])])
    return FixedPattern(turned, _any_of((BLACK, WHITE), rng), exact=True)


def jpeg_grid(size: Size, rng: np.random.Generator) -> FixedPattern:
    """Nothing but the blocks of a JPEG of quality 15 to 50."""
    return FixedPattern(np.zeros(size[::-1]), BLACK, exact=True, quality=int(rng.integers(15, 51)))


PATTERNS: dict[str, PatternMaker] = {
    "burnt-in text": burnt_in_text,
    "timestamp": timestamp,
    "logo": logo,
    "aperture": aperture,
    "mount": mount,
    "letterbox": letterbox,
    "hot pixels, isolated": isolated_hot_pixels,
    "hot pixels, 3x3": hot_spots,
    "nodata rim": nodata_rim,
    "JPEG grid": jpeg_grid,
}
MOVED: dict[str, Kind] = {name: _moving_under(make) for name, make in PATTERNS.items()}
UNMOVED: dict[str, Kind] = {name: _unmoved_under(make) for name, make in PATTERNS.items()}
