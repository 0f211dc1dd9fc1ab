"""Groups of tiles with a common motion, found among any number of wrong matches.

A wrong match is anywhere in its window. Were all matches wrong, the number of other tiles displaced
to within r px of a tile's own displacement would follow from the probability of a disc of radius r
in a window; the number of false alarms is the tail of that distribution times the discs tried
(Desolneux, Moisan and Morel 2000). The disc with the fewest false alarms starts a group: its motion
is fitted, the tiles compatible with the motion join, and the search is repeated among the remaining
tiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Points, Vector
from align_cli.engine.displacements.f_test import SIGNIFICANCE, log10_p_value
from align_cli.engine.displacements.fit import (
    LEAST_SIGMA_PX,
    Basis,
    Fit,
    Floats,
    Matches,
    add_scatter,
    leave_one_out,
    model_basis,
    refit,
    reweighted,
    robust_fits,
    squared_lengths,
    tukey_weight,
)
from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.geometry.models import LARGEST, MODELS

RADII: Final = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Radii of the discs that are tried, in sides of a tile: 0.5 to 4 px of its level."""

_MODELS: Final = (MODELS["translation"], MODELS["affine"], MODELS[LARGEST])

MOTIONS: Final = tuple(model_basis(model) for model in _MODELS)
"""The motions that a group may have. An estimate between two planes leaves a motion of its own
model on either."""

_PARAMETERS: Final = np.stack([model.of_homography.any(axis=0) for model in _MODELS])
"""(3, 8) bool: which of the last one's parameters each of them has."""

MOST_MOTIONS: Final = 4
"""Groups that are searched for: the main motion, and others."""

STARTS: Final = 16
"""Neighbourhoods in which a group may start, evenly spread over the tiles."""

START_ROUNDS: Final = 10
"""Reweighted solves of a neighbourhood's motion: of sixteen some never converge, those between two
motions, from which no group starts. Of 36 pairs of two planes, lenses, curled paper and models that
are too simple all give the same result with 10 and with 50."""

GROWTH_ROUNDS: Final = 10
"""Alternations at most between a group's motion and its tiles."""

UNKNOWN: Final = 1e12
"""Variance, in squared pixels, of a motion of which nothing is known: any tile fits it."""

FEWEST_TILES: Final = 3
"""Tiles of a group: two share a motion with any third that happens to be near."""


@dataclass(frozen=True, eq=False)
class Group:
    """Tiles with a common motion.

    Attributes:
        tiles: (n,) bool, which they are.
        basis: one of ``MOTIONS``.
        fit: of the motion, to those tiles.
        log10_false_alarms: of the disc in which the group started.
    """

    tiles: Mask
    basis: Basis
    fit: Fit
    log10_false_alarms: float

    def displacement(self, points: Points, size: Size) -> Points:
        """(n, 2) px, of the motion, at (n, 2) points."""
        return self.basis.evaluate(self.fit.parameters, points, size)

    def residual(self, matches: Matches, size: Size) -> Points:
        """(n, 2) px: displacement less motion; for the group's own tiles, when each is left out."""
        residual = matches.displacement - self.displacement(matches.position, size)
        own = self.basis.design(matches.position[self.tiles], size)
        residual[self.tiles] = leave_one_out(own, self.fit)
        return residual


def motions(matches: Matches, size: Size, *, neighbours: bool = False) -> list[Group]:
    """Groups of tiles with a common motion, those with the fewest false alarms first.

    Args:
        matches: the matched tiles.
        size: (width, height) of the target.
        neighbours: whether a group starts from tiles that are neighbours in the image, whose
            displacements may vary from tile to tile, rather than from similar displacements.
    """
    free = np.ones(len(matches), np.bool_)
    groups: list[Group] = []
    while len(groups) < MOST_MOTIONS and np.count_nonzero(free) >= FEWEST_TILES:
        distance_px = _distance_to_groups(matches, size, groups)
        tiles, false_alarms = (
            best_neighbourhood(matches, free, distance_px, size)
            if neighbours
            else densest_disc(matches, free, distance_px)
        )
        if false_alarms > math.log10(SIGNIFICANCE):
            break
        group = _grown(tiles, false_alarms, free, matches, size)
        if np.count_nonzero(group.tiles) < FEWEST_TILES:
            break
        groups.append(group)
        free &= ~group.tiles
    return groups


def densest_disc(matches: Matches, free: Mask, distance_px: Vector) -> tuple[Mask, float]:
    """The disc of displacements with the fewest false alarms: its tiles, and log10 of them.

    Args:
        matches: n tiles.
        free: (n,) bool, those without a group.
        distance_px: (n,) px from the nearest motion of a group; infinite if there is none. Outliers
            of such a motion are distributed around it, more densely than in their windows; so a
            tile's chance is that of the disc in a larger disc, about that motion, that reaches just
            to the tile.
    """
    indices = np.flatnonzero(free)
    moved, side = matches.displacement[indices], matches.side[indices]
    window = np.square(2.0 * matches.reach[indices])
    distance = np.hypot(*(moved[:, None] - moved).transpose(2, 0, 1))
    tests = math.log10(len(indices) * len(RADII))
    tiles, fewest = np.zeros(len(free), np.bool_), 0.0
    for radius in RADII:
        px = radius * side
        around = np.minimum(window, math.pi * np.square(distance_px[indices]))
        chance = np.minimum(math.pi * px**2 / around, 1.0)
        within = distance <= px[:, None]
        tails = log10_tail_bound(within.sum(axis=1) - 1, len(indices) - 1, chance)
        best = int(tails.argmin())
        if tests + tails[best] < fewest:
            fewest = float(tests + tails[best])
            tiles[:] = False
            tiles[indices[within[best]]] = True
    return tiles, fewest


def _distance_to_groups(matches: Matches, size: Size, groups: list[Group]) -> Vector:
    """(n,) px from the nearest of the groups' motions; infinite if there are none."""
    nearest = np.full(len(matches), np.inf)
    for group in groups:
        left = matches.displacement - group.displacement(matches.position, size)
        np.minimum(nearest, np.hypot(*left.T), out=nearest)
    return np.asarray(np.maximum(nearest, np.finfo(np.float64).tiny))


def log10_tail_bound(k: NDArray[np.intp], n: int, p: Floats) -> Floats:
    """An upper bound of log10 P(X >= k), X the successes of n trials with probabilities of mean p.

    Hoeffding 1963, theorem 1: unlike the binomial tail it holds for windows of unequal size.
    """
    share = np.clip(k / n, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(share > 0.0, share * np.log(share / p), 0.0)
        divergence += np.where(share < 1.0, (1.0 - share) * np.log((1.0 - share) / (1.0 - p)), 0.0)
    return np.asarray(np.where(share > p, -n * divergence / math.log(10.0), 0.0))


def best_neighbourhood(
    matches: Matches, free: Mask, distance_px: Vector, size: Size
) -> tuple[Mask, float]:
    """The inliers of the best motion of a neighbourhood, and log10 of the false alarms.

    An estimate between two planes leaves a varying displacement on either, so that similar
    displacements belong to tiles of both; neighbours in the image are mostly on one. An affine
    motion is fitted to a few neighbours, then a homography to its inliers: as in AC-RANSAC (Moisan
    and Stival 2004), those within the distance that has the fewest false alarms.

    Args:
        matches: n tiles.
        free: (n,) bool, those without a group.
        distance_px: (n,) px from the nearest motion of a group, as in ``densest_disc``.
        size: (width, height) of the target.
    """
    around = np.minimum(np.square(2.0 * matches.reach), math.pi * np.square(distance_px))
    indices = np.flatnonzero(free)
    linear, richest = MOTIONS[1:]
    first = matches.position[indices[:: max(1, len(indices) // STARTS)]]
    tests = math.log10(max(len(indices), 1) * 2 * len(first))
    distance = np.hypot(*(matches.position - first[:, None]).transpose(2, 0, 1))
    nearest = np.argsort(np.where(free, distance, np.inf), axis=1, kind="stable")
    core = np.zeros(distance.shape, np.bool_)
    np.put_along_axis(core, nearest[:, : 2 * linear.size], values=True, axis=1)
    core &= free
    tiles, fewest = np.zeros(len(free), np.bool_), 0.0
    for basis in (linear, richest):
        core = core[core.sum(axis=1) >= basis.size]
        if not len(core):
            break
        rows = basis.design(matches.position, size)
        parameters = reweighted(
            rows, matches.displacement, matches.covariance, core, rounds=START_ROUNDS
        )[0]
        left = matches.displacement - np.einsum("nip,kp->kni", rows, parameters)
        core, tails = _cores(np.hypot(*left.transpose(2, 0, 1)), around, free, basis.size // 2)
        best = int(tails.argmin())
        if tests + tails[best] < fewest:
            tiles, fewest = core[best], float(tests + tails[best])
    return tiles, fewest


def _grown(tiles: Mask, false_alarms: float, free: Mask, matches: Matches, size: Size) -> Group:
    """The group of some tiles: its motion, and all free tiles that are compatible with it."""
    basis, fit = _motion(matches[tiles], size)
    for _ in range(GROWTH_ROUNDS):
        left = matches.displacement - basis.evaluate(fit.parameters, matches.position, size)
        # A motion with as many terms as tiles is undetermined elsewhere.
        unsure = 0.5 * np.minimum(basis.variance(fit, matches.position, size), UNKNOWN)
        variance = add_scatter(matches.covariance, fit.scatter_px)
        variance += unsure[:, None, None] * np.eye(2)
        joined = free & (tukey_weight(squared_lengths(left, variance)) > 0.0)
        if not joined.any() or (joined == tiles).all():
            break
        tiles = joined
        basis, fit = _motion(matches[tiles], size)
    return Group(tiles, basis, fit, false_alarms)


def _cores(length: Floats, around: Vector, free: Mask, fitted: int) -> tuple[Mask, Vector]:
    """The free tiles within the distance from each motion that has the fewest false alarms.

    Of k motions: (k, n) bool, and (k,) log10 of the false alarms.

    Args:
        length: (k, n) px, of each tile from each motion.
        around: (n,) px^2, the area in which each tile might be by chance.
        free: (n,) bool, the tiles without a group.
        fitted: number of tiles that are near by construction, because the motion was fitted to
            them.
    """
    count = int(np.count_nonzero(free))
    order = np.argsort(np.where(free, length, np.inf), axis=1, kind="stable")[:, :count]
    number = np.arange(1, count + 1)
    distance = np.maximum(np.take_along_axis(length, order, axis=1), LEAST_SIGMA_PX)
    chance = math.pi * np.square(distance) * np.cumsum(1.0 / around[order], axis=1) / number
    tails = log10_tail_bound(number - fitted, max(count - fitted, 1), np.minimum(chance, 1.0))
    most = tails.argmin(axis=1)
    core = np.zeros(length.shape, np.bool_)
    np.put_along_axis(core, order, number - 1 <= most[:, None], axis=1)
    return core, tails.min(axis=1)


def _motion(matches: Matches, size: Size) -> tuple[Basis, Fit]:
    """The simplest of ``MOTIONS`` that no richer one improves significantly, and its fit."""
    # At least one is fitted, however few the tiles.
    used = _PARAMETERS[: max(1, sum(len(matches) >= basis.size for basis in MOTIONS))]
    rows = MOTIONS[-1].design(matches.position, size)
    fits = robust_fits(rows, matches.displacement, matches.covariance, used)
    for number, own in enumerate(used):
        simple, *richer = fits[number:]
        if all(
            log10_p_value(refit(rows[:, :, own], matches.displacement, rich), rich)
            >= math.log10(SIGNIFICANCE)
            for rich in richer
        ):
            return MOTIONS[number], simple
    raise AssertionError  # the last one has no richer one
