from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.equations.dense import RowEquations
from align_cli.engine.equations.illumination import GAIN_BIAS, NO_TERMS, VARYING, Illumination
from align_cli.engine.equations.normal_equations import LevelEquations
from align_cli.engine.equations.sparse import PointEquations
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import at_level
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import Luma, luma
from align_cli.engine.images.pyramid import LazyFullSize, Level, pyramid
from align_cli.engine.images.supersampled import SupersampledLevel
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import PRESET_NAMES, Options
from align_cli.engine.records import LevelRecord, Status
from align_cli.engine.solver import grey_values
from align_cli.engine.solver import level_solver as module
from align_cli.engine.solver.coarse_to_fine import Descent, Progress, coarse_to_fine
from align_cli.engine.solver.gauss_newton import LevelResult, LevelSettings
from align_cli.engine.solver.grey_values import GreyValues
from align_cli.engine.solver.level_solver import VARYING_SHARE, LevelSolver
from align_cli.engine.target.pixel_selection import target_points
from align_cli.engine.target.planes import target_planes
from tests.scenes import motion, render, textured

SIZE = (120, 100)
START = State(motion("affine", SIZE, 3.0, 1), Illumination.uniform(1.1, 0.05))
FOUND = State(motion("affine", SIZE, 3.0, 2), Illumination.uniform(0.9, -0.05))


def grey(
    pictures: list[Level],
    levels: tuple[int, ...],
    sources: Sequence[Level],
    image: Luma,
    threads: Threads,
    loss: str = "l2",
) -> list[GreyValues]:
    """Levels of both images, the last with its rows."""
    return [
        GreyValues(
            level,
            pictures[level].size,
            target_points(pictures[level]),
            target_planes(pictures[level]) if level == levels[-1] else None,
            sources[level],
            sources[level - 1] if level else image,
            loss=LOSSES[loss],
            threads=threads,
        )
        for level in levels
    ]


def solved(
    levels: Sequence[GreyValues], start: State, progress: Progress | None = None, **settings: Any
) -> Descent:
    """The descent of a solver with some settings."""
    return coarse_to_fine(levels, LevelSolver(**settings), start, progress)


def descend(
    monkeypatch: pytest.MonkeyPatch,
    statuses: dict[int, Status],
    levels: tuple[int, ...] = (2, 1, 0),
    preset: str = "balanced",
    has_agreement: Callable[[np.ndarray], bool] = lambda warp: True,
) -> tuple[Descent, list[LevelRecord], list[tuple[type, np.ndarray, float | None]]]:
    """Levels whose solver says that it found ``FOUND``, with a status for each level.

    Third is how each solve began: with which equations, where, and with which scale.
    """
    begun: list[tuple[type, np.ndarray, float | None]] = []

    def solver(
        equations: object, start: State, *_: object, scale: float | None, ratio: float
    ) -> object:
        begun.append((type(equations), start.warp, scale))
        level = round(np.log2(SIZE[0] / equations.size[0]))  # type: ignore[attr-defined]
        return LevelResult(FOUND.at_level(level), statuses[level], 3, 0.01, 0.1, 0.0, 0.7, ratio)

    monkeypatch.setattr(module, "solve_level", solver)
    pictures = pyramid(luma(render(textured(), SIZE)), 3)
    told: list[LevelRecord] = []
    with Threads(1) as threads:
        descent = solved(
            grey(pictures, levels, pictures, luma(render(textured(), SIZE)), threads),
            START,
            model=MODELS["translation"],
            loss=LOSSES["l2"],
            options=Options(preset=preset),
            illumination_terms=NO_TERMS,
            has_agreement=has_agreement,
            progress=told.append,
            unit=2.0,
        )
    return descent, told, begun


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.ITERATION_LIMIT])
def test_each_level_starts_where_the_one_above_ended(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    descent, told, begun = descend(monkeypatch, {2: status, 1: status, 0: status})
    state, records = descent.state, descent.records
    assert_allclose(state.warp, FOUND.warp, atol=1e-12)
    assert state.illumination is FOUND.illumination
    assert [kind for kind, _, _ in begun] == [PointEquations] * 3 + [RowEquations]
    starts = [warp for _, warp, _ in begun]
    assert_array_equal(starts[0], at_level(START.warp, 2))
    assert_allclose(starts[1], at_level(FOUND.warp, 1), atol=1e-12)
    assert_allclose(starts[2], FOUND.warp, atol=1e-12)
    assert_allclose(starts[3], FOUND.warp, atol=1e-12)
    assert [record.level for record in records] == [2, 1, 0]
    assert [record.iterations for record in records] == [3, 3, 6]
    assert [record.rmse for record in records] == [0.2, 0.2, 0.2]  # 0.1 planes of unit 2
    assert tuple(told) == records
    assert descent.solved_planes[0].level == 0


def test_the_rows_go_on_with_the_scale_of_the_points(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    _, _, begun = descend(monkeypatch, everywhere)
    assert [scale for _, _, scale in begun] == [None, None, None, 0.7]
    nowhere = dict.fromkeys(range(3), Status.SINGULAR)
    _, _, begun = descend(monkeypatch, nowhere)
    assert [scale for _, _, scale in begun] == [None] * 4


@pytest.mark.parametrize("status", [Status.SINGULAR, Status.DIVERGED, Status.TOO_LITTLE_OVERLAP])
def test_a_level_that_ended_nowhere_leaves_everything_as_it_was(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    descent, _, begun = descend(monkeypatch, {2: status, 1: status, 0: status})
    state, records = descent.state, descent.records
    assert_allclose(state.warp, START.warp, atol=1e-12)
    assert state.illumination is START.illumination
    assert_allclose(begun[2][1], START.warp, atol=1e-12)
    assert {record.status for record in records} == {status}


def test_a_descent_ends_on_the_last_level_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    descent, told, _ = descend(monkeypatch, everywhere, levels=(2, 1))
    assert [record.level for record in descent.records] == [2, 1]
    assert tuple(told) == descent.records
    assert descent.solved_planes[0].level == 1
    assert_allclose(descent.state.warp, FOUND.warp, atol=1e-12)


def test_the_last_level_is_sampled_on_a_finer_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    for preset in PRESET_NAMES:
        descent, _, _ = descend(monkeypatch, everywhere, preset=preset)
        assert type(descent.solved_planes[0].source) is SupersampledLevel, preset


def test_of_a_large_level_some_strips_stand_in_for_the_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = pyramid(luma(render(textured(), SIZE)), 3)
    full = LazyFullSize(luma(render(textured(), SIZE)))
    monkeypatch.setattr("align_cli.engine.equations.dense.STRIP_PIXELS", 5 * SIZE[0])
    with Threads(1) as threads:
        places = [
            solved(
                grey(
                    pictures,
                    (2, 1, 0),
                    [source, *pictures[1:]],
                    luma(render(textured(), SIZE)),
                    threads,
                    "tukey",
                ),
                State(motion("rigid", SIZE, 2.0, 1), Illumination.uniform()),
                model=MODELS["rigid"],
                loss=LOSSES["tukey"],
                options=Options(),
                illumination_terms=GAIN_BIAS,
                unit=1.0,
            ).state
            for source in (pictures[0], full)
        ]
    for state in places:
        assert_allclose(state.warp, np.eye(3), atol=2e-3)


def test_where_nothing_agrees_the_rows_are_not_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = dict.fromkeys(range(3), Status.CONVERGED)
    monkeypatch.setattr(module, "GOOD_CORRELATION", 1.0)
    asked: list[np.ndarray] = []
    for answer in (False, True):

        def has_agreement(warp: np.ndarray, answer: bool = answer) -> bool:
            asked.append(warp)
            return answer

        descent, told, begun = descend(monkeypatch, everywhere, has_agreement=has_agreement)
        kinds = [kind for kind, _, _ in begun]
        assert kinds == [PointEquations] * 3 + [RowEquations] * answer
        assert [record.level for record in descent.records] == [2, 1, 0]
        last = Status.CONVERGED if answer else Status.NO_AGREEMENT
        assert [record.status for record in descent.records] == [*[Status.CONVERGED] * 2, last]
        assert bool(descent.solved_planes) == answer
        assert [record.level for record in told] == [2, 1, 0]
        assert_allclose(asked[-1], FOUND.warp, atol=1e-12)
        assert_allclose(descent.state.warp, FOUND.warp, atol=1e-12)


def test_where_the_points_agree_well_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOOD_CORRELATION", -1.1)
    descent, _, _ = descend(
        monkeypatch, dict.fromkeys(range(3), Status.CONVERGED), has_agreement=lambda warp: False
    )
    assert descent.solved_planes


@pytest.mark.parametrize(
    ("last_step_px", "status"),
    [
        (0.2, Status.ITERATION_LIMIT),
        (0.5, Status.ITERATION_LIMIT),
        (0.2, Status.NO_AGREEMENT),
    ],
)
def test_what_finds_no_rest_with_some_strips_is_not_asked_of_all(
    last_step_px: float, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []

    class Counted(RowEquations):
        def __init__(self, *arguments: object, strip_step: int, **named: object) -> None:
            looked_at.append(strip_step)
            super().__init__(*arguments, strip_step=strip_step, **named)  # type: ignore[arg-type]

    def solver(_: object, start: State, *__: object, **___: object) -> LevelResult:
        return LevelResult(start, status, 20, last_step_px, 0.1, 0.0, 0.1, 1.0)

    monkeypatch.setattr("align_cli.engine.equations.dense.STRIP_PIXELS", 5 * SIZE[0])
    monkeypatch.setattr(grey_values, "RowEquations", Counted)
    monkeypatch.setattr(module, "solve_level", solver)
    image = luma(render(textured(), SIZE))
    levels = pyramid(image, 3)
    with Threads(1) as threads:
        descent = solved(
            grey(levels, (2, 1, 0), [LazyFullSize(image), *levels[1:]], image, threads, "tukey"),
            START,
            model=MODELS["rigid"],
            loss=LOSSES["tukey"],
            options=Options(),
            illumination_terms=GAIN_BIAS,
            unit=1.0,
        )
    restless = last_step_px > module.LARGE_STEP_PX or status is Status.NO_AGREEMENT
    assert (1 in looked_at) != restless
    assert looked_at[0] > 1
    assert descent.records[-1].status is status
    assert descent.records[-1].level == 0
    assert descent.solved_planes


def one_level(start: State = START, model: str = "translation") -> Descent:
    """A descent of one level."""
    levels = pyramid(luma(render(textured(), SIZE)), 1)
    with Threads(1) as threads:
        return solved(
            grey(levels, (0,), levels, luma(render(textured(), SIZE)), threads),
            start,
            model=MODELS[model],
            loss=LOSSES["l2"],
            options=Options(),
            illumination_terms=GAIN_BIAS,
            unit=1.0,
        )


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

    def solver(equations: object, start: object, settings: object, **_: object) -> LevelResult:
        terms = settings.illumination_terms  # type: ignore[attr-defined]
        tried.append(terms)
        if terms == VARYING:
            return LevelResult(FOUND, status, 3, 0.01, rmse, 0.0, 0.1, 0.1)
        return LevelResult(START, Status.CONVERGED, 3, 0.01, 0.1, share, 0.1, 0.1)

    monkeypatch.setattr(module, "solve_level", solver)
    descent = one_level()
    # The rows are not asked again.
    rows = VARYING if kept else 1
    assert tried == ([1, VARYING, rows] if share > VARYING_SHARE else [1, rows])
    assert descent.state.illumination is (FOUND.illumination if kept else START.illumination)
    assert descent.records[0].status is Status.CONVERGED
    assert descent.solved_planes[0].settings.illumination_terms == (VARYING if kept else 1)


def test_a_varying_light_that_runs_away_keeps_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def solver(
        equations: LevelEquations, start: State, settings: LevelSettings, **_: object
    ) -> LevelResult:
        tried.append(settings.illumination_terms)
        assert equations.illumination_terms >= settings.illumination_terms
        if settings.illumination_terms == VARYING and isinstance(equations, RowEquations):
            assert start.illumination is FOUND.illumination
            return LevelResult(start, Status.DIVERGED, 3, 0.01, 0.1, 0.0, 0.1, 0.1)
        rmse = 0.05 if settings.illumination_terms == VARYING else 0.1
        state = FOUND if settings.illumination_terms == VARYING else start
        return LevelResult(state, Status.CONVERGED, 3, 0.01, rmse, 0.9, 0.1, 0.1)

    monkeypatch.setattr(module, "solve_level", solver)
    descent = one_level()
    assert tried == [1, VARYING, VARYING, 1]
    assert descent.state.illumination is FOUND.illumination
    assert descent.solved_planes[0].settings.illumination_terms == 1
    assert descent.records[0].status is Status.CONVERGED
    assert descent.records[0].iterations == 12


@pytest.mark.parametrize("astray", [False, True])
def test_a_level_begins_at_the_start_where_the_images_agree_better_there(
    astray: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[type, State]] = []
    start = State(motion("rigid", SIZE, 0.5, 1), Illumination.uniform())
    far = np.eye(3)
    far[0, 2] = 40.0
    found = State(far if astray else np.eye(3), Illumination.uniform())

    def solver(equations: LevelEquations, at: State, *_: object, **__: object) -> LevelResult:
        level = round(np.log2(SIZE[0] / equations.size[0]))
        begun.append((type(equations), at.at_level(-level)))
        return LevelResult(found.at_level(level), Status.CONVERGED, 3, 0.01, 0.1, 0.0, 0.7, 1.0)

    monkeypatch.setattr(module, "solve_level", solver)
    pictures = pyramid(luma(render(textured(), SIZE)), 3)
    with Threads(1) as threads:
        solved(
            grey(pictures, (2, 1, 0), pictures, luma(render(textured(), SIZE)), threads),
            start,
            model=MODELS["translation"],
            loss=LOSSES["l2"],
            options=Options(),
            illumination_terms=NO_TERMS,
            unit=1.0,
        )
    points = [state.warp for kind, state in begun if kind is PointEquations]
    assert len(points) == 3
    for warp in points[1:]:
        assert_allclose(warp, (start if astray else found).warp, atol=1e-9)
    # The rows of a level go on from its points.
    assert_allclose(begun[-1][1].warp, found.warp, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 0.45])
def test_no_step_is_foretold_where_the_source_is_on_larger_pixels(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[type, bool, float]] = []
    start = State(np.diag([scale, scale, 1.0]), Illumination.uniform())

    def solver(
        equations: LevelEquations,
        at: State,
        settings: LevelSettings,
        *,
        scale: object,
        ratio: float,
    ) -> LevelResult:
        asked.append((type(equations), settings.stop_below_noise, ratio))
        return LevelResult(at, Status.CONVERGED, 3, 0.01, 0.1, 0.0, 0.7, 0.5)

    monkeypatch.setattr(module, "solve_level", solver)
    one_level(start, "similarity")
    kind, stop_below_noise, ratio = asked[-1]
    assert kind is RowEquations
    assert stop_below_noise is (scale == 1.0)
    assert ratio == (module.ROWS_RATIO if scale == 1.0 else 1.0)


def test_all_rows_are_solved_for_the_model_that_some_strips_climbed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, str]] = []

    class Remembered(RowEquations):
        def __init__(self, *arguments: object, strip_step: int, **named: object) -> None:
            asked.append((strip_step, arguments[2].name))  # type: ignore[attr-defined]
            super().__init__(*arguments, strip_step=strip_step, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("align_cli.engine.equations.dense.STRIP_PIXELS", 5 * SIZE[0])
    monkeypatch.setattr(grey_values, "RowEquations", Remembered)
    image = luma(render(textured(), SIZE))
    with Threads(1) as threads:
        descent = solved(
            grey(pyramid(image, 1), (0,), [LazyFullSize(image)], image, threads, "tukey"),
            State(np.eye(3), Illumination.uniform()),
            model=MODELS["similarity"],
            loss=LOSSES["tukey"],
            options=Options(),
            illumination_terms=GAIN_BIAS,
            unit=1.0,
        )
    some, every = (
        [name for step, name in asked if (step == 1) is whole] for whole in (False, True)
    )
    assert len(some) > 1
    assert some[-1] == "similarity"
    assert every == ["similarity"]
    assert_allclose(descent.state.warp, np.eye(3), atol=2e-3)


def test_where_nothing_agrees_a_full_size_without_points_has_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GOOD_CORRELATION", 1.0)
    image = luma(render(textured(), SIZE))
    levels = pyramid(image, 3)
    with Threads(1) as threads:
        descent = solved(
            grey(levels, (2, 1, 0), [LazyFullSize(image), *levels[1:]], image, threads, "tukey"),
            State(np.eye(3), Illumination.uniform()),
            model=MODELS["rigid"],
            loss=LOSSES["tukey"],
            options=Options(),
            illumination_terms=GAIN_BIAS,
            unit=1.0,
            has_agreement=lambda warp: False,
        )
    assert [each.level for each in descent.records] == [2, 1]
    assert descent.records[-1].status is Status.NO_AGREEMENT
    assert descent.solved_planes == ()


@pytest.mark.parametrize(("budget", "iterations"), [(1, 12), (15 * 114 * 94, 15), (1 << 29, 100)])
def test_the_last_solve_has_a_budget_of_pixels_and_asks_on_its_way_whether_anything_agrees(
    budget: int, iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[np.ndarray] = []
    settings_of: dict[type, LevelSettings] = {}

    def has_agreement(warp: np.ndarray) -> bool:
        asked.append(warp)
        return True

    def solver(
        equations: LevelEquations, at: State, settings: LevelSettings, **_: object
    ) -> LevelResult:
        settings_of[type(equations)] = settings
        if settings.has_agreement is not None:
            assert settings.has_agreement(at)
        return LevelResult(at, Status.CONVERGED, 3, 0.01, 0.1, 0.0, 0.7, 0.5)

    monkeypatch.setattr(module, "MOST_PIXELS", budget)
    monkeypatch.setattr(module, "solve_level", solver)
    monkeypatch.setattr(module, "GOOD_CORRELATION", -1.1)
    image = luma(render(textured(), (2 * SIZE[0], 2 * SIZE[1])))
    levels = pyramid(image, 3)
    start = State(motion("affine", SIZE, 3.0, 1), Illumination.uniform())
    with Threads(1) as threads:
        solved(
            grey(levels, (2, 1), levels, image, threads),
            start,
            model=MODELS["translation"],
            loss=LOSSES["l2"],
            options=Options(),
            illumination_terms=NO_TERMS,
            has_agreement=has_agreement,
            unit=1.0,
        )
    assert settings_of[RowEquations].max_iterations == iterations
    assert settings_of[PointEquations].max_iterations == module.COARSE_ITERATIONS
    # Once, by the rows of level 1, of a warp at full size.
    assert len(asked) == 1
    assert_allclose(asked[0], start.warp, atol=1e-9)
