"""Can the verdict be believed? ``python -m benchmarks.verdict``.

Pairs that can be aligned and pairs that cannot, of many kinds (``benchmarks.verdict_pairs``): cut
from photographs or rendered, with the camera's noise, homography, default options. A result is
right within 1 px EPE (end-point error, mean over all pixels of the target); of a pair that cannot
be aligned no result is right. Beside it OpenCV's ``findTransformECCMultiScale``, which answers
whatever it is given unless it raises, and features alone: SIFT, Lowe's ratio test, MAGSAC, which
refuses with fewer than ten matches, as OpenCV's tutorial does.

A line for each kind of pair: how many results are right, by what the method calls them, and how
many are wrong.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import endpoint_error, inverse
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.methods import ECC
from benchmarks.scenes import Floats
from benchmarks.verdict_pairs import ALIGNABLE, UNALIGNABLE, Image, Pair

RIGHT_PX = 1.0
MODEL = "homography"
LOWE_RATIO = 0.75
FEWEST_MATCHES = 10
MOST_FALSELY_ALIGNED = 1
"""Of the default number of pairs that cannot be aligned."""
DEFAULT_COUNT = 25
VERDICTS = ("aligned", "doubtful", "failed")

Answer = tuple[Floats | None, str]
"""source_to_target, if there is one, and what the method calls it."""


def imalign(source: Image, target: Image) -> Answer:
    try:
        found = align(source, target, model=MODEL)
    except ImageError:
        return None, "failed"
    return found.source_to_target, found.outcome.verdict.value


def ecc(source: Image, target: Image) -> Answer:
    found = ECC.run(source, target, MODEL)
    return (None, "failed") if found.refused else (found.source_to_target, "aligned")


def features(source: Image, target: Image) -> Answer:
    sift = cv2.SIFT_create()
    (points, seen), (others, there) = (sift.detectAndCompute(i, None) for i in (source, target))
    if seen is None or there is None or len(there) < 2:
        return None, "failed"
    pairs = cv2.BFMatcher().knnMatch(seen, there, k=2)
    good = [first for first, second in pairs if first.distance < LOWE_RATIO * second.distance]
    if len(good) < FEWEST_MATCHES:
        return None, "failed"
    start = np.array([points[match.queryIdx].pt for match in good])
    end = np.array([others[match.trainIdx].pt for match in good])
    matrix, _ = cv2.findHomography(start, end, cv2.USAC_MAGSAC, 1.0)
    return (None, "failed") if matrix is None else (matrix, "aligned")


METHODS = {"imalign": imalign, "ECC": ecc, "SIFT": features}


@dataclass
class Tally:
    """How many results of a kind are right or wrong, by what a method calls them."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, pair: Pair, answer: Answer) -> None:
        matrix, verdict = answer
        (self.right if is_right(pair, matrix) else self.wrong)[verdict] += 1

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.wrong + other.wrong)


def is_right(pair: Pair, matrix: Floats | None) -> bool:
    if pair.truth is None or matrix is None or np.linalg.matrix_rank(matrix) < len(matrix):
        return False
    height, width = pair.target.shape
    error = endpoint_error(inverse(matrix), inverse(pair.truth), (width, height)).mean()
    return bool(error <= RIGHT_PX)


def counted(kinds: dict[str, Tally]) -> Tally:
    return sum(kinds.values(), Tally())


def row(tally: Tally) -> str:
    cells = [*(tally.right[name] for name in VERDICTS), *(tally.wrong[name] for name in VERDICTS)]
    return "".join(f"{cell:>6}" if cell else f"{'.':>6}" for cell in cells)


def print_table(tallies: dict[str, dict[str, Tally]]) -> None:
    """``tallies`` by method, then by kind."""
    print(f"{'':24}" + "".join(f"{name:>21}{'':15}" for name in METHODS))
    print(f"{'':24}" + "".join(f"{'right':>12}{'':6}{'wrong':>12}{'':6}" for _ in METHODS))
    short = "".join(f"{name[:5]:>6}" for name in VERDICTS)
    print(f"{'':24}" + 2 * len(METHODS) * short)
    for group in (ALIGNABLE, UNALIGNABLE):
        for kind in group:
            print(f"{kind:24}" + "".join(row(tallies[name][kind]) for name in METHODS))
        sums = (counted({kind: tallies[name][kind] for kind in group}) for name in METHODS)
        print(f"{'together':24}" + "".join(map(row, sums)) + "\n")


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def main() -> None:
    options = parser(__doc__, count=DEFAULT_COUNT, counted="pairs of each kind").parse_args()
    kinds = {**ALIGNABLE, **UNALIGNABLE}
    tallies = {name: {kind: Tally() for kind in kinds} for name in METHODS}
    for number, (kind, make) in enumerate(kinds.items()):
        for index in range(options.count):
            pair = make(np.random.default_rng([options.seed, number, index]))
            for name, method in METHODS.items():
                tallies[name][kind].add(pair, method(pair.source, pair.target))
    print_table(tallies)
    everything = counted(tallies["imalign"])
    apart = counted({kind: tallies["imalign"][kind] for kind in UNALIGNABLE})
    right, vouched = (
        everything.right.total(),
        everything.right["aligned"] + everything.wrong["aligned"],
    )
    print_goals(
        [
            Goal(
                "pairs that cannot be aligned: share called aligned",
                share(apart.wrong["aligned"], apart.wrong.total()),
                MOST_FALSELY_ALIGNED / (DEFAULT_COUNT * len(UNALIGNABLE)),
            ),
            Goal("right: share called failed", share(everything.right["failed"], right), 0.01),
            Goal("right: share called doubtful", share(everything.right["doubtful"], right), 0.03),
            Goal("called aligned: share wrong", share(everything.wrong["aligned"], vouched), 0.002),
        ]
    )


if __name__ == "__main__":
    main()
