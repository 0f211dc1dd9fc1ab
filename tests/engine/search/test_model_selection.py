from __future__ import annotations

import math

import numpy as np
import pytest

from align_cli import Aligner, align
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.records import ModelScore
from align_cli.engine.search.model_selection import simplest
from tests.scenes import MODEL_NAMES, motion, pair, stripes


@pytest.mark.parametrize("noise", [0.005, 0.05])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_the_model_of_the_motion_is_chosen(model: str, noise: float) -> None:
    images = pair(model, seed=4, size=(200, 160), move_px=5.0, noise=noise)
    found = align(images.source, images.target, model="auto")
    assert found.outcome.aligned
    assert found.model == model
    assert images.error_px(found.source_to_target) < 0.2
    assert [score.model for score in found.model_scores] == list(MODELS)
    assert [score.parameters for score in found.model_scores] == [2, 3, 4, 6, 8]
    assert simplest(found.model_scores) == model
    # It is that model's own answer.
    alone = align(images.source, images.target, model=model)
    np.testing.assert_allclose(found.source_to_target, alone.source_to_target, atol=1e-9)


def test_what_is_covered_asks_for_no_larger_model() -> None:
    images = pair("rigid", seed=5, size=(240, 180), noise=0.01, occluded=0.2)
    assert align(images.source, images.target, model="auto").model == "rigid"


def test_no_motion_is_a_translation() -> None:
    images = pair(np.eye(3), seed=6, size=(200, 160), noise=0.02)
    assert align(images.source, images.target, model="auto").model == "translation"


def test_a_model_that_was_given_has_no_scores() -> None:
    images = pair("rigid", seed=3)
    assert align(images.source, images.target, model="rigid").model_scores == ()


def test_one_aligner_chooses_anew_for_each_source() -> None:
    target = pair(np.eye(3), seed=7, size=(200, 160), noise=0.01).target
    aligner = Aligner(target, model="auto")
    for model in ("translation", "affine", "translation"):
        source = pair(motion(model, (200, 160), 5.0, 2), seed=7, size=(200, 160), noise=0.01).source
        assert aligner.align(source).model == model


def test_where_nothing_is_aligned_the_largest_says_why() -> None:
    found = align(stripes(), stripes(shift=3.0), model="auto")
    assert not found.outcome.aligned
    assert found.model == "homography"


def test_a_model_that_does_not_fit_is_not_chosen() -> None:
    scores = [ModelScore("translation", 2, math.inf), ModelScore("rigid", 3, 10.0)]
    assert simplest(scores) == "rigid"
    # As good, simpler: the first wins.
    assert simplest([ModelScore("translation", 2, 10.0), ModelScore("rigid", 3, 10.0)]) == (
        "translation"
    )
