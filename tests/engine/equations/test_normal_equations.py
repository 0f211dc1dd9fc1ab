from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.equations.illumination import GAIN_BIAS, NO_TERMS, VARYING
from align_cli.engine.equations.normal_equations import (
    LEAST_SCALE,
    LEAST_SCALE_SHARE,
    Solver,
    columns,
    least_scale,
)


def random_system(size: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(size)
    jacobian = numbers.normal(size=(60, size)) * np.geomspace(1.0, 1e4, size)
    return jacobian.T @ jacobian, numbers.normal(size=size)


@pytest.mark.parametrize("motion_size", [2, 3, 8])
@pytest.mark.parametrize("terms", [NO_TERMS, GAIN_BIAS, VARYING])
def test_the_normal_equations_are_solved_for_as_much_light_as_wanted(
    motion_size: int, terms: int
) -> None:
    matrix, vector = random_system(motion_size + 2 * VARYING)
    motion = list(range(motion_size))
    factor = [motion_size + term for term in range(terms)]
    offset = [motion_size + VARYING + term for term in range(terms)]
    chosen = motion + factor + offset
    expected = np.linalg.solve(matrix[np.ix_(chosen, chosen)], vector[chosen])
    kept = columns(motion_size, terms, VARYING)
    solver = Solver(matrix[np.ix_(kept, kept)])
    assert not solver.singular
    assert_allclose(solver.step(vector[kept]), expected, rtol=1e-7)


@pytest.mark.parametrize("what", ["dependent", "zero", "nan", "inf"])
def test_a_singular_system_has_no_step(what: str) -> None:
    matrix, _ = random_system(3 + 2 * GAIN_BIAS)
    if what == "dependent":
        matrix[1], matrix[:, 1] = 2.0 * matrix[0], 2.0 * matrix[:, 0]
        matrix[1, 1] = 4.0 * matrix[0, 0]
    elif what == "zero":
        matrix[1] = matrix[:, 1] = 0.0
    else:
        matrix[1, 2] = matrix[2, 1] = float(what)
    assert Solver(matrix).singular


def test_a_flat_target_has_a_scale_too() -> None:
    assert least_scale(2.0) == 2.0 * LEAST_SCALE_SHARE
    assert least_scale(0.0) == LEAST_SCALE > 0.0
