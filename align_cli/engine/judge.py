"""Which of several first guesses is worth an alignment at full size.

Each guess is brought to rest by the solver, at the chosen points of two coarse levels, and there
the details of both images are compared tile by tile. What counts is how many tiles agree: a wrong
guess that overlaps little agrees in few tiles, one that lies on something that moves by itself in
fewer than one that lies on the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.arrays import Matrix
from align_cli.engine.coordinates import at_level, inverse
from align_cli.engine.details import DETAIL_TILE
from align_cli.engine.ladder import ladder
from align_cli.engine.lucas_kanade import LevelSettings, corner_step_px, solve_level
from align_cli.engine.motion import MotionModel
from align_cli.engine.noise import left_on
from align_cli.engine.pair import Pair
from align_cli.engine.photometry import NO_LIGHT, UNIFORM, Light
from align_cli.engine.place import Place
from align_cli.engine.points import PointEquations, PointSource, TargetPoints
from align_cli.engine.robust import Loss

LEAST_SIDE: Final = 80
LEVELS: Final = 2
"""A guess is brought to rest on the coarsest level whose shorter side is as long in both images,
and on the one above it."""

MOST_PIXELS: Final = 1 << 17
"""Details are compared on the finest level of no more pixels: between two motions there is one that
fits neither, by a few pixels, and on a coarse level both."""

ITERATIONS: Final = 8
TOLERANCE_PX: Final = 0.1

ABOVE_NOISE: Final = 8.0
"""Tiles count if their contrast is so many times what noise would give them: in the others even
the right answer agrees by chance only."""

LEAST_CONTRAST: Final = 1e-3
"""Tiles of a smaller share of the mean contrast hold nothing but rounding."""

DISAGREE, AGREE = 0.3, 0.8
"""ZNCC up to which a tile does not count, and from which on it counts whole."""

ENOUGH_SHARE: Final = 0.8
"""Where this share of all tiles agrees, nothing else can agree in more. Measured: right answers
between like images reach 0.84 and more, one between two motions 0.76."""

SAME_PX: Final = 1.5
"""Guesses with corners no further apart, in pixels of the fine level, end in the same place."""

SPOILT: Final = 1.02
"""The solver has spoilt a guess in which so many times as many tiles agreed. Less may be chance,
and to begin on coarse levels is to end nearer."""


@dataclass(frozen=True)
class Judgement:
    """What became of a guess.

    Attributes:
        warp: the guess, or where the solver brought it to, target -> source, at full size.
        used: levels, of the finest, on which an alignment from there is to begin.
        agreement: how many tiles agree, a sum of shares.
        share: the same over the tiles that both images show; 0 where there are none.
    """

    warp: Matrix
    used: int
    agreement: float
    share: float


class Judge:
    """Judges first guesses of one pair.

    Args:
        pair: source and target.
        model: the motion model.
        loss: the robust loss.
        photometric: whether the light is solved for.

    Attributes:
        scored: how many guesses have been judged.
    """

    def __init__(
        self,
        pair: Pair,
        *,
        model: MotionModel,
        loss: Loss,
        photometric: bool,
    ) -> None:
        self._pair = pair
        target, source = pair.target.levels, pair.levels
        count = len(source)
        large = [n for n in range(count) if min(*target[n].size, *source[n].size) >= LEAST_SIDE]
        held = [n for n in range(count) if pair.target.pixels(n) <= MOST_PIXELS]
        # Where the source is tiny, what it can lie on in the target is not worth all its pixels.
        self._level = max(large, default=min(held, default=count - 1))
        self._used = min(self._level + LEVELS, count)
        fine = [n for n in range(self._level) if pair.target.pixels(n) <= MOST_PIXELS]
        self._fine = min(fine, default=self._level)
        self._model, self._loss = model, loss
        self._terms = UNIFORM if photometric else NO_LIGHT
        self.scored = 0

    def __call__(self, guess: Matrix) -> Judgement:
        """Compare at a guess, a warp at full size, and where the solver brings it; the better."""
        self.scored += 1
        # Where much moves by itself, the solver may leave a good guess for something in between.
        at_rest = self.compared(self._at_rest(guess))
        as_it_is = replace(self.compared(guess), used=self._fine + 1)
        return as_it_is if as_it_is.agreement > SPOILT * at_rest.agreement else at_rest

    def compared(self, warp: Matrix) -> Judgement:
        """What speaks for a warp as it is."""
        return self._compared(warp, self._fine)

    def same(self, warp: Matrix, other: Matrix) -> bool:
        """Whether two warps are one guess: to the solver, from the fine level on."""
        size = self._pair.target.size
        return corner_step_px(inverse(other) @ warp, size) < SAME_PX * 2.0**self._fine

    def _compared(self, warp: Matrix, level: int) -> Judgement:
        pair = self._pair
        of_source, _ = pair.like_level(warp, level)
        zncc, contrast, known = pair.tile_zncc(warp, level)
        left = left_on(of_source) * pair.noise[0] * left_on(level) * pair.noise[1]
        noise = left * DETAIL_TILE**2
        floor = max(ABOVE_NOISE * noise, LEAST_CONTRAST * contrast.mean() if contrast.size else 0.0)
        zncc, known = zncc[contrast > floor], known[contrast > floor]
        if not known.sum() > 0.0:
            return Judgement(warp, self._used, 0.0, 0.0)
        # By area: how many tiles a small overlap touches depends on where it lies.
        agree = float(known @ np.clip((zncc - DISAGREE) / (AGREE - DISAGREE), 0.0, 1.0))
        return Judgement(warp, self._used, agree, agree / float(known.sum()))

    def _at_rest(self, guess: Matrix) -> Matrix:
        place: Place | None = None
        for level in range(self._used - 1, self._level - 1, -1):
            points = self._pair.target.points(level)
            if points is None:
                continue
            source = PointSource(self._pair.levels[level])
            rungs = ladder(self._model, points.size, coarsest=place is None)
            if place is None:
                place = Place(guess, self._light(points, source, at_level(guess, level)))
            for model in rungs:
                settings = LevelSettings(model, self._loss, self._terms, ITERATIONS, TOLERANCE_PX)
                equations = PointEquations(points, source, model, self._loss, self._terms)
                result = solve_level(equations, place.at_level(level), settings)
                if result.usable:
                    place = result.place.at_level(-level)
        return guess if place is None else place.warp

    def _light(self, points: TargetPoints, source: PointSource, warp: Matrix) -> Light:
        if self._terms == NO_LIGHT:
            return self._pair.light_as_it_is()
        return self._pair.light_at(points, source, warp)
