"""Where unlike images may begin, when they do not lie near to one another.

A strong edge of one is an edge of the other, however bright either side is: phase correlation and
Fourier-Mellin find shift, rotation and scale in pictures of how strong the edges are, as they do in
pictures of like images. Each guess is brought to rest by its orientations on coarse levels, and the
one after which most of them agree goes on to full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from align_cli.engine.alignment import Outcome, Quality, Verdict
from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.coordinates import inverse
from align_cli.engine.lucas_kanade import corner_step_px
from align_cli.engine.motion import MotionModel
from align_cli.engine.orientation import Tensors
from align_cli.engine.pyramid import Level
from align_cli.engine.starts import GIVEN, IDENTITY, STARTS, Views
from align_cli.engine.unlike import Rest
from align_cli.engine.unlike_views import View, compared
from align_cli.engine.verdict.assessment import Assessment

LEAST_SIDE: Final = 64
"""Guesses are judged on the coarsest level whose shorter side is as long in both images."""

LEAST_ENERGY: Final = 1e-2
"""What is added to the energy of an edge before its logarithm is taken, as a share of the mean."""

WORTH_TRYING: Final = 0.25
"""A guess whose orientations agree less, on a coarse level, is not tried at full size."""

SAME_PX: Final = 1.0
"""Guesses that come to rest so near to the end of an attempt, in pixels of that level, are no other
place."""

CLEARLY: Final = 1.1
"""Of doubtful answers one that began further from the images as they lie counts if so many times as
much agrees: a wall of bricks fits as well when it is turned by 180 degrees."""


@dataclass(frozen=True)
class Attempt:
    """A descent from some start, judged."""

    start: str
    rest: Rest
    quality: Quality
    assessment: Assessment

    @property
    def outcome(self) -> Outcome:
        """The verdict."""
        return self.assessment.outcome


def found(
    source: View,
    target: View,
    starts: Sequence[str],
    begin: Matrix,
    *,
    model: MotionModel,
    attempt: Callable[[str, Matrix, int | None], Attempt],
    coarsely: Callable[[Matrix, int, int | None], Rest],
) -> Attempt:
    """The first attempt that is aligned; else the doubtful one in which most agrees; or the first.

    Args:
        source: the image that moves.
        target: the image that stays.
        starts: names, in the order in which they are tried.
        begin: where the first of them begins, a warp target -> source, if it proposes nothing.
        model: the motion model.
        attempt: aligns from a start, with so many of the finest levels, to the end.
        coarsely: the same down to a level, and no verdict.
    """
    tried: list[Attempt] = []
    level = _judged_on(source, target)
    views: Views | None = None

    def best_of(guesses: Iterable[Matrix]) -> Matrix | None:
        """Where the guess after which most agrees comes to rest; None where none is worth it."""
        best, most = None, 0.0
        for guess in guesses:
            # A few dozen pixels of a dark sky lead anywhere.
            for used in (None, level + 1):
                warp = coarsely(guess, level, used).warp
                there = compared(source, target, level, warp, exact=False)
                # A wrong guess may agree where little overlaps.
                if there.agreement > WORTH_TRYING and there.agreement * there.share > most:
                    best, most = warp, there.agreement * there.share
        return best

    def near(warp: Matrix, other: Matrix) -> bool:
        """Whether they are one place as far as can be seen on the level."""
        return corner_step_px(inverse(other) @ warp, target.luma.size) < SAME_PX * 2.0**level

    for start in starts:
        if start in (IDENTITY, GIVEN):
            tried.append(attempt(start, begin, None))
            if tried[-1].outcome.aligned:
                return tried[-1]
            guesses: Iterable[Matrix] = (begin,)
        else:
            views = views or Views(edge_levels(source), edge_levels(target), model)
            guesses = STARTS[start](views)
        best = best_of(guesses)
        if best is None or any(near(best, each.rest.warp) for each in tried):
            continue
        tried.append(attempt(start, best, level + 1))
        if tried[-1].outcome.aligned:
            return tried[-1]
    if not tried:
        return attempt(IDENTITY, begin, None)
    chosen = tried[0]
    for each in tried[1:]:
        if _better(each, chosen):
            chosen = each
    return chosen


def _better(attempt: Attempt, first: Attempt) -> bool:
    """Whether an attempt that is not aligned counts more than one that began nearer."""
    if attempt.outcome.verdict is not Verdict.DOUBTFUL:
        return False
    if first.outcome.verdict is not Verdict.DOUBTFUL:
        return True
    return attempt.quality.after.zncc > CLEARLY * first.quality.after.zncc


def edge_levels(view: View) -> list[Level]:
    """How strong the edges of an image are, level by level."""
    return [Level(_strength(tensors), tensors.valid) for tensors in view.tensors]


def _strength(tensors: Tensors) -> Plane:
    """(height, width) float32, the logarithm of the gradient's energy, noise and all."""
    xx, _, yy = tensors.planes
    energy = xx + yy
    least = tensors.noise + LEAST_ENERGY * float(energy.mean())
    energy += np.float32(max(least, float(np.finfo(np.float32).tiny)))
    return np.asarray(np.log(energy), np.float32)


def _judged_on(source: View, target: View) -> int:
    count = min(len(source.levels), len(target.levels))
    sides = [min(*source.levels[n].size, *target.levels[n].size) for n in range(count)]
    return max((n for n in range(count) if sides[n] >= LEAST_SIDE), default=0)
