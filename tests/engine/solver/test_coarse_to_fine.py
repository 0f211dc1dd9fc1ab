from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.images.luma import luma
from align_cli.engine.options import Options
from align_cli.engine.records import LevelRecord, Status
from align_cli.engine.solver.coarse_to_fine import LevelSolution, coarse_to_fine, levels_used
from align_cli.engine.target.target import Target
from tests.scenes import render, textured

SIZE = (120, 100)
RECORD = LevelRecord(
    level=0, width=9, height=7, iterations=3, last_step_px=0.1, rmse=0.2, status=Status.CONVERGED
)


def place_at(x: float) -> State:
    warp = np.eye(3)
    warp[0, 2] = x
    return State(warp, Illumination.uniform())


def test_each_level_begins_where_the_one_above_ended() -> None:
    begun: list[tuple[str, float]] = []
    told: list[LevelRecord] = []

    def solve_level(level: str, state: State) -> LevelSolution:
        begun.append((level, state.warp[0, 2]))
        return LevelSolution(place_at(state.warp[0, 2] + 1.0), replace(RECORD, rmse=len(begun)))

    descent = coarse_to_fine("abc", solve_level, place_at(5.0), told.append)
    assert begun == [("a", 5.0), ("b", 6.0), ("c", 7.0)]
    assert_array_equal(descent.warp, place_at(8.0).warp)
    assert [record.rmse for record in descent.records] == [1, 2, 3]
    assert tuple(told) == descent.records
    assert descent.converged


def test_a_level_without_a_solution_ends_the_descent_and_is_told_of_the_one_above() -> None:
    told: list[LevelRecord] = []

    def solve_level(level: str, state: State) -> LevelSolution:
        return LevelSolution(place_at(1.0), None if level == "b" else RECORD)

    descent = coarse_to_fine("abc", solve_level, place_at(0.0), told.append)
    assert descent.records == (replace(RECORD, status=Status.NO_AGREEMENT),)
    assert told == [RECORD]
    assert descent.warp[0, 2] == 1.0
    assert not descent.converged


def test_without_a_level_that_has_anything_to_solve_the_start_remains() -> None:
    descent = coarse_to_fine("a", lambda _, state: LevelSolution(state, None), place_at(4.0))
    assert descent.records == ()
    assert descent.warp[0, 2] == 4.0
    assert not descent.converged


@pytest.mark.parametrize(
    ("used", "finest", "limit", "levels"),
    [
        (3, None, None, [2, 1, 0]),
        (2, None, None, [1, 0]),
        (3, None, 1, [0]),
        (3, 1, None, [2, 1]),
        (1, 2, None, [0]),
    ],
)
def test_a_descent_uses_the_finest_levels_and_ends_where_it_is_told_to(
    used: int, finest: int | None, limit: int | None, levels: list[int]
) -> None:
    options = Options(levels=limit)
    target = Target(luma(render(textured(), SIZE)), options)
    assert levels_used(target, SIZE, options, used=used, finest=finest) == levels


def test_a_descent_ends_where_the_preset_says_and_begins_where_there_is_an_interior() -> None:
    size = (480, 360)
    image = render(textured(), size)
    fast = Options(preset="fast")
    target = Target(luma(image), fast)
    count = len(target.levels)
    assert levels_used(target, size, fast, used=count, finest=None) == [*range(count - 1, 0, -1)]
    # A smaller source cannot spare so much.
    assert levels_used(target, (100, 80), fast, used=count, finest=None)[-1] == 0
    mask = np.zeros((360, 480), np.bool_)
    mask[10:60, 10:70] = True
    masked = Target(luma(image, mask=mask), Options())
    known = levels_used(masked, size, Options(), used=count, finest=None)
    assert known[-1] == 0
    assert 1 < len(known) < count
    mask[20:] = False
    thin = Target(luma(image, mask=mask), Options())
    few = levels_used(thin, size, Options(), used=count, finest=None)
    assert levels_used(thin, size, Options(), used=count, finest=few[0] + 1) == [few[0]]
