"""Does every part of the target lie where it fits best? Tiles of it are asked, each by itself.

A right alignment leaves each tile with texture at a peak: moved by a few pixels it agrees less with
the warped source. What covers a part of the picture silences the tiles under it, and no others. A
wrong alignment has been pulled to where the sum over all tiles is largest, but the single tile,
which had no say in that, fits better elsewhere or nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.pyramid import Level
from align_cli.engine.sampling import common, sample

TILE: Final = 16
REACH: Final = 4
"""Side of a tile, and how far it is moved each way, in pixels of the level."""

RIM: Final = REACH + 2
"""So far from the border the first tile lies: what is moved must still see the source."""

MOST_TILED_PIXELS: Final = 1 << 17
"""Levels of more pixels are not looked at."""

MOST_TILES: Final = 192
"""Of more tiles with texture so many are asked, evenly spaced."""

LEAST_CONTRAST: Final = 3.0
"""Tiles whose standard deviation is not this many times that of the noise are not asked."""

LEAST_ZNCC: Final = 0.5
"""A tile whose best place agrees less than this fits nowhere."""

CLEARLY: Final = 0.7
"""A place is better than another if it leaves this share of what the other lacks to a ZNCC of 1."""

AT_HOME: Final = 1
ELSEWHERE: Final = 2
"""Home is within the first number of pixels of where a tile lies, elsewhere beyond the second."""


@dataclass(frozen=True)
class TileVotes:
    """What the tiles say.

    Attributes:
        votes: how many had texture, and did not fit here and elsewhere about equally well.
        at_home: the share of them that fit best where they are.
        elsewhere: the share that fit better a few pixels away. The rest fit nowhere.
    """

    votes: int
    at_home: float
    elsewhere: float


def tile_votes(source: Level, target: Level, warp: Matrix, noise: float) -> TileVotes:
    """Ask the tiles of a level of the target.

    Args:
        source: a level of the source.
        target: the same level of the target.
        warp: (3, 3), target pixel -> source pixel, of this level.
        noise: standard deviation of the noise on this level, the larger of the two images', in
            the units of the target.
    """
    image = np.asarray(target.image, np.float32)
    inside = common(source, target, warp, margin=1.0)
    warped = np.asarray(sample(source.image, warp, target.size, replicate=True), np.float32)
    least = (LEAST_CONTRAST * noise) ** 2 + float(np.finfo(np.float32).tiny)
    return votes_of(warped, image, inside, least)


def votes_of(
    warped: NDArray[np.float32], image: NDArray[np.float32], inside: Mask, least: float
) -> TileVotes:
    """Ask the tiles of a picture of one or more channels.

    Args:
        warped: the source on the target's grid, (height, width) or (height, width, channels).
        image: the target, likewise.
        inside: (height, width) bool, the pixels of which both know.
        least: tiles of a smaller variance, the mean over the channels, are not asked.
    """
    around = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    seen = cv2.erode(
        inside.view(np.uint8), around, borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(np.bool_)
    height, width = inside.shape
    corners = [
        (y, x)
        for y in range(RIM, height - TILE - RIM + 1, TILE)
        for x in range(RIM, width - TILE - RIM + 1, TILE)
        if seen[y : y + TILE, x : x + TILE].all()
        and _variance(image[y : y + TILE, x : x + TILE]) > least
    ]
    if len(corners) > MOST_TILES:
        picked = np.linspace(0, len(corners) - 1, MOST_TILES).astype(np.intp)
        corners = [corners[index] for index in picked]
    if not corners:
        return TileVotes(0, 0.0, 0.0)
    zncc = np.array(
        [
            cv2.matchTemplate(
                warped[y - REACH : y + TILE + REACH, x - REACH : x + TILE + REACH],
                image[y : y + TILE, x : x + TILE],
                cv2.TM_CCOEFF_NORMED,
            )
            for y, x in corners
        ]
    )
    distance = np.abs(np.arange(-REACH, REACH + 1))
    distance = np.maximum(distance[:, None], distance)
    here = zncc[:, distance <= AT_HOME].max(axis=1)
    there = zncc[:, distance > ELSEWHERE].max(axis=1)
    at_home = (here > LEAST_ZNCC) & (1.0 - here < CLEARLY * (1.0 - there))
    elsewhere = (there > LEAST_ZNCC) & (1.0 - there < CLEARLY * (1.0 - here))
    nowhere = np.maximum(here, there) <= LEAST_ZNCC
    votes = int(np.count_nonzero(at_home | elsewhere | nowhere))
    share = 1.0 / max(votes, 1)
    return TileVotes(
        votes,
        share * int(np.count_nonzero(at_home)),
        share * int(np.count_nonzero(elsewhere)),
    )


def _variance(tile: NDArray[np.float32]) -> float:
    """Of a tile, the mean over its channels."""
    _, deviation = cv2.meanStdDev(tile)
    return float(np.square(deviation).mean())
