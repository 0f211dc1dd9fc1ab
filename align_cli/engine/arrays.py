"""Names for the arrays that travel through the engine."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[Any]
"""(height, width) or (height, width, channels), any supported dtype."""

Plane: TypeAlias = NDArray[np.float32]
"""(height, width) float32."""

Mask: TypeAlias = NDArray[np.bool_]
"""(height, width) bool, True = takes part."""

Matrix: TypeAlias = NDArray[np.float64]
"""(3, 3) float64, a transform of homogeneous pixels."""

Points: TypeAlias = NDArray[np.float64]
"""(n, 2) float64, x and y of points in pixels or in normalised coordinates."""

Vector: TypeAlias = NDArray[np.float64]
"""(n,) float64."""


def quantile(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The same as ``np.quantile`` along the first axis of (n, ...) finite values, n >= 1.

    That one, and ``np.median``, import ``numpy.ma`` the first time, which takes 6 ms: a fourth of
    what it takes to align a small pair.
    """
    place = share * (len(values) - 1)
    below = int(place)
    two = [below, min(below + 1, len(values) - 1)]
    low, high = np.partition(values, two, axis=0)[two]
    return np.asarray(low + (place - below) * (high - low))
