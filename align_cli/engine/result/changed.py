"""What changed: areas of the target where the images differ although they are aligned.

Aligned images of one thing still differ a little everywhere: by noise, and along edges by what a
fraction of a pixel does to them (interpolation, antialiased text at another sub-pixel position, a
screenshot of another pixel density). A change is what is more than that. With the target t, the
residual r after the illumination, s = t + r the corrected source, all smoothed by a Gaussian G of
``SMOOTHING_PX``, a pixel of the overlap differs if

    |G r| > above + NOISE_SIGMAS sigma + EDGE_PX min(g_s, g_t)

- sigma is the standard deviation of G r by the noise of both images.
- g_s and g_t are the largest gradient magnitudes of G s and G t within ``REACH_PX``. An edge that
  is off by d px leaves a residual of at most d g to first order. The smaller one counts: an edge
  that only one image has is a change.
- Areas that are only elsewhere, by ``MOST_AREA_SHIFT_PX`` at most, are none: each is compared once
  more where it fits best (browsers put lines of text on whole pixels, whatever the density).
- G makes first order enough: a stroke of a letter is one pixel wide, and drawn half a pixel
  further it is another shape, two half grey columns instead of one, but of the same sum.

Of colour images luma, and red and blue less luma, are compared so, the latter as coarsely as JPEG
holds them, and a pixel differs if one of them does. Strokes are compared a second time, for their
colour, by ``align_cli.engine.result.recoloured``: at an edge the above forgives a third of it.

Lengths are in pixels of the coarser image: where the source is magnified, its detail is lost in all
that its pixels span.

Pixels that differ are joined across gaps of ``GAP_PX`` (the letters of a word), and what has fewer
than ``LEAST_PIXELS`` is left out. The others grow, as far as the edges reach, over neighbours that
differ without the last term (hysteresis thresholding): the rim of a button that has another colour
is an edge in both images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Plane, Vector
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.result.edges import gradients, largest_gradient
from align_cli.engine.result.recoloured import recoloured

Marked = NDArray[np.uint8]
"""(height, width), 1 where something holds and 0 elsewhere."""

SMOOTHING_PX: Final = 1.0
"""Standard deviation of the Gaussian that both images are smoothed by, in pixels."""

NOISE_SIGMAS: Final = 5.0
"""Noise reaches this in one of two million pixels."""

EDGE_PX: Final = 1.0
"""How far an edge may be off, in pixels."""

MOST_AREA_SHIFT_PX: Final = 1.5
"""How far an area as a whole may be off, in pixels; it is then compared where it is. Browsers put
baselines on whole pixels, of any density: text against boxes is off by a pixel and a third."""

AREA_SHIFT_STEPS: Final = 6
"""Gauss-Newton steps to where an area fits best."""

LEAST_SINGULAR_VALUE: Final = 1e-3
"""Of the moments of an area's gradients, relative to the largest: less is a straight edge, which
does not tell a shift along itself."""

MOST_REFITTED_AREAS: Final = 300
"""Areas that are compared so: of more, all have changed. It takes about a millisecond each."""

MOST_REFITTED_PIXELS: Final = 1 << 22
"""Of the bounding boxes of all that are; the larger areas beyond are left as they are."""

REACH_PX: Final = 2
"""The gradient of an edge counts this far from it, in pixels."""

GAP_PX: Final = 8
"""Pixels that differ belong to one area if they are at most this far apart."""

LEAST_PIXELS: Final = 20
"""Areas of fewer pixels are left out."""

MOST_BOXES: Final = 100
"""So many areas are listed, the largest."""

GREY_LEVELS: Final = 255.0


@dataclass(frozen=True)
class ChangedArea:
    """An area that differs, by its bounding box in target pixels.

    Attributes:
        x, y: the first column and row.
        width, height: columns and rows.
        area: pixels within it that differ.
    """

    x: int
    y: int
    width: int
    height: int
    area: int


@dataclass(frozen=True)
class Band:
    """Rows or columns that only one image has; ``align_cli.engine.result.bands``.

    Attributes:
        kind: of ``BAND_KINDS``.
        at: the first one of the target; of those of the source, the one of the target that they
            would be before.
        count: how many, in target pixels.
        border: whether they are at the border of the images, where one of them goes on: no change.
    """

    kind: str
    at: int
    count: int
    border: bool

    @property
    def of_rows(self) -> bool:
        """Whether it consists of rows; of columns otherwise."""
        return self.kind.startswith("rows")

    @property
    def of_target(self) -> bool:
        """Whether the target has it; the source otherwise."""
        return self.kind.endswith("target")


@dataclass(frozen=True)
class Changed:
    """What differs between aligned images.

    Attributes:
        share: of the pixels of the overlap that differ, 0 to 1; with all pixels of bands that are
            not at the border.
        pixels: how many these are.
        above_levels: grey levels, of 255, up to which a difference does not count.
        areas: how many areas these pixels make.
        boxes: the areas, the largest first, ``MOST_BOXES`` at most. What bands have only displaced
            is in none.
        bands: rows or columns that only one image has.
    """

    share: float
    pixels: int
    above_levels: float
    areas: int
    boxes: tuple[ChangedArea, ...]
    bands: tuple[Band, ...] = ()

    @property
    def inner_bands(self) -> tuple[Band, ...]:
        """The bands that are changes."""
        return tuple(each for each in self.bands if not each.border)


BAND_KINDS: Final = (
    "rows_only_in_target",
    "rows_only_in_source",
    "columns_only_in_target",
    "columns_only_in_source",
)


class Layer(NamedTuple):
    """What is compared: luma or a channel.

    Attributes:
        residual: (height, width) float32, corrected source less target, in units of full scale; 0
            outside the overlap.
        overlap: (height, width) bool.
        target: (height, width) float32, in units of full scale.
        noise: standard deviation of the noise of ``residual`` where nothing is interpolated.
        pixel_px: side of what it resolves at most, in pixels.
    """

    residual: Plane
    overlap: Mask
    target: Plane
    noise: float
    pixel_px: float = 1.0


def changed_areas(
    layers: Iterable[Layer],
    shape: tuple[int, int],
    *,
    above_levels: float,
    pixel_px: float = 1.0,
    bands: tuple[Band, ...] = (),
) -> Changed:
    """Find what differs in any layer.

    Args:
        layers: at least one; each is used before the next is asked for.
        shape: (height, width) of all of them.
        above_levels: grey levels, of 255, up to which a difference does not count.
        pixel_px: side of a source pixel, in target pixels; less than 1 is 1.
        bands: what was found of them; they are outside the overlap of the layers.
    """
    pixel = max(1.0, pixel_px)
    strongly, weakly = np.zeros((2, *shape), np.uint8)
    overlap: Mask | None = None
    above = above_levels / GREY_LEVELS
    for layer in layers:
        fine = Scale(max(pixel, layer.pixel_px))
        differs, more = _marks(layer, fine, above)
        if differs.any():
            _leave_out_shifted(differs, layer, fine, above)
            strongly |= differs
        if more.any():
            weakly |= more
        _mark_strokes(strongly, weakly, layer, pixel, above)
        overlap = layer.overlap if overlap is None else overlap
    differs = _grown(strongly, weakly, Scale(pixel).margin)
    boxes = _areas(_labelled(differs))
    # What is transparent in one image is outside the overlap of the colours.
    covered = 0 if overlap is None else int(np.count_nonzero(overlap | (differs > 0)))
    only = sum(each.count * shape[each.of_rows] for each in bands if not each.border)
    pixels, covered = sum(box.area for box in boxes) + only, covered + only
    return Changed(
        share=pixels / covered if covered else 0.0,
        pixels=pixels,
        above_levels=above_levels,
        areas=len(boxes),
        boxes=tuple(boxes[:MOST_BOXES]),
        bands=bands,
    )


class Scale:
    """The filters, at the scale of the coarser image.

    Args:
        pixel: side of its pixels, in target pixels, at least 1.
    """

    def __init__(self, pixel: float) -> None:
        self.pixel = pixel
        self._sigma = SMOOTHING_PX * pixel
        self._smoothing = 2 * math.ceil(3.0 * self._sigma) + 1
        self._near = 2 * math.ceil(REACH_PX * pixel) + 1
        self.edge_px = EDGE_PX * pixel
        self.margin = self._smoothing // 2 + 1 + self._near // 2

    @property
    def noise_gain(self) -> float:
        """Standard deviation of white noise of density 1 after the Gaussian."""
        kernel = cv2.getGaussianKernel(self._smoothing, self._sigma)
        return float((kernel**2).sum())

    def least(self, above: float, noise: float) -> np.float32:
        """The least difference that counts where there is no edge, in units of full scale."""
        return np.float32(above + NOISE_SIGMAS * noise * self.noise_gain)

    def smoothed(self, plane: Plane) -> Plane:
        """The plane, smoothed by the Gaussian."""
        size = self._smoothing, self._smoothing
        smoothed = cv2.GaussianBlur(plane, size, self._sigma, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(smoothed, np.float32)

    def edges(self, plane: Plane) -> Plane:
        """The largest gradient magnitude near each pixel of a smoothed plane, per pixel."""
        return largest_gradient(plane, self._near)


def _marks(layer: Layer, scale: Scale, above: float) -> tuple[Marked, Marked]:
    """Where a layer differs, and where it does without regard to edges.

    In strips of rows, which overlap by a margin.
    """
    residual, overlap, target, noise, pixel_px = layer
    height, width = residual.shape
    strongly, weakly = np.zeros((2, height, width), np.uint8)
    rows = max(1, LARGE_STRIP_PIXELS // width)
    least = scale.least(above, noise)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first, last = max(0, top - scale.margin), min(height, bottom + scale.margin)
        some, inner = slice(first, last), slice(top - first, bottom - first)
        if not (np.abs(residual[some]) > least).any():  # smoothing makes nothing larger
            continue
        smooth = scale.smoothed(residual[some])
        size = np.abs(smooth)
        if pixel_px > 1.0:  # smoothed more widely than what is seen beside it
            size[np.abs(residual[some]) <= above] = 0.0
        if not (size > least).any():
            continue
        still = scale.smoothed(target[some])
        edges = np.minimum(scale.edges(still), scale.edges(still + smooth))
        beyond = size > least + np.float32(scale.edge_px) * edges
        strongly[top:bottom] = beyond[inner]
        weakly[top:bottom] = (size > least)[inner] & overlap[top:bottom]
    if strongly.any():
        # What is off may have come from beyond the border, where nothing is known.
        near = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * math.ceil(scale.edge_px) + 1,) * 2)
        inner_overlap = cv2.erode(overlap.astype(np.uint8), near, borderValue=0)
        strongly &= np.asarray(inner_overlap, np.uint8)
    return strongly, weakly


def _leave_out_shifted(differs: Marked, layer: Layer, scale: Scale, above: float) -> None:
    """Leave out, in place, the areas that are only elsewhere, by a pixel and a half at most."""
    labelled = _labelled(differs)
    if labelled is None:
        return
    areas = [(at, box) for at, box in _boxes(labelled) if box.area >= LEAST_PIXELS]
    if len(areas) > MOST_REFITTED_AREAS:
        return
    height, width = differs.shape
    margin = scale.margin + math.ceil(MOST_AREA_SHIFT_PX * scale.pixel)
    compared = 0
    for at, box in sorted(areas, key=lambda each: each[1].width * each[1].height):
        rows = slice(max(0, box.y - margin), min(height, box.y + box.height + margin))
        columns = slice(max(0, box.x - margin), min(width, box.x + box.width + margin))
        compared += (rows.stop - rows.start) * (columns.stop - columns.start)
        if compared > MOST_REFITTED_PIXELS:
            return
        mine = labelled.label == at
        own = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        own[labelled.y[mine] - rows.start, labelled.x[mine] - columns.start] = 1
        part = layer._replace(
            residual=layer.residual[rows, columns],
            overlap=layer.overlap[rows, columns],
            target=layer.target[rows, columns],
        )
        if _differing_at_best_shift(own, part, scale, above) < LEAST_PIXELS:
            differs[labelled.y[mine], labelled.x[mine]] = 0


def _differing_at_best_shift(own: Marked, layer: Layer, scale: Scale, above: float) -> int:
    """How many pixels of an area differ where it fits best."""
    still = scale.smoothed(layer.target)
    moved = scale.smoothed(layer.target + layer.residual)
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * scale.margin - 1,) * 2)
    weight = (cv2.dilate(own, near) > 0) & layer.overlap
    most = MOST_AREA_SHIFT_PX * scale.pixel
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in own.shape[::-1]))
    shift: Vector = np.zeros(2)
    here = moved
    for _ in range(AREA_SHIFT_STEPS):
        slopes = [each[weight] for each in gradients(0.5 * (here + still))]
        a = np.array([[np.vdot(i, j) for j in slopes] for i in slopes], np.float64)
        b = np.array([np.vdot(i, (here - still)[weight]) for i in slopes], np.float64)
        step = np.linalg.lstsq(a, b, rcond=LEAST_SINGULAR_VALUE)[0]
        shift = np.clip(shift - step, -most, most)
        dx, dy = (np.float32(each) for each in shift)
        here = np.asarray(
            cv2.remap(moved, x + dx, y + dy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
            np.float32,
        )
    edges = np.minimum(scale.edges(still), scale.edges(here))
    least = scale.least(above, layer.noise)
    left = np.abs(here - still) > least + np.float32(scale.edge_px) * edges
    return int(np.count_nonzero(left & weight))


def _mark_strokes(
    strongly: Marked, weakly: Marked, layer: Layer, pixel: float, above: float
) -> None:
    """Mark where strokes of a layer have another colour, apart from what is marked already."""
    residual, overlap, target, noise, pixel_px = layer
    if strongly.any():
        near = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * Scale(pixel).margin + 1,) * 2)
        residual = np.where(cv2.dilate(strongly, near), np.float32(0.0), residual)
    found = recoloured(residual, target, noise=noise, above=above, pixel=pixel, hue=pixel_px > 1.0)
    if found is not None:
        found &= overlap
        strongly |= found
        weakly |= found


def _grown(differs: Marked, weakly: Marked, steps: int) -> Marked:
    """The areas of enough pixels, grown by some steps over what differs ``weakly``."""
    labelled = _labelled(differs)
    if labelled is None:
        return differs
    large = labelled.sizes >= LEAST_PIXELS
    grown = np.zeros_like(differs)
    grown[labelled.y, labelled.x] = large[labelled.label]
    neighbours = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
    for _ in range(steps if large.any() else 0):
        grown = np.asarray(cv2.dilate(grown, neighbours), np.uint8) & weakly
    return grown


class _Labelled(NamedTuple):
    """Pixels that are marked, (n,) each: position and the number of their area; (m,) sizes."""

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    label: NDArray[np.intp]
    sizes: NDArray[np.intp]


def _labelled(marked: Marked) -> _Labelled | None:
    """The areas of marked pixels, joined across gaps; None if there are none."""
    if not marked.any():
        return None
    near = cv2.getStructuringElement(cv2.MORPH_RECT, (GAP_PX + 1, GAP_PX + 1))
    _, labels = cv2.connectedComponents(cv2.dilate(marked, near), connectivity=8)
    y, x = np.nonzero(marked)
    label = np.asarray(labels[y, x], np.intp)
    return _Labelled(x, y, label, np.bincount(label))


def _areas(labelled: _Labelled | None) -> list[ChangedArea]:
    """The bounding boxes of areas, the largest first."""
    if labelled is None:
        return []
    found = [box for _, box in _boxes(labelled)]
    return sorted(found, key=lambda box: (-box.area, box.y, box.x))


def _boxes(labelled: _Labelled) -> Iterator[tuple[int, ChangedArea]]:
    """The number of each area, and its bounding box."""
    count = labelled.sizes.size
    low = np.full((2, count), np.iinfo(np.intp).max, np.intp)
    high = np.full((2, count), -1, np.intp)
    for axis, at in enumerate((labelled.x, labelled.y)):
        np.minimum.at(low[axis], labelled.label, at)
        np.maximum.at(high[axis], labelled.label, at)
    spans = high - low + 1
    for i in np.flatnonzero(labelled.sizes):
        box = (int(each) for each in (*low[:, i], *spans[:, i], labelled.sizes[i]))
        yield int(i), ChangedArea(*box)
