"""What is drawn over pictures, and the chart of the corners' path: numbers, no drawing.

On a page the first pixel's corner is the origin; in the engine its centre is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.geometry.coordinates import corners, map_points
from align_cli.report import displacement_scale
from align_cli.report.displacement_map import enlargement, spacing_px
from align_cli.report.page.legends import colour
from align_cli.report.page.view import Arrow, Chart, Line, Outline, Tick
from align_cli.report.summary import band_in_words

if TYPE_CHECKING:
    from align_cli.engine.arrays import Matrix
    from align_cli.engine.displacements.field import DisplacementField
    from align_cli.engine.geometry.coordinates import Size
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.changed import Band, Changed

UNMATCHED: Final = "#9a9a9a"
LONGEST: Final = 1.5
"""Arrows end here, in units of how far tiles lie apart; the colour tells how long they would be."""

CELL: Final = 0.3
"""Side of a tile's square, as a share of how far tiles lie apart: most of the picture is free."""

FARTHEST: Final = 8.0
"""Outlines that reach farther, in lengths of the target, are not drawn: they only hide it."""

MOST_OUTLINES: Final = 40
"""Of the places where a search looked, the best are drawn."""

CHART: Final = (340.0, 170.0)
"""Width and height of the chart's area, in its own units: text then reads on a telephone."""

LEAST_PX: Final = 1e-3
"""The end of the chart's scale: what is nearer to the result is at the result."""

CORNERS: Final = ("top left", "top right", "bottom right", "bottom left")


def outline(
    source_to_target: Matrix,
    source_size: Size,
    target_size: Size,
    label: str,
    strength: float = 1.0,
) -> Outline | None:
    """The border of the source on the target; None where it cannot be drawn."""
    with np.errstate(all="ignore"):
        if not np.isfinite(source_to_target).all() or not _unfolded(source_to_target, source_size):
            return None
        half = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
        points = map_points(source_to_target, corners(source_size) + half) + 0.5
    if not np.isfinite(points).all() or np.abs(points).max() > FARTHEST * max(target_size):
        return None
    return Outline(_points(points), label, strength)


def changed_marks(changes: Changed | None, target_size: Size) -> tuple[Outline, ...]:
    """The bounding boxes of what changed, around their pixels.

    After the bands: rows and columns that only the target has, and lines where those of the source
    would be.
    """
    if changes is None:
        return ()
    bands = [
        Outline(_rectangle(*_of_band(each, target_size)), band_in_words(each))
        for each in changes.inner_bands
    ]
    boxes = [
        Outline(
            _rectangle(box.x, box.y, box.width, box.height),
            f"changed: {box.width}x{box.height} px at ({box.x}, {box.y}), {box.area} pixels differ",
        )
        for box in changes.boxes
    ]
    return (*bands, *boxes)


def _of_band(band: Band, target_size: Size) -> tuple[int, int, int, int]:
    """Left, top, width and height."""
    count = band.count if band.of_target else 0
    if band.of_rows:
        return 0, band.at, target_size[0], count
    return band.at, 0, count, target_size[1]


def _rectangle(x: int, y: int, width: int, height: int) -> tuple[tuple[float, float], ...]:
    """Its corners, clockwise from the top left."""
    across, down = (x, x + width), (y, y + height)
    return tuple((float(across[i]), float(down[j])) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))


def searched_outlines(found: Alignment) -> tuple[Outline, ...]:
    """Where a search that failed looked: the places, those where most tiles correlate last."""
    places = sorted(found.searched, key=lambda each: each.share)[-MOST_OUTLINES:]
    drawn = [
        outline(
            each.source_to_target,
            found.source_size,
            found.target_size,
            f"{each.start}: {100 * each.share:.0f} % of the tiles correlate",
            0.4 + 0.6 * each.share / (places[-1].share or 1.0),
        )
        for each in places
    ]
    return tuple(each for each in drawn if each is not None)


def arrows(field: DisplacementField) -> tuple[tuple[Arrow, ...], int]:
    """What the tiles say, and how many times as long as their displacements the arrows are."""
    spacing = spacing_px(field) if len(field) else 1.0
    times = enlargement(field)
    length = np.nan_to_num(np.hypot(*field.displacement.T))
    colours = displacement_scale.COLOURS[displacement_scale.levels(length)]
    drawn = times * field.displacement
    reach, most = times * length, LONGEST * spacing
    drawn *= np.divide(most, reach, out=np.ones_like(reach), where=reach > most)[:, np.newaxis]
    found = [
        Arrow(
            _point(position + 0.5),
            _point(position + 0.5 + arrow) if matched else None,
            _head(position + 0.5, arrow, CELL * spacing) if matched else (),
            CELL * spacing,
            colour(rgb) if matched else UNMATCHED,
            f"({moved[0]:.2f}, {moved[1]:.2f}) px" if matched else "no match",
        )
        for position, moved, arrow, matched, rgb in zip(
            field.position, field.displacement, drawn, field.matched, colours, strict=True
        )
    ]
    return tuple(found), times


def _head(
    centre: NDArray[np.float64], arrow: NDArray[np.float64], size: float
) -> tuple[tuple[float, float], ...]:
    reach = float(np.hypot(*arrow))
    if reach < size / 2:
        return ()
    along = arrow / reach * min(size, reach) * 0.7
    beside = np.array([-along[1], along[0]]) / 2
    tip = centre + arrow
    return _points(np.array([tip, tip - along + beside, tip - along - beside]))


def path_chart(found: Alignment) -> Chart | None:
    """How far the corners still were from the result after each level; None without a path."""
    distances = _distances(found)
    if distances is None or len(distances) < 2:
        return None
    width, height = CHART
    most = max(1.0, float(distances.max()))
    top, bottom = math.ceil(math.log10(most)), math.log10(LEAST_PX)

    def down(px: float) -> float:
        """A share of the chart's height."""
        return (top - math.log10(max(px, LEAST_PX))) / (top - bottom)

    names = ["start", *(_level_name(found, n) for n in range(len(distances) - 1))]
    shares = [n / (len(names) - 1) for n in range(len(names))]
    decades = range(int(bottom), top + 1)
    return Chart(
        title="The corners over the levels",
        caption="Distance of the four corners of the source from where they came to lie, in px of "
        "the target, at the start and after each pyramid level (logarithmic).",
        width=width,
        height=height,
        lines=tuple(
            Line(
                name,
                tuple((width * x, height * down(px)) for x, px in zip(shares, each, strict=True)),
            )
            for name, each in zip(CORNERS, distances.T.tolist(), strict=True)
        ),
        across=tuple(map(Tick, shares, names)),
        up=tuple(Tick(down(10.0**each), f"{10.0**each:g}") for each in decades),
        columns=("", *CORNERS, "iterations"),
        table=tuple(
            (name, *(f"{px:.3f}" for px in row), _iterations(found, n))
            for n, (name, row) in enumerate(zip(names, distances.tolist(), strict=True))
        ),
    )


def _distances(found: Alignment) -> NDArray[np.float64] | None:
    """(places, 4) from where the corners end, up to the first place that has none."""
    if not found.path:
        return None
    at = corners(found.source_size)
    with np.errstate(all="ignore"):
        places = np.array([map_points(each, at) for each in found.path])
        apart = np.asarray(np.hypot(*np.moveaxis(places - places[-1], -1, 0)), np.float64)
    return apart if np.isfinite(apart).all() else None


def _level_name(found: Alignment, n: int) -> str:
    record = found.levels[n]
    again = any(each.level == record.level for each in found.levels[:n])
    return "again" if again else str(record.level)


def _iterations(found: Alignment, n: int) -> str:
    return str(found.levels[n - 1].iterations) if n else ""


def _unfolded(source_to_target: Matrix, size: Size) -> bool:
    # A mirrored source is as good as any; only a horizon is not.
    corner = corners(size)
    w = corner @ source_to_target[2, :2] + source_to_target[2, 2]
    return bool((w > 0.0).all())


def _point(point: NDArray[np.float64]) -> tuple[float, float]:
    x, y = (round(float(each), 2) for each in point)
    return x, y


def _points(points: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple(_point(point) for point in points)
