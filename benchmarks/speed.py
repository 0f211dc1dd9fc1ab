"""How long it takes: ``python -m benchmarks.speed``.

The solver, arrays in and transform out, beside OpenCV's ``findTransformECCMultiScale`` (defaults),
sparse tracking (``goodFeaturesToTrack`` 1000 points, ``calcOpticalFlowPyrLK`` 21x21 on 5 levels,
``findHomography`` with MAGSAC), pystackreg and SimpleITK; then the whole command beside a plain
script that imports cv2, reads both images, warps one and writes two PNG and a JSON one after the
other. Every row is a median over rounds in which all of its methods run one after the other, and
every ratio the median of the rounds' ratios: other work on the machine meets all of them alike.

The drawn pairs are 8-bit grey with noise of 2 grey levels, homographies whose corners move
uniformly within +-10 px; 4 MP pictures are mosaics of photographs. EPE is the mean over the
table's pairs. The real ones are two bands of a drone's camera, of another exposure and with
parallax, enlarged to 4 MP, and as they are; their reference is right to a pixel or so.
"""

from __future__ import annotations

import compileall
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli import Aligner
from align_cli.engine.aligner import align
from align_cli.engine.equations.dense import RowEquations
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import Size, endpoint_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import pyramid
from align_cli.engine.images.supersampled import SupersampledLevel
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.target.planes import target_planes
from align_cli.native.library import level
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.methods import ECC, IMALIGN, Found, Method, imalign
from benchmarks.peers import PEERS
from benchmarks.real_folders import FOLDER, entries, read_pair
from benchmarks.rigid import about_centre
from benchmarks.scenes import (
    Frame,
    Image,
    exposed,
    frames,
    mosaic,
    pair,
    random_motion,
    shift,
)
from benchmarks.timing import interleaved, ratio

REAL_PAIR = "drone_760_source.jpg"

MOVE_PX = 10
SIGMA = 2.0
SMALL_PICTURES = ("camera.png", "coffee.png", "motorcycle_left.png")
LARGE: Size = (2000, 2000)
RIGID: Size = (250, 300)
FRAME: Size = (640, 480)
COMMAND_SIZES: dict[str, Size] = {
    "0.13 MP": (416, 312),
    "4 MP": (2000, 2000),
    "24 MP": (6000, 4000),
}

Grey = NDArray[np.uint8]
Seconds = dict[str, list[float]]


def sparse_tracking(source: Image, target: Image, model: str) -> Found:
    """What people pick when they are in a hurry."""
    start = cv2.goodFeaturesToTrack(source, 1000, 0.01, 5)
    end, tracked, _ = cv2.calcOpticalFlowPyrLK(
        source, target, start, None, winSize=(21, 21), maxLevel=5
    )
    kept = tracked.ravel() == 1
    found, _ = cv2.findHomography(start[kept], end[kept], cv2.USAC_MAGSAC, 1.0)
    return Found(found)


def least_squares(source: Image, target: Image, model: str) -> Found:
    return Found(align(source, target, model=model, loss="l2").source_to_target)


METHODS = (
    *IMALIGN[:2],
    Method("l2", least_squares),
    ECC,
    Method("tracking", sparse_tracking),
)


class Table:
    """Times and errors of several methods on several pairs."""

    def __init__(self, title: str, methods: Sequence[Method], runs: int) -> None:
        self.title, self.methods, self.runs = title, methods, runs
        self.seconds: Seconds = defaultdict(list)
        self.errors: dict[str, list[float]] = defaultdict(list)

    def run(self, source: Image, target: Image, truth: NDArray[np.float64], model: str) -> None:
        height, width = target.shape
        calls = {m.name: lambda m=m: m.run(source, target, model) for m in self.methods}
        for name, seconds in interleaved(calls, self.runs).items():
            self.seconds[name] += seconds
        for method in self.methods:
            found = method.run(source, target, model).source_to_target
            errors = endpoint_error(inverse(found), inverse(truth), (width, height))
            self.errors[method.name].append(float(errors.mean()))

    def epe(self, name: str) -> float:
        return float(np.mean(self.errors[name]))

    def ratio(self, name: str, other: str) -> float:
        return ratio(self.seconds, name, other)

    def show(self, beside: str) -> None:
        print(f"\n{self.title}\n{'':12}{'ms':>9}{'/ ' + beside:>12}{'EPE px':>10}")
        for name, seconds in self.seconds.items():
            ms = 1e3 * statistics.median(seconds)
            print(f"{name:12}{ms:>9.1f}{self.ratio(name, beside):>12.2f}{self.epe(name):>10.4f}")


def large_frame() -> Frame:
    picture = mosaic((LARGE[0] + 2 * MOVE_PX, LARGE[1] + 2 * MOVE_PX))
    return Frame("mosaic", picture, MOVE_PX)


def homographies(
    title: str, stage: Sequence[Frame], count: int, runs: int, rng: np.random.Generator
) -> Table:
    table = Table(title, METHODS, runs)
    for frame in stage:
        for _ in range(count):
            truth = random_motion("homography", frame.size, MOVE_PX, rng)
            source = exposed(frame.source(truth), SIGMA, rng)
            table.run(source, exposed(frame.target, SIGMA, rng), truth, "homography")
    table.show(ECC.name)
    return table


def rigid(runs: int, rng: np.random.Generator) -> Table:
    peers = [peer for peer in PEERS if "rigid" in peer.models]
    table = Table("rigid, 250x300", (imalign("balanced"), *peers), runs)
    for name in ("camera.png", "coffee.png"):
        truth = about_centre(3.0, (4.0, -3.0))
        scene = pair(name, truth, RIGID, sigma=SIGMA, rng=rng)
        table.run(scene.source, scene.target, truth, "rigid")
    table.show("balanced")
    return table


def phase_correlation(source: Image, target: Image, model: str) -> Found:
    """OpenCV's, with the window that it asks for."""
    images = [image.astype(np.float32) for image in (source, target)]
    window = cv2.createHanningWindow(target.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(*images, window)
    return Found(shift(x, y))


def translation(runs: int, rng: np.random.Generator) -> Table:
    phase = Method("phase", phase_correlation)
    table = Table("translation, 0.2 to 0.35 MP", (*IMALIGN[:2], phase), runs)
    for frame in frames(SMALL_PICTURES, rim=MOVE_PX):
        truth = shift(*rng.uniform(-MOVE_PX, MOVE_PX, 2))
        source = exposed(frame.source(truth), SIGMA, rng)
        table.run(source, exposed(frame.target, SIGMA, rng), truth, "translation")
    table.show(phase.name)
    return table


def real(size: Size | None, runs: int) -> Table | None:
    """The real pair, enlarged to a size, or as it is; None where the pictures are not there."""
    if not (FOLDER / "real").is_dir():
        return None
    entry = next(e for e in entries(FOLDER / "real") if e["source"] == REAL_PAIR)
    both = read_pair(FOLDER / "real", entry)
    source, target = (
        image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        for image in (both.source, both.target)
    )
    height, width = target.shape
    assert both.truth is not None
    truth = both.truth
    if size is not None:
        # cv2.resize moves the centres of pixels.
        x, y = size[0] / width, size[1] / height
        larger = np.array([[x, 0.0, 0.5 * x - 0.5], [0.0, y, 0.5 * y - 0.5], [0.0, 0.0, 1.0]])
        truth = larger @ truth @ np.linalg.inv(larger)
        source, target = (
            cv2.resize(image, size, interpolation=cv2.INTER_CUBIC) for image in (source, target)
        )
    megapixels = target.size / 1e6
    table = Table(f"homography, {megapixels:.1f} MP, real", METHODS, runs)
    table.run(source, target, truth, "homography")
    table.show(ECC.name)
    return table


def milliseconds_per_megapixel(runs: int, rng: np.random.Generator) -> float:
    """One pass over all rows of 4 MP with Tukey's weights, on two threads."""
    frame = large_frame()
    truth = random_motion("homography", frame.size, MOVE_PX, rng)
    source, target = (
        luma(exposed(image, SIGMA, rng)) for image in (frame.source(truth), frame.target)
    )
    sampled = SupersampledLevel(pyramid(source, 1)[0], source)
    planes = target_planes(pyramid(target, 1)[0])
    assert planes is not None
    state = State(truth, Illumination.uniform())
    with Threads(2) as threads:
        seconds = interleaved(
            {
                "": lambda: RowEquations(
                    planes, sampled, MODELS["homography"], LOSSES["tukey"], threads=threads
                ).sums(state, 0.02, with_matrix=False)
            },
            3 * runs,
        )[""]
    found = 1e3 * statistics.median(seconds) / (math.prod(LARGE) / 1e6)
    print(f"\na pass with robust weights, two threads: {found:.2f} ms a megapixel ({level()})")
    return found


def frames_per_second(count: int, rng: np.random.Generator) -> float:
    """Of a 640x480 rigid sequence, one ``Aligner`` for all, on one thread."""
    picture = mosaic((FRAME[0] + 60, FRAME[1] + 60))
    target = exposed(picture[30:-30, 30:-30], SIGMA, rng)
    aligner = Aligner(target, model="rigid", preset="fast", threads=1)
    motions = [random_motion("rigid", FRAME, MOVE_PX, rng) for _ in range(8)]
    sources = [exposed(Frame("", picture, 30).source(truth), SIGMA, rng) for truth in motions]

    def sequence() -> None:
        for source in sources:
            assert aligner.align(source).outcome.aligned

    seconds = statistics.median(interleaved({"": sequence}, count)[""])
    fps = len(sources) / seconds
    print(f"\nAligner, 640x480 rigid, fast: {fps:.0f} frames/s")
    return fps


PLAIN_SCRIPT = """
import json, sys
import cv2
import numpy as np
source, target = (cv2.imread(path) for path in sys.argv[1:3])
height, width = target.shape[:2]
warped = cv2.warpPerspective(source, np.eye(3), (width, height))
cv2.imwrite(sys.argv[3] + "_warped.png", warped)
cv2.imwrite(sys.argv[3] + "_error.png", cv2.absdiff(warped, target))
with open(sys.argv[3] + ".json", "w") as file:
    json.dump({"source_to_target": np.eye(3).tolist()}, file)
"""


def command(name: str, size: Size, folder: Path, runs: int, rng: np.random.Generator) -> Seconds:
    """The whole command, and the plain script, on a colour pair of this size."""
    compileall.compile_dir("align_cli", quiet=1)  # as pip leaves a package that it installs
    paths = [str(folder / f"{role}.png") for role in ("a", "b")]
    for path, image in zip(paths, colour_pair(size, rng), strict=True):
        cv2.imwrite(path, image)
    script = folder / "plain.py"
    script.write_text(PLAIN_SCRIPT)

    def run(*arguments: str) -> None:
        subprocess.run(arguments, check=True, cwd=folder, capture_output=True)

    seconds = interleaved(
        {
            "imalign": lambda: run(sys.executable, "-m", "align_cli", "-q", *paths),
            "plain script": lambda: run(sys.executable, str(script), *paths, "plain"),
        },
        runs,
    )
    found = json.loads((folder / "a_aligned.json").read_text())
    assert found["outcome"]["aligned"]
    print(
        f"{name:12}{1e3 * statistics.median(seconds['imalign']):>12.0f}"
        f"{1e3 * statistics.median(seconds['plain script']):>15.0f}"
        f"{ratio(seconds, 'imalign', 'plain script'):>9.2f}"
    )
    return seconds


def colour_pair(size: Size, rng: np.random.Generator) -> tuple[Grey, Grey]:
    """Source and target, (height, width, 3) uint8; resampled linearly, which no one sees here."""
    picture = mosaic((size[0] + 40, size[1] + 40), colour=True)
    truth = random_motion("homography", size, MOVE_PX, rng)
    moved = cv2.warpPerspective(
        picture, shift(20.0, 20.0) @ truth, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    noise = rng.normal(0.0, SIGMA, (2, *moved.shape)).astype(np.float32)
    images = moved, picture[20:-20, 20:-20]
    source, target = (
        np.clip(np.rint(image + n), 0, 255).astype(np.uint8)
        for image, n in zip(images, noise, strict=True)
    )
    return source, target


def start_up(runs: int) -> float:
    """Seconds that ``imalign --help`` takes beyond an empty Python."""

    def run(*arguments: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    seconds = interleaved(
        {"help": run("-m", "align_cli", "--help"), "pass": run("-c", "pass")}, runs
    )
    beyond = statistics.median(a - b for a, b in zip(seconds["help"], seconds["pass"], strict=True))
    print(f"\nimalign --help: {beyond:.3f} s more than python -c pass")
    return beyond


def main() -> None:
    options = parser(__doc__, count=7, counted="rounds").parse_args()
    rng = np.random.default_rng(options.seed)
    runs = options.count
    large = homographies("homography, 4 MP", [large_frame()], 2, runs, rng)
    stage = frames(SMALL_PICTURES, rim=MOVE_PX)
    small = homographies("homography, 0.2 to 0.35 MP", stage, 2, runs, rng)
    small_rigid, shifts = rigid(runs, rng), translation(runs, rng)
    real_large, real_small = real(LARGE, runs), real(None, runs)
    of_pass = milliseconds_per_megapixel(runs, rng)
    fps = frames_per_second(runs, rng)
    print(f"\n{'command':12}{'imalign ms':>12}{'plain script':>15}{'ratio':>9}")
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            name: command(name, size, Path(folder), runs, rng)
            for name, size in COMMAND_SIZES.items()
        }
    beyond = start_up(runs)
    goals = []
    for table, name, least in (
        (large, "4 MP", (8.0, 10.0, 16.0)),
        (real_large, "4 MP real", (4.0, 5.0, 10.0)),
        (small, "0.3 MP", (4.0, 0.0, 0.0)),
        (real_small, "0.8 MP real", (4.0, 0.0, 0.0)),
    ):
        for method, ratio_of in zip(("balanced", "l2", "fast"), least, strict=True):
            if table is not None and ratio_of:
                faster = 1.0 / table.ratio(method, "ECC")
                goals.append(Goal(f"{name}: ECC / {method}", faster, np.inf, ratio_of))
    goals += [
        Goal("4 MP: EPE balanced / ECC", large.epe("balanced") / large.epe("ECC"), 1.0),
        Goal("4 MP: EPE l2 / ECC", large.epe("l2") / large.epe("ECC"), 1.0),
        Goal("4 MP: EPE fast / balanced", large.epe("fast") / large.epe("balanced"), 2.0),
        Goal("0.3 MP: tracking / balanced", 1 / small.ratio("balanced", "tracking"), np.inf, 2.0),
        Goal("4 MP: tracking / balanced", 1 / large.ratio("balanced", "tracking"), np.inf, 1.5),
    ]
    for name, table in (("4 MP", large), ("0.3 MP", small)):
        faster = 1.0 / table.ratio("fast", "tracking")
        goals += [
            Goal(f"{name}: tracking / fast", faster, np.inf, 3.0),
            Goal(f"{name}: EPE fast / tracking", table.epe("fast") / table.epe("tracking"), 0.2),
        ]
    for peer, least_ratio in (("pystackreg", 12.0), ("SimpleITK", 60.0)):
        if peer in small_rigid.seconds:
            faster = small_rigid.ratio(peer, "balanced")
            goals.append(Goal(f"rigid: {peer} / balanced", faster, np.inf, least_ratio))
    goals += [
        Goal("translation: balanced / phaseCorrelate", shifts.ratio("balanced", "phase"), 1.0),
        Goal(
            "translation: EPE balanced / phaseCorrelate",
            shifts.epe("balanced") / shifts.epe("phase"),
            0.2,
        ),
        Goal("Aligner: frames/s, one thread", fps, np.inf, 400.0),
        Goal("a pass, two threads", of_pass, 1.3, unit="ms/MP"),
    ]
    for (name, seconds), limit in zip(commands.items(), (1.25, 0.75, 0.6), strict=True):
        goals.append(
            Goal(f"{name}: command / script", ratio(seconds, "imalign", "plain script"), limit)
        )
    goals.append(Goal("imalign --help beyond python -c pass", beyond, 0.1, unit="s"))
    print_goals(goals)


if __name__ == "__main__":
    main()
