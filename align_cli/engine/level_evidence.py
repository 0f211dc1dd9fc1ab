"""What the pyramid levels of both images say of an answer, each asked where it can tell.

``align_cli.engine.trust`` compares two levels; here is which levels are compared, for a fine level
tells more of the alignment, and a coarse one less of the noise, and takes less time.
"""

from __future__ import annotations

import math

from align_cli.engine import trust, verdict
from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import coarser_by
from align_cli.engine.motion import MotionModel
from align_cli.engine.noise import left_on
from align_cli.engine.pair import Pair
from align_cli.engine.place import Place
from align_cli.engine.tiles import MOST_TILED_PIXELS, TileVotes, tile_votes


def detail_zncc(pair: Pair, warp: Matrix) -> float:
    """``trust.detail_zncc`` on ``trust.DETAIL_LEVEL``, or the coarsest that is small enough."""
    target = pair.target
    coarsest = len(target.levels) - 1
    level = min(trust.DETAIL_LEVEL, coarsest)
    while level < coarsest and target.pixels(level) > trust.MOST_EXPLAINED_PIXELS:
        level += 1
    return trust.detail_zncc(pair.tile_zncc(warp, level))


def shared_texture(pair: Pair, place: Place, model: MotionModel) -> float:
    """The best of the levels that are compared, coarsest first, until one is beyond doubt."""
    target = pair.target
    best = math.nan
    last = len(target.levels) - 1
    coarsest = min(trust.COARSEST_TEXTURE, last)
    while coarsest < last and target.pixels(coarsest) > trust.MOST_COMPARED_PIXELS:
        coarsest += 1
    for level in range(coarsest, 0, -1) or (0,):
        planes = target.all_rows(level)
        if planes is not None:
            of_source, warp = pair.like_level(place.warp, level)
            share = trust.shared_texture(
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
    """``trust.unexplained`` of the finest level that tells it."""
    target = pair.target
    of_noise = pair.noise
    # A source of larger pixels cannot show the target's finest details.
    coarser = max(0, coarser_by(place.warp, target.size))
    finest = min(trust.FINEST_EXPLAINED + coarser, len(pair.levels) - 1)
    for level in range(finest, len(pair.levels)):
        if target.pixels(level) <= trust.MOST_EXPLAINED_PIXELS:
            of_source, _ = pair.like_level(place.warp, level)
            found = trust.unexplained(
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
