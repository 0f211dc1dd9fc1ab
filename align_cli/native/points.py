"""Selected points of a level: their selection, and their normal equations."""

from __future__ import annotations

import ctypes
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Plane, call, packed, plane, round_to_lanes
from align_cli.native.rows import LOSSES

X, Y, CURVATURE_X, CURVATURE_Y, ENERGY, MOTION, FACTOR, OFFSET, ROWS = 0, 1, 2, 3, 4, 5, 13, 19, 25
"""Rows of a table of points, as ``enum imalign_point_row`` has them."""

_SCRATCH_ROWS: Final = 4
_MOST: Final = 20

Values = NDArray[np.float32]
_Doubles6 = ctypes.c_double * 6
_Doubles9 = ctypes.c_double * 9
_Doubles64 = ctypes.c_double * 64


class _Selected(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("mean", ctypes.c_double),
        ("spread", ctypes.c_double),
        ("energy", ctypes.c_double),
        ("candidates", ctypes.c_int64),
        ("count", ctypes.c_int64),
    )


class _SelectPoints(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("image", Plane),
        ("valid", Plane),
        ("row", ctypes.c_void_p),
        ("across", ctypes.c_int64),
        ("down", ctypes.c_int64),
        ("left", ctypes.c_int64),
        ("step", ctypes.c_int64),
        ("cell", ctypes.c_int64),
        ("x_scale", ctypes.c_double),
        ("x_offset", ctypes.c_double),
        ("y_scale", ctypes.c_double),
        ("y_offset", ctypes.c_double),
        ("table", ctypes.c_void_p),
        ("found", ctypes.c_void_p),
    )


class _PointSums(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("vector", ctypes.c_double * _MOST),
        ("matrix", ctypes.c_double * _MOST**2),
        ("weight", ctypes.c_double),
        ("squares", ctypes.c_double),
        ("slope", ctypes.c_double),
        ("scale", ctypes.c_double),
        ("estimate", ctypes.c_double),
        ("count", ctypes.c_int64),
    )


class _Points(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("source", Plane),
        ("table", ctypes.c_void_p),
        ("ranked", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("ranked_count", ctypes.c_int64),
        ("motion", ctypes.c_int64),
        ("terms", ctypes.c_int64),
        ("basis", _Doubles64),
        ("warp", _Doubles9),
        ("factor", _Doubles6),
        ("offset", _Doubles6),
        ("correct_curvature", ctypes.c_int64),
        ("varies", ctypes.c_int64),
        ("reach", ctypes.c_int64),
        ("known", ctypes.c_double),
        ("loss", ctypes.c_int64),
        ("constant", ctypes.c_double),
        ("scale", ctypes.c_double),
        ("at_least", ctypes.c_double),
        ("least_scale", ctypes.c_double),
        ("noise", ctypes.c_double),
        ("spread", ctypes.c_double),
        ("least_noise", ctypes.c_double),
        ("most_noise", ctypes.c_double),
        ("with_matrix", ctypes.c_int64),
        ("values", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("sums", ctypes.c_void_p),
    )


class SelectedPoints(NamedTuple):
    """Selected pixels of a level, n of them.

    Attributes:
        table: (``ROWS``, n and zeros up to whole blocks) float32.
        number: n.
        mean, spread: mean and standard deviation of the candidates' grey values.
        energy: their mean squared gradient.
    """

    table: Values
    number: int
    mean: float
    spread: float
    energy: float


class PointSums(NamedTuple):
    """Sums over the points.

    Attributes:
        vector: (p + 2 n,), the sums of the columns times w r.
        matrix: (p + 2 n, p + 2 n), those of w times two columns; None if not requested.
        weight, squares, slope: the sums of w, of w r r and of the slopes.
        scale: standard deviation that the weights assume.
        estimate: robust standard deviation of the residuals, if it was not given.
        known: how many points are valid in the source.
    """

    vector: NDArray[np.float64]
    matrix: NDArray[np.float64] | None
    weight: float
    squares: float
    slope: float
    scale: float
    estimate: float
    known: int


def select_points(
    image: Values,
    valid: NDArray[np.bool_] | None,
    rows: NDArray[np.int64],
    *,
    left: int,
    across: int,
    step: int,
    cell: int,
    normalisation: tuple[float, float, float, float],
) -> SelectedPoints:
    """The candidate with the largest gradient of each cell of ``cell`` by ``cell`` candidates.

    Pixel selection by gradient magnitude (Dellaert and Collins 1999). Candidates outside whole
    cells are ignored. The gradient is the central difference.

    Args:
        image: (height, width) float32.
        valid: (rows, across) bool, which candidates are valid; None for all.
        rows: y of the candidates, none of them the image's first or last.
        left: x of the first of each row.
        across: how many there are in a row.
        step: pixels from one to the next.
        cell: see above.
        normalisation: scale and offset of x, then of y: normalised = scale * pixel + offset.
    """
    image = packed(image)
    rows = np.ascontiguousarray(rows, np.int64)
    stride = round_to_lanes((across // cell) * (rows.size // cell))
    space = np.empty(ROWS * stride, np.float32)
    found = _Selected()
    call(
        "select_points",
        _SelectPoints(
            plane(image, np.float32),
            Plane() if valid is None else plane(valid, np.bool_),
            rows.ctypes.data,
            across,
            rows.size,
            left,
            step,
            cell,
            *normalisation,
            space.ctypes.data,
            ctypes.addressof(found),
        ),
    )
    padded = round_to_lanes(found.count)
    table = space[: ROWS * padded].reshape(ROWS, padded)
    return SelectedPoints(table, found.count, found.mean, found.spread, found.energy)


class Inner(NamedTuple):
    """A level of the source without its border.

    Attributes:
        image: (height, width) float32.
        reach: pixels of the level next to its border that are not in the image.
        known: larger values are invalid.
    """

    image: Values
    reach: int
    known: float


class Weighting(NamedTuple):
    """How residuals are weighted.

    Attributes:
        loss: its name.
        constant: of the loss; any for l2.
        least_scale: lower limit of the estimated scale.
    """

    loss: str
    constant: float
    least_scale: float


class Noise(NamedTuple):
    """What the noise has of the points' grey values.

    Attributes:
        deviation: its standard deviation.
        spread: that of the grey values.
        least, most: shares of their variance: less is neglected, more is not taken for noise.
    """

    deviation: float
    spread: float
    least: float
    most: float


def sample_points(source: Inner, points: SelectedPoints, warp: NDArray[np.float64]) -> Values:
    """Values of the source at warped points, (n,) float32; ``known`` where there is none.

    Args:
        source: a level of the source.
        points: pixels of a level of the target.
        warp: (3, 3), pixel of the target's level -> pixel of the source's.
    """
    image, table, count = packed(source.image), points.table, points.number
    padded = table.shape[1]
    values, scratch = (np.empty(rows * padded, np.float32) for rows in (1, _SCRATCH_ROWS))
    call(
        "points",
        _Points(
            source=plane(image, np.float32),
            table=table.ctypes.data,
            count=count,
            motion=1,
            warp=_Doubles9(*warp.ravel().tolist()),
            reach=source.reach,
            known=source.known,
            constant=1.0,
            least_scale=1.0,
            values=values.ctypes.data,
            scratch=scratch.ctypes.data,
        ),
    )
    return values[:count]


class PointSweep:
    """The points of a level, prepared for repeated summation.

        r = factor S(W x) + offset - T - c_x a (1 - a) - c_y b (1 - b)

    where a and b are the fractional parts of W x and c_x, c_y half the second differences (the
    error of linear sampling); w is the weight of the loss.

    Args:
        source: a level of the source.
        points: pixels of a level of the target.
        ranked: indices of the points whose residuals give the scale.
        basis: (p, 8), the columns of the motion, each as a sum of those of the table.
        correct_curvature: whether the error of linear sampling is subtracted.
        terms: 0, 1 or 6.
        weighting: the loss.
        noise: of the points' grey values.
    """

    def __init__(
        self,
        source: Inner,
        points: SelectedPoints,
        ranked: NDArray[np.int64],
        *,
        basis: NDArray[np.float64],
        correct_curvature: bool,
        terms: int,
        weighting: Weighting,
        noise: Noise,
    ) -> None:
        image, count = packed(source.image), points.number
        table = np.ascontiguousarray(points.table, np.float32)
        ranked = np.ascontiguousarray(ranked, np.int64)
        if table.shape != (ROWS, round_to_lanes(count)):
            raise ValueError("points: expected a table of padded rows")
        self._motion, self._size = len(basis), len(basis) + 2 * terms
        scratch = np.empty(_SCRATCH_ROWS * table.shape[1], np.float32)
        self._sums = _PointSums()
        # Whatever the structure points to.
        self._held = image, table, ranked, scratch
        self._call = _Points(
            source=plane(image, np.float32),
            table=table.ctypes.data,
            ranked=ranked.ctypes.data,
            count=count,
            ranked_count=ranked.size,
            motion=self._motion,
            terms=terms,
            basis=_Doubles64(*basis.ravel().tolist()),
            correct_curvature=correct_curvature,
            reach=source.reach,
            known=source.known,
            loss=LOSSES.index(weighting.loss),
            constant=weighting.constant,
            least_scale=weighting.least_scale,
            noise=noise.deviation,
            spread=noise.spread,
            least_noise=noise.least,
            most_noise=noise.most,
            scratch=scratch.ctypes.data,
            sums=ctypes.addressof(self._sums),
        )

    def at(
        self,
        warp: NDArray[np.float64],
        factor: NDArray[np.float64],
        offset: NDArray[np.float64],
        *,
        varies: bool,
        scale: float | None,
        at_least: float,
        with_matrix: bool,
    ) -> PointSums:
        """The sums at a state.

        Args:
            warp: (3, 3), pixel of the target's level -> pixel of the source's.
            factor: (6,), of the monomials.
            offset: the same.
            varies: whether they have more than their first coefficient.
            scale: standard deviation of the residuals; None to estimate it.
            at_least: lower limit of the estimated scale.
            with_matrix: whether the matrix is requested.
        """
        arguments, sums, size = self._call, self._sums, self._size
        arguments.warp[:] = warp.ravel().tolist()
        arguments.factor[:] = factor.tolist()
        arguments.offset[:] = offset.tolist()
        arguments.varies, arguments.with_matrix = varies, with_matrix
        arguments.scale, arguments.at_least = 0.0 if scale is None else scale, at_least
        call("points", arguments)
        matrix = np.array(sums.matrix[: size * size]).reshape(size, size) if with_matrix else None
        return PointSums(
            np.array(sums.vector[:size]),
            matrix,
            sums.weight,
            sums.squares,
            sums.slope,
            sums.scale,
            sums.estimate,
            sums.count,
        )
