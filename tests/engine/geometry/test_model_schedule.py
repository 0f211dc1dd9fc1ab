from __future__ import annotations

from align_cli.engine.geometry.model_schedule import PROJECTIVE_SIDE, model_schedule
from align_cli.engine.geometry.models import MODELS
from tests.scenes import MODEL_NAMES


def names(models: list) -> list[str]:
    return [model.name for model in models]


def test_the_coarsest_level_climbs_from_the_stiffest_model() -> None:
    large = (PROJECTIVE_SIDE, PROJECTIVE_SIDE)
    assert names(model_schedule(MODELS["homography"], large, coarsest=True)) == list(MODEL_NAMES)
    assert names(model_schedule(MODELS["rigid"], large, coarsest=True)) == ["translation", "rigid"]
    assert names(model_schedule(MODELS["homography"], large, coarsest=False)) == ["homography"]
    assert names(model_schedule(MODELS["similarity"], large, coarsest=False)) == ["similarity"]


def test_a_small_level_stays_affine() -> None:
    small = (500, PROJECTIVE_SIDE - 1)
    assert names(model_schedule(MODELS["homography"], small, coarsest=False)) == ["affine"]
    assert names(model_schedule(MODELS["homography"], small, coarsest=True)) == list(
        MODEL_NAMES[:-1]
    )
    assert names(model_schedule(MODELS["rigid"], small, coarsest=False)) == ["rigid"]
