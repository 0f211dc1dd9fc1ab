"""The noise of an image, and its propagation through the pyramid.

In a flat part of a noisy image the gradient is only noise, and every such pixel adds to the error
of the estimate and nothing to its information. Gradients are weighted by how much their local
energy exceeds that of noise: the Wiener gain (Lee 1980;
``align_cli.engine.target.gradient_shrinkage``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from align_cli.engine.arrays import Plane, Vector
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.pyramid import BINOMIAL, SMOOTHING
from align_cli.engine.numerics.losses import scale_of

SAMPLED_PIXELS: Final = 1 << 13
"""Pixels from which the noise is estimated."""

SECOND_DIFFERENCES: Final = 6.0
"""Standard deviation of the second differences of white noise along both axes."""


def noise_level(image: Luma) -> float:
    """Standard deviation of the noise of an image, in the units of its plane.

    From the median of its second differences along both axes, which remove most of the image
    (Immerkaer 1996). Dense fine texture counts as noise.
    """
    width, height = image.size
    wanted = max(1, SAMPLED_PIXELS // width)
    middle = np.arange(1, height - 1, max(1, (height - 2) // wanted))
    rows = middle[:, None] + np.arange(-1, 2)
    lines = image.part((rows.ravel(), slice(None))).reshape(len(middle), 3, width)
    details = lines[:, 0] - 2.0 * lines[:, 1] + lines[:, 2]
    details = details[:, :-2] - 2.0 * details[:, 1:-1] + details[:, 2:]
    if image.valid is not None:
        valid = image.valid[rows].all(axis=1)
        details = details[valid[:, :-2] & valid[:, 1:-1] & valid[:, 2:]]
    return scale_of(details.ravel()) / SECOND_DIFFERENCES


def noise_of_plane(plane: Plane) -> float:
    """The scale of the second differences of a plane, (height, width) float32, not normalised."""
    step = max(1, plane.shape[0] * plane.shape[1] // SAMPLED_PIXELS // 3)
    lines = plane[: plane.shape[0] // 3 * 3].reshape(-1, 3, plane.shape[1])[::step]
    details = lines[:, 0] - 2.0 * lines[:, 1] + lines[:, 2]
    details = details[:, :-2] - 2.0 * details[:, 1:-1] + details[:, 2:]
    return scale_of(details.ravel())


@lru_cache
def second_difference_sigma(level: int) -> float:
    """Standard deviation of a level's second differences, for white noise of full size.

    The noise has density 1: its mean over a pixel of the level has a standard deviation of 1.
    """
    line = _smoothing_of(level)
    second = np.zeros(2 ** (level + 1) + 1)
    second[[0, 2**level, -1]] = 1.0, -2.0, 1.0
    along = np.convolve(line, second)
    return 2.0**level * float(along @ along)


def noise_energy(level: int, noise: float) -> float:
    """Expected squared gradient of pure noise on a pyramid level.

    Args:
        level: the level.
        noise: standard deviation at full size, before any smoothing.
    """
    smoothing = _smoothing_of(level)
    # The central difference reaches one pixel of the level to each side.
    slope = np.convolve(smoothing, [0.5, *np.zeros(2 ** (level + 1) - 1), -0.5])
    return 2.0 * noise**2 * float((smoothing @ smoothing) * (slope @ slope))


def noise_gain(level: int) -> float:
    """Standard deviation of white noise on a pyramid level, relative to full size."""
    smoothing = _smoothing_of(level)
    return float(smoothing @ smoothing)


def _smoothing_of(level: int) -> Vector:
    """The filter between the image and a level, along one axis at full size."""
    smoothing: Vector = SMOOTHING
    for finer in range(level):
        # A kernel on a level of every second pixel reaches twice as far at full size.
        spread: Vector = np.zeros((BINOMIAL.size - 1) * 2**finer + 1)
        spread[:: 2**finer] = BINOMIAL
        smoothing = np.asarray(np.convolve(smoothing, spread), np.float64)
    return smoothing
