"""How many false alarms does the evidence raise? ``python -m benchmarks.evidence``.

Pairs that show nothing in common (``benchmarks.unrelated_pairs``), asked as they lie and at random
homographies near it (corners moved uniformly within +-20 px); with ``--solved`` also at the answer
that ``align`` comes to, which lays what it can on one another. The number of false alarms promises:
of images that are unrelated no more than 10^-k have fewer than 10^-k.

A line for each kind: the share of what was asked with fewer than 10^-1, 10^-2 and 10^-3, and the
common logarithm of the fewest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.displacements.evidence import gather_evidence
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.equations import pair as pairs
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.images.luma import luma_with_options
from align_cli.engine.options import Options
from align_cli.engine.target.target import Target
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import Floats, random_motion
from benchmarks.unrelated_pairs import UNRELATED
from benchmarks.verdict_pairs import Image, Pair

MODEL = "homography"
MOVE_PX = 20.0
NEARBY = 2
POWERS = (1, 2, 3)
DEFAULT_COUNT = 200


def log10_false_alarms(source: Image, target: Image, source_to_target: Floats, model: str) -> float:
    """The evidence that the source, so laid over the target, shows the same thing."""
    options = Options(model=model)
    of_source, of_target = (
        luma_with_options(image, role, None, options)
        for image, role in ((source, "source"), (target, "target"))
    )
    try:
        both = pairs.Pair(of_source, Target(of_target, options))
    except ImageError:
        return math.inf
    evidence = gather_evidence(
        IntensityView(both, gain=1.0),
        inverse(source_to_target),
        parameters=0,
        tests=1,
        periodic=both.target.period is not None,
    )
    return math.inf if evidence is None else evidence.log10_false_alarms


def transforms(pair: Pair, rng: np.random.Generator, *, solved: bool) -> Iterator[Floats]:
    """At which ``source_to_target`` a pair is asked."""
    height, width = pair.target.shape
    yield np.eye(3)
    for _ in range(NEARBY):
        yield random_motion(MODEL, (width, height), MOVE_PX, rng)
    if solved:
        try:
            yield align(pair.source, pair.target, model=MODEL).source_to_target
        except ImageError:
            return


def tested(kind: str, seed: list[int], *, solved: bool) -> list[float]:
    """The logarithms of one pair of a kind."""
    rng = np.random.default_rng(seed)
    pair = UNRELATED[kind](rng)
    return [
        log10_false_alarms(pair.source, pair.target, matrix, MODEL)
        for matrix in transforms(pair, rng, solved=solved)
    ]


def share_below(logarithms: Floats, power: int) -> float:
    """With fewer than 10^-power false alarms."""
    return float(np.mean(logarithms < -power))


def row(logarithms: Floats) -> str:
    shares = "".join(f"{share_below(logarithms, power):>9.4f}" for power in POWERS)
    return f"{len(logarithms):>8}{shares}{logarithms.min():>9.1f}"


def main() -> None:
    options = parser(__doc__, count=DEFAULT_COUNT, counted="pairs of each kind")
    options.add_argument("--solved", action="store_true", help="ask at align's answer as well")
    chosen = options.parse_args()
    heading = "".join(f"{f'<1e-{power}':>9}" for power in POWERS)
    print(f"{'':24}{'tested':>8}{heading}{'fewest':>9}")
    everything: list[float] = []
    for number, kind in enumerate(UNRELATED):
        found: list[float] = []
        for index in range(chosen.count):
            found += tested(kind, [chosen.seed, number, index], solved=chosen.solved)
        print(f"{kind:24}{row(np.array(found))}", flush=True)
        everything += found
    logarithms = np.array(everything)
    print(f"{'together':24}{row(logarithms)}")
    print_goals(
        [
            Goal(
                f"share with fewer than 1e-{power} false alarms",
                share_below(logarithms, power),
                10.0**-power,
            )
            for power in POWERS
        ]
    )


if __name__ == "__main__":
    main()
