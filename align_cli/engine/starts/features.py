"""Feature matching: SIFT keypoints of both images, and robust homographies between them.

SIFT (Lowe 2004) on the reduced images, matches that pass the ratio test, and MAGSAC (Barath et al.
2019) for their homographies. Measured against ORB: at overlaps of 25 % and half size, SIFT finds 10
of 12 rigid motions and ORB one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.starts.feature_images import FeatureImage, reduced_image
from align_cli.engine.starts.motions import FEWEST_POINTS, motions
from align_cli.engine.starts.views import Views

PIXELS: Final = 1 << 17
"""Pixels of a reduced image."""

MOST_FEATURES: Final = 2000
RATIO: Final = 0.8
"""Lowe's ratio test: largest distance of a match relative to that of the second best."""


@dataclass(frozen=True)
class Features:
    """Keypoints at full size, (n, 2), and descriptors, (n, 128), of an image."""

    points: Points
    descriptors: NDArray[np.float32]


def guesses(views: Views) -> Iterator[Matrix]:
    """Motions that explain the matches; warps, target -> source, at full size."""
    source, target = (reduced_image(each, PIXELS) for each in (views.source, views.target))
    of_target, of_source = ratio_test_matches(
        *(features(each, MOST_FEATURES) for each in (target, source))
    )
    pixel = float(source.to_full[0, 0])
    yield from motions(views.model, of_target, of_source, views.target[0].size, pixel)


def ratio_test_matches(one: Features, other: Features) -> tuple[Points, Points]:
    """(n, 2) keypoints of two images whose match passes the ratio test."""
    nothing = np.empty((0, 2))
    if min(len(one.points), len(other.points)) < FEWEST_POINTS:
        return nothing, nothing
    nearest, distance, second = nearest_two(one.descriptors, other.descriptors)
    good = distance < RATIO**2 * second
    return one.points[good], other.points[nearest[good]]


def nearest_two(
    one: NDArray[np.float32], other: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """The nearest of other (n, 128) descriptors, its squared distance, and the second nearest's.

    SIFT's numbers are integers whose squares add up to less than 2^24, so that single precision is
    exact, and a product of matrices takes a third of the time of a search for neighbours.
    """
    squares = np.einsum("ij,ij->i", other, other)
    lacking = squares - 2.0 * (one @ other.T)
    rows = np.arange(len(one))
    nearest = lacking.argmin(axis=1)
    least = lacking[rows, nearest]
    lacking[rows, nearest] = np.inf
    own = np.einsum("ij,ij->i", one, one)
    return nearest, least + own, lacking.min(axis=1) + own


def features(feature_image: FeatureImage, most: int) -> Features:
    """SIFT features of the valid pixels of an image: a number of those of the highest contrast.

    Without a contrast threshold: in faint texture, the vessels of a retina, a fixed one leaves a
    handful of points or none.
    """
    sift = cv2.SIFT.create(most, contrastThreshold=0.0)
    keypoints, descriptors = sift.detectAndCompute(feature_image.image, feature_image.known)
    if not keypoints:
        return Features(np.empty((0, 2)), np.empty((0, 128), np.float32))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float64)
    return Features(map_points(feature_image.to_full, points), np.asarray(descriptors, np.float32))
