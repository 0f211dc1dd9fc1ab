"""Sums over rows: residuals, weights, and the normal equations of a Gauss-Newton step."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.native.filtered_image import (
    NO_IMAGE,
    FilteredImage,
    FilteredImageArgument,
    smooth_scratch,
)
from align_cli.native.library import Output, Plane, call, output, packed, plane, round_to_lanes

LOSSES: Final = ("l2", "huber", "tukey", "lorentzian", "geman-mcclure")
"""Names in the order of ``enum imalign_loss``."""

_SCRATCH_ROWS: Final = 7
_GROUP_ROWS: Final = 32 + 2  # IMALIGN_GROUP, and one row more on each side
_WINDOW: Final = 1 << 16
_WINDOW_SIDE: Final = 1 << 10

_ABSENT: Final = Plane(None, 0, 0, 0, 0)
_NO_OUTPUT: Final = Output(None, 0, 0, 0)

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
_Doubles6 = ctypes.c_double * 6
_Doubles9 = ctypes.c_double * 9


class _Sums(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
    _fields_ = (
        ("moments", ctypes.c_double * 45),
        ("tables", ctypes.c_double * 250),
        ("weight", ctypes.c_double),
        ("squares", ctypes.c_double),
        ("slope", ctypes.c_double),
        ("count", ctypes.c_int64),
    )


class _Rows(ctypes.Structure):
    __slots__ = ()  # or a field that there is not would be taken silently
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
        ("target", FilteredImageArgument),
        ("original", FilteredImageArgument),
        ("left", ctypes.c_int64),
        ("top", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("row_step", ctypes.c_int64),
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
    """Rows of a level of the target: contiguous, or bands of contiguous rows, stacked.

    Attributes:
        left, top: the level's pixel that is the first.
        size: (width, height) of the planes.
        image: (h, w) float32 grey values. Without a gradient, it is the central difference of the
            level, and ``image`` is a view of that, from one row and one column before the first
            pixel to those after the last; or the filtered image that is the level.
        gradient: along x and along y, (h, w) float32 each.
        column: (h, w) float32; None for the image less ``mean``.
        weight: (h, w) float32; None for the weights of the loss.
        valid: (h, w) bool; None where every pixel is valid.
        mean: subtracted from the image.
        normalisation: scale and offset of x, then of y: normalised = scale * pixel + offset.
        texture: squared gradient above which a pixel has texture.
        row_step: every n-th row is used, starting at the first.
        bands: rows of a band before the first, rows of a band, and rows of the level from one band
            to the next; None if all rows are contiguous.
    """

    left: int
    top: int
    size: tuple[int, int]
    image: Values | FilteredImage
    gradient: tuple[Values, Values] | None
    column: Values | None
    weight: Values | None
    valid: Mask | None
    mean: float
    normalisation: tuple[float, float, float, float]
    texture: float
    row_step: int = 1
    bands: tuple[int, int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows that are used, width)."""
        width, height = self.size
        return -(-height // self.row_step), width

    def arguments(self, held: list[NDArray[Any]]) -> dict[str, Any]:
        """Fields of the kernel's structure; what they point to is added to ``held``."""
        rows, width = self.shape
        height = max(self.size[1], 1)
        image, picture = _either(self.image)
        x, y = (None, None) if self.gradient is None else self.gradient
        x_scale, x_offset, y_scale, y_offset = self.normalisation
        first, band, period = self.bands or (0, height, height)
        return {
            "image": _plane(image, np.float32, held),
            "gradient_x": _plane(x, np.float32, held),
            "gradient_y": _plane(y, np.float32, held),
            "column": _plane(self.column, np.float32, held),
            "weight": _plane(self.weight, np.float32, held),
            "valid": _plane(self.valid, np.bool_, held),
            "target": picture,
            "left": self.left,
            "top": self.top,
            "width": width,
            "rows": rows,
            "row_step": self.row_step,
            "band_first": first,
            "band_rows": band,
            "band_period": period,
            "mean": self.mean,
            "x_scale": x_scale,
            "x_offset": x_offset,
            "y_scale": y_scale,
            "y_offset": y_offset,
            "texture": self.texture,
        }


class SourceView(NamedTuple):
    """A level of the source, with the warp and the illumination under which it is sampled.

    Attributes:
        pixels: (finer * height, finer * width) float32, or a filtered image of that size; sampled
            linearly. If ``spline``, the control points of a cubic B-spline, whose subdivided
            control points are sampled linearly; the margin is 2 then, or more. If ``sampled``, the
            values already sampled for the run, (h, w).
        valid: (height, width) bool; None where every pixel is valid.
        size: (width, height) in pixels of the level.
        finer: pixels of the plane for each of the level along an axis, 1 or 2.
        margin: excluded pixels next to the source's border.
        warp: (3, 3), pixel of the target's level -> pixel of the source's.
        factor, offset: (6,) each, of 1, x, y, x x, x y, y y.
        sampled, spline: see ``pixels``.
    """

    pixels: Values | FilteredImage
    valid: Mask | None
    size: tuple[int, int]
    finer: int
    margin: float
    warp: NDArray[np.float64]
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    sampled: bool = False
    spline: bool = False

    def arguments(self, held: list[NDArray[Any]]) -> dict[str, Any]:
        """Fields of the kernel's structure; what they point to is added to ``held``."""
        pixels, picture = _either(self.pixels)
        source = _plane(pixels, np.float32, held)
        width, height = self.size
        return {
            "source": _ABSENT if self.sampled else source,
            "sampled": source if self.sampled else _ABSENT,
            "source_valid": _plane(self.valid, np.bool_, held),
            "original": picture,
            "warp": _Doubles9(*self.warp.ravel().tolist()),
            "source_width": width,
            "source_height": height,
            "finer": self.finer,
            "spline": self.spline,
            "margin": self.margin,
            "factor": _Doubles6(*self.factor.tolist()),
            "offset": _Doubles6(*self.offset.tolist()),
        }


TEXTURED: Final = 3
"""Value of a used pixel with texture, see ``RunPixels``."""


class RunPixels(NamedTuple):
    """Residual and status of the pixels of a run, (h, w) each.

    Attributes:
        residual: float32, 0 where a pixel is not used.
        inside: uint8, 1 where a pixel is used, ``TEXTURED`` where it has texture too, else 0.
    """

    residual: Values
    inside: NDArray[np.uint8]

    @classmethod
    def empty(cls, height: int, width: int) -> RunPixels:
        """Uninitialised."""
        return cls(np.empty((height, width), np.float32), np.empty((height, width), np.uint8))

    def part(self, rows: slice) -> RunPixels:
        """Some rows."""
        return RunPixels(self.residual[rows], self.inside[rows])


class RunSums(NamedTuple):
    """The sums over a run.

    Attributes:
        moments: (5, 3, 3), sums of y**j x**i times gx w r, gy w r, T w r, w r and w.
        totals: (4,), sums of w, w r r and the slopes, and the number of used pixels.
        tables: (10, 5, 5), sums of y**j x**i times w gx gx, w gx gy, w gy gy, w gx T, w gy T, w gx,
            w gy, w T T, w T and w.
    """

    moments: NDArray[np.float64]
    totals: NDArray[np.float64]
    tables: NDArray[np.float64]


def run_sums(
    run: Run,
    seen: SourceView,
    *,
    loss: str = LOSSES[0],
    unit: float = 1.0,
    weigh_noise: bool = False,
    matrix: tuple[int, int] = (0, 0),
    shown: RunPixels | None = None,
) -> RunSums:
    """The weighted sums over every pixel of the residual r = factor S(W x) + offset - (T - mean).

    With u = r / unit the weight w is that of the loss, or given; the slope is the derivative of u w
    by u. A pixel is used if the warp maps it into the source, ``margin`` pixels or more from its
    border, and it is valid in both.

    Args:
        run: of the target.
        seen: the source.
        loss: its name; ignored if weights are given.
        unit: the residual at which u is 1; any for l2.
        weigh_noise: whether the moments of w are requested; 0 if not.
        matrix: the first row that is in the tables, and the step between rows; a step of 0 for
            none.
        shown: written to, if given.
    """
    width = run.size[0]
    values = _SCRATCH_ROWS * round_to_lanes(width)
    if isinstance(run.image, FilteredImage) or isinstance(seen.pixels, FilteredImage):
        values += 2 * _GROUP_ROWS * round_to_lanes(width + 18) + _WINDOW
        values += smooth_scratch(width + _WINDOW_SIDE + 2)
    scratch = np.empty(values, np.float32)
    sums = _Sums()
    held: list[NDArray[Any]] = []
    first, step = matrix
    call(
        "rows",
        _Rows(
            **run.arguments(held),
            **seen.arguments(held),
            loss=LOSSES.index(loss),
            unit=unit,
            weigh_noise=weigh_noise,
            matrix_first=first,
            matrix_step=step,
            scratch=scratch.ctypes.data,
            residual=_NO_OUTPUT if shown is None else output(shown.residual, np.float32),
            inside=_NO_OUTPUT if shown is None else output(shown.inside, np.uint8),
            sums=ctypes.addressof(sums),
        ),
    )
    return RunSums(
        np.array(sums.moments).reshape(5, 3, 3),
        np.array([sums.weight, sums.squares, sums.slope, sums.count], np.float64),
        np.array(sums.tables).reshape(10, 5, 5),
    )


def _either(image: Values | FilteredImage) -> tuple[Values | None, FilteredImageArgument]:
    """The image as a plane, or as a filtered image."""
    if isinstance(image, FilteredImage):
        return None, image.argument
    return image, NO_IMAGE


def _plane(array: NDArray[Any] | None, dtype: type, held: list[NDArray[Any]]) -> Plane:
    if array is None:
        return _ABSENT
    held.append(packed(array))
    return plane(held[-1], dtype)


def total_sums(parts: Sequence[RunSums]) -> RunSums:
    """The sums of several runs, added in their order."""
    first, *others = parts
    moments, totals, tables = first
    for part in others:
        moments, totals, tables = moments + part.moments, totals + part.totals, tables + part.tables
    return RunSums(moments, totals, tables)
