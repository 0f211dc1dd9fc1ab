"""What the search asks of a kind of comparison, and knows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from align_cli.engine.arrays import Mask, Matrix
from align_cli.engine.displacements.views import PairView
from align_cli.engine.equations.illumination import Light
from align_cli.engine.equations.pair import Pair
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.models import MotionModel
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.periodicity import Period
from align_cli.engine.numerics.losses import Loss
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.records import Quality, Uncertainty
from align_cli.engine.search.scoring import OverlapPlanes, Score, t_statistic, tile_zncc
from align_cli.engine.solver.coarse_to_fine import Descent, Progress
from align_cli.engine.starts.views import Planes
from align_cli.engine.target.target import Target

COARSE_LEVELS: Final = 2
"""A guess is brought to rest on so many levels."""

MOST_PIXELS: Final = 1 << 17
"""Of a level on which two images are compared tile by tile: that is cheap; and between two motions
there is one that fits neither, by a few pixels, and on a coarse level both."""

LEVELS: Final = 3
"""So many levels, the finest up to ``MOST_PIXELS``, tell it: where noise is strong, or an answer is
off by a pixel, the coarser ones do."""

LEAST_T: Final = 6.0
"""Images of which the mean ZNCC is fewer standard errors above 0, on all levels, do not agree.
Measured after the coarse levels, the largest of the levels. Grey values: right answers 9.2 and more
(115, with noise of 30 grey levels, a third covered, at night), wrong ones between photographs of
different things -1 to 6, median 3; what looks alike in places, pages, walls, lattices, has 10 and
more. Orientations: right answers 17 and more (80), wrong ones -1 to 8, median 2."""


@dataclass(frozen=True)
class Task:
    """What is to be solved, and how, whatever is compared.

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
        """The same of a part of the target, (height, width) bool; None where it is too small."""
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
    """Whether two images agree in anything, or have too few tiles to tell.

    Before full size is solved it is asked on coarser levels: between pictures of different things
    the solver finds no rest, and would look for it to the last of its iterations.

    Args:
        pair: source and target.
        shown: what both show on a level of the target.
    """
    held = [n for n in range(len(pair.levels)) if pair.target.pixels(n) <= MOST_PIXELS]
    told = (t_statistic(tile_zncc(shown(n))) for n in held[:LEVELS])
    known = [each for each in told if each is not None]
    return not known or max(known) >= LEAST_T


class Levels(NamedTuple):
    """Where guesses are looked at.

    Attributes:
        coarse: the level on which a guess comes to rest, ``COARSE_LEVELS`` of them from the
            coarser ones down to this.
        fine: the level on which it is scored.
    """

    coarse: int
    fine: int


class Similarity(Protocol):
    """A kind of comparison of two images: grey values, or the orientation of their edges."""

    @property
    def name(self) -> str:
        """One of ``options.SIMILARITY_NAMES``."""

    @property
    def task(self) -> Task:
        """The pair and how it is solved."""

    @property
    def levels(self) -> Levels:
        """Where guesses are looked at."""

    @property
    def orientations(self) -> Callable[[int], tuple[Planes, Planes]] | None:
        """Gives the orientation planes of source and target on a level; None where it has none."""

    @property
    def period(self) -> Period | None:
        """How the target repeats itself."""

    def score(self, warp: Matrix) -> Score:
        """How much agrees under a warp, on the fine level."""

    def descend(self, start: Matrix, *, used: int, finest: int | None = None) -> Descent:
        """Solve the ``used`` finest levels from a warp; with ``finest`` no finer than that."""

    def illumination(self, warp: Matrix) -> Light:
        """The illumination under a warp; NaN where none is compared."""

    def view(self, descent: Descent) -> PairView:
        """Both images as the displacement field sees them under an answer."""

    def uncertainty(self, descent: Descent) -> Uncertainty | None:
        """What noise leaves uncertain; None where the solver cannot tell."""

    def quality(self, before: Matrix, warp: Matrix) -> Quality:
        """How well the images agree at full size, before and after."""

    def with_model(self, model: MotionModel) -> Similarity:
        """The same for another motion model."""

    def with_pair(self, pair: Pair) -> Similarity:
        """The same of another pair."""

    def restricted_to(self, part: Mask) -> Similarity | None:
        """The same of a part of the target, (height, width) bool; None where it is too small."""
