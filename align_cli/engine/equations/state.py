"""The state of the solver: the warp and the illumination."""

from __future__ import annotations

from typing import NamedTuple

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.geometry.coordinates import at_level


class State(NamedTuple):
    """The warp, (3, 3), target pixel -> source pixel, and the illumination."""

    warp: Matrix
    illumination: Illumination

    def at_level(self, level: int) -> State:
        """The same in pixels of a pyramid level; ``-level`` converts back to full size."""
        return State(at_level(self.warp, level), self.illumination)
