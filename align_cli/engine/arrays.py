"""Type aliases of the engine's arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[Any]
"""(height, width) or (height, width, channels), any supported dtype."""

Plane: TypeAlias = NDArray[np.float32]
"""(height, width) float32."""

Mask: TypeAlias = NDArray[np.bool_]
"""(height, width) bool, True = used."""

Matrix: TypeAlias = NDArray[np.float64]
"""(3, 3) float64, a transform of homogeneous pixels."""

Points: TypeAlias = NDArray[np.float64]
"""(n, 2) float64, x and y of points in pixels or in normalised coordinates."""

Vector: TypeAlias = NDArray[np.float64]
"""(n,) float64."""


def quantile(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """``np.quantile`` along the first axis of (n, ...) finite values, n >= 1.

    ``np.quantile`` and ``np.median`` import ``numpy.ma`` when first called, which takes 6 ms: a
    quarter of the time of a small alignment.
    """
    rank = share * (len(values) - 1)
    below = int(rank)
    ranks = [below, min(below + 1, len(values) - 1)]
    low, high = np.partition(values, ranks, axis=0)[ranks]
    return np.asarray(low + (rank - below) * (high - low))
