"""Along which motions of a model the target's texture knows nothing but noise.

A gradient tells a motion as far as the motion runs along it. A sunburst tells no scale: all its
gradients are at right angles to the motion of every pixel. What noise and the sampling of edges
make of that is no information, however many pixels there are: a direction of the parameters counts
as known only if it has a share of what gradients of the same lengths, but of all directions alike,
would tell of it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.coordinates import normalisation
from align_cli.engine.derivatives import differences_at
from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.motion import MONOMIALS, MotionModel

LEAST_SHARE: Final = 0.007
"""Share below which a direction is blind: gradients would have to be known to 5 degrees. Measured
on the level that is looked at first, homography: sunbursts 0.0019 and 0.0033, of 92 pairs that are
right the least 0.016."""

ENOUGH_PIXELS: Final = 1 << 12
"""About so many pixels of all tiles, evenly spaced, are looked at, or all."""


def blind_directions(pair: LevelPair, tiles: Tiles, model: MotionModel) -> NDArray[np.float64]:
    """The directions of a model's parameters that nothing but noise tells.

    Args:
        pair: both images on a level, coarse enough for edges to be smooth.
        tiles: of its target.
        model: the motion model.

    Returns:
        (b, p) float64, in normalised coordinates of the target; empty where all are told.
    """
    step = max(1, math.isqrt(len(tiles) * tiles.side**2 // ENOUGH_PIXELS))
    within = np.arange(0, tiles.side, step)
    x = (tiles.corner[:, 0, None, None] + within).repeat(len(within), axis=1).ravel()
    y = (tiles.corner[:, 1, None, None] + within[:, None]).repeat(len(within), axis=2).ravel()
    height, width = pair.inside.shape
    to_normalised = normalisation((width, height))
    u = to_normalised[0, 0] * x + to_normalised[0, 2]
    v = to_normalised[1, 1] * y + to_normalised[1, 2]
    monomials = np.stack([u**i * v**j for i, j in MONOMIALS])
    along_x, along_y = model.jacobian_x @ monomials, model.jacobian_y @ monomials
    told = np.zeros((model.size, model.size))
    isotropic = np.zeros_like(told)
    of_noise = pair.slope_noise * (along_x @ along_x.T + along_y @ along_y.T)
    for plane in pair.target:
        slope_x, slope_y = (each.astype(np.float64) for each in differences_at(plane, x, y))
        along = along_x * slope_x + along_y * slope_y
        told += along @ along.T - of_noise
        energy = slope_x**2 + slope_y**2
        isotropic += (along_x * energy) @ along_x.T + (along_y * energy) @ along_y.T
    try:
        root = np.linalg.inv(np.linalg.cholesky(isotropic))
    except np.linalg.LinAlgError:
        return np.eye(model.size)
    shares, vectors = np.linalg.eigh(root @ told @ root.T)
    return np.asarray((root.T @ vectors[:, shares < LEAST_SHARE]).T)
