"""Synthetic scenes with a known truth, for tests of every layer.

A scene is a formula: a sum of sinusoids and Gaussian blobs, evaluated wherever it is asked for.
A warped picture of it is the formula at the warped coordinates, so the truth of a pair is exact:
nothing has been resampled, and no code of align_cli had a part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
Matrix = NDArray[np.float64]
Size = tuple[int, int]  # (width, height)

MODEL_NAMES = ("translation", "rigid", "similarity", "affine", "homography")
DTYPES = ("uint8", "uint16", "float32", "float64")
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Scene:
    """Values in about 0.15 to 0.85, for all x and y.

    ``waves`` is (n, 4): amplitude, radians per pixel along x and y, phase; ``blobs`` is (m, 4):
    amplitude, x, y and standard deviation in pixels.
    """

    waves: NDArray[np.float64]
    blobs: NDArray[np.float64]

    def __call__(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        value = np.full(np.broadcast(x, y).shape, 0.5)
        for amplitude, along_x, along_y, phase in self.waves:
            value += amplitude * np.sin(along_x * x + along_y * y + phase)
        for amplitude, centre_x, centre_y, spread in self.blobs:
            squared = ((x - centre_x) ** 2 + (y - centre_y) ** 2) / spread**2
            value += amplitude * np.exp(-0.5 * squared)
        return value


def textured(seed: int = 0, *, size: Size = (160, 120)) -> Scene:
    """Texture of every scale from 12 px to the image, without a period."""
    numbers = np.random.default_rng([1, seed])
    count = 24
    wavelength = np.geomspace(12.0, max(size), count)
    direction = numbers.uniform(0.0, 2.0 * np.pi, count)
    amplitude = wavelength**0.5
    amplitude *= 0.25 / np.sqrt((amplitude**2).sum() * 2.0)
    frequency = 2.0 * np.pi / wavelength
    phase = numbers.uniform(0.0, 2.0 * np.pi, count)
    waves = np.column_stack(
        [amplitude, frequency * np.cos(direction), frequency * np.sin(direction), phase]
    )
    blobs = np.column_stack(
        [
            numbers.uniform(-0.12, 0.12, 8),
            numbers.uniform(0.0, size[0], 8),
            numbers.uniform(0.0, size[1], 8),
            numbers.uniform(5.0, 20.0, 8),
        ]
    )
    return Scene(waves, blobs)


def pixel_grid(size: Size) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y of every pixel centre, (height, width) each."""
    width, height = size
    y, x = np.mgrid[0.0:height, 0.0:width]
    return x, y


def mapped(matrix: Matrix, x: Any, y: Any) -> tuple[Any, Any]:
    """x and y through a homogeneous matrix."""
    w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    return (
        (matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]) / w,
        (matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]) / w,
    )


def about(size: Size, matrix: Matrix) -> Matrix:
    """``matrix`` with the centre of an image of ``size`` as its origin."""
    centre = np.eye(3)
    centre[:2, 2] = (np.array(size) - 1.0) / 2.0
    return centre @ matrix @ np.linalg.inv(centre)


def unit(matrix: Matrix) -> Matrix:
    return matrix / matrix[2, 2]


def motion(
    model: str, size: Size, move_px: float = 4.0, seed: int = 0, *, shift_px: float | None = None
) -> Matrix:
    """A random member of a model, written out without the engine, about the image's centre.

    Each of its terms (shift, angle, scale, shear, perspective) moves the image's border by up to
    about ``move_px``; ``shift_px`` is the shift's own limit.
    """
    numbers = np.random.default_rng([2, seed])
    shift = numbers.uniform(-1.0, 1.0, 2) * (move_px if shift_px is None else shift_px)
    angle, scale, a, b, c, d, g, h = numbers.uniform(-1.0, 1.0, 8) * move_px / (max(size) / 2.0)
    matrix = np.eye(3)
    if model in ("rigid", "similarity"):
        matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    if model == "similarity":
        matrix[:2, :2] *= 1.0 + scale
    if model in ("affine", "homography"):
        matrix[:2, :2] += [[a, b], [c, d]]
    if model == "homography":
        matrix[2, :2] = np.array([g, h]) / (max(size) / 2.0)
    matrix[:2, 2] = shift
    return unit(about(size, matrix))


def quantised(values: NDArray[np.float64], dtype: str) -> Image:
    """Values 0 to 1 as an image of ``dtype``: rounded shares of full scale, or as they are."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return values.astype(kind)
    full = np.iinfo(kind).max
    return np.clip(np.rint(values * full), 0, full).astype(kind)


def coloured(values: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """(height, width) values as 1 to 4 channels whose luma (and alpha) leaves them as they are.

    0 channels means two-dimensional.
    """
    if channels == 0:
        return values
    height, width = values.shape
    x, y = pixel_grid((width, height))
    if channels in (3, 4):
        red, green = 0.04 * np.sin(x / 9.0 + y / 31.0), 0.03 * np.cos(y / 7.0 - x / 23.0)
        tint = np.stack([red, green, -(LUMA[0] * red + LUMA[1] * green) / LUMA[2]], axis=2)
        colours = values[:, :, None] + 0.5 * tint
    else:
        colours = values[:, :, None]
    if channels in (2, 4):
        colours = np.concatenate([colours, np.ones((height, width, 1))], axis=2)
    return colours


def render(
    scene: Scene,
    size: Size,
    to_scene: Matrix | None = None,
    *,
    gain: float = 1.0,
    bias: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    dtype: str = "float32",
    channels: int = 0,
) -> Image:
    """``gain * scene(to_scene(x, y)) + bias`` at every pixel, plus normal noise."""
    x, y = pixel_grid(size)
    if to_scene is not None:
        x, y = mapped(to_scene, x, y)
    values = gain * scene(x, y) + bias
    if noise:
        values = values + np.random.default_rng([3, seed]).normal(0.0, noise, values.shape)
    return quantised(coloured(values, channels), dtype)


@dataclass(frozen=True)
class Pair:
    """Two pictures of one scene, and the transform between them.

    source(x) = gain * scene(source_to_target x) + bias and target(x) = scene(x).
    """

    source: Image
    target: Image
    source_to_target: Matrix

    @property
    def source_size(self) -> Size:
        height, width = self.source.shape[:2]
        return width, height

    def error_px(self, estimate: Matrix) -> float:
        """Mean distance of the source's corners under the estimate from the truth, in pixels."""
        width, height = self.source_size
        x = np.array([0.0, width - 1.0, width - 1.0, 0.0])
        y = np.array([0.0, 0.0, height - 1.0, height - 1.0])
        found, true = mapped(estimate, x, y), mapped(self.source_to_target, x, y)
        return float(np.hypot(found[0] - true[0], found[1] - true[1]).mean())


def pair(
    source_to_target: Matrix | str = "homography",
    *,
    seed: int = 0,
    size: Size = (160, 120),
    source_size: Size | None = None,
    move_px: float = 4.0,
    gain: float = 1.0,
    bias: float = 0.0,
    noise: float = 0.0,
    occluded: float = 0.0,
    dtype: str = "float32",
    source_dtype: str | None = None,
    channels: int = 0,
    source_channels: int | None = None,
) -> Pair:
    """A pair whose truth is given, or drawn from the model of that name.

    ``size`` is the target's. ``occluded`` is the share of the source's pixels that a patch of
    other texture hides, off centre.
    """
    scene = textured(seed, size=size)
    source_size = source_size or size
    if isinstance(source_to_target, str):
        source_to_target = motion(source_to_target, size, move_px, seed)
    target = render(scene, size, noise=noise, seed=2 * seed, dtype=dtype, channels=channels)
    source = render(
        scene,
        source_size,
        source_to_target,
        gain=gain,
        bias=bias,
        noise=noise,
        seed=2 * seed + 1,
        dtype=source_dtype or dtype,
        channels=channels if source_channels is None else source_channels,
    )
    if occluded:
        width, height = source_size
        side_x, side_y = (round(side * occluded**0.5) for side in source_size)
        left, top = (width - side_x) // 4, (height - side_y) // 3
        patch = render(textured(seed + 1000, size=size), (side_x, side_y), dtype="float64")
        source[top : top + side_y, left : left + side_x] = quantised(
            coloured(patch, 0 if source.ndim == 2 else source.shape[2]), source.dtype.name
        )
    return Pair(source, target, source_to_target)


def stripes(size: Size = (120, 100), *, shift: float = 0.0) -> Image:
    """Diagonal stripes, which look the same wherever they are moved along their own direction."""
    x, y = pixel_grid(size)
    return 0.5 + 0.3 * np.sin((x + shift + 2.0 * y) / 6.0)
