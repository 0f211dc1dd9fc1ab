"""Oblique views of planes: features of simulated tilts (ASIFT; Morel and Yu 2009).

A camera that views a plane obliquely shortens it along one direction by the tilt, 1 over the cosine
of the angle. SIFT tolerates a tilt of 2 or so. So each image is shortened along a few directions;
the features of all its views together are matched with the other image, and each feature of that
image counts once, with its best match.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.geometry.coordinates import Size, inverse, map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.starts.feature_images import FeatureImage, reduced_image
from align_cli.engine.starts.features import RATIO, features, nearest_two
from align_cli.engine.starts.motions import FEWEST_POINTS, motions
from align_cli.engine.starts.views import Views

PIXELS: Final = 3 << 13
"""Pixels of a reduced image. Measured on 72 photographs tilted by 60 to 70 degrees: candidates
within 5 px of 71 of them, on two thirds of the pixels of 67."""

MOST_CANVAS_PIXELS: Final = 1 << 19
"""Pixels of the canvas of a rotated image: it is square, however narrow a strip is."""

TILT: Final = 2.5
"""Simulated tilt: a tilt of 2 or less remains for true ones from 1.25 to 5. Measured on the same: 2
and 3.5 find 69 on two thirds of the pixels, in half as much time again."""

DIRECTION_STEP: Final = 72.0
"""Degrees between two directions, for a tilt of 1: Morel and Yu's."""

SMOOTHING: Final = 0.8
"""Standard deviation of the antialiasing for a tilt t, over sqrt(t^2 - 1): theirs, too."""

MOST_FEATURES: Final = 300
"""Features of an image, and of each of its views. Measured on the same: 1000 find no more."""


def guesses(views: Views) -> Iterator[Matrix]:
    """Motions that explain the matches of tilted views; warps, target -> source, at full size."""
    if views.model.size < MODELS["affine"].size:
        return
    source, target = (reduced_image(each, PIXELS) for each in (views.source, views.target))
    if any(np.square(each.image.shape).sum() > MOST_CANVAS_PIXELS for each in (source, target)):
        return
    of_target, of_source = _matches(target, source)
    more_of_source, more_of_target = _matches(source, target)
    of_target = np.concatenate([of_target, more_of_target])
    of_source = np.concatenate([of_source, more_of_source])
    pixel = float(source.to_full[0, 0])
    yield from motions(views.model, of_target, of_source, views.target[0].size, pixel)


def _matches(one: FeatureImage, other: FeatureImage) -> tuple[Points, Points]:
    """(n, 2) keypoints at full size that match between one image and another's tilted views."""
    own = features(one, MOST_FEATURES)
    views = [
        features(_view(other, TILT, angle), MOST_FEATURES)
        for angle in np.arange(0.0, 180.0, DIRECTION_STEP / TILT).tolist()
    ]
    points = np.concatenate([each.points for each in views])
    if min(len(own.points), len(points)) < FEWEST_POINTS:
        return np.empty((0, 2)), np.empty((0, 2))
    descriptors = np.concatenate([each.descriptors for each in views])
    nearest, distance, second = nearest_two(descriptors, own.descriptors)
    good = np.flatnonzero(distance < RATIO**2 * second)
    best_first = good[np.argsort(distance[good], kind="stable")]
    of_own, first = np.unique(nearest[best_first], return_index=True)
    return own.points[of_own], points[best_first[first]]


def _view(feature_image: FeatureImage, tilt: float, degrees: float) -> FeatureImage:
    """An image shortened along a direction."""
    height, width = feature_image.image.shape
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    corners = map_points(turn, np.array([[0, 0], [width, 0], [0, height], [width, height]], float))
    turn[:2, 2] = -corners.min(axis=0)
    sides = np.ceil(np.ptp(corners, axis=0)).astype(int)
    size: Size = int(sides[0]), int(sides[1])
    turned = cv2.warpAffine(feature_image.image, turn[:2], size, borderMode=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(
        turned, (0, 0), sigmaX=SMOOTHING * math.sqrt(tilt**2 - 1.0), sigmaY=0.01
    )
    shorten = np.diag([1.0 / tilt, 1.0, 1.0])
    small: Size = max(round(size[0] / tilt), 1), size[1]
    view = cv2.warpAffine(smooth, shorten[:2], small, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.warpAffine(
        feature_image.known, (shorten @ turn)[:2], small, flags=cv2.INTER_NEAREST
    )
    back = feature_image.to_full @ inverse(shorten @ turn)
    return FeatureImage(np.asarray(view, np.uint8), np.asarray(known, np.uint8), back)
