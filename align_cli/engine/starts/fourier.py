"""Rotation, scale and shift from spectra (Fourier-Mellin; Reddy and Chatterji 1996).

A shift does not change the magnitude of a spectrum; a rotation rotates it, and a scale shrinks it.
In log-polar coordinates both are shifts, which phase correlation finds. The magnitude of a real
image's spectrum is symmetric under half a turn, so each angle represents two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.geometry.coordinates import at_level
from align_cli.engine.geometry.models import MODELS, between_centres
from align_cli.engine.numerics.negligible import NEGLIGIBLE
from align_cli.engine.starts.phase import TINY, correlation, peaks
from align_cli.engine.starts.views import Views

ANGLES: Final = 360
"""Angles in half a turn."""

RADII: Final = 256
LEAST_RADIUS: Final = 1.0 / 24.0
"""Radius of the smallest circle of the spectrum that is used, relative to the largest."""

LARGEST_SCALE: Final = 3.0
ROTATIONS: Final = 3
"""Rotations and scales that are tried, twice each."""

SHIFTS: Final = 2
MOST_GUESSES: Final = 4
"""Shifts that each rotation and scale proposes, and guesses of all of them that are tried."""

MOST_PIXELS: Final = 1 << 15
"""Pixels of the level that is used."""

MOST_CANVAS_PIXELS: Final = 1 << 20
"""Pixels of the canvas of the rotated source, and of the spectra: both are square, however narrow a
strip is."""


def rotations_and_scales(source: Plane, target: Plane, count: int) -> list[tuple[float, float]]:
    """The likeliest (angle, scale), target -> source, radians in [0, pi)."""
    side = cv2.getOptimalDFTSize(max(*source.shape, *target.shape))
    step = -np.log(LEAST_RADIUS) / RADII
    one, other = (_log_polar(image, side) for image in (source, target))
    surface = correlation(one, other, around=True)
    allowed = np.zeros(surface.shape[1], np.bool_)
    reach = int(np.log(LARGEST_SCALE) / step)
    allowed[: reach + 1] = allowed[-reach:] = True
    surface[:, ~allowed] = -np.inf
    return [
        ((dy % ANGLES) * np.pi / ANGLES, float(np.exp(-dx * step)))
        for _, dx, dy in peaks(surface, count)
    ]


def _log_polar(image: Plane, side: int) -> NDArray[np.float32]:
    """(ANGLES, RADII) logarithm of the spectrum's magnitude, less the mean of each radius."""
    magnitude = np.abs(np.fft.fftshift(np.fft.fft2(image, (side, side))))
    least = max(NEGLIGIBLE * float(magnitude.mean()), TINY)
    logarithm = np.log(magnitude + least).astype(np.float32)
    angle = np.arange(ANGLES)[:, None] * (np.pi / ANGLES)
    radius = 0.5 * side * LEAST_RADIUS ** (1.0 - np.arange(RADII) / RADII)
    x = (side // 2 + radius * np.cos(angle)).astype(np.float32)
    y = (side // 2 + radius * np.sin(angle)).astype(np.float32)
    polar = cv2.remap(logarithm, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    polar -= polar.mean(axis=0)
    fade = np.minimum(np.arange(RADII), np.arange(RADII)[::-1]) / (0.1 * RADII)
    return np.asarray(polar * np.clip(fade, 0.0, 1.0), np.float32)


def guesses(views: Views) -> Iterator[Matrix]:
    """Similarities, or rigid motions, the likeliest first; warps, target -> source, full size."""
    if views.model.size < MODELS["rigid"].size:
        return
    reduced = views.tapered(MOST_PIXELS)
    if reduced is None:
        return
    level, s, t = reduced
    if max(*s.shape, *t.shape) ** 2 > MOST_CANVAS_PIXELS:
        return
    source = views.source[level]
    found: list[tuple[float, Matrix]] = []
    for angle, scale in rotations_and_scales(s, t, ROTATIONS):
        factor = scale if views.model.size >= MODELS["similarity"].size else 1.0
        side = int(np.ceil(np.hypot(*source.size) / factor))
        if side * side > MOST_CANVAS_PIXELS:
            continue
        for turned in (angle, angle + np.pi):
            warp = between_centres(turned, factor, source.size, (side, side))
            canvas = cv2.warpAffine(
                s, warp[:2], (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
            for height, x, y in peaks(correlation(np.asarray(canvas, np.float32), t), SHIFTS):
                moved = np.eye(3)
                moved[:2, 2] = x, y
                found.append((height, warp @ moved))
    found.sort(key=lambda each: -each[0])
    for _, warp in found[:MOST_GUESSES]:
        yield at_level(warp, -level)
