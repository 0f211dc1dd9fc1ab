"""Denoises the mean of two aligned images, and weights its bands by their signal-to-noise ratio.

The mean of the target and the warped source, after gain and bias, is the estimate of the common
image; half their difference has the noise of that mean, and any other discrepancy. Both are
transformed by the discrete cosine transform of every block of 8x8 pixels. Coefficients are shrunk
by the noise measured in the same band: first by a threshold, then by the Wiener filter with the
first pass as the estimate of the signal (Yu and Sapiro 2011, "DCT image denoising"; the second pass
is that of Dabov et al. 2007).

No spectrum of the noise is assumed: bands with larger differences, such as the high frequencies of
sharp images that were sampled differently, have less weight (docs/method.md, section 11).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.numerics.losses import NORMAL_MEDIAN
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads

BLOCK: Final = 8
"""Side of the blocks in pixels; 16 was no better on photographs and takes four times as long."""

THRESHOLD: Final = 2.7
"""Threshold of the first pass, in standard deviations of the noise of a band."""

WEIGHT_EXPONENT: Final = 4.0
"""The weight of a band is the noise of the lowest bands over its own, to this power, at most 1.
Measured without noise, where only the sampling differs: mean EPE 0.00076 px with 1, 0.00045 with
3, 0.00040 with 4."""

CUTOFF: Final = 0.6
CUTOFF_EXPONENT: Final = 8.0
"""Cut-off, as a share of the Nyquist frequency, and exponent of a low-pass weight of the bands
(Butterworth). No camera and no resampling is faithful at higher frequencies, and the error that
this makes in a shift is hidden by noise: of photographs shifted by order-5 splines, at noise of 5
grey levels, the shift is found to 0.0024 px with it, to 0.0053 px without. It costs 6 % of the
accuracy at noise of 10 grey levels."""

LOWEST_BANDS: Final = 3
"""Number of bands along each axis that count as the lowest."""

MOST_BLOCKS: Final = 1 << 12
"""Largest number of blocks from which the noise of the bands is estimated."""

FEWEST_BLOCKS: Final = 16
"""Least number of whole blocks inside the overlap for the noise of the bands to be estimated."""

_BORDER: Final = cv2.BORDER_REFLECT_101


class Denoised(NamedTuple):
    """The denoised mean of a pair.

    Attributes:
        image: (height, width) float32, the estimate.
        weighted: the same with each band weighted by its signal-to-noise ratio.
    """

    image: Plane
    weighted: Plane


def denoise(
    mean: Plane,
    half_difference: Plane,
    inside: Mask,
    threads: Threads,
    *,
    pilot: Plane | None = None,
) -> Denoised | None:
    """Denoise the mean of two aligned images; None if their overlap is too small.

    Args:
        mean: (height, width) float32.
        half_difference: (height, width) float32, half the difference of the two.
        inside: (height, width) bool, where the difference is valid.
        threads: the pool.
        pilot: (height, width), an earlier estimate, which replaces the first pass.
    """
    noise = band_noise(half_difference, inside)
    if noise is None:
        return None
    agreed = np.minimum(1.0, noise[:LOWEST_BANDS, :LOWEST_BANDS].mean() / noise) ** WEIGHT_EXPONENT
    weights = agreed * _FREQUENCY_WEIGHTS
    image, weighted_image = np.empty_like(mean), np.empty_like(mean)
    height, width = mean.shape
    rows = max(BLOCK, LARGE_STRIP_PIXELS // width)
    reach = 2 * (BLOCK - 1)
    for top in range(0, height, rows):
        first, end = max(top - reach, 0), min(top + rows + reach, height)
        kept = slice(top - first, min(top + rows, height) - first)
        chunk = mean[first:end]
        if pilot is None:
            known, _ = _shrunk(chunk, noise, None, None, threads)
        else:
            known = pilot[first:end]
        best, weighted = _shrunk(chunk, noise, known, weights, threads)
        image[top : top + rows] = best[kept]
        weighted_image[top : top + rows] = weighted[kept]
    return Denoised(image, weighted_image)


def band_noise(half_difference: Plane, inside: Mask) -> NDArray[np.float64] | None:
    """(8, 8) variance of the noise in each band, from disjoint blocks wholly inside.

    It is estimated by the median, which is robust to outliers in less than half of the blocks.
    """
    height, width = (side // BLOCK * BLOCK for side in half_difference.shape)
    grid = height // BLOCK, BLOCK, width // BLOCK, BLOCK
    whole = inside[:height, :width].reshape(grid).all(axis=(1, 3))
    blocks = half_difference[:height, :width].reshape(grid).swapaxes(1, 2)[whole]
    if len(blocks) < FEWEST_BLOCKS:
        return None
    blocks = blocks[:: max(1, len(blocks) // MOST_BLOCKS)]
    bands = _BASIS @ blocks @ _BASIS.T
    noise = (np.median(np.abs(bands), axis=0) / NORMAL_MEDIAN) ** 2
    return np.asarray(np.maximum(noise, np.finfo(np.float32).tiny), np.float64)


def _basis() -> NDArray[np.float32]:
    """(8, 8) orthonormal DCT-II; row k is the k-th cosine."""
    k, x = np.arange(BLOCK)[:, None], np.arange(BLOCK)
    basis = np.sqrt(2.0 / BLOCK) * np.cos(np.pi * (2 * x + 1) * k / (2 * BLOCK))
    basis[0] /= np.sqrt(2.0)
    return np.asarray(basis, np.float32)


_BASIS: Final = _basis()


def _frequency_weights() -> NDArray[np.float64]:
    """(8, 8) low-pass weight of each band."""
    k = np.arange(BLOCK)
    frequency = np.hypot(k[:, None], k) / BLOCK
    return np.asarray(1.0 / (1.0 + (frequency / CUTOFF) ** CUTOFF_EXPONENT), np.float64)


_FREQUENCY_WEIGHTS: Final = _frequency_weights()


def _shrunk(
    image: Plane,
    noise: NDArray[np.float64],
    pilot: Plane | None,
    weights: NDArray[np.float64] | None,
    threads: Threads,
) -> tuple[Plane, Plane]:
    """Shrink every band of all blocks, and average the blocks.

    Args:
        image: (h, w) the noisy image.
        noise: (8, 8) variance of the noise in each band.
        pilot: (h, w) estimate of the signal, for the Wiener filter; None to use a threshold.
        weights: (8, 8) weights of the bands in the second result; None if it is not needed.
        threads: the pool.

    Returns:
        (h, w) the estimate, and the same with weighted bands.
    """
    padded = _padded(image)
    padded_pilot = None if pilot is None else _padded(pilot)

    def band_row(i: int) -> tuple[Plane, Plane]:
        rows = _analysed(padded, _BASIS[i], axis=1)
        pilot_rows = None if padded_pilot is None else _analysed(padded_pilot, _BASIS[i], axis=1)
        total, weighted = np.zeros((2, *padded.shape), np.float32)
        for j in range(BLOCK):
            band = _analysed(rows, _BASIS[j], axis=0)
            if pilot_rows is None:
                if (i, j) != (0, 0):
                    limit = THRESHOLD * np.sqrt(noise[j, i])
                    np.copyto(band, 0.0, where=np.abs(band) < np.float32(limit))
            else:
                signal = _analysed(pilot_rows, _BASIS[j], axis=0)
                np.multiply(signal, signal, out=signal)
                np.multiply(band, signal, out=band)
                np.add(signal, np.float32(noise[j, i]), out=signal)
                np.divide(band, signal, out=band)
            part = _synthesised(band, _BASIS[j], axis=0)
            np.add(total, part, out=total)
            if weights is not None:
                np.multiply(part, np.float32(weights[j, i]), out=part)
                np.add(weighted, part, out=weighted)
        total = _synthesised(total, _BASIS[i], axis=1)
        return total, total if weights is None else _synthesised(weighted, _BASIS[i], axis=1)

    parts = threads.map(band_row, range(BLOCK))
    inner = np.s_[BLOCK:-BLOCK, BLOCK:-BLOCK]
    # Every pixel lies in 64 blocks.
    total, weighted = (
        sum((part[which] for part in parts[1:]), start=parts[0][which])[inner]
        * np.float32(1.0 / BLOCK**2)
        for which in (0, 1)
    )
    return np.asarray(total, np.float32), np.asarray(weighted, np.float32)


def _padded(image: Plane) -> Plane:
    return np.asarray(cv2.copyMakeBorder(image, BLOCK, BLOCK, BLOCK, BLOCK, _BORDER), np.float32)


def _analysed(image: Plane, cosine: NDArray[np.float32], axis: int) -> Plane:
    """Coefficient of one band along an axis, for the block that starts at each pixel."""
    return _correlated(image, cosine, axis, anchor=0)


def _synthesised(band: Plane, cosine: NDArray[np.float32], axis: int) -> Plane:
    """The adjoint: for each pixel, the sum over the blocks that contain it."""
    return _correlated(band, cosine[::-1], axis, anchor=BLOCK - 1)


def _correlated(image: Plane, kernel: NDArray[np.float32], axis: int, anchor: int) -> Plane:
    line = kernel[None, :] if axis == 1 else kernel[:, None]
    at = (anchor, 0) if axis == 1 else (0, anchor)
    filtered = cv2.filter2D(
        image, cv2.CV_32F, np.ascontiguousarray(line), anchor=at, borderType=_BORDER
    )
    return np.asarray(filtered, np.float32)
