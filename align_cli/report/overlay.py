"""Target and warped source in one still picture, by styles that have names.

They are those of the page, which the browser composes: ``page/templates`` has the same squares,
weights of colours and amber, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from align_cli.report.page.stretch import Shown
    from align_cli.report.page.view import Outline

SQUARES: Final = 10
"""Of a checkerboard, along the longer side: large enough that the eye follows an edge in one."""

NOTHING: Final = (185, 216)
"""Two greys, in small squares: what is transparent, or outside the source."""

NOTHING_SQUARES: Final = 100
NOTHING_PX: Final = 8
"""So many of these squares along the longer side, but none smaller than so many pixels."""

BORDER: Final = (255, 176, 0)
"""Amber, which few photographs hold, with a black rim."""

CHANGED: Final = (255, 0, 200)
"""Magenta, likewise: the boxes of what changed."""

RIM: Final = (0, 0, 0)
RIM_LINES: Final = 3
"""A line with its rim is so many times as wide: it is seen on what is light and what is dark."""

LINES: Final = 500
"""Lines are as thick as the longer side over this, so that they are seen in a small view too."""

SUBPIXEL_BITS: Final = 4
"""Of the coordinates that OpenCV draws at."""


class Pair:
    """Target and warped source, as a screen shows them, both of the target's size."""

    def __init__(
        self, target: Shown, warped: Shown, border: Outline | None, marks: Sequence[Outline] = ()
    ) -> None:
        """``border`` is that of the source on the target, None where it cannot be drawn.

        ``marks`` are the boxes of what changed.
        """
        self.target, self.warped, self.border, self.marks = target, warped, border, marks


def flat(shown: Shown) -> NDArray[np.uint8]:
    """A picture on squares of two greys, which show where there is nothing.

    Returns:
        (H, W) or (H, W, 3) uint8, as the picture's own colours.
    """
    colours, opaque = shown
    if opaque is None:
        return colours
    height, width = opaque.shape
    side = max(NOTHING_PX, max(height, width) / NOTHING_SQUARES)
    below = np.where(_squares(height, width, side), np.uint8(NOTHING[1]), np.uint8(NOTHING[0]))
    if colours.ndim == 3:
        below, opaque = below[..., np.newaxis], opaque[..., np.newaxis]
    if bool(((opaque == 0) | (opaque == 255)).all()):
        return np.asarray(np.where(opaque == 255, colours, below), np.uint8)
    share = opaque * np.float32(1 / 255)
    return np.asarray(np.rint(below + (colours.astype(np.float32) - below) * share), np.uint8)


def coloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3), of (H, W) or (H, W, 3)."""
    if picture.ndim == 3:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)


def draw(style: str, pair: Pair) -> NDArray[np.uint8]:
    """The overlay, (H, W, 3) uint8 RGB of the target's size; see ``view_names.STYLES``.

    With the boxes of what changed, whatever the style.
    """
    picture = DRAWN[style](pair)
    if not pair.marks:
        return picture
    picture = np.ascontiguousarray(picture)
    beside = RIM_LINES * _thickness(picture) / 2
    most = np.maximum(np.array(picture.shape[1::-1]) - beside, beside)
    boxes = []
    for mark in pair.marks:
        points = np.array(mark.points)
        # Around what changed, not over it; within the picture where that ends.
        outwards = beside * np.sign(points - points.mean(axis=0))
        boxes.append(np.clip(points + outwards, beside, most))
    _draw_lines(picture, boxes, CHANGED)
    return picture


def _checkerboard(pair: Pair) -> NDArray[np.uint8]:
    target, warped = (coloured(flat(each)) for each in (pair.target, pair.warped))
    height, width = target.shape[:2]
    of_source = _squares(height, width, max(1.0, max(height, width) / SQUARES))
    return np.where(of_source[..., np.newaxis], warped, target)


def _red_cyan(pair: Pair) -> NDArray[np.uint8]:
    red, cyan = (_luma(each) for each in (pair.target, pair.warped))
    return np.dstack([red, cyan, cyan])


def _outlined(pair: Pair) -> NDArray[np.uint8]:
    picture = coloured(flat(pair.target)).copy()
    if pair.border is None:
        return picture
    _draw_lines(picture, [np.array(pair.border.points)], BORDER)
    return picture


def _thickness(picture: NDArray[np.uint8]) -> int:
    longest: int = max(picture.shape[:2])
    return max(1, round(longest / LINES))


def _draw_lines(
    picture: NDArray[np.uint8],
    polygons: Sequence[NDArray[np.float64]],
    colour: tuple[int, int, int],
) -> None:
    """Draw closed lines with their rims into a picture; (n, 2) points each, as an outline's."""
    # An outline has the corner of the first pixel at (0, 0), OpenCV its centre.
    lines = [np.rint((each - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32) for each in polygons]
    thick = _thickness(picture)
    for ink, width in ((RIM, RIM_LINES * thick), (colour, thick)):
        cv2.polylines(
            picture,
            lines,
            isClosed=True,
            color=ink,
            thickness=width,
            lineType=cv2.LINE_AA,
            shift=SUBPIXEL_BITS,
        )


DRAWN: Final[Mapping[str, Callable[[Pair], NDArray[np.uint8]]]] = {
    "checkerboard": _checkerboard,
    "red-cyan": _red_cyan,
    "outline": _outlined,
}
"""What draws each of ``view_names.STYLES``."""


def _squares(height: int, width: int, side: float) -> NDArray[np.bool_]:
    """(height, width), False in the first square, True in its neighbours."""
    down, across = ((np.arange(count) / side).astype(np.intp) % 2 for count in (height, width))
    return np.asarray(down[:, np.newaxis] != across, np.bool_)


def _luma(shown: Shown) -> NDArray[np.uint8]:
    """(H, W); black where there is nothing, so that the other picture alone is seen."""
    grey = shown.colours
    if grey.ndim == 3:
        grey = np.asarray(cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY), np.uint8)
    if shown.opaque is None:
        return grey
    return np.asarray(np.rint(grey * (shown.opaque * np.float32(1 / 255))), np.uint8)
