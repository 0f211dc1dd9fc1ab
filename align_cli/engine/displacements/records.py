"""What the displacement field of an answer says, as plain data that other layers read."""

from __future__ import annotations

import math
from dataclasses import dataclass

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.images import fixed_pattern


@dataclass(frozen=True)
class SecondMotion:
    """A motion that a part of the target shares and that is not the answer's.

    Attributes:
        share: of the textured area, in [0, 1].
        shift_px: (x, y), where its tiles are found in the warped source, less where the rest of
            the target would have them, in pixels of the target; their mean.
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
    """What stays with the sensor, and has been left out.

    Attributes:
        kinds: in words, as "isolated pixels", "8x8 block edges", "constant areas".
        share: of the target's area that was left out.
    """

    kinds: tuple[str, ...]
    share: float


def record_of(pattern: fixed_pattern.FixedPattern) -> FixedPattern:
    """What people are told of a fixed pattern."""
    kinds = {
        "isolated pixels": pattern.isolated,
        "8x8 block edges": pattern.grid,
        "constant areas": pattern.areas,
    }
    present = tuple(kind for kind, found in kinds.items() if found is not None)
    return FixedPattern(present, pattern.share)


@dataclass(frozen=True, eq=False)
class Displacements:
    """Where the images still differ in place, as tiles of the target tell it.

    Lengths are in pixels of the target, of the tiles that found a match; NaN where none did.

    Attributes:
        field: what each tile says.
        tiles: how many tiles were laid over the texture of the overlap, 150 at most unless all are
            asked.
        sampled: how many of them were asked.
        stationary: how many of these fit best where they lie.
        log10_false_alarms: decimal logarithm of the number of unrelated pairs, among as many as
            were tried, of which so many tiles would be stationary: evidence below 0.
        median_px, p95_px: median and 95th percentile of the displacements.
        largest_px: the displacement that is longest less two of its tile's standard deviations, so
            that it is no accident of its tile where any is not.
        largest_at_px: (x, y) of that tile's centre.
        within_half_px, within_1_px, within_2_px: shares of the tiles that found a match anywhere.
        systematic_px: the largest displacement of the smooth part of the field over the overlap.
        systematic_at_px: (x, y) where that is.
        explained_by: the simplest motion model that would remove it; None where none would, or
            there is nothing to explain.
        second_motion: what moves by itself; None for nothing.
        fixed_pattern: what belongs to the sensor and was left out; None for nothing.
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
