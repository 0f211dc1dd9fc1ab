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
from align_cli.engine.luma import LargeLuma, Luma
from align_cli.engine.parts import sample_luma
from align_cli.engine.sampling import interval_mask, offset_origin, row_intervals, sample_valid

MOST_MEASURED: Final = 1 << 14
"""Of an overlap of more than twice so many pixels every second row is looked at, and so on."""

NEIGHBOURS: Final = 4
"""Rows of an image that is not held converted that are looked at together."""

FEWEST_RUNS: Final = 16
"""Such runs of rows, spread over the overlap, if it has so many."""

_STRIP_PIXELS: Final = 1 << 16

_RESIDUAL_STRIP_PIXELS: Final = 1 << 19
"""More rows at once share more of the source, which lies askew below them: a third of the time."""


class Comparison(NamedTuple):
    """Rows of both images on the target's grid.

    ``source`` and ``target`` are (h, w) float32, grey values of the planes; ``difference`` is
    (h, w) float32, source less target in full-scale units divided by ``unit``; ``inside`` is
    (h, w) bool, where both are known.
    """

    source: Plane
    target: Plane
    difference: Plane
    inside: Mask


def difference_unit(source: Luma, target: Luma) -> float:
    """The unit of ``Comparison.difference``, in full-scale units: differences fit float32."""
    return max(source.scale, target.scale)


def compare(source: Luma, target: Luma, warp: Matrix, rows: slice) -> Comparison:
    """Sample the source through a full-size warp on some rows of the target's grid.

    ``rows`` has a start and an end, and may have a step.
    """
    image = target.part(np.s_[rows, :])
    height, width = image.shape
    shifted = offset_origin(warp, 0.0, rows.start) @ np.diag([1.0, rows.step or 1, 1.0])
    first, end = row_intervals(
        shifted, np.arange(height, dtype=np.float64), width, source.size, 0.0
    )
    inside = interval_mask(first, end, width)
    warped = sample_luma(source, shifted, (width, height))
    if source.valid is not None:
        inside &= sample_valid(source.valid, shifted, (width, height))
    if target.valid is not None:
        inside &= target.valid[rows]
    unit = difference_unit(source, target)
    difference = warped * np.float32(source.scale / unit)
    difference -= image * np.float32(target.scale / unit)
    # Two large offsets meet in float64, where their difference keeps its digits.
    difference += np.float32((source.offset - target.offset) / unit)
    return Comparison(warped, image, difference, inside)


def residual_image(source: Luma, target: Luma, warp: Matrix) -> tuple[Plane, Mask]:
    """``warped - target`` and the overlap, both (height, width) of the target.

    The residual is float32, in units of full scale, 0 outside the overlap.
    """
    width, height = target.size
    residual = np.zeros((height, width), np.float32)
    overlap = np.zeros((height, width), np.bool_)
    unit = difference_unit(source, target)
    for rows in _strips(target, _RESIDUAL_STRIP_PIXELS):
        both = compare(source, target, warp, rows)
        with np.errstate(over="ignore"):  # float64 images may differ by more than float32 holds
            np.multiply(both.difference, unit, out=residual[rows], where=both.inside)
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
        if masked:
            return _strips(target, _STRIP_PIXELS, _reached_rows(lengths))
        return _sampled_strips(source, target, lengths)

    lengths = _covered(source, target, final)
    after, before = np.zeros((2, 8))
    for rows in strips(lengths):
        at_end, at_start = (compare(source, target, warp, rows) for warp in (final, start))
        after += _agreement_sums(at_end, at_end.inside)
        before += _agreement_sums(at_start, at_start.inside & at_end.inside)
    if before[0] == 0.0:
        for rows in strips(_covered(source, target, start)):
            at_start = compare(source, target, start, rows)
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


def _strips(target: Luma, most_pixels: int, of_rows: range | None = None) -> list[slice]:
    """Strips of some rows of the target, None for all, of about so many pixels."""
    width, height = target.size
    of_rows = range(height) if of_rows is None else of_rows
    rows = max(1, most_pixels // width)
    return [slice(top, min(top + rows, of_rows.stop)) for top in of_rows[::rows]]


def _sampled_strips(source: Luma, target: Luma, lengths: NDArray[np.intp]) -> list[slice]:
    """Strips of rows, of large images with a step; short runs of one that is not held converted.

    ``lengths`` are the pixels of each row that the source covers.
    """
    reached = _reached_rows(lengths)
    step = max(1, int(lengths.sum()) // MOST_MEASURED)
    if step == 1:
        return _strips(target, _STRIP_PIXELS, reached)
    top, bottom = reached.start, reached.stop
    converted = isinstance(source, LargeLuma) or isinstance(target, LargeLuma)
    # However wide the rows are: it is the places that count.
    places = FEWEST_RUNS * (NEIGHBOURS if converted else 1)
    step = max(1, min(step, (bottom - top) // places))
    if converted:
        # Neighbours, because what is near a row of the source is converted with it.
        apart = step * NEIGHBOURS
        tops = range(top + apart // 2, max(bottom - NEIGHBOURS, top + apart // 2 + 1), apart)
        return [slice(row, min(row + NEIGHBOURS, bottom)) for row in tops]
    rows = max(1, _STRIP_PIXELS // target.size[0]) * step
    return [
        slice(start, min(start + rows, bottom), step)
        for start in range(top + step // 2, bottom, rows)
    ]


def _agreement_sums(both: Comparison, where: Mask) -> NDArray[np.float64]:
    """Sums over the pixels ``where``: 1, s, t, s s, t t, s t, d d, |d|."""
    planes = np.empty((where.shape[0], 4, where.shape[1]), np.float32)
    for number, plane in enumerate((both.source, both.target, both.difference)):
        np.multiply(plane, where, out=planes[:, number])
    planes[:, 3] = where
    # Within a row float32 is enough; the variances are differences of the large sums of rows.
    of_two = np.matmul(planes, planes.transpose(0, 2, 1)).sum(axis=0, dtype=np.float64)
    (ss, st, _, s_sum), (_, tt, _, t_sum), (_, _, dd, _), (_, _, _, count) = of_two
    return np.array([count, s_sum, t_sum, ss, tt, st, dd, float(np.abs(planes[:, 2]).sum())])


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
