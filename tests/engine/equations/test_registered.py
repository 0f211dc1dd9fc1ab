"""Planes that lie on one another: the score is its definition, and the step that of Newton."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from align_cli.engine.equations.illumination import NO_TERMS
from align_cli.engine.equations.registered import RegisteredEquations
from align_cli.engine.geometry.coordinates import inverse, normalisation
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.pyramid import Level
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver.gauss_newton import LevelSettings, solve_level
from align_cli.engine.solver.orientation_levels import IDENTITY_STATE
from align_cli.engine.target.planes import TargetPlanes, target_planes

Plane = NDArray[np.float32]
WIDTH, HEIGHT = 180, 140
MODEL = MODELS["affine"]


def waves(moved: NDArray[np.float64], noise: float, seed: int) -> list[Plane]:
    """Two smooth planes, the pixel (x, y) of which shows what lies at ``moved`` (x, y, 1)."""
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float64), np.arange(HEIGHT, dtype=np.float64))
    x, y = (row[0] * x + row[1] * y + row[2] for row in moved[:2])
    rng = np.random.default_rng(seed)
    planes = []
    for phase in (0.0, 1.0):
        plane = np.sin(0.31 * x + 0.12 * y + phase) + np.cos(0.23 * y - 0.17 * x + 2.0 * phase)
        planes.append(np.asarray(plane + rng.normal(0.0, noise, plane.shape), np.float32))
    return planes


def rows_of(planes: list[Plane], valid: NDArray[np.bool_] | None = None) -> list[TargetPlanes]:
    found = [target_planes(Level(plane, valid)) for plane in planes]
    assert all(each is not None for each in found)
    return [each for each in found if each is not None]


def equations(
    rows: list[TargetPlanes],
    source: list[Plane],
    loss: str = "tukey",
    least_eigenvalue: float = 0.05,
    count: int = 1,
) -> RegisteredEquations:
    return RegisteredEquations(
        rows,
        source,
        MODEL,
        LOSSES[loss],
        threads=Threads(count),
        least_eigenvalue=least_eigenvalue,
    )


def jacobian(rows: TargetPlanes) -> NDArray[np.float64]:
    """(p, pixels), written out: the gradient times dD/dp in pixels."""
    to_normalised = normalisation(rows.size)
    (left, top), (height, width) = rows.origin, rows.shape
    x, y = np.meshgrid(np.arange(left, left + width), np.arange(top, top + height))
    x = to_normalised[0, 0] * x + to_normalised[0, 2]
    y = to_normalised[1, 1] * y + to_normalised[1, 2]
    monomials = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).reshape(6, -1)
    along_x, along_y = MODEL.jacobian_x @ monomials, MODEL.jacobian_y @ monomials
    of_both = along_x * rows.whole.gradient_x.ravel() + along_y * rows.whole.gradient_y.ravel()
    return np.asarray(of_both * rows.pixels_per_unit)


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_the_score_is_the_sum_over_both_planes(loss):
    rows = rows_of(waves(np.eye(3), 0.3, seed=1))
    source = waves(np.array([[1.0, 0.0, 0.4], [0.0, 1.0, -0.3], [0.0, 0.0, 1.0]]), 0.3, seed=2)
    scale, wanted, squares = 0.4, np.zeros(MODEL.size), 0.0
    for plane, other in zip(rows, source, strict=True):
        (left, top), (height, width) = plane.origin, plane.shape
        r = other[top : top + height, left : left + width] - plane.whole.image - plane.mean
        w = np.square(r / (LOSSES[loss].constant * scale)).astype(np.float32)
        LOSSES[loss].weigh(w)
        wanted += jacobian(plane) @ (w * r).ravel()
        squares += float((w * r * r).sum())
    found = equations(rows, source, loss).at(IDENTITY_STATE, scale, with_matrix=False)
    np.testing.assert_allclose(found.vector, wanted, rtol=2e-3, atol=2e-3 * np.abs(wanted).max())
    assert found.squares == pytest.approx(squares, rel=1e-3)
    assert found.matrix is None


SMALL = np.array([[1.001, -0.002, 0.31], [0.0015, 0.999, -0.22], [0.0, 0.0, 1.0]])


def moved_by_a_step(least_eigenvalue: float) -> float:
    """By how much one step between noisy planes moves the middle along x."""
    rows, source = rows_of(waves(np.eye(3), 0.6, seed=1)), waves(SMALL, 0.6, seed=2)
    settings = LevelSettings(MODEL, LOSSES["tukey"], NO_TERMS, 1, 1e-6)
    result = solve_level(
        equations(rows, source, least_eigenvalue=least_eigenvalue), IDENTITY_STATE, settings
    )
    return along_x(result.state.warp)


def along_x(warp: NDArray[np.float64]) -> float:
    middle = np.array([0.5 * (WIDTH - 1.0), 0.5 * (HEIGHT - 1.0), 1.0])
    return float(warp[0] @ middle - middle[0])


def test_noise_in_both_does_not_shorten_the_step():
    wanted = along_x(inverse(SMALL))
    assert moved_by_a_step(0.05) == pytest.approx(wanted, rel=0.3)
    # Gauss-Newton's, of which noise takes most.
    assert 0.0 < moved_by_a_step(1.0) / wanted < 0.5


def test_what_is_not_valid_has_no_say():
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    valid[30:80, 50:120] = False
    rows = rows_of(waves(np.eye(3), 0.1, seed=1), valid)
    source = waves(SMALL, 0.1, seed=2)
    spoilt = [np.where(valid, plane, np.float32(7.0)) for plane in source]
    one, other = (
        equations(rows, planes).at(IDENTITY_STATE, 0.3, with_matrix=False)
        for planes in (source, spoilt)
    )
    np.testing.assert_array_equal(one.vector, other.vector)


def test_the_number_of_threads_changes_nothing():
    rows, source = rows_of(waves(np.eye(3), 0.3, seed=1)), waves(SMALL, 0.3, seed=2)
    one, two = (
        equations(rows, source, count=count).at(IDENTITY_STATE, None, with_matrix=True)
        for count in (1, 2)
    )
    np.testing.assert_array_equal(one.vector, two.vector)
    np.testing.assert_array_equal(one.matrix, two.matrix)


def test_images_that_share_nothing_still_have_a_definite_matrix():
    rows, source = rows_of(waves(np.eye(3), 0.0, seed=1)), [-p for p in waves(np.eye(3), 0.0, 1)]
    matrix = equations(rows, source, "l2").at(IDENTITY_STATE, 1.0, with_matrix=True).matrix
    assert matrix is not None
    own = sum(jacobian(plane) @ jacobian(plane).T for plane in rows)
    shares = np.linalg.eigvals(np.linalg.solve(own, matrix)).real
    np.testing.assert_allclose(shares, 0.05, rtol=0.2)
