"""Phase correlation: by how much one image is shifted against another, and what else it could be.

A shift multiplies an image's spectrum by a phase; the spectrum of that phase alone is a peak where
the shift is (Kuglin and Hines 1975). Both images are padded with zeros to the sum of their sizes,
so that a shift by most of an image is not mistaken for one the other way round, and what takes no
part is 0 as well.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane

TINY: Final = float(np.finfo(np.float32).tiny)
"""What is added where nothing may be known at all, so that nothing is divided by nothing."""

TAPER: Final = 0.1
"""Share of a side over which an image fades out: a cut would be the brightest line of all."""

NEIGHBOURHOOD: Final = 0.125
"""Standard deviation of the neighbourhood whose mean is taken off, over the shorter side."""

LOW_PASS: Final = 0.2
"""Standard deviation, in cycles a pixel, of the Gaussian that the whitened spectrum is multiplied
by: the highest frequencies of a smoothed image hold noise alone."""

PEAK_PX: Final = 3
"""Two peaks are further apart than this."""


def tapered(image: Plane, valid: Mask | None) -> Plane:
    """The details of an image, fading out towards its border; 0 where it is not valid."""
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
    """The phase correlation of two images that fade out.

    Args:
        source: (height, width) float32.
        target: the same, of any size.
        around: the rows are those of a full turn, and need no padding.

    Returns:
        The value at [dy, dx], negative ones from the end, tells of source(x + d) = target(x).
        Its standard deviation is 1, or 0 where one of the images shows nothing.
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
