"""F test: does the richer of two nested fields describe displacements significantly better?

The variance is that of the residuals, not that of the tiles' own covariances.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from align_cli.engine.displacements.fit import Fit

SIGNIFICANCE: Final = 1e-3
"""p-value below which a richer field is needed."""


def log10_f_tail(ratio: float, above: float, below: float) -> float:
    """log10 of P(F > ratio) of the F distribution, by Paulson's normal approximation.

    Paulson 1942, "An approximate normalization of the analysis of variance distribution". Right to
    a tenth down to 1e-4; further out it is larger than the exact tail.

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
    """log10 of the p-value of the richer of two nested fits, under the simpler one.

    Both with the weights and variances of the richer.
    """
    sizes = len(simple.parameters), len(rich.parameters)
    return log10_p_value_of((simple.squares, rich.squares), sizes, float(rich.weight.sum()))


def log10_p_value_of(squares: tuple[float, float], sizes: tuple[int, int], tiles: float) -> float:
    """``log10_p_value`` from the sums of squares of two fits, their parameters, and their tiles."""
    (simple, rich), (fewer, more) = squares, sizes
    above, below = more - fewer, 2.0 * tiles - more
    if below < 2.0 or rich <= 0.0:
        return 0.0
    return log10_f_tail(max(simple - rich, 0.0) / above / (rich / below), above, below)
