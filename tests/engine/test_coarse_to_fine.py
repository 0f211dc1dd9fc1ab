from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine import coarse_to_fine as module
from align_cli.engine import options
from align_cli.engine.alignment import LevelRecord, Status
from align_cli.engine.coarse_to_fine import FIELD_SHARE, Descent, coarse_to_fine
from align_cli.engine.coordinates import at_level
from align_cli.engine.lucas_kanade import LevelResult
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.options import PRESET_NAMES, PRESETS, Options
from align_cli.engine.photometry import FIELD, Light
from align_cli.engine.place import Place
from align_cli.engine.pyramid import EnlargedLevel, Level, pyramid
from align_cli.engine.robust import LOSSES
from align_cli.engine.targets import target_planes
from align_cli.engine.threads import Threads
from tests.scenes import motion, render, textured

SIZE = (120, 100)
START = Place(motion("affine", SIZE, 3.0, 1), Light.uniform(1.1, 0.05))
FOUND = Place(motion("affine", SIZE, 3.0, 2), Light.uniform(0.9, -0.05))


def descend(
    monkeypatch: pytest.MonkeyPatch,
    statuses: dict[int, Status],
    without: tuple[int, ...] = (),
    preset: str = "balanced",
) -> tuple[Descent, list[LevelRecord], list[np.ndarray], list[object]]:
    """Three levels whose solver says that it found ``FOUND``, with a status for each width."""
    begun: list[np.ndarray] = []
    sampled: list[object] = []

    def solver(target: object, source: object, start: Place, *_: object, **__: object) -> object:
        begun.append(start.warp)
        sampled.append(source)
        level = round(np.log2(SIZE[0] / target.size[0]))  # type: ignore[attr-defined]
        status = statuses[level]
        return LevelResult(FOUND.at_level(level), status, 3, 0.01, 0.1, 0.0)

    monkeypatch.setattr(module, "solve_level", solver)
    levels = pyramid(luma(render(textured(), SIZE)), 3)
    planes = [None if n in without else target_planes(level) for n, level in enumerate(levels)]
    told: list[LevelRecord] = []
    with Threads(1) as threads:
        descent = coarse_to_fine(
            planes,
            levels,
            START,
            model=MODELS["translation"],
            loss=LOSSES["l2"],
            options=Options(photometric=False, preset=preset),
            threads=threads,
            progress=told.append,
            unit=2.0,
        )
    return descent, told, begun, sampled


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.ITERATION_LIMIT])
def test_each_level_starts_where_the_one_above_ended(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    descent, told, begun, _ = descend(monkeypatch, {2: status, 1: status, 0: status})
    place, records = descent.place, descent.records
    assert_allclose(place.warp, FOUND.warp, atol=1e-12)
    assert place.light is FOUND.light
    assert_array_equal(begun[0], at_level(START.warp, 2))
    assert_allclose(begun[1], at_level(FOUND.warp, 1), atol=1e-12)
    assert_allclose(begun[2], FOUND.warp, atol=1e-12)
    assert [record.level for record in records] == [2, 1, 0]
    assert [record.iterations for record in records] == [3, 3, 3]
    assert [record.rmse for record in records] == [0.2, 0.2, 0.2]  # 0.1 planes of unit 2
    assert tuple(told) == records
    assert descent.solved.level == 0


@pytest.mark.parametrize("status", [Status.SINGULAR, Status.DIVERGED, Status.TOO_LITTLE_OVERLAP])
def test_a_level_that_ended_nowhere_leaves_everything_as_it_was(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    descent, _, begun, _ = descend(monkeypatch, {2: status, 1: status, 0: status})
    place, records = descent.place, descent.records
    assert_allclose(place.warp, START.warp, atol=1e-12)
    assert place.light is START.light
    assert_allclose(begun[2], START.warp, atol=1e-12)
    assert {record.status for record in records} == {status}


def test_a_level_without_an_interior_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    descent, told, _, _ = descend(monkeypatch, everywhere, without=(2,))
    assert [record.level for record in descent.records] == [1, 0]
    assert tuple(told) == descent.records


def test_the_last_level_is_sampled_on_a_finer_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    kinds = {
        preset: [type(source) for source in descend(monkeypatch, everywhere, preset=preset)[3]]
        for preset in PRESET_NAMES
    }
    assert set(PRESET_NAMES) == set(kinds)
    for preset, found in kinds.items():
        assert found == [*([Level] * (len(found) - 1)), EnlargedLevel], preset


def test_fast_ends_on_the_first_level_with_enough_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    enough = dataclasses.replace(PRESETS["fast"], enough_pixels=60 * 50)
    monkeypatch.setitem(PRESETS, "fast", enough)
    monkeypatch.setattr(options, "ENOUGH_SIDE", 50)
    descent, _, _, _ = descend(monkeypatch, everywhere, preset="fast")
    assert [record.level for record in descent.records] == [2, 1]
    assert descent.solved.level == 1
    assert_allclose(descent.place.warp, FOUND.warp, atol=1e-12)
    monkeypatch.setitem(PRESETS, "fast", dataclasses.replace(enough, enough_pixels=60 * 50 + 1))
    descent, _, _, _ = descend(monkeypatch, everywhere, preset="fast")
    assert [record.level for record in descent.records] == [2, 1, 0]
    # Enough pixels, but too short for a homography.
    monkeypatch.setitem(PRESETS, "fast", enough)
    monkeypatch.setattr(options, "ENOUGH_SIDE", 51)
    descent, _, _, _ = descend(monkeypatch, everywhere, preset="fast")
    assert [record.level for record in descent.records] == [2, 1, 0]


@pytest.mark.parametrize(
    ("share", "status", "rmse", "kept"),
    [
        (0.9, Status.CONVERGED, 0.05, True),
        (0.9, Status.CONVERGED, 0.095, False),
        (0.9, Status.DIVERGED, 0.05, False),
        (0.9, Status.SINGULAR, 0.05, False),
        (0.1, Status.CONVERGED, 0.05, False),
    ],
)
def test_a_varying_light_is_kept_only_where_it_was_found_and_explains_more(
    share: float, status: Status, rmse: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def solver(
        target: object, source: object, start: object, settings: object, **_: object
    ) -> LevelResult:
        terms = settings.light_terms  # type: ignore[attr-defined]
        tried.append(terms)
        if terms == FIELD:
            return LevelResult(FOUND, status, 3, 0.01, rmse, 0.0)
        return LevelResult(START, Status.CONVERGED, 3, 0.01, 0.1, share)

    monkeypatch.setattr(module, "solve_level", solver)
    levels = pyramid(luma(render(textured(), SIZE)), 1)
    with Threads(1) as threads:
        descent = coarse_to_fine(
            [target_planes(levels[0])],
            levels,
            START,
            model=MODELS["translation"],
            loss=LOSSES["l2"],
            options=Options(),
            threads=threads,
            unit=1.0,
        )
    assert tried == ([1, FIELD] if share > FIELD_SHARE else [1])
    assert descent.place.light is (FOUND.light if kept else START.light)
    assert descent.records[0].status is Status.CONVERGED
    assert descent.solved.settings.light_terms == (FIELD if kept else 1)
