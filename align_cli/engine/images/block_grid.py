"""The grid of block compression: its phase, and the image without its steps.

JPEG and similar codecs quantise each block of 8x8 pixels independently, so the image has a small
step along every block edge. The steps stay with the pixel grid while the scene moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.arrays import Plane, Vector
from align_cli.engine.numerics.negligible import NEGLIGIBLE

PERIOD: Final = 8
"""Side of a block in pixels: that of JPEG, and of the transforms of most video."""

LEAST_STRENGTH: Final = 1.15
"""Least strength along either axis. 45 photographs, scans and textures without a grid have 1.04 at
most on the weaker axis (noise of 64x64 pixels 1.08); JPEG of quality 70 has 1.1 to 2.5, of quality
50 1.2 to 3.6, of quality 20 1.6 to 8."""

LEAST_SIDE: Final = 64
"""Shortest side in pixels of an image that is tested: eight edges of each phase."""

MOST_LINES: Final = 256
"""Rows, and columns, that are used."""

RAMP: Final = 1.0 - (np.arange(PERIOD // 2) + 0.5) / (PERIOD // 2)
"""Share of half a step that is removed from the pixels from a block edge outwards. A ramp through
the edge itself makes the steps on, before and after the edge equal."""


@dataclass(frozen=True)
class BlockGrid:
    """The block grid of an image.

    Attributes:
        phase: (x, y): block edges are to the left of the columns x + k * ``PERIOD``, and above the
            rows y + k * ``PERIOD``.
        strength: of the weaker axis, see ``block_grid``.
    """

    phase: tuple[int, int]
    strength: float


def block_grid(plane: Plane) -> BlockGrid | None:
    """The block grid of an image; None if it has none.

    At each column the step from its left neighbour, less the mean of the steps before and after it,
    is measured by the mean over rows of its square root (so that one strong edge of the scene
    counts little). The strength along x is the median over the columns of the strongest of the
    eight phases, relative to the strongest one that is not next to it; likewise along y.

    Args:
        plane: (height, width) float32, finite, in any unit.
    """
    height, width = plane.shape
    if min(height, width) < LEAST_SIDE:
        return None
    x, strength_x = _strongest_phase(plane[:: -(-height // MOST_LINES)])
    if strength_x < LEAST_STRENGTH:
        return None
    y, strength_y = _strongest_phase(plane[:, :: -(-width // MOST_LINES)].T)
    if strength_y < LEAST_STRENGTH:
        return None
    return BlockGrid((x, y), min(strength_x, strength_y))


def _kinks(lines: Plane) -> Plane:
    """(n, width - 3): the step to the left of columns 2 to width - 2, less its neighbours' mean."""
    steps = np.diff(lines, axis=1)
    kinks = steps[:, :-2] + steps[:, 2:]
    kinks *= np.float32(-0.5)
    kinks += steps[:, 1:-1]
    return kinks


def _strongest_phase(lines: Plane) -> tuple[int, float]:
    """Phase of the block edges along the lines, (n, width), and its strength."""
    columns = np.sqrt(np.abs(_kinks(lines))).mean(axis=0)
    # Column 0 of the kinks is column 2 of the image.
    of_phase: Vector = np.array(
        [np.median(columns[(phase - 2) % PERIOD :: PERIOD]) for phase in range(PERIOD)]
    )
    phase = int(np.argmax(of_phase))
    # Half of a step appears in the kinks beside it.
    rest = of_phase[(phase + np.arange(2, PERIOD - 1)) % PERIOD].max()
    # Synthetic images may have no steps at all in the other phases.
    rest += NEGLIGIBLE * float(columns.mean())
    return phase, float(of_phase[phase] / rest) if rest > 0.0 else 0.0


def without_block_edges(plane: Plane, grid: BlockGrid) -> Plane:
    """The image with the step at each block edge removed by a ramp of four pixels to each side.

    The step is what exceeds the mean of the steps before and after it: a gradient across an edge
    remains.

    Args:
        plane: (height, width) float32.
        grid: of ``block_grid``.
    """
    smooth = plane.copy()
    _take_steps(smooth, grid.phase[0])
    _take_steps(smooth.T, grid.phase[1])
    return smooth


def _take_steps(lines: Plane, phase: int) -> None:
    """Remove the steps to the left of columns phase + k * PERIOD, in place."""
    width = lines.shape[1]
    first = phase if phase >= RAMP.size else phase + PERIOD
    edges = np.arange(first, width - RAMP.size + 1, PERIOD)
    if not edges.size:
        return
    end = edges[-1] + 1
    before, left, right, after = (
        lines[:, first + offset : end + offset : PERIOD] for offset in (-2, -1, 0, 1)
    )
    half = np.float32(0.5)
    half_step = half * ((right - left) - half * ((left - before) + (after - right)))
    for distance, share in enumerate(RAMP.astype(np.float32)):
        part = share * half_step
        lines[:, first - 1 - distance : end - 1 - distance : PERIOD] += part
        lines[:, first + distance : end + distance : PERIOD] -= part
