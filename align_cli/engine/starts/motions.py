"""Motions that explain point matches: MAGSAC (Barath et al. 2019), repeated without the inliers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.geometry.coordinates import Size, plausible, unit
from align_cli.engine.geometry.models import MotionModel

NOISE_PX: Final = 1.0
"""MAGSAC's upper limit of the noise, in pixels of the level."""

FEWEST_POINTS: Final = 8
"""Least number of inliers: any four agree with some homography."""

MOTIONS: Final = 2
"""Motions that are proposed: if something large moves independently, most points may be on it."""


def motions(
    model: MotionModel, of_target: Points, of_source: Points, size: Size, pixel: float = 1.0
) -> Iterator[Matrix]:
    """Motions of a model that explain matches, target -> source, the one with most inliers first.

    Args:
        model: the motion model.
        of_target: (n, 2) points of the target.
        of_source: (n, 2) their matches in the source.
        size: (width, height) of the target.
        pixel: of the level on which the points of the source were found, in their coordinates.
    """
    for _ in range(MOTIONS):
        if len(of_target) < FEWEST_POINTS:
            return
        found, inliers = _homography(of_target, of_source, NOISE_PX * pixel)
        if found is None or inliers.sum() < FEWEST_POINTS:
            return
        warp = found
        if not model.projective:
            warp = model.from_points(of_target[inliers], of_source[inliers])
        warp = unit(warp)
        if plausible(warp, size):
            yield warp
        of_target, of_source = of_target[~inliers], of_source[~inliers]


def _homography(
    of_target: Points, of_source: Points, noise: float
) -> tuple[Matrix | None, NDArray[np.bool_]]:
    found, inliers = cv2.findHomography(of_target, of_source, cv2.USAC_MAGSAC, noise, maxIters=5000)
    if found is None or not np.isfinite(found).all() or found[2, 2] == 0.0:
        return None, np.zeros(len(of_target), np.bool_)
    return np.asarray(found, np.float64), inliers.ravel().astype(np.bool_)
