"""A second motion: what does not move with the rest, but as one.

Where the scene has depth, or something moved, tiles follow one of two motions. A lens bends a
picture so that neighbouring tiles share a motion as well; which of both it is, is decided by what
predicts each tile better from the others: the motion of its neighbours' group, or a smooth field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Points, Vector
from align_cli.engine.coordinates import Size
from align_cli.engine.displacements.fit import (
    Matches,
    common_scatter,
    left_out,
    polynomial,
    robust_fit,
    squared_lengths,
    with_scatter,
)
from align_cli.engine.displacements.motions import Group, log10_tail_bound, motions
from align_cli.engine.displacements.nested import CHANCE
from align_cli.engine.displacements.remainder import CUBIC
from align_cli.engine.robust import LOSSES, OUTLIER

NEIGHBOURS: Final = 5
"""Tiles around one whose motion it is expected to share, by majority."""


APART: Final = 1.5 / 16.0
"""Of a tile's side: motions that lie closer are one. Within 1.5 px of its level a tile has a single
best place, to which it may be drawn along its edges. Of 64 pairs with nothing left, asked on three
levels each, 3 had a second motion without this, by 0.15, 1.1 and 1.3 px of the level."""


class Remainder(Enum):
    """What predicts left-out tiles best."""

    ONE_MOTION = "one motion"
    SMOOTH = "smooth"
    PIECEWISE = "piecewise"


@dataclass(frozen=True, eq=False)
class SecondMotion:
    """What does not move with the rest, but as one.

    Attributes:
        share: of the tiles that found a match, by area.
        shift_px: (x, y) by which it is displaced against the rest, at its tiles on average.
        length_px: of that shift.
        centre: (x, y), mean position of its tiles in the target.
        place: the same in words: "at the top".
        tiles: (k,) indices of its tiles.
        log10_false_alarms: of so many agreeing if all matches were wrong.
    """

    share: float
    shift_px: tuple[float, float]
    length_px: float
    centre: tuple[float, float]
    place: str
    tiles: NDArray[np.intp]
    log10_false_alarms: float


@dataclass(frozen=True, eq=False)
class Pair:
    """Two motions, and which of them each tile follows.

    Attributes:
        main, second: the groups that they were found by.
        follows: (2, n) bool, the tiles of main and second: those displaced by less than half of
            what lies between both motions. A tile may follow neither.
        length_px: of what lies between both motions, where the second was found.
    """

    main: Group
    second: Group
    follows: NDArray[np.bool_]
    length_px: float


def second_motion(matches: Matches, size: Size) -> SecondMotion | None:
    """The tiles that do not follow the main motion but one of their own, if there are any.

    Of all pairs of motions that are found, that which predicts tiles best from the others; the
    main one of the two is that which the answer fits better.

    Args:
        matches: the tiles that found a match, all of one level.
        size: (width, height) of the target.
    """
    pairs = [_pair(matches, size, *both) for both in combinations(motions(matches, size), 2)]
    pairs = [pair for pair in pairs if pair.length_px > APART * float(matches.side.max())]
    if not pairs:
        return None
    kind, best = predicts_better(matches, size, pairs)
    pair = pairs[best]
    if kind is not Remainder.PIECEWISE or _by_chance(matches.position, pair) > math.log10(CHANCE):
        return None
    tiles, area = pair.follows[1], matches.area
    at = matches.position[tiles]
    shift = (pair.second.displacement(at, size) - pair.main.displacement(at, size)).mean(axis=0)
    centre = at.mean(axis=0)
    return SecondMotion(
        float(area[tiles].sum() / area.sum()),
        (float(shift[0]), float(shift[1])),
        float(np.hypot(*shift)),
        (float(centre[0]), float(centre[1])),
        place_of(at, size),
        np.flatnonzero(tiles),
        pair.second.log10_false_alarms,
    )


def _pair(matches: Matches, size: Size, one: Group, other: Group) -> Pair:
    length = np.hypot(*matches.displacement.T)
    main, second = sorted((one, other), key=lambda group: float(np.median(length[group.tiles])))
    of_main, of_second = (group.displacement(matches.position, size) for group in (main, second))
    half = 0.5 * np.hypot(*(of_second - of_main).T)
    follows = [
        np.hypot(*(matches.displacement - motion).T) < half for motion in (of_main, of_second)
    ]
    return Pair(main, second, np.stack(follows), float(2.0 * half[second.tiles].mean()))


def predicts_better(matches: Matches, size: Size, pairs: Sequence[Pair]) -> tuple[Remainder, int]:
    """What predicts each tile best from the others: one motion, a smooth field or two motions.

    Tukey's loss of the residual that each tile has when it is left out, all in units of the
    smallest scatter of any of them, summed over the tiles.

    Args:
        matches: the tiles that found a match.
        size: (width, height) of the target.
        pairs: at least one.

    Returns:
        Which it is, and the index of the best pair.
    """
    rows = polynomial(CUBIC).at(matches.position, size)
    smooth = left_out(rows, robust_fit(rows, matches.displacement, matches.covariance))
    single = [pair.main.residual(matches, size) for pair in pairs]
    double = [_expected(matches, size, pair) for pair in pairs]
    scatter = min(common_scatter(each, matches.covariance) for each in (smooth, *single, *double))
    variance = with_scatter(matches.covariance, scatter)

    def loss(residual: Points) -> float:
        return float(_loss(squared_lengths(residual, variance)).sum())

    of_pairs = [loss(each) for each in double]
    losses = {
        Remainder.ONE_MOTION: min(loss(each) for each in single),
        Remainder.SMOOTH: loss(smooth),
        Remainder.PIECEWISE: min(of_pairs),
    }
    return min(losses, key=losses.__getitem__), int(np.argmin(of_pairs))


def _by_chance(position: Points, pair: Pair) -> float:
    """log10 of the chance that so many tiles follow the second motion where their neighbours do.

    Were its tiles scattered over the picture, each tile would follow it as often as any other.
    """
    beside = pair.follows.any(axis=0) & _expected_second(position, pair)
    following = int(np.count_nonzero(pair.follows[1] & beside))
    share = float(pair.follows[1].sum() / pair.follows.sum())
    return log10_tail_bound(following, int(np.count_nonzero(beside)), share)


def _expected_second(position: Points, pair: Pair) -> Mask:
    """(n,) bool, whether most of a tile's neighbours follow the second motion."""
    neighbours = _neighbours(position, pair.follows.any(axis=0))
    votes = pair.follows[:, neighbours].sum(axis=2)
    return np.asarray(votes[1] > votes[0])


def _expected(matches: Matches, size: Size, pair: Pair) -> Points:
    """(n, 2) px: displacement less the motion that most of a tile's neighbours follow."""
    of_main, of_second = (group.residual(matches, size) for group in (pair.main, pair.second))
    return np.where(_expected_second(matches.position, pair)[:, None], of_second, of_main)


def _loss(squared: Vector) -> Vector:
    return LOSSES["tukey"].rho(np.sqrt(squared) / OUTLIER)


def _neighbours(position: Points, asked: Mask) -> NDArray[np.intp]:
    """(n, k) indices of the tiles nearest to each, of those that are asked, itself left out."""
    apart = np.hypot(*(position[:, None] - position).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    apart[:, ~asked] = np.inf
    return np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]


def place_of(position: Points, size: Size) -> str:
    """Where in a picture of ``size`` (n, 2) points lie, in words."""
    ninth = np.floor(3.0 * (position.mean(axis=0) + 0.5) / np.array(size))
    column, row = (int(each) for each in np.clip(ninth, 0, 2))
    if (column, row) == (1, 1):
        share = (position + 0.5) / np.array(size)
        inside = (np.abs(share - 0.5) < 1.0 / 3.0).all(axis=1)
        return "in the middle" if inside.mean() >= 0.5 else "around the middle"
    if column == 1:
        return ("at the top", "", "at the bottom")[row]
    if row == 1:
        return ("on the left", "", "on the right")[column]
    return f"in the {('upper', '', 'lower')[row]} {('left', '', 'right')[column]}"
