"""Is the predicted uncertainty true? ``python -m benchmarks.uncertainty``.

Photographs, all motion models, noise of 5 to 30 grey levels on both images, random motions of each
model (the member nearest to corners moved uniformly within +-20 px). Root mean square over the
pairs and their four corners of: distance of the corner from where it belongs / its predicted
standard deviation. 1 is right, above 1 is too sure. Pairs without a prediction are counted apart.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.options import PRESET_NAMES
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.measures import corner_distances, root_mean_square
from benchmarks.scenes import Floats, Image, frames, noisy, random_motion

SIGMAS = (5, 10, 15, 20, 30)
MOVE_PX = 20
GOAL = 0.8, 1.25
GOAL_PRESETS = ("balanced", "precise")


def error_over_predicted(
    source: Image, target: Image, truth: Floats, model: str, preset: str
) -> Floats:
    """(4,), one for each corner; NaN without a prediction."""
    found = align(source, target, model=model, preset=preset)
    if found.uncertainty is None:
        return np.full(4, np.nan)
    distances = corner_distances(found.source_to_target, truth, found.source_size)
    return distances / found.uncertainty.corners_px


def main() -> None:
    options = parser(
        __doc__, count=2, counted="pairs for each photograph, model and noise", pictures=True
    ).parse_args()
    rng = np.random.default_rng(options.seed)
    ratios: dict[tuple[str, str], list[Floats]] = defaultdict(list)  # by group and preset
    by_noise = {sigma: f"sigma {sigma}" for sigma in SIGMAS}
    for frame in frames(options.pictures, rim=MOVE_PX, blur=options.blur):
        for model in MODELS:
            for sigma in SIGMAS * options.count:
                truth = random_motion(model, frame.size, MOVE_PX, rng)
                clean = frame.source(truth), frame.target
                source, target = (noisy(image, sigma, rng) for image in clean)
                for preset in PRESET_NAMES:
                    ratio = error_over_predicted(source, target, truth, model, preset)
                    for group in (model, by_noise[sigma], "all"):
                        ratios[group, preset].append(ratio)
    print("root mean square of error / predicted sigma")
    print(f"{'':12}{'pairs':>6}" + "".join(f"{preset:>10}{'none':>6}" for preset in PRESET_NAMES))
    overall = {}
    for group in (*MODELS, *by_noise.values(), "all"):
        line = f"{group:12}{len(ratios[group, PRESET_NAMES[0]]):>6}"
        for preset in PRESET_NAMES:
            predicted = [ratio for ratio in ratios[group, preset] if np.isfinite(ratio).all()]
            overall[preset] = root_mean_square(predicted) if predicted else float("nan")
            line += f"{overall[preset]:>10.3f}{len(ratios[group, preset]) - len(predicted):>6}"
        print(line)
    print_goals(
        [
            Goal(f"{preset}: error / predicted", overall[preset], GOAL[1], GOAL[0])
            for preset in GOAL_PRESETS
        ]
    )


if __name__ == "__main__":
    main()
