"""An alignment drawn by Matplotlib, for notebooks and figures of papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from align_cli.report.displacement_map import enlargement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.transform import Transform

ADVICE: Final = "plot() needs Matplotlib, which is not installed; run pip install 'align-cli[plot]'"

LINES: Final = {"tab:blue": "tab:orange", "yellow": "orange"}
"""The colour of arrows, on paper and on images, and of the outline with it."""

PERCENTILES: Final = (1.0, 99.0)
"""Of the finite grey values: they become black and white, so that a dark image shows too."""


def plot(
    found: Alignment,
    target: NDArray[Any] | None,
    source: NDArray[Any] | None,
    *,
    axes: Axes | None = None,
) -> Axes:
    """Draw an alignment; see ``align_cli.Alignment.plot``, which has checked the images."""
    axes = _new_axes() if axes is None else axes
    usable = found.outcome.vouched
    colour = "tab:blue" if target is None else "yellow"
    if target is not None:
        shown = _picture(found, target, source if usable else None)
        axes.imshow(shown, cmap="gray", vmin=0.0, vmax=1.0)
    if usable:
        _outline(axes, found.transform, LINES[colour])
        _arrows(axes, found, colour)
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.12), fontsize="small")
    width, height = found.target_size
    axes.add_patch(_frame(width, height))
    axes.set_aspect("equal")
    axes.autoscale_view()
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set_xlabel("x in px of the target")
    axes.set_ylabel("y in px of the target")
    axes.set_title(_title(found))
    return axes


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        raise ImportError(ADVICE, name="matplotlib") from error
    return pyplot.subplots(layout="constrained")[1]


def _frame(width: int, height: int) -> Any:
    """The target's border: pixels reach half a pixel beyond their centres."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415  (an extra)

    return Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor="0.5")


def _picture(
    found: Alignment, target: NDArray[Any], source: NDArray[Any] | None
) -> NDArray[np.float64]:
    """The target in grey; with the source the target in red, the warped source in cyan."""
    if source is None:
        return _stretched(target, np.ones(target.shape[:2], np.bool_))
    # Over the same pixels, so that what agrees is grey under another exposure too.
    both = found.valid_mask()
    below = _stretched(target, both)
    over = np.where(both, _stretched(found.warp(source, accept_doubtful=True), both), 0.0)
    return np.stack([below, over, over], axis=2)


def _stretched(image: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(height, width) grey values, from the darkest hundredth (0) to the brightest (1) there."""
    grey = image.astype(np.float64)
    if grey.ndim == 3:
        colours = grey.shape[2] - (grey.shape[2] in (2, 4))
        grey = grey[..., :colours].mean(axis=2)
    finite = grey[where & np.isfinite(grey)]
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 1.0)
    return np.clip(
        np.nan_to_num((grey - low) / max(high - low, np.finfo(np.float64).tiny)), 0.0, 1.0
    )


def _outline(axes: Axes, transform: Transform, colour: str) -> None:
    """The source's border on the target: a homography keeps straight lines straight."""
    width, height = transform.source_size or (1, 1)
    right, bottom = width - 0.5, height - 0.5
    border = [[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom], [-0.5, -0.5]]
    axes.plot(*transform.map_points(border).T, color=colour, label="outline of the source")


def _arrows(axes: Axes, found: Alignment, colour: str) -> None:
    """The displacement of each tile that found a match; a cross for each that found none."""
    if found.displacements is None:
        return
    field = found.displacements.field
    lost = field.position[~field.matched]
    if len(lost):
        axes.plot(*lost.T, "x", color="tab:red", markersize=4, label="tile without a match")
    if not field.matched.any():
        return
    times = enlargement(field)
    begin, moved = field.position[field.matched], field.displacement[field.matched]
    axes.quiver(
        *begin.T,
        *moved.T,
        angles="xy",
        scale_units="xy",
        scale=1.0 / times,
        width=0.004,
        color=colour,
        edgecolor="black",
        linewidth=0.3,
        label=f"displacement of a tile, {times} times as long",
    )


def _title(found: Alignment) -> str:
    from align_cli.report.summary import uncertainty_in_words  # noqa: PLC0415

    sure = uncertainty_in_words(found.uncertainty)
    status = "" if found.outcome.aligned else f": {found.outcome.status.value}"
    return f"{found.outcome.verdict.value} ({found.model}){sure}{status}"
