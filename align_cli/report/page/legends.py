"""The colour bars of what a page paints."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from align_cli.report import displacement_scale, error_scale
from align_cli.report.error_scale import LAST_LEVEL
from align_cli.report.page.residuals import GREYS_PER_LEVEL, MIDDLE, MOST_LEVELS
from align_cli.report.page.view import Scale, Tick

STOPS = 25
"""Colours of a bar; a browser draws those between."""


def colour(rgb: Iterable[int]) -> str:
    """An RGB triple as style sheets have it."""
    return "#" + "".join(f"{int(channel):02x}" for channel in rgb)


def error_legend(*, of_full_scale: bool, raw: bool) -> Scale:
    """Of the error picture.

    Args:
        of_full_scale: False if errors are shares of the target's range.
        raw: whether the residual is before the illumination, or there is none.
    """
    of = "full scale" if of_full_scale else "the target's range"
    percent = np.array([error_scale.TICKS_PERCENT], np.float32)
    levels = error_scale.levels(percent / 100)[0]
    ticks = zip(levels.tolist(), error_scale.TICKS_PERCENT, strict=True)
    last = 100 * error_scale.LAST_ERROR
    return Scale(
        "error",
        f"error: |{_source(raw)} - target| in % of {of}, square-root scale" + _explained(raw),
        _stops(error_scale.COLOURS),
        tuple(Tick(lv / LAST_LEVEL, f"{pc}+" if pc >= last else f"{pc}") for lv, pc in ticks),
    )


def difference_legend(*, of_full_scale: bool, raw: bool) -> Scale:
    """Of the difference picture; arguments as for ``error_legend``."""
    unit = "grey levels of 255" if of_full_scale else "255ths of the target's range"
    most = MOST_LEVELS
    ends = [MIDDLE + GREYS_PER_LEVEL * step for step in (-most, most)]
    ticks = (-most, -15, 0, 15, most)
    return Scale(
        "difference",
        f"difference: {_source(raw)} - target in {unit}; mid-grey is equal, bright is a brighter "
        "source",
        tuple(colour((grey, grey, grey)) for grey in ends),
        tuple(Tick((step + most) / (2 * most), f"{step:+d}" if step else "0") for step in ticks),
    )


def displacement_legend() -> Scale:
    """Of the tiles."""
    last, pixels = displacement_scale.LAST_PX, displacement_scale.TICKS_PX
    levels = displacement_scale.levels(np.array(pixels)).tolist()
    return Scale(
        "arrows",
        "tiles: displacement in px of the target, square-root scale",
        _stops(displacement_scale.COLOURS),
        tuple(
            Tick(level / LAST_LEVEL, f"{px:g}+" if px >= last else f"{px:g}")
            for level, px in zip(levels, pixels, strict=True)
        ),
    )


def _source(raw: bool) -> str:
    return "warped" if raw else "corrected"


def _explained(raw: bool) -> str:
    return "" if raw else "; corrected is the warped source after the change of illumination"


def _stops(colours: NDArray[np.uint8]) -> tuple[str, ...]:
    at = np.rint(np.linspace(0, LAST_LEVEL, STOPS)).astype(int)
    return tuple(colour(colours[level]) for level in at)
