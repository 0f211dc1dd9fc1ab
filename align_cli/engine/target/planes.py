"""The planes of one level of the target that the normal equations are summed from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.geometry.coordinates import Size, normalisation
from align_cli.engine.images.pyramid import REACH, LazyFullSize, Level, eroded_by_reach
from align_cli.engine.numerics.blas import inner
from align_cli.engine.numerics.row_bands import Bands
from align_cli.engine.numerics.samples import SAMPLE_PIXELS
from align_cli.engine.sampling.gradients import inner_differences

BORDER: Final = REACH + 1
"""Pixels next to each border that are not used: the reach of the smoothing and of the central
difference."""

STEEPNESS_PIXELS: Final = SAMPLE_PIXELS
"""Number of pixels from which ``TargetPlanes.steepness`` is measured."""

_SIXTH_ORDER_REACH: Final = 3
"""Reach of the derivative of sixth order, in pixels."""

TEXTURE_SHARE: Final = 0.1
"""A pixel has texture if its squared gradient is above this share of the level's mean. Measured
on pages of text shifted by a few pixels: every loss finds the shift; with all pixels most
failed."""


SAMPLED_RUNS: Final = 8
SAMPLED_ROWS: Final = 12
"""Evenly spaced runs of rows from which mean, spread and texture of large planes are estimated."""

Rows = slice | NDArray[np.intp]
"""Rows of the planes: a slice without a step, or indices."""


@dataclass(frozen=True, eq=False)
class TargetRows:
    """A part of the rows of the planes.

    Attributes:
        image: (h, w) float32, less ``TargetPlanes.mean``.
        column: (h, w) float32, the column of the illumination's factor: ``image``, or its denoised
            version (noise that is also in the residual would bias the factor).
        gradient_x, gradient_y: (h, w) float32, per *pixel*.
        weight: (h, w) float32 fixed weights of the residuals; None if the loss weighs them.
        valid: (h, w) bool, the valid pixels; None for all.
    """

    image: Plane
    column: Plane
    gradient_x: Plane
    gradient_y: Plane
    weight: Plane | None = None
    valid: Mask | None = None

    def part(self, rows: Rows, columns: slice = slice(None)) -> TargetRows:
        """A part of these rows and columns."""
        part = rows, columns
        image = self.image[part]
        return TargetRows(
            image=image,
            column=image if self.column is self.image else self.column[part],
            gradient_x=self.gradient_x[part],
            gradient_y=self.gradient_y[part],
            weight=None if self.weight is None else self.weight[part],
            valid=None if self.valid is None else self.valid[part],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetPlanes:
    """The planes of one level of the target.

    They cover the interior of the level, where no filter reaches beyond the border (in the
    refinement, which does not smooth, the whole level), or bands of its rows, stacked.

    Attributes:
        size: (width, height) of the whole level.
        origin: (x, y) of the interior's first pixel in the level.
        bands: the rows of the interior that the planes have.
        mean: mean of the level, subtracted so that the two columns of the illumination are nearly
            orthogonal.
        spread: standard deviation of the level.
        texture: squared gradient above which a pixel has texture.
        steepness: true derivative along the gradient over its central difference.
        valid: (h, w) bool, the valid pixels of the interior; None for all.
        noise: standard deviation of the noise in ``column``; 0 if it is denoised or unknown.
        powers_x: (w, 5) float32, powers 0 to 4 of the normalised x.
        powers_y: (h, 5) float64, the same of y.
        pixels_per_unit: length in pixels of a unit of the normalised coordinates.
    """

    size: Size
    origin: tuple[int, int]
    bands: Bands
    mean: float
    spread: float
    texture: float
    steepness: float
    valid: Mask | None
    powers_x: NDArray[np.float32]
    powers_y: NDArray[np.float64]
    pixels_per_unit: float
    noise: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of every plane."""
        return len(self.powers_y), len(self.powers_x)

    @property
    def energy(self) -> float:
        """Mean squared gradient."""
        return self.texture / TEXTURE_SHARE

    @property
    def weighted(self) -> bool:
        """Whether the weights of the residuals are fixed."""
        return False

    @property
    def whole(self) -> TargetRows:
        """All rows of every plane."""
        return self.part(slice(None))

    def part(self, rows: Rows) -> TargetRows:
        """A part of the rows of every plane."""
        raise NotImplementedError

    def replaced(self, **values: Any) -> TargetPlanes:
        """A copy with other attributes, or other planes of ``TargetRows``, then stored."""
        planes = {each.name: values.pop(each.name) for each in _PLANES if each.name in values}
        kept = {each.name: getattr(self, each.name) for each in fields(TargetPlanes)}
        stored = replace(self.whole, **planes)
        return StoredPlanes(stored=stored, **(kept | values | {"valid": stored.valid}))


_PLANES: Final = fields(TargetRows)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredPlanes(TargetPlanes):
    """Planes that are stored in memory."""

    stored: TargetRows

    @property
    def weighted(self) -> bool:
        """Whether the weights of the residuals are fixed."""
        return self.stored.weight is not None

    def part(self, rows: Rows) -> TargetRows:
        """A part of the rows of every plane."""
        return self.stored.part(rows)


GradientChange = Callable[[Plane, Plane], None]
"""Changes the gradient along x and along y of a run of rows, in place."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LazyPlanes(TargetPlanes):
    """The planes of a level, computed when they are used.

    The native core computes the gradient on the fly, which takes less time than to read it from
    memory.

    Attributes:
        level: the level.
        modify_gradient: modifies its gradient; None for none.
    """

    level: Level
    modify_gradient: GradientChange | None = None

    @property
    def stored(self) -> bool:
        """Whether the pixels of the level are in memory."""
        return not isinstance(self.level, LazyFullSize)

    def sampled_runs(self) -> list[TargetRows]:
        """Evenly spaced runs of rows, a sample of all; all rows if the level is in memory."""
        if self.stored:
            return [self.whole]
        runs = self.bands.cut(SAMPLED_ROWS)
        step = max(1, len(runs) // SAMPLED_RUNS)
        return [self.part(rows) for rows in runs[step // 2 :: step]]

    def replaced(self, **values: Any) -> TargetPlanes:
        """A copy with other attributes; stored if a plane is among them."""
        if values.keys() <= {
            "modify_gradient",
            "mean",
            "noise",
            "spread",
            "steepness",
            "texture",
            "valid",
        }:
            return replace(self, **values)
        return super().replaced(**values)

    def part(self, rows: Rows) -> TargetRows:
        """A part of the rows of every plane, computed for each run of consecutive rows."""
        index = np.arange(self.shape[0])[rows]
        y = self.bands.y[index].astype(np.intp)
        edges = [0, *(np.flatnonzero(np.diff(y) != 1) + 1), len(y)]
        found = [self._run(int(y[first]), end - first) for first, end in pairwise(edges)]
        image, along_x, along_y = (
            planes[0] if len(found) == 1 else np.concatenate(planes)
            for planes in zip(*found, strict=True)
        )
        valid = None if self.valid is None else self.valid[rows]
        return TargetRows(image, image, along_x, along_y, valid=valid)

    def padded_rows(self, first: int, count: int) -> Plane:
        """The level's pixels in a run of rows of the interior, padded by one pixel on each side."""
        left, top = self.origin
        width = self.shape[1]
        return self.level.part(
            np.s_[top + first - 1 : top + first + count + 1, left - 1 : left + width + 1]
        )

    def _run(self, first: int, count: int) -> tuple[Plane, Plane, Plane]:
        image = self.padded_rows(first, count)
        x, y = inner_differences(image)
        if self.modify_gradient is not None:
            self.modify_gradient(x, y)
        return np.asarray(image[1:-1, 1:-1] - np.float32(self.mean), np.float32), x, y


def has_interior(size: Size) -> bool:
    """Whether a level of (width, height) without invalid pixels has an interior."""
    return min(size) > 2 * BORDER + 1


def target_planes(
    level: Level, most_pixels: int | None = None, *, noise: float = 0.0
) -> LazyPlanes | None:
    """The planes of a pyramid level of the target; None if it has no interior.

    Args:
        level: the level.
        most_pixels: number of pixels, about, of the bands of rows that are used; None for all rows.
        noise: standard deviation of the noise of the level.

    The gradient is the central difference of the smoothed level: the derivative of what linear
    sampling reconstructs, and odd, so that noise in it does not correlate with the noise of the
    residual at the same pixel.
    """
    reach = BORDER
    if not has_interior(level.size):
        return None
    valid = eroded_by_reach(level.valid)
    if valid is not None and not valid[_interior(level, reach)].any():
        return None
    width, height = (side - 2 * reach for side in level.size)
    bands = Bands.whole(height)
    if most_pixels is not None and valid is None:
        bands = Bands.spread(height, width, most_pixels)
    mask = None if valid is None else _stacked(valid, bands, reach)
    planes = LazyPlanes(
        **_geometry(level.size, reach, bands),
        mean=0.0,
        spread=0.0,
        texture=0.0,
        steepness=1.0,
        valid=mask,
        noise=noise,
        level=level,
    )
    runs = planes.sampled_runs()
    image = np.concatenate([run.image for run in runs])
    gradient = (
        np.concatenate([run.gradient_x for run in runs]),
        np.concatenate([run.gradient_y for run in runs]),
    )
    steepness = _steepness(image, mask)
    mean, spread = _centred(image, mask)
    texture = texture_threshold(gradient, mask)
    return replace(planes, mean=mean, spread=spread, texture=texture, steepness=steepness)


def planes_with_gradient(
    level: Level,
    gradient: tuple[Plane, Plane],
    *,
    reach: int,
    column: Plane | None = None,
    weight: Plane | None = None,
) -> TargetPlanes:
    """The planes of a level with a given gradient.

    Args:
        level: the image and its valid pixels, at least one.
        gradient: along x and along y, (height, width) each, per pixel.
        reach: pixels next to each border that are not used.
        column: (height, width), see ``TargetRows``; None for the image.
        weight: (height, width), see ``TargetRows``.
    """
    bands = Bands.whole(level.size[1] - 2 * reach)

    def interior(plane: NDArray[Any]) -> NDArray[Any]:
        return _stacked(plane, bands, reach)

    image, valid = interior(level.image), None if level.valid is None else interior(level.valid)
    along_x, along_y = map(interior, gradient)
    mean, spread = _centred(image, valid)
    return StoredPlanes(
        **_geometry(level.size, reach, bands),
        mean=mean,
        spread=spread,
        texture=texture_threshold((along_x, along_y), valid),
        steepness=1.0,
        valid=valid,
        stored=TargetRows(
            image=image,
            column=image if column is None else interior(column) - np.float32(mean),
            gradient_x=along_x,
            gradient_y=along_y,
            weight=None if weight is None else interior(weight),
            valid=valid,
        ),
    )


def _stacked(plane: NDArray[Any], bands: Bands, reach: int) -> NDArray[Any]:
    """The rows of the bands of a plane's interior."""
    columns = np.s_[reach : plane.shape[1] - reach]
    return np.concatenate(
        [plane[reach + rows.start : reach + rows.stop, columns] for rows in bands.slices]
    )


def _geometry(size: Size, reach: int, bands: Bands) -> dict[str, Any]:
    """Position of the planes in the level, and the powers of their coordinates."""
    to_normalised = normalisation(size)
    x = to_normalised[0, 0] * np.arange(reach, size[0] - reach) + to_normalised[0, 2]
    y = to_normalised[1, 1] * (reach + bands.y) + to_normalised[1, 2]
    return {
        "size": size,
        "origin": (reach, reach),
        "bands": bands,
        "powers_x": _powers(x).astype(np.float32),
        "powers_y": _powers(y),
        "pixels_per_unit": 1.0 / float(to_normalised[0, 0]),
    }


def _powers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 5) powers 0 to 4."""
    powers = np.ones((len(values), 5))
    np.multiply.accumulate(np.broadcast_to(values[:, None], (len(values), 4)), 1, out=powers[:, 1:])
    return powers


def _centred(image: Plane, valid: Mask | None) -> tuple[float, float]:
    """Mean and standard deviation of an image, from which the mean is subtracted in place."""
    mask = None if valid is None else valid.view(np.uint8)
    mean = cv2.mean(image, mask)[0]
    image -= np.float32(mean)
    squares = cv2.norm(image, cv2.NORM_L2SQR, mask)
    pixels = image.size if valid is None else int(np.count_nonzero(valid))
    return mean, math.sqrt(squares / max(pixels, 1))


def _steepness(image: Plane, valid: Mask | None) -> float:
    """<g, g'> / <g, g> of a sample of rows, with g' the derivative of sixth order.

    Central differences underestimate the gradient of fine details, which makes steps too long by
    this factor.
    """
    rows = np.s_[:: max(1, image.size // STEEPNESS_PIXELS), :]
    image = image[rows]
    if image.shape[1] <= 2 * _SIXTH_ORDER_REACH:
        return 1.0
    inside = slice(_SIXTH_ORDER_REACH, image.shape[1] - _SIXTH_ORDER_REACH)
    near, middle, far = (
        image[:, inside.start + n : inside.stop + n] - image[:, inside.start - n : inside.stop - n]
        for n in range(1, _SIXTH_ORDER_REACH + 1)
    )
    along_x = 0.5 * near
    if valid is not None:
        along_x *= valid[rows][:, inside]  # the edge of a mask is no texture
    exact = (45.0 * near - 9.0 * middle + far) / 60.0
    energy = inner(along_x, along_x)
    return inner(along_x, exact) / energy if energy > 0.0 else 1.0


def texture_threshold(gradient: tuple[Plane, Plane], valid: Mask | None) -> float:
    """The squared gradient above which a pixel has texture."""
    if valid is None:
        energy = sum(inner(plane, plane) for plane in gradient) / gradient[0].size
    else:
        mask = valid.view(np.uint8)
        energy = sum(cv2.mean(plane * plane, mask)[0] for plane in gradient)
    return TEXTURE_SHARE * energy


def _interior(level: Level, reach: int) -> tuple[slice, slice]:
    width, height = level.size
    return np.s_[reach : height - reach, reach : width - reach]


def textured(target: TargetPlanes) -> Mask:
    """(h, w) bool, where the squared gradient is above ``texture``.

    In flat areas every residual is small, aligned or not; with a scale estimated there all edges
    would be outliers.
    """
    rows = target.whole
    x, y = rows.gradient_x, rows.gradient_y
    return np.asarray(x * x + y * y > target.texture, np.bool_)
