"""Weighted polynomial moments of images, strip by strip: the solver's hot loop.

For every motion model dD/dp is a polynomial of degree <= 2 in the normalised coordinates x and y,
so no Jacobian image is ever built (docs/method.md, section 6). With the moment table

    M(A)[j, i] = sum over pixels of A * y**j * x**i

the vector J^T W r is a few entries of M(gx w r) and M(gy w r), and the matrix J^T W J a few
entries, up to degree 4, of M(w gx gx), M(w gx gy), M(w gy gy). A moment is separable: one matrix
product of A with the table of powers of x reads A once, the powers of y then meet a few columns.

The columns of the illumination are appended to J in the same way: the target T and 1, each times
the monomials m of degree <= 2, whose sums are entries of M(T w r), M(w r), M(w T T) and so on.

The sums of a run of rows are one sweep of the native core (``align_cli.native.rows``). A level is
cut into strips of rows, always the same ones; their sums are added in the order of the strips, so
the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane, Vector
from align_cli.engine.equations.illumination import VARYING
from align_cli.engine.equations.normal_equations import (
    NormalEquations,
    attenuation_variance,
    least_scale,
)
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size, normalisation
from align_cli.engine.geometry.models import MONOMIALS, MotionModel
from align_cli.engine.images.pyramid import REACH, Grid, Level
from align_cli.engine.numerics.blas import times
from align_cli.engine.numerics.losses import Loss, scale_of
from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.sampling.bilinear import offset_origin
from align_cli.engine.target.planes import LazyPlanes, Rows, TargetPlanes
from align_cli.native.filtered_image import FilteredImage
from align_cli.native.rows import (
    TEXTURED,
    Run,
    RunPixels,
    RunSums,
    SourceView,
    run_sums,
    total_sums,
)

MATRIX_PIXELS: Final = 1 << 15
"""Number of pixels that suffice for the Gauss-Newton matrix: the solution depends on J^T W r alone,
so that the matrix may be summed over fewer rows."""

LARGEST_MATRIX_STEP: Final = 3
FEWEST_MATRIX_ROWS: Final = 330
"""Largest step between the rows of the matrix, unless at least ``FEWEST_MATRIX_ROWS`` are left.
With every third of 500 rows the error of the matrix is 1 %, with every third column 10 %. With half
as many rows a strong horizontal edge made an error of a third, and a solve took one or two more
passes."""

SCALE_PIXELS: Final = 1 << 12
SCALE_ROWS: Final = 16
"""Number of pixels, and of rows, about, from which the residuals' scale is estimated."""

_IMAGE_IMAGE, _ONE_ONE = 7, 9
"""Indices of T T and of 1 among the tables of ``RunSums``."""

_POWERS: Final = np.array(MONOMIALS).T

_Tables = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """The sums of one pass over a level.

    Attributes:
        vector: (p + 12,) the sums [J, T m, m]^T W r, with m the six ``MONOMIALS``.
        matrix: (p + 12, p + 12) the sums [J, T m, m]^T W [J, T m, m], scaled to the full number
            of pixels, or None if not requested.
        weight: sum of the weights.
        squares: sum of w r^2.
        count: number of pixels of the interior that the warp maps into the source.
        slope: see ``NormalEquations``.
    """

    vector: Vector
    matrix: NDArray[np.float64] | None
    weight: float
    squares: float
    count: int
    slope: float


def strips(planes: TargetPlanes) -> list[slice]:
    """The rows of the interior, cut into strips of about ``STRIP_PIXELS``."""
    return planes.bands.groups(STRIP_PIXELS // max(planes.shape[1], 1))


def matrix_row_step(shape: tuple[int, int], strip_step: int = 1) -> int:
    """n, where the Gauss-Newton matrix is summed over every n-th row.

    Args:
        shape: (rows, columns) of the planes.
        strip_step: n, to use every n-th strip.
    """
    height, width = shape
    largest = max(LARGEST_MATRIX_STEP, height // (strip_step * FEWEST_MATRIX_ROWS))
    return min(max(1, height * width // MATRIX_PIXELS), largest)


def native_run(target: TargetPlanes, rows: slice, row_step: int = 1) -> Run:
    """Rows of the planes, as the native core takes them.

    Args:
        target: the planes.
        rows: the rows, with explicit ends.
        row_step: n, to take every n-th of them, beginning with the first.
    """
    (left, top), bands = target.origin, target.bands
    height, width = rows.stop - rows.start, target.shape[1]
    before = rows.start % bands.rows
    first, end = (int(bands.row(row)) for row in (rows.start, rows.stop - 1))
    to_normalised = normalisation(target.size)
    gradient, column, weight, mean = None, None, None, target.mean
    image: Plane | FilteredImage
    if isinstance(target, LazyPlanes) and target.modify_gradient is None:
        image = target.level.pixels
        if not isinstance(image, FilteredImage):
            around = np.s_[top + first - 1 : top + end + 2, left - 1 : left + width + 1]
            image = image[around]
        valid = None if target.valid is None else target.valid[rows]
    else:
        here = target.part(rows)
        image, mean, gradient = here.image, 0.0, (here.gradient_x, here.gradient_y)
        column = None if here.column is here.image else here.column
        weight, valid = here.weight, here.valid
    return Run(
        left,
        top + first,
        (width, height),
        image,
        gradient,
        column,
        weight,
        valid,
        mean,
        (*to_normalised[0, [0, 2]].tolist(), *to_normalised[1, 1:].tolist()),
        target.texture,
        row_step,
        (before, bands.rows, bands.period),
    )


def _source_view(
    target: TargetPlanes, source: Level, state: State, rows: slice, margin: float
) -> SourceView:
    """The source for some rows of the target, as the native core takes it."""
    (left, top), (height, width) = target.origin, target.shape
    offset = state.illumination.offset.copy()
    offset[0] -= target.mean
    grid, sampled = source.grid, False
    if grid is None:
        assert target.bands.all_rows
        warp = offset_origin(state.warp, left, top + rows.start)
        grid = Grid(source.sample(warp, (width, len(range(height)[rows]))))
        sampled = True
    return SourceView(
        grid.pixels,
        source.valid,
        source.size,
        grid.finer,
        margin,
        state.warp,
        state.illumination.factor,
        offset,
        sampled,
        grid.spline,
    )


def residual_rows(
    target: TargetPlanes,
    source: Level,
    state: State,
    rows: slice,
    *,
    source_margin: float,
    row_step: int = 1,
) -> RunPixels:
    """The residuals of some rows of the interior, and which pixels are valid.

    Args:
        target: the level of the target.
        source: the same level of the source.
        state: the warp, target pixel -> source pixel of this level, and the illumination.
        rows: rows of the planes, with explicit ends.
        source_margin: pixels next to the source's border that are not used.
        row_step: n, to take every n-th row.
    """
    run = native_run(target, rows, row_step)
    shown = RunPixels.empty(*run.shape)
    run_sums(run, _source_view(target, source, state, rows, source_margin), shown=shown)
    return shown


def residual_planes(
    target: TargetPlanes,
    source: Level,
    state: State,
    runs: Sequence[slice] | None = None,
    *,
    source_margin: float = REACH,
    threads: Threads | None = None,
) -> tuple[Plane, Mask]:
    """The residuals, (h, w) float32, and the valid pixels, (h, w) bool, of runs of rows.

    Args:
        target: the level of the target.
        source: the same level of the source.
        state: the warp, target pixel -> source pixel of this level, and the illumination.
        runs: rows of the planes, with explicit ends, to be stacked; None for all.
        source_margin: pixels next to the source's border that are not used.
        threads: the pool; None for none.
    """

    def shown(rows: slice) -> RunPixels:
        return residual_rows(target, source, state, rows, source_margin=source_margin)

    runs = strips(target) if runs is None else runs
    parts = list(map(shown, runs)) if threads is None else threads.map(shown, runs)
    residual = np.concatenate([part.residual for part in parts])
    return residual, np.concatenate([part.inside for part in parts]) > 0


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
    """C1^T W C2, symmetrised, with the columns of two images on the target's interior.

    Args:
        first: gradients along x and y of one image, (h, w) float32, and the image itself to include
            the illumination's columns.
        second: the same of another image.
        weight: (h, w) weights.
        target: its powers of x and y are used.
        model: the motion model.
        rows: the rows of the interior that the planes cover.

    Returns:
        (p, p) float64, or (p + 12, p + 12) with the illumination's columns.
    """
    (ax, ay, *a), (bx, by, *b) = first, second
    illumination = bool(a and b)
    height, width = ax.shape
    products = np.empty((10 if illumination else 3, height, width), np.float32)
    np.multiply(ax, bx, out=products[0])
    _mean_product(ax, by, ay, bx, out=products[1])
    np.multiply(ay, by, out=products[2])
    if illumination:
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
    return matrix if illumination else matrix[: model.size, : model.size]


def _mean_product(a: Plane, b: Plane, c: Plane, d: Plane, *, out: Plane) -> None:
    """The mean of a b and c d."""
    np.multiply(a, b, out=out)
    out += c * d
    out *= np.float32(0.5)


def assemble_matrix(
    tables: _Tables, model: MotionModel, pixels_per_unit: float
) -> NDArray[np.float64]:
    """[J, T m, m]^T W [J, T m, m] from the ten moment tables of ``RunSums``."""
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
    matrix = np.empty((size + 2 * VARYING, size + 2 * VARYING))
    motion_columns, image_columns = slice(size), slice(size, size + VARYING)
    one_columns = slice(size + VARYING, None)
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
    """The normal equations of all rows of a level's planes.

    Args:
        target: the level of the target.
        source: the same level of the source.
        model: the motion model.
        loss: the robust loss; unused if the planes have fixed weights.
        threads: the pool.
        strip_step: n, to use every n-th strip.
    """

    illumination_terms = VARYING

    def __init__(
        self,
        target: TargetPlanes,
        source: Level,
        model: MotionModel,
        loss: Loss,
        *,
        threads: Threads,
        strip_step: int = 1,
    ) -> None:
        self.size = target.size
        self.mean = target.mean
        self.spread = target.spread
        self.motion_size = model.size
        self._target, self._source = target, source
        self._model, self._loss = model, loss
        self._threads = threads
        self._strip_step = strip_step
        self._strips = strips(target)[strip_step // 2 :: strip_step]
        height, used = target.shape[0], sum(rows.stop - rows.start for rows in self._strips)
        self._most = min(
            _pixels(target.valid, target.shape) * used / height,
            _pixels(source.valid, source.size) * used / (target.size[1] - 2 * target.origin[1]),
        )

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        """The equations at a state, with all columns of the illumination."""
        estimate = scale
        if scale is None or estimate is None:
            weighted = self._target.weighted
            estimate = 1.0 if weighted else residual_scale(self._target, self._source, state)
            scale = max(estimate, at_least)
        sums = self.sums(state, scale, with_matrix=with_matrix)
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

    def sums(self, state: State, scale: float, *, with_matrix: bool) -> Sums:
        """One pass over the rows: sample the source, weigh the residuals, sum the moments.

        The residual is r = factor(x) source(W x) + offset(x) - target(x), in the target's units.

        Args:
            state: the warp, target pixel -> source pixel of this level, and the illumination of its
                planes, ``mean`` left in.
            scale: standard deviation of the residuals that the loss assumes; unused for l2.
            with_matrix: whether to compute the Gauss-Newton matrix too.
        """
        target, model, loss = self._target, self._model, self._loss
        step = matrix_row_step(target.shape, self._strip_step)
        noisy = target.noise > 0.0 and not target.weighted

        def strip_sums(rows: slice) -> RunSums:
            return run_sums(
                native_run(target, rows),
                _source_view(target, self._source, state, rows, REACH),
                loss=loss.name,
                unit=loss.constant * scale if loss.robust else 1.0,
                weigh_noise=noisy,
                matrix=(-rows.start % step, step) if with_matrix else (0, 0),
            )

        sums = total_sums(self._threads.map(strip_sums, self._strips))
        weight, squares, slopes, count = sums.totals.tolist()
        slope = slopes / weight if weight > 0.0 else 1.0
        moments, tables = sums.moments, sums.tables
        if noisy and weight > 0.0:
            noise = slope * attenuation_variance(target.noise, squares / weight, target.spread)
            moments[2] += noise * moments[4]
            tables[_IMAGE_IMAGE] -= noise * tables[_ONE_ONE]
        return Sums(
            assemble_vector(moments[:4], model, target.pixels_per_unit),
            assemble_matrix(tables, model, target.pixels_per_unit) * step if with_matrix else None,
            weight,
            squares,
            int(count),
            slope,
        )


def _pixels(valid: Mask | None, size: Size) -> int:
    return size[0] * size[1] if valid is None else int(np.count_nonzero(valid))


def residual_scale(target: TargetPlanes, source: Level, state: State) -> float:
    """Robust standard deviation of the residuals at a state: median |r| / 0.6745.

    That is 1.4826 median |r| (Holland and Welsch 1977), over the pixels with texture of evenly
    spaced rows, in the target plane's units; at least ``least_scale``.
    """
    height = target.shape[0]
    row_step = max(1, height // SCALE_ROWS)
    rows = slice(row_step // 2, height)
    shown = residual_rows(target, source, state, rows, source_margin=REACH, row_step=row_step)
    columns = np.s_[:, :: max(1, shown.residual.size // SCALE_PIXELS)]
    residuals = shown.residual[columns][shown.inside[columns] == TEXTURED]
    return max(scale_of(residuals), least_scale(target.spread))
