"""The evidence for an estimate: its displacement field, and the number of false alarms.

Stage one tests at most ``MOST_TILES`` tiles of one level by Gauss-Newton steps alone; if most of
them are displaced by less than a pixel, that is conclusive. Stage two searches windows on several
levels, and measures at displaced control windows how often tiles of these images are stationary by
chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Points
from align_cli.engine.displacements.false_alarms import (
    Chance,
    log10_binomial_tail,
    log10_false_alarms,
    measured_chance,
)
from align_cli.engine.displacements.field import DisplacementField, displacement_field
from align_cli.engine.displacements.fit import Floats
from align_cli.engine.displacements.global_search import far_motion
from align_cli.engine.displacements.isotropy import GradientMoments
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.rival_positions import rival_positions
from align_cli.engine.displacements.tiles import Tiles, nearest, textured_tiles
from align_cli.engine.displacements.views import PairView
from align_cli.engine.displacements.windows import REACH, Windows, WindowSearch
from align_cli.engine.geometry.coordinates import level_difference
from align_cli.engine.numerics.threads import Threads

MOST_TILES: Final = 150
"""Tiles that are tested, unless all are requested."""

LEVELS: Final = 4
"""Levels that are tested, from the finest with at most ``MOST_PIXELS``."""

MOST_PIXELS: Final = 1 << 20
"""Pixels of the finest level that is tested."""

CONTROL_OFFSETS: Final = (1.5, 2.25, 3.0, 4.25)
"""Offsets of the control windows, in sides of a tile, in both directions along x, y and the
diagonals."""

FEWEST_TESTED: Final = 5
"""Control windows that can be tested at fewer tiles are ignored."""

FEWEST_MATCHES: Final = 8
"""A level with fewer matches gives the displacement field only if none has more."""

PERIODIC_SHARE: Final = 0.2
"""A target is periodic if more than this share of the tiles agree at half of the control offsets.
"""

DECORRELATION_RATIO: Final = 0.9
"""A tile matches better at one position than at another if its decorrelation (1 less ZNCC) there is
smaller by at least this factor."""

SAMPLED_TILES: Final = 10
SAMPLED_OFFSET: Final = 2.25
"""Number of tiles, and the offset in sides of a tile, that test in stage one whether the target is
periodic."""

MOST_CONTROL_TILES: Final = 48
"""Tiles that are tested at control windows, evenly spaced."""

FIRST_CONTROL_TILES: Final = 16
"""Tiles that are tested at control windows first; the others only if these are not conclusive. The
distribution of the chance was measured with 15 tiles and more (``SPREAD_DEVIATIONS``)."""

MOST_GLOBAL_PIXELS: Final = 1 << 16
"""Pixels of a level that is searched as a whole for tiles without a match nearby."""

ASSUMED_CHANCE: Final = 0.5
"""Chance of an unrelated tile to be stationary, where it is not measured. Measured at control
windows of 60 pairs of pages, bricks and photographs: 0.02 to 0.15; with the lines of two pages on
one another 0.7."""

STRONG_CORRELATION: Final = 0.8
"""ZNCC from which on a tile that is displaced by less than a pixel needs no search window."""

LOG10_NFA_CONCLUSIVE: Final = -4.0
"""log10 of the number of false alarms that is conclusive; at ``ASSUMED_CHANCE`` the chance is not
even measured."""

NEARLY_ALL: Final = 0.9
"""Share of inliers from which on the other tiles are not searched for."""

RIVAL_RATIO: Final = 0.8
"""A second motion whose texture has at least this ratio to that of the main motion is a rival.
Where two fifths of a scene move independently, the rest is right (0.53 to 0.77); burnt-in text that
outvotes a faint scene leaves the scene 0.6 to 0.9; of 16 real pairs none has any."""

ALLOWED_PX, ALLOWED_SHARE = 2.0, 0.0015
"""Allowed displacement of an inlier: the larger of this many pixels of the target and this share of
the overlap's diagonal. Measured on 33 real pairs: inlier fractions of scans, bands and rooms are
then 0.76 to 1.00, of curled forms 0.78 to 0.97, of focus stacks 0.53 to 0.88."""

SIGMAS: Final = 2.0
"""Standard deviations of a tile's displacement that it is allowed in addition to ``ALLOWED_PX``."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the tiles of an estimate show.

    Attributes:
        field: displacement field of the finest level with enough matches.
        reach_px: half side of the search windows of that field.
        tiles: number of tiles laid over the texture of the overlap, at most ``MOST_TILES``.
        tested, stationary: how many of them were tested, and match best at zero displacement.
        log10_false_alarms: decimal logarithm of the number of false alarms.
        distinct: (n,) bool, the tiles with an unambiguous match.
        inlier: (n,) bool, those of them that are displaced by no more than allowed.
        allowed_px: allowed displacement.
        nearly_all: whether stage one found nearly all tiles stationary.
        conclusive: whether stage one was conclusive: most of the textured area is stationary.
        coarse: the coarsest level with tiles whose pixel is no larger than the allowed
            displacement; the finest if there is none.
        ambiguous: whether nearly all tiles of a periodic target are stationary, or the whole
            overlap matches as well at another position; only tested if the false alarms are not
            conclusive.
        all_levels: returns all levels that may be searched, finest first.
        far_share: share of the field's tiles that have a common motion beyond the reach of the
            field.
        far_motion_px: (x, y) mean displacement of those tiles.
    """

    field: DisplacementField
    reach_px: float
    tiles: int
    tested: int
    stationary: int
    log10_false_alarms: float
    distinct: Mask
    inlier: Mask
    allowed_px: float
    conclusive: bool
    coarse: LevelEvidence
    all_levels: Callable[[], Sequence[LevelEvidence]]
    nearly_all: bool = False
    ambiguous: bool = False
    far_share: float = 0.0
    far_motion_px: tuple[float, float] = (math.nan, math.nan)

    @property
    def pixel_px(self) -> float:
        """Side of a pixel of the field's level, in pixels of full size."""
        return float(2.0**self.field.level)

    @property
    def match_count(self) -> int:
        """Number of tiles with an unambiguous match."""
        return int(np.count_nonzero(self.distinct))

    @property
    def inlier_fraction(self) -> float:
        """Inliers over all tiles with a match anywhere."""
        far_share = self.far_share * len(self.field)
        return int(np.count_nonzero(self.inlier)) / max(self.match_count + far_share, 1.0)


@dataclass(frozen=True, eq=False)
class ControlSearches:
    """Search results of some tiles at their own windows, and at control windows.

    Attributes:
        own: the search of their own windows.
        displaced: those of the control windows at which enough tiles could be tested.
    """

    own: WindowSearch
    displaced: Sequence[WindowSearch]

    @classmethod
    def of(cls, searches: Sequence[WindowSearch]) -> ControlSearches:
        """From the search of the own windows, followed by those of all control windows."""
        own, *displaced = searches
        enough = (each for each in displaced if np.count_nonzero(each.tested) >= FEWEST_TESTED)
        return cls(own, list(enough))

    @cached_property
    def periodic(self) -> bool:
        """Whether the target is periodic: its tiles agree at most control offsets."""
        shares = [each.consensus / np.count_nonzero(each.tested) for each in self.displaced]
        return bool(shares) and float(np.median(shares)) > PERIODIC_SHARE


class LevelEvidence:
    """The evidence of one level for an estimate; each part is computed on first use.

    Args:
        pair: both images on the level, under the estimate.
        most: how many tiles at most.
    """

    def __init__(self, pair: LevelPair, most: int) -> None:
        self.pair = pair
        self._most = most

    @cached_property
    def tiles(self) -> Tiles:
        """The tiles with enough texture."""
        return textured_tiles(self.pair, most=self._most)

    @cached_property
    def local_field(self) -> DisplacementField:
        """The field by Gauss-Newton steps from zero displacement."""
        return displacement_field(self.pair, self.tiles)

    @cached_property
    def gradient_moments(self) -> GradientMoments:
        """Moments of the gradient over the tiles."""
        return GradientMoments.of(self.pair, self.tiles)

    @cached_property
    def windows(self) -> Windows:
        """The search windows of the level."""
        return Windows(self.pair)

    @cached_property
    def search(self) -> WindowSearch:
        """The search of the tiles' own windows."""
        return self.windows.search(self.tiles)

    @cached_property
    def field(self) -> DisplacementField:
        """The field by Gauss-Newton steps from each tile's best position; matched if it has one."""
        begin = np.where(self.search.distinct[:, None], self.search.offset, 0.0)
        return displacement_field(self.pair, self.tiles, begin).restricted_to(
            self.search.tested & (self.search.distinct | self.search.stationary)
        )

    @property
    def match_count(self) -> int:
        """Number of tiles with an unambiguous match."""
        return int(np.count_nonzero(self.search.distinct))

    @property
    def centres(self) -> Points:
        """(n, 2) x and y of the tiles' centres, in px of the target."""
        centres = self.tiles.corner + 0.5 * (self.tiles.side - 1.0)
        return np.asarray(2.0**self.pair.level * centres)

    @property
    def located(self) -> int:
        """Number of tiles that have an unambiguous match, or are stationary."""
        return int(np.count_nonzero(self.field.matched))

    def area_share(self, tiles: int) -> float:
        """The share of the overlap's area that a number of tiles represent."""
        tested = int(np.count_nonzero(self.search.tested))
        return self.tiles.textured * tiles / max(tested, 1)

    def _own_and_controls(self, tiles: Tiles) -> list[WindowSearch]:
        """The search of some tiles' own windows, followed by that of each control offset."""
        own = self.windows.search(tiles)
        with Threads() as threads:
            at = control_offsets(self.tiles.side)
            return [own, *threads.map(partial(self.windows.search, tiles), at)]

    @cached_property
    def _control_tiles(self) -> tuple[Tiles, Mask]:
        """The tiles that may be tested at control windows, and which of them are tested first."""
        some = self.tiles.evenly_spaced(min(len(self.tiles), MOST_CONTROL_TILES))
        first = np.zeros(len(some), np.bool_)
        first[:: max(1, len(some) // FIRST_CONTROL_TILES)] = True
        return some, first

    @cached_property
    def _first_searches(self) -> list[WindowSearch]:
        """The searches of the first control tiles."""
        some, first = self._control_tiles
        return self._own_and_controls(some.subset(first))

    @cached_property
    def _controls(self) -> ControlSearches:
        """The searches of all control tiles."""
        some, first = self._control_tiles
        if first.all():
            return ControlSearches.of(self._first_searches)
        rest = self._own_and_controls(some.subset(~first))
        return ControlSearches.of(
            [
                by_first.concatenated(each)
                for by_first, each in zip(self._first_searches, rest, strict=True)
            ]
        )

    @property
    def ambiguous(self) -> bool:
        """Whether nearly all tiles of a periodic target are stationary."""
        k, n = self.counts
        return n >= FEWEST_MATCHES and k >= NEARLY_ALL * n and self._controls.periodic

    @property
    def counts_and_chance(self) -> tuple[int, int, Chance]:
        """Number of stationary and of tested tiles, and the chance of each, from control windows.

        In a periodic target a tile only counts if it matches better than at any control window:
        were the images unrelated, none of these positions would be better than the others.
        """
        return self._tally(self._controls)

    def _tally(self, measured: ControlSearches) -> tuple[int, int, Chance]:
        own, displaced = measured.own, measured.displaced
        tested = np.array([np.count_nonzero(each.tested) for each in displaced], np.intp)
        if not measured.periodic:
            k, n = self.counts
            stationary = np.array(
                [np.count_nonzero(each.stationary) for each in displaced], np.intp
            )
            return k, n, measured_chance(stationary, tested, self.search.chance)
        peaks = np.array([np.where(each.tested, each.peak, -1.0) for each in (own, *displaced)])
        best, second = np.sort(peaks, axis=0)[[-1, -2]]
        wins = (peaks == best) & (1.0 - best < DECORRELATION_RATIO * (1.0 - second))
        k = int(np.count_nonzero(wins[0] & own.stationary))
        won = np.count_nonzero(wins[1:] & [each.tested for each in displaced], axis=1)
        return k, int(np.count_nonzero(own.tested)), measured_chance(won, tested, own.chance)

    @property
    def periodic(self) -> bool:
        """Whether no sampled tile has an unambiguous match, or more agree at an offset."""
        some = self.tiles.evenly_spaced(min(len(self.tiles), SAMPLED_TILES))
        # One at a time: most often the first or the second has a match.
        alone = (some.subset(np.array([number])) for number in range(len(some)))
        if not any(self.windows.search(one).distinct.any() for one in alone):
            return True
        step = round(SAMPLED_OFFSET * self.tiles.side)
        searches = (self.windows.search(some, at) for at in ((step, 0), (0, step)))
        return any(
            each.consensus > max(int(np.count_nonzero(each.stationary)), 1) for each in searches
        )

    @property
    def counts(self) -> tuple[int, int]:
        """How many tiles are stationary in their windows, and how many were tested."""
        both = self.search.stationary, self.search.tested
        stationary, tested = (int(np.count_nonzero(each)) for each in both)
        return stationary, tested

    def least_false_alarms(self, parameters: int, tests: int) -> float:
        """log10 of the false alarms if all positions of a window were equally likely."""
        k, n = self.counts
        if not n:
            return math.log10(tests)
        ideal = Chance(self.search.chance, math.inf)
        return log10_false_alarms(k, n, ideal, tests=tests, parameters=parameters)

    def log10_false_alarms(self, parameters: int, tests: int) -> float:
        """log10 of the false alarms of this level; the chance is only measured if it may matter."""
        least = self.least_false_alarms(parameters, tests)
        if least > 0.0 or not self.counts[1]:
            return least
        by_first = self._tally(ControlSearches.of(self._first_searches))
        by_few = log10_false_alarms(*by_first, tests=tests, parameters=parameters)
        if by_few <= LOG10_NFA_CONCLUSIVE:
            return by_few
        return log10_false_alarms(*self.counts_and_chance, tests=tests, parameters=parameters)


def gather_evidence(
    view: PairView,
    warp: Matrix,
    *,
    parameters: int,
    tests: int,
    periodic: bool = False,
    all_tiles: bool = False,
    accepted_px: float = 0.0,
) -> Evidence | None:
    """The evidence for an estimate; None if no tile has enough texture.

    Args:
        view: both images.
        warp: (3, 3), target pixel -> source pixel, at full size.
        parameters: of the model, as far as they were fitted to these images.
        tests: how many estimates were tried.
        periodic: whether the target is periodic; the chance is measured then.
        all_tiles: test all tiles, on the finest suitable level.
        accepted_px: displacement that the user accepts, if it is larger than the allowed one.
    """
    most = int(np.prod(view.target_size)) if all_tiles else MOST_TILES
    levels = _levels(view, warp)
    made: dict[int, LevelEvidence] = {}

    def at(level: int) -> LevelEvidence:
        if level not in made:
            made[level] = LevelEvidence(view.at(warp, level), most)
        return made[level]

    tests *= len(levels)
    first = _coarsest_within(levels, max(ALLOWED_PX, ALLOWED_SHARE * math.hypot(*view.target_size)))
    allowed = max(allowed_px(at(first).pair.inside, first), accepted_px)
    fine = [level for level in levels if level <= first]
    # On a coarse level a small or narrow overlap may have no room for tiles.
    enough = (level for level in map(at, reversed(fine)) if len(level.tiles) >= FEWEST_MATCHES)
    coarse = next(enough, None) or max(map(at, reversed(fine)), key=lambda level: len(level.tiles))

    def all_levels(among: Sequence[int] = levels) -> list[LevelEvidence]:
        return [at(level) for level in among]

    if not (periodic or all_tiles):
        for level in map(at, reversed(fine)):
            fine_levels = partial(all_levels, fine)
            conclusive = _stage_one(
                level, fine_levels, coarse, allowed, parameters, tests, all_levels
            )
            if conclusive is not None:
                return conclusive
    tested = [at(level) for level in levels if len(at(level).tiles)]
    if not tested:
        return None
    best, false_alarms = _fewest_false_alarms(tested, parameters, tests)
    evidence = _stage_two(
        _finest_informative(tested), best, coarse, allowed, false_alarms, all_levels
    )
    if false_alarms <= LOG10_NFA_CONCLUSIVE:
        return evidence
    informative = [each for each in all_levels() if each in tested or each.pair.level in fine]
    evidence = _with_rival_positions(evidence, informative, parameters)
    return replace(evidence, ambiguous=evidence.ambiguous or any(each.ambiguous for each in tested))


def _fewest_false_alarms(
    levels: Sequence[LevelEvidence], parameters: int, tests: int
) -> tuple[LevelEvidence, float]:
    """The level with the fewest false alarms, or the first conclusive one, and log10 of them.

    The most promising level comes first: by how much a number is below ``LOG10_NFA_CONCLUSIVE``
    does not matter.
    """
    best, fewest = levels[0], math.inf
    for level in sorted(levels, key=lambda each: each.least_false_alarms(parameters, tests)):
        false_alarms = level.log10_false_alarms(parameters, tests)
        if false_alarms < fewest:
            best, fewest = level, false_alarms
        if fewest <= LOG10_NFA_CONCLUSIVE:
            break
    return best, fewest


def _with_rival_positions(
    evidence: Evidence, levels: Sequence[LevelEvidence], parameters: int
) -> Evidence:
    """The evidence by the number of tiles or by the ZNCC at other positions, whichever is stronger.

    Evaluated on one level, the finest on which it is cheap; the overlap may be too small there for
    tiles. If another position matches as well, and not by chance, no number of tiles can tell which
    of the two is right.
    """
    by_tiles = evidence.log10_false_alarms
    for level in levels:
        positions = rival_positions(level.pair, parameters)
        if positions is None:
            continue
        if positions.rival:
            return replace(evidence, log10_false_alarms=max(by_tiles, 0.0), ambiguous=True)
        # Two kinds of evidence are two tests. The other estimates that were tried are among these
        # positions: of 260 unrelated crops none has fewer than 0.01 false alarms, three have 0.1.
        by_positions = math.log10(2.0) + positions.log10_false_alarms
        return replace(evidence, log10_false_alarms=min(by_tiles, by_positions))
    return evidence


def allowed_px(inside: Mask, level: int) -> float:
    """The allowed displacement of an overlap, (height, width) bool of a level."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return ALLOWED_PX
    diagonal = 2.0**level * math.hypot(float(np.ptp(rows)) + 1.0, float(np.ptp(columns)) + 1.0)
    return max(ALLOWED_PX, ALLOWED_SHARE * diagonal)


def control_offsets(side: int) -> list[tuple[int, int]]:
    """Control-window offsets, (x, y) in pixels of the level, for tiles of a side."""
    steps = [round(sign * far * side) for far in CONTROL_OFFSETS for sign in (1, -1)]
    along = [*((step, 0) for step in steps), *((0, step) for step in steps)]
    return [*along, *((step, step) for step in steps), *((step, -step) for step in steps)]


def _levels(view: PairView, warp: Matrix) -> Sequence[int]:
    """The levels that are tested, finest first.

    None that shows more pixels than the source has: between the source's pixels there is only
    interpolation, whose errors neighbouring tiles share.
    """
    width, height = view.target_size
    shown = view.levels[
        min(max(level_difference(warp, view.target_size), 0), len(view.levels) - 1) :
    ]
    small = [level for level in shown if width * height <= MOST_PIXELS * 4**level]
    return (small or [shown[-1]])[:LEVELS]


def _coarsest_within(levels: Sequence[int], allowed: float) -> int:
    """The coarsest level whose pixel is no larger than the allowed displacement."""
    return max((level for level in levels if 2.0**level <= allowed), default=levels[0])


def _finest_informative(levels: Sequence[LevelEvidence]) -> LevelEvidence:
    """The finest level whose matches represent at least half as much area as those of any level.

    Among the levels with enough matches. Blurred texture has no unambiguous match; stationary tiles
    count instead if no level has enough matches.

    Args:
        levels: finest first.
    """
    for counted in (LevelEvidence.match_count, LevelEvidence.located):
        found = {each: counted.__get__(each) for each in levels}
        enough = [each for each in levels if found[each] >= FEWEST_MATCHES]
        if enough:
            break
    share = {each: each.area_share(found[each]) for each in enough or levels}
    most = max(share.values())
    return next(each for each in share if share[each] >= 0.5 * most)


def _stage_one(
    level: LevelEvidence,
    levels: Callable[[], Sequence[LevelEvidence]],
    coarse: LevelEvidence,
    allowed: float,
    parameters: int,
    tests: int,
    all_levels: Callable[[], Sequence[LevelEvidence]],
) -> Evidence | None:
    """The evidence of stage one; None if it is not conclusive.

    Args:
        level: the level that is tested.
        levels: returns those that are searched if tiles of that level are no inliers, finest first.
        coarse: the coarsest of them with tiles.
        allowed: allowed displacement, px.
        parameters: of the model.
        tests: how many estimates were tried.
        all_levels: returns all levels.
    """
    field, count = level.local_field, len(level.tiles)
    length = np.hypot(*field.displacement.T)
    stationary = (field.correlation >= STRONG_CORRELATION) & (length <= 2.0**level.pair.level)
    k = int(np.count_nonzero(stationary))
    fitted = (parameters + 1) // 2
    tail = log10_binomial_tail(k - fitted, count - fitted, ASSUMED_CHANCE)
    false_alarms = math.log10(tests) + tail
    if false_alarms > LOG10_NFA_CONCLUSIVE or 2 * k <= count or level.periodic:
        return None
    distinct, far_share, far_motion_px = stationary, 0.0, (math.nan, math.nan)
    if k < NEARLY_ALL * count:
        level = _finest_informative(levels())
        field, distinct = level.field, level.search.distinct & level.field.matched
        far_share, far_motion_px = _far_motion(level, field, all_levels)
    return Evidence(
        field=field,
        reach_px=_reach_px(level),
        nearly_all=k >= NEARLY_ALL * count,
        tiles=count,
        tested=count,
        stationary=k,
        log10_false_alarms=false_alarms,
        distinct=distinct,
        inlier=distinct & within_allowed(field.displacement, field.covariance, allowed),
        allowed_px=allowed,
        conclusive=True,
        coarse=coarse,
        all_levels=all_levels,
        far_share=far_share,
        far_motion_px=far_motion_px,
    )


def _stage_two(
    informative: LevelEvidence,
    best: LevelEvidence,
    coarse: LevelEvidence,
    allowed: float,
    false_alarms: float,
    all_levels: Callable[[], Sequence[LevelEvidence]],
) -> Evidence:
    """The evidence of stage two."""
    stationary, tested = best.counts
    field = informative.field
    distinct = informative.search.distinct & field.matched
    far_share, far_motion_px = _far_motion(informative, field, all_levels)
    return Evidence(
        field=field,
        reach_px=_reach_px(informative),
        tiles=len(best.tiles),
        tested=tested,
        stationary=stationary,
        log10_false_alarms=false_alarms,
        distinct=distinct,
        inlier=distinct & within_allowed(field.displacement, field.covariance, allowed),
        allowed_px=allowed,
        conclusive=False,
        coarse=coarse,
        all_levels=all_levels,
        far_share=far_share,
        far_motion_px=far_motion_px,
    )


def _far_motion(
    level: LevelEvidence,
    field: DisplacementField,
    all_levels: Callable[[], Sequence[LevelEvidence]],
) -> tuple[float, tuple[float, float]]:
    """The share of a field with a common motion beyond the reach of its windows, and that motion.

    Unmatched tiles are searched for in the whole overlap, on a level that is small enough.
    """
    unmatched = level.search.tested & ~field.matched
    nowhere = math.nan, math.nan
    if np.count_nonzero(unmatched) <= (1.0 - NEARLY_ALL) * len(field):
        return 0.0, nowhere
    tiles, reach, found_share = level.tiles.subset(unmatched), _reach_px(level), 0.0
    if level.pair.inside.size > MOST_GLOBAL_PIXELS:
        small = (each for each in all_levels() if each.pair.inside.size <= MOST_GLOBAL_PIXELS)
        level = next(small, level)
        if level.pair.inside.size > MOST_GLOBAL_PIXELS or not len(level.tiles):
            return 0.0, nowhere
        near_lost = unmatched[nearest(level.centres, field.position)]
        # Tiles that are stationary on the smaller level are blurred, not displaced.
        found = level.search.distinct & level.search.stationary
        tiles = level.tiles.subset(near_lost & ~found)
        found_share = 1.0 - len(tiles) / max(int(np.count_nonzero(near_lost)), 1)
    if not len(tiles):
        return 0.0, nowhere
    share, motion = far_motion(level.windows, tiles, level.pair.level)
    if motion is None or math.hypot(*motion) <= reach:
        return 0.0, nowhere
    return share * (1.0 - found_share) * int(np.count_nonzero(unmatched)) / len(field), motion


def _reach_px(level: LevelEvidence) -> float:
    return float(REACH * 2.0**level.pair.level)


def within_allowed(displacement: Points, covariance: Floats, allowed: float) -> Mask:
    """(n,) bool: tiles displaced by no more than allowed, considering their uncertainty."""
    sigma = np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    return np.asarray(np.hypot(*displacement.T) <= allowed + SIGMAS * sigma)
