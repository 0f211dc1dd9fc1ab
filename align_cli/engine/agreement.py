"""How well two images agree, grey value by grey value, and what is left between them.

Measured without the solver's weights, on the images as they are, at full size (of large ones on
evenly spaced rows).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.alignment import Agreement, Quality
from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.luma import Luma
from align_cli.engine.photometry import FIELD
from align_cli.engine.sampling import row_intervals
from align_cli.native.rows import Run, Seen, Shown, run_sums

MOST_MEASURED: Final = 1 << 14
"""Of an overlap of more than twice so many pixels every second row is looked at, and so on."""

FEWEST_ROWS: Final = 64
"""However wide they are, so many rows, spread over the overlap, if it has so many; then not all
of their columns."""

_STRIP_PIXELS: Final = 1 << 16

_AS_IT_IS: Final = np.ones(1)
"""The kernel that smooths nothing."""


class Comparison(NamedTuple):
    """Rows of both images on the target's grid.

    ``target`` is (h, w) float32, its grey values; ``difference`` is (h, w) float32, source less
    target, 0 outside; both in full-scale units divided by ``difference_unit``, the target less its
    offset. ``inside`` is (h, w) bool, where both are known.
    """

    target: Plane
    difference: Plane
    inside: Mask

    def columns(self, apart: int) -> Comparison:
        """Every so manieth column of it."""
        some = np.s_[:, ::apart]
        return Comparison(self.target[some], self.difference[some], self.inside[some])


def difference_unit(source: Luma, target: Luma) -> float:
    """The unit of ``Comparison.difference``, in full-scale units: differences fit float32."""
    return max(source.scale, target.scale)


def compare(source: Luma, target: Luma, warp: Matrix, rows: slice) -> Comparison:
    """Sample the source through a full-size warp on some rows of the target's grid.

    ``rows`` has a start and an end, and may have a step.
    """
    width, step = target.size[0], rows.step or 1
    unit = difference_unit(source, target)
    picture = target.picture(_AS_IT_IS)
    picture = picture._replace(weights=picture.weights * np.float32(target.scale / unit))
    factor, offset = np.zeros((2, FIELD))
    # Two large offsets meet in float64, where their difference keeps its digits.
    factor[0], offset[0] = source.scale / unit, (source.offset - target.offset) / unit
    run = Run(
        0,
        rows.start,
        (width, rows.stop - rows.start),
        picture,
        None,
        None,
        None,
        None if target.valid is None else target.valid[rows.start : rows.stop],
        0.0,
        (0.0, 0.0, 0.0, 0.0),
        0.0,
        step,
    )
    seen = Seen(
        source.picture(_AS_IT_IS),
        source.valid,
        source.size,
        1,
        0.0,
        warp,
        factor,
        offset,
    )
    shown = Shown.empty(*run.shape)
    run_sums(run, seen, shown=shown)
    values = target.part(np.s_[rows, :]) * np.float32(target.scale / unit)
    return Comparison(values, shown.residual, shown.inside > 0)


def residual_image(source: Luma, target: Luma, warp: Matrix) -> tuple[Plane, Mask]:
    """``warped - target`` and the overlap, both (height, width) of the target.

    The residual is float32, in units of full scale, 0 outside the overlap.
    """
    width, height = target.size
    residual = np.zeros((height, width), np.float32)
    overlap = np.zeros((height, width), np.bool_)
    unit = difference_unit(source, target)
    for rows in _strips(target, range(height)):
        both = compare(source, target, warp, rows)
        with np.errstate(over="ignore"):  # float64 images may differ by more than float32 holds
            np.multiply(both.difference, unit, out=residual[rows])
        overlap[rows] = both.inside
    return residual, overlap


def measure(
    source: Luma,
    target: Luma,
    start: Matrix,
    final: Matrix,
) -> Quality:
    """Agreement under the warps ``start`` and ``final``, on the pixels that both reach.

    Of images with more than twice ``MOST_MEASURED`` pixels, evenly spaced rows are looked at; the
    overlap is always counted whole.
    """
    masked = source.valid is not None or target.valid is not None

    def strips(lengths: NDArray[np.intp]) -> list[slice]:
        reached = _reached_rows(lengths)
        return _strips(target, reached, 1 if masked else _rows_apart(lengths, len(reached)))

    def compared(warp: Matrix, rows: slice) -> Comparison:
        both = compare(source, target, warp, rows)
        pixels = FEWEST_ROWS * target.size[0]
        return both if masked else both.columns(max(1, pixels // (2 * MOST_MEASURED)))

    lengths = _covered(source, target, final)
    after, before = np.zeros((2, 8))
    for rows in strips(lengths):
        at_end, at_start = (compared(warp, rows) for warp in (final, start))
        after += _agreement_sums(at_end, at_end.inside)
        before += _agreement_sums(at_start, at_start.inside & at_end.inside)
    if before[0] == 0.0:
        for rows in strips(_covered(source, target, start)):
            at_start = compared(start, rows)
            before += _agreement_sums(at_start, at_start.inside)
    unit = difference_unit(source, target)
    return Quality(
        before=_agreement(before, unit),
        after=_agreement(after, unit),
        # Where masks have a say, all rows were looked at, because nothing else counts it.
        overlap=float(after[0] if masked else lengths.sum()) / math.prod(target.size),
    )


def overlap(source: Luma, target: Luma, warp: Matrix) -> float:
    """The share of the target's pixels that the source covers, masks left out of account."""
    return float(_covered(source, target, warp).sum()) / math.prod(target.size)


def _covered(source: Luma, target: Luma, warp: Matrix) -> NDArray[np.intp]:
    """(height,) pixels of each row of the target that the source covers."""
    width, height = target.size
    rows = np.arange(height, dtype=np.float64)
    first, end = row_intervals(warp, rows, width, source.size, 0.0)
    return np.asarray(np.maximum(end - first, 0), np.intp)


def _reached_rows(lengths: NDArray[np.intp]) -> range:
    """From the first row of the target that the source covers to the last."""
    seen = np.flatnonzero(lengths)
    return range(int(seen[0]), int(seen[-1]) + 1) if seen.size else range(0)


def _rows_apart(lengths: NDArray[np.intp], reached: int) -> int:
    """How many rows there are to each that is looked at.

    ``lengths`` are the pixels of each row that the source covers, in so many rows.
    """
    return max(1, min(int(lengths.sum()) // MOST_MEASURED, reached // FEWEST_ROWS))


def _strips(target: Luma, rows: range, apart: int = 1) -> list[slice]:
    """Every so manieth of some rows of the target, in strips of about ``_STRIP_PIXELS``."""
    of_strip = max(1, _STRIP_PIXELS // target.size[0]) * apart
    first = rows.start + (apart // 2 if apart < len(rows) else 0)
    return [
        slice(top, min(top + of_strip, rows.stop), apart)
        for top in range(first, rows.stop, of_strip)
    ]


def _agreement_sums(both: Comparison, where: Mask) -> NDArray[np.float64]:
    """Sums over the pixels ``where``: 1, s, t, s s, t t, s t, d d, |d|."""
    target, difference = both.target[where].astype(np.float64), both.difference[where]
    source = target + difference
    products = (target, source), (source, source), (target, target), (difference, difference)
    st, ss, tt, dd = (np.einsum("i,i->", a, b, dtype=np.float64) for a, b in products)
    absolute = np.abs(difference).sum(dtype=np.float64)
    return np.array([where.sum(), source.sum(), target.sum(), ss, tt, st, dd, absolute])


def _agreement(sums: NDArray[np.float64], unit: float) -> Agreement:
    count, s, t, ss, tt, st, dd, absolute = sums
    if count == 0.0:
        return Agreement(np.nan, np.nan, np.nan)
    variance = (ss - s * s / count) * (tt - t * t / count)
    zncc = (st - s * t / count) / np.sqrt(variance) if variance > 0.0 else np.nan
    return Agreement(
        zncc=float(np.clip(zncc, -1.0, 1.0)),
        rmse=float(np.sqrt(dd / count)) * unit,
        mae=float(absolute / count) * unit,
    )
