"""The sums of a run of rows: residuals, weights, and what a Gauss-Newton step is made of."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Output, Plane, call, in_lanes, output, packed, plane
from align_cli.native.pictures import NO_PICTURE, Picture, PictureArgument, smooth_scratch

LOSSES: Final = ("l2", "huber", "tukey", "lorentzian", "geman-mcclure")
"""In the order of ``enum imalign_loss``."""

_SCRATCH_ROWS: Final = 7
_GROUP_ROWS: Final = 32 + 2  # IMALIGN_GROUP, and one row more on each side
_WINDOW: Final = 1 << 16
_WINDOW_SIDE: Final = 1 << 10

_ABSENT: Final = Plane(None, 0, 0, 0, 0)
_NOT_SHOWN: Final = Output(None, 0, 0, 0)

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
_Doubles6 = ctypes.c_double * 6
_Doubles9 = ctypes.c_double * 9


class _Sums(ctypes.Structure):
    _fields_ = (
        ("moments", ctypes.c_double * 45),
        ("tables", ctypes.c_double * 250),
        ("weight", ctypes.c_double),
        ("squares", ctypes.c_double),
        ("slope", ctypes.c_double),
        ("count", ctypes.c_int64),
    )


class _Rows(ctypes.Structure):
    _fields_ = (
        ("image", Plane),
        ("gradient_x", Plane),
        ("gradient_y", Plane),
        ("column", Plane),
        ("weight", Plane),
        ("valid", Plane),
        ("source", Plane),
        ("sampled", Plane),
        ("source_valid", Plane),
        ("target", PictureArgument),
        ("original", PictureArgument),
        ("left", ctypes.c_int64),
        ("top", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("apart", ctypes.c_int64),
        ("band_first", ctypes.c_int64),
        ("band_rows", ctypes.c_int64),
        ("band_period", ctypes.c_int64),
        ("mean", ctypes.c_double),
        ("x_scale", ctypes.c_double),
        ("x_offset", ctypes.c_double),
        ("y_scale", ctypes.c_double),
        ("y_offset", ctypes.c_double),
        ("warp", _Doubles9),
        ("source_width", ctypes.c_int64),
        ("source_height", ctypes.c_int64),
        ("finer", ctypes.c_int64),
        ("spline", ctypes.c_int64),
        ("margin", ctypes.c_double),
        ("factor", _Doubles6),
        ("offset", _Doubles6),
        ("loss", ctypes.c_int64),
        ("unit", ctypes.c_double),
        ("texture", ctypes.c_double),
        ("weigh_noise", ctypes.c_int64),
        ("matrix_first", ctypes.c_int64),
        ("matrix_step", ctypes.c_int64),
        ("scratch", ctypes.c_void_p),
        ("residual", Output),
        ("inside", Output),
        ("sums", ctypes.c_void_p),
    )


class Run(NamedTuple):
    """Rows of a level of the target: neighbours, or bands of neighbours, stacked.

    Attributes:
        left, top: the level's pixel that is the first.
        size: (width, height) of the planes.
        image: (h, w) float32 grey values. Without a gradient it is the central difference of the
            level, a view of which is given, from one row and one column before the first pixel to
            those after the last; or the picture that is the level.
        gradient: along x and along y, (h, w) float32 each.
        column: (h, w) float32; None for the image less ``mean``.
        weight: (h, w) float32; None where the loss weighs.
        valid: (h, w) bool; None where every pixel takes part.
        mean: what is taken off the image.
        normalisation: scale and offset of x, then of y: normalised = scale * pixel + offset.
        texture: squared gradient above which a pixel has texture.
        apart: every n-th row is looked at, the first of them first.
        bands: rows of a band before the first, rows of a band, and rows of the level from one band
            to the next; None where all are neighbours.
    """

    left: int
    top: int
    size: tuple[int, int]
    image: Values | Picture
    gradient: tuple[Values, Values] | None
    column: Values | None
    weight: Values | None
    valid: Mask | None
    mean: float
    normalisation: tuple[float, float, float, float]
    texture: float
    apart: int = 1
    bands: tuple[int, int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows that are looked at, width)."""
        width, height = self.size
        return -(-height // self.apart), width


class Seen(NamedTuple):
    """A level of the source, and where and how it is seen.

    Attributes:
        pixels: (finer * height, finer * width) float32, or a picture of that size; sampled
            linearly. If ``spline``, the control points of a cubic B-spline, which is sampled
            linearly between those of a grid twice as fine; the margin is 2 then, or more. If
            ``sampled``, what has been sampled for the run already, (h, w).
        valid: (height, width) bool; None where every pixel is known.
        size: (width, height) in pixels of the level.
        finer: pixels of the plane for each of the level along an axis, 1 or 2.
        margin: pixels next to the source's border that take no part.
        warp: (3, 3), pixel of the target's level -> pixel of the source's.
        factor, offset: (6,) each, of 1, x, y, x x, x y, y y.
        sampled, spline: see ``pixels``.
    """

    pixels: Values | Picture
    valid: Mask | None
    size: tuple[int, int]
    finer: int
    margin: float
    warp: NDArray[np.float64]
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    sampled: bool = False
    spline: bool = False


TEXTURED: Final = 3
"""Of a pixel that takes part and has texture, see ``Shown``."""


class Shown(NamedTuple):
    """What is seen of a run, (h, w) each.

    Attributes:
        residual: float32, 0 where a pixel takes no part.
        inside: uint8, 1 where a pixel takes part, ``TEXTURED`` where it has texture too, else 0.
    """

    residual: Values
    inside: NDArray[np.uint8]

    @classmethod
    def empty(cls, height: int, width: int) -> Shown:
        """Not yet written."""
        return cls(np.empty((height, width), np.float32), np.empty((height, width), np.uint8))

    def part(self, rows: slice) -> Shown:
        """Some rows of it."""
        return Shown(self.residual[rows], self.inside[rows])


class RunSums(NamedTuple):
    """What a run adds up to.

    Attributes:
        moments: (5, 3, 3), sums of y**j x**i times gx w r, gy w r, T w r, w r and w.
        totals: (4,), sums of w, w r r and the slopes, and how many pixels take part.
        tables: (10, 5, 5), sums of y**j x**i times w gx gx, w gx gy, w gy gy, w gx T, w gy T,
            w gx, w gy, w T T, w T and w.
    """

    moments: NDArray[np.float64]
    totals: NDArray[np.float64]
    tables: NDArray[np.float64]


def run_sums(
    run: Run,
    seen: Seen,
    *,
    loss: str = LOSSES[0],
    unit: float = 1.0,
    weigh_noise: bool = False,
    matrix: tuple[int, int] = (0, 0),
    shown: Shown | None = None,
) -> RunSums:
    """The residual r = factor S(W x) + offset - (T - mean) of every pixel, weighed and summed.

    With u = r / unit the weight w is that of the loss, or the one that is given; the slope is how
    much u w changes with u. A pixel takes part where the warp takes it into the source, ``margin``
    pixels or more from its border, and where it is valid in both.

    Args:
        run: of the target.
        seen: the source.
        loss: its name; not asked where weights are given.
        unit: the residual at which u is 1; any for l2.
        weigh_noise: whether the moments of w are wanted; 0 if not.
        matrix: the first row that is in the tables, and how many rows there are to each; a step of
            0 for none.
        shown: written, if it is there.
    """
    height, width = run.shape
    along_x, along_y = (None, None) if run.gradient is None else run.gradient
    image_of, target = _either(run.image)
    pixels_of, original = _either(seen.pixels)
    values = _SCRATCH_ROWS * in_lanes(width)
    if image_of is None or pixels_of is None:
        values += 2 * _GROUP_ROWS * in_lanes(width + 18) + _WINDOW
        values += smooth_scratch(width + _WINDOW_SIDE + 2)
    scratch = np.empty(values, np.float32)
    sums = _Sums()
    residual = None if shown is None else shown.residual
    inside = None if shown is None else shown.inside
    held = [
        None if each is None else packed(each)
        for each in (
            image_of,
            along_x,
            along_y,
            run.column,
            run.weight,
            run.valid,
            pixels_of,
            seen.valid,
        )
    ]
    wanted = {5: np.bool_, 7: np.bool_}  # the masks
    image, gradient_x, gradient_y, column, weight, valid, pixels, source_valid = (
        _plane(each, wanted.get(place, np.float32)) for place, each in enumerate(held)
    )
    call(
        "rows",
        _Rows(
            image,
            gradient_x,
            gradient_y,
            column,
            weight,
            valid,
            _ABSENT if seen.sampled else pixels,
            pixels if seen.sampled else _ABSENT,
            source_valid,
            target,
            original,
            run.left,
            run.top,
            width,
            height,
            run.apart,
            *(run.bands or (0, max(run.size[1], 1), max(run.size[1], 1))),
            run.mean,
            *run.normalisation,
            _Doubles9(*seen.warp.ravel().tolist()),
            *seen.size,
            seen.finer,
            seen.spline,
            seen.margin,
            _Doubles6(*seen.factor.tolist()),
            _Doubles6(*seen.offset.tolist()),
            LOSSES.index(loss),
            unit,
            run.texture,
            weigh_noise,
            *matrix,
            scratch.ctypes.data,
            _NOT_SHOWN if residual is None else output(residual, np.float32),
            _NOT_SHOWN if inside is None else output(inside, np.uint8),
            ctypes.addressof(sums),
        ),
    )
    return RunSums(
        np.array(sums.moments).reshape(5, 3, 3),
        np.array([sums.weight, sums.squares, sums.slope, sums.count], np.float64),
        np.array(sums.tables).reshape(10, 5, 5),
    )


def _either(image: Values | Picture) -> tuple[Values | None, PictureArgument]:
    """As a plane, or as a picture."""
    if isinstance(image, Picture):
        return None, image.argument
    return image, NO_PICTURE


def _plane(array: NDArray[Any] | None, dtype: type) -> Plane:
    return _ABSENT if array is None else plane(array, dtype)


def added(parts: Sequence[RunSums]) -> RunSums:
    """The sums of several runs, added in their order."""
    first, *others = parts
    moments, totals, tables = first
    for part in others:
        moments, totals, tables = moments + part.moments, totals + part.totals, tables + part.tables
    return RunSums(moments, totals, tables)
