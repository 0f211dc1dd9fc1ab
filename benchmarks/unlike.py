"""Unlike images: the same scene in other grey values, corners moved by up to 20 px.

The source is a negative, seen through a random curve of the grey values (rising, or going up and
down as it likes), or the strength of the scene's edges. Both images have noise of 5 grey levels.
Pairs of different photographs must not be called aligned.

Last, 16-bit images in a narrow dark range (0 to 300 of 65535) beside their 8-bit originals, both by
their intensities.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

from align_cli.engine.aligner import align
from align_cli.engine.coordinates import endpoint_error, inverse
from align_cli.engine.options import GRADIENT
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import Floats, Frame, Image, exposed, frames, random_motion

MOVE_PX = 20
SIGMA = 5.0
WHITE = 255.0
KNOTS = 6
EDGE_GAIN = 6.0
DARKEST, BRIGHTEST = 0.0, 300.0

WITHIN_PX = 0.5
WITHIN_GOAL, MEDIAN_GOAL_PX, SAME_GOAL = 0.97, 0.05, 1.2


def negative(image: Floats, _: np.random.Generator) -> Floats:
    return WHITE - image


def curved(image: Floats, values: Floats) -> Floats:
    """Through the smooth curve that has ``values`` at evenly spaced grey levels."""
    curve = PchipInterpolator(np.linspace(0.0, WHITE, values.size), values)
    return np.asarray(curve(np.clip(image, 0.0, WHITE)), np.float64)


def rising(image: Floats, rng: np.random.Generator) -> Floats:
    return curved(image, np.sort(rng.uniform(0.0, WHITE, KNOTS)))


def up_and_down(image: Floats, rng: np.random.Generator) -> Floats:
    return curved(image, rng.uniform(0.0, WHITE, KNOTS))


def edges(image: Floats, _: np.random.Generator) -> Floats:
    along_y, along_x = np.gradient(image)
    return EDGE_GAIN * np.hypot(along_x, along_y)


KINDS: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "negative": negative,
    "rising curve": rising,
    "up and down": up_and_down,
    "edges": edges,
}


def run(frame: Frame, name: str, rng: np.random.Generator) -> tuple[float, bool, float]:
    """EPE in pixels, whether it is called aligned, and the seconds it took."""
    truth = random_motion("homography", frame.size, MOVE_PX, rng)
    source = exposed(KINDS[name](frame.source(truth), rng), SIGMA, rng)
    target = exposed(frame.target, SIGMA, rng)
    begun = time.perf_counter()
    found = align(source, target, similarity=GRADIENT)
    seconds = time.perf_counter() - begun
    error = endpoint_error(found.target_to_source, inverse(truth), frame.size).mean()
    return float(error), found.outcome.aligned, seconds


def called_aligned(frame: Frame, other: Frame, rng: np.random.Generator) -> bool:
    """Whether two different photographs are."""
    source = exposed(other.target, SIGMA, rng)
    target = exposed(frame.target, SIGMA, rng)
    return align(source, target, similarity=GRADIENT).outcome.aligned


def dark_pair(frame: Frame, rng: np.random.Generator) -> tuple[float, float]:
    """EPE in pixels of a pair in 8 bits, and of the same in a dark range of 16 bits."""
    truth = random_motion("homography", frame.size, MOVE_PX, rng)
    source, target = (exposed(image, SIGMA, rng) for image in (frame.source(truth), frame.target))

    def error(source: Image, target: Image) -> float:
        warp = align(source, target).target_to_source
        return float(endpoint_error(warp, inverse(truth), frame.size).mean())

    return error(source, target), error(dark(source), dark(target))


def dark(image: Image) -> Image:
    """In 16 bits, white at ``BRIGHTEST``."""
    return np.rint(DARKEST + (BRIGHTEST - DARKEST) / WHITE * image).astype(np.uint16)


def main() -> None:
    options = parser(
        __doc__,
        count=5,
        counted="homographies for each photograph and kind of image",
        pictures=True,
        blur=0.7,
    ).parse_args()
    rng = np.random.default_rng(options.seed)
    stage = frames(options.pictures, rim=MOVE_PX, blur=options.blur)
    print(f"{'source':14}{'within':>8}{'median':>9}{'largest':>9}{'refused':>9}{'wrong':>7}")
    every: list[tuple[float, bool, float]] = []
    wrong = 0
    for name in KINDS:
        runs = [run(frame, name, rng) for frame in stage for _ in range(options.count)]
        errors = np.array([error for error, _, _ in runs])
        aligned = np.array([aligned for _, aligned, _ in runs])
        mistaken = int(np.count_nonzero(aligned & (errors > WITHIN_PX)))
        print(
            f"{name:14}{np.mean(errors <= WITHIN_PX):>8.0%}{np.median(errors):>9.4f}"
            f"{errors.max():>9.3f}{np.count_nonzero(~aligned):>9}{mistaken:>7}"
        )
        wrong += mistaken
        every += runs
    pairs = [(one, other) for one in stage for other in stage if one.size != other.size]
    unlike = sum(called_aligned(one, other, rng) for one, other in pairs)
    print(f"different photographs called aligned: {unlike} of {len(pairs)}")
    errors = np.array([error for error, _, _ in every])
    print(f"ms for a pair: {1e3 * np.mean([seconds for _, _, seconds in every]):.0f}")
    if importlib.util.find_spec("itk") is None:
        print("itk-elastix is not installed: not compared with its mutual information")
    in_8_bits, in_16_bits = np.array([dark_pair(f, rng) for f in stage for _ in range(2)]).T
    print(f"EPE in 8 bits {in_8_bits.mean():.4f} px, dark in 16 bits {in_16_bits.mean():.4f} px")
    print_goals(
        [
            Goal(
                f"share within {WITHIN_PX:g} px",
                float(np.mean(errors <= WITHIN_PX)),
                1.0,
                at_least=WITHIN_GOAL,
            ),
            Goal("median EPE", float(np.median(errors)), MEDIAN_GOAL_PX, unit="px"),
            Goal("wrong answers called aligned", wrong + unlike, 0.0),
            Goal(
                "EPE dark in 16 bits over 8 bits", in_16_bits.mean() / in_8_bits.mean(), SAME_GOAL
            ),
        ]
    )


if __name__ == "__main__":
    main()
