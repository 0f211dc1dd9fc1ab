"""Row subsampling: bands of rows of a large level, as many as its noise requires.

A large image determines eight parameters far better than necessary, unless it is noisy. The next
coarser level, which has been computed anyway, shows whether bands of rows are a fair sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix, Vector
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.noise import noise_energy, noise_gain
from align_cli.engine.images.pyramid import Level
from align_cli.engine.numerics.row_bands import Bands
from align_cli.engine.numerics.samples import SAMPLE_ROWS, SAMPLE_STEP
from align_cli.engine.sampling.bilinear import row_intervals
from align_cli.engine.target.gradient_shrinkage import shrink_gradient
from align_cli.engine.target.planes import BORDER, TargetPlanes, target_planes

ENOUGH_PIXELS: Final = 1 << 19
"""Number of pixels, about, that are used of a larger level, unless noise requires more."""

MOST_PIXELS: Final = 1 << 24
"""Largest number of pixels used, however large and noisy the image."""

PIXELS_FOR_NOISE: Final = 40.0
"""Number of pixels, times the mean squared gradient over the variance of the noise, at which the
error of a homography is 1 px. Measured: 35 to 38 on a mosaic of photographs, noise of 2 to 10 grey
levels."""

ENERGY_ROWS: Final = 16
"""Number of rows from which the texture of a level is estimated."""

EVEN_SHARE: Final = 0.6
"""Bands whose mean squared gradient, in every ``SAMPLE_STEP``-th column of the next coarser level,
is below this share of the level's mean are not a fair sample."""

SPANNED_SHARE: Final = 0.75
"""Of ``SAMPLE_ROWS`` rows the initial warp must map this share into the source; else all rows are
used."""


def all_rows(levels: Sequence[Level], level: int, noise: float) -> TargetPlanes | None:
    """The planes of all rows of a level; None if it has no interior.

    Args:
        levels: of the target, 0 = full size.
        level: which of them.
        noise: standard deviation of the noise of the image.
    """
    planes = target_planes(levels[level], noise=noise * noise_gain(level))
    return _with_shrunk_gradient(planes, level, noise)


def _with_shrunk_gradient(
    planes: TargetPlanes | None, level: int, noise: float
) -> TargetPlanes | None:
    return shrink_gradient(planes, noise) if planes is not None and level == 0 else planes


def enough_rows(
    levels: Sequence[Level], level: int, noise: float, noise_sigma_px: float
) -> TargetPlanes | None:
    """The planes of a level, with as many of its rows as the noise requires.

    All rows if the bands are not a fair sample of the texture.

    Args:
        levels: of the target, 0 = full size.
        level: which of them.
        noise: standard deviation of the noise of the image.
        noise_sigma_px: standard deviation that noise may cause, in pixels of full size.
    """
    image = levels[level]
    if math.prod(image.size) > ENOUGH_PIXELS and level + 1 < len(levels):
        above = row_energies(levels[level + 1])
        signal = level_energy(image, above)
        most = needed_pixels(level, signal, noise, noise_sigma_px)
        planes = target_planes(image, most, noise=noise * noise_gain(level))
        if planes is not None and (planes.bands.all_rows or evenly_textured(planes.bands, above)):
            return _with_shrunk_gradient(planes, level, noise)
    return all_rows(levels, level, noise)


def needed_pixels(level: int, energy: float, noise: float, noise_sigma_px: float) -> int:
    """Number of pixels of a level that its noise requires, at this mean squared gradient."""
    # Smoothing correlates the noise, and leaves its lowest frequencies unchanged.
    variance = (noise * 0.5**level) ** 2
    # At most half of the energy is attributed to noise.
    tiny = float(np.finfo(np.float64).tiny)
    signal = max(energy - noise_energy(level, noise), 0.5 * energy, tiny)
    wanted_px = noise_sigma_px * 0.5**level
    needed = min(PIXELS_FOR_NOISE * variance / signal / wanted_px**2, MOST_PIXELS)
    return max(ENOUGH_PIXELS, math.ceil(needed))


def row_energies(level: Level) -> Vector:
    """(h - 2,) squared gradient of each row but the first and the last, in every fourth column."""
    image = level.image[:, ::SAMPLE_STEP]
    along_x = image[1:-1, 2:] - image[1:-1, :-2]
    along_y = image[2:] - image[:-2]
    energies = np.einsum("ij,ij->i", along_x, along_x) + np.einsum("ij,ij->i", along_y, along_y)
    return np.asarray(energies, np.float64)


def level_energy(level: Level, above: Vector) -> float:
    """Mean squared gradient of a level, from a sample of its rows.

    ``above``, the ``row_energies`` of the next coarser level, corrects for the choice of rows.
    """
    width, height = level.size
    sampled = sampled_above = 0.0
    for row in range(2, height - 2, max(1, height // ENERGY_ROWS)):
        rows = level.part(np.s_[row - 1 : row + 2, 0:width])
        along_x, along_y = rows[1, 2:] - rows[1, :-2], rows[2] - rows[0]
        sampled += 0.25 * float(along_x @ along_x + along_y @ along_y) / width
        sampled_above += float(above[row // 2 - 1])
    if sampled_above <= 0.0:
        return 0.0
    return sampled / sampled_above * float(above.mean())


def evenly_textured(bands: Bands, above: Vector) -> bool:
    """Whether bands of rows have their share of the texture of the next coarser level."""
    # The energies of the level above begin with its second row.
    rows = ((bands.y + BORDER) / 2.0 - 1.0).round().astype(np.intp).clip(0, above.size - 1)
    return bool(above[rows].mean() >= EVEN_SHARE * above.mean() > 0.0)


def source_spans_rows(source_size: Size, target_size: Size, warp: Matrix) -> bool:
    """Whether the source overlaps most of the target's rows; if not, it may lie between bands.

    Args:
        source_size: (width, height) of the source.
        target_size: the same of the target.
        warp: (3, 3), target pixel -> source pixel, at full size.
    """
    width, height = target_size
    rows = np.linspace(0.0, height - 1.0, SAMPLE_ROWS)
    first, end = row_intervals(warp, rows, width, source_size, 0.0)
    return float((end > first).mean()) >= SPANNED_SHARE
