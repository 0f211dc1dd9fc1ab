"""Hints after a failed or doubtful alignment: options for other causes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from align_cli.commands.quoting import quoted
from align_cli.engine.options import AUTO, GRADIENT, INIT_NAMES, INTENSITY, LEAST_LAST_SIDE

if TYPE_CHECKING:
    from align_cli.commands.regions import Roi
    from align_cli.engine.records import Outcome


def hint(
    outcome: Outcome,
    *,
    allow_flip: bool,
    init: str,
    similarity: str,
    photometric: bool,
    roi: Roi | None = None,
) -> str:
    """One line with the options that were not tried; empty if there are none.

    The solver cannot distinguish a mirrored or a multimodal pair from unrelated images.

    Args:
        outcome: of the alignment.
        allow_flip: whether the mirror image was allowed.
        init: the option as given; a transform determines whether the source is mirrored.
        similarity: the similarity measure.
        photometric: whether gain and bias were solved for.
        roi: the rectangle of the target that was used; None for all of it.
    """
    from align_cli.engine.records import Status, Verdict  # noqa: PLC0415  (help stays quick)

    if outcome.aligned or outcome.status is Status.LIMIT_EXCEEDED:
        return ""
    failed = outcome.verdict is Verdict.FAILED
    left = []
    if init != AUTO and outcome.status is not Status.AMBIGUOUS:
        left.append(f"omitting --init {quoted(init)}, so that an initial transform is searched for")
    if roi is not None and min(roi[2:]) < LEAST_LAST_SIDE:
        left.append(f"a larger --roi: {roi[2]}x{roi[3]} px contain little texture")
    if not photometric and similarity != GRADIENT:
        left.append("omitting --no-photometric, if the illumination may differ")
    # A nearly symmetric scene agrees a little with its mirror image.
    if (failed or outcome.status is Status.NO_AGREEMENT) and not allow_flip and init in INIT_NAMES:
        left.append("--allow-flip, if one image may be mirrored")
    if failed and similarity == INTENSITY:
        left.append(
            f"--similarity {AUTO}, if the images are multimodal (a negative, near infra-red)"
        )
    return f"or try {'; '.join(left)}" if left else ""
