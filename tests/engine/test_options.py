from __future__ import annotations

import dataclasses

import pytest

from align_cli.engine.motion import MODELS
from align_cli.engine.options import DEFAULTS, LOSS_NAMES, MODEL_NAMES, Options
from align_cli.engine.robust import LOSSES


def test_the_names_for_help_texts_are_those_of_the_registries_in_their_order() -> None:
    assert tuple(MODELS) == MODEL_NAMES
    assert tuple(LOSSES) == LOSS_NAMES


def test_every_entry_of_a_registry_carries_its_own_name() -> None:
    assert [model.name for model in MODELS.values()] == list(MODELS)
    assert [loss.name for loss in LOSSES.values()] == list(LOSSES)


def test_defaults_are_a_robust_homography_with_light() -> None:
    assert DEFAULTS.model == "homography"
    assert LOSSES[DEFAULTS.loss].robust
    assert DEFAULTS.photometric


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_every_listed_choice_is_accepted(model: str, loss: str) -> None:
    assert Options(model=model, loss=loss).model == model


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("model", "homograpy", r"unknown model 'homograpy'; choose one of translation, rigid"),
        ("loss", "L2", r"unknown loss 'L2'; choose one of l2, huber, tukey"),
        ("levels", 0, r"levels must be a whole number of at least 1, got 0"),
        ("max_iterations", 0, r"max_iterations must be a whole number of at least 1, got 0"),
        ("levels", 2.5, r"levels must be a whole number of at least 1, got 2.5"),
        ("levels", True, r"levels must be a whole number of at least 1, got True"),
        ("tolerance", float("inf"), r"tolerance must be above 0 px and finite, got inf"),
        ("tolerance", 0.0, r"tolerance must be above 0 px and finite, got 0"),
        ("tolerance", -1.0, r"tolerance must be above 0 px and finite, got -1"),
        ("tolerance", float("nan"), r"tolerance must be above 0 px and finite, got nan"),
    ],
)
def test_an_option_without_sense_is_refused_by_name(
    option: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["levels", "max_iterations"])
def test_the_least_value_is_accepted(option: str) -> None:
    assert getattr(Options(**{option: 1}), option) == 1  # type: ignore[arg-type]


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULTS.model = "rigid"  # type: ignore[misc]
