"""Real photographs with reference transforms: ``python -m benchmarks.real_pairs [FOLDER]``.

FOLDER (default ../shared/data, beside the repository) holds ``truth.json`` and the images it names,
and where they are given the folders ``real`` and ``unlike`` with one each.

- FOLDER: pairs with accurate homographies, default options, from identity. The goals of the corner
  error are what the reference itself allows. "tutorial" is the measure of the well-known homography
  tutorial on the graffiti pair: the mean absolute difference (grey values 0..1) at full size
  between the source warped by the estimate and by the true homography.
- ``real``: pairs that nobody drew, with a consensus of features that is right to a pixel or so,
  default options. Right is a corner error of at most 3 px or 0.2 % of the diagonal; where there is
  no consensus, the pair must be called aligned.
- ``unlike``: pairs of different kinds of sensor, ``similarity="auto"``. Right is a corner error
  of at most 6 px. Each source is also laid over the target of the next pair, which shows something
  else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from align_cli import align
from align_cli.engine.geometry.coordinates import corner_error
from benchmarks.goals import Goal, print_goals
from benchmarks.real_folders import FOLDER, TRUTH, Answer, RealPair, answer, entries, read_pair
from benchmarks.timing import median_ms

TUTORIAL, TUTORIAL_AIM, TUTORIAL_MS = 0.0053, 0.0040, 40.0
RIGHT_PX, RIGHT_SHARE, RIGHT_UNLIKE_PX = 3.0, 0.002, 6.0
TURNED = "-turned"
"""Ends the names of the pairs of unlike kinds that are turned by a quarter or a half."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not (folder / TRUTH).exists():
        sys.exit(f"{folder / TRUTH} does not exist: name the folder of the real pairs")
    print_goals([*_accurate(folder), *_consensus(folder / "real"), *_unlike(folder / "unlike")])


def _accurate(folder: Path) -> list[Goal]:
    print(f"{'pair':24}{'verdict':>12}{'corner error px':>17}{'ms':>7}")
    goals, tutorial = [], []
    for entry in entries(folder):
        pair = read_pair(folder, entry, name=entry["source"])
        found = align(pair.source, pair.target)
        error = corner_error(found.source_to_target, pair.truth, found.source_size)
        ms = median_ms(lambda p=pair: align(p.source, p.target))
        _print(pair, Answer(error, found.outcome.verdict.value, ms / 1000.0))
        vouched_for = error if found.outcome.aligned else np.inf
        reachable = entry["corner_error_reachable_px"]
        goals.append(Goal(f"{pair.name}: corner error", vouched_for, reachable, unit="px"))
        if pair.name.startswith("graf"):
            picture = pair.source.astype(np.float32) / 255.0
            by_estimate, by_truth = (
                cv2.warpPerspective(picture, matrix, found.target_size)
                for matrix in (found.source_to_target, pair.truth)
            )
            mae = float(np.abs(by_estimate - by_truth).mean())
            tutorial = [
                Goal("tutorial: mean absolute difference", mae, TUTORIAL),
                Goal("tutorial: the same, aimed at", mae, TUTORIAL_AIM),
                Goal("tutorial: time", ms, TUTORIAL_MS, unit="ms"),
            ]
    return [*goals, *tutorial]


def _consensus(folder: Path) -> list[Goal]:
    refused = wrong = 0
    for entry in entries(folder):
        pair = read_pair(folder, entry)
        found = answer(pair)
        _print(pair, found)
        right = not found.error_px > max(RIGHT_PX, RIGHT_SHARE * pair.diagonal)
        refused += right and not found.aligned
        wrong += not right and found.aligned
    if not entries(folder):
        return []
    return [
        Goal("real: right or without a consensus, but refused", refused, 0),
        Goal("real: wrong, called aligned", wrong, 0),
    ]


def _unlike(folder: Path) -> list[Goal]:
    pairs = [read_pair(folder, entry, name=entry["name"]) for entry in entries(folder)]
    if not pairs:
        return []
    refused = wrong = unrelated = 0
    for pair in pairs:
        found = answer(pair, similarity="auto")
        _print(pair, found)
        right = found.error_px <= RIGHT_UNLIKE_PX
        refused += not (right and found.aligned)
        wrong += not right and found.aligned
    upright = [pair for pair in pairs if not pair.name.endswith(TURNED)]
    for pair, other in zip(upright, [*upright[1:], *upright[:1]], strict=True):
        crossed = RealPair(f"{pair.name} x", pair.source, other.target, None)
        found = answer(crossed, similarity="auto")
        _print(crossed, found)
        unrelated += found.aligned
    return [
        Goal("unlike: not right and aligned", refused, 0),
        Goal("unlike: wrong, called aligned", wrong, 0),
        Goal("unlike, unrelated: called aligned", unrelated, 0),
    ]


def _print(pair: RealPair, found: Answer) -> None:
    ms = 1000.0 * found.seconds
    print(f"{pair.name:24}{found.verdict:>12}{found.error_px:>17.3f}{ms:>7.0f}")


if __name__ == "__main__":
    main()
