"""A level seen at a few thousand of its pixels: those that tell most of the motion.

Down the pyramid an answer need only be a good start for the next level, and a few thousand pixels
give that as well as all of them, if they are the right ones. A level is cut into cells, and each
cell sends the pixel with the largest gradient among its candidates (Dellaert and Collins 1999
choose pixels by what they say of the motion; one a cell keeps them spread over the image). So few
rows of the Jacobian are written down whole, and a step is two small matrix products; the cost of a
level does not depend on the size of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import Size, normalisation
from align_cli.engine.equations import LEAST_NOISE, MOST_NOISE, NormalEquations, least_scale
from align_cli.engine.motion import MotionModel
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level, within_reach
from align_cli.engine.robust import Loss
from align_cli.engine.targets import BORDER, TEXTURE_SHARE, TargetPlanes, has_interior
from align_cli.native.points import PointSweep, padded

MOST_POINTS: Final = 1 << 11
"""Cells of a level, about, and so its points."""

PIXELS_A_POINT: Final = 64
LAST_POINTS: Final = 1 << 14
"""Of the last level, whose rows must have little left to do, every 64 pixels have a point; but no
more than so many."""

CANDIDATES: Final = 3
"""Pixels along each side of a cell that stand for election; of large cells not every pixel does."""

FAR: Final = 1e20
KNOWN: Final = 1e9
"""What lies outside the source, and below what a sample has seen nothing of that: next to the
border linear interpolation mixes in 1e-7 of it at least, the last digit of a coordinate."""

MOST_RANKED: Final = 1 << 10
"""Residuals whose median gives the scale."""

Samples = NDArray[np.float32]
"""(n,) float32, a value for each point."""


@dataclass(frozen=True, eq=False)
class TargetPoints:
    """Chosen pixels of one level of the target, n of them.

    Attributes:
        size: (width, height) of the level.
        place: (3, n) float32, x, y and 1 of each in pixels of the level.
        image: (n,) float32, grey values less ``mean``.
        mean: mean grey value of the candidates.
        spread: their standard deviation.
        gradient_x, gradient_y: (n,) float32, per pixel.
        bends: (n,) float32 each, half the second differences along both axes; None where the
            next level does better than their correction of linear sampling.
        ranked: indices of points with texture, evenly spaced.
        monomials: (6, n) float32, ``MONOMIALS`` of the normalised coordinates.
        pixels_per_unit: length in pixels of a unit of the normalised coordinates.
        noise: standard deviation of the noise in ``image``; 0 where none is known.
    """

    size: Size
    place: NDArray[np.float32]
    image: Samples
    mean: float
    spread: float
    gradient_x: Samples
    gradient_y: Samples
    bends: tuple[Samples, Samples] | None
    ranked: NDArray[np.intp]
    monomials: NDArray[np.float32]
    pixels_per_unit: float
    noise: float = 0.0
    _columns: dict[tuple[str, int], NDArray[np.float32]] = field(default_factory=dict)

    def columns(self, model: MotionModel, light_terms: int) -> NDArray[np.float32]:
        """[J, T m, m] transposed, (p + 2 terms, n) float32, ``padded``; computed once."""
        key = model.name, light_terms
        if key not in self._columns:
            unit = np.float32(self.pixels_per_unit)
            along_x = model.jacobian_x.astype(np.float32) @ self.monomials
            along_y = model.jacobian_y.astype(np.float32) @ self.monomials
            along_x *= self.gradient_x * unit
            along_y *= self.gradient_y * unit
            along_x += along_y
            light = self.monomials[:light_terms]
            self._columns[key] = padded(np.concatenate([along_x, light * self.image, light]))
        return self._columns[key]


def target_points(
    level: Level, most: int = MOST_POINTS, *, bent: bool = False, noise: float = 0.0
) -> TargetPoints | None:
    """The pixels of a pyramid level that tell most, or None where no interior is left.

    Args:
        level: the level.
        most: how many, about.
        bent: whether with ``bends``.
        noise: standard deviation of the noise of the level.
    """
    reach = BORDER
    if not has_interior(level.size):
        return None
    width, height = (side - 2 * reach for side in level.size)
    valid = within_reach(level.valid)
    inner = np.s_[reach : reach + height, reach : reach + width]
    pixels = height * width if valid is None else int(np.count_nonzero(valid[inner]))
    cell, stride = _cell(pixels, most)
    rows = np.s_[reach : reach + height : stride]
    columns = np.s_[reach : reach + width : stride]
    image = level.image
    x = 0.5 * (image[rows, _moved(columns, 1)] - image[rows, _moved(columns, -1)])
    y = 0.5 * (image[_moved(rows, 1), columns] - image[_moved(rows, -1), columns])
    if valid is not None:
        valid = valid[rows, columns]
        if not valid.any():
            return None
    values = image[rows, columns]
    points = _elected(
        level.size,
        np.arange(reach, reach + width, stride, dtype=np.float32),
        np.arange(reach, reach + height, stride, dtype=np.float32),
        values,
        (x, y),
        valid,
        cell,
        noise,
    )
    return _bent(points, level) if bent and points is not None else points


def points_of(planes: TargetPlanes, level: Level, most: int | None = None) -> TargetPoints | None:
    """The pixels that tell most of the planes of a level, with their gradients.

    None where so few take part that there is nothing to choose from.
    """
    height, width = planes.shape
    pixels = height * width if planes.valid is None else int(np.count_nonzero(planes.valid))
    if most is None:
        most = min(max(MOST_POINTS, pixels // PIXELS_A_POINT), LAST_POINTS)
    cell, stride = _cell(pixels, most)
    picked = np.s_[::stride, ::stride]
    valid = None if planes.valid is None else planes.valid[picked]
    if valid is not None and not valid.any():
        return None
    x, y = planes.origin
    here = planes.part(slice(None))
    points = _elected(
        planes.size,
        np.arange(x, x + width, stride, dtype=np.float32),
        (y + planes.bands.y[::stride]).astype(np.float32),
        here.image[picked] + np.float32(planes.mean),
        (here.gradient_x[picked], here.gradient_y[picked]),
        valid,
        cell,
        planes.noise,
    )
    return None if points is None else _bent(points, level)


def _bent(points: TargetPoints, level: Level) -> TargetPoints:
    """The same with the second differences of the level at them."""
    columns, rows = points.place[:2].astype(np.intp)
    flat, across = level.image.ravel(), level.size[0]
    here = rows * across + columns
    bends = (
        np.float32(0.5) * (flat.take(here + step) + flat.take(here - step)) - flat.take(here)
        for step in (1, across)
    )
    return replace(points, bends=tuple(bends))


def _cell(pixels: int, most: int) -> tuple[int, int]:
    """Candidates along a cell's side, and pixels from one to the next."""
    side = max(1, round(np.sqrt(pixels / most)))
    candidates = min(side, CANDIDATES)
    return candidates, max(1, round(side / candidates))


def _moved(along: slice, by: int) -> slice:
    return slice(along.start + by, along.stop + by, along.step)


def _elected(
    size: Size,
    x: Samples,
    y: Samples,
    values: Plane,
    gradient: tuple[Plane, Plane],
    valid: Mask | None,
    cell: int,
    noise: float,
) -> TargetPoints | None:
    """One of each cell of ``cell`` by ``cell`` candidates: that with the largest gradient.

    None where no cell is whole: of a strip that is narrower than one.
    """
    energy = np.square(gradient[0])
    energy += np.square(gradient[1])
    (mean,), (spread,) = (
        each[:, 0]
        for each in cv2.meanStdDev(values, mask=None if valid is None else valid.view(np.uint8))
    )
    texture = TEXTURE_SHARE * float(energy.mean() if valid is None else energy[valid].mean())
    if valid is not None:
        energy[~valid] = -1.0
    width = energy.shape[1]
    chosen = _best(energy, cell)
    chosen = chosen[energy.ravel()[chosen] >= 0.0]
    if not chosen.size:
        return None
    rows, columns = np.divmod(chosen, width)
    xs, ys = x[columns], y[rows]
    to_normalised = normalisation(size).astype(np.float32)
    normal_x = to_normalised[0, 0] * xs + to_normalised[0, 2]
    normal_y = to_normalised[1, 1] * ys + to_normalised[1, 2]
    one = np.ones_like(xs)
    powers = (one, normal_x, normal_y, normal_x**2, normal_x * normal_y, normal_y**2)
    textured = np.flatnonzero(energy.ravel()[chosen] > texture)
    return TargetPoints(
        size=size,
        place=np.stack([xs, ys, one]),
        image=values.ravel()[chosen] - np.float32(mean),
        mean=float(mean),
        spread=float(spread),
        gradient_x=gradient[0].ravel()[chosen],
        gradient_y=gradient[1].ravel()[chosen],
        bends=None,
        ranked=textured[:: max(1, textured.size // MOST_RANKED)],
        monomials=np.stack(powers),
        pixels_per_unit=1.0 / float(to_normalised[0, 0]),
        noise=noise,
    )


def _best(energy: Plane, cell: int) -> NDArray[np.intp]:
    """Flat indices of the largest of each cell; what is left over at the far borders has no say."""
    height, width = energy.shape
    if cell == 1:
        return np.arange(energy.size)
    rows, columns = height // cell, width // cell
    best = np.full((rows, columns), -np.inf, np.float32)
    offset = np.zeros((rows, columns), np.intp)
    for down in range(cell):
        for across in range(cell):
            one = energy[down : rows * cell : cell, across : columns * cell : cell]
            np.copyto(offset, down * width + across, where=one > best)
            np.maximum(best, one, out=best)
    first = np.arange(rows)[:, None] * (cell * width) + np.arange(columns) * cell
    return np.asarray((first + offset).ravel())


class PointSource:
    """A level of the source, made ready to be sampled at points.

    Args:
        level: the level.
    """

    def __init__(self, level: Level) -> None:
        width, height = level.size
        inner = np.s_[REACH : height - REACH, REACH : width - REACH]
        self.pixels = width * height
        self.image = level.part(inner)
        if level.valid is not None:
            self.image = np.where(level.valid[inner], self.image, np.float32(FAR))

    def sample(self, warp: Matrix, points: TargetPoints) -> tuple[Samples, Samples, Samples]:
        """Values at the warped points, (n,) float32; ``KNOWN`` and more where there is none.

        Second and third are where the points lie, less ``REACH``: x and y, (n,) float32 each.
        """
        if self.image.size == 0:
            return np.full_like(points.image, FAR), points.place[0], points.place[1]
        x, y, w = warp.astype(np.float32) @ points.place
        if warp[2, 0] != 0.0 or warp[2, 1] != 0.0:
            x /= w
            y /= w
        x -= np.float32(REACH)
        y -= np.float32(REACH)
        values = cv2.remap(
            self.image,
            x[None],
            y[None],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=FAR,
        )
        return np.asarray(values[0], np.float32), x, y

    def beside(
        self, points: TargetPoints, warp: Matrix, *, ranked: bool
    ) -> tuple[Samples, Samples]:
        """Source and target, (n,) float32, at the points, or the ranked ones, that are in both."""
        values, image = self.sample(warp, points)[0], points.image
        if ranked:
            values, image = values[points.ranked], image[points.ranked]
        known = values < KNOWN
        return values[known], image[known] + np.float32(points.mean)


class PointEquations:
    """The normal equations from the chosen points of a level.

    Args:
        target: the target's points.
        source: the same level of the source.
        model: the motion model.
        loss: the robust loss.
        light_terms: how many terms the columns of factor and offset have.
    """

    def __init__(
        self,
        target: TargetPoints,
        source: PointSource,
        model: MotionModel,
        loss: Loss,
        light_terms: int,
    ) -> None:
        self.size = target.size
        self.mean = target.mean
        self.spread = target.spread
        self.motion_size = model.size
        self.light_terms = light_terms
        self._target = target
        width, height = target.size
        self._most = target.image.size * min(1.0, source.pixels / (width * height))
        self._sweep = PointSweep(
            source.image,
            (target.place[0], target.place[1]),
            target.image,
            target.bends,
            target.monomials,
            target.columns(model, light_terms),
            target.ranked,
            terms=light_terms,
            reach=REACH,
            known=KNOWN,
            loss=loss.name,
            constant=loss.constant if loss.robust else 1.0,
            least_scale=least_scale(target.spread),
            noise=(target.noise, target.spread, LEAST_NOISE, MOST_NOISE),
        )

    def at(
        self, place: Place, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at a place."""
        light = place.light
        offset = light.offset.copy()
        offset[0] -= self._target.mean
        sums = self._sweep.at(
            place.warp,
            light.factor,
            offset,
            varies=light.varies,
            scale=scale,
            at_least=at_least,
            with_matrix=with_matrix,
        )
        return NormalEquations(
            vector=sums.vector,
            matrix=sums.matrix,
            weight=sums.weight,
            squares=sums.squares,
            share=sums.known / self._most,
            scale=sums.scale,
            estimate=sums.estimate,
            slope=sums.slope / max(sums.weight, 1.0),
        )
