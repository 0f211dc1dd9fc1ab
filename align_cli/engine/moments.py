"""Weighted polynomial moments of images, strip by strip: the solver's hot loop.

For every motion model dD/dp is a polynomial of degree <= 2 in the normalised coordinates x and y,
so no Jacobian image is ever built (docs/method.md, "Moments"). With the moment table

    M(A)[j, i] = sum over pixels of A * y**j * x**i

the vector J^T W r is a few entries of M(gx w r) and M(gy w r), and the matrix J^T W J a few
entries, up to degree 4, of M(w gx gx), M(w gx gy), M(w gy gy). A moment is separable: one matrix
product of A with the table of powers of x reads A once, the powers of y then meet a few columns.

The columns of the light are appended to J in the same way: the target T and 1, each times the
monomials m of degree <= 2, whose sums are entries of M(T w r), M(w r), M(w T T) and so on.

Work is done in strips of rows small enough for the cache; each strip's sums are added in the
order of the strips, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane, Vector
from align_cli.engine.coordinates import Size
from align_cli.engine.equations import NormalEquations, least_scale, noise_to_take_off
from align_cli.engine.motion import MONOMIALS, MotionModel
from align_cli.engine.photometry import FIELD, Light
from align_cli.engine.place import Place
from align_cli.engine.products import inner, times
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import Loss, scale_of
from align_cli.engine.sampling import (
    ALL_FOUR,
    clear_outside,
    interval_mask,
    offset_origin,
    row_intervals,
    sample,
)
from align_cli.engine.targets import PlanesOnDemand, Rows, TargetPlanes, TargetRows
from align_cli.engine.threads import Threads

STRIP_PIXELS: Final = 1 << 17
"""Pixels in a strip. Smaller ones stay in the first caches, but cost more in calls than that saves,
and on two threads the calls wait for each other: 4 MP take 19 ms, in strips of 32768 pixels 39."""

MATRIX_PIXELS: Final = 1 << 15
"""Pixels that are enough for the Gauss-Newton matrix. It steers the step; where the steps end is
decided by J^T W r alone, so rows may be left out."""

LARGEST_MATRIX_STEP: Final = 3
FEWEST_MATRIX_ROWS: Final = 330
"""Of 500 rows, with every third one the matrix is right to 1 %; with every third column it was to
10 %. Of more rows so many are enough; with half of them one strong horizontal edge more or less
made it wrong by a third, and every solve took a pass or two longer."""

SLOPE_STEP: Final = 4
"""The slope of the loss is averaged over every so manieth pixel of every so manieth row."""

SCALE_PIXELS: Final = 1 << 12
SCALE_ROWS: Final = 16
"""So many pixels, of so many rows, are looked at for the median that estimates the residuals'
scale."""

NEIGHBOURS: Final = 4
"""Rows of planes that are not held that are looked at together."""

_IMAGE_IMAGE, _ONE_ONE = 7, 9
"""Places of T T and of 1 among the tables of ``_matrix_tables``."""

_POWERS: Final = np.array(MONOMIALS).T

_Tables = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """What one pass over a level yields.

    Attributes:
        vector: (p + 12,) the sums [J, T m, m]^T W r, with m the six ``MONOMIALS``.
        matrix: (p + 12, p + 12) the sums [J, T m, m]^T W [J, T m, m], scaled to the full number
            of pixels, or None where not asked for.
        weight: sum of the weights.
        squares: sum of w r^2.
        count: pixels of the interior that the warp takes into the source.
        slope: see ``equations.NormalEquations``; from a part of the pixels.
    """

    vector: Vector
    matrix: NDArray[np.float64] | None
    weight: float
    squares: float
    count: int
    slope: float


class Scratch(threading.local):
    """Buffers of one strip, one set for each thread, made once and used for every strip."""

    def __init__(self) -> None:
        self.pool: list[Plane] = []

    def planes(self, number: int, shape: tuple[int, int]) -> list[Plane]:
        """``number`` planes of ``shape``, holding anything."""
        pixels = shape[0] * shape[1]
        if len(self.pool) < number or self.pool[0].size < pixels:
            self.pool = [np.empty(pixels, np.float32) for _ in range(number)]
        return [plane[:pixels].reshape(shape) for plane in self.pool[:number]]


def strips(planes: TargetPlanes) -> list[slice]:
    """The rows of the interior, cut into strips of about ``STRIP_PIXELS``."""
    return planes.bands.groups(STRIP_PIXELS // max(planes.shape[1], 1))


def rows_apart(shape: tuple[int, int], every: int = 1) -> int:
    """How many rows there are to each that the Gauss-Newton matrix is made from.

    Args:
        shape: (rows, columns) of the planes.
        every: how many strips there are to each that is looked at.
    """
    height, width = shape
    largest = max(LARGEST_MATRIX_STEP, height // (every * FEWEST_MATRIX_ROWS))
    return min(max(1, height * width // MATRIX_PIXELS), largest)


def residual_sums(
    target: TargetPlanes,
    source: Level,
    place: Place,
    *,
    model: MotionModel,
    loss: Loss,
    scale: float,
    source_margin: float,
    with_matrix: bool,
    threads: Threads,
    scratch: Scratch,
    every: int = 1,
) -> Sums:
    """One pass over a level: sample the source, weigh the residuals, sum the moments.

    The residual is r = factor(x) source(W x) + offset(x) - target(x), in the target's units.

    Args:
        target: the level of the target.
        source: the same level of the source.
        place: the warp, target pixel -> source pixel of this level, and the light of its planes,
            ``target.mean`` left in.
        model: the motion model whose Jacobian is meant.
        loss: the robust loss.
        scale: standard deviation of the residuals that the loss assumes; any for l2.
        source_margin: pixels next to the source's border that take no part.
        with_matrix: whether the Gauss-Newton matrix is wanted too.
        threads: where to work.
        scratch: buffers.
        every: how many strips there are to each that is looked at.
    """
    width = target.shape[1]
    warp = offset_origin(place.warp, *target.origin)
    first, end = row_intervals(warp, target.bands.y, width, source.size, source_margin)
    lengths = np.maximum(end - first, 0)
    matrix_step = rows_apart(target.shape, every)

    def strip_sums(rows: slice) -> _StripSums | None:
        if not lengths[rows].any():
            return None
        return _strip_sums(
            target,
            source,
            warp,
            place.light,
            rows=rows,
            first=first[rows],
            end=end[rows],
            loss=loss,
            scale=scale,
            matrix_step=matrix_step if with_matrix else 0,
            scratch=scratch,
        )

    parts = [
        part
        for part in threads.map(strip_sums, strips(target)[every // 2 :: every])
        if part is not None
    ]
    if not parts:
        size = model.size + 2 * FIELD
        empty = np.zeros((size, size)) if with_matrix else None
        return Sums(np.zeros(size), empty, 0.0, 0.0, 0, 1.0)
    moments = sum((part.moments for part in parts[1:]), start=parts[0].moments)
    totals = sum((part.totals for part in parts[1:]), start=parts[0].totals)
    matrix = None
    if with_matrix:
        tables = sum((part.tables for part in parts[1:]), start=parts[0].tables)
        matrix = assemble_matrix(tables, model, target.pixels_per_unit) * matrix_step
    return Sums(
        assemble_vector(moments, model, target.pixels_per_unit),
        matrix,
        weight=float(totals[0]),
        squares=float(totals[1]),
        count=int(totals[2]),
        slope=float(totals[3] / totals[4]) if totals[4] > 0.0 else 1.0,
    )


class _StripSums(NamedTuple):
    moments: NDArray[np.float64]  # (4, 3, 3): M(gx w r), M(gy w r), M(T w r), M(w r)
    totals: Vector  # sums of w and w r r, pixels that take part, slopes and weights of some
    tables: NDArray[np.float64]  # (10, 5, 5): see _matrix_tables; zero where not asked for


def _strip_sums(
    target: TargetPlanes,
    source: Level,
    warp: Matrix,
    light: Light,
    *,
    rows: slice,
    first: NDArray[np.intp],
    end: NDArray[np.intp],
    loss: Loss,
    scale: float,
    matrix_step: int,
    scratch: Scratch,
) -> _StripSums:
    here = target.part(rows)
    r, w, product = scratch.planes(3, here.image.shape)

    _residuals(target, here, source, warp, light, rows, out=r, scratch=product)
    inside = _inside(target, here, source, warp, rows, first, end)
    if here.weight is not None:
        np.copyto(w, here.weight)
    elif loss.robust:
        cv2.multiply(r, r, dst=w, scale=1.0 / (loss.constant * scale) ** 2)
        loss.weigh(w)
    else:
        w.fill(1.0)
    if inside is None:
        clear_outside(w, first, end)
        count = int((end - first).clip(0).sum())
    else:
        np.multiply(w, inside, out=w)
        count = int(np.count_nonzero(inside))

    some = w[::SLOPE_STEP, ::SLOPE_STEP]
    slope = loss.slope(some) if here.weight is None else some
    powers_x, powers_y = target.powers_x[:, :3], target.powers_y[rows, :3]
    np.multiply(w, r, out=product)
    totals = np.array(
        [
            w.sum(),
            inner(product, r),
            count,
            slope.sum(),
            some.sum(),
        ],
        dtype=np.float64,
    )
    moments = np.empty((4, 3, 3))
    for table, plane in zip(moments, (here.gradient_x, here.gradient_y, here.column), strict=False):
        # r is spent: its buffer takes the products.
        np.multiply(plane, product, out=r)
        table[:] = powers_y.T @ times(r, powers_x)
    moments[3] = powers_y.T @ times(product, powers_x)
    weight, squares, _, slopes, weights = totals
    pull = 0.0
    if target.noise > 0.0 and here.weight is None and weights > 0.0:
        pull = slopes / weights * noise_to_take_off(target.noise, squares / weight, target.spread)
    if pull != 0.0:
        moments[2] += powers_y.T @ times(w, powers_x) * pull

    tables = np.zeros((10, 5, 5))
    if matrix_step:
        tables = _matrix_tables(target, here, rows, w, matrix_step)
        tables[_IMAGE_IMAGE] -= pull * tables[_ONE_ONE]
    return _StripSums(moments, totals, tables)


def residual_rows(
    target: TargetPlanes,
    source: Level,
    place: Place,
    rows: Rows,
    *,
    source_margin: float,
    here: TargetRows | None = None,
) -> tuple[Plane, Mask]:
    """The residuals of some rows of the interior, and which of those pixels take part.

    Args:
        target: the level of the target.
        source: the same level of the source.
        place: the warp, target pixel -> source pixel of this level, and the light.
        rows: which rows of the planes.
        source_margin: pixels next to the source's border that take no part.
        here: those rows of the target, if they are at hand.

    Returns:
        (h, w) float32 and (h, w) bool.
    """
    here = target.part(rows) if here is None else here
    width = target.shape[1]
    warp = offset_origin(place.warp, *target.origin)
    r, scratch = np.empty((2, *here.image.shape), np.float32)
    _residuals(target, here, source, warp, place.light, rows, out=r, scratch=scratch)
    first, end = row_intervals(warp, target.bands.y[rows], width, source.size, source_margin)
    inside = _inside(target, here, source, warp, rows, first, end)
    return r, interval_mask(first, end, width) if inside is None else inside


def _residuals(
    target: TargetPlanes,
    here: TargetRows,
    source: Level,
    warp: Matrix,
    light: Light,
    rows: Rows,
    *,
    out: Plane,
    scratch: Plane,
) -> None:
    """R = factor source(W x) + offset - target into ``out``; the warp is that of the interior."""
    _sample(target, source.sample, warp, rows, out)
    if light.varies:
        relight(out, light, target, rows, scratch=scratch)
        np.subtract(out, here.image, out=out)
    else:
        # All of it in one pass over the pixels.
        factor, offset = float(light.factor[0]), float(light.offset[0]) - target.mean
        cv2.addWeighted(out, factor, here.image, -1.0, offset, dst=out)


def relight(values: Plane, light: Light, target: TargetPlanes, rows: Rows, scratch: Plane) -> None:
    """Relight in place: values <- factor * values + offset - target.mean.

    Args:
        values: (h, w) float32, the warped source on some rows of the target's interior.
        light: factor and offset of this level's planes.
        target: the level of the target.
        rows: which rows.
        scratch: (h, w) float32, overwritten.
    """
    if not light.varies:
        np.multiply(values, np.float32(light.factor[0]), out=values)
        np.add(values, np.float32(light.offset[0] - target.mean), out=values)
        return
    for apply, coefficients in ((np.multiply, light.factor), (np.add, light.offset)):
        table = np.zeros((3, 3))
        for (i, j), coefficient in zip(MONOMIALS, coefficients, strict=True):
            table[j, i] = coefficient
        if apply is np.add:
            table[0, 0] -= target.mean
        rows_of = (target.powers_y[rows, :3] @ table).astype(np.float32)
        np.matmul(rows_of, target.powers_x[:, :3].T, out=scratch)
        apply(values, scratch, out=values)


def _inside(
    target: TargetPlanes,
    here: TargetRows,
    source: Level,
    warp: Matrix,
    rows: Rows,
    first: NDArray[np.intp],
    end: NDArray[np.intp],
) -> Mask | None:
    """(h, w) bool of the pixels that take part, or None where the intervals say it all."""
    if here.valid is None and source.valid is None:
        return None
    height, width = here.image.shape
    inside = interval_mask(first, end, width)
    if here.valid is not None:
        inside &= here.valid
    if source.valid is not None:
        seen = np.empty((height, width), np.float32)
        known = source.valid.astype(np.float32)

        def sample_known(warp: Matrix, size: Size, *, out: Plane) -> None:
            sample(known, warp, size, out=out)

        _sample(target, sample_known, warp, rows, seen)
        inside &= seen > ALL_FOUR
    return inside


def _sample(
    target: TargetPlanes, sample: Callable[..., object], warp: Matrix, rows: Rows, out: Plane
) -> None:
    """Sample some rows of the interior, each run of neighbours at once."""
    y = target.bands.y[rows]
    edges = [0, *(np.flatnonzero(np.diff(y) != 1.0) + 1), len(y)]
    for first, end in pairwise(edges):
        there = out[first:end]
        sample(offset_origin(warp, 0.0, y[first]), (out.shape[1], end - first), out=there)


def _matrix_tables(
    target: TargetPlanes, here: TargetRows, rows: slice, w: Plane, step: int
) -> _Tables:
    """(10, 5, 5) moment tables of every product of two of gx, gy, T and 1, weighted by w.

    Of every ``step``-th row, counted from the first of the planes.
    """
    picked = np.s_[-rows.start % step :: step]
    gx, gy, image = (plane[picked] for plane in (here.gradient_x, here.gradient_y, here.column))
    w = w[picked]
    w_gx, w_gy, w_image = w * gx, w * gy, w * image
    planes = (
        w_gx * gx,
        w_gx * gy,
        w_gy * gy,
        w_gx * image,
        w_gy * image,
        w_gx,
        w_gy,
        w_image * image,
        w_image,
        w,
    )
    powers_x, powers_y = target.powers_x, target.powers_y[rows][picked]
    return np.stack([powers_y.T @ times(plane, powers_x) for plane in planes])


def assemble_vector(
    moments: NDArray[np.float64], model: MotionModel, pixels_per_unit: float
) -> Vector:
    """[J, T m, m]^T W r from M(gx w r), M(gy w r), M(T w r), M(w r), each (3, 3)."""
    i, j = _POWERS
    moment_x, moment_y, image, one = moments[:, j, i]
    motion = model.jacobian_x @ moment_x + model.jacobian_y @ moment_y
    return np.concatenate([motion * pixels_per_unit, image, one])


def cross_matrix(
    first: Sequence[Plane],
    second: Sequence[Plane],
    weight: Plane | Mask,
    target: TargetPlanes,
    model: MotionModel,
    rows: Rows = slice(None),
) -> NDArray[np.float64]:
    """C1^T W C2, made symmetric, where two images on the target's interior give the columns.

    Args:
        first: gradients along x and y of one image, (h, w) float32, and the image itself if the
            light's columns are wanted too.
        second: the same of another image.
        weight: (h, w) weights.
        target: whose powers of x and y are used.
        model: the motion model.
        rows: which rows of the interior the planes cover.

    Returns:
        (p, p) float64, or (p + 12, p + 12) with the light's columns.
    """
    (ax, ay, *a), (bx, by, *b) = first, second
    light = bool(a and b)
    height, width = ax.shape
    products = np.empty((10 if light else 3, height, width), np.float32)
    np.multiply(ax, bx, out=products[0])
    _mean_product(ax, by, ay, bx, out=products[1])
    np.multiply(ay, by, out=products[2])
    if light:
        (image,), (other,) = a, b
        _mean_product(ax, other, image, bx, out=products[3])
        _mean_product(ay, other, image, by, out=products[4])
        for first_plane, second_plane, out in (
            (ax, bx, products[5]),
            (ay, by, products[6]),
            (image, other, products[8]),
        ):
            cv2.addWeighted(first_plane, 0.5, second_plane, 0.5, 0.0, dst=out)
        np.multiply(image, other, out=products[7])
        products[9] = 1.0
    products *= weight
    powers_y = target.powers_y[rows].T
    of_rows = times(products.reshape(-1, width), target.powers_x).reshape(-1, height, 5)
    tables = np.zeros((10, 5, 5))
    tables[: len(products)] = powers_y @ of_rows
    matrix = assemble_matrix(tables, model, target.pixels_per_unit)
    return matrix if light else matrix[: model.size, : model.size]


def _mean_product(a: Plane, b: Plane, c: Plane, d: Plane, *, out: Plane) -> None:
    """The mean of a b and c d."""
    np.multiply(a, b, out=out)
    out += c * d
    out *= np.float32(0.5)


def assemble_matrix(
    tables: _Tables, model: MotionModel, pixels_per_unit: float
) -> NDArray[np.float64]:
    """[J, T m, m]^T W [J, T m, m] from the ten moment tables of ``_matrix_tables``."""
    # Moments of every product of two monomials: a Hankel-like (6, 6) matrix for each table.
    i, j = _POWERS
    products = tables[:, j[:, None] + j, i[:, None] + i]
    xx, xy, yy, x_image, y_image, x_one, y_one, image_image, image_one, one_one = products
    jx = model.jacobian_x * pixels_per_unit
    jy = model.jacobian_y * pixels_per_unit
    motion = jx @ xx @ jx.T + jx @ xy @ jy.T + jy @ xy @ jx.T + jy @ yy @ jy.T
    with_image = jx @ x_image + jy @ y_image
    with_one = jx @ x_one + jy @ y_one
    size = model.size
    matrix = np.empty((size + 2 * FIELD, size + 2 * FIELD))
    motion_columns, image_columns = slice(size), slice(size, size + FIELD)
    one_columns = slice(size + FIELD, None)
    matrix[motion_columns, motion_columns] = motion
    matrix[motion_columns, image_columns] = with_image
    matrix[image_columns, motion_columns] = with_image.T
    matrix[motion_columns, one_columns] = with_one
    matrix[one_columns, motion_columns] = with_one.T
    matrix[image_columns, image_columns] = image_image
    matrix[image_columns, one_columns] = image_one
    matrix[one_columns, image_columns] = image_one
    matrix[one_columns, one_columns] = one_one
    return matrix


class RowEquations:
    """The normal equations from all rows that a level's planes hold.

    Args:
        target: the level of the target.
        source: the same level of the source.
        model: the motion model.
        loss: the robust loss; not asked where the planes have weights of their own.
        threads: where to work.
        scratch: buffers.
        every: how many strips there are to each that is looked at.
    """

    light_terms = FIELD

    def __init__(
        self,
        target: TargetPlanes,
        source: Level,
        model: MotionModel,
        loss: Loss,
        *,
        threads: Threads,
        scratch: Scratch,
        every: int = 1,
    ) -> None:
        self.size = target.size
        self.mean = target.mean
        self.spread = target.spread
        self.motion_size = model.size
        self._target, self._source = target, source
        self._model, self._loss = model, loss
        self._threads, self._scratch = threads, scratch
        self._every = every
        height = target.shape[0]
        seen = sum(rows.stop - rows.start for rows in strips(target)[every // 2 :: every])
        self._most = min(
            _pixels(target.valid, target.shape) * seen / height,
            _pixels(source.valid, source.size) * seen / (target.size[1] - 2 * target.origin[1]),
        )

    def at(
        self, place: Place, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at a place, with all columns of the light."""
        estimate = scale
        if scale is None or estimate is None:
            weighted = self._target.weight is not None
            estimate = 1.0 if weighted else residual_scale(self._target, self._source, place)
            scale = max(estimate, at_least)
        sums = residual_sums(
            self._target,
            self._source,
            place,
            model=self._model,
            loss=self._loss,
            scale=scale,
            source_margin=REACH,
            with_matrix=with_matrix,
            threads=self._threads,
            scratch=self._scratch,
            every=self._every,
        )
        share = sums.count / self._most if self._most > 0.0 else 0.0
        return NormalEquations(
            sums.vector,
            sums.matrix,
            sums.weight,
            sums.squares,
            share,
            scale,
            estimate,
            sums.slope * self._target.steepness,
        )


def _pixels(valid: Mask | None, size: Size) -> int:
    return size[0] * size[1] if valid is None else int(np.count_nonzero(valid))


def residual_scale(target: TargetPlanes, source: Level, place: Place) -> float:
    """Standard deviation of the residuals at a place, estimated robustly.

    From the pixels with texture of some evenly spaced rows.
    """
    rows_looked_at = _scattered(target)
    pixels = sum(rows.stop - rows.start for rows in rows_looked_at) * target.shape[1]
    every = max(1, pixels // SCALE_PIXELS)
    residuals = []
    for rows in rows_looked_at:
        here = target.part(rows)
        r, inside = residual_rows(target, source, place, rows, source_margin=REACH, here=here)
        picked = np.s_[:, ::every]
        x, y = here.gradient_x[picked], here.gradient_y[picked]
        textured = x * x + y * y > target.texture
        residuals.append(r[picked][inside[picked] & textured])
    return max(scale_of(np.concatenate(residuals)), least_scale(target.spread))


def _scattered(target: TargetPlanes) -> list[slice]:
    """Rows that stand for all; neighbours where a single row would cost as much."""
    height = target.shape[0]
    together = NEIGHBOURS if isinstance(target, PlanesOnDemand) else 1
    step = max(together, height * together // SCALE_ROWS)
    return [slice(top, top + together) for top in range(step // 2, height - together + 1, step)]
