"""One level of both images as grey values: one plane, whose source is sampled where it lies."""

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
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings, Solved
from align_cli.engine.target.pixel_selection import TargetPoints
from align_cli.engine.target.planes import TargetPlanes

FEWEST_PIXELS: Final = 32
"""A correlation of fewer pixels says nothing."""

STEEPEST: Final = 1.15
"""A picture that seems steeper than this is noise in good part, and nothing is known of its steps:
at noise of 30 grey levels one step less cost 30 % of the accuracy."""

SOME_STRIPS: Final = 8
"""Strips of a large level that stand in for its points."""


class GreyValues:
    """One level of both images, as ``level_solver.BothLevels`` has it.

    Args:
        level: the pyramid level, 0 for full size.
        size: (width, height) of the target's.
        points: its chosen points; None where it has none.
        rows: all its rows, or as many as are wanted; None where only points are.
        source: the source's level.
        below: the one below it; of full size, the image.
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
        # A large source is smoothed where it is looked at, and points look everywhere.
        everywhere = not isinstance(source, LazyFullSize) or rows is None
        self._points = points if everywhere else None
        self._at_points = None if self._points is None else PointSource(source)
        self._rows, self._source, self._below = rows, source, below
        self._loss, self._threads = loss, threads
        self.pointed = self._points is not None
        self.pixels = 0 if rows is None else math.prod(rows.shape)
        self.some = 1 if rows is None else len(strips(rows)) // SOME_STRIPS
        self.clear = rows is not None and rows.steepness <= STEEPEST

    def agreement(self, state: State) -> float:
        """ZNCC of both at a state, at the points with texture; -1 where unknown."""
        assert self._at_points is not None
        assert self._points is not None
        warp = at_level(state.warp, self.level)
        source, target = self._at_points.beside(self._points, warp, ranked=True)
        if source.size < FEWEST_PIXELS:
            return -1.0
        source, target = source - source.mean(), target - target.mean()
        energy = float(source @ source) * float(target @ target)
        return float(source @ target) / math.sqrt(energy) if energy > 0.0 else -1.0

    def at_points(
        self, state: State, model: MotionModel, illumination_terms: int
    ) -> LevelEquations:
        """The equations from the target's points, wherever they come to lie."""
        del state
        assert self._at_points is not None
        assert self._points is not None
        return PointEquations(self._points, self._at_points, model, self._loss, illumination_terms)

    def with_rows(self, model: MotionModel, every: int) -> LevelEquations:
        """The equations from every so manieth strip of the rows."""
        assert self._rows is not None
        return RowEquations(
            self._rows,
            self._sampled,
            model,
            self._loss,
            threads=self._threads,
            every=every,
        )

    def solved(self, settings: LevelSettings, result: LevelResult) -> tuple[Solved, ...]:
        """The plane at rest."""
        assert self._rows is not None
        return (Solved(self._rows, self._sampled, settings, result, self.level),)

    @cached_property
    def _sampled(self) -> SupersampledLevel:
        return SupersampledLevel(self._source, self._below)
