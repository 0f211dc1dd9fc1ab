"""What changed between two aligned images: their residuals, with noise and unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane, Vector
from align_cli.engine.geometry.coordinates import Size, map_points
from align_cli.engine.images.grey_range import GreyLevels
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.noise import noise_level
from align_cli.engine.numerics.losses import scale_of
from align_cli.engine.records import IlluminationRecord
from align_cli.engine.result.bands import (
    bands_between,
    border_bands,
    displaced,
    may_be_moved,
    runs_of_rows,
    turned,
)
from align_cli.engine.result.changed import GREY_LEVELS, Changed, Layer, Scale, changed_areas
from align_cli.engine.search.full_scale import no_change
from align_cli.engine.search.quality import Samples

FITTED_PIXELS: Final = 1 << 14
"""Pixels, evenly spaced, that the illumination of a channel is fitted to."""

ROUNDS: Final = 10
"""Reweighted fits of it."""

OUTLIER_SIGMAS: Final = 3.0
"""Pixels with residuals beyond this have no weight in it."""

LEAST_OUTLIER: Final = 0.02
"""And none is one within this, in units of full scale: most of a page is one colour, exactly."""

HUE_PX: Final = 2.0
"""Side of a pixel's hue in JPEG (4:2:0) and WebP, in pixels."""

EXPLAINED_LEVELS: Final = 1.5
"""Grey levels, of 255, within which an illumination explains a pixel, beside the noise."""

COUNTED_PIXELS: Final = 1 << 18
"""Pixels, evenly spaced, of which those that are explained are counted."""


def changes(
    images: Sequence[tuple[Luma, Luma]],
    warp: Matrix,
    illumination: IlluminationRecord,
    *,
    above_levels: float,
    levels: GreyLevels,
    opacities: tuple[Luma, Luma] | None = None,
) -> Changed:
    """What differs under a warp, target -> source; ``align_cli.engine.result.changed``.

    Where something does, it must without any change of illumination too, and the lesser of both is
    told: text at another sub-pixel position blurs its own contrast, which the illumination that was
    solved for takes for a gain (a page may have few other grey values).

    Args:
        images: source and target; then two of their channels each. ``illumination`` is that of the
            first; the channels may have a gain and a bias of their own beyond it (white balance).
        warp: target -> source.
        illumination: between the grey values of the first.
        above_levels: grey levels, of 255, up to which a difference does not count.
        levels: what they are.
        opacities: the alphas of both images, 0 to 1: what is opaque in one and transparent in the
            other has changed, too. None if both are opaque.
    """
    size = images[0][1].size
    seen = [_Seen(*each, warp, levels) for each in images]
    if opacities is not None:
        seen.append(_Seen(*opacities, warp, GreyLevels(1.0, 0.0), of_colour=False))

    pixel_px = _source_pixel_px(warp, size)

    def under(record: IlluminationRecord) -> Changed:
        return changed_areas(
            _layers(seen, record, own=illumination.changes),
            (size[1], size[0]),
            above_levels=above_levels,
            pixel_px=pixel_px,
        )

    light = no_change() if seen[0].prefers_none(illumination) else illumination
    found = under(light)
    if found.areas and light.changes:
        without = under(no_change())
        if without.pixels < found.pixels:
            found, light = without, no_change()

    def layers() -> Iterator[Layer]:
        return _layers(seen, light, own=illumination.changes)

    return _with_bands(found, layers, seen[0].valid, warp, (images[0][0].size, size), pixel_px)


def _with_bands(
    found: Changed,
    layers: Callable[[], Iterator[Layer]],
    valid: Mask | None,
    warp: Matrix,
    sizes: tuple[Size, Size],
    pixel_px: float,
) -> Changed:
    """What differs, without what rows or columns that only one image has displaced."""
    to_target = np.asarray(np.linalg.inv(warp), np.float64)
    above = found.above_levels / GREY_LEVELS
    for columns in (False, True):
        if not may_be_moved(found, sizes[1], columns=columns):
            continue

        def as_rows(layer: Layer, columns: bool = columns) -> Layer:
            return turned(layer) if columns else layer

        of_rows = valid.T if columns and valid is not None else valid
        first = as_rows(next(layers()))
        runs = runs_of_rows(first, of_rows, Scale(max(1.0, pixel_px)), above)
        if not runs:
            continue
        ends = runs[0].shift, runs[-1].shift
        borders = border_bands(to_target, sizes, (ends, (0, 0)) if columns else ((0, 0), ends))
        return changed_areas(
            (as_rows(displaced(as_rows(each), of_rows, runs)) for each in layers()),
            (sizes[1][1], sizes[1][0]),
            above_levels=found.above_levels,
            pixel_px=pixel_px,
            bands=(*bands_between(runs, columns=columns), *borders),
        )
    return replace(found, bands=border_bands(to_target, sizes))


def _layers(seen: Sequence[_Seen], light: IlluminationRecord, *, own: bool) -> Iterator[Layer]:
    """The layer of the first plane, and of each other one what it has beyond that: its hue.

    Compressed pictures hold hue for every second pixel only, and noise of its own in it.

    ``own``: whether a channel may have a gain and a bias beyond those of the first plane.
    """
    first = seen[0].layer(light)
    yield first
    for each in seen[1:]:
        if not each.of_colour:
            yield each.layer(no_change())
            continue
        other = each.layer(light)
        residual = np.subtract(other.residual, first.residual, out=other.residual)
        noise = math.hypot(other.noise, first.noise)
        if own:  # of what is left beside the first plane: greys have none
            _remove_illumination(residual, other.target, other.overlap, noise)
        yield other._replace(
            residual=residual,
            target=np.subtract(other.target, first.target, out=other.target),
            noise=noise,
            pixel_px=HUE_PX,
        )


class _Seen:
    """What is compared of a pair of images, sampled once for all illuminations."""

    def __init__(
        self,
        source: Luma,
        target: Luma,
        warp: Matrix,
        levels: GreyLevels,
        *,
        of_colour: bool = True,
    ) -> None:
        self._samples = Samples(source, target, warp)
        self._unit, self._rounding = levels
        self.of_colour = of_colour
        self._target_scale, self.valid = target.scale, target.valid
        self._noise = noise_level(source) * source.scale, noise_level(target) * target.scale

    def prefers_none(self, illumination: IlluminationRecord) -> bool:
        """Whether no change of illumination explains at least as many grey values as this one."""
        if not illumination.changes:
            return False
        step = max(1, math.isqrt(self._samples.overlap.size // COUNTED_PIXELS))
        known = self._samples.overlap[::step, ::step]
        with np.errstate(over="ignore"):
            scale = np.float32(self._target_scale / self._unit)
            shown = self._samples.target[::step, ::step][known] * scale
            none, some = (
                _explained(
                    self._samples.sparse_residual(light, step)[known] / np.float32(self._unit),
                    shown,
                    self._noise_under(illumination),
                )
                for light in (no_change(), illumination)
            )
        return none >= some

    def layer(self, illumination: IlluminationRecord) -> Layer:
        """Its layer under an illumination."""
        residual, overlap = self._samples.residual(illumination), self._samples.overlap
        with np.errstate(over="ignore"):  # float64 images may differ by more than float32 holds
            residual *= np.float32(1.0 / self._unit)
            still = self._samples.target * np.float32(self._target_scale / self._unit)
        return Layer(residual, overlap, still, self._noise_under(illumination))

    def _noise_under(self, illumination: IlluminationRecord) -> float:
        """Standard deviation of the noise of the residual."""
        of_source, of_target = self._noise
        factor = abs(float(illumination.factor[0]))
        return math.hypot(of_source * factor, of_target, self._rounding) / self._unit


def _explained(residual: Plane, target: Plane, noise: float) -> float:
    """How many grey values of the target have no residual, pixels (n,) of each.

    Each counts by the share of its pixels that are within ``EXPLAINED_LEVELS`` and the noise: where
    the paper alone became grey, which is most pixels, all other colours are as they were.
    """
    values = np.rint(np.clip(GREY_LEVELS * target, -GREY_LEVELS, GREY_LEVELS)).astype(np.intp)
    values -= values.min(initial=0)
    near = np.abs(residual) <= EXPLAINED_LEVELS / GREY_LEVELS + noise
    return float((np.bincount(values, near) / np.maximum(np.bincount(values), 1)).sum())


def _remove_illumination(residual: Plane, target: Plane, overlap: Mask, noise: float) -> None:
    """Take from a residual, in place, what a gain and a bias explain of it.

    Unless fewer grey values are explained than without.
    """
    step = max(1, math.isqrt(overlap.size // FITTED_PIXELS))
    some = overlap[::step, ::step]
    r, t = residual[::step, ::step][some], target[::step, ::step][some]
    if not r.size:
        return
    design = np.column_stack([np.ones_like(t), t]).astype(np.float64)
    solved: Vector = np.zeros(2)
    near = np.ones(r.shape, np.bool_)
    for _ in range(ROUNDS):
        fitted, *_ = np.linalg.lstsq(design[near], r[near].astype(np.float64), rcond=None)
        solved = np.asarray(fitted, np.float64)
        left = np.abs(r - design @ solved)
        near = left <= max(OUTLIER_SIGMAS * scale_of(left.astype(np.float32)), LEAST_OUTLIER)
    fitted_residual = np.asarray(r - design @ solved, np.float32)
    if _explained(fitted_residual, t, noise) <= _explained(r, t, noise):
        return
    residual -= np.float32(solved[0]) + np.float32(solved[1]) * target
    residual[~overlap] = 0.0


def _source_pixel_px(warp: Matrix, size: Size) -> float:
    """Side of a source pixel at the centre of the target, in target pixels."""
    x, y = (size[0] - 1) / 2.0, (size[1] - 1) / 2.0
    corners = map_points(warp, np.array([[x, y], [x + 1.0, y], [x, y + 1.0]]))
    area = abs(float(np.linalg.det(corners[1:] - corners[0])))
    return 1.0 / math.sqrt(area) if math.isfinite(area) and area > 0.0 else 1.0
