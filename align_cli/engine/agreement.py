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
from align_cli.engine.bands import Bands
from align_cli.engine.luma import Luma
from align_cli.engine.photometry import FIELD
from align_cli.engine.sampling import row_intervals
from align_cli.native.rows import Run, Seen, Shown, run_sums

MOST_MEASURED: Final = 1 << 14
"""Of an overlap of more than twice so many pixels every second row is looked at, and so on."""

FEWEST_ROWS: Final = 64
"""However wide they are, so many rows, spread over the overlap, if it has so many; then not all
of their columns."""

NEIGHBOURS: Final = 4
"""Rows that lie side by side: what is near one is made with it."""

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


def compare(source: Luma, target: Luma, warp: Matrix, rows: Bands) -> Comparison:
    """Sample the source through a full-size warp on some rows of the target's grid."""
    width, y = target.size[0], rows.y.astype(np.intp)
    picked = y if rows.count > 1 else slice(int(y[0]), int(y[-1]) + 1)
    unit = difference_unit(source, target)
    picture = target.picture(_AS_IT_IS)
    picture = picture._replace(weights=picture.weights * np.float32(target.scale / unit))
    factor, offset = np.zeros((2, FIELD))
    # Two large offsets meet in float64, where their difference keeps its digits.
    factor[0], offset[0] = source.scale / unit, (source.offset - target.offset) / unit
    run = Run(
        0,
        rows.first,
        (width, len(y)),
        picture,
        None,
        None,
        None,
        None if target.valid is None else target.valid[picked],
        0.0,
        (0.0, 0.0, 0.0, 0.0),
        0.0,
        bands=(0, rows.rows, rows.period),
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
    values = target.part(np.s_[picked, :]) * np.float32(target.scale / unit)
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
            np.multiply(both.difference, unit, out=residual[rows.slices[0]])
        overlap[rows.slices[0]] = both.inside
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
    columns = 1 if masked else max(1, FEWEST_ROWS * target.size[0] // (2 * MOST_MEASURED))

    def strips(lengths: NDArray[np.intp]) -> list[Bands]:
        reached = _reached_rows(lengths)
        return _strips(target, reached) if masked else _spread(lengths, reached)

    def compared(warp: Matrix, rows: Bands) -> Comparison:
        return compare(source, target, warp, rows).columns(columns)

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


def _spread(lengths: NDArray[np.intp], reached: range) -> list[Bands]:
    """Bands of rows that stand for all that are reached, or those where they are few.

    ``lengths`` are the pixels of each row that the source covers.
    """
    pixels = int(lengths.sum())
    if pixels == 0:
        return []
    rows = max(FEWEST_ROWS, 2 * MOST_MEASURED * len(reached) // pixels)
    if rows >= len(reached):
        return [Bands(reached.start, len(reached), len(reached), 1)]
    count = max(1, rows // NEIGHBOURS)
    period = len(reached) // count
    return [Bands(reached.start + (period - NEIGHBOURS) // 2, NEIGHBOURS, period, count)]


def _strips(target: Luma, rows: range) -> list[Bands]:
    """Some rows of the target, in strips of about ``_STRIP_PIXELS``."""
    height = max(1, _STRIP_PIXELS // target.size[0])
    tops = rows[::height]
    heights = [min(height, rows.stop - top) for top in tops]
    return [Bands(top, high, high, 1) for top, high in zip(tops, heights, strict=True)]


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
