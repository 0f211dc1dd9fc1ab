"""Real photographs with reference homographies: ``python -m benchmarks.real_pairs [FOLDER]``.

FOLDER holds ``truth.json`` and the images it names (default ../shared/data, beside the
repository). Default options, from identity. The last lines repeat the measure of the well-known
homography tutorial on the graffiti pair: the mean absolute difference (grey values 0..1) at full
size between the source warped by the estimate and by the true homography.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from align_cli import align
from align_cli.engine.coordinates import corner_error
from benchmarks.timing import median_ms

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
TUTORIAL_GOAL, TUTORIAL_AIM, TUTORIAL_MS = 0.0053, 0.0040, 40.0


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not (folder / "truth.json").exists():
        sys.exit(f"{folder}/truth.json does not exist: name the folder of the real pairs")
    print(f"{'pair':18}{'outcome':>12}{'corner error px':>17}{'goal':>7}{'ms':>7}")
    tutorial = ""
    for entry in json.loads((folder / "truth.json").read_text())["pairs"]:
        source, target = (
            cv2.cvtColor(cv2.imread(str(folder / entry[role])), cv2.COLOR_BGR2RGB)
            for role in ("source", "target")
        )
        truth = np.array(entry["matrix_source_to_target"])
        found = align(source, target)
        error = corner_error(found.source_to_target, truth, found.source_size)
        ms = median_ms(lambda s=source, t=target: align(s, t))
        goal = entry["corner_error_reachable_px"]
        print(
            f"{entry['source']:18}{found.outcome.status.value:>12}{error:>17.3f}{goal:>7}{ms:>7.1f}"
            f"  {'reached' if found.outcome.aligned and error <= goal else 'MISSED'}"
        )
        if entry["source"].startswith("graf"):
            picture = source.astype(np.float32) / 255.0
            by_estimate, by_truth = (
                cv2.warpPerspective(picture, matrix, found.target_size)
                for matrix in (found.source_to_target, truth)
            )
            mae = float(np.abs(by_estimate - by_truth).mean())
            tutorial = (
                f"tutorial, mean absolute difference {mae:.4f} (goal {TUTORIAL_GOAL}, "
                f"aim {TUTORIAL_AIM}) in {ms:.1f} ms (goal {TUTORIAL_MS:.0f}): "
                f"{'reached' if mae <= TUTORIAL_GOAL and ms <= TUTORIAL_MS else 'MISSED'}"
            )
    print(tutorial)


if __name__ == "__main__":
    main()
