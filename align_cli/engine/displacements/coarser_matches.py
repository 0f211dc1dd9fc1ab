"""Matches from coarser levels where tiles of the finest level have none.

A search window reaches 10 px of its own level. Larger displacements, as in the corners of a lens or
on a plane that moves independently, are within reach on a coarser level: there a tile represents
the unmatched finer tiles that are nearest to it.
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
    """The matched tiles of a field; ``reach_px`` is the half side of their search windows."""
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
    """The matches of a field, and those of coarser levels for the tiles without one.

    Args:
        field: on the finest level with enough matches.
        reach_px: half side of the search windows of that level, px.
        levels: that may be searched, finest first.
        expected: maps (n, 2) positions to the predicted displacements, (n, 2) px each, at which the
            Gauss-Newton steps of the finest level's tiles start; None for no prediction.

    Returns:
        All matches, those of the field first. Each has the area of the tiles of the field that it
        represents.
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
    """The field of the finest level by Gauss-Newton steps from predicted displacements.

    Of several predictions the one with the highest correlation is kept, tile by tile. The field
    itself is returned if it has more tiles than the finest level.
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
    """The same matches, each with the area of the textured tiles of a level that are nearest to it.

    A coarser level has texture where a tile of a finer one has too little.
    """
    if not len(level.tiles):
        return matches
    representative = nearest(level.centres, matches.position)
    represented_area = np.bincount(representative, minlength=len(matches)).astype(np.float64)
    return replace(
        matches, represented_area=(2.0**level.pair.level * level.tiles.side) ** 2 * represented_area
    )


def _searched_field(level: LevelEvidence, tiles: Tiles) -> DisplacementField:
    """The field of some tiles, by Gauss-Newton steps from the best positions in their windows."""
    search = level.windows.search(tiles)
    begin = np.where(search.distinct[:, None], search.offset, 0.0)
    known: Mask = search.tested & (search.distinct | search.stationary)
    return displacement_field(level.pair, tiles, begin).restricted_to(known)


def _concatenated(parts: Sequence[Matches]) -> Matches:
    """All matches, one list after the other."""

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
