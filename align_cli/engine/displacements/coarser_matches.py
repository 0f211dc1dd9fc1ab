"""What coarser levels say of the places whose tiles found no match.

Windows reach 10 px of their own level. What lies further away, the corners of a lens or a plane
that moves by itself, is within reach on a coarser one: there a tile speaks for those finer tiles
that found nothing and lie nearest to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Points
from align_cli.engine.displacements.evidence import LevelEvidence
from align_cli.engine.displacements.field import DisplacementField, displacement_field
from align_cli.engine.displacements.fit import Matches
from align_cli.engine.displacements.tiles import Tiles, nearest
from align_cli.engine.displacements.windows import REACH


def matches_of(field: DisplacementField, reach_px: float) -> Matches:
    """The tiles of a field that found a match, looked for so far around themselves."""
    known = field.matched
    count = int(np.count_nonzero(known))
    return Matches(
        field.position[known],
        field.displacement[known],
        field.covariance[known],
        np.full(count, field.side),
        np.full(count, reach_px),
    )


def add_coarser_matches(
    field: DisplacementField,
    reach_px: float,
    levels: Sequence[LevelEvidence],
    expected: Callable[[Points], Sequence[Points]] | None = None,
) -> Matches:
    """The tiles that found a match, and those of coarser levels in place of those that did not.

    Args:
        field: on the level that can tell.
        reach_px: how far around themselves its tiles were looked for.
        levels: that may be asked, finest first.
        expected: of (n, 2) places the displacements, (n, 2) px each, at which the tiles of the
            finest level are asked first; None where nothing is expected.

    Returns:
        All matches; of several levels, those of the field first. Each counts for the area of the
        tiles of the field that it speaks for.
    """
    if expected is not None:
        field = _refined_from(field, levels, expected)
    found = [matches_of(field, reach_px)]
    area = field.side**2
    unmatched = field.position[~field.matched]
    for level in levels:
        if level.pair.level <= field.level or not len(unmatched) or not len(level.tiles):
            continue
        near_unmatched = ~field.matched[nearest(level.centres, field.position)]
        if not near_unmatched.any():
            continue
        coarse = _searched_field(level, level.tiles.subset(near_unmatched))
        representative = nearest(unmatched, coarse.position)
        represented = np.bincount(representative, minlength=len(coarse))
        used = coarse.restricted_to(represented > 0)
        reach = float(REACH * 2.0**level.pair.level)
        represented_area = area * represented[used.matched].astype(np.float64)
        found.append(replace(matches_of(used, reach), represented_area=represented_area))
        unmatched = unmatched[~used.matched[representative]]
    return _concatenated(found)


def _refined_from(
    field: DisplacementField,
    levels: Sequence[LevelEvidence],
    expected: Callable[[Points], Sequence[Points]],
) -> DisplacementField:
    """The field of the finest level by steps from where its tiles are expected.

    Of several displacements the one where a tile correlates best; the field itself where it has
    more tiles.
    """
    if not levels or len(levels[0].tiles) < len(field):
        return field
    level = levels[0]
    scale = 2.0**level.pair.level
    fields = [
        displacement_field(level.pair, level.tiles, at / scale) for at in expected(level.centres)
    ]
    correlation = [np.where(each.matched, each.correlation, -1.0) for each in fields]
    best, every = np.argmax(correlation, axis=0), np.arange(len(level.tiles))

    return replace(
        fields[0],
        displacement=np.stack([each.displacement for each in fields])[best, every],
        covariance=np.stack([each.covariance for each in fields])[best, every],
        correlation=np.stack([each.correlation for each in fields])[best, every],
        matched=np.stack([each.matched for each in fields])[best, every],
    )


def weighted_by_texture(matches: Matches, level: LevelEvidence) -> Matches:
    """The same, each counting for the texture of a level that lies nearest to it.

    A coarser level has texture where the finer ones have too little for a tile of their own.
    """
    if not len(level.tiles):
        return matches
    representative = nearest(level.centres, matches.position)
    represented_area = np.bincount(representative, minlength=len(matches)).astype(np.float64)
    return replace(
        matches, represented_area=(2.0**level.pair.level * level.tiles.side) ** 2 * represented_area
    )


def _searched_field(level: LevelEvidence, tiles: Tiles) -> DisplacementField:
    """The field of some tiles of a level, by steps from the best places in their windows."""
    search = level.windows.search(tiles)
    begin = np.where(search.distinct[:, None], search.offset, 0.0)
    known: Mask = search.tested & (search.distinct | search.stationary)
    return displacement_field(level.pair, tiles, begin).restricted_to(known)


def _concatenated(parts: Sequence[Matches]) -> Matches:
    """All matches, one after the other."""

    def concatenated(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Matches(
        concatenated("position"),
        concatenated("displacement"),
        concatenated("covariance"),
        concatenated("side"),
        concatenated("reach"),
        concatenated("area"),
    )
