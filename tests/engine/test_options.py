from __future__ import annotations

import dataclasses

import pytest

from align_cli.engine.aligner import align
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.options import (
    BEFORE_REFINEMENT_PX,
    DEFAULTS,
    LOSS_NAMES,
    MODEL_NAMES,
    PRESET_NAMES,
    PRESETS,
    Options,
)


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
@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_every_listed_choice_is_accepted(model: str, loss: str, preset: str) -> None:
    assert Options(model=model, loss=loss, preset=preset).preset == preset


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("model", "homograpy", r"unknown model 'homograpy'; choose one of translation, rigid"),
        ("preset", "Fast", r"unknown preset 'Fast'; choose one of fast, balanced, precise"),
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


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_preset_decides_the_tolerance_unless_one_is_given(preset: str) -> None:
    options = Options(preset=preset)
    assert options.tolerance is None
    assert options.tolerance_px == PRESETS[preset].tolerance_px
    given = Options(preset=preset, tolerance=0.0123)
    assert given.tolerance_px == 0.0123
    assert options.refine == PRESETS[preset].refine


def test_each_preset_is_held_to_less_than_the_one_before() -> None:
    assert PRESET_NAMES == ("fast", "balanced", "precise")
    tolerances = [Options(preset=preset).tolerance_px for preset in PRESET_NAMES]
    assert tolerances == sorted(tolerances, reverse=True)
    assert len(set(tolerances)) == len(tolerances)
    assert DEFAULTS.preset == "balanced"


@pytest.mark.parametrize(
    ("preset", "tolerance", "last_level"),
    [
        ("fast", None, PRESETS["fast"].tolerance_px),
        ("balanced", None, PRESETS["balanced"].tolerance_px),
        ("balanced", 1e-5, 1e-5),
        ("precise", None, BEFORE_REFINEMENT_PX),
        ("precise", 1e-5, BEFORE_REFINEMENT_PX),
        ("precise", 0.1, 0.1),
    ],
)
def test_only_before_a_refinement_may_the_descent_end_early(
    preset: str, tolerance: float | None, last_level: float
) -> None:
    assert Options(preset=preset, tolerance=tolerance).level_tolerance_px == last_level


@pytest.mark.parametrize(
    ("preset", "size", "levels", "finest"),
    [
        ("fast", (512, 256), [0, 1, 2, 3], 1),
        ("fast", (511, 256), [0, 1, 2, 3], 0),
        ("fast", (4000, 3000), [0, 1, 2, 3], 1),
        ("fast", (4000, 3000), [0], 0),
        ("fast", (4000, 3000), [2, 3], 2),
        ("fast", (4000, 3000), [1, 2], 1),
        ("fast", (40, 30), [0, 1], 0),
        ("balanced", (4000, 3000), [0, 1, 2, 3], 0),
        ("balanced", (20, 12), [0], 0),
        ("balanced", (4000, 3000), [1, 2], 1),
        ("precise", (4000, 3000), [0, 1, 2, 3], 0),
    ],
)
def test_the_descent_ends_where_the_preset_has_enough_pixels(
    preset: str, size: tuple[int, int], levels: list[int], finest: int
) -> None:
    assert Options(preset=preset).finest_level(size, levels) == finest


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_every_preset_is_explained(preset: str) -> None:
    assert PRESETS[preset].summary
    assert preset in (align.__doc__ or "")


@pytest.mark.parametrize("option", ["levels", "max_iterations"])
def test_the_least_value_is_accepted(option: str) -> None:
    assert getattr(Options(**{option: 1}), option) == 1  # type: ignore[arg-type]


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULTS.model = "rigid"  # type: ignore[misc]


def test_an_unknown_option_is_named_with_those_that_there_are_and_without_the_class() -> None:
    with pytest.raises(TypeError, match=r"^unknown option 'modle'; choose from model, ") as caught:
        Options(modle="rigid")
    assert "Options" not in str(caught.value)
