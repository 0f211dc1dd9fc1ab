"""Folders of real pairs beside the repository: ``truth.json`` and the pictures that it names.

They are for measuring only and no part of the project; whoever has none cannot run the benchmarks
that ask for them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.files.images import read_image
from benchmarks.scenes import Floats

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
TRUTH = "truth.json"

Pixels = NDArray[Any]
"""(height, width) or (height, width, channels), in the file's own dtype."""


@dataclass(frozen=True, eq=False)
class RealPair:
    """Two pictures and, where it is known, the transform between them.

    Attributes:
        truth: (3, 3) source_to_target; None where there is none.
    """

    name: str
    source: Pixels
    target: Pixels
    truth: Floats | None

    @property
    def diagonal(self) -> float:
        """Of the target, px."""
        return float(np.hypot(*self.target.shape[:2]))


@dataclass(frozen=True)
class Answer:
    """What ``align`` made of a pair.

    Attributes:
        error_px: corner error against the truth; inf where there is no transform, NaN where there
            is no truth.
        verdict: "aligned", "doubtful" or "failed".
    """

    error_px: float
    verdict: str
    seconds: float

    @property
    def aligned(self) -> bool:
        return self.verdict == "aligned"


def entries(folder: Path) -> list[dict[str, Any]]:
    """The pairs of the folder's ``truth.json``; none where it is absent."""
    path = folder / TRUTH
    return list(json.loads(path.read_text())["pairs"]) if path.exists() else []


def read_pair(folder: Path, entry: dict[str, Any], *, name: str = "") -> RealPair:
    """The pair of an entry with the keys source, target and matrix_source_to_target.

    Its name is ``name``, or what its two files' names have in common.
    """
    source, target = (read_image(folder / entry[role]).pixels for role in ("source", "target"))
    matrix = entry["matrix_source_to_target"]
    truth = None if matrix is None else np.array(matrix, np.float64)
    stem = Path(entry["source"]).stem.removesuffix("_source")
    return RealPair(name or stem, source, target, truth)


def answer(pair: RealPair, **options: str) -> Answer:
    """Align a pair, and hold the transform against the truth."""
    start = time.perf_counter()
    try:
        found = align(pair.source, pair.target, **options)
    except ImageError:
        return Answer(np.inf, "failed", time.perf_counter() - start)
    seconds = time.perf_counter() - start
    error = np.nan
    if pair.truth is not None:
        error = corner_error(found.source_to_target, pair.truth, found.source_size)
    return Answer(error, found.outcome.verdict.value, seconds)
