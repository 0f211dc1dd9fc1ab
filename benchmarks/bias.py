"""Is the estimate right on average? ``python -m benchmarks.bias``.

Band-limited scenes (sums of sinusoids below Nyquist), target and source both sampled from the
formula, so nothing is resampled and the truth is exact. Random affine motions and homographies,
corners moved uniformly within +-10 px, without noise and with noise of 10 grey levels on both
images. Reported are the scale at the centre of the source (square root of the change of area),
estimate / truth - 1, its mean and standard error over the scenes, which should be 0 within two
standard errors; and the root mean square and the largest distance of the four corners from where
they belong. A pair that imalign reports as not aligned gives no estimate: such pairs are counted,
and are in no average. One that it vouches for with a corner more than 1 px off is wrong: there
should be none. It is left out of the scale alone, where a single one makes the standard error so
large that any bias passes.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from align_cli.engine.geometry.coordinates import Size
from align_cli.engine.geometry.models import MODELS, describe
from benchmarks.analytic import aliases, random_waves
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.measures import corner_distances, root_mean_square
from benchmarks.methods import IMALIGN
from benchmarks.scenes import Floats, noisy, random_motion, shift

SIZE: Size = (320, 240)
MOVE_PX = 10.0
MODEL_NAMES = ("affine", "homography")
SIGMAS = (0, 10)
STANDARD_ERRORS = 2.0
WRONG_PX = 1.0
CORNER_PRESET, CORNER_SIGMA, CORNER_PX = "precise", 0, 0.002

Row = tuple[str, int, str]  # model, sigma, preset


def centre_scale(matrix: Floats, model: str) -> float:
    scale = describe(matrix, MODELS[model], SIZE)["scale"]
    assert isinstance(scale, float)
    return scale


def alias_free_motion(model: str, rng: np.random.Generator) -> Floats:
    while True:
        truth = random_motion(model, SIZE, MOVE_PX, rng)
        if not aliases(truth, SIZE):
            return truth


def main() -> None:
    options = parser(__doc__, count=200, counted="scenes").parse_args()
    rng = np.random.default_rng(options.seed)
    scale_errors: dict[Row, list[float]] = defaultdict(list)
    distances: dict[Row, list[Floats]] = defaultdict(list)
    refused: Counter[Row] = Counter()
    wrong: Counter[Row] = Counter()
    for _ in range(options.count):
        scene = random_waves(rng)
        seen = scene.image(SIZE, shift(0.0, 0.0))
        for model in MODEL_NAMES:
            truth = alias_free_motion(model, rng)
            moved = scene.image(SIZE, truth)
            for sigma in SIGMAS:
                source, target = (noisy(image, sigma, rng) for image in (moved, seen))
                for method in IMALIGN:
                    row = model, sigma, method.name
                    found = method.run(source, target, model)
                    if found.refused:
                        refused[row] += 1
                        continue
                    matrix = found.source_to_target
                    distances[row].append(corner_distances(matrix, truth, SIZE))
                    if distances[row][-1].max() > WRONG_PX:
                        wrong[row] += 1
                        continue
                    relative = centre_scale(matrix, model) / centre_scale(truth, model)
                    scale_errors[row].append(relative - 1.0)
    print(
        f"{'model':12}{'sigma':>5}  {'preset':10}{'scale error':>12}{'SE':>10}"
        f"{'error / SE':>12}{'corner RMS px':>15}{'max':>11}{'wrong':>7}{'refused':>9}"
    )
    scale_goals, corner_goals = [], []
    for row, errors in scale_errors.items():
        model, sigma, preset = row
        mean = float(np.mean(errors))
        standard_error = float(np.std(errors, ddof=1) / np.sqrt(len(errors)))
        corner_rms = root_mean_square(distances[row])
        print(
            f"{model:12}{sigma:>5}  {preset:10}{mean:>12.1e}{standard_error:>10.1e}"
            f"{mean / standard_error:>12.1f}{corner_rms:>15.5f}"
            f"{np.max(distances[row]):>11.5f}{wrong[row]:>7}{refused[row]:>9}"
        )
        what = f"{model}, sigma {sigma}: {preset}"
        scale_goals.append(
            Goal(f"{what} |scale error| / SE", abs(mean) / standard_error, STANDARD_ERRORS)
        )
        if (preset, sigma) == (CORNER_PRESET, CORNER_SIGMA):
            corner_goals.append(Goal(f"{what} corner RMS", corner_rms, CORNER_PX, unit="px"))
    none_wrong = Goal("all rows: wrong, yet vouched for", wrong.total(), 0.0)
    print_goals([*scale_goals, *corner_goals, none_wrong])


if __name__ == "__main__":
    main()
