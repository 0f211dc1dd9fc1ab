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
