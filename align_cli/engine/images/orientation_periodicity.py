"""The period of a target by its edge orientations.

Bricks differ in their grey values, but not in their edges: a nonlinear map of the grey values may
remove what distinguishes one brick from the next, and with it what the period of the grey values
(``align_cli.engine.images.periodicity``) is measured by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Plane
from align_cli.engine.images.periodicity import Period
from align_cli.engine.images.pyramid import Level

LEAST_LIKENESS: Final = 0.45
"""Least correlation of a target's orientations with themselves at the period. Measured on half of
full size: a wall of bricks 0.60 and 0.74, coins in rows 0.47, other photographs and pages of text
up to 0.42."""

CORE: Final = 0.2
"""The central peak ends where the correlation has fallen to this."""

LARGEST_SHIFT: Final = 0.5
"""Largest shift, as a share of each side."""


def orientation_period(planes: Sequence[Level], level: int) -> Period | None:
    """The shift at which orientation planes correlate best with themselves, if they are periodic.

    Args:
        planes: (c, s) of a level of the target.
        level: which, 0 = full size.
    """
    images = [_known(plane) for plane in planes]
    energy = np.asarray(sum(image * image for image in images), np.float32)
    down, across = (int(LARGEST_SHIFT * side) for side in energy.shape)
    one, other = (
        _overlap_energies(energy, down, across),
        _overlap_energies(energy[::-1, ::-1], down, across),
    )
    least = float(np.finfo(np.float32).tiny) + 1e-6 * float(energy.sum())
    products = _products(images, down, across)
    likeness = np.asarray(products / np.sqrt(np.maximum(one * other, least**2)), np.float32)
    above = likeness[:0:-1, ::-1]
    _, parts = cv2.connectedComponents(
        (np.concatenate([above, likeness]) > CORE).astype(np.uint8), connectivity=4
    )
    likeness[parts[down:] == parts[down, across]] = -1.0
    y, x = divmod(int(likeness.argmax()), likeness.shape[1])
    best = float(likeness[y, x])
    if best < LEAST_LIKENESS:
        return None
    up = 2.0**level
    return Period(((x - across) * up, y * up), min(best, 1.0))


def _known(plane: Level) -> Plane:
    return plane.image if plane.valid is None else plane.image * plane.valid.astype(np.float32)


def _overlap_energies(energy: Plane, down: int, across: int) -> NDArray[np.float64]:
    """Energy of an image over the overlap of each shift (x, y).

    (down + 1, 2 across + 1), for y from 0.
    """
    height, width = energy.shape
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = energy.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    x = np.arange(-across, across + 1)
    bottom = sums[height - np.arange(down + 1)]
    rests: NDArray[np.float64] = bottom[:, width - x.clip(0)] - bottom[:, (-x).clip(0)]
    return rests


def _products(images: Sequence[Plane], down: int, across: int) -> Plane:
    """Sums of image(p) image(p + shift) over all images, indexed as ``_overlap_energies``."""
    height, width = images[0].shape
    rows, columns = (
        cv2.getOptimalDFTSize(side + most) for side, most in ((height, down), (width, across))
    )
    power = np.zeros((rows, columns), np.float32)
    padded = np.zeros((rows, columns), np.float32)
    for image in images:
        padded[:height, :width] = image
        # Packed real spectra of OpenCV: half the work.
        spectrum = cv2.dft(padded, nonzeroRows=height)
        power += cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True)
    sums = cv2.dft(power, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
    return np.concatenate([sums[: down + 1, -across:], sums[: down + 1, : across + 1]], axis=1)
