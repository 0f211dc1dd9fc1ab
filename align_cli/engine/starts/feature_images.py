"""The 8-bit image, reduced to a number of pixels, in which features are detected.

Each image is reduced independently. Pyramids matched level by level would leave next to no pixels
of an image that shows the same scene on a fifth of the other's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.pyramid import Level

Bytes = NDArray[np.uint8]

DARKEST, BRIGHTEST = 0.5, 99.5
"""Percentiles that become black and white."""

LEAST_SPAN: Final = 1e-6
"""Least difference of the two, 1 being full scale: flat images have no features."""


class FeatureImage(NamedTuple):
    """A reduced 8-bit image.

    Attributes:
        image: (height, width), 256 grey levels.
        known: the same, 255 where it is valid, else 0.
        to_full: pixel -> pixel of the image at full size; a scale for each axis, and a shift.
    """

    image: Bytes
    known: Bytes
    to_full: Matrix


def reduced_image(levels: Sequence[Level], pixels: int) -> FeatureImage:
    """An image reduced to a number of pixels, or unchanged if it has no more.

    Args:
        levels: the image's pyramid, level 0 first.
        pixels: width times height.
    """
    # A level of up to four times as many pixels has all the detail that is needed.
    counts = [math.prod(level.size) for level in levels]
    few = (number for number, count in enumerate(counts) if count <= 4 * pixels)
    number = next(few, len(levels) - 1)
    image, known = _grey(levels[number])
    width, height = levels[number].size
    share = min(1.0, math.sqrt(pixels / counts[number]))
    size: Size = max(round(share * width), 1), max(round(share * height), 1)
    if share < 1.0:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        known = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    across, down = width / size[0], height / size[1]
    # The edges of the image are fixed, not the centres of its outermost pixels.
    to_level = np.array(
        [[across, 0.0, (across - 1.0) / 2.0], [0.0, down, (down - 1.0) / 2.0], [0.0, 0.0, 1.0]]
    )
    return FeatureImage(image, known, np.diag([2.0**number, 2.0**number, 1.0]) @ to_level)


def _grey(level: Level) -> tuple[Bytes, Bytes]:
    """A level in 256 grey levels, and its valid pixels, 255."""
    image = level.image
    known = np.full(image.shape, 255, np.uint8)
    if level.valid is not None:
        known[~level.valid] = 0
    values = image if level.valid is None else image[level.valid]
    low, high = np.percentile(values, [DARKEST, BRIGHTEST]) if values.size else (0.0, 1.0)
    span = max(float(high - low), LEAST_SPAN)
    grey = np.clip((image - np.float32(low)) * np.float32(255.0 / span), 0.0, 255.0)
    return grey.astype(np.uint8), known
