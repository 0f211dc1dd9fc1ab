"""What the smoothing of the orientation planes rests on: how exact right answers are with each."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np

from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import endpoint_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images import structure_tensor as orientation
from align_cli.engine.images.luma import luma
from align_cli.engine.images.structure_tensor import SMOOTHING_PX
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.search.gradient import Gradient
from align_cli.engine.search.similarity import Task
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.target.target import Target
from benchmarks.scenes import Floats, Frame, Image, exposed, random_motion
from benchmarks.unlike_scenes import RENDERINGS

SIGMA = 5.0
MOVE_PX = 20
SMOOTHINGS_PX = 0.35, 0.5, 0.7, 1.0, 1.5
RIGHT_PX = 1.0
MODEL = MODELS["homography"]
OPTIONS = Options(similarity="gradient")


def error_at_rest(source: Image, target: Image, truth: Floats) -> float:
    """Mean EPE in px of where the solver comes to rest from identity."""
    pair = Pair(luma(source, "source"), Target(luma(target, "target"), OPTIONS))
    seen = pair.target
    with Threads() as threads:
        task = Task(pair, MODEL, LOSSES[OPTIONS.loss], OPTIONS, threads)
        rest = Gradient(task, View(seen.image, seen.levels)).descend(
            np.eye(3), used=len(pair.levels)
        )
    return float(endpoint_error(rest.warp, truth, seen.size).mean())


def calibrate(stage: list[Frame], count: int, rng: np.random.Generator) -> None:
    pairs = []
    for frame in stage:
        for rendering in RENDERINGS.values():
            for _ in range(count):
                truth = random_motion("homography", frame.size, MOVE_PX, rng)
                source = exposed(rendering(frame.source(truth), rng), SIGMA, rng)
                pairs.append((source, exposed(frame.target, SIGMA, rng), inverse(truth)))
    print(
        "orientation.SMOOTHING_PX: median EPE of right answers in px, and how many are within "
        f"{RIGHT_PX:g}"
    )
    for smoothing in sorted({*SMOOTHINGS_PX, SMOOTHING_PX}):
        with patch.object(orientation, "SMOOTHING_PX", smoothing):
            errors = np.array([error_at_rest(*pair) for pair in pairs])
        good = errors[errors <= RIGHT_PX]
        median = float(np.median(good)) if good.size else np.nan
        print(f"{smoothing:>6.2f}{median:>9.4f}{good.size:>6} of {errors.size}")
