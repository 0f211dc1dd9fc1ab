"""The normal equations of chosen points of a level."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Plane, call, in_lanes, packed, plane
from align_cli.native.rows import LOSSES

_SCRATCH_ROWS: Final = 4
_MOST: Final = 20

Values = NDArray[np.float32]
_Doubles6 = ctypes.c_double * 6
_Doubles9 = ctypes.c_double * 9


class _PointSums(ctypes.Structure):
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
    _fields_ = (
        ("source", Plane),
        ("x", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("image", ctypes.c_void_p),
        ("bend_x", ctypes.c_void_p),
        ("bend_y", ctypes.c_void_p),
        ("monomials", ctypes.c_void_p * 6),
        ("columns", ctypes.c_void_p),
        ("ranked", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("ranked_count", ctypes.c_int64),
        ("motion", ctypes.c_int64),
        ("terms", ctypes.c_int64),
        ("warp", _Doubles9),
        ("factor", _Doubles6),
        ("offset", _Doubles6),
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
        ("scratch", ctypes.c_void_p),
        ("sums", ctypes.c_void_p),
    )


class PointSums(NamedTuple):
    """What the points add up to.

    Attributes:
        vector: (p + 2 n,), the sums of the columns times w r.
        matrix: (p + 2 n, p + 2 n), those of w times two columns; None where not asked for.
        weight, squares, slope: the sums of w, of w r r and of the slopes.
        scale: standard deviation that the weights assume.
        estimate: the same as the residuals have it, where it was not given.
        known: how many points are.
    """

    vector: NDArray[np.float64]
    matrix: NDArray[np.float64] | None
    weight: float
    squares: float
    slope: float
    scale: float
    estimate: float
    known: int


def padded(rows: Values) -> Values:
    """(k, n) with zeros beyond the last, to whole vectors of ``library.LANES``."""
    count = rows.shape[1]
    found = np.zeros((len(rows), in_lanes(count)), np.float32)
    found[:, :count] = rows
    return found


class PointSweep:
    """The points of a level, made ready to be summed at many places.

        r = factor S(W x) + offset - T - b_x a (1 - a) - b_y b (1 - b)

    where a and b are the parts of W x beyond whole pixels; w is the weight of the loss.

    Args:
        source: (height, width) float32, what is not known of it above ``known``; 0 pixels of its
            border are left out, ``reach`` of the level's are.
        place: x and y of each point in pixels of the level, (n,) float32 each.
        image: (n,) float32.
        bends: (n,) float32 each, or None.
        monomials: (6, n) float32.
        columns: (p + 2 terms, n) ``padded``.
        ranked: indices of the points whose residuals tell the scale.
        terms: 0, 1 or 6.
        reach, known: see ``source``.
        loss: its name.
        constant: of the loss; any for l2.
        least_scale: the least that the scale is estimated to be.
        noise: standard deviation of the noise in ``image``, and of the image, and the least and
            the most share of its variance that is taken for noise.
    """

    def __init__(
        self,
        source: Values,
        place: tuple[Values, Values],
        image: Values,
        bends: Sequence[Values] | None,
        monomials: Values,
        columns: Values,
        ranked: NDArray[np.int64],
        *,
        terms: int,
        reach: int,
        known: float,
        loss: str,
        constant: float,
        least_scale: float,
        noise: tuple[float, float, float, float],
    ) -> None:
        source = packed(source)
        arrays = [*place, image, *(bends or ()), *monomials]
        arrays = [np.ascontiguousarray(each, np.float32) for each in arrays]
        columns = np.ascontiguousarray(columns, np.float32)
        ranked = np.ascontiguousarray(ranked, np.int64)
        count = image.size
        if any(each.shape != (count,) for each in arrays):
            raise ValueError("points: one value for each point is wanted")
        if columns.shape[1] != in_lanes(count):
            raise ValueError("points: the columns must be padded")
        self._size = len(columns)
        scratch = np.empty(_SCRATCH_ROWS * columns.shape[1], np.float32)
        self._sums = _PointSums()
        # Whatever the structure points to.
        self._held = source, arrays, columns, ranked, scratch
        pointers = [each.ctypes.data for each in arrays]
        bend = pointers[3:-6] or [None, None]
        self._call = _Points(
            source=plane(source, np.float32),
            x=pointers[0],
            y=pointers[1],
            image=pointers[2],
            bend_x=bend[0],
            bend_y=bend[1],
            monomials=(ctypes.c_void_p * 6)(*pointers[-6:]),
            columns=columns.ctypes.data,
            ranked=ranked.ctypes.data,
            count=count,
            ranked_count=ranked.size,
            motion=self._size - 2 * terms,
            terms=terms,
            reach=reach,
            known=known,
            loss=LOSSES.index(loss),
            constant=constant,
            least_scale=least_scale,
            noise=noise[0],
            spread=noise[1],
            least_noise=noise[2],
            most_noise=noise[3],
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
        """The sums at a place.

        Args:
            warp: (3, 3), pixel of the target's level -> pixel of the source's.
            factor: (6,), of the monomials.
            offset: the same.
            varies: whether they have more than their first coefficient.
            scale: standard deviation of the residuals; None for theirs.
            at_least: the least that theirs counts as.
            with_matrix: whether that is wanted.
        """
        asked, sums, size = self._call, self._sums, self._size
        asked.warp[:] = warp.ravel().tolist()
        asked.factor[:] = factor.tolist()
        asked.offset[:] = offset.tolist()
        asked.varies, asked.with_matrix = varies, with_matrix
        asked.scale, asked.at_least = 0.0 if scale is None else scale, at_least
        call("points", asked)
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
