"""What the level pairs of an estimate are made of: grey values, or edge orientations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from align_cli.engine.arrays import Matrix
from align_cli.engine.displacements.level_pair import LevelPair, of_intensity, of_orientation
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.images.pyramid import stored_levels
from align_cli.engine.solver.orientation_levels import View


class PairView(Protocol):
    """Two images as the displacement field compares them."""

    @property
    def target_size(self) -> Size:
        """(width, height) of the target at full size."""

    @property
    def source_size(self) -> Size:
        """(width, height) of the source at full size."""

    @property
    def levels(self) -> range:
        """The levels of the target that can be compared, finest first."""

    def at(self, warp: Matrix, level: int) -> LevelPair:
        """Both images on a level, under a warp target -> source at full size."""


@dataclass(frozen=True)
class IntensityView:
    """Grey values of a pair; ``gain`` is that of the source relative to the target."""

    pair: Pair
    gain: float

    @property
    def target_size(self) -> Size:
        """(width, height) of the target at full size."""
        return self.pair.target.size

    @property
    def source_size(self) -> Size:
        """(width, height) of the source at full size."""
        return self.pair.source.size

    @property
    def levels(self) -> range:
        """The levels of the target that can be compared, finest first."""
        both = (stored_levels(levels) for levels in (self.pair.target.levels, self.pair.levels))
        first = max(levels.start for levels in both)
        return range(first, len(self.pair.levels))

    def at(self, warp: Matrix, level: int) -> LevelPair:
        """Both images on a level, under a warp target -> source at full size."""
        return of_intensity(self.pair, warp, level, self.gain)


@dataclass(frozen=True)
class OrientationView:
    """Edge orientations of two images."""

    source: View
    target: View

    @property
    def target_size(self) -> Size:
        """(width, height) of the target at full size."""
        return self.target.luma.size

    @property
    def source_size(self) -> Size:
        """(width, height) of the source at full size."""
        return self.source.luma.size

    @property
    def levels(self) -> range:
        """The levels of the target that can be compared, finest first."""
        return range(min(len(self.source.levels), len(self.target.levels)))

    def at(self, warp: Matrix, level: int) -> LevelPair:
        """Both images on a level, under a warp target -> source at full size."""
        return of_orientation(self.source, self.target, warp, level)
