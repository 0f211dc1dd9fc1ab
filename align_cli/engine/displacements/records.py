"""The displacement field of an alignment as plain records, for reports and files."""

from __future__ import annotations

import math
from dataclasses import dataclass

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.images import fixed_pattern


@dataclass(frozen=True)
class SecondMotion:
    """A motion, other than the estimate's, that a part of the target shares.

    Attributes:
        share: of the textured area, in [0, 1].
        shift_px: (x, y) mean displacement of its tiles relative to the main motion, in pixels of
            the target.
        centre_px: (x, y) mean of its tiles' centres.
        where: the same in words, as "at the top".
    """

    share: float
    shift_px: tuple[float, float]
    centre_px: tuple[float, float]
    where: str

    @property
    def length_px(self) -> float:
        """Length of the shift."""
        return math.hypot(*self.shift_px)


@dataclass(frozen=True)
class FixedPattern:
    """A fixed pattern of the sensor that was excluded.

    Attributes:
        kinds: in words, as "isolated pixels", "8x8 block edges", "constant areas".
        share: of the target's area that was excluded.
    """

    kinds: tuple[str, ...]
    share: float


def record_of(pattern: fixed_pattern.FixedPattern) -> FixedPattern:
    """The record of a fixed pattern."""
    kinds = {
        "isolated pixels": pattern.isolated,
        "8x8 block edges": pattern.grid,
        "constant areas": pattern.areas,
    }
    present = tuple(kind for kind, found in kinds.items() if found is not None)
    return FixedPattern(present, pattern.share)


@dataclass(frozen=True, eq=False)
class Displacements:
    """The displacements that remain after alignment.

    Lengths are in pixels of the target, of the matched tiles; NaN if there are none.

    Attributes:
        field: the displacement of each tile of the displacement map.
        tiles: number of tiles of the evidence, laid over the texture of the overlap, 150 at most
            unless all are tested; another selection than that of ``field``.
        sampled: how many of them were tested.
        stationary: how many of these match best at zero displacement.
        log10_false_alarms: decimal logarithm of the expected number of unrelated pairs with as many
            stationary tiles, over all estimates tried; below 0 it is evidence.
        median_px, p95_px: median and 95th percentile of the displacements.
        largest_px: the displacement that is longest after subtracting two of its tile's standard
            deviations, so that it is significant if any is.
        largest_at_px: (x, y) of that tile's centre.
        within_half_px, within_1_px, within_2_px: shares of the matched tiles.
        systematic_px: the largest displacement of the smooth part of the field over the overlap.
        systematic_at_px: (x, y) where that is.
        explained_by: the simplest motion model that would remove it; None if none would, or there
            is nothing to remove.
        second_motion: the independent motion of a part; None for none.
        fixed_pattern: the excluded fixed pattern; None for none.
    """

    field: DisplacementField
    tiles: int
    sampled: int
    stationary: int
    log10_false_alarms: float
    median_px: float
    p95_px: float
    largest_px: float
    largest_at_px: tuple[float, float]
    within_half_px: float
    within_1_px: float
    within_2_px: float
    systematic_px: float
    systematic_at_px: tuple[float, float]
    explained_by: str | None = None
    second_motion: SecondMotion | None = None
    fixed_pattern: FixedPattern | None = None

    @property
    def searched(self) -> int:
        """How many tiles of ``field`` were searched for."""
        return len(self.field)

    @property
    def matched(self) -> int:
        """How many of these have a match."""
        return int(self.field.matched.sum())
