"""Pictures as sums of waves: derivatives and shifts without any error of interpolation."""

from __future__ import annotations

import numpy as np

from benchmarks.scenes import Floats


def tapered(picture: Floats, rim: int) -> Floats:
    """The picture, faded to its mean over a rim, so that it has no seam where it repeats."""
    window = np.hanning(2 * rim)
    lines = [np.ones(side) for side in picture.shape]
    for line in lines:
        line[:rim], line[-rim:] = window[:rim], window[rim:]
    mean = picture.mean()
    return mean + (picture - mean) * lines[0][:, None] * lines[1]


def _angular_frequencies(picture: Floats) -> tuple[Floats, Floats]:
    """Radians for each pixel along x, (width,), and along y, (height, 1)."""
    height, width = picture.shape
    return 2 * np.pi * np.fft.fftfreq(width), 2 * np.pi * np.fft.fftfreq(height)[:, None]


def spectral_gradient(picture: Floats) -> tuple[Floats, Floats]:
    """d/dx and d/dy of a picture."""
    spectrum = np.fft.fft2(picture)
    x, y = _angular_frequencies(picture)
    return np.fft.ifft2(spectrum * 1j * x).real, np.fft.ifft2(spectrum * 1j * y).real


def shifted(picture: Floats, by_x: float, by_y: float) -> Floats:
    """The image whose pixel (x, y) shows the picture at (x + by_x, y + by_y)."""
    x, y = _angular_frequencies(picture)
    return np.fft.ifft2(np.fft.fft2(picture) * np.exp(1j * (x * by_x + y * by_y))).real
