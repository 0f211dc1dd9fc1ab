"""The whole overlap as one tile, compared with all other positions where it might match.

A small part of a large image has too few tiles for a test of their number, but many possible
positions. Its ZNCC at the other positions, where it does not belong, shows how well it matches by
chance: the expected number of positions that match as well as the estimate is the number of false
alarms. Only the best of the other positions matter for that. Above a threshold the excesses of any
distribution are about exponential (peaks over threshold; Pickands 1975), so with k peaks above the
threshold z_k, whose mean excess is b, the expected number of positions with at least z is

    k (1 + (z - z_k) / (k b))^-k

which is k exp(-(z - z_k) / b) with the uncertainty of a mean excess of k values taken into account.
z is the inverse hyperbolic tangent of the ZNCC (Fisher 1921), times the square root of the number
of pixels that overlap.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.geometry.coordinates import corners, inverse, map_points
from align_cli.engine.numerics.negligible import NEGLIGIBLE
from align_cli.engine.sampling.bilinear import offset_origin, sample, sample_valid

DETAIL_SIGMA: Final = 1.5
"""Standard deviation, in pixels of the level, of the Gaussian mean that is subtracted: the
remaining detail is correlated over few pixels, so that there are many independent positions. Of 35
crops with a 25th of the area 31 have fewer than 0.01 false alarms; with 3 px 30, unfiltered 24."""

MOST_PEAKS: Final = 30
"""Number of the highest peaks that are used, at most a third of all."""

FEWEST_PEAKS: Final = 3
"""With fewer of them other positions are not compared."""

PEAKS_FOR_ONE: Final = 3
"""At most one of so many peaks: those of the upper third follow the tail's law."""

LEAST_EXCESS: Final = 0.15
"""The mean excess is at least this multiple of the threshold. The normal distribution has 0.15 to
0.3; the peaks of a lattice, all alike, have next to none."""

LEAST_OVERLAP: Final = 0.5
"""Positions are compared if at least this share of the overlap's pixels is valid there."""

MOST_COVERED: Final = 0.5
"""Largest share of the larger image that the overlap may cover: else there are no other positions.
"""

MOST_PIXELS: Final = 1 << 19
"""Pixels of the canvas that is searched, which takes 0.1 s. Of 37 crops of 32 to 48 px of pages,
cells and textures of 640x480 px that are found, 36 are accepted; on half as many pixels, at half
size, 28."""

LOG10_NFA_RIVAL: Final = -1.0
"""log10 of the number of false alarms up to which another position is a rival."""

LARGEST_ZNCC: Final = 0.9995
"""Upper limit of the coefficient, because of rounding."""

LEAST_VARIANCE: Final = NEGLIGIBLE**2
"""Least variance, relative to the largest: a thousandth of the contrast is flat."""

_Floats = NDArray[np.float64]


class _ZnccMap(NamedTuple):
    """ZNCC of a template at every position of an image, by the shift of its top left corner.

    Attributes:
        zncc: (h, w), 0 where it is not defined.
        pixels: (h, w), how many pixels are valid in both.
        zero: (row, column) of no shift.
    """

    zncc: _Floats
    pixels: _Floats
    zero: tuple[int, int]


class RivalPositions(NamedTuple):
    """The comparison of an estimate with all other positions.

    Attributes:
        log10_false_alarms: decimal logarithm of the expected number of other positions that match
            as well as the estimate by chance.
        rival: whether one of them matches about as well and not by chance, so that the larger image
            shows the same thing twice.
    """

    log10_false_alarms: float
    rival: bool


def rival_positions(pair: LevelPair, parameters: int) -> RivalPositions | None:
    """The expected number of other positions that match as well by chance, and any rival.

    Args:
        pair: both images on a level, under the estimate.
        parameters: how many were fitted to them.

    Returns:
        None if there are too few other positions.
    """
    canvas = _canvas(pair)
    if canvas is None:
        return None
    template, image, known = canvas
    rows, columns = (np.flatnonzero(known[0].any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside, anywhere = known[0][box], known[1]
    cut = [plane[box] for plane in template]
    own = _masked_zncc(cut, inside, cut, inside)
    autocorrelation = own.zncc[own.pixels >= LEAST_OVERLAP * own.pixels[own.zero]]
    # The number of pixels per independent one (Bartlett 1946).
    lobe = max(float(np.square(autocorrelation).sum()), 1.0)
    found = _masked_zncc(cut, inside, image, anywhere)
    row, column = found.zero[0] + int(rows[0]), found.zero[1] + int(columns[0])
    around = np.s_[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    count = found.pixels[row, column]
    zncc = _adjusted_zncc(float(found.zncc[around].max()), count / lobe, parameters)
    if zncc <= 0.0:
        return None
    z = np.arctanh(np.clip(found.zncc, -LARGEST_ZNCC, LARGEST_ZNCC))
    z *= np.sqrt(found.pixels / count)
    y, x = np.ogrid[: z.shape[0], : z.shape[1]]
    radius = math.sqrt(lobe / math.pi)
    elsewhere = (found.pixels >= LEAST_OVERLAP * count) & (
        np.hypot(y - row, x - column) > radius + 1.0
    )
    peaks, fit = _peaks(z, elsewhere, radius), math.atanh(zncc)
    expected = _log10_expected(fit, peaks)
    if expected is None:
        return None
    return RivalPositions(expected, _rival(fit, peaks))


def _rival(z: float, peaks: _Floats) -> bool:
    """Whether the best of the other positions is significant, and close to the estimate.

    Closer than to the threshold of the peaks: noise alone hardly makes the same thing differ
    between two positions, but its surroundings do, a little.

    Args:
        z: of the estimate.
        peaks: (n,) in descending order, of the other positions.
    """
    best, threshold = float(peaks[0]), float(peaks[_exceedances(peaks)])
    log10_nfa = _log10_expected(best, peaks)
    significant = log10_nfa is not None and log10_nfa <= LOG10_NFA_RIVAL
    return significant and best > 0.5 * (z + threshold)


def _exceedances(peaks: _Floats) -> int:
    """How many of the highest peaks are above the threshold."""
    return min(MOST_PEAKS, len(peaks) // PEAKS_FOR_ONE)


def _log10_expected(z: float, peaks: _Floats) -> float | None:
    """log10 of the expected number of positions with at least z.

    ``peaks`` are (n,) in descending order, of the other positions.
    """
    k = _exceedances(peaks)
    if k < FEWEST_PEAKS:
        return None
    threshold = float(peaks[k])
    excess = max(float((peaks[:k] - threshold).mean()), LEAST_EXCESS * abs(threshold))
    beyond = max(z - threshold, 0.0)
    return math.log10(k) - k * math.log10(1.0 + beyond / (k * excess))


def _adjusted_zncc(zncc: float, independent: float, parameters: int) -> float:
    """ZNCC corrected for the fitted parameters, by the remaining degrees of freedom.

    A pixel gives one equation, a tile two: half as many parameters count.
    """
    free = independent - 1.0 - 0.5 * parameters
    if zncc <= 0.0 or free <= 0.0:
        return 0.0
    squared = 1.0 - (1.0 - zncc * zncc) * (independent - 1.0) / free
    return min(math.sqrt(max(squared, 0.0)), LARGEST_ZNCC)


def _canvas(
    pair: LevelPair,
) -> tuple[list[Plane], list[Plane], tuple[Mask, Mask]] | None:
    """The image of which the overlap is the larger part, the other one, and their valid pixels.

    On the grid of the target, extended as far as the source reaches. Of the first only the overlap
    is valid.
    """
    height, width = pair.inside.shape
    if not pair.inside.any():
        return None
    source_size = pair.source[0].shape[1], pair.source[0].shape[0]
    reach = map_points(inverse(pair.warp), corners(source_size))
    if not np.isfinite(reach).all():
        return None
    low = np.floor(np.minimum(reach.min(axis=0), 0.0))
    high = np.ceil(np.maximum(reach.max(axis=0), [width - 1.0, height - 1.0]))
    across, down = high - low + 1.0
    if across * down > MOST_PIXELS:
        return None
    size = int(across), int(down)
    warp = offset_origin(pair.warp, float(low[0]), float(low[1]))
    of_source = pair.source_known
    if of_source is None:
        of_source = np.ones(pair.source[0].shape, np.bool_)
    source_valid = sample_valid(of_source, warp, size)
    place = np.s_[-int(low[1]) : height - int(low[1]), -int(low[0]) : width - int(low[0])]
    of_target, both = np.zeros(source_valid.shape, np.bool_), np.zeros(source_valid.shape, np.bool_)
    of_target[place] = True if pair.target_known is None else pair.target_known
    both[place] = pair.inside
    share = np.count_nonzero(both) / max(
        np.count_nonzero(of_target), np.count_nonzero(source_valid)
    )
    if share > MOST_COVERED:
        return None
    source = [
        _highpass(sample(plane, warp, size, replicate=True), source_valid) for plane in pair.source
    ]
    target = []
    for plane in pair.target:
        wide = np.zeros(source_valid.shape, np.float32)
        wide[place] = plane
        target.append(_highpass(wide, of_target))
    if np.count_nonzero(source_valid) > np.count_nonzero(of_target):
        return target, source, (both, source_valid)
    return source, target, (both, of_target)


def _highpass(plane: Plane, known: Mask) -> Plane:
    """Difference from the local Gaussian mean; 0 where invalid."""
    weight = known.astype(np.float32)
    mean = cv2.GaussianBlur(np.asarray(plane, np.float32) * weight, (0, 0), DETAIL_SIGMA)
    share = cv2.GaussianBlur(weight, (0, 0), DETAIL_SIGMA) + np.finfo(np.float32).tiny
    return np.asarray((plane - mean / share) * weight, np.float32)


def _masked_zncc(template: list[Plane], inside: Mask, image: list[Plane], known: Mask) -> _ZnccMap:
    """ZNCC over the valid pixels at every shift, by FFT (Padfield 2012)."""
    rows, columns = (a + b - 1 for a, b in zip(known.shape, inside.shape, strict=True))
    shape = (cv2.getOptimalDFTSize(rows), cv2.getOptimalDFTSize(columns))

    def spectrum(plane: NDArray[np.float64]) -> NDArray[np.complex128]:
        return np.asarray(np.fft.rfft2(plane, shape), np.complex128)

    def sums(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> _Floats:
        product = np.fft.irfft2(first * np.conj(second), shape)
        moved = np.roll(product, (inside.shape[0] - 1, inside.shape[1] - 1), (0, 1))
        return np.asarray(moved[:rows, :columns], np.float64)

    of_known, of_inside = spectrum(known.astype(np.float64)), spectrum(inside.astype(np.float64))
    pixels = np.round(sums(of_known, of_inside))
    count = np.maximum(pixels, 1.0)
    covariance, of_image, of_template = (np.zeros(pixels.shape) for _ in range(3))
    for first, second in zip(image, template, strict=True):
        a = np.where(known, first, 0.0).astype(np.float64)
        b = np.where(inside, second, 0.0).astype(np.float64)
        a /= max(float(np.abs(a).max()), np.finfo(np.float64).tiny)
        b /= max(float(np.abs(b).max()), np.finfo(np.float64).tiny)
        of_a, of_b = spectrum(a), spectrum(b)
        sum_a, sum_b = sums(of_a, of_inside), sums(of_known, of_b)
        covariance += sums(of_a, of_b) - sum_a * sum_b / count
        of_image += sums(spectrum(a * a), of_inside) - sum_a**2 / count
        of_template += sums(of_known, spectrum(b * b)) - sum_b**2 / count
    least = [LEAST_VARIANCE * float(each.max(initial=0.0)) for each in (of_image, of_template)]
    defined = (of_image > least[0]) & (of_template > least[1]) & (pixels > 1.0)
    product = np.where(defined, of_image * of_template, 1.0)
    zncc = np.where(defined, np.clip(covariance / np.sqrt(product), -1.0, 1.0), 0.0)
    return _ZnccMap(zncc, pixels, (inside.shape[0] - 1, inside.shape[1] - 1))


def _peaks(z: _Floats, where: Mask, radius: float) -> _Floats:
    """Local maxima in descending order, none within a radius of a higher one."""
    side = 2 * math.ceil(radius) + 1
    height = np.where(where, z, -np.inf).astype(np.float32)
    highest = cv2.dilate(height, np.ones((side, side), np.uint8))
    return np.asarray(np.sort(height[(height == highest) & where])[::-1], np.float64)
