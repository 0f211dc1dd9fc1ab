"""Rendered pages, as screenshots show them: ``benchmarks.changed`` compares two of each.

Text is drawn by Pillow with the font that it brings along, at any density and sub-pixel position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

SENTENCE: Final = (
    "alignment image source target residual transform overlap report measure pixel corner error "
    "level verdict page screen button table figure total price invoice order date name"
)
WORDS: Final = SENTENCE.split()
SIZE: Final = (800, 640)
DENSITY: Final = 2
FINER: Final = 4
"""Drawn at least so many times as fine and averaged, as browsers draw text: anywhere between
pixels."""

LINES: Final = 22
LINE_PX: Final = 26
TEXT_PX: Final = 13.0


@dataclass(frozen=True)
class Text:
    """A line of text: left and middle of its height, in CSS pixels."""

    x: float
    y: float
    words: str
    size: float
    colour: Colour = (34, 34, 34)


@dataclass(frozen=True)
class Patch:
    """A filled rectangle with round corners, in CSS pixels: x, y, width, height."""

    box: Box
    colour: Colour
    radius: int = 4


@dataclass(frozen=True)
class Page:
    """What is drawn, in this order: patches, then text; both relative to the top of the page."""

    patches: tuple[Patch, ...]
    texts: tuple[Text, ...]
    background: Colour = (255, 255, 255)

    def without(self, text: Text) -> Page:
        """The page without a line."""
        return replace(self, texts=tuple(each for each in self.texts if each is not text))

    def closed_up(self, text: Text) -> Page:
        """The page without a line, and what was below it moved up."""
        up = tuple(
            replace(each, y=each.y - LINE_PX) if each.y > text.y else each
            for each in self.without(text).texts
        )
        patches = tuple(
            replace(each, box=(each.box[0], each.box[1] - LINE_PX, *each.box[2:]))
            if each.box[1] > text.y
            else each
            for each in self.patches
        )
        return replace(self, texts=up, patches=patches)

    def with_patch(self, patch: Patch) -> Page:
        """The page with one more rectangle, below the text."""
        return replace(self, patches=(*self.patches, patch))


def random_page(rng: np.random.Generator, *, height: int = SIZE[1]) -> Page:
    """A page with a header, paragraphs, buttons with labels and pictures of flat colours."""
    width = SIZE[0]

    def tint(low: int, high: int) -> Colour:
        red, green, blue = rng.integers(low, high, 3)
        return int(red), int(green), int(blue)

    def words(count: int) -> str:
        return " ".join(rng.choice(WORDS, count))

    dark = rng.random() < 0.2
    ink, paper = ((225, 225, 225), (30, 32, 36)) if dark else ((34, 34, 34), (255, 255, 255))
    patches = [Patch((0, 0, width, 48), tint(20, 120), 0)]
    texts = [Text(20.0, 24.0, words(3), 20.0, (255, 255, 255))]
    for i in range(height * LINES // SIZE[1]):
        y = 70.0 + LINE_PX * i
        if y > height:
            break
        if i % 9 == 0:
            texts.append(Text(20.0, y, words(3), 22.0, ink))
        else:
            texts.append(Text(20.0, y, words(int(rng.integers(4, 8))), TEXT_PX, ink))
    for i in range(height // 160):
        top = 70 + 160 * i
        patches.append(Patch((560, top, 220, 100), tint(90, 230), 8))
        patches.append(Patch((560, top + 110, 90, 32), tint(40, 160), 6))
        texts.append(Text(572.0, top + 126.0, words(1), TEXT_PX, (255, 255, 255)))
        texts.append(Text(665.0, top + 126.0, f"{rng.integers(100, 999)}.00", 26.0, ink))
    return Page(tuple(patches), tuple(texts), paper)


def render(
    page: Page, *, density: int = 1, top: int = 0, offset: tuple[float, float] = (0.0, 0.0)
) -> Pixels:
    """(height, width, 3) uint8: what a window of ``SIZE`` shows.

    Args:
        page: the page.
        density: pixels for each CSS pixel.
        top: how far the page is scrolled, in CSS pixels.
        offset: how far the text alone is shifted, in pixels: only its antialiasing differs.
    """
    scale = FINER * DENSITY  # whatever the density, so that the advances are the same
    image = Image.new("RGB", (SIZE[0] * scale, SIZE[1] * scale), page.background)
    draw = ImageDraw.Draw(image)
    for patch in page.patches:
        x, y, width, height = patch.box
        left, upper = x * scale, (y - top) * scale
        corners = left, upper, left + width * scale - 1, upper + height * scale - 1
        draw.rounded_rectangle(corners, patch.radius * scale, fill=patch.colour)
    for text in page.texts:
        font = ImageFont.load_default(text.size * scale)
        x = text.x * scale + offset[0] * scale / density
        y = (text.y - top) * scale + offset[1] * scale / density
        draw.text((round(x), round(y)), text.words, text.colour, font=font, anchor="lm")
    return np.asarray(image.reduce(scale // density))


def text_box(text: Text, *, top: int = 0) -> Box:
    """The bounding box of a line, in pixels of density 1."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    at = text.x, text.y - top
    left, upper, right, lower = draw.textbbox(
        at, text.words, font=ImageFont.load_default(text.size), anchor="lm"
    )
    return int(left), int(upper), int(np.ceil(right - left)), int(np.ceil(lower - upper))
