"""The displacement map: the displacements that remain after alignment, as an image or a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.displacements.field import DisplacementField
from align_cli.files.documents import dumps
from align_cli.files.encode import BY_SUFFIX
from align_cli.files.errors import PathLike, UnknownNameError
from align_cli.files.images import encode_image
from align_cli.report import displacement_scale, error_scale, legend
from align_cli.report.legend import Legend, Strip

COLUMNS: Final = ("x", "y", "dx", "dy", "sigma_x", "sigma_y", "correlation", "matched")
"""Of the table: the centre of a tile; where it lies in the warped source, less where it stands, and
the standard deviations of that, all in pixels of the target; the ZNCC there; 1 where the tile found
a match, else 0: its displacement is then invalid."""

NUMBERS: Final = (".csv", ".json", ".npy")
"""Suffixes of displacement maps that are tables; all others are images."""

LARGE_PX: Final = 800
MOST_ENLARGED: Final = 8
"""A small target is enlarged by the largest whole factor, at most ``MOST_ENLARGED``, with which its
longer side does not exceed ``LARGE_PX``: arrows need room."""

ROOM: Final = 1.15
"""Least distance of tiles, in units of the legend's text, at which arrows are drawn."""

LEAST_CELL: Final = 0.6
"""Least side of a cell, as a share of the distance of tiles; else a cell has the size of its tile,
a dot in large images."""

STANDARD: Final = (1, 2, 5)
"""Arrows are enlarged by one of these times a power of ten."""

MOST_TIMES: Final = 1000
"""Largest factor by which arrows are enlarged; a larger one would show noise only."""

ENOUGH_PIXELS: Final = 1 << 20
"""Number of pixels from which the percentiles of an image are estimated."""

TITLE: Final = "displacement in px of the target, square-root scale"
TITLE_OF_ARROWS: Final = "displacement in px; arrows {times} times as long"
NO_OVERLAP, NO_TEXTURE, NO_MATCH = legend.OUTSIDE, "no texture", "no match"

# In units of the legend's text: below the bar a second row of samples.
SAMPLES_TOP, SAMPLES_LEFT, HEIGHT = 5.9, (0.9, 9.4, 17.9), 7.9
ARROW: Final = (255, 255, 255)
RIM: Final = (0, 0, 0)
"""An arrow is white, with a black rim that distinguishes it from the palest cells."""

THICK: Final = 1.0 / 12.0
"""Width of an arrow's line, over the text's size: a third more than a letter's strokes, since it
has a rim and lies on colours."""

TIP: Final = 5.0
"""Length of an arrow's tip, over the width of its line; but at most half the arrow."""

SAMPLED_TILES: Final = 200
"""About so many tiles, or twice as many, tell how far a tile lies from the next: the median."""

CROSS: Final = error_scale.PAPER + 5
"""Grey level of the outline and cross of tiles without a match."""


def displacement_table(field: DisplacementField) -> NDArray[np.float64]:
    """The table of tiles, (n, 8) float64, with the columns ``COLUMNS``."""
    variance = np.diagonal(field.covariance, axis1=1, axis2=2)
    return np.column_stack(
        [
            field.position,
            field.displacement,
            np.sqrt(variance),
            field.correlation,
            field.matched,
        ]
    ).astype(np.float64)


def check_name(path: PathLike) -> None:
    """Raise, before the work, for a suffix of no kind of map.

    Raises:
        UnknownNameError: saying which do.
    """
    suffix = _suffix(path)
    shown = np.zeros((1, 1, 3), np.uint8)
    if suffix not in NUMBERS and not (suffix in BY_SUFFIX and BY_SUFFIX[suffix].holds(shown)):
        raise UnknownNameError(
            path,
            f"the suffix {suffix or '(none)'} is not that of a displacement map",
            "use .png for an image, .csv, .json or .npy for the numbers",
        )


def encode(
    path: PathLike,
    field: DisplacementField,
    picture: Callable[[], NDArray[np.uint8]],
    *,
    small: bool = False,
) -> bytes:
    """The content of a displacement map at ``path``; see ``COLUMNS``.

    ``picture`` returns the image of ``render``; it is called if the file is an image.

    Raises:
        UnknownNameError: if the suffix is that of no kind of map.
    """
    check_name(path)
    suffix = _suffix(path)
    if suffix == ".csv":
        return _csv(displacement_table(field)).encode("ascii")
    if suffix == ".json":
        return dumps(_record(field)).encode("ascii")
    if suffix == ".npy":
        file = io.BytesIO()
        np.save(file, displacement_table(field), allow_pickle=False)
        return file.getvalue()
    return encode_image(path, picture(), small=small)


def _csv(table: NDArray[np.float64]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for *numbers, matched in table.tolist():
        writer.writerow([*(repr(number + 0.0) for number in numbers), int(matched)])
    return out.getvalue()


def _record(field: DisplacementField) -> dict[str, Any]:
    rows = [[*numbers, int(matched)] for *numbers, matched in displacement_table(field).tolist()]
    return {
        "columns": list(COLUMNS),
        "tile_px": field.side,
        "level": field.level,
        "tiles": rows,
    }


def render(
    target: NDArray[Any], overlap: NDArray[np.bool_], field: DisplacementField
) -> NDArray[np.uint8]:
    """Draw what each tile says over the target, with a legend below.

    The target is dark and grey; pixels that are not used are hatched. A tile with a match is a cell
    in the colour of its displacement's length, with an arrow along its displacement if there is
    room; one without a match is crossed out.

    Args:
        target: (height, width) or (height, width, channels) of any dtype.
        overlap: (height, width) bool, the valid pixels of the overlap.
        field: what the tiles say.

    Returns:
        (rows, columns, 3) uint8 RGB. Small targets are enlarged by a whole factor.

    Raises:
        ValueError: if target and overlap differ in size.
    """
    if target.shape[:2] != overlap.shape:
        raise ValueError(f"target and overlap differ: {target.shape[:2]} and {overlap.shape}")
    height, width = overlap.shape
    zoom = int(np.clip(LARGE_PX // max(height, width), 1, MOST_ENLARGED))
    key = Legend.of(zoom * width, zoom * height)
    spacing = spacing_px(field)
    times = _times(field, spacing) if zoom * spacing >= ROOM * key.text else None
    strip = displacement_scale.COLOURS[_legend(key, max(zoom * width, key.width), times)]
    picture = np.full((zoom * height + len(strip), strip.shape[1], 3), 255, np.uint8)
    picture[zoom * height :] = strip
    shown = np.ascontiguousarray(_background(target, overlap, zoom, key))
    side = max(field.side, LEAST_CELL * spacing)
    _draw(_Drawing(shown, zoom, side, max(1, int(key.text * THICK))), field, times)
    picture[: zoom * height, : zoom * width] = shown
    return picture


def _draw(drawing: _Drawing, field: DisplacementField, times: int | None) -> None:
    """Draw all tiles; the arrows are enlarged by a factor, None for no arrows."""
    for position in field.position[~field.matched]:
        drawing.cross_out(position)
    length = np.hypot(*field.displacement[field.matched].T)
    order = np.flatnonzero(field.matched)[np.argsort(length, kind="stable")]
    position, displacement = field.position[order], field.displacement[order]
    colours = displacement_scale.COLOURS[displacement_scale.levels(np.sort(length))]
    for at, colour in zip(position, colours, strict=True):
        drawing.cell(at, colour)
    if times is not None:
        # The longest first, so that no short one is hidden.
        for at, moved in zip(position[::-1], displacement[::-1], strict=True):
            drawing.arrow(at, times * moved)


class _Drawing(NamedTuple):
    """A picture to be drawn on; places and lengths are in pixels of the target.

    Attributes:
        shown: (rows, columns, 3) uint8, ``zoom`` times the target's size.
        zoom: see there.
        side: of a cell.
        line: thickness of lines, in pixels of the picture.
    """

    shown: NDArray[np.uint8]
    zoom: int
    side: float
    line: int

    def cell(self, position: NDArray[np.float64], colour: NDArray[np.uint8]) -> None:
        """Fill the square around a position."""
        (left, top), (right, bottom) = self._corners(position)
        self.shown[top:bottom, left:right] = colour

    def cross_out(self, position: NDArray[np.float64]) -> None:
        """Outline the square around a position, with a cross in it."""
        (left, top), (right, bottom) = self._corners(position)
        grey = error_scale.COLOURS[CROSS]
        crossed_out(self.shown, left, top, right - 1, bottom - 1, grey, self.line)

    def arrow(self, begin: NDArray[np.float64], length: NDArray[np.float64]) -> None:
        """Draw an arrow from a position."""
        reach = self.zoom * float(np.hypot(*length))
        if reach < 2.0 * self.line:
            return
        tip = min(0.5, TIP * self.line / reach)
        first, last = (
            np.rint(16.0 * self._at(point)).astype(int).tolist()
            for point in (begin, begin + length)
        )
        for colour, line in ((RIM, self.line + 2), (ARROW, self.line)):
            cv2.arrowedLine(self.shown, first, last, colour, line, cv2.LINE_AA, 4, tip)

    def _at(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Position in the picture of a point of the target."""
        return self.zoom * (point + 0.5) - 0.5

    def _corners(self, position: NDArray[np.float64]) -> tuple[tuple[int, int], tuple[int, int]]:
        """First column and row of a square in the picture, and those after its last."""
        low, high = (
            np.rint(self._at(position + half) + 0.5).astype(int)
            for half in (-0.5 * self.side, 0.5 * self.side)
        )
        size = self.shown.shape[1], self.shown.shape[0]
        (left, top), (right, bottom) = (np.clip(each, 0, size).tolist() for each in (low, high))
        return (left, top), (right, bottom)


def crossed_out(
    image: NDArray[np.uint8],
    left: int,
    top: int,
    right: int,
    bottom: int,
    grey: Any,
    line: int = 1,
) -> None:
    """Draw a rectangle and its diagonals, all within the image."""
    value = np.atleast_1d(grey).tolist()
    cv2.rectangle(image, (left, top), (right, bottom), value, line)
    cv2.line(image, (left, top), (right, bottom), value, line)
    cv2.line(image, (left, bottom), (right, top), value, line)


def _background(
    target: NDArray[Any], overlap: NDArray[np.bool_], zoom: int, key: Legend
) -> NDArray[np.uint8]:
    """The target in dark grey, pixels that are not used hatched: (rows, columns, 3)."""
    shown = _dark(target)
    if zoom > 1:
        shown = shown.repeat(zoom, axis=0).repeat(zoom, axis=1)
        overlap = overlap.repeat(zoom, axis=0).repeat(zoom, axis=1)
    greys = error_scale.COLOURS[:, 0]
    stripes = greys[error_scale.hatching(shown.shape[0], shown.shape[1], key.stripe)]
    np.copyto(shown, stripes, where=~overlap)
    return np.repeat(shown[..., np.newaxis], 3, axis=2)


def _dark(target: NDArray[Any]) -> NDArray[np.uint8]:
    """Its grey values, from the darkest hundredth to the brightest, between those of ``SHOWN``."""
    with np.errstate(over="ignore", invalid="ignore"):
        grey = target
        if target.ndim == 3:
            grey = target[..., : target.shape[2] - _has_alpha(target)].mean(
                axis=2, dtype=np.float32
            )
        grey = grey.astype(np.float32)
        step = 1 + int(np.sqrt(grey.size / ENOUGH_PIXELS))
        some = grey[::step, ::step]
        some = some[np.isfinite(some)]
        low, high = np.percentile(some, (1, 99)) if some.size else (0.0, 1.0)
        share = (grey - low) / max(high - low, np.finfo(np.float32).tiny)
    first, last = displacement_scale.SHOWN
    return np.asarray(first + (last - first) * np.clip(np.nan_to_num(share), 0.0, 1.0), np.uint8)


def _has_alpha(target: NDArray[Any]) -> int:
    return int(target.shape[2] in (2, 4))


def enlargement(field: DisplacementField) -> int:
    """How many times as long as its displacement an arrow is best drawn."""
    return _times(field, spacing_px(field))


def _times(field: DisplacementField, spacing: float) -> int:
    """Factor by which arrows are enlarged: nine of ten reach no further than the next tile."""
    length = np.hypot(*field.displacement[field.matched].T)
    longest = float(np.percentile(length, 90)) if len(length) else 0.0
    most = min(spacing / longest, MOST_TIMES) if longest > 0.0 else MOST_TIMES
    times = [digit * 10**power for power in range(4) for digit in STANDARD]
    return max((each for each in times if each <= most), default=1)


def spacing_px(field: DisplacementField) -> float:
    """Median distance to the next tile, in pixels; of a single tile its side."""
    if len(field) < 2:
        return field.side
    some = field.position[:: max(1, len(field) // SAMPLED_TILES)]
    apart = np.hypot(*(some[:, np.newaxis] - field.position).transpose(2, 0, 1))
    apart[apart == 0.0] = np.inf
    return float(np.median(apart.min(axis=1)))


def _legend(key: Legend, width: int, times: int | None) -> NDArray[np.uint8]:
    """The strip below the map, (rows, width) of ``displacement_scale.COLOURS``."""
    strip = Strip(key, width, HEIGHT)
    title = TITLE if times is None else TITLE_OF_ARROWS.format(times=times)
    strip.write(title, legend.MARGIN, legend.TITLE_BASELINE)
    ticks = displacement_scale.TICKS_PX
    last = displacement_scale.LAST_PX
    strip.bar(
        (level, f"{px:g}+" if px >= last else f"{px:g}")
        for level, px in zip(
            displacement_scale.levels(np.array(ticks)).tolist(), ticks, strict=True
        )
    )
    outside, plain, crossed = (
        strip.swatch(left, SAMPLES_TOP, text)
        for left, text in zip(SAMPLES_LEFT, (NO_OVERLAP, NO_TEXTURE, NO_MATCH), strict=True)
    )
    legend.hatched(outside, key)
    plain[:] = crossed[:] = error_scale.INK
    crossed_out(crossed, 0, 0, crossed.shape[1] - 1, crossed.shape[0] - 1, CROSS)
    return strip.finished()


def _suffix(path: PathLike) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122
