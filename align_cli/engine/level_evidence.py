"""What the pyramid levels of both images say of an answer, each asked where it can tell.

``align_cli.engine.details`` and ``texture`` compare two levels; here is which levels are compared,
for a fine level tells more of the alignment, and a coarse one less of the noise, and takes less
time.
"""

from __future__ import annotations

import math
from typing import Final

from align_cli.engine import details, texture, verdict
from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import coarser_by
from align_cli.engine.motion import MotionModel
from align_cli.engine.noise import left_on
from align_cli.engine.pair import Pair
from align_cli.engine.place import Place
from align_cli.engine.tiles import MOST_TILED_PIXELS, TileVotes, tile_votes

DETAIL_LEVEL: Final = 2
"""Pyramid level on which details are compared: fine enough to miss when the alignment is off by
pixels, coarse enough for the noise of a dark photograph to average out."""

COARSEST_TEXTURE: Final = 3
"""Textures are compared on levels 1 to this one, and the best counts: which of them shows a texture
through its noise depends on both."""

MOST_COMPARED_PIXELS: Final = 1 << 14
"""The coarsest of them has no more pixels than so many, where there is such a level."""

FINEST_EXPLAINED: Final = 1
MOST_EXPLAINED_PIXELS: Final = 1 << 16
"""Looked at is the finest level from this one on, of no more pixels, whose details stand out of the
noise."""


def detail_zncc(pair: Pair, warp: Matrix) -> float:
    """``details.detail_zncc`` on ``DETAIL_LEVEL``, or the coarsest that is small enough."""
    target = pair.target
    coarsest = len(target.levels) - 1
    level = min(DETAIL_LEVEL, coarsest)
    while level < coarsest and target.pixels(level) > MOST_EXPLAINED_PIXELS:
        level += 1
    return details.detail_zncc(pair.tile_zncc(warp, level))


def shared_texture(pair: Pair, place: Place, model: MotionModel) -> float:
    """The best of the levels that are compared, coarsest first, until one is beyond doubt."""
    target = pair.target
    best = math.nan
    last = len(target.levels) - 1
    coarsest = min(COARSEST_TEXTURE, last)
    while coarsest < last and target.pixels(coarsest) > MOST_COMPARED_PIXELS:
        coarsest += 1
    for level in range(coarsest, 0, -1) or (0,):
        planes = target.all_rows(level)
        if planes is not None:
            of_source, warp = pair.like_level(place.warp, level)
            share = texture.shared_texture(
                pair.levels[of_source],
                target.levels[level],
                planes,
                Place(warp, place.light),
                model,
            )
            best = share if math.isnan(best) else max(best, share)
        if best >= verdict.CLEAR_TEXTURE:
            break
    return best


def unexplained(pair: Pair, place: Place) -> float:
    """``details.unexplained`` of the finest level that tells it."""
    target = pair.target
    of_noise = pair.noise
    # A source of larger pixels cannot show the target's finest details.
    coarser = max(0, coarser_by(place.warp, target.size))
    finest = min(FINEST_EXPLAINED + coarser, len(pair.levels) - 1)
    for level in range(finest, len(pair.levels)):
        if target.pixels(level) <= MOST_EXPLAINED_PIXELS:
            of_source, _ = pair.like_level(place.warp, level)
            found = details.unexplained(
                pair.details(place.warp, level),
                target.levels[level],
                place.light,
                noise=(of_noise[0] * left_on(of_source), of_noise[1] * left_on(level)),
            )
            if not math.isnan(found):
                return found
    return math.nan


def votes(pair: Pair, place: Place) -> TileVotes:
    """Of the finest level on which enough tiles have texture, or that with the most."""
    of_source, of_target = pair.noise
    noise = max(of_target, of_source * abs(place.light.factor[0]))
    most = TileVotes(0, 0.0, 0.0)
    for level in range(len(pair.levels)):
        if pair.target.pixels(level) <= MOST_TILED_PIXELS:
            number, there = pair.like_level(place.warp, level)
            found = tile_votes(
                pair.levels[number], pair.target.levels[level], there, noise * left_on(level)
            )
            most = found if found.votes > most.votes else most
            if most.votes >= verdict.FEWEST_VOTES:
                break
    return most
