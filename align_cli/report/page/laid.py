"""The source laid on the target's pixel grid, as a screen shows it: for pages and for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.errors import ImageError
from align_cli.engine.records import Verdict
from align_cli.engine.result.canvas import onto_target
from align_cli.report.page.stretch import Shown, Stretch, shown

if TYPE_CHECKING:
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


def warped_source(found: Alignment, source: NDArray[Any], stretch: Stretch) -> Shown:
    """The source on the target's grid, with nothing outside, whatever the verdict.

    Args:
        found: the alignment; ``why_not_laid`` has no objection.
        source: (H, W) or (H, W, C), of any dtype, of the source's size.
        stretch: of the source.
    """
    made = shown(found.warp(source, force=True), stretch)
    inside = np.asarray(found.valid_mask() * np.uint8(255), np.uint8)
    if made.opaque is not None:
        inside = np.minimum(inside, made.opaque)
    return made if inside.all() and made.opaque is None else Shown(made.colours, inside)
