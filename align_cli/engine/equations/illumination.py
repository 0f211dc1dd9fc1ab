"""The photometric model: the illumination maps the source's grey values to the target's.

    target ~ factor(x) * source(W x) + offset(x)

Factor and offset are polynomials of degree 0 (gain and bias) or 2 (a lamp that falls off, a
vignette) in the target's normalised coordinates. They are solved with the motion, as more columns
of the normal equations (``align_cli.engine.equations.dense``). This module has the model, its
initial estimate and its update.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Plane, Vector
from align_cli.engine.geometry.coordinates import Size, normalisation
from align_cli.engine.geometry.models import MONOMIALS

LARGEST_GAIN: Final = 1000.0
"""A gain beyond this, or below its inverse, explains a flat image, not a change of illumination. It
is 257 between an image of 8 bits and the same values kept in 16."""

NO_TERMS, GAIN_BIAS, VARYING = 0, 1, len(MONOMIALS)
"""Number of terms of factor and offset: not solved for, constant, all monomials."""

_CORNERS: Final = np.array([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])


class Illumination(NamedTuple):
    """The illumination, target ~ factor(u, v) * source + offset(u, v).

    u and v are the target's pixel coordinates, relative to its centre and divided by half its
    longer side (``align_cli.engine.geometry.coordinates.normalisation``).

    Attributes:
        factor, offset: (6,) float64 each, coefficients of 1, u, v, u u, u v, v v (``MONOMIALS``).
    """

    factor: Vector
    offset: Vector

    @classmethod
    def uniform(cls, gain: float = 1.0, bias: float = 0.0) -> Illumination:
        """The illumination for which source = gain * target + bias everywhere."""
        factor, offset = np.zeros(VARYING), np.zeros(VARYING)
        factor[0], offset[0] = 1.0 / gain, -bias / gain
        return cls(factor, offset)

    def on_rows(self, size: Size, y: NDArray[np.float64], columns: int = 1) -> tuple[Plane, Plane]:
        """Factor and offset at pixels of the target.

        Args:
            size: (width, height) of the target.
            y: (h,), rows of the target, in pixels.
            columns: of each row every so many-th pixel is meant.

        Returns:
            float32, (h, w) each, or (1, 1) if neither varies.
        """
        if not self.varies:
            return self.factor[:1, None].astype(np.float32), self.offset[:1, None].astype(
                np.float32
            )
        to_normalised = normalisation(size)
        u = to_normalised[0, 0] * np.arange(0, size[0], columns) + to_normalised[0, 2]
        v = (to_normalised[1, 1] * y + to_normalised[1, 2])[:, None]
        u_32 = u.astype(np.float32)

        def plane(c: Vector) -> Plane:
            # A row is a polynomial in u, whose coefficients are polynomials in v.
            constant = (c[0] + v * (c[2] + v * c[5])).astype(np.float32)
            linear = (c[1] + v * c[4]).astype(np.float32)
            return np.asarray(constant + u_32 * (linear + u_32 * np.float32(c[3])))

        return plane(self.factor), plane(self.offset)

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
        """Whether factor or offset vary over the image."""
        # Called often, and numpy's any() takes five times as long for so few numbers.
        return any(self.factor.tolist()[1:]) or any(self.offset.tolist()[1:])

    @property
    def plausible(self) -> bool:
        """False if the factor is out of range, or anything is not finite."""
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
    """Illumination under which both sets of values, (n,) each, have the same quantiles.

    Quantiles need no correspondence; regression would, and gives a gain near zero for images that
    are not aligned.
    """
    low, middle, high = _quantiles(source_values)
    target_low, target_middle, target_high = _quantiles(target_values)
    if high <= low or target_high <= target_low:
        return Illumination.uniform(1.0, float(middle - target_middle))
    gain = float((high - low) / (target_high - target_low))
    return Illumination.uniform(gain, float(middle - gain * target_middle))


def _quantiles(values: NDArray[np.floating[Any]]) -> Vector:
    """Quantiles 0.1, 0.5 and 0.9; numpy's own imports numpy.ma, which takes as long as a solve."""
    ordered = np.sort(values)
    ranks = np.array([0.1, 0.5, 0.9]) * (ordered.size - 1)
    return np.asarray(np.interp(ranks, np.arange(ordered.size), ordered), np.float64)


def updated(illumination: Illumination, step: Vector, target_mean: float) -> Illumination:
    """The illumination after a step of the normal equations.

    The step explains the residual r = factor * source + offset - target as
    d(x) * (target - target_mean) + e(x); this is solved for the target. Products of polynomials are
    truncated to degree 2, which is exact at the solution, where d and e vanish.

    Args:
        illumination: the illumination before.
        step: (2 n,): the n coefficients of d, then those of e; n = 0, 1 or 6.
        target_mean: mean that was subtracted from the target.
    """
    terms = len(step) // 2
    if terms == NO_TERMS:
        return illumination
    if terms == GAIN_BIAS and not illumination.varies:
        # The closed form of the rest of this function, which is called often.
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
    """Product of two polynomials over ``MONOMIALS``, truncated to degree 2."""
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
