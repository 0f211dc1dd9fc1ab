"""One level of both images as grey values: one plane, the source sampled under the warp."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Final

from align_cli.engine.equations.dense import RowEquations, strips
from align_cli.engine.equations.normal_equations import LevelEquations
from align_cli.engine.equations.sparse import PointEquations, PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size, at_level
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.pyramid import LazyFullSize, Level
from align_cli.engine.images.supersampled import SupersampledLevel
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.numerics.row_bands import FEWEST_BANDS
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings, SolvedPlane
from align_cli.engine.target.pixel_selection import TargetPoints
from align_cli.engine.target.planes import TargetPlanes

FEWEST_PIXELS: Final = 32
"""The ZNCC of fewer pixels is not computed."""

MOST_STEEPNESS: Final = 1.15
"""``TargetPlanes.steepness`` above which noise dominates the gradient, so that steps cannot be
predicted: at noise of 30 grey levels one step less cost 30 % of the accuracy."""

SAMPLED_STRIPS: Final = FEWEST_BANDS
"""Number of strips, evenly spaced, that replace the points of a large level."""


class GreyValues:
    """The ``level_solver.LevelProblem`` of grey values.

    Args:
        level: the pyramid level, 0 for full size.
        size: (width, height) of the target's level.
        points: its selected points; None if it has none.
        rows: its rows, all or a sample; None if it is solved at points only.
        source: the source's level.
        below: the source's next finer level; for level 0 the image.
        loss: the robust loss.
        threads: where to work.
    """

    def __init__(
        self,
        level: int,
        size: Size,
        points: TargetPoints | None,
        rows: TargetPlanes | None,
        source: Level,
        below: Level | Luma,
        *,
        loss: Loss,
        threads: Threads,
    ) -> None:
        self.level, self.size = level, size
        # A large source is filtered on demand, and points are spread over all of it.
        everywhere = not isinstance(source, LazyFullSize) or rows is None
        self._points = points if everywhere else None
        self._at_points = None if self._points is None else PointSource(source)
        self._rows, self._source, self._below = rows, source, below
        self._loss, self._threads = loss, threads
        self.uses_points = self._points is not None
        self.row_pixels = 0 if rows is None else math.prod(rows.shape)
        self.strip_step = 1 if rows is None else len(strips(rows)) // SAMPLED_STRIPS
        self.low_noise = rows is not None and rows.steepness <= MOST_STEEPNESS

    def correlation(self, state: State) -> float:
        """ZNCC of both images at the textured points; -1 if unknown."""
        assert self._at_points is not None
        assert self._points is not None
        warp = at_level(state.warp, self.level)
        source, target = self._at_points.common_samples(self._points, warp, textured=True)
        if source.size < FEWEST_PIXELS:
            return -1.0
        source, target = source - source.mean(), target - target.mean()
        energy = float(source @ source) * float(target @ target)
        return float(source @ target) / math.sqrt(energy) if energy > 0.0 else -1.0

    def point_equations(
        self, state: State, model: MotionModel, illumination_terms: int
    ) -> LevelEquations:
        """The equations of the target's points at any state."""
        del state
        assert self._at_points is not None
        assert self._points is not None
        return PointEquations(self._points, self._at_points, model, self._loss, illumination_terms)

    def row_equations(self, model: MotionModel, strip_step: int) -> LevelEquations:
        """The equations of every n-th strip of rows, n being ``strip_step``."""
        assert self._rows is not None
        return RowEquations(
            self._rows,
            self._sampled,
            model,
            self._loss,
            threads=self._threads,
            strip_step=strip_step,
        )

    def solved_planes(
        self, settings: LevelSettings, result: LevelResult
    ) -> tuple[SolvedPlane, ...]:
        """The plane with its solution."""
        assert self._rows is not None
        return (SolvedPlane(self._rows, self._sampled, settings, result, self.level),)

    @cached_property
    def _sampled(self) -> SupersampledLevel:
        return SupersampledLevel(self._source, self._below)
