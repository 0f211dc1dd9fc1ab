"""How long does it take to refuse or to search? ``python -m benchmarks.refusals``.

Where the answer from identity does not convince, other starts are tried, and of a pair that shows
nothing in common all of them. Colour pictures of 8 bits, default options, arrays in and transform
out; noise of 2 grey levels. The pictures are photographs, enlarged until they have so many pixels:
with each doubling the details of other photographs are added, so that every octave has its share,
as photographs have it. Kinds:

- unrelated: two photographs of different things;
- overlap 25 %: two cuts from one picture that share a quarter of their area, at a corner;
- turned 40 degrees: a cut, and the same turned about its centre;
- smooth, smooth disc: two clouds that are unrelated (amplitude falls with frequency to the power of
  1.6), as they are and in a round field of view.

A line for each: median and longest seconds, how many were aligned, doubtful and failed, and how
many of those called aligned lie more than 1 px off, mean over the corners, or have no answer.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import Size, corner_error
from align_cli.engine.records import Verdict
from benchmarks.arguments import names, parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import photograph, shift
from benchmarks.verdict_pairs import Pair

SIZES: dict[str, Size] = {"0.3 MP": (640, 480), "4 MP": (2304, 1728), "40 MP": (7296, 5472)}
MOST_SECONDS = {"0.3 MP": 0.3, "4 MP": 0.6, "40 MP": 3.0}
WRONG_PX = 1.0
SIGMA = 2.0
SHARED = 0.5
"""Of each side: a quarter of the area."""
TURN_DEGREES = 40.0
SCENES = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
DETAILS = ("gravel.png", "grass.png", "brick.png", "coins.png", "moon.png")
DETAIL_SIGMA = 1.0
"""What a doubling lacks is about what this Gaussian takes away."""
POWER, CONTRAST, GREY = 1.6, 12.0, 90.0
DISC = 0.47

Plane = NDArray[np.float32]
Colours = NDArray[np.uint8]


def photographed(name: str, size: Size, rng: np.random.Generator) -> Plane:
    """A photograph that covers a size, with details in every octave; (height, width) grey."""
    image = np.asarray(photograph(name, 0.0), np.float32)
    times = max(size[0] / image.shape[1], size[1] / image.shape[0])
    while times > 1.0:
        step = min(times, 2.0)
        width, height = (int(np.ceil(step * side)) for side in image.shape[::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        image += np.float32(step - 1.0) * _detail((width, height), rng)
        times /= step
    return np.ascontiguousarray(image[: size[1], : size[0]])


def _detail(size: Size, rng: np.random.Generator) -> Plane:
    """The finest octave of a photograph, laid side by side with its mirror images."""
    whole = np.asarray(photograph(DETAILS[rng.integers(len(DETAILS))], 0.0), np.float32)
    whole -= cv2.GaussianBlur(whole, (0, 0), DETAIL_SIGMA)
    above, left = (int(rng.integers(side)) for side in whole.shape)
    tile = np.roll(np.vstack([np.hstack([whole, whole[:, ::-1]])] * 2), (above, left), (0, 1))
    repeats = [-(-side // extent) for side, extent in zip(size[::-1], tile.shape, strict=True)]
    return np.tile(tile, repeats)[: size[1], : size[0]]


def exposed(image: Plane, rng: np.random.Generator) -> Colours:
    """(height, width, 3), as a camera delivers it."""
    noise = rng.standard_normal(image.shape, np.float32)
    noise *= np.float32(SIGMA)
    noise += image
    grey = np.clip(np.rint(noise, out=noise), 0.0, 255.0, out=noise).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def unrelated(size: Size, rng: np.random.Generator) -> Pair:
    source, target = (
        photographed(SCENES[i], size, rng) for i in rng.choice(len(SCENES), 2, replace=False)
    )
    return Pair(exposed(source, rng), exposed(target, rng), None)


def little_overlap(size: Size, rng: np.random.Generator) -> Pair:
    width, height = size
    x, y = round((1.0 - SHARED) * width), round((1.0 - SHARED) * height)
    whole = photographed(SCENES[rng.integers(len(SCENES))], (width + x, height + y), rng)
    source, target = whole[:height, :width], whole[y:, x:]
    return Pair(exposed(source, rng), exposed(target, rng), shift(-x, -y))


def turned(size: Size, rng: np.random.Generator) -> Pair:
    """The source shows what lies around the target's corners too: nothing is left blank."""
    width, height = size
    side = int(np.ceil(np.hypot(width, height))) + 4
    whole = photographed(SCENES[rng.integers(len(SCENES))], (side, side), rng)
    angle = np.radians(TURN_DEGREES)
    c, s = np.cos(angle), np.sin(angle)
    middle, centre = (side - 1.0) / 2.0, ((width - 1.0) / 2.0, (height - 1.0) / 2.0)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    to_whole = shift(middle, middle) @ turn @ shift(-centre[0], -centre[1])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    source = np.asarray(cv2.warpAffine(whole, to_whole[:2], size, flags=flags), np.float32)
    left, top = round(middle - centre[0]), round(middle - centre[1])
    target = whole[top : top + height, left : left + width]
    return Pair(exposed(source, rng), exposed(target, rng), shift(-left, -top) @ to_whole)


def _cloud(size: Size, rng: np.random.Generator) -> Plane:
    width, height = size
    spectrum = np.fft.rfft2(rng.standard_normal((height, width), np.float32))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1.0
    cloud = np.fft.irfft2(spectrum / frequency**POWER, s=(height, width))
    cloud -= cloud.mean()
    cloud *= CONTRAST / cloud.std()
    return np.asarray(cloud + GREY, np.float32)


def smooth(size: Size, rng: np.random.Generator) -> Pair:
    return Pair(exposed(_cloud(size, rng), rng), exposed(_cloud(size, rng), rng), None)


def smooth_disc(size: Size, rng: np.random.Generator) -> Pair:
    width, height = size
    y, x = np.ogrid[:height, :width]
    inside = np.hypot(x - width / 2.0, y - height / 2.0) < DISC * height
    source, target = (np.where(inside, _cloud(size, rng), np.float32(0.0)) for _ in range(2))
    return Pair(exposed(source, rng), exposed(target, rng), None)


KINDS: dict[str, Callable[[Size, np.random.Generator], Pair]] = {
    "unrelated": unrelated,
    "overlap 25 %": little_overlap,
    "turned 40 degrees": turned,
    "smooth": smooth,
    "smooth disc": smooth_disc,
}


@dataclass(frozen=True)
class Run:
    seconds: float
    verdict: Verdict
    wrong: bool


def run(drawn: Pair) -> Run:
    start = time.perf_counter()
    found = align(drawn.source, drawn.target)
    seconds = time.perf_counter() - start
    height, width = drawn.source.shape[:2]
    off = np.inf
    if drawn.truth is not None:
        off = corner_error(found.source_to_target, drawn.truth, (width, height))
    return Run(seconds, found.outcome.verdict, found.outcome.aligned and off > WRONG_PX)


def line(size: str, kind: str, runs: list[Run]) -> str:
    seconds = [each.seconds for each in runs]
    said = Counter(each.verdict for each in runs)
    counts = "".join(f"{said[verdict]:>10}" for verdict in Verdict)
    wrong = sum(each.wrong for each in runs)
    return (
        f"{size:8}{kind:20}{statistics.median(seconds):>9.2f}{max(seconds):>9.2f}{counts}{wrong:>7}"
    )


def main() -> None:
    options = parser(__doc__, count=3, counted="pairs of each kind and size")
    options.add_argument(
        "--sizes", type=names, default=tuple(SIZES), help=f"of {', '.join(SIZES)} (default all)"
    )
    options.add_argument(
        "--kinds", type=names, default=tuple(KINDS), help=f"of {', '.join(KINDS)} (default all)"
    )
    chosen = options.parse_args()
    print(
        f"{'':28}{'median s':>9}{'longest':>9}"
        + "".join(f"{verdict.value:>10}" for verdict in Verdict)
        + f"{'wrong':>7}"
    )
    runs: dict[str, list[Run]] = {}
    for size in chosen.sizes:
        runs[size] = []
        for number, kind in enumerate(KINDS):
            if kind not in chosen.kinds:
                continue
            of_kind = []
            for index in range(chosen.count):
                rng = np.random.default_rng((chosen.seed, number, index))
                of_kind.append(run(KINDS[kind](SIZES[size], rng)))
            print(line(size, kind, of_kind), flush=True)
            runs[size] += of_kind
    goals = [
        Goal(f"{size}: longest", max(r.seconds for r in found), MOST_SECONDS[size], unit="s")
        for size, found in runs.items()
    ]
    wrong = sum(each.wrong for found in runs.values() for each in found)
    print_goals([*goals, Goal("wrong, called aligned", wrong, 0)])


if __name__ == "__main__":
    main()
