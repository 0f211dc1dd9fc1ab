"""What the constants of the orientation planes rest on: right answers beside wrong ones at rest."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np

from align_cli.engine import orientation, verdict
from align_cli.engine.coordinates import endpoint_error, inverse
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.options import Options
from align_cli.engine.orientation import SMOOTHING_PX
from align_cli.engine.pyramid import level_count, pyramid
from align_cli.engine.robust import LOSSES
from align_cli.engine.threads import Threads
from align_cli.engine.unlike import EVIDENCE_LEVEL, Rest, descend
from align_cli.engine.unlike_views import View, compared
from benchmarks.scenes import Floats, Frame, Image, exposed, random_motion
from benchmarks.unlike_impostors import impostors
from benchmarks.unlike_scenes import RENDERINGS

SIGMA = 5.0
MOVE_PX = 20
SMOOTHINGS_PX = 0.35, 0.5, 0.7, 1.0, 1.5
LEVELS = 0, 1, 2
MODEL = MODELS["homography"]
OPTIONS = Options(similarity="gradient")
PERCENTILES = 0, 5, 50, 95, 100


def at_rest(source: Image, target: Image) -> tuple[View, View, Rest]:
    moving, still = (luma(image, "image") for image in (source, target))
    count = min(level_count(moving.size), level_count(still.size))
    views = View(moving, pyramid(moving, count)), View(still, pyramid(still, count))
    with Threads() as threads:
        rest = descend(
            *views,
            np.eye(3),
            model=MODEL,
            loss=LOSSES[OPTIONS.loss],
            options=OPTIONS,
            threads=threads,
        )
    return *views, rest


def evidence(source: View, target: View, warp: Floats) -> list[tuple[float, float]]:
    """Agreement and shared texture on each of ``LEVELS``."""
    found = []
    for level in LEVELS:
        there = compared(source, target, level, warp, exact=False)
        found.append((there.agreement, there.shared_texture(MODEL)))
    return found


def calibrate(stage: list[Frame], count: int, rng: np.random.Generator) -> None:
    pairs = []
    for frame in stage:
        for rendering in RENDERINGS.values():
            for _ in range(count):
                truth = random_motion("homography", frame.size, MOVE_PX, rng)
                source = exposed(rendering(frame.source(truth), rng), SIGMA, rng)
                pairs.append((source, exposed(frame.target, SIGMA, rng), inverse(truth)))
    print("orientation.SMOOTHING_PX: median EPE of right answers in px, and how many are within 1")
    right = []
    for smoothing in sorted({*SMOOTHINGS_PX, SMOOTHING_PX}):
        errors = []
        with patch.object(orientation, "SMOOTHING_PX", smoothing):
            for source, target, truth in pairs:
                *views, rest = at_rest(source, target)
                size = views[1].luma.size
                errors.append(float(endpoint_error(rest.warp, truth, size).mean()))
                if smoothing == SMOOTHING_PX and errors[-1] <= 1.0:
                    right.append(evidence(*views, rest.warp))
        good = [error for error in errors if error <= 1.0]
        print(f"{smoothing:>6.2f}{np.median(good):>9.4f}{len(good):>6} of {len(errors)}")
    wrong = []
    for kind in impostors(stage, SIGMA, rng).values():
        for source, target in kind:
            *views, rest = at_rest(source, target)
            wrong.append(evidence(*views, rest.warp))
    print(
        f"\nevidence (unlike.EVIDENCE_LEVEL is {EVIDENCE_LEVEL}, verdict.LEAST_DETAIL_ZNCC "
        f"{verdict.LEAST_DETAIL_ZNCC:g}, LEAST_TEXTURE {verdict.LEAST_TEXTURE:g}): percentiles"
    )
    print(f"{'':26}" + "".join(f"{each:>8}" for each in PERCENTILES))
    for index, what in enumerate(("agreement", "shared texture")):
        for column, level in enumerate(LEVELS):
            for name, found in (("right", right), ("wrong", wrong)):
                values = np.array([each[column][index] for each in found])
                row = np.nanpercentile(values, PERCENTILES)
                print(f"{what:15}{level:>2}  {name:7}" + "".join(f"{v:>8.3f}" for v in row))
