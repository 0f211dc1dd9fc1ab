"""The strip below an error map that says what its colours mean."""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.report import error_scale

TITLE: Final = "|warped - target| in % of full scale, square-root scale"
TITLE_OF_RANGE: Final = "|warped - target| in % of target's range, square root"
"""Where the images have no full scale."""

OUTSIDE: Final = "no overlap"

# Every length of the strip is a multiple of the text's size. 12 px is the smallest that reads
# well; a picture is commonly looked at 1000 px wide, where larger text would be out of place.
SMALLEST_TEXT_PX: Final = 12
VIEWED_AT_PX: Final = 1000

WIDTH, HEIGHT = 26.5, 5.8
MARGIN, TITLE_BASELINE, BAR_TOP, TICK_BASELINE = 0.9, 1.7, 2.4, 4.9
BAR_LENGTH, BAR_HEIGHT, TICK_LENGTH = 15.5, 1.1, 0.35
SWATCH_LEFT, SWATCH_WIDTH, SWATCH_TEXT = 18.2, 2.0, 20.7

FRAME = error_scale.PAPER + 8


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
        """The least width that it needs, in pixels; a narrower picture is widened to it."""
        return self.px(WIDTH)

    @property
    def height(self) -> int:
        """Height of the strip in pixels."""
        return self.px(HEIGHT)

    @property
    def stripe(self) -> int:
        """Width in pixels of the hatching's stripes, in the strip and in the map alike."""
        return self.px(1 / 3)

    def px(self, length: float) -> int:
        """Turn a length in units of the text's size into whole pixels."""
        return round(length * self.text)


def draw(legend: Legend, width: int, title: str = TITLE) -> NDArray[np.uint8]:
    """Draw the strip: (legend.height, width) of ``COLOURS``, ``width >= legend.width``.

    OpenCV unpacks its fonts on the first text of every thread, which takes some 20 ms.
    """
    strip = np.full((legend.height, width), error_scale.PAPER, np.uint8)
    ink = np.zeros_like(strip)
    px = legend.px
    _write(ink, title, px(MARGIN), px(TITLE_BASELINE), legend.text)

    left, length, bottom = px(MARGIN), px(BAR_LENGTH), px(BAR_TOP + BAR_HEIGHT)
    bar = np.rint(np.linspace(0, error_scale.LAST_LEVEL, length)).astype(np.uint8)
    rows = slice(px(BAR_TOP), bottom)
    strip[rows, left : left + length] = bar
    for percent in error_scale.TICKS_PERCENT:
        error = np.full((1, 1), percent / 100, np.float32)
        x = left + round(
            float(error_scale.levels(error)[0, 0]) / error_scale.LAST_LEVEL * (length - 1)
        )
        strip[bottom : bottom + px(TICK_LENGTH), x : x + max(1, legend.text // 16)] = (
            error_scale.INK
        )
        last = percent / 100 >= error_scale.LAST_ERROR
        label = f"{percent}+" if last else f"{percent}"
        _write(ink, label, x, px(TICK_BASELINE), legend.text, centred=True)

    swatch = strip[rows, px(SWATCH_LEFT) : px(SWATCH_LEFT + SWATCH_WIDTH)]
    swatch[:] = FRAME
    line = max(1, legend.text // 16)
    inner = swatch[line:-line, line:-line]
    inner[:] = error_scale.hatching(inner.shape[0], inner.shape[1], legend.stripe)
    _write(ink, OUTSIDE, px(SWATCH_TEXT), bottom - px(0.2), legend.text)
    steps = error_scale.INK - error_scale.PAPER
    greys = error_scale.PAPER + (ink.astype(np.uint16) * steps + 127) // 255
    np.copyto(strip, greys.astype(np.uint8), where=ink > 0)
    return strip


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
