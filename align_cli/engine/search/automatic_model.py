"""The motion model "auto": the simplest one that explains both images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from align_cli.engine.arrays import Matrix
from align_cli.engine.equations.illumination import VARYING
from align_cli.engine.equations.pair import Pair
from align_cli.engine.equations.sparse import PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.models import LARGEST, MODELS
from align_cli.engine.images.noise import noise_gain
from align_cli.engine.options import GRADIENT, Options
from align_cli.engine.records import ModelScore, Status, Verdict
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.search.model_selection import model_scores, simplest
from align_cli.engine.solver.level_solver import VARYING_SIDE

Scores = tuple[ModelScore, ...]


def by_simplest_model(
    align: Callable[[str], Alignment], scores_at: Callable[[Matrix], Scores]
) -> Alignment:
    """The alignment by the simplest model that explains the images.

    Args:
        align: aligns them by a model, given its name.
        scores_at: the score of each model under a warp, target -> source, of the largest one.
    """
    largest = align(LARGEST)
    if largest.similarity == GRADIENT and largest.outcome.vouched:
        return largest
    unconverged = largest.outcome.status is Status.ITERATION_LIMIT
    if unconverged or largest.outcome.verdict is Verdict.FAILED:
        # Too little texture for so many parameters may be enough for fewer.
        for name in tuple(MODELS)[-2::-1]:
            found = align(name)
            if found.outcome.aligned:
                return found
        return largest
    scores = scores_at(largest.target_to_source)
    name = simplest(scores) if scores else LARGEST
    found = largest
    if name != LARGEST:
        simpler = align(name)
        doubts = simpler.outcome.doubtful and not largest.outcome.aligned
        if simpler.outcome.aligned or doubts:
            found = simpler
    return replace(found, model_scores=scores)


def scores_at(pair: Pair, warp: Matrix, options: Options) -> Scores:
    """The score of each model on the finest level that has points; none where no level has any.

    Args:
        pair: both images.
        warp: (3, 3), target pixel -> source pixel, as the largest model has it.
        options: whether the illumination is estimated.
    """
    of_source, of_target = pair.noise
    for level in range(len(pair.levels)):
        points = pair.target.points(level)
        if points is None:
            continue
        illumination = pair.initial_illumination(warp, len(pair.levels))
        if not options.photometric:
            illumination = pair.unchanged_illumination()
        noise = math.hypot(of_target, of_source * illumination.factor[0])
        varies = options.photometric and min(points.size) >= VARYING_SIDE
        # Where something covers a part, an illumination that may vary may diverge.
        for terms in (VARYING,) * varies + (int(options.photometric),):
            scores = model_scores(
                points,
                PointSource(pair.levels[level]),
                State(warp, illumination).at_level(level),
                noise * noise_gain(level),
                illumination_terms=terms,
            )
            if scores:
                return scores
    return ()
