"""Features: points that look alike in both images, and what most of them agree on.

SIFT (Lowe 2004) on the reduced images, matches that are better than their second best, and MAGSAC
(Barath et al. 2019) for the homographies behind them. Measured against ORB: at overlaps of 25 % and
half size, SIFT finds 10 of 12 rigid motions and ORB one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.coordinates import at_level
from align_cli.engine.pyramid import Level
from align_cli.engine.starts.motions import FEWEST, motions
from align_cli.engine.starts.views import Views

MOST_PIXELS: Final = (1 << 17, 1 << 19)
"""Of the level that is looked at, and of the one that is tried where that does not do."""

MOST_FEATURES: Final = 2000
RATIO: Final = 0.8
"""Lowe 2004: a match counts if the second best is by so much worse."""

SURE, SURE_SHARE = 40, 0.7
"""Where one motion explains so many matches on the coarser images, and this share of them, the
finer ones have no say."""

DARKEST, BRIGHTEST = 0.5, 99.5
"""Percentiles that become black and white."""

LEAST_SPAN: Final = 1e-6
"""Grey values, 1 being full scale, that they are apart at least: flat pictures have no features."""


Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Features:
    """Places, (n, 2), and descriptors, (n, 128), of an image's features."""

    places: Points
    descriptors: NDArray[np.float32]


def guesses(views: Views) -> Iterator[Matrix]:
    """Motions behind the matches, on coarser images first; warps, target -> source, full size."""
    seen: set[int] = set()
    sure = False
    for pixels in MOST_PIXELS:
        level = views.reduced(pixels)
        if level is None or level in seen or sure:
            continue
        seen.add(level)
        size = views.target[level].size
        start, end = _matches(views.target[level], views.source[level])
        for found in motions(views.model, start, end, size):
            sure |= found.inliers >= SURE and found.share >= SURE_SHARE
            yield at_level(found.warp, -level)


def _matches(target: Level, source: Level) -> tuple[Points, Points]:
    """(n, 2) places in the target and in the source that look alike."""
    here, there = (features(*grey(level), MOST_FEATURES) for level in (target, source))
    return matched(here, there)


def matched(here: Features, there: Features) -> tuple[Points, Points]:
    """(n, 2) places of two images that look more alike than any other in the second does."""
    nothing = np.empty((0, 2))
    if min(len(here.places), len(there.places)) < FEWEST:
        return nothing, nothing
    pairs = cv2.BFMatcher().knnMatch(here.descriptors, there.descriptors, k=2)
    good = [best for best, second in pairs if best.distance < RATIO * second.distance]
    indices = np.array([(match.queryIdx, match.trainIdx) for match in good], np.intp).reshape(-1, 2)
    return here.places[indices[:, 0]], there.places[indices[:, 1]]


def grey(level: Level) -> tuple[Bytes, Bytes | None]:
    """A level in 256 grey levels, and where it is known, 255; None for everywhere."""
    image = level.image
    values = image if level.valid is None else image[level.valid]
    low, high = np.percentile(values, [DARKEST, BRIGHTEST]) if values.size else (0.0, 1.0)
    span = max(float(high - low), LEAST_SPAN)
    grey = np.clip((image - np.float32(low)) * np.float32(255.0 / span), 0.0, 255.0)
    mask = None if level.valid is None else level.valid.astype(np.uint8) * np.uint8(255)
    return grey.astype(np.uint8), mask


def features(image: Bytes, mask: Bytes | None, most: int) -> Features:
    """SIFT features where a mask is not 0, at most so many."""
    points, descriptors = cv2.SIFT.create(most).detectAndCompute(image, mask)
    # Without points the descriptors are None, and nobody looks at them.
    places = np.array([point.pt for point in points], np.float64).reshape(-1, 2)
    return Features(places, np.asarray(descriptors, np.float32))
