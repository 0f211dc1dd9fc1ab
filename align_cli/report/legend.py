"""The legend: the scale of an error map as a picture, and the strip below a displacement map."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.report import error_scale

TITLES: Final = {
    (True, True): "|warped - target| in % of full scale, square-root scale",
    (False, True): "|warped - target| in % of target's range, square root",
    (True, False): "|residual| after illumination, % of full scale, sqrt",
    (False, False): "|residual| after illumination, % of target's range, sqrt",
}
"""What is painted: of images with a full scale or without, before the illumination or after it."""

OUTSIDE: Final = "no overlap"

SMALLEST_TEXT_PX: Final = 12
VIEWED_AT_PX: Final = 1000
"""The smallest text that reads well; an image is commonly displayed as wide as the second, where
larger text would be out of place."""

WIDTH, HEIGHT = 26.5, 5.8
MARGIN, TITLE_BASELINE, BAR_TOP, TICK_BASELINE = 0.9, 1.7, 2.4, 4.9
BAR_LENGTH, BAR_HEIGHT, TICK_LENGTH = 15.5, 1.1, 0.35
SWATCH_LEFT, SWATCH_WIDTH, SWATCH_TEXT = 18.2, 2.0, 2.5
"""The strip's layout, in multiples of the text's size: what stands in it must not touch."""

FRAME = error_scale.PAPER + 8
"""The grey of a sample's frame, between paper and ink."""

THIN: Final = 1.0 / 16.0
"""Width of a line, over the text's size: as thick as the strokes of its letters."""


class Legend(NamedTuple):
    """Sizes of the legend of one picture; ``text`` is the height of a line of text in pixels."""

    text: int

    @classmethod
    def of(cls, width: int, height: int) -> Legend:
        """Fit the legend to a map of ``width`` x ``height`` pixels: large maps get large text."""
        seen = SMALLEST_TEXT_PX * np.sqrt(width * height) / VIEWED_AT_PX
        return cls(max(SMALLEST_TEXT_PX, int(min(seen, width / WIDTH))))

    @property
    def width(self) -> int:
        """Least width of the strip, in pixels; a narrower image is padded to it."""
        return self.px(WIDTH)

    @property
    def height(self) -> int:
        """Height of the strip in pixels."""
        return self.px(HEIGHT)

    @property
    def stripe(self) -> int:
        """Width of the hatching's stripes, in pixels, in the strip and in the map."""
        return self.px(1 / 3)

    @property
    def line(self) -> int:
        """Width of a line in pixels."""
        return max(1, int(self.text * THIN))

    def px(self, length: float) -> int:
        """A length in units of the text's size, in whole pixels."""
        return round(length * self.text)


def draw(legend: Legend, width: int, title: str) -> NDArray[np.uint8]:
    """Draw the strip: (legend.height, width) of ``COLOURS``, ``width >= legend.width``.

    OpenCV unpacks its fonts on the first text of every thread, which takes some 20 ms.
    """
    strip = Strip(legend, width)
    strip.write(title, MARGIN, TITLE_BASELINE)
    errors = np.array([error_scale.TICKS_PERCENT], np.float32) / 100
    strip.bar(
        [
            (level, f"{percent}+" if error >= error_scale.LAST_ERROR else f"{percent}")
            for level, percent, error in zip(
                error_scale.levels(errors)[0].tolist(),
                error_scale.TICKS_PERCENT,
                errors[0].tolist(),
                strict=True,
            )
        ]
    )
    hatched(strip.swatch(SWATCH_LEFT, BAR_TOP, OUTSIDE), legend)
    return strip.finished()


class Strip:
    """A strip that is being drawn, in ``COLOURS`` or any table that is laid out like it.

    Args:
        legend: sizes.
        width: in pixels.
        height: in units of the text's size.
    """

    def __init__(self, legend: Legend, width: int, height: float = HEIGHT) -> None:
        self._legend = legend
        self._levels = np.full((legend.px(height), width), error_scale.PAPER, np.uint8)
        self._ink = np.zeros_like(self._levels)

    def write(self, text: str, left: float, baseline: float) -> None:
        """Write a line; lengths are in units of the text's size."""
        px = self._legend.px
        _write(self._ink, text, px(left), px(baseline), self._legend.text)

    def bar(self, ticks: Iterable[tuple[int, str]]) -> None:
        """Draw the bar of colours, with ticks at some of their levels."""
        px, text = self._legend.px, self._legend.text
        left, length, bottom = px(MARGIN), px(BAR_LENGTH), px(BAR_TOP + BAR_HEIGHT)
        bar = np.rint(np.linspace(0, error_scale.LAST_LEVEL, length)).astype(np.uint8)
        self._levels[px(BAR_TOP) : bottom, left : left + length] = bar
        for level, label in ticks:
            x = left + round(level / error_scale.LAST_LEVEL * (length - 1))
            mark = np.s_[bottom : bottom + px(TICK_LENGTH), x : x + self._legend.line]
            self._levels[mark] = error_scale.INK
            _write(self._ink, label, x, px(TICK_BASELINE), text, centred=True)

    def swatch(self, left: float, top: float, text: str) -> NDArray[np.uint8]:
        """Draw a framed sample with its label; return the inside, to be filled."""
        px = self._legend.px
        rows = slice(px(top), px(top + BAR_HEIGHT))
        frame = self._levels[rows, px(left) : px(left + SWATCH_WIDTH)]
        frame[:] = FRAME
        line = self._legend.line
        self.write(text, left + SWATCH_TEXT, top + BAR_HEIGHT - 0.2)
        return frame[line:-line, line:-line]

    def finished(self) -> NDArray[np.uint8]:
        """The strip, (height, width) of ``COLOURS``."""
        steps = error_scale.INK - error_scale.PAPER
        greys = error_scale.PAPER + (self._ink.astype(np.uint16) * steps + 127) // 255
        np.copyto(self._levels, greys.astype(np.uint8), where=self._ink > 0)
        return self._levels


def hatched(inside: NDArray[np.uint8], legend: Legend) -> None:
    """Fill a swatch with the hatching of pixels outside the overlap."""
    inside[:] = error_scale.hatching(inside.shape[0], inside.shape[1], legend.stripe)


@functools.cache
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def _write(
    ink: NDArray[np.uint8], text: str, x: int, baseline: int, size: int, *, centred: bool = False
) -> None:
    if centred:
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), size, 400)
        x -= width // 2
    cv2.putText(ink, text, (x, baseline), (255, 255, 255), _font(), size, 400)
