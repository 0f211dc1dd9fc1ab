"""The period of a target, whose matches only the initial transform can distinguish.

The autocorrelation of the detail, all shifts at once by FFT (Wiener and Khinchin), each normalised
by its overlap. A periodic image has a second peak as high as the first, and nothing in the images
shows which of them is intended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.images.highpass import highpass
from align_cli.engine.images.noise import noise_gain
from align_cli.engine.images.pyramid import Level

LEAST_LIKENESS: Final = 0.95
PEAK_SLACK: Final = 0.04
"""Least autocorrelation of a periodic image, and how much less than the highest peak that of its
shortest period may be, which need not be a whole number of pixels. Measured at full size: lattices
with noise of 1 to 8 grey levels reach 0.958 and more, a page with the same text on every line, but
for a number, 0.925, bricks 0.74, photographs 0.73."""

LEAST_COARSE_LIKENESS: Final = 0.85
"""Autocorrelation on a coarse level below which finer ones are not tested: there lattices had 0.93
and more."""

COARSE_PIXELS: Final = 1 << 13
FINE_PIXELS: Final = 1 << 17
"""The first level tested is the finest with at most the first number of pixels, the last the finest
with at most the second."""

CORE: Final = 0.75
"""The central peak ends where the autocorrelation has fallen to this. Between the peaks of a
lattice of three pixels it need not fall much further."""

PEAK_PX: Final = 2
"""A peak is higher than all shifts that differ from it by no more than so much along x and y."""

_WITHIN: Final = np.ones((2 * PEAK_PX + 1, 2 * PEAK_PX + 1), np.uint8)

LEAST_OVERLAP: Final = 0.25
"""Least overlap of a shift of a masked image, as a share of its valid pixels; the largest shifts of
one without a mask leave as much."""

Correlation = NDArray[np.float32]


@dataclass(frozen=True)
class Period:
    """The shortest shift under which an image matches itself.

    Attributes:
        shift_px: (x, y) in pixels of full size.
        likeness: the autocorrelation there, of the signal without its noise; 1 = the same.
    """

    shift_px: tuple[float, float]
    likeness: float

    @property
    def length_px(self) -> float:
        """Length of the shift."""
        return float(np.hypot(*self.shift_px))


def find_period(levels: Sequence[Level], noise: float) -> Period | None:
    """The period of an image; None if it is not periodic, or hidden by noise.

    With the detail h of the image, the n(d) pixels that overlap at a shift d, and the noise's
    standard deviation s, the autocorrelation is

        c(d) = sum(h(x) h(x + d)) / n(d) / (sum(h^2) / n(0) - s^2)

    The period is the shortest d, outside the central peak, at which c has a peak of at least
    max c - ``PEAK_SLACK``; there is none if max c is less than ``LEAST_LIKENESS``.

    Args:
        levels: of the image, 0 = full size.
        noise: standard deviation of its noise at full size.
    """
    sizes = [level.size[0] * level.size[1] for level in levels]
    finest, first = (
        next((n for n, pixels in enumerate(sizes) if pixels <= most), len(levels) - 1)
        for most in (FINE_PIXELS, COARSE_PIXELS)
    )
    for number in range(first, finest - 1, -1):
        level = levels[number]
        correlation = autocorrelation(level.image, noise * noise_gain(number), level.valid)
        if correlation is None:
            continue  # a finer level may still show it
        if number > finest and float(correlation.max()) < LEAST_COARSE_LIKENESS:
            return None
        if number == finest:
            found = _shortest(correlation)
            up = 2.0**number
            return found and Period(
                (found.shift_px[0] * up, found.shift_px[1] * up), found.likeness
            )
    return None


def autocorrelation(image: Plane, noise: float, valid: Mask | None = None) -> Correlation | None:
    """Of an image's detail, for shifts of up to half of each side, without the central peak.

    Args:
        image: (h, w) float32.
        noise: standard deviation of its noise, whose variance is subtracted from the signal's.
        valid: (h, w) bool, the valid pixels; None for all.

    Returns:
        (h // 2 + 1, 2 (w // 2) + 1) float32, for y from 0 down, x from -(w // 2); -1 within the
        central peak; 0 if the shift leaves less than ``LEAST_OVERLAP`` of the valid pixels. None if
        the signal is weaker than the noise.
    """
    height, width = image.shape
    (detail,) = highpass([image], np.ones(image.shape, np.bool_) if valid is None else valid)
    sums = _products(detail)
    down, across = height // 2, width // 2
    if valid is None:
        pixels = np.outer(
            height - np.arange(down + 1), width - np.abs(np.arange(-across, across + 1))
        )
        correlation = np.asarray(sums / pixels, np.float32)
    else:
        counted = _products(valid.astype(np.float32))
        enough = counted >= max(LEAST_OVERLAP * float(counted[0, across]), 1.0)
        correlation = np.where(enough, sums / np.where(enough, counted, 1.0), 0.0)
        correlation = np.asarray(correlation, np.float32)
    signal = float(correlation[0, across]) - noise**2
    if not signal > noise**2:
        return None
    correlation /= np.float32(signal)
    # y < 0 is the same rotated by 180 degrees; the central peak is on both sides.
    above = correlation[:0:-1, ::-1]
    _, parts = cv2.connectedComponents(
        (np.concatenate([above, correlation]) > CORE).astype(np.uint8), connectivity=4
    )
    core = parts[down:] == parts[down, across]
    correlation[core] = -1.0
    return correlation


def _products(image: Plane) -> Plane:
    """Sums of an image times itself, shifted, indexed as ``autocorrelation``."""
    height, width = image.shape
    rows, columns = (cv2.getOptimalDFTSize(side + side // 2) for side in image.shape)
    padded = np.zeros((rows, columns), np.float32)
    padded[:height, :width] = image
    spectrum = cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT, nonzeroRows=height)
    power = cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True)
    sums = cv2.dft(power, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
    down, across = height // 2, width // 2
    return np.concatenate([sums[: down + 1, -across:], sums[: down + 1, : across + 1]], axis=1)


def _shortest(correlation: Correlation) -> Period | None:
    """The peak nearest to the centre of those that are high enough."""
    peaks = correlation >= cv2.dilate(correlation, _WITHIN)
    highest = float(correlation.max())
    if highest < LEAST_LIKENESS:
        return None
    y, x = np.nonzero(peaks & (correlation >= highest - PEAK_SLACK))
    across = correlation.shape[1] // 2
    nearest = int(np.argmin(np.hypot(x - across, y)))
    row, column = int(y[nearest]), int(x[nearest])
    return Period((float(column - across), float(row)), min(float(correlation[row, column]), 1.0))
