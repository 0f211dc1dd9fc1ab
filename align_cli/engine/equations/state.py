"""Where an alignment stands: the warp and the light."""

from __future__ import annotations

from typing import NamedTuple

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import Light
from align_cli.engine.geometry.coordinates import at_level


class Place(NamedTuple):
    """The warp, (3, 3), target pixel -> source pixel, and the light."""

    warp: Matrix
    light: Light

    def at_level(self, level: int) -> Place:
        """The same in the pixels of a pyramid level; of a negative one, back from there."""
        return Place(at_level(self.warp, level), self.light)
