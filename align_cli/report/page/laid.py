"""The source laid on the target's pixel grid, as a screen shows it: for pages and for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.errors import ImageError
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.records import Verdict
from align_cli.engine.result.canvas import onto_target
from align_cli.files.pixels import full_scale
from align_cli.report.page.stretch import Shown, shown, split, stretch_of

if TYPE_CHECKING:
    from align_cli.engine.records import IlluminationRecord
    from align_cli.engine.result.alignment import Alignment


def why_not_laid(found: Alignment, *, checked: bool) -> str:
    """Why the source cannot be shown on the target, in words; empty where it can.

    ``checked``: whether the transform was given, and so is shown whatever the verdict.
    """
    if found.outcome.verdict is Verdict.FAILED and not checked:
        return "the alignment failed"
    try:
        onto_target(found.target_size).warp(found.target_to_source)
    except ImageError:
        return "the transform has its horizon in the target"
    return ""


def corrected(found: Alignment) -> bool:
    """Whether the source is shown after a change of illumination, that of a usable transform."""
    return found.outcome.vouched and found.corrects_illumination


def warped_source(found: Alignment, source: NDArray[Any], target: NDArray[Any]) -> Shown:
    """The source on the target's grid, with nothing outside, whatever the verdict.

    After the illumination that was solved for, and then with the target's stretch, so that what
    agrees looks the same; without one as it is, with its own. Of colours each channel is corrected
    as luma was.

    Args:
        found: the alignment; ``why_not_laid`` has no objection.
        source: (H, W) or (H, W, C), of any dtype, of the source's size.
        target: the same of the target.
    """
    warped = found.warp(source, force=True)
    made = shown(warped, stretch_of(source))
    if found.illumination is not None and corrected(found):
        made = Shown(_lit(found.illumination, warped, source, target), made.opaque)
    inside = np.asarray(found.valid_mask() * np.uint8(255), np.uint8)
    if made.opaque is not None:
        inside = np.minimum(inside, made.opaque)
    return made if inside.all() and made.opaque is None else Shown(made.colours, inside)


def _lit(
    illumination: IlluminationRecord,
    warped: NDArray[Any],
    source: NDArray[Any],
    target: NDArray[Any],
) -> NDArray[np.uint8]:
    """The colours of the warped source after an illumination, as the target is shown."""
    stretch, white = stretch_of(target), np.float32(full_scale(target))
    height, width = warped.shape[:2]
    between = Illumination(illumination.factor, illumination.offset)

    def lit(values: NDArray[Any], factor: NDArray[Any], offset: NDArray[Any]) -> NDArray[np.uint8]:
        of_white = values * np.float32(1 / full_scale(source))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is not shown
            return shown((factor * of_white + offset) * white, stretch).colours

    if not between.varies and warped.dtype.kind == "u":  # each value is computed once
        every = np.arange(full_scale(source) + 1, dtype=np.float32)[np.newaxis]
        colours, _ = split(warped)
        table = lit(every, *between.on_rows((1, 1), np.zeros(1)))[0]
        return np.asarray(table[colours], np.uint8)
    strips = []  # of rows: in between they are floating-point numbers
    rows = max(1, LARGE_STRIP_PIXELS // width)
    for top in range(0, height, rows):
        colours, _ = split(warped[top : top + rows])
        y = np.arange(top, top + len(colours), dtype=np.float64)
        factor, offset = between.on_rows((width, height), y)
        if colours.ndim == 3:
            factor, offset = factor[..., np.newaxis], offset[..., np.newaxis]
        strips.append(lit(colours, factor, offset))
    return np.concatenate(strips)
