"""Is what is far apart found? ``python -m benchmarks.search``.

Pairs that must be searched for (``benchmarks.search_pairs``), default options but for the model.
The error is the mean over the pixels that both images show of how far they are laid from where they
belong, in pixels of the coarser image; within 0.5 px (tilted planes, 1 px) an answer is right.

A line for each kind: how many are right and called aligned; found, whatever they are called; wrong,
off by more than 1 px and called aligned; and the median and the longest time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import inverse, map_points
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import Floats
from benchmarks.search_pairs import CROPS, FORMS, SCALES, TILTS, SearchPair

RIGHT_PX, TILTED_PX = 0.5, 1.0
WRONG_PX = 1.0
FOUND_SHARE = 0.98
TILTED = {60: 12, 65: 12, 70: 9}
TILTED_COUNT = 12
GRID = 80


@dataclass(frozen=True)
class Result:
    """What became of a pair: its error in pixels of the coarser image, and what it is called."""

    error_px: float
    aligned: bool
    seconds: float


def error_px(found: Floats, pair: SearchPair) -> float:
    """Mean over the pixels that both images show, in pixels of the coarser one."""
    (height, width), (rows, columns) = pair.target.shape[:2], pair.source.shape[:2]
    x, y = np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID))
    target = np.column_stack([x.ravel(), y.ravel()])
    source = map_points(inverse(pair.truth), target)
    shown = ((source >= 0.0) & (source <= [columns - 1.0, rows - 1.0])).all(axis=1)
    target, source = target[shown], source[shown]
    # A pixel of the source covers so many of the target.
    beside = (
        map_points(pair.truth, source + np.array((1.0, 0.0))),
        map_points(pair.truth, source + np.array((0.0, 1.0))),
    )
    (ax, ay), (bx, by) = ((each - target).T for each in beside)
    pixel = np.sqrt(np.abs(ax * by - ay * bx))
    off = np.hypot(*(map_points(found, source) - target).T)
    return float((off / np.maximum(pixel, 1.0)).mean())


def result(pair: SearchPair) -> Result:
    begin = time.perf_counter()
    try:
        found = align(pair.source, pair.target, model=pair.model)
    except ImageError:
        return Result(np.inf, False, time.perf_counter() - begin)
    seconds = time.perf_counter() - begin
    with np.errstate(all="ignore"):
        error = error_px(found.source_to_target, pair)
    return Result(error if np.isfinite(error) else np.inf, found.outcome.aligned, seconds)


def main() -> None:
    options = parser(__doc__, count=100, counted="pairs of each kind, but tilted ones").parse_args()
    print(f"{'':28}{'aligned':>8}{'found':>8}{'wrong':>8}{'of':>8}{'median s':>10}{'longest':>9}")
    found: dict[str, list[Result]] = {}
    for number, (name, kind) in enumerate((SCALES | CROPS | FORMS | TILTS).items()):
        count = min(options.count, TILTED_COUNT) if name in TILTS else options.count
        if name in CROPS:
            count = -(-options.count // len(CROPS))
        seeds = ([options.seed, number, index] for index in range(count))
        found[name] = [result(kind(np.random.default_rng(seed))) for seed in seeds]
        print_row(name, found[name])
    print_goals(goals(found))


def _right(name: str, each: Result) -> bool:
    return each.error_px <= (TILTED_PX if name in TILTS else RIGHT_PX)


def _wrong(found: list[Result]) -> int:
    return sum(each.aligned and each.error_px > WRONG_PX for each in found)


def print_row(name: str, found: list[Result]) -> None:
    right = [_right(name, each) for each in found]
    aligned = sum(good and each.aligned for good, each in zip(right, found, strict=True))
    seconds = [each.seconds for each in found]
    print(
        f"{name:28}{aligned:>8}{sum(right):>8}{_wrong(found):>8}{len(found):>8}"
        f"{np.median(seconds):>10.2f}{max(seconds):>9.2f}",
        flush=True,
    )


def goals(found: dict[str, list[Result]]) -> list[Goal]:
    listed = []
    for what, names in (("scale", SCALES), ("crops", CROPS), ("forms", FORMS)):
        good = [_right(name, each) and each.aligned for name in names for each in found[name]]
        listed.append(
            Goal(f"{what}: right and aligned, share", float(np.mean(good)), 1.0, FOUND_SHARE)
        )
    for (name, results), least in zip(
        ((name, found[name]) for name in TILTS), TILTED.values(), strict=True
    ):
        good = [_right(name, each) and each.aligned for each in results]
        part = least / TILTED_COUNT
        listed.append(Goal(f"{name}: right and aligned, share", float(np.mean(good)), 1.0, part))
    wrong = sum(_wrong(each) for each in found.values())
    return [*listed, Goal("wrong, called aligned", wrong, 0)]


if __name__ == "__main__":
    main()
