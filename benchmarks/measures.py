"""How far an estimate is from the truth, where coordinates' own measures do not say it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from align_cli.engine.geometry.coordinates import Size, corners, map_points
from benchmarks.scenes import Floats


def corner_distances(estimate: Floats, truth: Floats, size: Size) -> Floats:
    """(4,): how far apart either transform puts each corner of the source, in target pixels."""
    points = corners(size)
    return np.hypot(*(map_points(estimate, points) - map_points(truth, points)).T)


STRIDE = 8  # both transforms are smooth: every eighth pixel of every eighth row will do


def mean_displacement(estimate: Floats, truth: Floats, size: Size) -> Floats:
    """(2,): the mean over the pixels of estimate - truth along x and along y, with its sign."""
    width, height = size
    y, x = np.mgrid[0.0:height:STRIDE, 0.0:width:STRIDE]
    points = np.column_stack([x.ravel(), y.ravel()])
    return (map_points(estimate, points) - map_points(truth, points)).mean(axis=0)


def root_mean_square(values: ArrayLike) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
