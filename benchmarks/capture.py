"""How far apart two images may start: ``python -m benchmarks.capture``.

Photographs of scikit-image, each in the middle of a canvas of other photographs, so that a source
that looks past the target's border sees something else there. All images get noise of 2 grey levels
and are rounded to 8 bits. imalign (default options) beside OpenCV's ``findTransformECCMultiScale``
and features alone (SIFT at full size, MAGSAC, least squares over the inliers in the motion model),
all on the same pairs in one run:

- random homographies whose corners move uniformly within +-40, 80, 120 and 160 px;
- rotations about the centre by 0 to 355 degrees, at scales of 0.5 to 2 (similarity; ECC, which
  has none, solves for an affine motion);
- overlaps of 60, 40 and 25 % of the target, shifts and rigid motions in any direction by any angle;
- changes of viewpoint by 40 and 50 degrees, and a real pair (graffiti, 20 degrees, where the folder
  of ``benchmarks.real_pairs`` is there) whose source is turned by 20 degrees more;
- 10 to 40 % of the source covered by rectangles of another photograph, or by a part of the scene
  that moves by itself; 10 and 20 % of both images covered by what lies on the lens.

EPE is the mean distance over all target pixels, in px, of all pairs: those that a method refuses
count as it left them. "wrong" counts the answers that imalign calls aligned and that are off by
more than 1 px. ``--every N`` takes one rotation in N, ``--only`` some rows, ``--alone`` leaves the
others out, and ``--failures`` says of each pair that is not within the limit how imalign ended.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from align_cli import align
from align_cli.engine.geometry.coordinates import (
    Size,
    corner_error,
    corners,
    endpoint_error,
    inverse,
    map_points,
    plausible,
)
from align_cli.engine.geometry.models import about_centre
from align_cli.engine.target.planes import TEXTURE_SHARE
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.methods import ECC, Found, Method
from benchmarks.peers import FEATURES
from benchmarks.real_folders import FOLDER, entries
from benchmarks.scenes import (
    Floats,
    Image,
    exposed,
    mosaic,
    photograph,
    random_motion,
    render,
    shift,
)
from benchmarks.timing import interleaved, ratio

PICTURES = {
    "motorcycle_left.png": (704, 468),
    "coffee.png": (600, 400),
    "rocket.jpg": (640, 427),
    "astronaut.png": (512, 512),
    "camera.png": (512, 512),
    "chelsea.png": (451, 300),
}
"""Photographs, and the size of the target in their middle."""

Mask = NDArray[np.bool_]

RIM = 600
SIGMA = 2.0
SOURCE_BLUR = 0.7
MOVES_PX = (40, 80, 120, 160)
ANGLES = range(0, 360, 5)
SCALES = (0.5, 0.7, 1.0, 1.4, 2.0)
OVERLAPS = {60: 1.0, 40: 1.0, 25: 0.95}
VIEWPOINTS = (40, 50)
FOCAL = 1.2
COVERED = {
    "covered": (10, 20, 30, 40),
    "moves by itself": (10, 20, 30, 40),
    "on the lens": (10, 20),
}
COVERED_MOVE_PX = 20
SHARE_SLACK = 0.01
WRONG_PX = 1.0


@dataclass(frozen=True)
class Stage:
    """A photograph in the middle of a canvas of others."""

    name: str
    canvas: Floats
    size: Size

    @classmethod
    def of(cls, name: str, size: Size) -> Stage:
        width, height = size
        canvas = mosaic((width + 2 * RIM, height + 2 * RIM), without=name)
        picture = photograph(name)
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        canvas[RIM:-RIM, RIM:-RIM] = picture[top : top + height, left : left + width]
        return cls(name, canvas, size)

    @property
    def target(self) -> Floats:
        return self.canvas[RIM:-RIM, RIM:-RIM]

    def source(self, source_to_target: Floats, *, scale: float = 1.0) -> Floats:
        """The image whose pixel x shows what the target shows at ``source_to_target`` x.

        ``scale`` is by how much its pixels are larger than the target's: a lens that shows more
        on as many pixels blurs what they cannot hold.
        """
        to_canvas = shift(RIM, RIM) @ source_to_target
        seen = map_points(to_canvas, corners(self.size))
        reach = 16
        low = np.maximum(np.floor(seen.min(axis=0)).astype(int) - reach, 0)
        high = np.ceil(seen.max(axis=0)).astype(int) + reach
        part = self.canvas[low[1] : high[1], low[0] : high[0]]
        if scale > 1.0:
            part = ndimage.gaussian_filter(part, SOURCE_BLUR * np.sqrt(scale**2 - 1.0))
        return render(part, shift(-low[0], -low[1]) @ to_canvas, self.size)


@dataclass
class Results:
    """What became of the pairs of one row, by method."""

    errors: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: int = 0
    refused: int = 0

    def add(self, method: str, error: float, seconds: float) -> None:
        self.errors.setdefault(method, []).append(error)
        self.seconds.setdefault(method, []).append(seconds)

    def within(self, method: str, limit_px: float) -> float:
        return float(np.mean(np.array(self.errors[method]) <= limit_px))

    def median(self, method: str) -> float:
        return statistics.median(self.errors[method])

    def ms(self, method: str) -> float:
        return 1e3 * statistics.median(self.seconds[method])


starts: dict[str, list[float]] = {}
"""Seconds of imalign by the start that it used."""


def imalign_run(source: Image, target: Image, model: str) -> Found:
    begun = time.perf_counter()
    found = align(source, target, model=model)
    starts.setdefault(found.start, []).append(time.perf_counter() - begun)
    return Found(found.source_to_target, refused=not found.outcome.aligned)


METHODS = (Method("imalign", imalign_run), ECC, FEATURES)


@dataclass(frozen=True)
class Scene:
    """A pair with a known transform; ``model`` is what a method is asked for."""

    name: str
    model: str
    source: Image
    target: Image
    truth: Floats

    def error(self, estimate: Floats, *, by_corners: bool) -> float:
        """EPE over all target pixels, or the corner error; infinite where one has no place."""
        if np.linalg.matrix_rank(estimate) < len(estimate):
            return np.inf
        (height, width), (source_height, source_width) = self.target.shape, self.source.shape
        if by_corners:
            return corner_error(estimate, self.truth, (source_width, source_height))
        with np.errstate(all="ignore"):
            error = endpoint_error(inverse(estimate), inverse(self.truth), (width, height)).mean()
        return float(error) if np.isfinite(error) else np.inf


class Table:
    """Rows of results, printed as they are finished."""

    def __init__(self, methods: Sequence[Method], *, failures: bool = False) -> None:
        self.rows: dict[str, Results] = {}
        self._methods, self._failures = methods, failures
        heading = "".join(f"{method.name:>12}{'median':>9}{'ms':>6}" for method in methods)
        print(f"{'within':34}{'pairs':>6}{heading}{'refused':>9}{'wrong':>7}", flush=True)

    def run(self, row: Row, rng: np.random.Generator) -> Results:
        results = self.rows[row.name] = Results()
        for scene in row.scenes(rng):
            for method in self._methods:
                # ECC knows no similarity.
                model = scene.model if scene.model in method.models else "affine"
                begun = time.perf_counter()
                found = method.run(scene.source, scene.target, model)
                seconds = time.perf_counter() - begun
                error = scene.error(found.source_to_target, by_corners=row.by_corners)
                results.add(method.name, error, seconds)
                if method is METHODS[0]:
                    results.refused += found.refused
                    results.wrong += not found.refused and not error <= WRONG_PX
                    if self._failures and not error <= row.limit_px:
                        called = "refused" if found.refused else "aligned"
                        print(
                            f"  pair {len(results.errors[method.name])}, {scene.name}: "
                            f"{error:.3f} px, {called}",
                            flush=True,
                        )
        if results.errors:
            self._print(row, results)
        return results

    def _print(self, row: Row, results: Results) -> None:
        cells = "".join(
            f"{results.within(method.name, row.limit_px):>12.0%}{results.median(method.name):>9.4f}"
            f"{results.ms(method.name):>6.0f}"
            for method in self._methods
        )
        print(
            f"{f'{row.name}, {row.limit_px:g} px':34}{len(results.errors['imalign']):>6}{cells}"
            f"{results.refused:>9}{results.wrong:>7}",
            flush=True,
        )


def shot(
    stage: Stage,
    model: str,
    truth: Floats,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
) -> Scene:
    """Both images of a pair, as a camera delivers them."""
    source = exposed(stage.source(truth, scale=scale), SIGMA, rng)
    return Scene(stage.name, model, source, exposed(stage.target, SIGMA, rng), truth)


def sensible(truth: Floats, size: Size) -> bool:
    """Neither image is folded by the other's view."""
    return plausible(truth, size) and plausible(inverse(truth), size)


def homographies(
    stages: Sequence[Stage], move_px: int, count: int, rng: np.random.Generator
) -> Iterator[Scene]:
    for stage, _ in itertools.product(stages, range(count)):
        truth = random_motion("homography", stage.size, move_px, rng)
        while not sensible(truth, stage.size):
            truth = random_motion("homography", stage.size, move_px, rng)
        yield shot(stage, "homography", truth, rng)


def turned(
    stages: Sequence[Stage], scale: float, every: int, rng: np.random.Generator
) -> Iterator[Scene]:
    for index, degrees in enumerate(ANGLES[::every]):
        stage = stages[index % len(stages)]
        scene = shot(
            stage,
            "similarity",
            about_centre((0.0, 0.0), degrees, scale, stage.size),
            rng,
            scale=scale,
        )
        yield Scene(
            f"{scene.name} {degrees}", "similarity", scene.source, scene.target, scene.truth
        )


def overlap(truth: Floats, size: Size) -> float:
    """Share of the target that the source covers."""
    seen = map_points(truth, corners(size)).astype(np.float32)
    area, _ = cv2.intersectConvexConvex(seen, corners(size).astype(np.float32))
    return float(area) / ((size[0] - 1.0) * (size[1] - 1.0))


def apart(
    stages: Sequence[Stage], model: str, percent: int, count: int, rng: np.random.Generator
) -> Iterator[Scene]:
    """Sources that move in any direction until so much overlap is left."""
    for stage, _ in itertools.product(stages, range(count)):
        turn = rng.uniform(0.0, 360.0) if model == "rigid" else 0.0
        direction = rng.uniform(0.0, 2.0 * np.pi)
        low, high = 0.0, 2.0 * max(stage.size)
        for _ in range(40):
            distance = 0.5 * (low + high)
            moved = shift(distance * np.cos(direction), distance * np.sin(direction))
            truth = moved @ about_centre((0.0, 0.0), turn, 1.0, stage.size)
            if overlap(truth, stage.size) > 0.01 * percent:
                low = distance
            else:
                high = distance
        yield shot(stage, model, truth, rng)


def viewpoint(size: Size, degrees: float, azimuth: float) -> Floats:
    """A flat scene seen by a camera that goes around its middle and keeps looking at it.

    The homography from that camera's pixels to those of the first, which looks straight on.
    """
    width, height = size
    focal = FOCAL * width
    camera = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0, 0, 1.0]])
    turn = np.radians(degrees)
    axis = np.array([np.cos(azimuth), np.sin(azimuth), 0.0]) * turn
    rotation = cv2.Rodrigues(axis)[0]
    # A point X of the plane z = 1 is at R (X - m) + m, m = (0, 0, 1) the middle of the scene.
    middle = np.array([0.0, 0.0, 1.0])
    move = middle - rotation @ middle
    seen = camera @ (rotation + np.outer(move, middle)) @ np.linalg.inv(camera)
    return inverse(seen)


def viewpoints(
    stages: Sequence[Stage], degrees: int, count: int, rng: np.random.Generator
) -> Iterator[Scene]:
    for stage, _ in itertools.product(stages, range(count)):
        truth = viewpoint(stage.size, degrees, rng.uniform(0.0, 2.0 * np.pi))
        yield shot(stage, "homography", truth, rng)


def real_and_more(degrees: int, count: int, rng: np.random.Generator) -> Iterator[Scene]:
    """The real graffiti pair, its source turned by so many degrees more, away from the target."""
    for entry in entries(FOLDER):
        if not entry["source"].startswith("graf"):
            continue
        source, target = (
            cv2.imread(str(FOLDER / entry[role]), cv2.IMREAD_GRAYSCALE)
            for role in ("source", "target")
        )
        size = source.shape[1], source.shape[0]
        truth = np.array(entry["matrix_source_to_target"])
        for azimuth in np.linspace(0.0, 2.0 * np.pi, 2 * count, endpoint=False):
            more = viewpoint(size, degrees, azimuth)
            turned_source = exposed(render(source.astype(np.float64), more, size), 0.0, rng)
            name = f"graf {np.degrees(azimuth):.0f}"
            yield Scene(name, "homography", turned_source, target, truth @ more)


def rectangles(size: Size, share: float, rng: np.random.Generator) -> Mask:
    """(height, width) bool: one to three rectangles that cover the share."""
    width, height = size
    pieces = int(rng.integers(1, 4))
    mask = np.zeros((height, width), np.bool_)
    while mask.mean() < share - SHARE_SLACK:
        part = np.sqrt(min(share / pieces, share - mask.mean()))
        w, h = max(4, round(part * width)), max(4, round(part * height))
        x, y = rng.integers(0, width - w), rng.integers(0, height - h)
        mask[y : y + h, x : x + w] = True
    return mask


def texture_share(image: Floats, mask: Mask) -> float:
    """How much of the pixels with texture a mask covers."""
    along_y, along_x = np.gradient(ndimage.gaussian_filter(image, 1.0))
    energy = along_x**2 + along_y**2
    textured = energy > TEXTURE_SHARE * energy.mean()
    return float(textured[mask].sum() / textured.sum())


def covered(
    stages: Sequence[Stage], kind: str, percent: int, count: int, rng: np.random.Generator
) -> Iterator[Scene]:
    """Pairs in part of which something else is to be seen, or the scene, moved by itself.

    It covers that share of the source, and no more of its texture: else it would be the scene that
    has all of the sky, and the other motion that dominates. (Other content has its contrast halved
    until that is so.)
    """
    for index, stage in enumerate(stages):
        for _ in range(count):
            truth = random_motion("homography", stage.size, COVERED_MOVE_PX, rng)
            source, target = stage.source(truth), stage.target
            if kind == "moves by itself":
                other = stage.source(random_motion("homography", stage.size, COVERED_MOVE_PX, rng))
            else:
                other = render(stages[index - 1].target, np.eye(3), stage.size)
            for draw in itertools.count(1):
                mask = rectangles(stage.size, 0.01 * percent, rng)
                both = np.where(mask, other, source)
                if texture_share(both, mask) <= 0.01 * percent:
                    break
                if draw % 10 == 0 and kind != "moves by itself":
                    other = other.mean() + 0.5 * (other - other.mean())
            if kind == "on the lens":
                target = np.where(mask, other, target)
            images = (exposed(image, SIGMA, rng) for image in (both, target))
            yield Scene(stage.name, "homography", *images, truth)


def cost_of_a_good_start(stages: Sequence[Stage], runs: int, rng: np.random.Generator) -> float:
    """Time with every start at hand over time from identity, where identity will do."""
    ratios = []
    for stage in stages:
        truth = random_motion("homography", stage.size, 10, rng)
        scene = shot(stage, "homography", truth, rng)
        seconds = interleaved(
            {
                name: lambda s=scene, i=name: align(s.source, s.target, init=i)
                for name in ("auto", "identity")
            },
            runs,
        )
        ratios.append(ratio(seconds, "auto", "identity"))
    return statistics.median(ratios)


@dataclass(frozen=True)
class Row:
    """Pairs, and which share of them is to lie within a limit; ``beside`` peers, or alone."""

    name: str
    limit_px: float
    scenes: Callable[[np.random.Generator], Iterator[Scene]]
    least: float = 1.0
    by_corners: bool = False
    beside: bool = False

    def goals(self, results: Results) -> list[Goal]:
        within = results.within("imalign", self.limit_px)
        goals = [Goal(f"{self.name}: within {self.limit_px:g} px", within, 1.0, self.least)]
        peers = [method.name for method in METHODS[1:] if method.name in results.errors]
        if self.beside and peers:
            best = min(map(results.median, peers))
            share = results.median("imalign") / best
            goals.append(Goal(f"{self.name}: median EPE / best peer", share, 0.8))
        return goals


def rows(stages: Sequence[Stage], count: int, every: int) -> list[Row]:
    """All rows: ``count`` pairs of each photograph, one rotation in ``every``."""
    return [
        *(
            Row(
                f"homography, +-{move} px",
                1.0,
                partial(homographies, stages, move, count),
                beside=True,
            )
            for move in MOVES_PX
        ),
        *(Row(f"turned, scale {s:g}", 0.1, partial(turned, stages, s, every)) for s in SCALES),
        *(
            Row(
                f"{model}, overlap {percent} %",
                0.1,
                partial(apart, stages, model, percent, count),
                least=least,
            )
            for model in ("translation", "rigid")
            for percent, least in OVERLAPS.items()
        ),
        *(
            Row(
                f"viewpoint, {degrees} degrees",
                0.4,
                partial(viewpoints, stages, degrees, count),
                by_corners=True,
            )
            for degrees in VIEWPOINTS
        ),
        Row(
            "graffiti, 20 degrees more",
            0.4,
            partial(real_and_more, 20, max(count, 3)),
            by_corners=True,
        ),
        *(
            Row(f"{percent} % {kind}", 1.0, partial(covered, stages, kind, percent, count))
            for kind, shares in COVERED.items()
            for percent in shares
        ),
    ]


def main() -> None:
    options = parser(__doc__, count=20, counted="random pairs for each row, at least")
    options.add_argument("--every", type=int, default=1, metavar="N", help="one rotation in N")
    options.add_argument("--only", default="", help="rows whose name contains this")
    options.add_argument("--alone", action="store_true", help="imalign, and no other method")
    options.add_argument("--failures", action="store_true", help="list the pairs not within limits")
    chosen = options.parse_args()
    stages = [Stage.of(name, size) for name, size in PICTURES.items()]
    count = -(-chosen.count // len(stages))
    table = Table(METHODS[:1] if chosen.alone else METHODS, failures=chosen.failures)
    goals: list[Goal] = []
    for row in rows(stages, count, chosen.every):
        if chosen.only in row.name:
            # Anew for each row, so that one run alone is the same.
            results = table.run(row, np.random.default_rng(chosen.seed))
            goals += row.goals(results) if results.errors else []
    by_start = (
        f"{name} {len(times)} ({1e3 * statistics.median(times):.0f} ms)"
        for name, times in sorted(starts.items())
    )
    print(f"\nimalign by start: {', '.join(by_start)}")
    if "features" in starts:
        seconds = statistics.median(starts["features"])
        goals.append(Goal("a pair that needs features", seconds, 0.5, unit="s"))
    if not chosen.only:
        more = cost_of_a_good_start(stages, chosen.count, np.random.default_rng(chosen.seed))
        goals.append(Goal("auto / identity where identity will do", more, 1.1))
    wrong = sum(results.wrong for results in table.rows.values())
    goals.append(Goal("called aligned and off by more than 1 px", wrong, 0.0))
    print_goals(goals)


if __name__ == "__main__":
    main()
