"""What a report costs: ``python -m benchmarks.report [--count N]``.

Pairs in colour of 1 and 4 MP, mosaics of photographs under a homography that moves the corners by
up to 10 px, with noise of 2 grey levels, are aligned by the whole command, files included, with and
without ``--report``, one after the other. Seconds added are the median of the rounds' differences.

Where Chromium and Playwright are installed the report is opened, and the seconds until all its
pictures are decoded are told.

A line for each size: bytes of the report, of one with ``--report-lossless``, and seconds.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
MOST_OPENING = {"1 MP": 1.0}
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


class Cost(NamedTuple):
    """Bytes of both kinds of report; seconds without one, added by one, and to open it."""

    lossy: int
    exact: int
    usual: float
    added: float
    opening: float | None


def measured(size: tuple[int, int], rounds: int, seed: int) -> Cost:
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
        lossy = (folder / REPORT).stat().st_size
        return Cost(lossy, exact, usual, statistics.median(added), opening(folder / REPORT))


def opening(page: Path) -> float | None:
    """Seconds in which a browser opens a page; None without one."""
    browser = shutil.which("chromium")
    if browser is None or importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (an extra)

    decoded = """async () => {
        await Promise.all([...document.images].map((image) => image.decode()));
        return performance.now() / 1000;
    }"""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        shown = running.new_page()
        shown.goto(page.as_uri())
        return float(shown.evaluate(decoded))


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "", count=ROUNDS, counted="rounds").parse_args(arguments)
    heads = f"{'size':6} {'report MB':>10} {'lossless MB':>12} {'command s':>10} {'added s':>8}"
    print(f"{heads} {'opens in s':>10}")
    goals = []
    for name, size in SIZES.items():
        cost = measured(size, options.count, options.seed)
        lossy, opens = cost.lossy / 1e6, cost.opening
        print(
            f"{name:6} {lossy:10.2f} {cost.exact / 1e6:12.2f} {cost.usual:10.3f} "
            f"{cost.added:8.3f} {'no browser' if opens is None else f'{opens:10.3f}'}"
        )
        goals += [
            Goal(f"{name}: report", lossy, MOST_BYTES[name] / 1e6, unit="MB"),
            Goal(f"{name}: added by it", cost.added, MOST_SECONDS[name], unit="s"),
        ]
        if opens is not None and name in MOST_OPENING:
            goals.append(Goal(f"{name}: opens in", opens, MOST_OPENING[name], unit="s"))
    print_goals(goals)


if __name__ == "__main__":
    main()
