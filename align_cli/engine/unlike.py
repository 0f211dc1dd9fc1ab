"""Unlike images, aligned by the orientation of their edges: the same steps, on other planes.

On every level the source is warped to where it is believed to lie, both become orientation planes
(``align_cli.engine.orientation``), and the small warp that is left between them is solved for and
composed with the one before:

    W <- W S,    S from (c, s) of source(W x) against (c, s) of target(x)

The source is warped first because a turned picture turns its orientations too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from align_cli.engine import trust, verdict
from align_cli.engine.alignment import LevelRecord, Outcome, Quality, Status
from align_cli.engine.arrays import Matrix
from align_cli.engine.coarse_to_fine import (
    COARSE_TOLERANCE_PX,
    MOST_ON_THE_WAY,
    Progress,
    level_record,
)
from align_cli.engine.coordinates import Size, at_level, inverse, plausible, unit
from align_cli.engine.fine import finely_sampled
from align_cli.engine.ladder import ladder
from align_cli.engine.lucas_kanade import LevelResult, LevelSettings, corner_step_px, solve_level
from align_cli.engine.luma import Luma
from align_cli.engine.moments import RowEquations, Scratch
from align_cli.engine.motion import MotionModel
from align_cli.engine.noise import noise_energy, noise_level
from align_cli.engine.options import Options
from align_cli.engine.orientation import (
    PlaneEquations,
    Tensors,
    orientation_planes,
    tensor_pyramid,
    tensors,
)
from align_cli.engine.photometry import NO_LIGHT, Light
from align_cli.engine.place import Place
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.repeats import Repeat
from align_cli.engine.robust import Loss
from align_cli.engine.sampling import sample
from align_cli.engine.targets import TargetPlanes, target_planes
from align_cli.engine.threads import Threads
from align_cli.engine.tiles import TileVotes, votes_of
from align_cli.engine.trust import common

COARSEST_SIDE: Final = 24
"""Shorter side of the coarsest level: on smaller ones a few edges point anywhere."""

ROUNDS: Final = 3
"""How often the source of a level is warped anew, at most: what is left to turn after the first
is little."""

SETTLED_PX: Final = 0.05
"""A round that moved no corner by more, in pixels of the level, is the last one."""

LEAST_TILE_VARIANCE: Final = 0.02
"""Tiles of whose orientations the variance is smaller are not asked. It is at most 1."""

EVIDENCE_LEVEL: Final = 1
"""Level on which orientations are held against each other. Measured at noise of 5 grey levels:
right answers agree to 0.82 or more there, different photographs brought to rest to 0.21."""

UNCHANGED: Final = Light.uniform(1.0, 0.0)


class View:
    """An image, all its levels and their structure tensors.

    Args:
        luma: the image, not smoothed.
        levels: its pyramid, 0 = full size.
    """

    def __init__(self, luma: Luma, levels: Sequence[Level]) -> None:
        self.luma, self.levels = luma, levels
        noise = noise_level(luma)
        self.noise_energies = [noise_energy(level, noise) for level in range(len(levels))]
        self.tensors = tensor_pyramid(levels, self.noise_energies)


@dataclass(frozen=True)
class Compared:
    """The orientation planes of the target and of the source, warped onto it, on one level."""

    source: tuple[Level, Level]
    target: tuple[Level, Level]

    @property
    def rows(self) -> list[TargetPlanes]:
        """What each plane of the target contributes; empty where no interior is left."""
        planes = [target_planes(plane) for plane in self.target]
        return [plane for plane in planes if plane is not None]

    @cached_property
    def agreement(self) -> float:
        """In [-1, 1]: 1 where all edges run alike, about 0 where they do as chance will have it."""
        inside = self.source[0].valid
        s, t = (
            np.stack([plane.image if inside is None else plane.image[inside] for plane in planes])
            for planes in (self.source, self.target)
        )
        energy = float(np.vdot(s, s)) * float(np.vdot(t, t))
        return float(np.vdot(s, t)) / math.sqrt(energy) if energy > 0.0 else 0.0

    @property
    def tile_votes(self) -> TileVotes:
        """What the target's tiles say."""
        s, t = (
            np.dstack([plane.image for plane in planes]) for planes in (self.source, self.target)
        )
        inside = self.source[0].valid
        inside = np.ones(s.shape[:2], np.bool_) if inside is None else inside
        return votes_of(s, t, inside, LEAST_TILE_VARIANCE)

    def shared_texture(self, model: MotionModel) -> float:
        """What ``trust.shared_texture`` says of the plane that tells more; NaN if neither does."""
        still = Place(np.eye(3), UNCHANGED)
        shares = [
            trust.shared_texture(s, t, rows, still, model)
            for s, t in zip(self.source, self.target, strict=True)
            if (rows := target_planes(t)) is not None
        ]
        return max((share for share in shares if not math.isnan(share)), default=math.nan)


def compared(source: View, target: View, level: int, warp: Matrix, *, exact: bool) -> Compared:
    """Both images as orientation planes on the target's grid.

    Args:
        source: the image that moves.
        target: the image that stays.
        level: of both pyramids.
        warp: (3, 3), target pixel -> source pixel, at full size.
        exact: sample the source on a finer grid.
    """
    there, size = at_level(warp, level), target.levels[level].size
    moving = source.levels[level]
    inside = common(moving, target.levels[level], there, margin=float(REACH))
    valid = None if inside.all() else inside
    turn = _jacobian(there, size)
    if not exact:
        planes = [
            sample(np.asarray(plane, np.float32), there, size, replicate=True)
            for plane in cv2.split(source.tensors[level].planes)
        ]
        found = Tensors(np.dstack(planes), source.tensors[level].noise, valid)
        return Compared(orientation_planes(found, turn), orientation_planes(target.tensors[level]))
    sampled = finely_sampled(moving, source.levels[level - 1] if level else source.luma)
    image = np.asarray(sampled.sample(there, size), np.float32)
    noise = source.noise_energies[level] * 0.5 * float((turn**2).sum())
    return Compared(
        orientation_planes(tensors(Level(image, valid), noise)),
        orientation_planes(tensors(target.levels[level], target.noise_energies[level])),
    )


def _jacobian(warp: Matrix, size: Size) -> Matrix:
    """(2, 2) derivative of a warp at the centre of an image of ``size``."""
    centre = np.array([0.5 * (size[0] - 1.0), 0.5 * (size[1] - 1.0), 1.0])
    x, y, w = warp @ centre
    derivative: Matrix = (warp[:2, :2] - np.outer([x / w, y / w], warp[2, :2])) / w
    return derivative


@dataclass(frozen=True)
class Rest:
    """Where a descent ended: the warp target -> source at full size, and a record a level."""

    warp: Matrix
    records: tuple[LevelRecord, ...]


def descend(
    source: View,
    target: View,
    start: Matrix,
    *,
    model: MotionModel,
    loss: Loss,
    options: Options,
    threads: Threads,
    progress: Progress | None = None,
) -> Rest:
    """Solve every level from ``start``, the warp target -> source, coarsest first.

    Args:
        source: the image that moves, with no more levels than the target.
        target: the image that stays.
        start: where to begin.
        model: the motion model.
        loss: the robust loss.
        options: limits and the preset.
        threads: where to work.
        progress: called with each level's record.
    """
    count = min(len(source.levels), len(target.levels))
    if options.levels is not None:
        count = min(count, options.levels)
    sizes = zip(target.levels[0].size, source.levels[0].size, strict=True)
    width, height = (min(both) for both in sizes)
    last = options.finest_level((width, height), range(count))
    large = [n for n in range(last, count) if min(target.levels[n].size) >= COARSEST_SIDE]
    first = max(large, default=last)
    warp = start
    records: list[LevelRecord] = []
    for level in range(first, last - 1, -1):
        size = target.levels[level].size
        tolerance = options.tolerance_px * 0.5**level
        iterations = 0
        for model_of_level in ladder(model, size, coarsest=not records):
            both = compared(source, target, level, warp, exact=level == last)
            for _ in range(ROUNDS):
                settings = LevelSettings(
                    model_of_level,
                    loss,
                    NO_LIGHT,
                    options.max_iterations if level == last else MOST_ON_THE_WAY,
                    tolerance if level == last else max(tolerance, COARSE_TOLERANCE_PX),
                )
                result = _solve(both, settings, threads)
                iterations += result.iterations
                if not result.usable:
                    break
                moved = unit(warp @ at_level(result.place.warp, -level))
                if not plausible(moved, target.levels[0].size):
                    break
                there = compared(source, target, level, moved, exact=level == last)
                if not there.agreement > both.agreement:
                    break
                warp, both = moved, there
                if corner_step_px(result.place.warp, size) < SETTLED_PX:
                    break
        records.append(level_record(level, size, result, iterations, 1.0))
        if progress is not None:
            progress(records[-1])
    return Rest(warp, tuple(records))


def _solve(both: Compared, settings: LevelSettings, threads: Threads) -> LevelResult:
    start, scratch = Place(np.eye(3), UNCHANGED), Scratch()
    rows = both.rows
    if len(rows) < len(both.target):
        return LevelResult(start, Status.TOO_LITTLE_OVERLAP, 1, np.inf, np.nan, 0.0, 0.0, 1.0)
    equations = PlaneEquations(
        [
            RowEquations(
                plane, source, settings.model, settings.loss, threads=threads, scratch=scratch
            )
            for plane, source in zip(rows, both.source, strict=True)
        ]
    )
    return solve_level(equations, start, settings)


def judged(
    source: View,
    target: View,
    start: Matrix,
    rest: Rest,
    back: Callable[[], Rest],
    *,
    model: MotionModel,
    start_given: bool,
    repeat: Repeat | None,
) -> tuple[Quality, Outcome]:
    """Quality and outcome of a descent: the evidence of ``verdict``, taken from orientations.

    ``zncc`` is that of the orientation planes, before and after; the differences and the overlap
    are those of the images.

    Args:
        source: the image that moves.
        target: the image that stays.
        start: where the descent began.
        rest: where it ended.
        back: aligns the target to the source; asked in doubt.
        model: the motion model.
        start_given: whether somebody gave the start.
        repeat: the shortest shift under which the target looks like itself.
    """
    size, last = target.luma.size, rest.records[-1]
    level = min(EVIDENCE_LEVEL, len(source.levels) - 1, len(target.levels) - 1)
    before, after = (
        compared(source, target, level, warp, exact=False) for warp in (start, rest.warp)
    )
    measured = trust.measure(
        source.luma,
        target.luma,
        start,
        rest.warp,
        detail=after.agreement,
        texture=after.shared_texture(model),
        unexplained=math.nan,
    )
    quality = replace(
        measured,
        before=replace(measured.before, zncc=before.agreement),
        after=replace(measured.after, zncc=after.agreement),
    )
    evidence = verdict.Evidence(
        status=last.status,
        moved_px=corner_step_px(inverse(start) @ rest.warp, size),
        start_given=start_given,
        repeat=repeat,
        folded=not plausible(inverse(rest.warp), source.luma.size),
        tiles=after.tile_votes,
    )
    if verdict.asks_way_back(evidence, quality):
        returned = back()
        closed = returned.records[-1].status is Status.CONVERGED
        loop_px = corner_step_px(returned.warp @ rest.warp, size) if closed else math.inf
        evidence = replace(evidence, loop_px=loop_px)
    return quality, verdict.outcome(evidence, quality, last, model=model.name)
