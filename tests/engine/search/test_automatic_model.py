from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli import Alignment, align
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.options import GRADIENT, INTENSITY, Options
from align_cli.engine.records import ModelScore, Outcome, Status
from align_cli.engine.search.automatic_model import by_simplest_model, scores_at
from align_cli.engine.search.model_selection import simplest
from align_cli.engine.target.target import Target
from tests.scenes import pair

ALIGNED = Outcome(Status.CONVERGED, "")
DOUBTFUL = Outcome(Status.NO_AGREEMENT, "", doubtful=True)
FAILED = Outcome(Status.NO_AGREEMENT, "")
RESTLESS = Outcome(Status.ITERATION_LIMIT, "", doubtful=True)
RIGID = tuple(ModelScore(name, 1, float(name != "rigid")) for name in MODELS)


@cache
def example() -> Alignment:
    images = pair("rigid", seed=1)
    return align(images.source, images.target, model="rigid")


def chosen(
    outcomes: dict[str, Outcome],
    *,
    scores: tuple[ModelScore, ...] = RIGID,
    similarity: str = INTENSITY,
) -> tuple[Alignment, list[str]]:
    """What is chosen where models end so, and the models that were tried; all others fail."""
    tried: list[str] = []

    def aligned(name: str) -> Alignment:
        tried.append(name)
        outcome = outcomes.get(name, FAILED)
        return replace(example(), model=name, outcome=outcome, similarity=similarity)

    return by_simplest_model(aligned, lambda _: scores), tried


@pytest.mark.parametrize(
    ("largest", "simpler", "expected"),
    [
        (ALIGNED, ALIGNED, "rigid"),
        (ALIGNED, DOUBTFUL, "homography"),
        (ALIGNED, FAILED, "homography"),
        (DOUBTFUL, ALIGNED, "rigid"),
        (DOUBTFUL, DOUBTFUL, "rigid"),
        (DOUBTFUL, FAILED, "homography"),
    ],
)
def test_the_best_scored_model_is_taken_unless_it_says_less(
    largest: Outcome, simpler: Outcome, expected: str
) -> None:
    found, tried = chosen({"homography": largest, "rigid": simpler})
    assert found.model == expected
    assert found.model_scores == RIGID
    assert tried == ["homography", "rigid"]


def test_without_scores_the_largest_model_stands() -> None:
    found, tried = chosen({"homography": ALIGNED}, scores=())
    assert (found.model, found.model_scores, tried) == ("homography", (), ["homography"])


@pytest.mark.parametrize("largest", [FAILED, RESTLESS])
def test_where_the_largest_model_does_not_converge_fewer_parameters_may(largest: Outcome) -> None:
    outcomes = {"homography": largest, "similarity": ALIGNED, "rigid": ALIGNED}
    found, tried = chosen(outcomes)
    assert found.model == "similarity"
    assert tried == ["homography", "affine", "similarity"]
    found, tried = chosen({"homography": largest, "rigid": DOUBTFUL})
    assert (found.model, found.outcome) == ("homography", largest)
    assert set(tried) == set(MODELS)


@pytest.mark.parametrize("outcome", [ALIGNED, DOUBTFUL, FAILED])
def test_models_are_not_scored_by_grey_values_that_were_not_compared(outcome: Outcome) -> None:
    found, tried = chosen({"homography": outcome}, similarity=GRADIENT)
    assert found.model == "homography"
    assert found.model_scores == ()
    assert (len(tried) == 1) == outcome.vouched


@pytest.mark.parametrize("photometric", [True, False])
def test_the_scores_are_those_of_the_finest_level_that_has_points(photometric: bool) -> None:
    images = pair("rigid", seed=1, gain=1.0, bias=0.0)
    options = Options(photometric=photometric)
    both = Pair(luma(images.source), Target(luma(images.target), options))
    warp = example().target_to_source
    scores = scores_at(both, warp, options)
    assert [each.model for each in scores] == list(MODELS)
    assert simplest(scores) == "rigid"
    assert_array_equal(warp, example().target_to_source)


def test_no_scores_where_no_level_has_points() -> None:
    images = pair("rigid", seed=1)
    options = Options()
    both = Pair(luma(images.source), Target(luma(images.target), options))
    far = np.eye(3)
    far[0, 2] = 1e4
    assert scores_at(both, far, options) == ()
