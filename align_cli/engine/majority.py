"""The motion that most of the target follows, where a large part follows another or none.

Robust weights ask how large a residual is beside the middle one. Where something else covers two
fifths of the texture the middle one is large, and so is what a weight forgives; and between two
motions a homography fits a little of both. What two images show in common tells them apart: around
each pixel the details agree or they do not, whatever the light. So a guess is solved at the points
whose neighbourhood agrees, and at no others, and then held to a strict account: which share of the
texture is explained to within the noise and a fraction of a pixel. The true motion explains all of
its part so well, one between two motions hardly anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.coordinates import at_level, inverse
from align_cli.engine.derivatives import central_differences
from align_cli.engine.lucas_kanade import LevelSettings, corner_step_px, solve_level
from align_cli.engine.luma import Luma
from align_cli.engine.motion import MotionModel
from align_cli.engine.noise import left_on
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.photometry import NO_LIGHT, UNIFORM, Light
from align_cli.engine.place import Place
from align_cli.engine.points import PointEquations, PointSource, TargetPoints
from align_cli.engine.robust import Loss
from align_cli.engine.sampling import common, sample
from align_cli.engine.target import Target
from align_cli.engine.targets import TEXTURE_SHARE

MOST_PIXELS: Final = 1 << 17
"""Looked at is the finest level of no more pixels."""

TOO_MANY: Final = 8
"""A tiny source has few levels, and on all of them a large target may have more than so many times
as many: nothing is looked at then."""

MOST_SOLVED: Final = 1 << 24
"""Nor is a target of more pixels, of which a part would be held converted."""

WINDOW_PX: Final = 4.0
"""Standard deviation of a pixel's neighbourhood, in pixels of the level."""

ABOVE_NOISE: Final = 4.0
"""A neighbourhood has something to say if its variance in either image is so many times twice that
of the image's noise."""

AS_ELSEWHERE: Final = 0.8
"""A neighbourhood agrees if its ZNCC is this share of what the best agree with."""
BEST: Final = 0.9
"""And these are those of this quantile."""

ROUNDS: Final = 2
"""What agrees is looked for so many times, each time from where the last solve ended."""

ITERATIONS: Final = 10
TOLERANCE_PX: Final = 0.02

FEWEST_POINTS: Final = 64
"""Of fewer points that agree nothing is solved."""

NOISE_FACTOR: Final = 3.0
WITHIN_PX: Final = 0.15
"""A point is explained if its residual is below so many standard deviations of the noise and what
a shift by the second along its gradient would make, in pixels of the level."""

TELLING_PX: Final = 0.5
"""Points that noise would explain though they were shifted by so much have no say."""

NEAR_PX: Final = 2.0
MOST: Final = 0.75
"""And it counts if this share is explained of the points around it, within about so many pixels."""

SAME_PX: Final = 0.25
"""Guesses no further apart than this, in pixels of the level, end in the same place."""


@dataclass(frozen=True)
class Settled:
    """Where a guess came to rest among what agrees.

    Attributes:
        warp: target -> source, at full size.
        explained: the share of the target's pixels with texture that are explained strictly.
    """

    warp: Matrix
    explained: float


class _Explained(NamedTuple):
    """The share that is explained, and (height, width) bool, where most of it is."""

    share: float
    region: Mask


class Majority:
    """Solves guesses of one pair where its images agree.

    Args:
        pair: source and target.
        model: the motion model.
        loss: the robust loss.
        photometric: whether the light is solved for.

    Attributes:
        level: the level that is looked at.
    """

    def __init__(self, pair: Pair, *, model: MotionModel, loss: Loss, photometric: bool) -> None:
        self._pair, self._model, self._loss = pair, model, loss
        self._terms = UNIFORM if photometric else NO_LIGHT
        self.level = _level(pair)
        left = left_on(self.level)
        self._of_source, self._of_target = (noise * left for noise in pair.noise)
        self._target, self._source = pair.target.levels[self.level], pair.levels[self.level]
        self._points = pair.target.points(self.level)
        self._seen = PointSource(self._source)
        along_x, along_y = central_differences(np.asarray(self._target.image, np.float32))
        energy = along_x**2 + along_y**2
        self._steepness = np.sqrt(energy)
        # In what is not steep a wrong motion leaves no more than noise either.
        least = 2.0 * (NOISE_FACTOR * self._of_target / TELLING_PX) ** 2
        self._telling = energy > max(TEXTURE_SHARE * float(energy.mean()), least)
        self._texture = int(np.count_nonzero(self._telling))

    def __call__(self, guess: Matrix) -> Settled | None:
        """Solve a guess, a warp at full size, where the images agree; None where that fails."""
        warp = at_level(guess, self.level)
        place: Place | None = None
        for _ in range(ROUNDS):
            place = self._solved(warp, self._agreeing(warp))
            if place is None:
                return None
            warp = place.warp
        assert place is not None
        # What agrees may still be a pixel off; what is explained is a part of one motion.
        strict = self._solved(warp, self._explained(place).region, place.light)
        best = [self._explained(each).share for each in (place, strict) if each is not None]
        if strict is not None and best[1] > best[0]:
            return Settled(at_level(strict.warp, -self.level), best[1])
        return Settled(at_level(warp, -self.level), best[0])

    def _solved(self, warp: Matrix, region: Mask, light: Light | None = None) -> Place | None:
        """Where the solver comes to rest at the points of a region, from a warp of the level."""
        among = self._among(region)
        if among is None:
            return None
        start = Place(warp, self._light(among, warp) if light is None else light)
        settings = LevelSettings(self._model, self._loss, self._terms, ITERATIONS, TOLERANCE_PX)
        equations = PointEquations(among, self._seen, self._model, self._loss, self._terms)
        result = solve_level(equations, start, settings)
        return result.place if result.usable else None

    def _light(self, among: TargetPoints, warp: Matrix) -> Light:
        if self._terms == NO_LIGHT:
            return self._pair.light_as_it_is()
        return self._pair.light_at(among, self._seen, warp)

    def _agreeing(self, there: Matrix) -> Mask:
        """(height, width) bool of the level: where the neighbourhoods of both images agree."""
        target = np.asarray(self._target.image, np.float32)
        source = sample(self._source.image, there, self._target.size, replicate=True)
        inside = common(self._source, self._target, there, margin=1.0)
        s, t = (image - _around(image) for image in (np.asarray(source, np.float32), target))
        products, of_source, of_target = _around(s * t), _around(s * s), _around(t * t)
        zncc = products / np.sqrt(of_source * of_target + np.finfo(np.float32).tiny)
        telling = inside & (of_source > 2.0 * ABOVE_NOISE * self._of_source**2)
        telling &= of_target > 2.0 * ABOVE_NOISE * self._of_target**2
        if not telling.any():
            return telling
        return np.asarray(telling & (zncc > AS_ELSEWHERE * np.quantile(zncc[telling], BEST)))

    def best(self, guesses: Iterable[tuple[str, Matrix]]) -> tuple[str, Settled] | None:
        """The guess that explains most once it is solved, by name; None where none can be."""
        found: list[tuple[str, Settled]] = []
        for name, guess in guesses:
            if not any(self._same(guess, each.warp) for _, each in found):
                settled = self(guess)
                found += [(name, settled)] if settled is not None else []
        return max(found, key=lambda each: each[1].explained, default=None)

    def restricted(self, warp: Matrix, options: Options) -> Pair:
        """The pair of which only that part of the target takes part that agrees at a warp.

        Raises:
            ImageError: if so little agrees that no level has an interior.
        """
        target, size = self._pair.target.image, self._pair.target.size
        # A pixel x of the level lies at 2**level x of the full size.
        to_level = np.diag([0.5**self.level, 0.5**self.level, 1.0])
        agreeing = self._agreeing(at_level(warp, self.level)).astype(np.uint8)
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        valid = cv2.warpAffine(agreeing, to_level[:2], size, flags=flags).astype(np.bool_)
        if target.valid is not None:
            valid &= target.valid
        plane = np.where(valid, target.plane, np.float32(0.0))
        masked = Luma(plane, valid, target.offset, target.scale)
        return Pair(self._pair.source, Target(masked, options), self._pair.levels)

    def explained(self, warp: Matrix) -> float:
        """The same share as ``Settled`` has it, of a warp as it is."""
        there = at_level(warp, self.level)
        among = self._among(self._agreeing(there))
        if among is None:
            return 0.0
        return self._explained(Place(there, self._light(among, there))).share

    def _same(self, warp: Matrix, other: Matrix) -> bool:
        step = corner_step_px(inverse(other) @ warp, self._pair.target.size)
        return step < SAME_PX * 2.0**self.level

    def _among(self, agreeing: Mask) -> TargetPoints | None:
        """The target's points on a mask; None where they are few."""
        points = self._points
        if points is None:
            return None
        x, y = points.place[:2].astype(np.intp)
        kept = agreeing[y, x]
        if np.count_nonzero(kept) < FEWEST_POINTS:
            return None
        return replace(
            points,
            place=np.ascontiguousarray(points.place[:, kept]),
            image=points.image[kept],
            gradient_x=points.gradient_x[kept],
            gradient_y=points.gradient_y[kept],
            bends=None if points.bends is None else tuple(b[kept] for b in points.bends),
            ranked=np.arange(np.count_nonzero(kept)),
            monomials=np.ascontiguousarray(points.monomials[:, kept]),
            _columns={},
        )

    def _explained(self, place: Place) -> _Explained:
        target, warp = self._target, place.warp
        source = sample(self._source.image, warp, target.size, replicate=True)
        inside = common(self._source, target, warp, margin=1.0) & self._telling
        factor, offset = (np.float32(terms[0]) for terms in place.light)
        left = np.abs(factor * np.asarray(source, np.float32) + offset - target.image)
        # In the units of the target, like what is left.
        of_both = math.hypot(float(factor) * self._of_source, self._of_target)
        noise = np.float32(NOISE_FACTOR * of_both)
        explained = inside & (left <= noise + np.float32(WITHIN_PX) * self._steepness)
        # One pixel may be explained by chance, but not most of those around it.
        near, around = (_around(each.astype(np.float32), NEAR_PX) for each in (explained, inside))
        region = near > MOST * around
        share = int(np.count_nonzero(explained & region)) / max(self._texture, 1)
        return _Explained(share, region)


def practicable(pair: Pair) -> bool:
    """Whether a pair is small enough on some level, and at full size."""
    level = pair.target.levels[_level(pair)], pair.levels[_level(pair)]
    most = max(math.prod(each.size) for each in level)
    return most <= TOO_MANY * MOST_PIXELS and math.prod(pair.target.size) <= MOST_SOLVED


def _level(pair: Pair) -> int:
    """The finest level of at most ``MOST_PIXELS`` in both images, or the coarsest."""
    both = list(zip(pair.target.levels, pair.levels, strict=False))
    pixels = [max(math.prod(each.size) for each in level) for level in both]
    return next((n for n, many in enumerate(pixels) if many <= MOST_PIXELS), len(pixels) - 1)


def _around(image: Plane, sigma: float = WINDOW_PX) -> Plane:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
