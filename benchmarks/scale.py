"""How time and memory grow with the picture: ``python -m benchmarks.scale``.

Mosaics of photographs of 1 to 100 MP, homographies whose corners move uniformly within +-10 px,
noise of 2 grey levels. The solver's time is that of grey arrays in, transform out, the median of
``--count`` runs; the command's memory is the peak of the whole process on colour PNG files, beside
the size of both decoded inputs. ``--plot FILE`` draws both against the megapixels (PNG or SVG).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np

from align_cli import align
from align_cli.engine.geometry.coordinates import Size
from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.speed import colour_pair
from benchmarks.timing import interleaved

SIDES = (1000, 2000, 4000, 7000, 10000)
MOST_SHARE_OF_INPUTS = 2.5

# A process of its own, because a child's peak begins with what its parent holds.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def solver_seconds(source: np.ndarray, target: np.ndarray, runs: int) -> float:
    def solve() -> None:
        assert align(source, target).outcome.aligned

    return statistics.median(interleaved({"": solve}, runs)[""])


def command_peak_mb(source: np.ndarray, target: np.ndarray) -> float:
    """Peak memory of the whole command, in megabytes (10^6)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, image in (("a.png", source), ("b.png", target)):
            cv2.imwrite(str(Path(folder) / name), image)
        command = [sys.executable, "-m", "align_cli", "-q", "a.png", "b.png"]
        launched = subprocess.run(
            [sys.executable, "-c", LAUNCHER, *command],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
    return int(launched.stdout) * 1024 / 1e6


def plot(path: str, megapixels: list[float], seconds: list[float], peaks: list[float]) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
    times.plot(megapixels, seconds, "o-")
    times.set(xlabel="megapixels", ylabel="solver, s", xscale="log", yscale="log")
    inputs = [6.0 * each for each in megapixels]
    memory.plot(megapixels, peaks, "o-", label="peak of the command")
    memory.plot(megapixels, inputs, "k--", label="both decoded inputs")
    memory.set(xlabel="megapixels", ylabel="MB", xscale="log", yscale="log")
    memory.legend()
    figure.savefig(path)


def main() -> None:
    options = parser(__doc__, count=3, counted="runs of the solver")
    options.add_argument("--plot", metavar="FILE", help="draw time and memory, .png or .svg")
    arguments = options.parse_args()
    rng = np.random.default_rng(arguments.seed)
    print(f"{'MP':>6}{'solver s':>10}{'ms per MP':>11}{'peak MB':>9}{'/ inputs':>10}")
    megapixels, seconds, peaks = [], [], []
    for side in SIDES:
        size: Size = (side, side)
        source, target = colour_pair(size, rng)
        grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (source, target)]
        megapixels.append(side * side / 1e6)
        seconds.append(solver_seconds(*grey, arguments.count))
        peaks.append(command_peak_mb(source, target))
        print(
            f"{megapixels[-1]:>6.0f}{seconds[-1]:>10.3f}{1e3 * seconds[-1] / megapixels[-1]:>11.1f}"
            f"{peaks[-1]:>9.0f}{peaks[-1] / (6.0 * megapixels[-1]):>10.2f}",
            flush=True,
        )
    if arguments.plot:
        plot(arguments.plot, megapixels, seconds, peaks)
    per_megapixel = [s / mp for s, mp in zip(seconds, megapixels, strict=True)]
    print_goals(
        [
            Goal("time per MP, largest / at 1 MP", max(per_megapixel) / per_megapixel[0], 1.0),
            Goal(
                f"{megapixels[-1]:.0f} MP: peak / both decoded inputs",
                peaks[-1] / (6.0 * megapixels[-1]),
                MOST_SHARE_OF_INPUTS,
            ),
        ]
    )


if __name__ == "__main__":
    main()
