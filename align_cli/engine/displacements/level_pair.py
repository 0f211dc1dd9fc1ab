"""Both images on one pyramid level, as the displacement field compares them: one plane, or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import area_at_centre
from align_cli.engine.images.noise import noise_energy, noise_of_plane, second_difference_sigma
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.images.valid_overlap import valid_overlap
from align_cli.engine.numerics.negligible import NEGLIGIBLE
from align_cli.engine.numerics.samples import SAMPLE_ROWS
from align_cli.engine.solver.orientation_levels import View, orientation_pair

ORIENTATION_NOISE: Final = 0.05
"""Power density of the difference between orientation planes of multimodal images."""

LEAST_NOISE: Final = NEGLIGIBLE
"""Noise of an image without measurable noise, as a share of the range of nine tenths of its values:
8 bits round by 0.0011 of their full range."""

RANKED_ROWS: Final = SAMPLE_ROWS
"""Rows and columns, evenly spaced, from whose values the range is taken."""

LEAST_GAIN: Final = NEGLIGIBLE
"""Least contrast of a source relative to the target's."""


@dataclass(frozen=True)
class LevelPair:
    """Source and target on a level of the target, under an estimate.

    Attributes:
        level: of the target's pyramid.
        source: planes of the source, (h, w) float32 each, on their own grid.
        target: planes of the target, (height, width) float32 each.
        warp: (3, 3), target pixel -> pixel of the source's planes.
        inside: (height, width) bool, the target's pixels that are valid in both images.
        noise: power density of the noise of both images, in squared units of the target per square
            pixel of the level: its variance in a mean over many pixels.
        slope_noise: contribution of noise to a pixel's squared gradient along an axis of the
            target.
        source_known, target_known: where the planes are valid, on their own grids; None for
            everywhere.
    """

    level: int
    source: Sequence[Plane]
    target: Sequence[Plane]
    warp: Matrix
    inside: Mask
    noise: float
    slope_noise: float
    source_known: Mask | None = None
    target_known: Mask | None = None


def of_intensity(pair: Pair, warp: Matrix, level: int, gain: float) -> LevelPair:
    """The grey values of a pair on a level.

    Args:
        pair: source and target.
        warp: (3, 3), target pixel -> source pixel, at full size.
        level: of the target.
        gain: of the source relative to the target.
    """
    number, level_warp = pair.matching_level(warp, level)
    source, target = pair.levels[number], pair.target.levels[level]
    of_source, of_target = (
        power_density(each, of, known)
        for each, of, known in zip((source, target), (number, level), pair.noise, strict=True)
    )
    # Source pixels per pixel of the target's level.
    area = max(area_at_centre(level_warp, target.size), float(np.finfo(np.float32).tiny))
    return LevelPair(
        level=level,
        source=(np.asarray(source.image, np.float32),),
        target=(np.asarray(target.image, np.float32),),
        warp=level_warp,
        inside=valid_overlap(source, target, level_warp, margin=float(REACH)),
        noise=of_source / max(abs(gain), LEAST_GAIN) ** 2 / area + of_target,
        slope_noise=0.5 * of_target * 4.0**level * noise_energy(level, 1.0),
        source_known=source.valid,
        target_known=target.valid,
    )


def power_density(image: Level, level: int, noise: float) -> float:
    """Power density of the noise on a level, in squared units of the image per square pixel of it.

    White noise of full size keeps its density when it is smoothed and halved. But the noise of full
    size may be a raw mosaic, a screen or fine texture that smoothing removes: the level itself is
    measured too, and the smaller value counts.

    Args:
        image: the level.
        level: its number.
        noise: standard deviation of the noise of full size.
    """
    plane = np.asarray(image.image, np.float32)
    step_y, step_x = (max(1, extent // RANKED_ROWS) for extent in plane.shape)
    ranked = np.sort(plane[::step_y, ::step_x], axis=None)
    least = LEAST_NOISE * float(ranked[-1 - ranked.size // 20] - ranked[ranked.size // 20])
    measured = noise_of_plane(plane) / second_difference_sigma(level)
    return float(max(min(noise * 0.5**level, measured), least * 0.5**level)) ** 2


def of_orientation(source: View, target: View, warp: Matrix, level: int) -> LevelPair:
    """The edge orientations of two images on a level, the source warped before they are computed.

    Args:
        source: the image that is warped.
        target: the image that is not.
        warp: (3, 3), target pixel -> source pixel, at full size.
        level: of both pyramids.
    """
    both = orientation_pair(source, target, level, warp, exact=False)
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
        source_known=inside,
        target_known=target.levels[level].valid,
    )
