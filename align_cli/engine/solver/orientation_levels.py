"""Edge orientations of two multimodal images, on the target's grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask, Matrix, Plane
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size, at_level
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.noise import noise_energy, noise_level
from align_cli.engine.images.orientation_periodicity import orientation_period
from align_cli.engine.images.periodicity import Period
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.images.structure_tensor import (
    Tensors,
    orientation_planes,
    planes_of_smoothed,
    smoothed,
    tensor_pyramid,
    tensors,
)
from align_cli.engine.images.supersampled import SupersampledLevel
from align_cli.engine.images.valid_overlap import valid_overlap
from align_cli.engine.numerics.blas import inner
from align_cli.engine.sampling.bilinear import resample
from align_cli.engine.solver.gauss_newton import SMALLEST_OVERLAP
from align_cli.engine.target.pixel_selection import TargetPoints, points_of
from align_cli.engine.target.planes import TargetPlanes, target_planes

PERIOD_LEVEL: Final = 1
"""Level on which the period of an image's edge orientations is found."""

CORRELATION_PIXELS: Final = 1 << 16
"""Number of pixels, about, from which the correlation of two images is computed."""

IDENTITY_STATE: Final = State(np.eye(3), Illumination.uniform(1.0, 0.0))
"""The state of a source that has been warped already: no motion, no illumination."""


class FixedView:
    """The orientation planes of one level of the target, and what is derived from them.

    Args:
        make: computes the planes (c, s).
    """

    def __init__(self, make: Callable[[], tuple[Level, Level]]) -> None:
        self._make = make

    @cached_property
    def planes(self) -> tuple[Level, Level]:
        """The planes (c, s)."""
        return self._make()

    @cached_property
    def energy(self) -> Plane:
        """(height, width), c^2 + s^2."""
        c, s = self.planes
        return np.asarray(c.image * c.image + s.image * s.image, np.float32)

    @cached_property
    def rows(self) -> list[TargetPlanes]:
        """The planes for the normal equations; empty if the level has no interior."""
        planes = [target_planes(plane) for plane in self.planes]
        return [plane for plane in planes if plane is not None]

    @cached_property
    def points(self) -> list[TargetPoints]:
        """The selected points of each plane; empty if there are none."""
        points = [
            points_of(rows, plane) for rows, plane in zip(self.rows, self.planes, strict=False)
        ]
        return [each for each in points if each is not None]


class View:
    """An image, its levels, their structure tensors and orientation planes.

    Args:
        luma: the image, not smoothed.
        levels: its pyramid, 0 = full size.
    """

    def __init__(self, luma: Luma, levels: Sequence[Level]) -> None:
        self.luma, self.levels = luma, levels
        self._fixed: dict[tuple[int, bool], FixedView] = {}
        self._supersampled: dict[int, Level] = {}
        self._smoothed: dict[int, Image] = {}

    @cached_property
    def noise_energies(self) -> list[float]:
        """Expected trace of the structure tensor of the noise, level by level."""
        noise = noise_level(self.luma)
        return [noise_energy(level, noise) for level in range(len(self.levels))]

    @cached_property
    def tensors(self) -> list[Tensors]:
        """The structure tensors, level by level."""
        return tensor_pyramid(self.levels, self.noise_energies)

    @cached_property
    def period(self) -> Period | None:
        """The period of its edge orientations; None if they are not periodic."""
        level = min(PERIOD_LEVEL, len(self.levels) - 1)
        return orientation_period(self.fixed(level, exact=False).planes, level)

    def supersampled(self, level: int) -> Level:
        """A level that is sampled on a finer grid."""
        if level not in self._supersampled:
            below = self.levels[level - 1] if level else self.luma
            self._supersampled[level] = SupersampledLevel(self.levels[level], below)
        return self._supersampled[level]

    def smoothed(self, level: int) -> Image:
        """The smoothed structure tensors of a level, (height, width, 3)."""
        if level not in self._smoothed:
            self._smoothed[level] = cv2.merge(smoothed(self.tensors[level]).planes)
        return self._smoothed[level]

    def fixed(self, level: int, *, exact: bool) -> FixedView:
        """Its planes on a level, from the tensors of finer levels, or of the level if ``exact``."""
        key = level, exact

        def make() -> tuple[Level, Level]:
            # Level 0 has no finer levels.
            own = exact and level > 0
            return orientation_planes(
                tensors(self.levels[level], self.noise_energies[level])
                if own
                else self.tensors[level]
            )

        if key not in self._fixed:
            self._fixed[key] = FixedView(make)
        return self._fixed[key]


@dataclass(frozen=True)
class OrientationPair:
    """The orientation planes of the warped source and of the target.

    Attributes:
        source: (c, s) of the source on the target's grid.
        target: those of the target.
        inside: (height, width) bool, where both are valid.
        share: number of pixels in both images over the largest number possible.
    """

    source: tuple[Level, Level]
    target: FixedView
    inside: Mask
    share: float

    @property
    def sufficient(self) -> bool:
        """Whether the overlap is large enough to solve for a motion."""
        return self.share >= SMALLEST_OVERLAP and len(self.target.rows) == len(self.source)

    @cached_property
    def correlation(self) -> float:
        """Correlation of the planes, in [-1, 1]; about 0 for unrelated orientations.

        It is computed from a sample of the rows of large levels.
        """
        rows = np.s_[:: max(1, self.inside.size // CORRELATION_PIXELS)]
        valid = self.inside[rows].astype(np.float32)
        products = source = 0.0
        for s, t in zip(self.source, self.target.planes, strict=True):
            inside = s.image[rows] * valid
            products += inner(inside, t.image[rows])
            source += inner(inside, inside)
        energy = source * inner(valid, self.target.energy[rows])
        return products / math.sqrt(energy) if energy > 0.0 else 0.0


def orientation_pair(
    source: View, target: View, level: int, warp: Matrix, *, exact: bool
) -> OrientationPair:
    """Both images as orientation planes on the target's grid.

    Args:
        source: the source.
        target: the target.
        level: of both pyramids.
        warp: (3, 3), target pixel -> source pixel, at full size.
        exact: whether the source's grey values are warped, sampled on a finer grid, not its
            tensors.
    """
    level_warp, size = at_level(warp, level), target.levels[level].size
    moving = source.levels[level]
    inside = valid_overlap(moving, target.levels[level], level_warp, margin=float(REACH))
    share = float(np.count_nonzero(inside)) / min(_pixels(moving), _pixels(target.levels[level]))
    valid = None if inside.all() else inside
    jacobian = _jacobian(level_warp, size)
    if exact:
        image = np.asarray(source.supersampled(level).sample(level_warp, size), np.float32)
        noise = source.noise_energies[level] * 0.5 * float((jacobian**2).sum())
        planes = orientation_planes(tensors(Level(image, valid), noise))
    else:
        own = source.tensors[level]
        warped = resample(source.smoothed(level), level_warp, size, replicate=True)
        xx, xy, yy = (np.asarray(plane, np.float32) for plane in cv2.split(warped))
        planes = planes_of_smoothed(Tensors((xx, xy, yy), own.noise, valid), jacobian)
    return OrientationPair(planes, target.fixed(level, exact=exact), inside, share)


def _pixels(level: Level) -> float:
    """Number of valid pixels, without those next to the border."""
    width, height = level.size
    if level.valid is not None:
        return max(float(np.count_nonzero(level.valid)), 1.0)
    return max(float((width - 2 * REACH) * (height - 2 * REACH)), 1.0)


def _jacobian(warp: Matrix, size: Size) -> NDArray[np.float64]:
    """(2, 2) derivative of a warp at the centre of an image of ``size``."""
    centre = np.array([0.5 * (size[0] - 1.0), 0.5 * (size[1] - 1.0), 1.0])
    x, y, w = warp @ centre
    derivative: Matrix = (warp[:2, :2] - np.outer([x / w, y / w], warp[2, :2])) / w
    return derivative
