"""Strokes of another colour: where the contrast of what is there has changed.

A line of text drawn half a pixel further, or at twice the density, differs from itself by as much
as half its contrast, pixel by pixel, and ``align_cli.engine.result.changed`` lets edges differ so.
What such a change keeps is the ink: the sum of the grey values over a window that is wider than the
strokes. What recolours the strokes has one sign, and the sum differs. So the images are compared a
second time as means of windows: with G the mean of blocks of ``BLOCK_PX``, smoothed by a Gaussian
of ``WINDOW_BLOCKS``, t the target, s the corrected source and r = s - t, the ink of a window is
i(t) = G |t - G t|, and a window differs if

    |G r| > COVERED above + NOISE_SIGMAS sigma + EDGE_PX g + share max(i(s), i(t))

- sigma is the standard deviation of G r by the noise of both images.
- g is the lesser of the gradient magnitudes of G s and G t near the window: what an edge that is
  off, of an area wider than the window, changes in it.
- share is ``INK_SHARE`` and ``INK_FACTOR`` times the median of |G r| over the ink of all windows
  that have some, ``MOST_INK_SHARE`` at most. Another density, gamma or compression changes all ink
  alike by some per cent; of two screenshots of one renderer the text is the same.

In such windows each pixel differs that is more than ``above`` and the noise apart. Of these, areas
are left out in which the darkest and the brightest pixels of both images are the same, to within
``above``, noise and that share of their contrast: where a renderer fits strokes to pixels, a bold
letter is a twelfth higher or wider than at another density, and so has more ink of the same colour.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.result.edges import largest_gradient

BLOCK_PX: Final = 4
"""Side of the blocks, in pixels of the coarser image."""

WINDOW_BLOCKS: Final = 2.0
"""Standard deviation of the Gaussian, in blocks: windows as wide as a line of text is high."""

COVERED: Final = 0.125
"""Of a window at least so much is strokes: so much of ``above`` is left of it in a mean."""

NOISE_SIGMAS: Final = 5.0
"""Noise reaches this in one of two million windows."""

EDGE_PX: Final = 1.25
"""How far an edge may be off, in pixels."""

NEAR_BLOCKS: Final = 3
"""The gradient of an edge counts in a neighbourhood of so many blocks."""

INK_SHARE: Final = 0.02
"""Share of its ink that a window may differ by where the others do not."""

INK_FACTOR: Final = 1.5
"""How much more than the median of all windows one may differ."""

MOST_INK_SHARE: Final = 0.08
"""Beyond this it is no rendering: the most is that of a JPEG of quality 50, 0.06."""

HUE_INK_SHARE: Final = 0.3
"""The share for hues: what JPEG and WebP spread over neighbouring pixels and cannot show there
(white beside blue would have to be bluer than white) is lost, up to 0.15 of it."""

FEWEST_WINDOWS: Final = 8
"""Fewer windows side by side that differ are none: a change has at least the size of a word."""

LEAST_INK: Final = 8.0 / 255.0
"""Of full scale: windows with less are no text."""

JOINED_PX: Final = 9
"""Side of the square that joins the pixels of strokes to an area."""

EXTREMES: Final = (1.0, 99.0)
"""Percentiles that are an area's darkest and brightest pixels: of a stroke its core."""

FEWEST_BLOCKS: Final = 4
"""Along each side; smaller images are not compared so."""


def recoloured(
    residual: Plane, target: Plane, *, noise: float, above: float, pixel: float, hue: bool
) -> NDArray[np.uint8] | None:
    """Where strokes have another colour, (height, width) of 0 and 1; None for nowhere.

    Args:
        residual: (height, width) float32, corrected source less target, 0 outside the overlap.
        target: (height, width) float32, in the units of ``residual``.
        noise: standard deviation of the noise of ``residual``.
        above: differences up to this do not count.
        pixel: side of a pixel of the coarser image, in pixels; at least 1.
        hue: whether the planes are hues.
    """
    block = round(BLOCK_PX * pixel)
    rows, columns = (side // block for side in residual.shape)
    least = above + NOISE_SIGMAS * noise
    if min(rows, columns) < FEWEST_BLOCKS or not _any_beyond(residual, least):
        return None
    blocks = _Blocks(block, rows, columns)
    change = _smoothed(blocks.reduced(residual))
    apart = np.abs(change)
    gain = 1.0 / (2.0 * math.sqrt(math.pi) * WINDOW_BLOCKS * block)  # of white noise
    allowed = COVERED * above + NOISE_SIGMAS * noise * gain
    if not (apart > allowed).any():
        return None
    still = _smoothed(blocks.reduced(target))
    moved = still + change
    edges = np.minimum(
        largest_gradient(still, NEAR_BLOCKS), largest_gradient(moved, NEAR_BLOCKS)
    ) * (EDGE_PX * pixel / block)
    if not (apart > allowed + edges).any():
        return None
    ink = np.maximum(blocks.ink(target, still), blocks.ink(target + residual, moved))
    share = HUE_INK_SHARE if hue else _share(apart, ink)
    differs = _together(apart > allowed + edges + share * ink)
    if not differs.any():
        return None
    found = _pixels(differs, residual, least, block)
    _leave_out_same_colours(found, residual, target, least, share)
    return found


def _any_beyond(residual: Plane, least: float) -> bool:
    """Whether any pixel differs at all."""
    low, high, *_ = cv2.minMaxLoc(residual)
    return max(-low, high) > least


def _share(apart: Plane, ink: Plane) -> float:
    """The share of its ink that a window may differ by."""
    some = ink > LEAST_INK
    if not some.any():
        return INK_SHARE
    usual = float(np.median(apart[some] / ink[some]))
    return min(MOST_INK_SHARE, INK_SHARE + INK_FACTOR * usual)


def _together(differs: Mask) -> Mask:
    """The windows that differ, where enough of them do side by side."""
    if not differs.any():
        return differs
    marked = differs.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    enough = np.asarray(stats[:, cv2.CC_STAT_AREA] >= FEWEST_WINDOWS, np.bool_)
    return np.take(enough, np.asarray(labels, np.intp)) & differs


def _pixels(differs: Mask, residual: Plane, least: float, block: int) -> NDArray[np.uint8]:
    """The pixels of the windows that differ, (height, width) of 0 and 1."""
    height, width = residual.shape
    rows = np.minimum(np.arange(height) // block, len(differs) - 1)
    columns = np.minimum(np.arange(width) // block, differs.shape[1] - 1)
    wide = np.asarray(cv2.dilate(differs.astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    found = np.zeros((height, width), np.uint8)
    touched = np.flatnonzero(wide.max(axis=1)[rows])
    found[touched] = wide[rows[touched]][:, columns] & (np.abs(residual[touched]) > least)
    return found


def _leave_out_same_colours(
    found: NDArray[np.uint8], residual: Plane, target: Plane, least: float, share: float
) -> None:
    """Leave out, in place, the areas whose darkest and brightest pixels are as dark and as bright.

    Args:
        found: (height, width) of 0 and 1, pixels that differ.
        residual: corrected source less target.
        target: the target.
        least: these may differ by so much,
        share: and by this share of the contrast.
    """
    near = np.ones((JOINED_PX, JOINED_PX), np.uint8)
    _, labels = cv2.connectedComponents(cv2.dilate(found, near), connectivity=8)
    # With their neighbours: beside what was added to a stroke is its core.
    y, x = np.nonzero(cv2.dilate(found, np.ones((3, 3), np.uint8)))
    label = np.asarray(labels[y, x], np.intp)
    by_area = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])
    for mine in by_area:
        if not mine.size:
            continue
        area = y[mine], x[mine]
        before = np.percentile(target[area] + residual[area], EXTREMES)
        after = np.percentile(target[area], EXTREMES)
        contrast = max(float(np.ptp(before)), float(np.ptp(after)))
        if np.abs(before - after).max() <= least + share * contrast:
            found[area] = 0


class _Blocks:
    """Means of blocks of images, whose last rows and columns are left out if they fill none."""

    def __init__(self, block: int, rows: int, columns: int) -> None:
        self._block, self._rows, self._columns = block, rows, columns
        self._strip = max(1, LARGE_STRIP_PIXELS // (block * block * columns))

    def reduced(self, plane: Plane, less: Plane | None = None) -> Plane:
        """The means of a plane, or of its distances from others; in strips."""
        reduced = np.empty((self._rows, self._columns), np.float32)
        for top in range(0, self._rows, self._strip):
            bottom = min(top + self._strip, self._rows)
            strip = plane[top * self._block : bottom * self._block, : self._columns * self._block]
            if less is not None:
                size = strip.shape[1], strip.shape[0]
                wide = cv2.resize(less[top:bottom], size, interpolation=cv2.INTER_NEAREST)
                strip = np.asarray(cv2.absdiff(strip, wide), np.float32)
            size = self._columns, bottom - top
            reduced[top:bottom] = cv2.resize(strip, size, interpolation=cv2.INTER_AREA)
        return reduced

    def ink(self, plane: Plane, mean: Plane) -> Plane:
        """The ink of the windows of a plane of these means."""
        return _smoothed(self.reduced(plane, mean))


def _smoothed(means: Plane) -> Plane:
    """Means of blocks, smoothed to those of windows."""
    smoothed = cv2.GaussianBlur(means, (0, 0), WINDOW_BLOCKS, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smoothed, np.float32)
