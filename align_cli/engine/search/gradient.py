"""Similarity of edge orientations: invariant to the sign and contrast of edges."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.displacements.views import OrientationView
from align_cli.engine.equations.illumination import NO_TERMS, Illumination
from align_cli.engine.equations.pair import Pair
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.periodicity import Period
from align_cli.engine.options import GRADIENT
from align_cli.engine.records import Quality, Uncertainty
from align_cli.engine.search import quality
from align_cli.engine.search.scoring import OverlapPlanes, Score, score
from align_cli.engine.search.similarity import Levels, Task, tiles_correlate
from align_cli.engine.solver.coarse_to_fine import Descent, coarse_to_fine, levels_used
from align_cli.engine.solver.covariance import uncertainty
from align_cli.engine.solver.level_solver import LevelSolver
from align_cli.engine.solver.orientation_levels import View, orientation_pair
from align_cli.engine.solver.orientations import Orientations
from align_cli.engine.starts.views import Planes

LEAST_SIDE: Final = 64
"""Shorter side of the coarsest level on which candidates are scored, in both images."""

NO_ILLUMINATION: Final = Illumination.uniform(math.nan, math.nan)
"""Orientations have no gain and bias."""

QUALITY_LEVEL: Final = 1
"""Level on which the ZNCC of orientations is measured."""


class Gradient:
    """Edge orientations of a pair.

    Args:
        task: the pair, and how it is solved.
        target: the target's view; what is computed of it serves many sources.
        source: the source's view; None to compute it.
    """

    name = GRADIENT

    def __init__(self, task: Task, target: View, source: View | None = None) -> None:
        self.task, self.target = task, target
        pair = task.pair
        self.source = View(pair.source, pair.levels) if source is None else source

    def with_model(self, model: MotionModel) -> Gradient:
        """The same for another motion model."""
        return Gradient(replace(self.task, model=model), self.target, self.source)

    def with_pair(self, pair: Pair) -> Gradient:
        """The same for another pair."""
        target = View(pair.target.image, pair.target.levels)
        return Gradient(replace(self.task, pair=pair, progress=None), target)

    def restricted_to(self, part: Mask) -> Gradient | None:
        """The same for a part of the target, (height, width) bool; None if it is too small."""
        task = self.task.restricted_to(part)
        if task is None:
            return None
        target = task.pair.target
        return Gradient(task, View(target.image, target.levels), self.source)

    @cached_property
    def levels(self) -> Levels:
        """The levels on which candidates are refined and scored."""
        source, target = self.source.levels, self.target.levels
        count = min(len(source), len(target))
        sides = [min(*source[n].size, *target[n].size) for n in range(count)]
        level = max((n for n in range(count) if sides[n] >= LEAST_SIDE), default=0)
        return Levels(level, level)

    def orientations(self, level: int) -> tuple[Planes, Planes]:
        """The orientation planes of source and target on a level."""
        return (
            self.source.fixed(level, exact=False).planes,
            self.target.fixed(level, exact=False).planes,
        )

    @property
    def period(self) -> Period | None:
        """The period of the target, if it is periodic."""
        return self.task.pair.target.period or self.target.period

    def score(self, warp: Matrix) -> Score:
        """The score of a warp, on the fine level."""
        return score(self._shown(warp, self.levels.fine))

    def correlates(self, warp: Matrix) -> bool:
        """Whether the tiles correlate at all under a warp, or are too few to tell."""
        return tiles_correlate(self.task.pair, lambda level: self._shown(warp, level))

    def _shown(self, warp: Matrix, level: int) -> OverlapPlanes:
        """The orientation planes of both over their overlap, on a level."""
        both = orientation_pair(self.source, self.target, level, warp, exact=False)
        known = both.inside.astype(np.float32)
        source, target = (
            [plane.image * known for plane in planes]
            for planes in (both.source, both.target.planes)
        )
        return OverlapPlanes(source, target, both.inside)

    def descend(self, start: Matrix, *, used: int, finest: int | None = None) -> Descent:
        """Solve the ``used`` finest levels from a warp; with ``finest`` no finer than that."""
        task, pair, coarsely = self.task, self.task.pair, finest is not None
        numbers = levels_used(pair.target, pair.source.size, task.options, used=used, finest=finest)
        last = -1 if coarsely else numbers[-1]
        descent = coarse_to_fine(
            [
                Orientations(
                    self.source,
                    self.target,
                    level,
                    loss=task.loss,
                    threads=task.threads,
                    rows=level == last,
                    uses_points=level != last or len(numbers) == 1,
                )
                for level in numbers
            ],
            LevelSolver(
                task.model,
                task.loss,
                task.options,
                unit=1.0,
                illumination_terms=NO_TERMS,
                has_agreement=self.correlates,
            ),
            State(start, Illumination.uniform()),
            None if coarsely else task.progress,
        )
        return descent._replace(state=State(descent.warp, NO_ILLUMINATION))

    def illumination(self, warp: Matrix) -> Illumination:
        """NaN: orientations have none."""
        del warp
        return NO_ILLUMINATION

    def view(self, descent: Descent) -> OrientationView:
        """Both images as the displacement field compares them, under any estimate."""
        del descent
        return OrientationView(self.source, self.target)

    def uncertainty(self, descent: Descent) -> Uncertainty | None:
        """The uncertainty by noise; None if the solver did not converge."""
        if not descent.solved_planes or not descent.converged:
            return None
        first, *other_planes = descent.solved_planes
        pair = self.task.pair
        return uncertainty(
            first,
            pair.target.size,
            pair.source.size,
            other_planes=other_planes,
            warped_by=descent.warp,
        )

    def full_scale(self, illumination: Illumination) -> None:
        """None: no illumination is solved for."""
        del illumination

    def quality(self, before: Matrix, solution: State) -> Quality:
        """``quality.measure``, but that ``zncc`` is that of the orientation planes."""
        pair, warp = self.task.pair, solution.warp
        level = min(QUALITY_LEVEL, len(self.source.levels) - 1, len(self.target.levels) - 1)
        znccs = [
            orientation_pair(self.source, self.target, level, each, exact=False).correlation
            for each in (before, warp)
        ]
        measured = quality.measure(pair.source, pair.target.image, before, warp)
        return replace(
            measured,
            before=replace(measured.before, zncc=znccs[0]),
            after=replace(measured.after, zncc=znccs[1]),
        )
