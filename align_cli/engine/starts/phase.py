"""Phase correlation: the shift between two images.

A shift multiplies an image's spectrum by a phase; the inverse transform of the phase alone is a
peak at the shift (Kuglin and Hines 1975). Both images are zero-padded to the sum of their sizes, so
that a large shift is not mistaken for one in the opposite direction; invalid pixels are 0 as well.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane

TINY: Final = float(np.finfo(np.float32).tiny)
"""Added to divisors that may be zero."""

TAPER: Final = 0.1
"""Share of a side over which an image is tapered: a sharp border would be its strongest edge."""

NEIGHBOURHOOD: Final = 0.125
"""Standard deviation of the Gaussian mean that is subtracted, relative to the shorter side."""

LOW_PASS: Final = 0.2
"""Standard deviation, in cycles per pixel, of the Gaussian that multiplies the whitened spectrum:
the highest frequencies of a smoothed image are only noise."""

PEAK_PX: Final = 3
"""Least distance of two peaks."""


def tapered(image: Plane, valid: Mask | None) -> Plane:
    """The detail of an image, tapered towards its border; 0 where it is not valid."""
    height, width = image.shape
    known = np.ones((height, width), np.float32) if valid is None else valid.astype(np.float32)
    sigma = max(NEIGHBOURHOOD * min(image.shape), 1.0)
    share = cv2.GaussianBlur(known, (0, 0), sigma) + np.finfo(np.float32).tiny
    mean = cv2.GaussianBlur(image * known, (0, 0), sigma) / share
    return np.asarray((image - mean) * known * np.outer(_taper(height), _taper(width)), np.float32)


def _taper(side: int) -> NDArray[np.float32]:
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1.0
    rise = np.clip(distance / max(TAPER * side, 1.0), 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * rise), np.float32)


def correlation(source: Plane, target: Plane, *, around: bool = False) -> NDArray[np.float32]:
    """The phase correlation of two tapered images.

    Args:
        source: (height, width) float32.
        target: the same, of any size.
        around: the rows are angles of a full turn, and need no padding.

    Returns:
        (h, w) float32. h and w are the sum of both heights and of both widths, each rounded up to a
        size that the FFT is quick for; with ``around``, h is the source's height. The value at
        [dy, dx], negative shifts from the end, is that of source(x + d) = target(x).
        Its standard deviation is 1, or 0 if one of the images is zero.
    """
    rows = source.shape[0] if around else source.shape[0] + target.shape[0]
    size = (
        rows if around else cv2.getOptimalDFTSize(rows),
        cv2.getOptimalDFTSize(source.shape[1] + target.shape[1]),
    )
    if not (source.any() and target.any()):
        return np.zeros(size, np.float32)
    spectrum = np.fft.rfft2(source, size) * np.conj(np.fft.rfft2(target, size))
    spectrum /= np.abs(spectrum) + TINY
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    spectrum *= np.exp(-(x * x + y * y) / (2.0 * LOW_PASS**2))
    surface = np.fft.irfft2(spectrum, size)
    return np.asarray(surface / max(float(surface.std()), TINY), np.float32)


def peaks(surface: NDArray[np.float32], count: int) -> list[tuple[float, int, int]]:
    """The highest peaks, highest first: (height, dx, dy)."""
    rest = surface.copy()
    height, width = rest.shape
    found = []
    for _ in range(count):
        y, x = divmod(int(rest.argmax()), width)
        found.append(
            (float(rest[y, x]), x - width * (x > width // 2), y - height * (y > height // 2))
        )
        near_y, near_x = (
            np.arange(y - PEAK_PX, y + PEAK_PX + 1),
            np.arange(x - PEAK_PX, x + PEAK_PX + 1),
        )
        rest[np.ix_(near_y % height, near_x % width)] = -np.inf
    return found
