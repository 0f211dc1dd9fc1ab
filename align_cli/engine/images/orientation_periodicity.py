"""Does the target repeat itself, as far as its edges tell?

Bricks differ in their grey values, and a curve of the grey values leaves nothing of that: what
tells one brick from the next is lost with them, and so is what a repeat of the grey values
(``align_cli.engine.images.periodicity``) goes by.
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
"""Agreement of a target's orientations with themselves, elsewhere, from which on they repeat.
Measured on half of full size: a wall of bricks 0.60 and 0.74, coins in rows 0.47, other photographs
and pages of text up to 0.42."""

CORE: Final = 0.2
"""The central peak ends where the agreement has fallen to this."""

LARGEST_SHIFT: Final = 0.5
"""Of each side, up to which the target is held against itself."""


def orientation_period(planes: Sequence[Level], level: int) -> Period | None:
    """The shift under which orientation planes agree best with themselves, if they repeat.

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
    """What each shift (x, y) leaves of an image's energy: (down + 1, 2 across + 1), y from 0."""
    height, width = energy.shape
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = energy.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    x = np.arange(-across, across + 1)
    bottom = sums[height - np.arange(down + 1)]
    rests: NDArray[np.float64] = bottom[:, width - x.clip(0)] - bottom[:, (-x).clip(0)]
    return rests


def _products(images: Sequence[Plane], down: int, across: int) -> Plane:
    """Sums of image(p) image(p + shift), laid out as ``_overlap_energies`` has it, over all images."""
    height, width = images[0].shape
    rows, columns = (
        cv2.getOptimalDFTSize(side + most) for side, most in ((height, down), (width, across))
    )
    power = np.zeros((rows, columns), np.float32)
    padded = np.zeros((rows, columns), np.float32)
    for image in images:
        padded[:height, :width] = image
        # Packed, as OpenCV does for real images: half the work.
        spectrum = cv2.dft(padded, nonzeroRows=height)
        power += cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True)
    sums = cv2.dft(power, flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
    return np.concatenate([sums[: down + 1, -across:], sums[: down + 1, : across + 1]], axis=1)
