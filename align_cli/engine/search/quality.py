"""ZNCC, RMSE and MAE of two aligned images, and the residual image.

Measured without the solver's weights, on the unfiltered images, at full size (of large ones on
evenly spaced rows).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.images.luma import Luma
from align_cli.engine.numerics.row_bands import Bands
from align_cli.engine.numerics.samples import SAMPLE_PIXELS, SAMPLE_ROWS
from align_cli.engine.numerics.strips import STRIP_PIXELS
from align_cli.engine.records import Agreement, IlluminationRecord, Quality
from align_cli.engine.sampling.bilinear import row_intervals
from align_cli.engine.search.full_scale import of_planes
from align_cli.native.rows import Run, RunPixels, SourceView, run_sums

MOST_MEASURED: Final = SAMPLE_PIXELS
"""Of an overlap of more than twice this many pixels, about twice this many are used."""

FEWEST_ROWS: Final = SAMPLE_ROWS
"""Rows, spread over the overlap, that are used at least if it has as many; of very wide ones not
all columns."""

BAND_ROWS: Final = 4
"""Neighbouring rows of a band: a row's neighbours are computed with it."""


_IDENTITY_KERNEL: Final = np.ones(1)
"""The kernel that does not smooth."""


class SampledPair(NamedTuple):
    """Rows of both images on the target's grid.

    ``source`` and ``target`` are (h, w) float32, grey values of the planes; ``difference`` is (h,
    w) float32, source less target in full-scale units divided by ``difference_unit``; ``corrected``
    is the same after the illumination, ``difference`` itself without one; ``inside`` is (h, w)
    bool, where both are valid.
    """

    source: Plane
    target: Plane
    difference: Plane
    corrected: Plane
    inside: Mask


def difference_unit(source: Luma, target: Luma) -> float:
    """The unit of ``SampledPair.difference``, in full-scale units: differences fit float32."""
    return max(source.scale, target.scale)


def sample_pair(
    source: Luma,
    target: Luma,
    warp: Matrix,
    rows: Bands,
    *,
    columns: int = 1,
    illumination: IlluminationRecord | None = None,
) -> SampledPair:
    """Sample the source through a full-size warp on some rows of the target's grid.

    Every ``columns``-th column is kept. ``illumination`` is that between grey values.
    """
    warped, image, inside = _sampled(source, target, warp, rows, columns)
    difference = _difference(source, target, warped, image)
    corrected = difference
    if illumination is not None and illumination.changes:
        between = of_planes(illumination, source, target)
        terms = between.on_rows(target.size, rows.y, columns)
        corrected = _corrected(source, target, warped, image, terms)
    return SampledPair(warped, image, difference, corrected, inside)


def _sampled(
    source: Luma, target: Luma, warp: Matrix, rows: Bands, columns: int = 1
) -> tuple[Plane, Plane, Mask]:
    """``source``, ``target`` and ``inside`` of a ``SampledPair``."""
    width, y = target.size[0], rows.y.astype(np.intp)
    picked = y if rows.count > 1 else slice(int(y[0]), int(y[-1]) + 1)
    nothing = target.filtered(_IDENTITY_KERNEL)
    nothing = nothing._replace(weights=np.zeros_like(nothing.weights))
    unchanged = Illumination.uniform()
    run = Run(
        0,
        rows.first,
        (width, len(y)),
        nothing,  # so that the residual is the source itself
        None,
        None,
        None,
        None if target.valid is None else target.valid[picked],
        0.0,
        (0.0, 0.0, 0.0, 0.0),
        0.0,
        bands=(0, rows.rows, rows.period),
    )
    view = SourceView(
        source.filtered(_IDENTITY_KERNEL),
        source.valid,
        source.size,
        1,
        0.0,
        warp,
        unchanged.factor,
        unchanged.offset,
    )
    shown = RunPixels.empty(*run.shape)
    run_sums(run, view, shown=shown)
    some = np.s_[:, ::columns]
    image = target.part(np.s_[picked, :])[some]
    return shown.residual[some], image, shown.inside[some] > 0


def _difference(source: Luma, target: Luma, warped: Plane, image: Plane) -> Plane:
    """``SampledPair.difference`` of the planes that were sampled."""
    unit = difference_unit(source, target)
    difference = warped * np.float32(source.scale / unit)
    difference -= image * np.float32(target.scale / unit)
    # Two large offsets meet in float64, where their difference keeps its digits.
    difference += np.float32((source.offset - target.offset) / unit)
    return difference


def _corrected(
    source: Luma, target: Luma, warped: Plane, image: Plane, terms: tuple[Plane, Plane]
) -> Plane:
    """``SampledPair.corrected`` by the factor and the offset of an illumination."""
    factor, offset = terms
    with np.errstate(over="ignore"):  # as in residual_image
        corrected = factor * warped
        corrected += offset
        corrected -= image
        corrected *= np.float32(target.scale / difference_unit(source, target))
    return corrected


class Samples:
    """The source on the target's whole grid, for residuals under several illuminations.

    Attributes:
        target: (height, width) float32, the target's plane.
        overlap: (height, width) bool.
    """

    def __init__(self, source: Luma, target: Luma, warp: Matrix) -> None:
        width, height = target.size
        self.target, self._source, self._target = target.plane, source, target
        self._warped = np.empty((height, width), np.float32)
        self.overlap = np.empty((height, width), np.bool_)
        for rows in _strips(target, range(height)):
            warped, _, inside = _sampled(source, target, warp, rows)
            self._warped[rows.slices[0]], self.overlap[rows.slices[0]] = warped, inside

    def residual(self, illumination: IlluminationRecord) -> Plane:
        """The same, to the last bit, as that of ``residual_image``."""
        source, target = self._source, self._target
        width, height = target.size
        residual = np.zeros((height, width), np.float32)
        unit = difference_unit(source, target)
        between = of_planes(illumination, source, target) if illumination.changes else None
        for rows in _strips(target, range(height)):
            some = rows.slices[0]
            warped, image = self._warped[some], self.target[some]
            if between is None:
                left = _difference(source, target, warped, image)
            else:
                terms = between.on_rows(target.size, rows.y)
                left = _corrected(source, target, warped, image, terms)
            with np.errstate(over="ignore"):
                np.multiply(left, unit, out=residual[some], where=self.overlap[some])
        return residual

    def sparse_residual(self, illumination: IlluminationRecord, step: int) -> Plane:
        """The residual of every ``step``-th row and column, also outside the overlap."""
        source, target = self._source, self._target
        some = np.s_[::step, ::step]
        warped, image = self._warped[some], self.target[some]
        if illumination.changes:
            y = np.arange(0, target.size[1], step, dtype=np.float64)
            terms = of_planes(illumination, source, target).on_rows(target.size, y, step)
            left = _corrected(source, target, warped, image, terms)
        else:
            left = _difference(source, target, warped, image)
        with np.errstate(over="ignore"):
            return left * np.float32(difference_unit(source, target))


def residual_image(
    source: Luma, target: Luma, warp: Matrix, illumination: IlluminationRecord | None = None
) -> tuple[Plane, Mask]:
    """``warped - target`` and the overlap, both (height, width) of the target.

    The residual is float32, in units of full scale, 0 outside the overlap; with an illumination
    (between grey values) after it.
    """
    width, height = target.size
    residual = np.zeros((height, width), np.float32)
    overlap = np.zeros((height, width), np.bool_)
    unit = difference_unit(source, target)
    for rows in _strips(target, range(height)):
        both = sample_pair(source, target, warp, rows, illumination=illumination)
        with np.errstate(over="ignore"):  # float64 images may differ by more than float32 holds
            np.multiply(both.corrected, unit, out=residual[rows.slices[0]], where=both.inside)
        overlap[rows.slices[0]] = both.inside
    return residual, overlap


def measure(
    source: Luma,
    target: Luma,
    start: Matrix,
    final: Matrix,
    illumination: IlluminationRecord | None = None,
) -> Quality:
    """ZNCC, RMSE and MAE under the warps ``start`` and ``final``, on the pixels that both cover.

    Over the n pixels of the overlap, with s the warped source and t the target,

        ZNCC = sum((s - mean s) (t - mean t)) / sqrt(sum((s - mean s)^2) sum((t - mean t)^2))
        RMSE = sqrt(sum((s - t)^2) / n),   MAE = sum(|s - t|) / n

    ZNCC is from -1 to 1, NaN where an image is constant; RMSE and MAE are in units of full scale.

    RMSE and MAE are after ``illumination``, that between grey values under ``final``, and before
    it; without one these are the same numbers.

    Of an overlap of more than twice ``MOST_MEASURED`` pixels some rows are used; the overlap is
    always counted as a whole.
    """
    masked = source.valid is not None or target.valid is not None

    def strips(lengths: NDArray[np.intp]) -> list[tuple[Bands, int]]:
        reached = _reached_rows(lengths)
        if not masked:
            return _spread_bands(lengths, reached)
        return [(rows, 1) for rows in _strips(target, reached)]

    def compared(warp: Matrix, rows: Bands, columns: int) -> SampledPair:
        return sample_pair(source, target, warp, rows, columns=columns, illumination=illumination)

    lengths = _row_overlaps(source, target, final)
    after, before = np.zeros((2, 10))
    for some in strips(lengths):
        at_end, at_start = (compared(warp, *some) for warp in (final, start))
        after += _agreement_sums(at_end, at_end.inside)
        before += _agreement_sums(at_start, at_start.inside & at_end.inside)
    if before[0] == 0.0:
        for some in strips(_row_overlaps(source, target, start)):
            at_start = compared(start, *some)
            before += _agreement_sums(at_start, at_start.inside)
    unit = difference_unit(source, target)
    return Quality(
        before=_agreement(before, unit),
        after=_agreement(after, unit),
        # With masks all rows were used, because only these count the overlap.
        overlap=float(after[0] if masked else lengths.sum()) / math.prod(target.size),
    )


def overlap(source: Luma, target: Luma, warp: Matrix) -> float:
    """The share of the target's pixels that the source covers, regardless of masks."""
    return float(_row_overlaps(source, target, warp).sum()) / math.prod(target.size)


def _row_overlaps(source: Luma, target: Luma, warp: Matrix) -> NDArray[np.intp]:
    """(height,) pixels of each row of the target that the source covers."""
    width, height = target.size
    rows = np.arange(height, dtype=np.float64)
    first, end = row_intervals(warp, rows, width, source.size, 0.0)
    return np.asarray(np.maximum(end - first, 0), np.intp)


def _reached_rows(lengths: NDArray[np.intp]) -> range:
    """From the first row of the target that the source covers to the last."""
    covered = np.flatnonzero(lengths)
    return range(int(covered[0]), int(covered[-1]) + 1) if covered.size else range(0)


def _spread_bands(lengths: NDArray[np.intp], reached: range) -> list[tuple[Bands, int]]:
    """Bands of rows that represent all covered rows, or all of these if they are few.

    Together with the step between used columns. ``lengths`` are the pixels of each row that the
    source covers.
    """
    pixels = int(lengths.sum())
    if pixels == 0:
        return []
    of_row = pixels / len(reached)
    rows = max(FEWEST_ROWS, math.ceil(2 * MOST_MEASURED / of_row))
    columns = max(1, int(rows * of_row) // (2 * MOST_MEASURED))
    if rows >= len(reached):
        return [(Bands(reached.start, len(reached), len(reached), 1), columns)]
    count = max(1, rows // BAND_ROWS)
    period = len(reached) // count
    first = reached.start + (period - BAND_ROWS) // 2
    return [(Bands(first, BAND_ROWS, period, count), columns)]


def _strips(target: Luma, rows: range) -> list[Bands]:
    """Some rows of the target, in strips of about ``STRIP_PIXELS``."""
    height = max(1, STRIP_PIXELS // target.size[0])
    tops = rows[::height]
    heights = [min(height, rows.stop - top) for top in tops]
    return [Bands(top, high, high, 1) for top, high in zip(tops, heights, strict=True)]


def _agreement_sums(both: SampledPair, where: Mask) -> NDArray[np.float64]:
    """Sums over the pixels ``where``: 1, s, t, s s, t t, s t, then r r and |r|, d d and |d|.

    d is the difference, r the same after the illumination.
    """
    source, target = (plane[where].astype(np.float64) for plane in (both.source, both.target))
    products = (target, source), (source, source), (target, target)
    st, ss, tt = (np.einsum("i,i->", a, b, dtype=np.float64) for a, b in products)
    raw = _sizes(both.difference[where])
    after = raw if both.corrected is both.difference else _sizes(both.corrected[where])
    return np.array([where.sum(), source.sum(), target.sum(), ss, tt, st, *after, *raw])


def _sizes(differences: NDArray[np.float32]) -> tuple[float, float]:
    """Sums of the squares and of the magnitudes."""
    squares = np.einsum("i,i->", differences, differences, dtype=np.float64)
    return float(squares), float(np.abs(differences).sum(dtype=np.float64))


def _agreement(sums: NDArray[np.float64], unit: float) -> Agreement:
    count, s, t, ss, tt, st, *sizes = sums
    if count == 0.0:
        return Agreement(*[np.nan] * 5)
    variance = (ss - s * s / count) * (tt - t * t / count)
    zncc = (st - s * t / count) / np.sqrt(variance) if variance > 0.0 else np.nan
    return Agreement(
        zncc=float(np.clip(zncc, -1.0, 1.0)),
        rmse=float(np.sqrt(sizes[0] / count)) * unit,
        mae=float(sizes[1] / count) * unit,
        rmse_raw=float(np.sqrt(sizes[2] / count)) * unit,
        mae_raw=float(sizes[3] / count) * unit,
    )
