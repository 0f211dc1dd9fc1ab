"""A second motion: a group of tiles that moves independently of the rest.

If the scene has depth, or something moved, tiles follow one of two motions. A lens distorts an
image so that neighbouring tiles share a motion as well; the model that predicts left-out tiles
better decides: the motion of the neighbours' group, or a smooth field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Points, Vector
from align_cli.engine.displacements.fit import (
    Fit,
    Matches,
    add_scatter,
    common_scatter,
    leave_one_out,
    polynomial,
    robust_fit,
    tukey_loss,
)
from align_cli.engine.displacements.motions import FEWEST_TILES, Group, motions
from align_cli.engine.displacements.records import SecondMotion
from align_cli.engine.displacements.residual_field import CUBIC
from align_cli.engine.geometry.coordinates import Size

MIDDLE: Final = 1.0 / 3.0
"""Tiles are in the middle if most are no further from the centre than this share of the sides;
tiles all around it have the same mean position."""

NEIGHBOURS: Final = 5
"""Neighbouring tiles whose majority predicts a tile's motion."""


class ResidualKind(Enum):
    """The kind of the displacements that remain."""

    SMOOTH = "smooth"
    PIECEWISE = "piecewise"


@dataclass(frozen=True, eq=False)
class MotionPair:
    """Two motions, and the inliers of each.

    Attributes:
        main, second: the groups from which they were found.
        inlier: (2, n) bool, the tiles of main and second: those displaced by less than half of the
            difference of both motions. A tile may be an inlier of neither.
        smooth: parameters of a cubic field on top of both; None for none.
    """

    main: Group
    second: Group
    inlier: NDArray[np.bool_]
    smooth: Vector | None = None

    def expected(self, points: Points, size: Size) -> tuple[Points, Points]:
        """(n, 2) px each: displacements by main and second at (n, 2) points."""
        common = (
            0.0 if self.smooth is None else polynomial(CUBIC).evaluate(self.smooth, points, size)
        )
        main, second = (each.displacement(points, size) for each in (self.main, self.second))
        return main + common, second + common

    def assigned_to(self, matches: Matches, size: Size) -> MotionPair:
        """The same motions with the inliers among other tiles."""
        return replace(self, inlier=_inliers(matches, self.expected(matches.position, size)))


def two_motions(matches: Matches, size: Size) -> MotionPair | None:
    """The main motion and a second one, if there is one.

    Of all pairs of motions that are found, the one that predicts left-out tiles best; the main
    motion is the one with the smaller displacements. If a smooth field predicts them better still,
    it is subtracted and the test is repeated.

    Args:
        matches: the matched tiles.
        size: (width, height) of the target.
    """
    kind, pair = _best_pair(matches, size)
    if kind is ResidualKind.SMOOTH:
        smooth = _smooth(matches, size)
        kind, pair = _best_pair(replace(matches, displacement=smooth.residual), size)
        if pair is not None:
            pair = replace(pair, smooth=smooth.parameters)
    return None if kind is ResidualKind.SMOOTH else pair


def _best_pair(matches: Matches, size: Size) -> tuple[ResidualKind | None, MotionPair | None]:
    """The two motions that predict tiles best, and whether they do so better than a smooth field.

    None if no two motions are found.
    """
    found = motions(matches, size), motions(matches, size, neighbours=True)
    pairs = [_pair(matches, size, *both) for groups in found for both in combinations(groups, 2)]
    pairs = [
        pair
        for pair in pairs
        if np.count_nonzero(pair.inlier[1]) >= FEWEST_TILES and _discontinuous(matches, size, pair)
    ]
    if not pairs:
        return None, None
    kind, best = predicts_better(matches, size, pairs)
    return kind, pairs[best]


def _discontinuous(matches: Matches, size: Size, pair: MotionPair) -> bool:
    """Whether the motions differ where their tiles meet, by at least half as much as elsewhere.

    Curled paper is described by two motions as well, but they join continuously.
    """
    inlier = pair.inlier[0] | pair.inlier[1]
    neighbours = _neighbours(matches.position, inlier)
    adjacent = pair.inlier[1] & pair.inlier[0][neighbours].any(axis=1)
    if not adjacent.any():
        return True
    distance = pair.second.displacement(matches.position, size)
    distance = np.hypot(*(distance - pair.main.displacement(matches.position, size)).T)
    return bool(np.median(distance[adjacent]) >= 0.5 * distance[pair.inlier[1]].mean())


def _smooth(matches: Matches, size: Size) -> Fit:
    """A smooth field through the displacements."""
    rows = polynomial(CUBIC).design(matches.position, size)
    return robust_fit(rows, matches.displacement, matches.covariance)


def second_motion_record(matches: Matches, size: Size, pair: MotionPair) -> SecondMotion:
    """The record of a second motion and its tiles."""
    tiles, area = pair.inlier[1], matches.area
    at = matches.position[tiles]
    shift = (pair.second.displacement(at, size) - pair.main.displacement(at, size)).mean(axis=0)
    centre = at.mean(axis=0)
    return SecondMotion(
        share=float(area[tiles].sum() / area.sum()),
        shift_px=(float(shift[0]), float(shift[1])),
        centre_px=(float(centre[0]), float(centre[1])),
        where=region_in_words(at, size),
    )


def _pair(matches: Matches, size: Size, one: Group, other: Group) -> MotionPair:
    length = np.hypot(*matches.displacement.T)
    main, second = sorted((one, other), key=lambda group: float(np.median(length[group.tiles])))
    of_main, of_second = (group.displacement(matches.position, size) for group in (main, second))
    return MotionPair(main, second, _inliers(matches, (of_main, of_second)))


def _inliers(matches: Matches, expected: tuple[Points, Points]) -> NDArray[np.bool_]:
    """(2, n) bool: tiles displaced from either motion by less than half of their difference."""
    half = 0.5 * np.hypot(*(expected[1] - expected[0]).T)
    return np.stack([np.hypot(*(matches.displacement - each).T) < half for each in expected])


def predicts_better(
    matches: Matches, size: Size, pairs: Sequence[MotionPair]
) -> tuple[ResidualKind, int]:
    """Whether a smooth field or two motions predict left-out tiles better.

    By the sum of Tukey's loss of the leave-one-out residuals, all in units of the smallest scatter
    of any of them.

    Args:
        matches: the matched tiles.
        size: (width, height) of the target.
        pairs: at least one.

    Returns:
        Which it is, and the index of the best pair.
    """
    rows = polynomial(CUBIC).design(matches.position, size)
    smooth = leave_one_out(rows, robust_fit(rows, matches.displacement, matches.covariance))
    residuals = [smooth, *(_predicted_residual(matches, size, pair) for pair in pairs)]
    scatter = min(common_scatter(each, matches.covariance) for each in residuals)
    variance = add_scatter(matches.covariance, scatter)
    of_smooth, *of_pairs = (tukey_loss(each, variance) for each in residuals)
    best = int(np.argmin(of_pairs))
    kind = ResidualKind.PIECEWISE if of_pairs[best] < of_smooth else ResidualKind.SMOOTH
    return kind, best


def _predicted_residual(matches: Matches, size: Size, pair: MotionPair) -> Points:
    """(n, 2) px: displacement less the motion of which most of a tile's neighbours are inliers."""
    neighbours = _neighbours(matches.position, pair.inlier[0] | pair.inlier[1])
    votes = pair.inlier[:, neighbours].sum(axis=2)
    of_main, of_second = (group.residual(matches, size) for group in (pair.main, pair.second))
    return np.where((votes[1] > votes[0])[:, None], of_second, of_main)


def _neighbours(position: Points, tested: Mask) -> NDArray[np.intp]:
    """(n, k) indices of the nearest of the given tiles to each tile, itself excluded."""
    distance = np.hypot(*(position[:, None] - position).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    distance[:, ~tested] = np.inf
    return np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]


def region_in_words(position: Points, size: Size) -> str:
    """The region of an image of ``size`` in which (n, 2) points are, in words."""
    ninth = np.floor(3.0 * (position.mean(axis=0) + 0.5) / np.array(size))
    column, row = (int(each) for each in np.clip(ninth, 0, 2))
    if (column, row) == (1, 1):
        share = (position + 0.5) / np.array(size)
        inside = (np.abs(share - 0.5) < MIDDLE).all(axis=1)
        return "in the middle" if inside.mean() >= 0.5 else "around the middle"
    if column == 1:
        return ("at the top", "", "at the bottom")[row]
    if row == 1:
        return ("on the left", "", "on the right")[column]
    return f"in the {('upper', '', 'lower')[row]} {('left', '', 'right')[column]}"
