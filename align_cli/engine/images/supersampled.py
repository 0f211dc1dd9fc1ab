"""The source on a grid twice as fine as its level, so that linear sampling is accurate enough.

Linear sampling biases towards the pixels, by an error that grows with the third power of the
frequency; on a grid twice as fine every frequency is half as high.

A level is the one below it, smoothed by the binomial kernel, less every second sample: with those
samples kept, it is the grid twice as fine, without interpolation.

Below full size there is no level. There a cubic B-spline is used: one subdivision (``cv2.pyrUp``:
Lane and Riesenfeld 1980) of the image as its control points gives those of the same spline on the
finer grid. That smooths slightly, nearly uniformly, so the control points are smoothed that much
less than the target is: ``SMOOTHING`` is ``BEFORE_SPLINE``, followed by the smoothing of
subdivision at the pixels.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.luma import LARGE_PIXELS, Luma
from align_cli.engine.images.pyramid import (
    BEFORE_SPLINE,
    BINOMIAL,
    Grid,
    LazyFullSize,
    Level,
    smooth_part,
)
from align_cli.engine.sampling.tiled import Part, sample_parts
from align_cli.native.filtered_image import FilteredImage

MOST_STORED_PIXELS: Final = LARGE_PIXELS
"""The fine grid of a level of more pixels is computed on demand, and not stored."""


class SupersampledLevel(Level):
    """A level that is sampled on a grid twice as fine.

    Args:
        level: the level itself.
        below: the level below it; of full size, the image.
    """

    def __init__(self, level: Level, below: Level | Luma) -> None:
        width, height = level.size
        if isinstance(below, Luma):
            grid = Grid(below.filtered(BEFORE_SPLINE), spline=True)
        else:
            grid = Grid(below.filtered(BINOMIAL), finer=2)
        if width * height <= MOST_STORED_PIXELS and not isinstance(level, LazyFullSize):
            grid = grid._replace(pixels=_pixels_of(grid, np.s_[0:height, 0:width]))
        self.level, self.valid, self._grid = level, level.valid, grid

    @property
    def grid(self) -> Grid:
        """The samples."""
        return self._grid

    @property
    def size(self) -> Size:
        """(width, height) in pixels of the level."""
        return self.level.size

    @property
    def image(self) -> Plane:
        """The level itself."""
        return self.level.image

    def sample(self, warp: Matrix, size: Size, *, out: Plane | None = None) -> Plane:
        """Values at the warped pixels of a window, (height, width) float32."""
        values = np.empty(size[::-1], np.float32) if out is None else out
        sample_parts(self._fine, self.size, warp, size, out=values, reach=2, finer=2)
        return values

    def _fine(self, part: Part) -> Plane:
        """The finer grid of some rows and columns."""
        pixels = _pixels_of(self.grid, part)
        return np.asarray(cv2.pyrUp(pixels), np.float32) if self.grid.spline else pixels


def _pixels_of(grid: Grid, part: Part) -> Plane:
    """The samples of some rows and columns, both ends given, of the level."""
    rows, columns = (slice(grid.finer * along.start, grid.finer * along.stop) for along in part)
    if isinstance(grid.pixels, FilteredImage):
        return smooth_part(grid.pixels, (rows, columns))
    return grid.pixels[rows, columns]
