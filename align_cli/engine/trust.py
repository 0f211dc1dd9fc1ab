"""Quality: how well the images agree, before and after.

Measured without the solver's weights: agreement on the images as they are, at full size (of large
ones on evenly spaced rows); details and textures on pyramid levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.alignment import Agreement, Quality
from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import Size, map_points, normalisation
from align_cli.engine.derivatives import central_differences
from align_cli.engine.equations import least_scale
from align_cli.engine.luma import LargeLuma, Luma
from align_cli.engine.moments import cross_matrix, relight
from align_cli.engine.motion import MotionModel
from align_cli.engine.parts import sample_luma
from align_cli.engine.photometry import Light, polynomial
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.robust import OUTLIER, scale_of
from align_cli.engine.sampling import (
    interval_mask,
    offset_origin,
    overlap_mask,
    row_intervals,
    sample,
    sample_valid,
)
from align_cli.engine.targets import TEXTURE_SHARE, TargetPlanes

COARSEST_TEXTURE: Final = 3
"""Textures are compared on levels 1 to this one, and the best counts: which of them shows a texture
through its noise depends on both."""

MOST_COMPARED_PIXELS: Final = 1 << 14
"""The coarsest of them has no more pixels than so many, where there is such a level."""

DETAIL_LEVEL: Final = 2
"""Pyramid level on which details are compared: fine enough to miss when the alignment is off by
pixels, coarse enough for the noise of a dark photograph to average out."""

DETAIL_SIGMA: Final = 3.0
"""Standard deviation, in pixels of that level, of the neighbourhood that is taken off."""

_HALF_SIGMA: Final = 0.5 * math.sqrt(DETAIL_SIGMA**2 - 2.0)
"""Of half size: halving and doubling smooth by a variance of one square pixel each."""

DETAIL_TILE: Final = 12
"""Side, in pixels of that level, of the tiles whose details are compared, about."""

FINEST_EXPLAINED: Final = 1
MOST_EXPLAINED_PIXELS: Final = 1 << 16
"""Looked at is the finest level from this one on, of no more pixels, whose details stand out of the
noise."""

LEAST_SIGNAL: Final = 3.0
"""Details that are not this many times as large as the noise of both images do not count."""

MOST_LOOKED_AT: Final = 1 << 13
"""Pixels, evenly spaced, that tell how much is unexplained."""

MOST_RANKED: Final = 1 << 13
"""Residuals whose median gives their scale."""

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


class TileZncc(NamedTuple):
    """How well the details of two levels agree in each tile that has any, (n,) each.

    Attributes:
        zncc: in [-1, 1].
        contrast: the geometric mean of both images' energies.
    """

    zncc: NDArray[np.float64]
    contrast: NDArray[np.float64]


def detail_zncc(tiles: TileZncc) -> float:
    """ZNCC of the details of two levels: the median over tiles, weighted by their contrast.

    What covers less than half of the contrast, a hand or a passing car, does not move the median.

    Args:
        tiles: of a level of both images.

    Returns:
        In [-1, 1]; NaN where the images share no detail at all.
    """
    zncc, contrast = tiles
    if zncc.size == 0:
        return math.nan
    order = np.argsort(zncc)
    weights = np.cumsum(np.sqrt(contrast)[order])
    return float(zncc[order][np.searchsorted(weights, weights[-1] / 2.0)])


class Details(NamedTuple):
    """What differs from its neighbourhood's mean, (h, w) each, on the grid of a target's level.

    Attributes:
        source: float32, of the warped source; 0 outside.
        target: float32, of the target; 0 outside.
        inside: bool, the pixels that both know.
    """

    source: Plane
    target: Plane
    inside: Mask


def details(source: Level, target: Level, warp: Matrix) -> Details:
    """The details of two levels, each pixel's own neighbourhood taken off.

    Args:
        source: a level of the source.
        target: a level of the target.
        warp: (3, 3), target pixel -> source pixel, of these levels.
    """
    inside = common(source, target, warp, margin=REACH)
    of_source, of_target = details_of(
        (sample(source.image, warp, target.size), target.image), inside
    )
    return Details(of_source, of_target, inside)


def tile_zncc(of_both: Details) -> TileZncc:
    """ZNCC of the details of two levels, and their contrast, tile by tile."""
    s, t = of_both.source, of_both.target
    products, source_energy, target_energy = (_tile_sums(p) for p in (s * t, s * s, t * t))
    contrast = np.sqrt(source_energy * target_energy)
    textured = contrast > 0.0
    return TileZncc(products[textured] / contrast[textured], contrast[textured])


def common(source: Level, target: Level, warp: Matrix, *, margin: float) -> Mask:
    """(height, width) bool: the target's pixels that are valid in both levels."""
    inside = overlap_mask(warp, target.size, source.size, margin=margin)
    if target.valid is not None:
        inside &= target.valid
    if source.valid is not None:
        inside &= sample_valid(source.valid, warp, target.size)
    return inside


def details_of(images: Sequence[Plane], inside: Mask) -> list[Plane]:
    """What differs from its neighbourhood's mean over the pixels inside; 0 outside."""
    known = inside.astype(np.float32)
    share = _blurred(known) + np.finfo(np.float32).tiny
    found = []
    for image in images:
        mean = _blurred(image * known)
        mean /= share
        np.subtract(image, mean, out=mean)
        mean *= known
        found.append(mean)
    return found


def _tile_sums(image: Plane) -> NDArray[np.float64]:
    """(tiles,) sums of an image over tiles of about ``DETAIL_TILE`` pixels on a side."""
    rows, columns = (
        np.arange(0, max(side - DETAIL_TILE // 2, 1), DETAIL_TILE) for side in image.shape
    )
    of_rows = np.add.reduceat(image, rows, 0)
    sums: NDArray[np.float64] = np.add.reduceat(of_rows, columns, 1, dtype=np.float64)
    return sums.ravel()


def _blurred(image: Plane) -> Plane:
    """The Gaussian mean around each pixel, made at half size, which takes a third of the time."""
    height, width = image.shape
    half = cv2.GaussianBlur(
        cv2.pyrDown(image), (0, 0), _HALF_SIGMA, borderType=cv2.BORDER_REFLECT_101
    )
    return np.asarray(cv2.pyrUp(half, dstsize=(width, height)), np.float32)


def shared_texture(
    source: Level,
    target: Level,
    planes: TargetPlanes,
    place: Place,
    model: MotionModel,
) -> float:
    """Share of the texture that two levels have in common, along the motion that has least.

    Noise has gradients too. In a picture of stripes they make the normal equations regular, and the
    solver comes to rest wherever two noises happen to agree, there and back. But the noises of two
    images are independent: with J_T and J_S the steepest-descent images of the target and of the
    warped source, J_T^T J_S keeps what both show and loses the noise. This is its smallest
    eigenvalue relative to (J_T^T J_T + J_S^T J_S) / 2.

    Args:
        source: a level of the source.
        target: the same level of the target.
        planes: what ``targets.target_planes`` makes of it.
        place: the warp, target pixel -> source pixel of this level, and the light.
        model: the motion model.

    Returns:
        1 for the same picture, about 0 where nothing but noise fixes some motion; NaN where
        there is no gradient at all.
    """
    image, relit, inside = _warped(source, target, planes, place)
    # What covers a part of one image is no evidence on the rest: leave out what robust weights do.
    residual = np.abs(relit - planes.image)
    known = np.flatnonzero(inside)
    if known.size:
        some = known[:: max(1, known.size // MOST_RANKED)]
        # On a page most residuals are those of paper: nothing at all.
        scale = max(scale_of(residual.ravel().take(some)), least_scale(planes.spread))
        inside &= residual <= OUTLIER * scale
    # The central difference of the warped source looks one pixel further.
    inside = cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    interior = _interior(planes)
    warped = central_differences(image)
    s = warped[0][interior], warped[1][interior]
    t = planes.gradient_x, planes.gradient_y
    tt, ss, ts = (cross_matrix(*pair, inside, planes, model) for pair in ((t, t), (s, s), (t, s)))
    # The images may differ in contrast, and in the units of their planes.
    contrast = math.sqrt(np.trace(tt) / np.trace(ss)) if np.trace(ss) > 0.0 else 0.0
    try:
        root = np.linalg.inv(np.linalg.cholesky(0.5 * (tt + contrast**2 * ss)))
    except np.linalg.LinAlgError:
        return math.nan
    ts *= contrast
    return float(np.linalg.eigvalsh(root @ ts @ root.T)[0])


def unexplained(
    of_both: Details, target: Level, light: Light, *, noise: tuple[float, float]
) -> float:
    """How much of the target's details is neither in the source too nor noise.

    Coarse shapes may agree where nothing else does: a wave of a hundred pixels fits its neighbour.
    With d the details of the relit source less those of the target, its standard deviation, less
    what noise alone would leave, over the target's without noise. Both are taken from medians over
    the pixels with texture, so that less than half of them may show something else.

    Args:
        of_both: the details of a level of both images.
        target: that level of the target.
        light: of its pixels.
        noise: standard deviations of the noise of source and target on this level, in the units of
            either.

    Returns:
        0 where the images agree but for their noise, about 1.4 for unlike images; NaN where the
        details do not stand out of the noise, so that nothing is known.
    """
    picked = _textured(target.image, of_both.inside)
    if picked.size == 0:
        return math.nan
    s, t = of_both.source.ravel().take(picked), of_both.target.ravel().take(picked)
    s *= _factor(light, picked, target.size)
    of_source, of_target = noise[0] * abs(light.factor[0]), noise[1]
    signal = scale_of(t) ** 2 - of_target**2
    known = of_source**2 + of_target**2
    if not signal > LEAST_SIGNAL**2 * known:
        return math.nan
    return math.sqrt(max(scale_of(s - t) ** 2 - known, 0.0) / signal)


def _textured(image: Plane, inside: Mask) -> NDArray[np.intp]:
    """Flat indices of pixels with texture, all of whose neighbours are inside; not of all such."""
    width = image.shape[1]
    around = cv2.erode(
        inside.view(np.uint8),
        np.ones((3, 3), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    picked = np.flatnonzero(around.view(np.bool_))  # four times as fast as of numbers
    picked = picked[:: max(1, picked.size // MOST_LOOKED_AT)]
    flat = image.ravel()
    along_x = flat.take(picked + 1) - flat.take(picked - 1)
    along_y = flat.take(picked + width) - flat.take(picked - width)
    energy = along_x * along_x
    energy += along_y * along_y
    return picked[energy > TEXTURE_SHARE * energy.mean()] if picked.size else picked


def _factor(light: Light, pixels: NDArray[np.intp], size: Size) -> np.float32 | NDArray[np.float32]:
    """The factor of the light at flat indices of an image of (width, height)."""
    if not light.varies:
        return np.float32(light.factor[0])
    y, x = np.divmod(pixels, size[0])
    points = map_points(normalisation(size), np.column_stack([x, y]).astype(np.float64))
    return polynomial(light.factor, points).astype(np.float32)


def _warped(
    source: Level, target: Level, planes: TargetPlanes, place: Place
) -> tuple[Plane, Plane, Mask]:
    """The warped source on all of a level, relit on its interior, and what both know of that."""
    interior = _interior(planes)
    inside = common(source, target, place.warp, margin=REACH + 2.0)[interior]
    image = sample(source.image, place.warp, target.size, replicate=True)
    relit = image[interior].copy()
    relight(relit, place.light, planes, slice(None), scratch=np.empty_like(relit))
    return image, relit, inside


def _interior(planes: TargetPlanes) -> tuple[slice, slice]:
    height, width = planes.image.shape
    x, y = planes.origin
    return np.s_[y : y + height, x : x + width]


def measure(
    source: Luma,
    target: Luma,
    start: Matrix,
    final: Matrix,
    *,
    detail: float,
    texture: float,
    unexplained: float,
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
        detail_zncc=detail,
        shared_texture=texture,
        unexplained=unexplained,
        # Where masks have a say, all rows were looked at, because nothing else counts it.
        overlap=float(after[0] if masked else lengths.sum()) / math.prod(target.size),
    )


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
