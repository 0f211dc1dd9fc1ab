"""The directions of a model's parameters about which the target's texture has no information.

A gradient constrains a motion only along its own direction. A sunburst does not determine a scale:
all its gradients are perpendicular to the motion of every pixel. What noise and sampled edges
contribute is no information, however many pixels there are: a direction of the parameters is
determined only if its information is at least a share of that of gradients of the same magnitudes,
but isotropic directions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.tiles import Tiles
from align_cli.engine.geometry.coordinates import normalisation
from align_cli.engine.geometry.models import MONOMIALS, MotionModel
from align_cli.engine.sampling.gradients import differences_at

Floats = NDArray[np.float64]

LEAST_SHARE: Final = 0.007
"""Share of the isotropic information below which a direction is undetermined: gradients would have
to be known to 5 degrees. Measured on the level that is tested first, homography: sunbursts 0.0019
and 0.0033, of 92 pairs that are right the least 0.016."""

ENOUGH_PIXELS: Final = 1 << 12
"""Approximate number of pixels of all tiles, evenly spaced, that are used."""


@dataclass(frozen=True, eq=False)
class GradientMoments:
    """Moments of the gradient over the tiles of a target, for any motion model.

    Sums over pixels of the products of all monomials, (6, 6) float64 each.

    Attributes:
        xx, xy, yy: weighted by the products of the gradient's components, less the contribution of
            noise.
        energy: weighted by the squared gradient magnitude.
    """

    xx: Floats
    xy: Floats
    yy: Floats
    energy: Floats

    @classmethod
    def of(cls, pair: LevelPair, tiles: Tiles) -> GradientMoments:
        """The moments of a target's tiles, on a level coarse enough for edges to be smooth.

        In normalised coordinates of the target.
        """
        step = max(1, math.isqrt(len(tiles) * tiles.side**2 // ENOUGH_PIXELS))
        within = np.arange(0, tiles.side, step)
        shape = len(tiles), len(within), len(within)
        x = np.broadcast_to(tiles.corner[:, 0, None, None] + within, shape).ravel()
        y = np.broadcast_to(tiles.corner[:, 1, None, None] + within[:, None], shape).ravel()
        height, width = pair.inside.shape
        to_normalised = normalisation((width, height))
        u = to_normalised[0, 0] * x + to_normalised[0, 2]
        v = to_normalised[1, 1] * y + to_normalised[1, 2]
        one = np.ones_like(u)
        of_unit = {(0, 0): one, (1, 0): u, (0, 1): v, (2, 0): u * u, (1, 1): u * v, (0, 2): v * v}
        monomials = np.stack([of_unit[powers] for powers in MONOMIALS])
        xx, xy, yy = np.zeros((3, len(u)))
        for plane in pair.target:
            slope_x, slope_y = (each.astype(np.float64) for each in differences_at(plane, x, y))
            xx += slope_x * slope_x
            xy += slope_x * slope_y
            yy += slope_y * slope_y
        sums = [(monomials * each) @ monomials.T for each in (xx, xy, yy, one)]
        of_noise = len(pair.target) * pair.slope_noise * sums[3]
        return cls(sums[0] - of_noise, sums[1], sums[2] - of_noise, sums[0] + sums[2])


def undetermined_directions(slopes: GradientMoments, model: MotionModel) -> Floats:
    """The directions of a model's parameters that the texture does not determine.

    Returns:
        (b, p) float64, in normalised coordinates of the target; empty if all are determined.
    """
    x, y = model.jacobian_x, model.jacobian_y
    mixed = x @ slopes.xy @ y.T
    information = x @ slopes.xx @ x.T + mixed + mixed.T + y @ slopes.yy @ y.T
    isotropic = x @ slopes.energy @ x.T + y @ slopes.energy @ y.T
    try:
        root = np.linalg.inv(np.linalg.cholesky(isotropic))
    except np.linalg.LinAlgError:
        return np.eye(model.size)
    shares, vectors = np.linalg.eigh(root @ information @ root.T)
    return np.asarray((root.T @ vectors[:, shares < LEAST_SHARE]).T)
