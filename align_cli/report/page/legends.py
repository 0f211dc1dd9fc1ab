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


def error_legend(*, of_full_scale: bool) -> Scale:
    """Of the error picture."""
    of = "full scale" if of_full_scale else "the target's range"
    percent = np.array([error_scale.TICKS_PERCENT], np.float32)
    levels = error_scale.levels(percent / 100)[0]
    ticks = zip(levels.tolist(), error_scale.TICKS_PERCENT, strict=True)
    last = 100 * error_scale.LAST_ERROR
    return Scale(
        "error",
        f"error: |corrected - target| in % of {of}, square-root scale; corrected is the warped "
        "source after the change of illumination",
        _stops(error_scale.COLOURS),
        tuple(Tick(lv / LAST_LEVEL, f"{pc}+" if pc >= last else f"{pc}") for lv, pc in ticks),
    )


def difference_legend() -> Scale:
    """Of the difference picture."""
    most = MOST_LEVELS
    ends = [MIDDLE + GREYS_PER_LEVEL * step for step in (-most, most)]
    ticks = (-most, -15, 0, 15, most)
    return Scale(
        "difference",
        "difference: corrected - target in grey levels of 255; mid-grey is equal, bright is a "
        "brighter source",
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


def _stops(colours: NDArray[np.uint8]) -> tuple[str, ...]:
    at = np.rint(np.linspace(0, LAST_LEVEL, STOPS)).astype(int)
    return tuple(colour(colours[level]) for level in at)
