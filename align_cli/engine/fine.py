"""The source on a grid twice as fine as its level, so that linear sampling of it is exact enough.

Linear sampling pulls towards the pixels, by an error that grows with the third power of the
frequency; on a grid twice as fine every frequency is half as high.

A level is the one below it, smoothed by the binomial kernel, less every second sample: with those
samples left in, it *is* on a grid twice as fine, and nothing need be interpolated.

Below full size there is nothing. There a cubic B-spline takes its place: one subdivision (what
``cv2.pyrUp`` does: Lane and Riesenfeld 1980) of the picture as its control points gives those of
the same spline on the finer grid. That smooths a little, at every place about alike, so the control
points are smoothed that much less than the target is: ``SMOOTHING`` is ``BEFORE_SPLINE``, followed
by what subdivision does at the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from align_cli.engine import sampling
from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.coordinates import Size
from align_cli.engine.enlarge import on_finer_grid
from align_cli.engine.luma import LARGEST_SIDE, Luma
from align_cli.engine.parts import Part, sample_parts
from align_cli.engine.pyramid import BEFORE_SPLINE, BINOMIAL, Level, around

MOST_HELD: Final = 1 << 20
"""The fine grid of a level of more pixels is made where it is looked at, and not held."""

_SPLINE_REACH: Final = 2
"""Pixels next to a part that its spline is made from: one for the kernel, one for subdivision."""


class FinelySampled(Level):
    """A level that is sampled on a grid twice as fine.

    Args:
        level: the level as it is.
        fine_part: makes the fine grid of some rows and columns of the level, (2 h, 2 w) float32.
    """

    level: Level

    def __init__(self, level: Level, fine_part: Callable[[Part], Plane]) -> None:
        width, height = level.size
        held = width * height <= MOST_HELD and 2 * max(level.size) <= LARGEST_SIDE
        values = {
            "level": level,
            "valid": level.valid,
            "_fine_part": fine_part,
            "_held": fine_part(np.s_[0:height, 0:width]) if held else None,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    _fine_part: Callable[[Part], Plane]
    _held: Plane | None

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level."""
        return self.level.size

    @property
    def image(self) -> Plane:
        """The level as it is."""
        return self.level.image

    @property
    def held(self) -> tuple[Plane, int] | None:
        """The fine grid."""
        return None if self._held is None else (self._held, 2)

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32."""
        if self._held is not None:
            return sampling.sample(self._held, on_finer_grid(warp), size, out=out)
        values = np.empty(size[::-1], np.float32) if out is None else out
        sample_parts(self._fine_part, self.size, warp, size, out=values, reach=1, finer=2)
        return values


def finely_sampled(level: Level, below: Level | Luma) -> Level:
    """A level, sampled more exactly than linearly.

    Args:
        level: the level.
        below: the level below it; of full size, the image.
    """
    if isinstance(below, Luma):
        return FinelySampled(level, lambda part: _splined(below, part))
    return FinelySampled(level, lambda part: below.filtered(_doubled(part), BINOMIAL))


def _doubled(part: Part) -> Part:
    rows, columns = (slice(2 * along.start, 2 * along.stop) for along in part)
    return rows, columns


def _splined(luma: Luma, part: Part) -> Plane:
    """Control points, on the finer grid, of the spline of some rows and columns."""
    wide, kept = around(part, luma.size, _SPLINE_REACH)
    fine = cv2.pyrUp(luma.smoothed(wide, BEFORE_SPLINE))
    return np.asarray(fine[_doubled(kept)], np.float32)
