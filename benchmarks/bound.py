"""The Cramer-Rao bound: how exact an estimate from noisy images can be at best."""

from __future__ import annotations

import numpy as np

from align_cli.engine.geometry.coordinates import inverse, normalisation
from align_cli.engine.geometry.models import MODELS, MONOMIALS
from align_cli.engine.sampling.bilinear import overlap_mask
from benchmarks.scenes import Floats, Frame
from benchmarks.spectra import spectral_gradient, tapered

SEAM = 40
"""Pixels around the target over which the photograph fades out, so that it has no seam."""

DRAWS = 200
STRIDE = 8  # the EPE is smooth: every eighth pixel of every eighth row will do


def bound_for_unit_noise(frame: Frame, truth: Floats, model: str) -> float:
    """Expected EPE, px, of an efficient estimate where both images have noise of sigma 1.

    Its covariance is 2 sigma^2 (J^T J)^-1, with J from the noise-free target, so the bound is
    proportional to sigma.
    """
    picture = np.pad(frame.picture, SEAM, mode="reflect")
    beside = SEAM + frame.rim
    inner = np.s_[beside:-beside, beside:-beside]
    gradient_x, gradient_y = (
        gradient[inner] for gradient in spectral_gradient(tapered(picture, SEAM))
    )
    motion, to_normalised = MODELS[model], normalisation(frame.size)
    x = np.arange(frame.size[0]) * to_normalised[0, 0] + to_normalised[0, 2]
    y = np.arange(frame.size[1]) * to_normalised[1, 1] + to_normalised[1, 2]
    monomials = np.array([y[:, None] ** j * x**i for i, j in MONOMIALS])
    move_x, move_y = (
        np.tensordot(table, monomials, axes=1) / to_normalised[0, 0]
        for table in (motion.jacobian_x, motion.jacobian_y)
    )
    seen = overlap_mask(inverse(truth), frame.size, frame.size)
    jacobian = (move_x * gradient_x + move_y * gradient_y)[:, seen]
    covariance = 2.0 * np.linalg.inv(jacobian @ jacobian.T)
    normal = np.random.default_rng(0).normal(size=(motion.size, DRAWS))
    draws = (np.linalg.cholesky(covariance) @ normal).T
    moved_x, moved_y = (
        np.tensordot(draws, move[:, ::STRIDE, ::STRIDE], axes=1) for move in (move_x, move_y)
    )
    return float(np.hypot(moved_x, moved_y).mean())
