"""Bands: rows or columns that only one of two aligned images has.

A line that is inserted into a page moves what follows. The images are then aligned on one side of
it, and on the other the target shows in row y what the source, on the target's grid, has in row
y + d, where d is constant from one band to the next. Rows of the images are brought into
correspondence, in order, by dynamic programming: of all sequences of runs of rows, each with a d of
its own, the one that leaves the least

    sum over y of c_d(y)  +  sum over the bands of (EXPLAINED_PX + sum of b(y)),
    b(y) = m + BAND_SHARE (width - m),    m the lesser c_d(y) of the d before and after the band

where c_d(y) are the pixels of row y that differ (``align_cli.engine.result.changed``) from row
y + d. Where d falls, rows of the target have no counterpart; they are in the second sum, not in the
first. Where it rises, rows of the source have none, and the second sum is over as many rows below:
so a band hides nothing, wherever it is. ``BAND_SHARE`` makes that its rows are those which differ.

A band is only one if what follows it is displaced indeed: every run must explain ``EXPLAINED_PX``
pixels of edges in the target that differ by the displacements of its neighbours, and leave less
than ``LEFT_SHARE`` of all pixels that do. So a bar of another colour is no band, nor is a line that
is gone, although the paper that it leaves is like that beside it.

The values of d that are tried are the largest peaks of the cross-correlation of both images along
the rows, each row being reduced to ``BINS`` means and normalised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane, Vector
from align_cli.engine.geometry.coordinates import Size, map_points
from align_cli.engine.result.changed import Band, Changed, Layer, Scale

EXPLAINED_PX: Final = 400
"""So many differing pixels a displacement must explain: those of half a line of text."""

LEFT_SHARE: Final = 0.25
"""What still differs in a run must be less than this share of what differs by the displacements of
its neighbours."""

WIDE_SHARE: Final = 0.25
"""The boxes of what differs must extend over this share of the target's width: rows that are
displaced differ along all of it."""

BAND_SHARE: Final = 0.02
"""Cost of a pixel of a band that does not differ: a band then begins where the images differ."""

LEAST_ROWS: Final = 2
"""A band has so many rows at least: an edge may be off by a pixel anyway."""

LEAST_BORDER: Final = 8
"""Bands at the border of the images have so many rows at least: fewer are a shift."""

PEAK_ROWS: Final = 9
"""A peak of the correlation is the largest value of so many neighbouring displacements."""

MOST_PEAKS: Final = 16
"""So many peaks, the highest, are compared."""

MOST_SHIFTS: Final = 6
"""So many displacements, those that explain most, are tried."""

BINS: Final = 128
"""Means that a row is reduced to, where displacements are looked for."""

LEAST_MATCHES: Final = 4.0
"""Rows that must correlate at a displacement that is tried, as a sum of cosines."""

COMPARED_PIXELS: Final = 1 << 20
"""Of larger images some columns are compared, so that about so many pixels are."""

MOST_PIXELS: Final = 1 << 25
"""In larger images no bands are looked for."""

PARALLEL_PX: Final = 1.0
"""The border of a source whose sides are not that parallel to the target's has no rows."""


class Run(NamedTuple):
    """Rows ``first`` to ``last`` - 1 of the target show those of the source ``shift`` below."""

    first: int
    last: int
    shift: int


def may_be_moved(found: Changed, size: Size, *, columns: bool) -> bool:
    """Whether what differs is spread so far along rows (or columns) that a band may have moved it.

    ``size`` is (width, height) of the target. It costs next to nothing to ask.
    """
    if found.pixels < EXPLAINED_PX or not found.boxes:
        return False
    spans = [
        (each.y, each.y + each.height) if columns else (each.x, each.x + each.width)
        for each in found.boxes
    ]
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    return last - first >= WIDE_SHARE * size[1 if columns else 0]


def runs_of_rows(layer: Layer, valid: Mask | None, scale: Scale, above: float) -> tuple[Run, ...]:
    """Runs of corresponding rows, from above; none where no band is found.

    Args:
        layer: what is compared; of its transpose the columns are found.
        valid: (height, width) bool, the target's valid pixels; None for all.
        scale: the filters.
        above: differences up to this do not count, in units of full scale.
    """
    if layer.residual.size > MOST_PIXELS:
        return ()
    rows = _Rows(layer, valid, scale, above)
    shifts = rows.shifts()
    while shifts:
        runs = _fewest_differences(rows, shifts)
        supported = _supported(rows, runs)
        if supported is not None and len(supported) > 1:
            return supported
        used = [each for each in shifts if any(run.shift == each for run in runs)]
        if not used:
            return ()
        shifts.remove(used[-1])  # the one that explains least
    return ()


def bands_between(runs: Sequence[Run], *, columns: bool = False) -> tuple[Band, ...]:
    """The bands between runs of rows, or of columns."""
    axis = "columns" if columns else "rows"
    found = []
    for above, below in pairwise(runs):
        step = below.shift - above.shift
        image = "target" if step < 0 else "source"
        found.append(Band(f"{axis}_only_in_{image}", above.last, abs(step), border=False))
    return tuple(found)


def border_bands(
    source_to_target: Matrix,
    sizes: tuple[Size, Size],
    ends: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
) -> tuple[Band, ...]:
    """Rows and columns at the border that only one image has, where their sides are parallel.

    Args:
        source_to_target: the transform.
        sizes: (width, height) of source and target.
        ends: the ``shift`` of the first and of the last column, and of the first and last row.
    """
    (width, height), target = sizes
    box = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    with np.errstate(all="ignore"):
        a, b, c, d = map_points(source_to_target, box) + 0.5
    apart = np.array([a[0] - d[0], b[0] - c[0], a[1] - b[1], d[1] - c[1]])
    if not (np.abs(apart) <= PARALLEL_PX).all() or b[0] <= a[0] or d[1] <= a[1]:
        return ()
    found = []
    for axis, name in enumerate(("columns", "rows")):
        first, last = float(a[axis]) - ends[axis][0], float(c[axis]) - ends[axis][1]
        missing = round(first), round(target[axis] - last)
        for at, count in zip((0, target[axis]), missing, strict=True):
            if abs(count) < LEAST_BORDER or abs(count) >= target[axis]:
                continue
            image = "target" if count > 0 else "source"
            where = at - count if at and count > 0 else at
            found.append(Band(f"{name}_only_in_{image}", where, abs(count), border=True))
    return tuple(found)


def displaced(layer: Layer, valid: Mask | None, runs: Sequence[Run]) -> Layer:
    """The layer with every run at its place, and the rows of the bands outside the overlap."""
    residual, overlap = np.zeros_like(layer.residual), np.zeros_like(layer.overlap)
    height = len(residual)
    for first, last, shift in runs:
        top, bottom = max(first, -shift), min(last, height - shift)
        if bottom <= top:
            continue
        rows, source_rows = slice(top, bottom), slice(top + shift, bottom + shift)
        both = layer.overlap[source_rows] & (True if valid is None else valid[rows])
        source = layer.residual[source_rows] + layer.target[source_rows]
        np.subtract(source, layer.target[rows], out=residual[rows], where=both)
        overlap[rows] = both
    return layer._replace(residual=residual, overlap=overlap)


def turned(layer: Layer) -> Layer:
    """The transpose."""
    return layer._replace(
        residual=np.ascontiguousarray(layer.residual.T),
        overlap=np.ascontiguousarray(layer.overlap.T),
        target=np.ascontiguousarray(layer.target.T),
    )


class _Rows:
    """Rows of both images, compared at any displacement; see ``runs_of_rows``."""

    def __init__(self, layer: Layer, valid: Mask | None, scale: Scale, above: float) -> None:
        height, width = layer.residual.shape
        self._step = math.ceil(height * width / COMPARED_PIXELS)
        some = np.s_[:, :: self._step]
        source, target = scale.smoothed(layer.target + layer.residual), scale.smoothed(layer.target)
        self._least = scale.least(above, layer.noise)
        self._edges = [
            np.float32(scale.edge_px) * scale.edges(each)[some] for each in (source, target)
        ]
        self._planes = [np.ascontiguousarray(each[some]) for each in (source, target)]
        self._overlap = layer.overlap[some]
        self._covered = np.asarray(layer.overlap.any(axis=1), np.bool_)
        self._valid = None if valid is None else valid[some]
        self._undisplaced = self._beyond(slice(0, height), slice(0, height)) & self._overlap
        self._textured = self._edges[1] > self._least
        self._sums: dict[int, tuple[Vector, Vector]] = {}
        self.count, self.width = height, width

    def _beyond(self, source_rows: slice, target_rows: slice) -> Mask:
        """Where rows of the source differ from rows of the target."""
        (source, target), (of_source, of_target) = self._planes, self._edges
        edges = np.minimum(of_source[source_rows], of_target[target_rows])
        difference = np.abs(source[source_rows] - target[target_rows])
        return np.asarray(difference > self._least + edges, np.bool_)

    def differing(self, shift: int) -> Vector:
        """(height + 1,), pixels of all rows above each that differ at a displacement."""
        return self._compared(shift)[0]

    def texture(self, shift: int) -> Vector:
        """The same of the pixels where the target has edges: plain paper tells no displacement."""
        return self._compared(shift)[1]

    def _compared(self, shift: int) -> tuple[Vector, Vector]:
        """Both.

        Where the source has nothing there, as without: what cannot be seen explains nothing.
        """
        if shift not in self._sums:
            differ = self._undisplaced
            top, bottom = max(0, -shift), min(self.count, self.count - shift)
            if shift and bottom > top:
                rows, source_rows = slice(top, bottom), slice(top + shift, bottom + shift)
                both = self._overlap[source_rows]
                if self._valid is not None:
                    both = both & self._valid[rows]
                differ = differ.copy()
                differ[rows] = np.where(both, self._beyond(source_rows, rows), differ[rows])
            self._sums[shift] = self._summed(differ), self._summed(differ & self._textured)
        return self._sums[shift]

    def _summed(self, differ: Mask) -> Vector:
        of_rows = self._step * np.count_nonzero(differ, axis=1)
        return np.concatenate([[0.0], np.cumsum(of_rows, dtype=np.float64)])

    def shifts(self) -> list[int]:
        """Displacements that rows correlate at, those that explain most first."""
        changed = np.diff(self.differing(0)) > 0.0
        if self.differing(0)[-1] < EXPLAINED_PX:
            return []
        source, target = self._planes
        paper = np.median(target, axis=0)
        of_source, of_target = (
            self._normalised(each - paper)
            for each in (np.where(self._overlap, source, paper), target)
        )
        of_target[~changed] = 0.0
        length = cv2.getOptimalDFTSize(2 * self.count)
        spectra = [np.fft.rfft(each, length, axis=0) for each in (of_source, of_target)]
        matches = np.fft.irfft((spectra[0] * spectra[1].conj()).sum(axis=1), length)
        lags = np.arange(length)
        lags[length // 2 :] -= length
        matches[np.abs(lags) < LEAST_ROWS] = 0.0
        around = np.concatenate([matches[-(PEAK_ROWS // 2) :], matches, matches[: PEAK_ROWS // 2]])
        highest = np.lib.stride_tricks.sliding_window_view(around, PEAK_ROWS).max(axis=1)
        matches[matches < highest] = 0.0
        peaks = [at for at in np.argsort(-matches)[:MOST_PEAKS] if matches[at] >= LEAST_MATCHES]
        gains = {int(lags[at]): self._best_gain(int(lags[at])) for at in peaks}
        found = [shift for shift, gain in gains.items() if gain >= EXPLAINED_PX]
        return sorted(found, key=lambda shift: -gains[shift])[:MOST_SHIFTS]

    def _best_gain(self, shift: int) -> float:
        """How many fewer pixels differ at a displacement than without, over the best run."""
        gain = self.texture(0) - self.texture(shift)
        return float((gain - np.minimum.accumulate(gain)).max())

    def _normalised(self, rows: Plane) -> Plane:
        """(height, BINS), each row's means with norm 1; 0 where nothing is on the paper."""
        size = min(BINS, rows.shape[1]), self.count
        means = cv2.resize(rows.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        norm = np.linalg.norm(means, axis=1, keepdims=True)
        textured = norm > self._least
        return np.asarray(np.divide(means, norm, out=np.zeros_like(means), where=textured))

    def supported(self, run: Run, neighbours: Sequence[Run]) -> bool:
        """Whether a run explains what differs by the displacements of its neighbours."""
        first, last = max(run.first, -run.shift), min(run.last, self.count - run.shift)
        at = np.arange(first, max(first, last))
        at = at[self._covered[at + run.shift]]  # of what is beyond the source nothing is known
        all_rows, textured = (
            [float(np.diff(of(each.shift))[at].sum()) for each in (run, *neighbours)]
            for of in (self.differing, self.texture)
        )
        explained = min(textured[1:]) - textured[0] >= EXPLAINED_PX
        return explained and all_rows[0] <= LEFT_SHARE * min(all_rows[1:])


def _supported(rows: _Rows, runs: Sequence[Run]) -> tuple[Run, ...] | None:
    """The runs without those that nothing supports; None if displacements contradict each other.

    What is at an end, or between runs of one displacement, belongs to these.
    """
    left = list(runs)
    at = 0
    while len(left) > 1 and at < len(left):
        run, before, after = left[at], left[:at][-1:], left[at + 1 :][:1]
        if rows.supported(run, before + after):
            at += 1
            continue
        if before and after and before[0].shift != after[0].shift:
            return None
        first, last = (before or [run])[0].first, (after or [run])[0].last
        joined = Run(first, last, (before or after)[0].shift)
        left[max(0, at - 1) : at + 2] = [joined]
        at = 0
    return tuple(left) if any(run.shift == 0 for run in left) else None


def _fewest_differences(rows: _Rows, shifts: Sequence[int]) -> tuple[Run, ...]:
    """The runs that leave the least, by displacements 0 and ``shifts``."""
    d = np.array([0, *shifts])
    of_row = np.diff([rows.differing(int(each)) for each in d], axis=1).T
    lesser = np.minimum(of_row[:, :, np.newaxis], of_row[:, np.newaxis])
    band = np.cumsum(lesser + BAND_SHARE * (rows.width - lesser), axis=0)
    band = np.concatenate([np.zeros((1, len(d), len(d))), band])
    step = d[:, np.newaxis] - d  # rows of the target from one d to another, if positive
    inserted = np.maximum(step, 0)
    every = np.arange(len(d))
    best = np.full((rows.count + 1, len(d)), np.inf)
    came = np.tile(every, (rows.count + 1, 1))
    best[0] = 0.0
    for y in range(1, rows.count + 1):
        stay = best[y - 1] + of_row[y - 1]
        begin = np.maximum(y - inserted, 0)
        before = np.where(step <= 0, stay[:, np.newaxis], best[begin, every[:, np.newaxis]])
        end = np.minimum(begin + np.abs(step), rows.count)
        within = band[end, every[:, np.newaxis], every] - band[begin, every[:, np.newaxis], every]
        cost = np.where((step != 0) & (y >= inserted), before + EXPLAINED_PX + within, np.inf)
        least = cost.argmin(axis=0)
        moved = cost[least, every]
        best[y] = np.minimum(stay, moved)
        came[y] = np.where(moved < stay, least, every)
    return _traced(d, inserted, came, int(best[-1].argmin()))


def _traced(
    d: NDArray[np.intp], inserted: NDArray[np.intp], came: NDArray[np.intp], k: int
) -> tuple[Run, ...]:
    """The runs, from where each place was come to from; ``k`` is the last displacement's."""
    y = last = len(came) - 1
    runs: list[Run] = []
    while y > 0:
        before = int(came[y, k])
        if before == k:
            y -= 1
            continue
        runs.append(Run(y, last, int(d[k])))
        gap = int(inserted[before, k])
        y, k, last = y - gap, before, y - gap
        if not gap:  # a step of the source's rows begins at a row of its own
            y -= 1
    runs.append(Run(0, last, int(d[k])))
    return tuple(reversed(runs))
