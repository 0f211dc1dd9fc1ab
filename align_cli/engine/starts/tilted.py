"""Planes seen from aside: features of tilted views (ASIFT; Morel and Yu 2009).

A camera that looks at a plane from aside shortens it along one direction by the tilt, 1 over the
cosine of the angle. SIFT forgives a tilt of 2 or so. So each image is shortened along many
directions, and the features of each such view are held against the other image as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.coordinates import at_level, inverse, map_points
from align_cli.engine.motion import MODELS
from align_cli.engine.starts.features import Bytes, Features, features, grey, matched
from align_cli.engine.starts.motions import FEWEST, motions
from align_cli.engine.starts.views import Views

MOST_PIXELS: Final = 1 << 17
"""Of the level that is looked at."""

TILTS: Final = (2.0, 2.0 * math.sqrt(2.0), 4.0)
"""What is shortened, by so much."""

TURN: Final = 72.0
"""Degrees between two directions, for a tilt of 1: Morel and Yu's."""

SMOOTHING: Final = 0.8
"""Standard deviation of what is shortened by t is smoothed by, times sqrt(t^2 - 1): theirs, too."""

MOST_FEATURES: Final = 800
BEST_VIEWS: Final = 3
"""Motions are looked for in the views with most matches."""


def guesses(views: Views) -> Iterator[Matrix]:
    """Motions behind the matches of tilted views; warps, target -> source, at full size."""
    level = views.reduced(MOST_PIXELS)
    if level is None or views.model.size < MODELS["affine"].size:
        return
    source, target = (grey(each[level]) for each in (views.source, views.target))
    own = features(*source, MOST_FEATURES), features(*target, MOST_FEATURES)
    found = []
    for swapped, (image, other) in enumerate(((source, own[1]), (target, own[0]))):
        for tilt in TILTS:
            for angle in np.arange(0.0, 180.0, TURN / tilt).tolist():
                there, here = _matches(*image, tilt, angle, other)
                found.append((len(here), (there, here) if swapped else (here, there)))
    found.sort(key=lambda each: -each[0])
    for count, (here, there) in found[:BEST_VIEWS]:
        if count < FEWEST:
            return
        for moved in motions(views.model, here, there, views.target[level].size):
            yield at_level(moved.warp, -level)


def _matches(
    image: Bytes, mask: Bytes | None, tilt: float, degrees: float, other: Features
) -> tuple[Points, Points]:
    """(n, 2) places in an image, and in another one, that look alike once the first is tilted."""
    height, width = image.shape
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    corners = map_points(turn, np.array([[0, 0], [width, 0], [0, height], [width, height]], float))
    turn[:2, 2] = -corners.min(axis=0)
    sides = np.ceil(np.ptp(corners, axis=0)).astype(int)
    size = int(sides[0]), int(sides[1])
    turned = cv2.warpAffine(image, turn[:2], size, borderMode=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(
        turned, (0, 0), sigmaX=SMOOTHING * math.sqrt(tilt**2 - 1.0), sigmaY=0.01
    )
    shorten = np.diag([1.0 / tilt, 1.0, 1.0])
    small = max(round(size[0] / tilt), 1), size[1]
    view = cv2.warpAffine(smooth, shorten[:2], small, borderMode=cv2.BORDER_REPLICATE)
    known = np.full(image.shape, 255, np.uint8) if mask is None else mask
    inside = cv2.warpAffine(known, (shorten @ turn)[:2], small, flags=cv2.INTER_NEAREST)
    seen = features(np.asarray(view, np.uint8), np.asarray(inside, np.uint8), MOST_FEATURES)
    there, here = matched(seen, other)
    return map_points(inverse(shorten @ turn), there), here
