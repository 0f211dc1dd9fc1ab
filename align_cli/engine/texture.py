"""The texture that two levels have in common: what no noise makes."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.derivatives import central_differences
from align_cli.engine.equations import least_scale
from align_cli.engine.moments import cross_matrix, relight
from align_cli.engine.motion import MotionModel
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import OUTLIER, scale_of
from align_cli.engine.sampling import common, sample
from align_cli.engine.targets import TargetPlanes

MOST_RANKED: Final = 1 << 13
"""Residuals whose median gives their scale."""


def shared_texture(
    source: Level,
    target: Level,
    planes: TargetPlanes,
    place: Place,
    model: MotionModel,
) -> float:
    """Share of the texture that two levels have in common, along the motion that has least.

    Noise has gradients too. In a picture of stripes they make the normal equations regular, and the
    solver comes to rest wherever two noises happen to agree, there and back. But the noises of two
    images are independent: with J_T and J_S the steepest-descent images of the target and of the
    warped source, J_T^T J_S keeps what both show and loses the noise. This is its smallest
    eigenvalue relative to (J_T^T J_T + J_S^T J_S) / 2.

    Args:
        source: a level of the source.
        target: the same level of the target.
        planes: what ``targets.target_planes`` makes of it.
        place: the warp, target pixel -> source pixel of this level, and the light.
        model: the motion model.

    Returns:
        1 for the same picture, about 0 where nothing but noise fixes some motion; NaN where
        there is no gradient at all.
    """
    image, relit, inside = _warped(source, target, planes, place)
    # What covers a part of one image is no evidence on the rest: leave out what robust weights do.
    residual = np.abs(relit - planes.image)
    known = np.flatnonzero(inside)
    if known.size:
        some = known[:: max(1, known.size // MOST_RANKED)]
        # On a page most residuals are those of paper: nothing at all.
        scale = max(scale_of(residual.ravel().take(some)), least_scale(planes.spread))
        inside &= residual <= OUTLIER * scale
    # The central difference of the warped source looks one pixel further.
    inside = cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    interior = _interior(planes)
    warped = central_differences(image)
    s = warped[0][interior], warped[1][interior]
    t = planes.gradient_x, planes.gradient_y
    tt, ss, ts = (cross_matrix(*pair, inside, planes, model) for pair in ((t, t), (s, s), (t, s)))
    # The images may differ in contrast, and in the units of their planes.
    contrast = math.sqrt(np.trace(tt) / np.trace(ss)) if np.trace(ss) > 0.0 else 0.0
    try:
        root = np.linalg.inv(np.linalg.cholesky(0.5 * (tt + contrast**2 * ss)))
    except np.linalg.LinAlgError:
        return math.nan
    ts *= contrast
    return float(np.linalg.eigvalsh(root @ ts @ root.T)[0])


def _warped(
    source: Level, target: Level, planes: TargetPlanes, place: Place
) -> tuple[Plane, Plane, Mask]:
    """The warped source on all of a level, relit on its interior, and what both know of that."""
    interior = _interior(planes)
    inside = common(source, target, place.warp, margin=REACH + 2.0)[interior]
    image = sample(source.image, place.warp, target.size, replicate=True)
    relit = image[interior].copy()
    relight(relit, place.light, planes, slice(None), scratch=np.empty_like(relit))
    return image, relit, inside


def _interior(planes: TargetPlanes) -> tuple[slice, slice]:
    height, width = planes.image.shape
    x, y = planes.origin
    return np.s_[y : y + height, x : x + width]
