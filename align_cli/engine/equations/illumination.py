"""The illumination: how the source's grey values must be changed to look like the target's.

    target ~ factor(x) * source(W x) + offset(x)

Factor and offset are polynomials of degree 0 (gain and bias) or 2 (a lamp that falls off, a
vignette) in the target's normalised coordinates. They are solved with the motion, as more columns
of the normal equations (``align_cli.engine.equations.dense``), so a change of illumination needs no
second loop. What is here is the pair itself, its first guess and its update.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Vector
from align_cli.engine.geometry.models import MONOMIALS

LARGEST_GAIN: Final = 100.0
"""A gain beyond this, or below its inverse, explains a flat image, not a change of illumination."""

NO_TERMS, GAIN_BIAS, VARYING = 0, 1, len(MONOMIALS)
"""Number of terms that factor and offset have: none are solved for, one, all monomials."""

_CORNERS: Final = np.array([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])


class Illumination(NamedTuple):
    """Coefficients, in the order of ``MONOMIALS``, of the factor and the offset, (6,) each."""

    factor: Vector
    offset: Vector

    @classmethod
    def uniform(cls, gain: float = 1.0, bias: float = 0.0) -> Illumination:
        """The illumination for which source = gain * target + bias everywhere."""
        factor, offset = np.zeros(VARYING), np.zeros(VARYING)
        factor[0], offset[0] = 1.0 / gain, -bias / gain
        return cls(factor, offset)

    @property
    def gain(self) -> float:
        """Gain at the centre of the target: source ~ gain * target + bias."""
        return 1.0 / float(self.factor[0])

    @property
    def bias(self) -> float:
        """Bias at the centre of the target."""
        return -float(self.offset[0]) / float(self.factor[0])

    @property
    def varies(self) -> bool:
        """True where factor or offset are not the same everywhere."""
        # So few numbers, so often: numpy's any() takes five times as long.
        return any(self.factor.tolist()[1:]) or any(self.offset.tolist()[1:])

    @property
    def plausible(self) -> bool:
        """False where the factor is negative, vanishing, exploding or not finite somewhere."""
        if self.varies:
            factors = polynomial(self.factor, _CORNERS)
            least, largest = float(factors.min()), float(factors.max())
        else:
            least = largest = float(self.factor[0])
        finite = math.isfinite(float(self.offset.sum()))
        return finite and least > 1.0 / LARGEST_GAIN and largest < LARGEST_GAIN


def illumination_from_quantiles(
    source_values: NDArray[np.floating[Any]], target_values: NDArray[np.floating[Any]]
) -> Illumination:
    """Illumination that gives both sets of values, (n,) each, the same median and the same spread.

    Regression of one on the other would need aligned images: while they are not, it finds a gain
    near zero. Quantiles need no correspondence.
    """
    low, middle, high = _quantiles(source_values)
    target_low, target_middle, target_high = _quantiles(target_values)
    if high <= low or target_high <= target_low:
        return Illumination.uniform(1.0, float(middle - target_middle))
    gain = float((high - low) / (target_high - target_low))
    return Illumination.uniform(gain, float(middle - gain * target_middle))


def _quantiles(values: NDArray[np.floating[Any]]) -> Vector:
    """Quantiles 0.1, 0.5 and 0.9; numpy's own import numpy.ma, which takes as long as a solve."""
    ordered = np.sort(values)
    places = np.array([0.1, 0.5, 0.9]) * (ordered.size - 1)
    return np.asarray(np.interp(places, np.arange(ordered.size), ordered), np.float64)


def updated(illumination: Illumination, step: Vector, target_mean: float) -> Illumination:
    """The illumination after a step of the normal equations.

    The residual r = factor * source + offset - target was explained as
    d(x) * (target - target_mean) + e(x); solve that for the target, with the relit source in the
    target's state. Products of polynomials lose what is beyond degree 2; at the end, where d and
    e vanish, that is nothing.

    Args:
        illumination: the illumination before.
        step: (2 n,): the n coefficients of d, then those of e; n = 0, 1 or 6.
        target_mean: what was taken off the target.
    """
    terms = len(step) // 2
    if terms == NO_TERMS:
        return illumination
    if terms == GAIN_BIAS and not illumination.varies:
        # What the rest of this function comes to, many times in every alignment.
        gain = illumination.gain * (1.0 + step[0])
        offset = (illumination.offset[0] - step[1] - target_mean) / (1.0 + step[0]) + target_mean
        return Illumination.uniform(gain, -offset * gain)
    d, e = np.zeros(VARYING), np.zeros(VARYING)
    d[:terms], e[:terms] = step[:terms], step[terms:]
    # 1 / (1 + d) for any uniform part of d and a small varying one.
    shrink = -d / (1.0 + d[0]) ** 2
    shrink[0] = 1.0 / (1.0 + d[0])
    offset = illumination.offset - e
    offset[0] -= target_mean
    offset = multiplied(offset, shrink)
    offset[0] += target_mean
    return Illumination(multiplied(illumination.factor, shrink), offset)


def multiplied(first: Vector, second: Vector) -> Vector:
    """Product of two polynomials over ``MONOMIALS``, without what is beyond degree 2."""
    product = np.zeros(VARYING)
    for (i, j), a in zip(MONOMIALS, first, strict=True):
        for (k, m), b in zip(MONOMIALS, second, strict=True):
            if (i + k, j + m) in MONOMIALS:
                product[MONOMIALS.index((i + k, j + m))] += a * b
    return product


def polynomial(coefficients: Vector, points: NDArray[np.float64]) -> Vector:
    """Values, (n,), at (n, 2) normalised points of a polynomial over ``MONOMIALS``."""
    x, y = points.T
    values: Vector = sum(c * x**i * y**j for c, (i, j) in zip(coefficients, MONOMIALS, strict=True))
    return values
