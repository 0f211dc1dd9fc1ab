"""Groups of tiles that share a motion, found among any number of wrong matches.

A tile with a wrong match finds it anywhere in its window. Were all matches wrong, the number of
other tiles displaced to within r px of a tile's own displacement would follow from the chance that
a disc of radius r has in a window; the number of false alarms is the tail of that law times the
discs tried (Desolneux, Moisan and Morel 2000). The disc with the fewest begins a group: its motion
is fitted, the tiles that are compatible with the motion join, and what is left is asked again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Points, Vector
from align_cli.engine.coordinates import Size
from align_cli.engine.displacements.fit import (
    Basis,
    Fit,
    Matches,
    left_out,
    of_model,
    polynomial,
    refit,
    robust_fit,
    squared_lengths,
    tukey_weight,
    with_scatter,
)
from align_cli.engine.displacements.nested import CHANCE, log10_chance
from align_cli.engine.motion import LARGEST, MODELS

RADII: Final = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Of the discs that are tried, in sides of a tile: 0.5 to 4 px of its level."""

MOTIONS: Final = (polynomial(0), polynomial(1), of_model(MODELS[LARGEST]))
"""What a group's motion may be. An answer that lies between two planes leaves a motion of its own
model on either."""

MOST_MOTIONS: Final = 4
"""Groups looked for: the main motion, and others."""

GROWTHS: Final = 10
"""Rounds at most in which a group's motion and its tiles are found in turn."""

FEWEST: Final = 3
"""Tiles of a group: two share a motion with any third that happens to lie near."""


@dataclass(frozen=True, eq=False)
class Group:
    """Tiles that share a motion.

    Attributes:
        tiles: (n,) bool, which they are.
        basis: one of ``MOTIONS``.
        fit: of the motion, to those tiles.
        log10_false_alarms: of so many tiles in a disc, where the group began.
    """

    tiles: Mask
    basis: Basis
    fit: Fit
    log10_false_alarms: float

    def displacement(self, points: Points, size: Size) -> Points:
        """(n, 2) px, of the motion, at (n, 2) points."""
        return self.basis.of(self.fit.parameters, points, size)

    def residual(self, matches: Matches, size: Size) -> Points:
        """(n, 2) px: displacement less motion; of the group's own tiles, by the others' motion."""
        residual = matches.displacement - self.displacement(matches.position, size)
        own = self.basis.at(matches.position[self.tiles], size)
        residual[self.tiles] = left_out(own, self.fit)
        return residual


def motions(matches: Matches, size: Size) -> list[Group]:
    """Groups of tiles with a motion of their own, those with the fewest false alarms first.

    Args:
        matches: the tiles that found a match.
        size: (width, height) of the target.
    """
    free = np.ones(len(matches), np.bool_)
    groups: list[Group] = []
    while len(groups) < MOST_MOTIONS and np.count_nonzero(free) >= FEWEST:
        disc, false_alarms = densest(matches, free, _from_groups(matches, size, groups))
        if false_alarms > math.log10(CHANCE):
            break
        group = _grown(disc, false_alarms, free, matches, size)
        if np.count_nonzero(group.tiles) < FEWEST:
            break
        groups.append(group)
        free &= ~group.tiles
    return groups


def densest(matches: Matches, free: Mask, aside: Vector) -> tuple[Mask, float]:
    """The disc of displacements with the fewest false alarms: its tiles, and log10 of them.

    Args:
        matches: n tiles.
        free: (n,) bool, those that are asked.
        aside: (n,) px from the nearest motion that others follow; infinite if there is none. Tiles
            that follow such a motion badly lie around it, more densely than in their windows; so
            a tile's chance is that of the disc in a larger disc, about that motion and no larger
            than to reach the tile.
    """
    indices = np.flatnonzero(free)
    moved, side = matches.displacement[indices], matches.side[indices]
    window = np.square(2.0 * matches.reach[indices])
    apart = np.hypot(*(moved[:, None] - moved).transpose(2, 0, 1))
    tests = math.log10(len(indices) * len(RADII))
    tiles, fewest = np.zeros(len(free), np.bool_), 0.0
    for radius in RADII:
        px = radius * side
        around = np.minimum(window, math.pi * np.square(aside[indices]))
        chance = np.minimum(math.pi * px**2 / around, 1.0)
        within = apart <= px[:, None]
        tails = [
            log10_tail_bound(int(k) - 1, len(indices) - 1, float(p))
            for k, p in zip(within.sum(axis=1), chance, strict=True)
        ]
        best = int(np.argmin(tails))
        if tests + tails[best] < fewest:
            fewest = tests + tails[best]
            tiles[:] = False
            tiles[indices[within[best]]] = True
    return tiles, fewest


def _from_groups(matches: Matches, size: Size, groups: list[Group]) -> Vector:
    """(n,) px from the nearest of the groups' motions; infinite if there are none."""
    nearest = np.full(len(matches), np.inf)
    for group in groups:
        left = matches.displacement - group.displacement(matches.position, size)
        np.minimum(nearest, np.hypot(*left.T), out=nearest)
    return np.asarray(np.maximum(nearest, np.finfo(np.float64).tiny))


def log10_tail_bound(k: int, n: int, p: float) -> float:
    """An upper bound of log10 P(X >= k), X the successes of n trials with chances of mean p.

    Hoeffding 1963, theorem 1: unlike the binomial tail it holds for windows of unequal size.
    """
    if k <= n * p:
        return 0.0
    share = k / n
    divergence = share * math.log(share / p)
    if k < n:
        divergence += (1.0 - share) * math.log((1.0 - share) / (1.0 - p))
    return -n * divergence / math.log(10.0)


def _grown(tiles: Mask, false_alarms: float, free: Mask, matches: Matches, size: Size) -> Group:
    """The group around some tiles: its motion, and all free tiles that are compatible with it."""
    basis, fit = _motion(matches[tiles], size)
    for _ in range(GROWTHS):
        left = matches.displacement - basis.of(fit.parameters, matches.position, size)
        # Of a motion with as many terms as tiles nothing is known elsewhere.
        unsure = 0.5 * np.minimum(basis.variance(fit, matches.position, size), 1e12)
        variance = with_scatter(matches.covariance, fit.scatter_px)
        variance += unsure[:, None, None] * np.eye(2)
        joined = free & (tukey_weight(squared_lengths(left, variance)) > 0.0)
        if not joined.any() or (joined == tiles).all():
            break
        tiles = joined
        basis, fit = _motion(matches[tiles], size)
    return Group(tiles, basis, fit, false_alarms)


def _motion(matches: Matches, size: Size) -> tuple[Basis, Fit]:
    """The simplest of ``MOTIONS`` that no richer one improves upon beyond chance."""
    fits = []
    for basis in MOTIONS:
        if len(matches) < basis.size and fits:
            break
        rows = basis.at(matches.position, size)
        fits.append((basis, rows, robust_fit(rows, matches.displacement, matches.covariance)))
    for number, (basis, rows, fit) in enumerate(fits):
        richer = [rich for _, _, rich in fits[number + 1 :]]
        if all(
            log10_chance(refit(rows, matches.displacement, rich), rich) >= math.log10(CHANCE)
            for rich in richer
        ):
            return basis, fit
    raise AssertionError  # the last has none richer
