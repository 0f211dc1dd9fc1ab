"""Band-limited scenes that are formulas: any view of them is exact, nothing is resampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from align_cli.engine.geometry.coordinates import Size, corners, map_points
from benchmarks.scenes import Floats

WAVES = 200
LOWEST, HIGHEST, NYQUIST = 0.01, 0.35, 0.5  # cycles a pixel
MEAN, CONTRAST = 128.0, 40.0  # grey levels; the contrast is a standard deviation


@dataclass(frozen=True)
class Waves:
    """Grey values ``MEAN`` + sum of amplitude * cos(2 pi (u x + v y) + phase); (n,) each."""

    amplitude: Floats
    u: Floats
    v: Floats
    phase: Floats

    def image(self, size: Size, to_scene: Floats) -> Floats:
        """The image of ``size`` whose pixel x shows the scene at ``to_scene`` x."""
        if (to_scene[2] == [0.0, 0.0, 1.0]).all():
            return self._affine_image(size, to_scene)
        width, height = size
        y, x = np.indices((height, width), dtype=np.float64)
        points = 2.0 * np.pi * map_points(to_scene, np.column_stack([x.ravel(), y.ravel()]))
        value = np.full(len(points), MEAN)
        for amplitude, u, v, phase in zip(self.amplitude, self.u, self.v, self.phase, strict=True):
            value += amplitude * np.cos(points @ [u, v] + phase)
        return value.reshape(height, width)

    def _affine_image(self, size: Size, to_scene: Floats) -> Floats:
        """The same and much sooner: a wave stays a wave, the product of one in x and one in y."""
        width, height = size
        u, v, offset = 2.0 * np.pi * (np.column_stack([self.u, self.v]) @ to_scene[:2]).T
        along_x = np.exp(1j * np.outer(u, np.arange(width)))
        along_y = self.amplitude * np.exp(
            1j * (np.outer(np.arange(height), v) + offset + self.phase)
        )
        return MEAN + (along_y @ along_x).real


def random_waves(rng: np.random.Generator) -> Waves:
    """Frequencies uniform in a disc, amplitudes as in nature: inverse to the frequency."""
    frequency = np.sqrt(rng.uniform(LOWEST**2, HIGHEST**2, WAVES))
    direction, phase = rng.uniform(0.0, 2.0 * np.pi, (2, WAVES))
    amplitude = 1.0 / frequency
    amplitude *= CONTRAST / np.sqrt((amplitude**2).sum() / 2.0)
    return Waves(amplitude, frequency * np.cos(direction), frequency * np.sin(direction), phase)


def aliases(to_scene: Floats, size: Size) -> bool:
    """Whether a view so stretches the scene somewhere that a wave may pass Nyquist.

    A homography stretches most in a corner.
    """
    start = corners(size)
    here = map_points(to_scene, start)
    along_x, along_y = (map_points(to_scene, start + step) - here for step in np.eye(2))
    stretch = np.linalg.norm(np.stack([along_x, along_y], axis=2), ord=2, axis=(1, 2)).max()
    return bool(stretch * HIGHEST >= NYQUIST)
