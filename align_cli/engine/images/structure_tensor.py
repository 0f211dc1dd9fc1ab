"""Orientation planes: the direction of edges, invariant to their sign and contrast.

Near infra-red, fluorescence or a negative show an edge where visible light shows one, but with
another sign and contrast. The direction of an edge, at double angle, is invariant to both:

    (c, s) = (G*(gx^2 - gy^2), G*(2 gx gy)) / (G*(gx^2 + gy^2) + e)

with g the gradient of a level, G a small Gaussian and e the noise energy of a flat area: the
structure tensor of Bigün and Granlund (1987), normalised. A gradient and its opposite give the same
(c, s); so does one ten times as steep. In pure noise both are near 0.

A rotation of the image rotates its orientations too. So the source is warped before they are
computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.images.pyramid import Level
from align_cli.engine.sampling.gradients import central_differences

SMOOTHING_PX: Final = 0.5
"""Standard deviation of G, in pixels of the level. Median EPE of right estimates on ten photographs
with remapped grey values: 0.031 px; with 0.7 0.036 px, with 1.0 0.043 px, with 1.5 0.069 px. With
0.35 it is 0.028 px, and one estimate more of forty is lost (``benchmarks.unlike --calibrate``)."""

NOISE_FACTOR: Final = 2.0
"""e, in units of the noise's mean squared gradient."""

LEAST_SHARE: Final = 1e-3
"""Least e, relative to the mean squared gradient, so that rounding counts as noise."""


@dataclass(frozen=True)
class Tensors:
    """The structure tensor of every pixel of a level, and the contribution of noise to its trace.

    ``planes`` are gx^2, gx gy and gy^2, (height, width) float32 each, in the level's pixels.
    """

    planes: tuple[Plane, Plane, Plane]
    noise: float
    valid: Mask | None


def tensors(level: Level, noise_energy: float) -> Tensors:
    """The structure tensors of a level.

    Args:
        level: grey values, (height, width).
        noise_energy: mean squared gradient of its noise, in its units.
    """
    x, y = central_differences(level.image)
    return Tensors((x * x, x * y, y * y), noise_energy, level.valid)


def tensor_pyramid(levels: Sequence[Level], noise_energies: Sequence[float]) -> list[Tensors]:
    """Tensors of every level: its own plus those of all finer ones, averaged.

    An edge that a map of the grey values has split in two, or turned into a line, cancels when grey
    values are averaged; its tensors add up.
    """
    found: list[Tensors] = []
    for level, energy in zip(levels, noise_energies, strict=True):
        own = tensors(level, energy)
        if found:
            below = found[-1]
            for plane, finer in zip(own.planes, below.planes, strict=True):
                np.add(plane, cv2.pyrDown(finer, borderType=cv2.BORDER_REFLECT_101), out=plane)
            own = Tensors(own.planes, own.noise + below.noise, own.valid)
        found.append(own)
    return found


def orientation_planes(found: Tensors) -> tuple[Level, Level]:
    """The planes (c, s) of a level, as levels with the same valid pixels."""
    return planes_of_smoothed(smoothed(found))


def smoothed(found: Tensors) -> Tensors:
    """G*T of the structure tensors T of a level."""
    xx, xy, yy = (_smoothed(plane) for plane in found.planes)
    return Tensors((xx, xy, yy), found.noise, found.valid)


def planes_of_smoothed(found: Tensors, turn: Matrix | None = None) -> tuple[Level, Level]:
    """The planes (c, s) of smoothed tensors, whose planes are overwritten.

    Args:
        found: the result of ``smoothed``, possibly warped.
        turn: (2, 2) Jacobian of the warp under which they are seen; None for none.
    """
    (xx, xy, yy), noise = found.planes, found.noise
    if turn is not None:
        (a, b), (c, d) = turn.astype(np.float32)
        xx, xy, yy = (
            a * a * xx + 2 * a * c * xy + c * c * yy,
            a * b * xx + (a * d + b * c) * xy + c * d * yy,
            b * b * xx + 2 * b * d * xy + d * d * yy,
        )
        noise *= 0.5 * float((turn**2).sum())
    energy = xx + yy
    floor = NOISE_FACTOR * noise + LEAST_SHARE * float(energy.mean())
    energy += np.float32(max(floor, float(np.finfo(np.float32).tiny)))
    xx -= yy
    xx /= energy
    xy *= np.float32(2.0)
    xy /= energy
    return Level(xx, found.valid), Level(xy, found.valid)


def _smoothed(plane: Plane) -> Plane:
    smooth = cv2.GaussianBlur(plane, (0, 0), SMOOTHING_PX, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(smooth, np.float32)
