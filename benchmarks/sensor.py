"""Does what stays with the sensor outvote the scene? ``python -m benchmarks.sensor``.

Pairs whose scene moves under burnt-in text, a round field of view, a mount, a letterbox, hot
pixels, nodata or the grid of a JPEG (``benchmarks.sensor_pairs``), and pairs of which nothing
moved. Each is aligned twice: with the model of its motion named (translation or rigid), as whoever
stacks exposures does, and with default options (homography). A result is right within 1 px EPE
(end-point error, mean over all pixels of the target), as in ``benchmarks.verdict``.

A line for each kind of pattern: how many results are right, by what they are called, how many are
wrong, and the median EPE of the right ones. Right though refused is counted where the scene's
standard deviation is above 10 grey levels: below, noise of 2 hides much of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import endpoint_error, inverse
from align_cli.engine.options import DEFAULTS
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import Floats
from benchmarks.sensor_pairs import MOVED, UNMOVED, SensorPair
from benchmarks.verdict import RIGHT_PX, VERDICTS, share

NAMED, DEFAULT = "model named", "default options"
RUNS = (NAMED, DEFAULT)
GROUPS = {"moved": MOVED, "unmoved": UNMOVED}
MOVED_FOR_EACH_UNMOVED = 3
CLEAR_CONTRAST = 10.0
"""Grey levels, of the scene."""
MOST_FALSELY_ALIGNED = 1
"""Of the default number of pairs."""
MOST_REFUSED = 0.05


@dataclass(frozen=True)
class Result:
    """What one run made of a pair: its EPE, inf where there is no transform, and its verdict."""

    group: str
    kind: str
    run: str
    contrast: float
    error_px: float
    verdict: str

    @property
    def right(self) -> bool:
        return self.error_px <= RIGHT_PX

    @property
    def aligned(self) -> bool:
        return self.verdict == "aligned"


def mean_error_px(estimate: Floats, pair: SensorPair) -> float:
    """EPE over all pixels of the target."""
    if np.linalg.matrix_rank(estimate) < len(estimate):
        return np.inf
    height, width = pair.target.shape
    truth = inverse(pair.truth)
    return float(endpoint_error(inverse(estimate), truth, (width, height)).mean())


def aligned_with(model: str, pair: SensorPair) -> tuple[float, str]:
    """EPE and verdict."""
    try:
        found = align(pair.source, pair.target, model=model)
    except ImageError:
        return np.inf, "failed"
    return mean_error_px(found.source_to_target, pair), found.outcome.verdict.value


def results(seed: int, count: int) -> Iterator[Result]:
    """Of ``count`` moved pairs of each kind, and of a third as many of which nothing moved."""
    for number, (group, kinds) in enumerate(GROUPS.items()):
        pairs = count if group == "moved" else -(-count // MOVED_FOR_EACH_UNMOVED)
        for place, (kind, make) in enumerate(kinds.items()):
            for index in range(pairs):
                pair = make(np.random.default_rng([seed, number, place, index]))
                for run, model in ((NAMED, pair.model), (DEFAULT, DEFAULTS.model)):
                    yield Result(group, kind, run, pair.contrast, *aligned_with(model, pair))


def row(found: list[Result]) -> str:
    cells = [
        sum(result.right == right and result.verdict == name for result in found)
        for right in (True, False)
        for name in VERDICTS
    ]
    errors = [result.error_px for result in found if result.right]
    median = f"{np.median(errors):>8.3f}" if errors else f"{'.':>8}"
    return "".join(f"{cell:>6}" if cell else f"{'.':>6}" for cell in cells) + median


def print_table(found: list[Result]) -> None:
    print(f"{'':30}" + "".join(f"{run:>24}{'':20}" for run in RUNS))
    print(f"{'':30}" + len(RUNS) * f"{'right':>12}{'':6}{'wrong':>12}{'':6}{'median':>8}")
    short = "".join(f"{name[:5]:>6}" for name in VERDICTS)
    print(f"{'':30}" + len(RUNS) * f"{short}{short}{'px':>8}")
    for group, kinds in GROUPS.items():
        ours = [result for result in found if result.group == group]
        for kind in kinds:
            of_kind = [result for result in ours if result.kind == kind]
            print(f"{group:8}{kind:22}" + _both_runs(of_kind))
        print(f"{group:8}{'together':22}" + _both_runs(ours) + "\n")


def _both_runs(found: list[Result]) -> str:
    return "".join(row([result for result in found if result.run == run]) for run in RUNS)


def goals(found: list[Result]) -> list[Goal]:
    most = MOST_FALSELY_ALIGNED
    return [
        goal
        for run in RUNS
        for goal in (
            Goal(f"{run}: wrong, called aligned", falsely_aligned(found, run), most),
            Goal(
                f"{run}: right, scene above {CLEAR_CONTRAST:g} grey levels: share refused",
                refused_share(found, run),
                MOST_REFUSED,
            ),
        )
    ]


def falsely_aligned(found: list[Result], run: str) -> int:
    return sum(result.run == run and result.aligned and not result.right for result in found)


def refused_share(found: list[Result], run: str) -> float:
    """Of the right results whose scene is clear, the share that is not called aligned."""
    clear = [
        result
        for result in found
        if result.run == run and result.right and result.contrast > CLEAR_CONTRAST
    ]
    return share(sum(not result.aligned for result in clear), len(clear))


def main() -> None:
    options = parser(
        __doc__,
        count=30,
        counted="moved pairs of each kind, with a third as many unmoved ones",
    ).parse_args()
    found = list(results(options.seed, options.count))
    print_table(found)
    print_goals(goals(found))


if __name__ == "__main__":
    main()
