"""Is the right model chosen? ``python -m benchmarks.model_choice``.

Photographs and textures, ``model="auto"``, motions drawn from each model with corners moved
uniformly within +-8 px (and none at all), noise of 1, 5 and 15 grey levels in turn. How often each
model is chosen, and the mean EPE (distance over all pixels) beside that of the homography on the
same pairs. A pair that either of the two does not align is counted, and is in no average.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import Size, endpoint_error, inverse
from align_cli.engine.geometry.models import MODELS
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import Floats, random_motion
from benchmarks.verdict_pairs import moved

MOVE_PX = 8.0
SIGMAS = (1.0, 5.0, 15.0)
NO_MOTION, SIMPLEST = "none", "translation"
RIGHT_SHARE = 0.9
EPE_RATIO = 1.0


def main() -> None:
    options = parser(__doc__, count=60, counted="pairs for each motion").parse_args()
    print(f"{'motion':13}" + "".join(f"{name:>12}" for name in MODELS), end="")
    print(f"{'not aligned':>13}{'EPE auto':>11}{'homography':>12}")
    right = 0
    errors: list[tuple[float, float]] = []
    for number, truth in enumerate((NO_MOTION, *MODELS)):
        chosen: Counter[str] = Counter()
        here: list[tuple[float, float]] = []

        def motion(size: Size, rng: np.random.Generator, truth: str = truth) -> Floats:
            return np.eye(3) if truth == NO_MOTION else random_motion(truth, size, MOVE_PX, rng)

        for index in range(options.count):
            rng = np.random.default_rng([options.seed, number, index])
            pair = moved(motion, sigma=SIGMAS[index % len(SIGMAS)])(rng)
            both = [align(pair.source, pair.target, model=name) for name in ("auto", "homography")]
            if not all(found.outcome.aligned for found in both):
                continue
            chosen[both[0].model] += 1
            height, width = pair.target.shape
            assert pair.truth is not None
            true = inverse(pair.truth)
            epe = [
                float(endpoint_error(found.target_to_source, true, (width, height)).mean())
                for found in both
            ]
            here.append((epe[0], epe[1]))
        right += chosen[SIMPLEST if truth == NO_MOTION else truth]
        errors += here
        print(f"{truth:13}" + "".join(f"{chosen[name]:>12}" for name in MODELS), end="")
        auto, largest = np.mean(here, axis=0)
        print(f"{options.count - len(here):>13}{auto:>11.4f}{largest:>12.4f}")
    auto, largest = np.mean(errors, axis=0)
    print_goals(
        [
            Goal("share whose own model is chosen", right / len(errors), 1.0, RIGHT_SHARE),
            Goal("mean EPE, auto over homography", auto / largest, EPE_RATIO),
        ]
    )


if __name__ == "__main__":
    main()
