"""Whether the richer of two nested fields describes displacements beyond chance: an F test.

The variance that it compares with is what the tiles scatter by, not what they claim.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from align_cli.engine.displacements.fit import Fit

SIGNIFICANCE: Final = 1e-3
"""A richer field is needed where chance alone would fit so much better less often than this."""


def log10_f_tail(ratio: float, above: float, below: float) -> float:
    """log10 of the chance that an F variable exceeds ``ratio``, by Paulson's normal approximation.

    Paulson 1942, "An approximate normalization of the analysis of variance distribution". Right to
    a tenth down to 1e-4; further out it promises less than the exact tail does.

    Args:
        ratio: of the mean squares, not negative.
        above: degrees of freedom of the numerator.
        below: degrees of freedom of the denominator.
    """
    a, b = 2.0 / (9.0 * above), 2.0 / (9.0 * below)
    root = float(np.cbrt(ratio))
    z = ((1.0 - b) * root - (1.0 - a)) / math.sqrt(b * root * root + a)
    if z < 30.0:
        return math.log10(0.5 * math.erfc(z / math.sqrt(2.0)))
    return -(0.5 * z * z + math.log(z * math.sqrt(2.0 * math.pi))) / math.log(10.0)


def log10_p_value(simple: Fit, rich: Fit) -> float:
    """log10 of the chance of so much better a fit, were the simpler of two nested fields true.

    Both with the weights and variances of the richer.
    """
    sizes = len(simple.parameters), len(rich.parameters)
    return log10_p_value_of((simple.squares, rich.squares), sizes, float(rich.weight.sum()))


def log10_p_value_of(squares: tuple[float, float], sizes: tuple[int, int], tiles: float) -> float:
    """``log10_p_value`` of the squares that two fields leave, their parameters, and their tiles."""
    (simple, rich), (fewer, more) = squares, sizes
    above, below = more - fewer, 2.0 * tiles - more
    if below < 2.0 or rich <= 0.0:
        return 0.0
    return log10_f_tail(max(simple - rich, 0.0) / above / (rich / below), above, below)
