"""Unlike images: the same scene in other grey values, corners moved by up to 20 px.

The source is a negative, seen through a random curve of the grey values (rising, or going up and
down as it likes), or the strength of the scene's edges. Both images have noise of 5 grey levels.
--held-out takes other photographs: no constant of the solver was tuned on them (but what tells that
a target's edges repeat was, on one of them: a wall of bricks).

The same is asked of pairs that lie far apart (windows of 62 % of a photograph: shifted by up to
30 % of them; turned by any angle; scaled by 0.62 to 1.6 besides), and pairs that cannot be aligned
must not be called so. elastix (mutual information, benchmarks.elastix) is timed on affine motions,
it knows no homography.

--subjects compares them on unlike views of one subject: bands of light, stains of a tissue, depth.
--calibrate prints the figures beside align_cli.engine.images.structure_tensor.SMOOTHING_PX.

Last, 16-bit images in a narrow dark range (0 to 300 of 65535) beside their 8-bit originals, both by
their intensities.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import Size, endpoint_error, inverse
from align_cli.engine.options import GRADIENT
from benchmarks.arguments import parser
from benchmarks.elastix import ELASTIX
from benchmarks.goals import Goal, print_goals
from benchmarks.measures import corner_distances, root_mean_square
from benchmarks.methods import Found, Method
from benchmarks.scenes import (
    Floats,
    Frame,
    Image,
    exposed,
    frames,
    photograph,
    random_motion,
    render,
    shift,
)
from benchmarks.unlike_calibration import calibrate
from benchmarks.unlike_impostors import impostors
from benchmarks.unlike_scenes import RENDERINGS, Rendering, Subject, subjects

MOVE_PX = 20
SIGMA = 5.0
WHITE = 255.0
DARKEST, BRIGHTEST = 0.0, 300.0
HELD_OUT = ("chelsea.png", "rocket.jpg", "brick.png", "gravel.png", "ihc.png", "coins.png")

WITHIN_PX = 0.5
FAR_PX = 1.0

WINDOW = 0.62  # of each side of a photograph
FARTHEST = 0.3  # of a window's side
LARGEST_SCALE = 1.6


@dataclass(frozen=True)
class Run:
    """EPE in pixels, the verdict, error over predicted at the corners, and seconds."""

    error: float
    aligned: bool
    over_predicted: Floats | None
    seconds: float


def run(source: Image, target: Image, truth: Floats) -> Run:
    begun = time.perf_counter()
    found = align(source, target, similarity=GRADIENT)
    seconds = time.perf_counter() - begun
    error = endpoint_error(found.target_to_source, inverse(truth), found.target_size).mean()
    sure = None
    if found.uncertainty is not None:
        distances = corner_distances(found.source_to_target, truth, found.source_size)
        sure = distances / found.uncertainty.corners_px
    return Run(float(error), found.outcome.aligned, sure, seconds)


def rendered(
    frame: Frame, rendering: Rendering, model: str, rng: np.random.Generator
) -> tuple[Image, Image, Floats]:
    """Source, target and ``source_to_target``."""
    truth = random_motion(model, frame.size, MOVE_PX, rng)
    source = exposed(rendering(frame.source(truth), rng), SIGMA, rng)
    return source, exposed(frame.target, SIGMA, rng), truth


def shifted(size: Size, rng: np.random.Generator) -> Floats:
    return shift(*(rng.uniform(-FARTHEST, FARTHEST, 2) * size))


def turned(size: Size, rng: np.random.Generator, scale: float = 1.0) -> Floats:
    angle = rng.uniform(-np.pi, np.pi)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    centre = (np.array(size) - 1.0) / 2.0
    about = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return shift(*centre) @ shift(*(rng.uniform(-0.1, 0.1, 2) * size)) @ about @ shift(*-centre)


def turned_and_scaled(size: Size, rng: np.random.Generator) -> Floats:
    return turned(size, rng, LARGEST_SCALE ** rng.uniform(-1.0, 1.0))


FAR: dict[str, Callable[[Size, np.random.Generator], Floats]] = {
    "shifted": shifted,
    "turned": turned,
    "turned, scaled": turned_and_scaled,
}


def far_apart(
    picture: Floats,
    rendering: Rendering,
    motion: Callable[[Size, np.random.Generator], Floats],
    rng: np.random.Generator,
) -> tuple[Image, Image, Floats]:
    """Two windows of a photograph: source, target and ``source_to_target``."""
    height, width = picture.shape
    size = int(WINDOW * width), int(WINDOW * height)
    truth = motion(size, rng)
    middle = shift((width - size[0]) / 2.0, (height - size[1]) / 2.0)
    source, target = (render(picture, middle @ there, size) for there in (truth, np.eye(3)))
    return (
        exposed(rendering(source, rng), SIGMA, rng),
        exposed(target, SIGMA, rng),
        truth,
    )


HEADER = f"{'within':>8}{'median':>9}{'largest':>9}{'refused':>9}{'wrong':>7}{'ms':>6}"


def summary(runs: Sequence[Run], within_px: float) -> str:
    errors = np.array([each.error for each in runs])
    refused = sum(not each.aligned for each in runs)
    return (
        f"{np.mean(errors <= within_px):>8.0%}{np.median(errors):>9.4f}{errors.max():>9.3f}"
        f"{refused:>9}{wrong(runs, within_px):>7}{1e3 * mean_seconds(runs):>6.0f}"
    )


def wrong(runs: Iterable[Run], within_px: float) -> int:
    return sum(each.aligned and each.error > within_px for each in runs)


def mean_seconds(runs: Sequence[Run]) -> float:
    return float(np.mean([each.seconds for each in runs]))


def renderings_table(stage: list[Frame], count: int, rng: np.random.Generator) -> list[Run]:
    print(f"{'source':16}{HEADER}")
    every: list[Run] = []
    for name, rendering in RENDERINGS.items():
        runs = [
            run(*rendered(frame, rendering, "homography", rng))
            for frame in stage
            for _ in range(count)
        ]
        print(f"{name:16}{summary(runs, WITHIN_PX)}")
        every += runs
    print(f"{'all':16}{summary(every, WITHIN_PX)}")
    return every


def far_table(pictures: list[Floats], rng: np.random.Generator) -> list[Run]:
    print(f"\n{'far apart':16}{HEADER}")
    every: list[Run] = []
    for name, motion in FAR.items():
        runs = [
            run(*far_apart(picture, rendering, motion, rng))
            for picture in pictures
            for rendering in RENDERINGS.values()
        ]
        print(f"{name:16}{summary(runs, FAR_PX)}")
        every += runs
    return every


def impostors_called_aligned(stage: list[Frame], rng: np.random.Generator) -> int:
    print("\ncannot be aligned, called aligned")
    mistaken = 0
    for name, pairs in impostors(stage, SIGMA, rng).items():
        called = [align(*pair, similarity=GRADIENT).outcome.aligned for pair in pairs]
        print(f"{name:32}{sum(called):>4} of {len(called)}")
        mistaken += sum(called)
    return mistaken


def _by_gradient(source: Image, target: Image, model: str) -> Found:
    found = align(source, target, model=model, similarity=GRADIENT)
    return Found(found.source_to_target, refused=not found.outcome.aligned)


METHODS = (Method("gradient", _by_gradient), *ELASTIX)


@dataclass
class Answers:
    """What a method made of some pairs: EPE and seconds of each."""

    errors: list[float]
    seconds: list[float]


def answers(pairs: Iterable[tuple[Image, Image, Floats]]) -> dict[str, Answers]:
    """Affine motions, each method on each pair, one after the other."""
    found = {method.name: Answers([], []) for method in METHODS}
    for source, target, truth in pairs:
        size = target.shape[1], target.shape[0]
        for method in METHODS:
            begun = time.perf_counter()
            matrix = method.run(source, target, "affine").source_to_target
            found[method.name].seconds.append(time.perf_counter() - begun)
            error = endpoint_error(inverse(matrix), inverse(truth), size).mean()
            found[method.name].errors.append(float(error))
    return found


def peers_header(what: str) -> None:
    columns = "".join(f"{method.name:>10}{'median':>9}{'ms':>7}" for method in METHODS)
    print(f"\n{what:34}{columns}")


def peers_row(name: str, found: dict[str, Answers]) -> None:
    line = f"{name:34}"
    for each in found.values():
        errors = np.array(each.errors)
        line += f"{np.mean(errors <= WITHIN_PX):>10.0%}{np.median(errors):>9.4f}"
        line += f"{1e3 * np.median(each.seconds):>7.0f}"
    print(line, flush=True)


def peers_table(stage: list[Frame], rng: np.random.Generator) -> float:
    """How many times as long elastix takes."""
    if len(METHODS) == 1:
        print("\nitk-elastix is not installed: not compared with its mutual information")
        return float("nan")
    peers_header("affine: share within 0.5 px of")
    # What either does once is not counted.
    answers([rendered(stage[0], next(iter(RENDERINGS.values())), "affine", rng)])
    ratios: list[float] = []
    for name, rendering in RENDERINGS.items():
        found = answers(rendered(frame, rendering, "affine", rng) for frame in stage)
        peers_row(name, found)
        ours, elastix = (found[method.name].seconds for method in METHODS[:2])
        ratios += list(np.array(elastix) / np.array(ours))
    return float(np.median(ratios))


def viewed(subject: Subject, rng: np.random.Generator) -> tuple[Image, Image, Floats]:
    """Source, target and ``source_to_target``."""
    truth = random_motion("affine", subject.target.size, MOVE_PX, rng)
    scenes = subject.source.source(truth), subject.target.target
    source, target = (exposed(scene, subject.sigma, rng) for scene in scenes)
    return source, target, truth


def subjects_table(count: int, rng: np.random.Generator) -> None:
    peers_header("unlike views, affine: within 0.5 px")
    for subject in subjects(MOVE_PX):
        peers_row(subject.name, answers([viewed(subject, rng) for _ in range(count)]))


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
    arguments = parser(
        __doc__,
        count=5,
        counted="homographies for each photograph and kind of image",
        pictures=True,
        blur=0.7,
    )
    arguments.add_argument(
        "--held-out", action="store_true", help=f"photographs: {', '.join(HELD_OUT)}"
    )
    arguments.add_argument("--subjects", action="store_true", help="unlike views of one subject")
    arguments.add_argument("--calibrate", action="store_true", help="what the smoothing rests on")
    options = arguments.parse_args()
    rng = np.random.default_rng(options.seed)
    names = HELD_OUT if options.held_out else options.pictures
    stage = frames(names, rim=MOVE_PX, blur=options.blur)
    if options.calibrate:
        calibrate(stage, options.count, rng)
        return
    if options.subjects:
        subjects_table(options.count, rng)
        return
    runs = renderings_table(stage, options.count, rng)
    far = far_table([photograph(name, options.blur) for name in names], rng)
    mistaken = impostors_called_aligned(stage, rng)
    sure = root_mean_square(
        [each.over_predicted for each in runs if each.over_predicted is not None]
    )
    unpredicted = sum(each.over_predicted is None for each in runs)
    print(f"\nerror over predicted: {sure:.3f} (root mean square), without: {unpredicted}")
    times = peers_table(stage, rng)
    in_8_bits, in_16_bits = np.array([dark_pair(f, rng) for f in stage for _ in range(2)]).T
    print(f"\nEPE in 8 bits {in_8_bits.mean():.4f} px, dark in 16 bits {in_16_bits.mean():.4f} px")
    errors = np.array([each.error for each in runs])
    print_goals(
        [
            Goal(
                f"share within {WITHIN_PX:g} px",
                float(np.mean(errors <= WITHIN_PX)),
                1.0,
                at_least=0.97,
            ),
            Goal("median EPE", float(np.median(errors)), 0.05, unit="px"),
            Goal(
                "wrong answers called aligned",
                wrong(runs, WITHIN_PX) + wrong(far, FAR_PX) + mistaken,
                0.0,
            ),
            Goal("error over predicted", sure, 1.25, at_least=0.8),
            Goal(
                f"far apart, within {FAR_PX:g} px",
                float(np.mean([each.error <= FAR_PX for each in far])),
                1.0,
                at_least=0.9,
            ),
            Goal("times as fast as elastix", times, float("inf"), at_least=10.0),
            Goal("EPE dark in 16 bits over 8 bits", in_16_bits.mean() / in_8_bits.mean(), 1.2),
        ]
    )


if __name__ == "__main__":
    main()
