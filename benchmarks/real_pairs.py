"""Real photographs with reference homographies: ``python -m benchmarks.real_pairs [FOLDER]``.

FOLDER holds ``truth.json`` and the images it names (default ../shared/data, beside the
repository). Default options, from identity. The goals of the corner error are what the reference
itself allows. "tutorial" is the measure of the well-known homography tutorial on the graffiti pair:
the mean absolute difference (grey values 0..1) at full size between the source warped by the
estimate and by the true homography.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from align_cli import align
from align_cli.engine.coordinates import corner_error
from benchmarks.goals import Goal, print_goals
from benchmarks.timing import median_ms

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
TUTORIAL, TUTORIAL_AIM, TUTORIAL_MS = 0.0053, 0.0040, 40.0


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not (folder / "truth.json").exists():
        sys.exit(f"{folder}/truth.json does not exist: name the folder of the real pairs")
    print(f"{'pair':18}{'outcome':>12}{'corner error px':>17}{'ms':>7}")
    goals, tutorial = [], []
    for entry in json.loads((folder / "truth.json").read_text())["pairs"]:
        source, target = (
            cv2.cvtColor(cv2.imread(str(folder / entry[role])), cv2.COLOR_BGR2RGB)
            for role in ("source", "target")
        )
        truth = np.array(entry["matrix_source_to_target"])
        found = align(source, target)
        error = corner_error(found.source_to_target, truth, found.source_size)
        ms = median_ms(lambda s=source, t=target: align(s, t))
        print(f"{entry['source']:18}{found.outcome.status.value:>12}{error:>17.3f}{ms:>7.1f}")
        vouched_for = error if found.outcome.aligned else np.inf
        reachable = entry["corner_error_reachable_px"]
        goals.append(Goal(f"{entry['source']}: corner error", vouched_for, reachable, unit="px"))
        if entry["source"].startswith("graf"):
            picture = source.astype(np.float32) / 255.0
            by_estimate, by_truth = (
                cv2.warpPerspective(picture, matrix, found.target_size)
                for matrix in (found.source_to_target, truth)
            )
            mae = float(np.abs(by_estimate - by_truth).mean())
            tutorial = [
                Goal("tutorial: mean absolute difference", mae, TUTORIAL),
                Goal("tutorial: the same, aimed at", mae, TUTORIAL_AIM),
                Goal("tutorial: time", ms, TUTORIAL_MS, unit="ms"),
            ]
    print_goals([*goals, *tutorial])


if __name__ == "__main__":
    main()
