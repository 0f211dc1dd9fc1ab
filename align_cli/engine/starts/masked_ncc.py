"""Masked normalised cross-correlation of two images at every shift.

The correlation coefficient over the overlap alone, for all shifts at once by FFT (Padfield 2012).
Phase correlation compares whole images: if a quarter of them overlaps, and the rest is textured,
its peak is lost. A high coefficient of few pixels may be chance, so it is transformed to Fisher's z
(1921) and multiplied by the square root of the number of pixels: the result is in standard
deviations of unrelated images.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.images.pyramid import Level

DETAIL_PX: Final = 2.0
CONTRAST_PX: Final = 8.0
"""Standard deviations of the Gaussian mean that is subtracted, and of the local contrast that is
normalised to 1: else a skyline, which correlates with another at many shifts, outweighs everything
below it."""

LEAST_CONTRAST: Final = 0.02
"""Least local energy relative to the mean; below it there is mostly noise."""

LEAST_OVERLAP: Final = 0.1
"""Least overlap of a shift, as a share of the smaller image's pixels."""

LEAST_VARIANCE: Final = 1e-3
"""Least variance of an image over an overlap, relative to its largest; flat areas correlate with
everything."""

LARGEST_ZNCC: Final = 0.999
"""Upper limit of the coefficient, because of rounding."""

PEAK_WINDOW_PX: Final = 9
"""Side of the square within which only the best shift counts."""


def contrast_normalised(image: Plane, valid: Mask | None) -> Plane:
    """An image's detail over its local contrast, (height, width); 0 where it is not valid."""
    known = np.ones(image.shape, np.float32) if valid is None else valid.astype(np.float32)
    detail = image - _local_mean(image * known, known, DETAIL_PX)
    detail *= known
    energy = _local_mean(detail * detail, known, CONTRAST_PX)
    least = LEAST_CONTRAST * float(energy.mean()) + float(np.finfo(np.float32).tiny)
    return np.asarray(detail / np.sqrt(energy + least), np.float32)


def _local_mean(image: Plane, known: Plane, sigma: float) -> Plane:
    share = cv2.GaussianBlur(known, (0, 0), sigma) + np.finfo(np.float32).tiny
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma) / share, np.float32)


def masked_ncc(one: Level, other: Level) -> Plane:
    """Fisher's z of the correlation over the overlap, at every shift.

    Args:
        one: a level of the source.
        other: the same level of the target; its size may differ.

    Returns:
        The value at [dy, dx], negative shifts from the end, is that of source(x + d) = target(x),
        as in ``phase.correlation``; 0 if the overlap is too small.
    """
    source, target = (contrast_normalised(level.image, level.valid) for level in (one, other))
    known = one.valid, other.valid
    rows, columns = (
        cv2.getOptimalDFTSize(one + other)
        for one, other in zip(source.shape, target.shape, strict=True)
    )
    size = rows, columns
    masks = (
        np.ones(image.shape, np.float32) if mask is None else mask.astype(np.float32)
        for image, mask in zip((source, target), known, strict=True)
    )
    of_source, of_target = masks
    s, s2, m = (np.fft.rfft2(each, size) for each in (source, source**2, of_source))
    t, t2, n = (np.conj(np.fft.rfft2(each, size)) for each in (target, target**2, of_target))

    def sums(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.float64]:
        return np.asarray(np.fft.irfft2(one * other, size), np.float64)

    pixels = np.maximum(sums(m, n), 1.0)
    of_s, of_t = sums(s, n), sums(m, t)
    covariance = sums(s, t) - of_s * of_t / pixels
    variances = sums(s2, n) - of_s**2 / pixels, sums(m, t2) - of_t**2 / pixels
    root = np.sqrt(_floored(variances[0]) * _floored(variances[1]))
    z = np.arctanh(np.clip(covariance / root, -LARGEST_ZNCC, LARGEST_ZNCC)) * np.sqrt(pixels)
    z[pixels < LEAST_OVERLAP * min(of_source.sum(), of_target.sum())] = 0.0
    z = np.asarray(z, np.float32)
    # Non-maximum suppression: peaks may be wide.
    return np.where(
        z < cv2.dilate(z, np.ones((PEAK_WINDOW_PX, PEAK_WINDOW_PX), np.uint8)), np.float32(0.0), z
    )


def _floored(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    least = max(LEAST_VARIANCE * float(variance.max()), float(np.finfo(np.float32).tiny))
    return np.maximum(variance, least)
