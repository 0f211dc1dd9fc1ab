"""The evidence for one answer: the field on the level that can tell, and the chance of it.

Stage one asks at most ``MOST_TILES`` tiles of one level, by Gauss-Newton steps alone; where most of
them lie within a pixel of it, that is the evidence. Stage two searches windows on several levels,
and measures at displaced windows how often tiles of these images are stationary by accident.
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
from align_cli.engine.geometry.coordinates import coarser_by
from align_cli.engine.numerics.threads import Threads

MOST_TILES: Final = 150
"""Tiles that are asked, unless all are wanted."""

LEVELS: Final = 4
"""So many levels are looked at, from the finest of at most ``MOST_PIXELS``."""

MOST_PIXELS: Final = 1 << 20
"""Pixels of the finest level that is looked at."""

CONTROL_OFFSETS: Final = (1.5, 2.25, 3.0, 4.25)
"""Displaced windows, in sides of a tile, both ways along x, along y and diagonally."""

FEWEST_TESTED: Final = 5
"""A displaced window that fewer tiles can be asked at says nothing."""

FEWEST_MATCHES: Final = 8
"""A level on which fewer tiles find a match tells how far they lie only where none has more."""

PERIODIC_SHARE: Final = 0.2
"""A picture repeats itself where at half of the displaced windows so many tiles agree."""

DECORRELATION_RATIO: Final = 0.9
"""A tile fits better at one place than at another where it lacks no more than this share of what it
lacks there to a ZNCC of 1."""

SAMPLED_TILES: Final = 10
SAMPLED_OFFSET: Final = 2.25
"""So many tiles, displaced by so many sides, tell in stage one whether a picture repeats itself."""

MOST_CONTROL_TILES: Final = 48
"""Tiles that are asked at displaced windows, evenly spaced."""

FIRST_CONTROL_TILES: Final = 16
"""So many of them are asked first; the others only where these do not settle it. The law of the
chance was measured with 15 tiles and more (``SPREAD_DEVIATIONS``)."""

MOST_GLOBAL_PIXELS: Final = 1 << 16
"""Pixels of a level all of which may be searched for tiles that find no match nearby."""

ASSUMED_CHANCE: Final = 0.5
"""Where the chance is not measured, it is taken to be this. Measured at displaced windows of 60
pairs of pages, bricks and photographs: 0.02 to 0.15; where the lines of two pages lie on one
another 0.7 of the tiles seem to."""

STRONG_CORRELATION: Final = 0.8
"""ZNCC from which on a tile that lies within a pixel needs no window."""

LOG10_NFA_CONCLUSIVE: Final = -4.0
"""log10 of the false alarms up to which nothing more is asked; at ``ASSUMED_CHANCE`` the chance
is not even measured."""

NEARLY_ALL: Final = 0.9
"""Where so many tiles lie where they fit best, the others are not asked where they fit."""

RIVAL_RATIO: Final = 0.8
"""What has so many times the texture of the main motion, or more, is another answer. Where two
fifths of a scene move by themselves, the rest is right (0.53 to 0.77); burnt-in text that outvotes
a faint scene leaves the scene 0.6 to 0.9; of 16 real pairs none has any."""

ALLOWED_PX, ALLOWED_SHARE = 2.0, 0.0015
"""What may be left of a displacement: the larger of so many pixels of the target and such a share
of the overlap's diagonal. Measured on 33 real pairs: with it scans, bands and rooms follow in 0.76
to 1.00 of their tiles, curled forms in 0.78 to 0.97, focus stacks in 0.53 to 0.88."""

SIGMAS: Final = 2.0
"""A tile is allowed so many of its own standard deviations besides ``ALLOWED_PX``."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the tiles say of an answer.

    Attributes:
        field: of the tiles of the level that can tell; matched are those that found a match.
        reach_px: how far around themselves tiles were looked for.
        tiles: how many tiles were laid over the texture of the overlap, at most ``MOST_TILES``.
        asked, stationary: how many of them were asked, and fit best where they lie.
        log10_false_alarms: decimal logarithm of the number of false alarms.
        distinct: (n,) bool, the tiles that have found a match which no other place comes near to.
        follows: (n,) bool, those of them that lie within what is allowed.
        allowed_px: what is allowed.
        nearly_all: whether stage one found all but a few tiles where they fit.
        settled: whether most of the textured area follows, beyond doubt.
        coarse: the coarsest level with tiles whose pixel is no larger than what is allowed; the
            finest where none is.
        ambiguous: whether nearly all tiles lie where they fit, in a picture that repeats itself, or
            the whole fits as well in another place; only asked where false alarms are not settled.
        looked_at: gives all levels that may be asked further, finest first.
        away: share of the field's tiles that share another motion, further away than the field
            reaches.
        away_px: (x, y) of that motion, where they are found less where they stand, on average.
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
        """Side of a pixel of the level that the field is of."""
        return float(2.0**self.field.level)

    @property
    def match_count(self) -> int:
        """How many tiles found a distinct match."""
        return int(np.count_nonzero(self.distinct))

    @property
    def inlier_fraction(self) -> float:
        """The share of the tiles with a match anywhere that lie within what is allowed."""
        far_share = self.far_share * len(self.field)
        return int(np.count_nonzero(self.inlier)) / max(self.match_count + far_share, 1.0)


@dataclass(frozen=True, eq=False)
class ControlSearches:
    """What some tiles find at their own windows, and at displaced ones where enough can be asked.

    Attributes:
        own: the search of their own windows.
        displaced: those of the displaced ones.
    """

    own: WindowSearch
    displaced: Sequence[WindowSearch]

    @classmethod
    def of(cls, searches: Sequence[WindowSearch]) -> ControlSearches:
        """Of the search of their own windows, and then those of all displaced ones."""
        own, *displaced = searches
        enough = (each for each in displaced if np.count_nonzero(each.tested) >= FEWEST_TESTED)
        return cls(own, list(enough))

    @cached_property
    def periodic(self) -> bool:
        """Whether the picture repeats itself: its tiles agree wherever they are displaced to."""
        shares = [each.consensus / np.count_nonzero(each.tested) for each in self.displaced]
        return bool(shares) and float(np.median(shares)) > PERIODIC_SHARE


class LevelEvidence:
    """What the tiles of one level say of an answer; each part made when it is first asked for.

    Args:
        pair: both images on the level, under the answer.
        most: how many tiles at most.
    """

    def __init__(self, pair: LevelPair, most: int) -> None:
        self.pair = pair
        self._most = most

    @cached_property
    def tiles(self) -> Tiles:
        """The tiles that can tell."""
        return textured_tiles(self.pair, most=self._most)

    @cached_property
    def local_field(self) -> DisplacementField:
        """The field by steps from where the tiles stand."""
        return displacement_field(self.pair, self.tiles)

    @cached_property
    def gradient_moments(self) -> GradientMoments:
        """What the gradient of the tiles tells."""
        return GradientMoments.of(self.pair, self.tiles)

    @cached_property
    def windows(self) -> Windows:
        """The windows of the level."""
        return Windows(self.pair)

    @cached_property
    def search(self) -> WindowSearch:
        """The search of the tiles' own windows."""
        return self.windows.search(self.tiles)

    @cached_property
    def field(self) -> DisplacementField:
        """The field by steps from each tile's best place; matched are those that have one."""
        begin = np.where(self.search.distinct[:, None], self.search.offset, 0.0)
        return displacement_field(self.pair, self.tiles, begin).restricted_to(
            self.search.tested & (self.search.distinct | self.search.stationary)
        )

    @property
    def match_count(self) -> int:
        """How many tiles find a match of their own."""
        return int(np.count_nonzero(self.search.distinct))

    @property
    def centres(self) -> Points:
        """(n, 2) x and y of the centres of its tiles, in px of the target."""
        centres = self.tiles.corner + 0.5 * (self.tiles.side - 1.0)
        return np.asarray(2.0**self.pair.level * centres)

    @property
    def located(self) -> int:
        """How many tiles find a match of their own, or fit nowhere better than where they lie."""
        return int(np.count_nonzero(self.field.matched))

    def area_share(self, tiles: int) -> float:
        """The share of the overlap's area that so many tiles stand for."""
        tested = int(np.count_nonzero(self.search.tested))
        return self.tiles.textured * tiles / max(tested, 1)

    def _own_and_controls(self, tiles: Tiles) -> list[WindowSearch]:
        """The search of some tiles' own windows, and then of each of their displaced ones."""
        own = self.windows.search(tiles)
        with Threads() as threads:
            at = control_offsets(self.tiles.side)
            return [own, *threads.map(partial(self.windows.search, tiles), at)]

    @cached_property
    def _control_tiles(self) -> tuple[Tiles, Mask]:
        """The tiles that may be asked at displaced windows, and which of them are asked first."""
        some = self.tiles.evenly_spaced(min(len(self.tiles), MOST_CONTROL_TILES))
        first = np.zeros(len(some), np.bool_)
        first[:: max(1, len(some) // FIRST_CONTROL_TILES)] = True
        return some, first

    @cached_property
    def _first_searches(self) -> list[WindowSearch]:
        """A few tiles' own windows, and their displaced ones."""
        some, first = self._control_tiles
        return self._own_and_controls(some.subset(first))

    @cached_property
    def _controls(self) -> ControlSearches:
        """Own windows, and displaced ones, of all that may be asked."""
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
        """Whether nearly all tiles lie where they fit, in a picture that repeats itself."""
        k, n = self.counts
        return n >= FEWEST_MATCHES and k >= NEARLY_ALL * n and self._controls.periodic

    @property
    def counts_and_chance(self) -> tuple[int, int, Chance]:
        """How many tiles count, of how many, and the chance of each, measured at displaced windows.

        Of a picture that repeats itself a tile only counts if it fits better than at any of its
        displaced windows: were the images unrelated, none of them would be better than the others.
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
        """Whether no sampled tile has a distinct match, or more agree when displaced than stay."""
        some = self.tiles.evenly_spaced(min(len(self.tiles), SAMPLED_TILES))
        # One at a time: most often the first or the second tells.
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
        """How many tiles are stationary in their windows, and how many were asked."""
        both = self.search.stationary, self.search.tested
        stationary, tested = (int(np.count_nonzero(each)) for each in both)
        return stationary, tested

    def least_false_alarms(self, parameters: int, tests: int) -> float:
        """log10 of the false alarms, were all places of a window alike."""
        k, n = self.counts
        if not n:
            return math.log10(tests)
        ideal = Chance(self.search.chance, math.inf)
        return log10_false_alarms(k, n, ideal, tests=tests, parameters=parameters)

    def log10_false_alarms(self, parameters: int, tests: int) -> float:
        """Of the tiles of this level; the chance is only measured where it may matter."""
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
    """The evidence for an answer; None where no tile can tell anything.

    Args:
        view: both images.
        warp: (3, 3), target pixel -> source pixel, at full size.
        parameters: of the model, as far as they were fitted to these images.
        tests: how many answers were tried.
        periodic: whether the target looks like itself elsewhere: then the chance is measured.
        all_tiles: ask all tiles, on the finest level that can tell.
        accepted_px: a displacement that the user accepts, however little is allowed.
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
    # A coarse level of a small or narrow overlap has no room for tiles.
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
    """The level with the fewest false alarms, and log10 of them; the first with few enough will do.

    The chance is measured where the tiles promise most first: nothing asks by how much an answer is
    beyond ``LOG10_NFA_CONCLUSIVE``.
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
    """The same, by the number of tiles or by how badly other places fit, whichever tells more.

    That is asked on one level, the finest on which it is little work: one on which the overlap has
    no room for tiles will do. Where another place fits as well, and by no accident, no number of
    tiles tells which of both it is.
    """
    by_tiles = evidence.log10_false_alarms
    for level in levels:
        places = rival_positions(level.pair, parameters)
        if places is None:
            continue
        if places.rival:
            return replace(evidence, log10_false_alarms=max(by_tiles, 0.0), ambiguous=True)
        # Two ways to be convinced are two tests. The answers that were tried are others of these
        # places: of 260 unrelated crops none has fewer than 0.01 false alarms, three have 0.1.
        by_places = math.log10(2.0) + places.log10_false_alarms
        return replace(evidence, log10_false_alarms=min(by_tiles, by_places))
    return evidence


def allowed_px(inside: Mask, level: int) -> float:
    """What may be left of a displacement over an overlap, (height, width) bool of a level."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return ALLOWED_PX
    diagonal = 2.0**level * math.hypot(float(np.ptp(rows)) + 1.0, float(np.ptp(columns)) + 1.0)
    return max(ALLOWED_PX, ALLOWED_SHARE * diagonal)


def control_offsets(side: int) -> list[tuple[int, int]]:
    """Where windows are displaced to, (x, y) in pixels of the level, for tiles of a side."""
    steps = [round(sign * far * side) for far in CONTROL_OFFSETS for sign in (1, -1)]
    along = [*((step, 0) for step in steps), *((0, step) for step in steps)]
    return [*along, *((step, step) for step in steps), *((step, -step) for step in steps)]


def _levels(view: PairView, warp: Matrix) -> Sequence[int]:
    """The levels that are looked at, finest first.

    None that shows more pixels than the source has: what is between its pixels is the same
    interpolation for neighbouring tiles, and moves them together.
    """
    width, height = view.target_size
    shown = view.levels[min(max(coarser_by(warp, view.target_size), 0), len(view.levels) - 1) :]
    small = [level for level in shown if width * height <= MOST_PIXELS * 4**level]
    return (small or [shown[-1]])[:LEVELS]


def _coarsest_within(levels: Sequence[int], allowed: float) -> int:
    """The coarsest level whose pixel is no larger than what is allowed."""
    return max((level for level in levels if 2.0**level <= allowed), default=levels[0])


def _finest_informative(levels: Sequence[LevelEvidence]) -> LevelEvidence:
    """The finest level on which the texture of at least half as much area as on any finds a match.

    Of those on which enough tiles do. A blurred texture finds none that stands out; there those
    tiles count that fit nowhere better than where they lie.

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
    """The evidence of stage one; None where it does not settle whether the images agree.

    Args:
        level: the level that is looked at.
        levels: gives those that are asked where tiles of that level do not follow, finest first.
        coarse: the coarsest of them with tiles.
        allowed: what may be left of a displacement, px.
        parameters: of the model.
        tests: how many answers were tried.
        looked_at: gives all levels.
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
    """What share of a field has another motion, beyond the reach of its windows, and which.

    Tiles that find no match are searched for all over the overlap, on a level that is small enough.
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
        # What the smaller level finds where it stands is blurred, not away.
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
    """(n,) bool: tiles that lie within what is allowed, each with its own uncertainty."""
    sigma = np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    return np.asarray(np.hypot(*displacement.T) <= allowed + SIGMAS * sigma)
