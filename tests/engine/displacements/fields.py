"""Displacement fields with a known truth, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.displacements.fit import Matches
from align_cli.engine.geometry.coordinates import Size

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]

SIZE: Size = (352, 240)
SIDE, REACH = 16.0, 10.0


def spread(count: int, rng: np.random.Generator, size: Size = SIZE) -> Floats:
    """(count, 2) places of an image, its borders included."""
    return rng.uniform((0.0, 0.0), (size[0] - 1.0, size[1] - 1.0), (count, 2))


def covariances(count: int, rng: np.random.Generator, sigma: float = 0.1) -> Floats:
    """(count, 2, 2), long ellipses in any direction, standard deviations around ``sigma``."""
    sigmas = sigma * np.exp(rng.normal(0.0, 0.7, (count, 2)))
    angle = rng.uniform(0.0, np.pi, count)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.einsum("ijn,nj,kjn->nik", axes, sigmas**2, axes)


def drawn(covariance: Floats, rng: np.random.Generator) -> Floats:
    """(n, 2) normal errors with these covariances."""
    half = np.linalg.cholesky(covariance)
    return np.einsum("nij,nj->ni", half, rng.normal(size=(len(covariance), 2)))


def matches(
    field: Field,
    count: int = 120,
    *,
    seed: int = 0,
    wrong: float = 0.0,
    scatter: float = 0.0,
    sigma: float = 0.1,
    position: Floats | None = None,
) -> Matches:
    """Tiles displaced by ``field``, with errors as their covariances tell.

    A share ``wrong`` of them, the first, is displaced to anywhere in the window instead.
    """
    rng = np.random.default_rng(seed)
    position = spread(count, rng) if position is None else position
    count = len(position)
    covariance = covariances(count, rng, sigma)
    displacement = field(position) + drawn(covariance, rng)
    displacement += rng.normal(0.0, scatter, (count, 2))
    mismatched = np.arange(count) < wrong * count
    displacement[mismatched] = rng.uniform(-REACH, REACH, (np.count_nonzero(mismatched), 2))
    return Matches(position, displacement, covariance, np.full(count, SIDE), np.full(count, REACH))


def still(position: Floats) -> Floats:
    return np.zeros_like(position)


def lens(k1: float, size: Size = SIZE) -> Field:
    """Radial distortion by the third power of the distance from the centre."""

    def field(position: Floats) -> Floats:
        centre = (np.array(size) - 1.0) / 2.0
        half = max(size) / 2.0
        u = (position - centre) / half
        return half * k1 * u * np.square(u).sum(axis=1, keepdims=True)

    return field
