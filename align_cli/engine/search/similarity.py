"""The interface of a similarity measure to the search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.displacements.views import PairView
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.pair import Pair
from align_cli.engine.equations.state import State
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.periodicity import Period
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.records import IlluminationRecord, Quality, Uncertainty
from align_cli.engine.search.scoring import OverlapPlanes, Score, t_statistic, tile_zncc
from align_cli.engine.solver.coarse_to_fine import Descent, Progress
from align_cli.engine.starts.views import Planes
from align_cli.engine.target.target import Target

COARSE_LEVELS: Final = 2
"""Number of levels on which a candidate is refined."""

MOST_PIXELS: Final = 1 << 17
"""Pixels of a level on which two images are compared tile by tile, which is cheap; between two
motions there is an estimate that fits neither, by a few pixels, but both on a coarse level."""

LEVELS: Final = 3
"""Number of levels, from the finest with ``MOST_PIXELS``, on which the correlation is tested: with
strong noise, or an error of a pixel, the coarser ones correlate better."""

LEAST_T: Final = 6.0
"""Least t statistic of the mean ZNCC, on any level, of images that correlate. Measured after the
coarse levels, the largest of the levels. Grey values: right estimates 9.2 and more (115, with noise
of 30 grey levels, a third covered, at night), wrong ones between photographs of different things -1
to 6, median 3; self-similar scenes, pages, walls, lattices, have 10 and more. Orientations: right
estimates 17 and more (80), wrong ones -1 to 8, median 2."""


@dataclass(frozen=True)
class Task:
    """The pair and how it is solved, for any similarity measure.

    Attributes:
        pair: source and target.
        model: the motion model.
        loss: the robust loss.
        options: limits, the preset, and whether the illumination is solved for.
        threads: where to work.
        progress: called with the record of each level of an attempt.
    """

    pair: Pair
    model: MotionModel
    loss: Loss
    options: Options
    threads: Threads
    progress: Progress | None = None

    def restricted_to(self, part: Mask) -> Task | None:
        """The same for a part of the target, (height, width) bool; None if it is too small."""
        image = self.pair.target.image
        valid = part if image.valid is None else part & image.valid
        plane = np.where(valid, image.plane, np.float32(0.0))
        masked = Luma(plane, valid, image.offset, image.scale)
        try:
            pair = Pair(self.pair.source, Target(masked, self.options), self.pair.levels)
        except ImageError:
            return None
        return replace(self, pair=pair, progress=None)


def tiles_correlate(pair: Pair, shown: Callable[[int], OverlapPlanes]) -> bool:
    """Whether two images correlate on any level, or have too few tiles to tell.

    Tested on coarser levels before full size is solved: between unrelated images the solver does
    not converge, and would use up its iterations.

    Args:
        pair: source and target.
        shown: returns both images over their overlap on a level of the target.
    """
    small = [n for n in range(len(pair.levels)) if pair.target.pixels(n) <= MOST_PIXELS]
    statistics = (t_statistic(tile_zncc(shown(n))) for n in small[:LEVELS])
    known = [each for each in statistics if each is not None]
    return not known or max(known) >= LEAST_T


class Levels(NamedTuple):
    """The levels on which candidates are evaluated.

    Attributes:
        coarse: the finest level on which a candidate is refined, after ``COARSE_LEVELS`` - 1
            coarser ones.
        fine: the level on which it is scored.
    """

    coarse: int
    fine: int


class Similarity(Protocol):
    """A similarity measure of two images: grey values, or edge orientations."""

    @property
    def name(self) -> str:
        """One of ``options.SIMILARITY_NAMES``."""

    @property
    def task(self) -> Task:
        """The pair and how it is solved."""

    @property
    def levels(self) -> Levels:
        """The levels on which candidates are refined and scored."""

    @property
    def orientations(self) -> Callable[[int], tuple[Planes, Planes]] | None:
        """Returns the orientation planes of source and target on a level; None without any."""

    @property
    def period(self) -> Period | None:
        """The period of the target, if it is periodic."""

    def score(self, warp: Matrix) -> Score:
        """The score of a warp, on the fine level."""

    def descend(self, start: Matrix, *, used: int, finest: int | None = None) -> Descent:
        """Solve the ``used`` finest levels from a warp; with ``finest`` no finer than that."""

    def illumination(self, warp: Matrix) -> Illumination:
        """The illumination under a warp; NaN if there is none."""

    def view(self, descent: Descent) -> PairView:
        """Both images as the displacement field compares them, under an estimate."""

    def uncertainty(self, descent: Descent) -> Uncertainty | None:
        """The uncertainty by noise; None if the solver did not converge."""

    def full_scale(self, illumination: Illumination) -> IlluminationRecord | None:
        """The illumination of a solution, between grey values; None if there is none."""

    def quality(self, before: Matrix, solution: State) -> Quality:
        """ZNCC, RMSE and MAE at full size, before and after."""

    def with_model(self, model: MotionModel) -> Similarity:
        """The same for another motion model."""

    def with_pair(self, pair: Pair) -> Similarity:
        """The same for another pair."""

    def restricted_to(self, part: Mask) -> Similarity | None:
        """The same for a part of the target, (height, width) bool; None if it is too small."""
