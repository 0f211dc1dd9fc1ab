"""Template matching: a small image in a large one, by ZNCC over a grid of poses.

The smaller image, rotated and scaled, is correlated with the larger one at every position. On a
level where it is a few dozen pixels wide it tolerates half a step of angle and of scale; it also
matches at many positions by chance, so that more than one position is proposed. The local contrast
is normalised as in ``masked_ncc``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.geometry.coordinates import at_level, inverse
from align_cli.engine.geometry.models import MODELS, between_centres
from align_cli.engine.images.pyramid import Level
from align_cli.engine.starts.masked_ncc import contrast_normalised
from align_cli.engine.starts.phase import PEAK_PX, peaks
from align_cli.engine.starts.poses import KNOWN_SHARE, SCALES
from align_cli.engine.starts.views import Views

MOST_COVERED: Final = 0.4
"""Largest area of the smaller image, relative to the other's."""

LEAST_SIDE: Final = 20
"""Shorter side of the smaller image on the coarsest level that is used, in pixels."""

ANGLES: Final = (0.0, -12.0, 12.0)
"""Degrees."""

PEAKS: Final = 3
"""Positions that each pose proposes."""

MOST_GUESSES: Final = 10
"""Poses that are tried, those that correlate best."""

SMALLEST: Final = 3
"""Least side, in pixels, of a rotated and reduced image that is searched for."""

LEAST_KNOWN: Final = 0.25
"""Least share of the rotated image's canvas that it covers."""


def guesses(views: Views) -> Iterator[Matrix]:
    """Poses, those that correlate best first; warps, target -> source, at full size."""
    level = _level(views)
    if level is None:
        return
    source, target = views.source[level], views.target[level]
    swapped = math.prod(source.size) > math.prod(target.size)
    small, large = (target, source) if swapped else (source, target)
    found: list[tuple[float, Matrix]] = []
    image = contrast_normalised(large.image, large.valid)
    for angle, scale in _poses(views):
        found += _places(small, image, math.radians(angle), scale)
    found.sort(key=lambda each: -each[0])
    for _, to_small in found[:MOST_GUESSES]:
        yield at_level(inverse(to_small) if swapped else to_small, -level)


def _level(views: Views) -> int | None:
    """The coarsest level on which the smaller image is large enough; None if it is not small."""
    levels = list(zip(views.source, views.target, strict=False))
    pixels = sorted(math.prod(each.size) for each in levels[0])
    if pixels[0] > MOST_COVERED * pixels[1]:
        return None
    sides = [min(min(each.size) for each in both) for both in levels]
    return max((n for n, side in enumerate(sides) if side >= LEAST_SIDE), default=None)


def _poses(views: Views) -> Iterator[tuple[float, float]]:
    """The angles and scales that the model allows."""
    size = views.model.size
    for scale in SCALES if size >= MODELS["similarity"].size else SCALES[:1]:
        for angle in ANGLES if size >= MODELS["rigid"].size else ANGLES[:1]:
            yield angle, scale


def _places(small: Level, image: Plane, angle: float, scale: float) -> list[tuple[float, Matrix]]:
    """The best positions of a pose: the correlation, and the warp large -> small image."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    width, height = small.size
    across = np.abs(np.linalg.inv(turn)) @ np.array([width - 1.0, height - 1.0])
    sides = np.ceil(across).astype(int) + 1
    if (sides[::-1] >= image.shape).any() or sides.min() < SMALLEST:
        return []
    size = int(sides[0]), int(sides[1])
    to_small = between_centres(angle, scale, small.size, size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    known = np.ones(small.image.shape, np.float32)
    if small.valid is not None:
        known = small.valid.astype(np.float32)
    plane: Plane = contrast_normalised(small.image, small.valid)
    if scale > 1.0:
        plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.5 * scale), np.float32)
    template = cv2.warpAffine(plane, to_small[:2], size, flags=flags)
    mask = (cv2.warpAffine(known, to_small[:2], size, flags=flags) > KNOWN_SHARE).astype(np.float32)
    if mask.sum() < LEAST_KNOWN * mask.size:
        return []
    zncc = cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED, mask=mask)
    surface = np.where(np.isfinite(zncc), zncc, -1.0).astype(np.float32)
    surface = np.pad(
        surface,
        ((0, surface.shape[0] + 2 * PEAK_PX), (0, surface.shape[1] + 2 * PEAK_PX)),
        constant_values=-2.0,
    )
    found = []
    for height_of_peak, x, y in peaks(surface, PEAKS):
        if height_of_peak <= 0.0:
            break
        back = np.eye(3)
        back[:2, 2] = -x, -y
        found.append((height_of_peak, to_small @ back))
    return found
