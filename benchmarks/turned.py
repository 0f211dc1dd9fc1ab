"""Are pairs of unlike sensors found at any angle? ``python -m benchmarks.turned``.

The upright pairs of ``unlike`` in FOLDER (default ../shared/data, beside the repository; see
``benchmarks.real_pairs``), each source turned about its centre on a canvas of its own size, and
enlarged or reduced; what the canvas lacks is masked. ``similarity="auto"``. Right is a mean error
over the source's known pixels of at most 6 px.

A line for each: verdict, mean error and seconds.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.geometry.models import between_centres
from benchmarks.arguments import numbers, parser
from benchmarks.goals import Goal, print_goals
from benchmarks.real_folders import FOLDER, TRUTH, RealPair, entries, read_pair
from benchmarks.real_pairs import RIGHT_UNLIKE_PX, TURNED

ANGLES = (0.0, 33.0, 90.0, 137.0, 180.0, 251.0, 318.0)
SCALES = (1.0,)
MOST_SECONDS = 1.5
LEAST_KNOWN = 250
GRID_PX = 20


@dataclass(frozen=True)
class Run:
    """What became of a turned pair."""

    error_px: float
    verdict: str
    seconds: float

    @property
    def right(self) -> bool:
        return self.error_px <= RIGHT_UNLIKE_PX


def run(pair: RealPair, degrees: float, scale: float) -> Run:
    """Turn and scale the source of a pair, and align it."""
    assert pair.truth is not None
    height, width = pair.source.shape[:2]
    size = width, height
    to_source = between_centres(np.radians(degrees), 1.0 / scale, size, size)
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR)
    turned = cv2.warpAffine(pair.source, to_source[:2], size, flags=flags)
    whole = np.full((height, width), 255, np.uint8)
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    known = cv2.warpAffine(whole, to_source[:2], size, flags=flags) > LEAST_KNOWN
    begin = time.perf_counter()
    found = align(turned, pair.target, similarity="auto", source_mask=known)
    seconds = time.perf_counter() - begin
    rows, columns = np.nonzero(known[::GRID_PX, ::GRID_PX])
    there = GRID_PX * np.column_stack([columns, rows]).astype(np.float64)
    with np.errstate(all="ignore"):
        off = map_points(found.source_to_target, there) - map_points(pair.truth @ to_source, there)
        error = float(np.hypot(*off.T).mean())
    return Run(error if np.isfinite(error) else np.inf, found.outcome.verdict.value, seconds)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    options.add_argument("--angles", type=numbers, default=ANGLES, help="degrees")
    options.add_argument("--scales", type=numbers, default=SCALES)
    chosen = options.parse_args()
    folder = chosen.folder / "unlike"
    if not (folder / TRUTH).exists():
        sys.exit(f"{folder / TRUTH} does not exist: name the folder of the real pairs")
    pairs = [
        read_pair(folder, entry, name=entry["name"])
        for entry in entries(folder)
        if not entry["name"].endswith(TURNED)
    ]
    print(f"{'pair':24}{'degrees':>9}{'scale':>7}{'verdict':>12}{'error px':>10}{'s':>7}")
    runs = []
    for pair in pairs:
        for degrees in chosen.angles:
            for scale in chosen.scales:
                each = run(pair, degrees, scale)
                print(
                    f"{pair.name:24}{degrees:>9.0f}{scale:>7.2g}{each.verdict:>12}"
                    f"{each.error_px:>10.2f}{each.seconds:>7.2f}",
                    flush=True,
                )
                runs.append(each)
    aligned = [each for each in runs if each.verdict == "aligned"]
    refused = len(runs) - sum(each.right for each in aligned)
    print_goals(
        [
            Goal("turned: not right and aligned", refused, 0),
            Goal("turned: wrong, called aligned", sum(not each.right for each in aligned), 0),
            Goal("turned: longest", max(each.seconds for each in runs), MOST_SECONDS, unit="s"),
        ]
    )


if __name__ == "__main__":
    main()
