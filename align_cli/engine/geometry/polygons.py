"""The polygon in which two images overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points
from align_cli.engine.geometry.coordinates import Size, corners


def overlap_polygon(warp: Matrix, target_size: Size, source_size: Size) -> Points:
    """The convex polygon of target positions that a warp maps into the source.

    Args:
        warp: (3, 3), target pixel -> source pixel.
        target_size: (width, height).
        source_size: (width, height).

    Returns:
        (n, 2) corners in target pixels, clockwise on a screen; (0, 2) without overlap.
    """
    source_width, source_height = source_size
    x, y, w = warp
    polygon = corners(target_size)
    # The source's borders, multiplied by the denominator w > 0, are half planes.
    for line in (w, x, (source_width - 1.0) * w - x, y, (source_height - 1.0) * w - y):
        polygon = _clipped(polygon, line)
    return polygon


def _clipped(polygon: Points, line: NDArray[np.float64]) -> Points:
    """A convex polygon clipped to ``line @ (x, y, 1) >= 0`` (Sutherland and Hodgman 1974)."""
    distance = polygon @ line[:2] + line[2]
    clipped: list[Points] = []
    for k in range(len(polygon)):
        end, start = distance[k], distance[k - 1]
        if end * start < 0.0:
            share = start / (start - end)
            clipped.append(polygon[k - 1] + share * (polygon[k] - polygon[k - 1]))
        if end >= 0.0:
            clipped.append(polygon[k])
    return np.array(clipped, np.float64).reshape(-1, 2)
