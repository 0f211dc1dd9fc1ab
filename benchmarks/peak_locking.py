"""Is a sub-pixel shift pulled towards whole pixels? ``python -m benchmarks.peak_locking``.

Pure shifts of 0 to 1 px in steps of 0.05 px, along x, along y and along both, without noise, of
band-limited scenes (sampled from their formula) and of photographs (blurred a little, shifted
through their Fourier transform), solved as translation and as homography. For each shift the
systematic error: the length of the mean over the scenes of estimate - truth (itself the mean over
all pixels), the largest of the three directions. The last rows tell the kinds of scene apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from align_cli.engine.geometry.coordinates import Size
from benchmarks.analytic import Waves, random_waves
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.measures import mean_displacement
from benchmarks.methods import IMALIGN
from benchmarks.scenes import Floats, Frame, frames, shift
from benchmarks.spectra import shifted, tapered

SIZE: Size = (320, 240)  # of the band-limited scenes
RIM = 40  # over which photographs fade out: it is cut off
BLUR = 0.7
SHIFTS = np.linspace(0.0, 1.0, 21)
DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
MODEL_NAMES = ("translation", "homography")
GOALS_PX = {"balanced": 0.003, "precise": 0.001}

COLUMNS = tuple((method, model) for method in IMALIGN for model in MODEL_NAMES)


@dataclass(frozen=True)
class Scene:
    """``image(x, y)`` is the scene moved so that its pixel (x, y) comes to lie on (0, 0)."""

    kind: str
    image: Callable[[float, float], Floats]


def analytic(waves: Waves) -> Scene:
    return Scene("analytic", lambda x, y: waves.image(SIZE, shift(x, y)))


def photographed(frame: Frame) -> Scene:
    picture = tapered(frame.picture, RIM)
    return Scene("photograph", lambda x, y: shifted(picture, x, y)[RIM:-RIM, RIM:-RIM])


def errors(scene: Scene, move: Floats) -> Floats:
    """estimate - truth, (columns, 2), for one scene and one shift."""
    source, target = (scene.image(x, y).astype(np.float32) for x, y in (move, np.zeros(2)))
    height, width = target.shape
    return np.array(
        [
            mean_displacement(
                method.run(source, target, model).source_to_target, shift(*move), (width, height)
            )
            for method, model in COLUMNS
        ]
    )


def systematic(measured: Floats) -> Floats:
    """(shifts, columns) from the errors (shifts, directions, scenes, columns, 2)."""
    return np.linalg.norm(measured.mean(axis=2), axis=-1).max(axis=1)


def print_row(label: str, figures: Floats) -> None:
    print(f"{label:12}" + "".join(f"{figure:>13.5f}" for figure in figures))


def main() -> None:
    options = parser(
        __doc__, count=8, counted="band-limited scenes", pictures=True, blur=BLUR
    ).parse_args()
    rng = np.random.default_rng(options.seed)
    scenes = [analytic(random_waves(rng)) for _ in range(options.count)]
    scenes += [photographed(frame) for frame in frames(options.pictures, RIM, options.blur)]
    measured = np.array(
        [
            [[errors(scene, length * np.array(way)) for scene in scenes] for way in DIRECTIONS]
            for length in SHIFTS
        ]
    )
    print(f"systematic error in px over {len(scenes)} scenes")
    print(f"{'':12}" + "".join(f"{method.name:>13}" for method, _ in COLUMNS))
    print(f"{'shift px':12}" + "".join(f"{model:>13}" for _, model in COLUMNS))
    by_shift = systematic(measured)
    for length, figures in zip(SHIFTS, by_shift, strict=True):
        print_row(f"{length:.2f}", figures)
    largest = by_shift.max(axis=0)
    print_row("largest", largest)
    for kind in sorted({scene.kind for scene in scenes}):
        chosen = [scene.kind == kind for scene in scenes]
        print_row(kind, systematic(measured[:, :, chosen]).max(axis=0))
    print_goals(
        [
            Goal(f"{method.name}, {model}: largest", figure, GOALS_PX[method.name], unit="px")
            for (method, model), figure in zip(COLUMNS, largest, strict=True)
            if method.name in GOALS_PX
        ]
    )


if __name__ == "__main__":
    main()
