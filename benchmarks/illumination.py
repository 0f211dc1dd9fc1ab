"""Other light in the two images, and things in front: ``python -m benchmarks.illumination``.

Photographs, random homographies whose corners move uniformly within +-10 px. The source's grey
values change by a gain, a bias, a gamma, a vignetting, or all four; both images get noise of 2
grey levels and are clipped and rounded to 8 bits as a camera would. Once as it is, once with a
rectangle of another photograph over a fifth of the source. EPE (end-point error, mean over all
pixels of a pair, px) of imalign's presets and of OpenCV's ``findTransformECCMultiScale`` on the
same pairs, mean and largest, the share of the pairs within the goal of their column (where a method
has none, balanced's), and how many the method itself refuses; those count all the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.methods import ECC, IMALIGN
from benchmarks.scenes import Floats, Frame, exposed, frames, random_motion, render, shift
from benchmarks.tally import Tally

MOVE_PX = 10
SIGMA = 2.0
WHITE = 255.0
COVERED_SHARE = 0.2
AS_IT_IS, COVERED = "as it is", "covered"
GOALS_PX = {
    AS_IT_IS: {"balanced": 0.05, "precise": 0.025},
    COVERED: {"balanced": 0.15, "precise": 0.075},
}


def gain(image: Floats, rng: np.random.Generator) -> Floats:
    return image * rng.uniform(0.6, 1.6)


def bias(image: Floats, rng: np.random.Generator) -> Floats:
    return image + rng.uniform(-40.0, 40.0)


def gamma(image: Floats, rng: np.random.Generator) -> Floats:
    return WHITE * np.clip(image / WHITE, 0.0, 1.0) ** rng.uniform(0.7, 1.4)


def vignetting(image: Floats, rng: np.random.Generator) -> Floats:
    """Darker with the squared distance from the centre, by up to 40 % in the corners."""
    y, x = (np.linspace(-1.0, 1.0, side) for side in image.shape)
    return image * (1.0 - rng.uniform(0.0, 0.4) * (x**2 + y[:, None] ** 2) / 2.0)


def all_four(image: Floats, rng: np.random.Generator) -> Floats:
    """In the order in which they happen: lens, exposure, sensor, tone curve."""
    for change in (vignetting, gain, bias, gamma):
        image = change(image, rng)
    return image


CHANGES: dict[str, Callable[[Floats, np.random.Generator], Floats]] = {
    "gain": gain,
    "bias": bias,
    "gamma": gamma,
    "vignetting": vignetting,
    "all four": all_four,
}


def covered(
    image: Floats, other: Floats, rng: np.random.Generator, *, share: float = COVERED_SHARE
) -> Floats:
    """The image behind a rectangle of its own proportions that shows another picture."""
    height, width = image.shape
    patch_width, patch_height = (round(side * share**0.5) for side in (width, height))
    left, top = rng.integers(0, width - patch_width), rng.integers(0, height - patch_height)
    patch = render(other, shift(left, top), (patch_width, patch_height))
    result = image.copy()
    result[top : top + patch_height, left : left + patch_width] = patch
    return result


def run(tally: Tally, frame: Frame, other: Floats, name: str, rng: np.random.Generator) -> None:
    """One motion under one change of light, without and with the covered area."""
    truth = random_motion("homography", frame.size, MOVE_PX, rng)
    clean = frame.source(truth)
    target = exposed(frame.target, SIGMA, rng)
    for place, scene in ((AS_IT_IS, clean), (COVERED, covered(clean, other, rng))):
        source = exposed(CHANGES[name](scene, rng), SIGMA, rng)
        tally.run(source, target, truth, model="homography", key=(place, name))


def print_table(tally: Tally) -> None:
    heading = "".join(
        f"{method.name:>11}{'max':>11}{'within':>8}{'refused':>8}" for method in tally.methods
    )
    print(f"{'':10}{'light':12}{heading}")
    for place, goals in GOALS_PX.items():
        for label, names in (*((name, (name,)) for name in CHANGES), ("mean", tuple(CHANGES))):
            line = f"{place:10}{label:12}"
            for method in tally.methods:
                keys = [(place, name) for name in names]
                errors = tally.errors(method.name, keys)
                within = np.mean(errors <= goals.get(method.name, goals["balanced"]))
                line += f"{errors.mean():>11.4f}{errors.max():>11.3f}{within:>8.0%}"
                line += f"{tally.refused(method.name, keys):>8}"
            print(line)
    times = "".join(f"{tally.ms(method.name):>11.0f}{'':27}" for method in tally.methods)
    print(f"{'ms for a pair':22}{times}")


def main() -> None:
    options = parser(
        __doc__,
        count=5,
        counted="homographies for each photograph and kind of light",
        pictures=True,
    ).parse_args()
    rng = np.random.default_rng(options.seed)
    tally = Tally((*IMALIGN, ECC))
    stage = frames(options.pictures, rim=MOVE_PX, blur=options.blur)
    for index, frame in enumerate(stage):
        other = stage[index - 1].picture
        for name in CHANGES:
            for _ in range(options.count):
                run(tally, frame, other, name, rng)
    print_table(tally)
    goals = []
    for place, limits in GOALS_PX.items():
        for preset, limit in limits.items():
            errors = tally.errors(preset, [(place, name) for name in CHANGES])
            goals.append(Goal(f"{place}: {preset}, mean EPE", errors.mean(), limit, unit="px"))
            goals.append(Goal(f"{place}: {preset}, largest EPE", errors.max(), limit, unit="px"))
    print_goals(goals)


if __name__ == "__main__":
    main()
