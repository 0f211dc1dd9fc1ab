"""Both images on one pyramid level, as the displacement field sees them: one plane, or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.noise import left_on, noise_energy
from align_cli.engine.pair import Pair
from align_cli.engine.pyramid import REACH
from align_cli.engine.sampling import common
from align_cli.engine.unlike_views import View, compared

ORIENTATION_NOISE: Final = 0.05
"""Power density of what differs between orientation planes of unlike images."""

ROUNDING: Final = 1e-3
"""Noise of an image that seems to have none, in shares of its planes' range: 8 bits round by
0.0011 of it."""


@dataclass(frozen=True)
class LevelPair:
    """Source and target on a level of the target, under an answer.

    Attributes:
        level: of the target's pyramid.
        source: planes of the source, (h, w) float32 each, on their own grid.
        target: planes of the target, (height, width) float32 each.
        warp: (3, 3), target pixel -> pixel of the source's planes.
        inside: (height, width) bool, the target's pixels that both images know.
        noise: power density of the noise of both images, in squared units of the target a square
            pixel of the level: what a mean over many pixels has of it.
        slope_noise: what noise adds to a pixel's squared slope along an axis of the target.
        coarser: by how many levels the source's pixels are larger than the target's.
    """

    level: int
    source: Sequence[Plane]
    target: Sequence[Plane]
    warp: Matrix
    inside: Mask
    noise: float
    slope_noise: float


def of_intensity(pair: Pair, warp: Matrix, level: int, gain: float) -> LevelPair:
    """Grey values of a pair on a level.

    Args:
        pair: source and target.
        warp: (3, 3), target pixel -> source pixel, at full size.
        level: of the target.
        gain: source grey values for one of the target.
    """
    number, there = pair.like_level(warp, level)
    source, target = pair.levels[number], pair.target.levels[level]
    of_source, of_target = (max(each, ROUNDING) for each in pair.noise)
    of_source /= max(abs(gain), ROUNDING)
    return LevelPair(
        level=level,
        source=(np.asarray(source.image, np.float32),),
        target=(np.asarray(target.image, np.float32),),
        warp=there,
        inside=common(source, target, there, margin=float(REACH)),
        noise=(of_source**2 * 0.25**number + of_target**2 * 0.25**level),
        slope_noise=0.5 * noise_energy(level, of_target),
    )


def of_orientation(source: View, target: View, warp: Matrix, level: int) -> LevelPair:
    """Orientations of the edges of two images on a level, the source warped before they are taken.

    Args:
        source: the image that moves.
        target: the image that stays.
        warp: (3, 3), target pixel -> source pixel, at full size.
        level: of both pyramids.
    """
    both = compared(source, target, level, warp, exact=False)
    inside = both.inside.copy()
    inside[:REACH] = inside[-REACH:] = False
    inside[:, :REACH] = inside[:, -REACH:] = False
    return LevelPair(
        level=level,
        source=[np.asarray(plane.image, np.float32) for plane in both.source],
        target=[np.asarray(plane.image, np.float32) for plane in both.target.planes],
        warp=np.eye(3),
        inside=inside,
        noise=ORIENTATION_NOISE,
        slope_noise=0.0,
    )
