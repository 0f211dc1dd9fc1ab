"""The details of two levels, which is what differs from its neighbourhood, and how they agree.

Photographs of different things may share a bright top and a dark bottom; their details agree in
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import Size, map_points, normalisation
from align_cli.engine.photometry import Light, polynomial
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import scale_of
from align_cli.engine.sampling import common, sample
from align_cli.engine.targets import TEXTURE_SHARE

DETAIL_SIGMA: Final = 3.0
"""Standard deviation, in pixels of the level, of the neighbourhood that is taken off."""

_HALF_SIGMA: Final = 0.5 * math.sqrt(DETAIL_SIGMA**2 - 2.0)
"""Of half size: halving and doubling smooth by a variance of one square pixel each."""

DETAIL_TILE: Final = 12
"""Side, in pixels of the level, of the tiles whose details are compared, about."""

LEAST_SIGNAL: Final = 3.0
"""Details that are not this many times as large as the noise of both images do not count."""

MOST_LOOKED_AT: Final = 1 << 13
"""Pixels, evenly spaced, that tell how much is unexplained."""


class Details(NamedTuple):
    """What differs from its neighbourhood's mean, (h, w) each, on the grid of a target's level.

    Attributes:
        source: float32, of the warped source; 0 outside.
        target: float32, of the target; 0 outside.
        inside: bool, the pixels that both know.
    """

    source: Plane
    target: Plane
    inside: Mask


def details(source: Level, target: Level, warp: Matrix) -> Details:
    """The details of two levels, each pixel's own neighbourhood taken off.

    Args:
        source: a level of the source.
        target: a level of the target.
        warp: (3, 3), target pixel -> source pixel, of these levels.
    """
    inside = common(source, target, warp, margin=REACH)
    of_source, of_target = details_of(
        (sample(source.image, warp, target.size), target.image), inside
    )
    return Details(of_source, of_target, inside)


def details_of(images: Sequence[Plane], inside: Mask) -> list[Plane]:
    """What differs from its neighbourhood's mean over the pixels inside; 0 outside."""
    known = inside.astype(np.float32)
    share = _blurred(known) + np.finfo(np.float32).tiny
    found = []
    for image in images:
        mean = _blurred(image * known)
        mean /= share
        np.subtract(image, mean, out=mean)
        mean *= known
        found.append(mean)
    return found


class TileZncc(NamedTuple):
    """How well the details of two levels agree in each tile that has any, (n,) each.

    Attributes:
        zncc: in [-1, 1].
        contrast: the geometric mean of both images' energies.
    """

    zncc: NDArray[np.float64]
    contrast: NDArray[np.float64]


def tile_zncc(of_both: Details) -> TileZncc:
    """ZNCC of the details of two levels, and their contrast, tile by tile."""
    s, t = of_both.source, of_both.target
    products, source_energy, target_energy = (_tile_sums(p) for p in (s * t, s * s, t * t))
    contrast = np.sqrt(source_energy * target_energy)
    textured = contrast > 0.0
    return TileZncc(products[textured] / contrast[textured], contrast[textured])


def detail_zncc(tiles: TileZncc) -> float:
    """ZNCC of the details of two levels: the median over tiles, weighted by their contrast.

    What covers less than half of the contrast, a hand or a passing car, does not move the median.

    Args:
        tiles: of a level of both images.

    Returns:
        In [-1, 1]; NaN where the images share no detail at all.
    """
    zncc, contrast = tiles
    if zncc.size == 0:
        return math.nan
    order = np.argsort(zncc)
    weights = np.cumsum(np.sqrt(contrast)[order])
    return float(zncc[order][np.searchsorted(weights, weights[-1] / 2.0)])


def unexplained(
    of_both: Details, target: Level, light: Light, *, noise: tuple[float, float]
) -> float:
    """How much of the target's details is neither in the source too nor noise.

    Coarse shapes may agree where nothing else does: a wave of a hundred pixels fits its neighbour.
    With d the details of the relit source less those of the target, its standard deviation, less
    what noise alone would leave, over the target's without noise. Both are taken from medians over
    the pixels with texture, so that less than half of them may show something else.

    Args:
        of_both: the details of a level of both images.
        target: that level of the target.
        light: of its pixels.
        noise: standard deviations of the noise of source and target on this level, in the units of
            either.

    Returns:
        0 where the images agree but for their noise, about 1.4 for unlike images; NaN where the
        details do not stand out of the noise, so that nothing is known.
    """
    picked = _textured(target.image, of_both.inside)
    if picked.size == 0:
        return math.nan
    s, t = of_both.source.ravel().take(picked), of_both.target.ravel().take(picked)
    s *= _factor(light, picked, target.size)
    of_source, of_target = noise[0] * abs(light.factor[0]), noise[1]
    signal = scale_of(t) ** 2 - of_target**2
    known = of_source**2 + of_target**2
    if not signal > LEAST_SIGNAL**2 * known:
        return math.nan
    return math.sqrt(max(scale_of(s - t) ** 2 - known, 0.0) / signal)


def _textured(image: Plane, inside: Mask) -> NDArray[np.intp]:
    """Flat indices of pixels with texture, all of whose neighbours are inside; not of all such."""
    width = image.shape[1]
    around = cv2.erode(
        inside.view(np.uint8),
        np.ones((3, 3), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    picked = np.flatnonzero(around.view(np.bool_))  # four times as fast as of numbers
    picked = picked[:: max(1, picked.size // MOST_LOOKED_AT)]
    flat = image.ravel()
    along_x = flat.take(picked + 1) - flat.take(picked - 1)
    along_y = flat.take(picked + width) - flat.take(picked - width)
    energy = along_x * along_x
    energy += along_y * along_y
    return picked[energy > TEXTURE_SHARE * energy.mean()] if picked.size else picked


def _factor(light: Light, pixels: NDArray[np.intp], size: Size) -> np.float32 | NDArray[np.float32]:
    """The factor of the light at flat indices of an image of (width, height)."""
    if not light.varies:
        return np.float32(light.factor[0])
    y, x = np.divmod(pixels, size[0])
    points = map_points(normalisation(size), np.column_stack([x, y]).astype(np.float64))
    return polynomial(light.factor, points).astype(np.float32)


def _tile_sums(image: Plane) -> NDArray[np.float64]:
    """(tiles,) sums of an image over tiles of about ``DETAIL_TILE`` pixels on a side."""
    rows, columns = (
        np.arange(0, max(side - DETAIL_TILE // 2, 1), DETAIL_TILE) for side in image.shape
    )
    of_rows = np.add.reduceat(image, rows, 0)
    sums: NDArray[np.float64] = np.add.reduceat(of_rows, columns, 1, dtype=np.float64)
    return sums.ravel()


def _blurred(image: Plane) -> Plane:
    """The Gaussian mean around each pixel, made at half size, which takes a third of the time."""
    height, width = image.shape
    half = cv2.GaussianBlur(
        cv2.pyrDown(image), (0, 0), _HALF_SIGMA, borderType=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.pyrUp(half, dstsize=(width, height)), np.float32)
