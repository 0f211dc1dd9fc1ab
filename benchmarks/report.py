"""What a report costs: ``python -m benchmarks.report [--count N]``.

Pairs in colour of 1 and 4 MP, mosaics of photographs under a homography that moves the corners by
up to 10 px, with noise of 2 grey levels, are aligned by the whole command, files included, with and
without ``--report``, one after the other. Seconds added are the median of the rounds' differences.

A line for each size: bytes of the report, of one with ``--report-lossless``, and seconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.arguments import parser
from benchmarks.goals import Goal, print_goals
from benchmarks.scenes import mosaic, random_motion
from benchmarks.timing import interleaved

MOVE_PX, SIGMA = 10.0, 2.0
RIM_PX = 20
SIZES = {"1 MP": (1000, 1000), "4 MP": (2000, 2000)}
MOST_BYTES = {"1 MP": 1.5e6, "4 MP": 3e6}
MOST_SECONDS = {"1 MP": 0.15, "4 MP": 0.5}
ROUNDS = 15
REPORT = "report.html"


def write_pair(folder: Path, size: tuple[int, int], seed: int) -> None:
    """``source.png`` and ``target.png``, 8-bit colour."""
    rng = np.random.default_rng(seed)
    width, height = size
    scene = mosaic((width + 2 * RIM_PX, height + 2 * RIM_PX), colour=True)
    to_target = random_motion("homography", size, MOVE_PX, rng)
    inside = np.array([[1.0, 0.0, RIM_PX], [0.0, 1.0, RIM_PX], [0.0, 0.0, 1.0]])
    for name, to_scene in (("source", inside @ to_target), ("target", inside)):
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(scene, to_scene, size, flags=flags)
        cv2.imwrite(str(folder / f"{name}.png"), exposed(seen, rng))


def exposed(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    noise = rng.normal(0.0, SIGMA, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def imalign(folder: Path, *more: str) -> None:
    command = [sys.executable, "-m", "align_cli", "-q", "source.png", "target.png", *more]
    subprocess.run(command, cwd=folder, check=True)


def measured(size: tuple[int, int], rounds: int, seed: int) -> tuple[int, int, float, float]:
    """Bytes of both kinds of report, seconds without one and seconds added."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pair(folder, size, seed)
        imalign(folder, "--report", REPORT, "--report-lossless")
        exact = (folder / REPORT).stat().st_size
        calls: dict[str, Callable[[], object]] = {
            "without": partial(imalign, folder),
            "with": partial(imalign, folder, "--report", REPORT),
        }
        seconds = interleaved(calls, rounds)
        added = [b - a for a, b in zip(seconds["without"], seconds["with"], strict=True)]
        usual = statistics.median(seconds["without"])
        return (folder / REPORT).stat().st_size, exact, usual, statistics.median(added)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "", count=ROUNDS, counted="rounds").parse_args(arguments)
    print(f"{'size':6} {'report MB':>10} {'lossless MB':>12} {'command s':>10} {'added s':>8}")
    goals = []
    for name, size in SIZES.items():
        lossy, exact, usual, added = measured(size, options.count, options.seed)
        print(f"{name:6} {lossy / 1e6:10.2f} {exact / 1e6:12.2f} {usual:10.3f} {added:8.3f}")
        goals += [
            Goal(f"{name}: report", lossy / 1e6, MOST_BYTES[name] / 1e6, unit="MB"),
            Goal(f"{name}: added by it", added, MOST_SECONDS[name], unit="s"),
        ]
    print_goals(goals)


if __name__ == "__main__":
    main()
