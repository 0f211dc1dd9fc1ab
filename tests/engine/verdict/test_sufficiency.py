"""What a model leaves behind is told with its size and place, and nothing where nothing is left."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.motion import MODELS
from align_cli.engine.verdict.sufficiency import (
    QUIET_PX,
    Remaining,
    matches_of,
    places,
    remaining,
)
from tests.scenes import about, mapped

SIZE = (400, 300)
SIGMA = 0.05


def centres(count: int = 12) -> np.ndarray:
    x, y = (np.linspace(12.0, side - 13.0, round(count * side / SIZE[0])) for side in SIZE)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def evidence_of(
    displacement: np.ndarray,
    position: np.ndarray,
    *,
    sigma: float = SIGMA,
    seed: int = 0,
    matched: np.ndarray | None = None,
) -> Any:
    """A field of tiles with noise as large as they say."""
    count = len(position)
    noise = np.random.default_rng([11, seed]).normal(0.0, sigma, (count, 2))
    field = DisplacementField(
        position=position,
        displacement=displacement + noise,
        covariance=np.tile(sigma**2 * np.eye(2), (count, 1, 1)),
        correlation=np.ones(count),
        matched=np.ones(count, np.bool_) if matched is None else matched,
        side=16.0,
        level=0,
    )
    return SimpleNamespace(field=field, reach_px=20.0)


def left(
    model: str,
    moved: np.ndarray | tuple[float, float],
    position: np.ndarray | None = None,
    **more: Any,
) -> Remaining:
    position = centres() if position is None else position
    evidence = evidence_of(np.broadcast_to(moved, position.shape), position, **more)
    return remaining(MODELS[model], evidence, np.eye(3), SIZE, SIZE)


def by_matrix(matrix: np.ndarray) -> np.ndarray:
    x, y = centres().T
    return np.stack(mapped(about(SIZE, matrix), x, y), axis=1) - centres()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_noise_alone_leaves_nothing(model: str, seed: int) -> None:
    for sigma in (0.05, 0.4):
        found = left(model, (0.0, 0.0), seed=seed, sigma=sigma)
        assert found.explained_by is None
        assert found.second is None
        assert found.px < 1.0
        assert found.fit is not None


@pytest.mark.parametrize("model", ["translation", "rigid", "homography"])
def test_its_own_model_two_pixels_off_is_told(model: str) -> None:
    found = left(model, (1.2, -1.6))
    assert found.explained_by == model
    assert found.px == pytest.approx(2.0, abs=0.2)
    assert found.second is None


def test_a_rigid_answer_that_should_be_turned() -> None:
    angle = 0.02
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    found = left("rigid", by_matrix(turn))
    assert found.explained_by == "rigid"
    assert found.px == pytest.approx(angle * np.hypot(199.5, 149.5), rel=0.05)
    corner = np.abs(np.array(found.at_px) - [199.5, 149.5])
    assert_allclose(corner, [199.5, 149.5], atol=1e-6)


@pytest.mark.parametrize("times", [0.6, 1.6])
def test_what_the_own_model_moves_is_told_from_a_pixel_on(times: float) -> None:
    found = left("translation", (times * 1.0, 0.0))
    assert found.explained_by == ("translation" if times > 1.0 else None)
    assert found.px == pytest.approx(times * 1.0, abs=0.1)


@pytest.mark.parametrize(("model", "shear"), [("rigid", 0.02), ("similarity", 0.03)])
def test_a_model_too_simple_for_an_affine_motion(model: str, shear: float) -> None:
    matrix = np.array([[1.0, shear, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = left(model, by_matrix(matrix))
    assert found.explained_by == "affine"
    # The true remainder is largest at the top and at the bottom.
    assert found.px == pytest.approx(shear * 149.5, rel=0.05)
    assert found.at_px[1] in (0.0, 299.0)
    assert found.second is None


def test_a_homography_explains_what_an_affine_does_not() -> None:
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-4, 0.0, 1.0]])
    found = left("affine", by_matrix(matrix))
    assert found.explained_by == "homography"
    assert found.px > 3.0
    assert left("homography", by_matrix(matrix)).explained_by == "homography"  # another of it


def lens(k1: float, position: np.ndarray) -> np.ndarray:
    """What a lens leaves after the best change of scale over ``centres``."""

    def both(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        off = points - np.array([199.5, 149.5])
        return off, k1 * off * (np.hypot(*off.T)[:, None] / 249.3) ** 2

    off, moved = both(centres())
    scale = float((moved * off).sum() / np.square(off).sum())
    off, moved = both(position)
    return moved - scale * off


@pytest.mark.parametrize("k1", [0.03, -0.06])
def test_a_lens_is_left_and_no_model_explains_it(k1: float) -> None:
    found = left("homography", lens(k1, centres()))
    assert found.explained_by is None
    assert found.second is None
    corners = np.array([[0.0, 0.0], [399.0, 0.0], [399.0, 299.0], [0.0, 299.0]])
    true = np.hypot(*lens(k1, corners).T).max()
    assert found.px == pytest.approx(true, abs=max(0.3, 0.15 * true))


def test_two_planes_are_a_second_motion() -> None:
    position = centres(16)
    front = (np.abs(position[:, 0] - 200.0) < 80.0) & (position[:, 1] < 150.0)
    moved = np.where(front[:, None], [0.0, 7.0], [0.0, 0.0])
    found = left("homography", moved, position)
    assert found.second is not None
    assert found.second.share == pytest.approx(front.mean(), abs=0.05)
    assert_allclose(found.second.shift_px, [0.0, 7.0], atol=0.3)
    assert found.second.place == "at the top"


def test_where_nearly_all_lie_within_half_a_pixel_there_is_nothing_to_explain() -> None:
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-5, 0.0, 1.0]])
    quiet = by_matrix(matrix)
    loud = 4.0 * quiet
    assert np.quantile(np.hypot(*quiet.T), 0.9) < 0.8 * QUIET_PX
    assert left("affine", quiet, sigma=0.01).explained_by is None
    assert np.quantile(np.hypot(*loud.T), 0.9) > QUIET_PX
    assert left("affine", loud, sigma=0.01).explained_by == "homography"


def test_too_few_tiles_tell_nothing() -> None:
    few = centres()[:: len(centres()) // 8][:8]
    enough = left("translation", (3.0, 0.0), few)
    assert enough.explained_by == "translation"
    assert enough.fit is not None
    nothing = left("translation", (3.0, 0.0), few[1:])
    assert nothing.fit is None
    assert math.isnan(nothing.px)
    assert nothing.explained_by is None


def test_tiles_that_found_no_match_say_nothing() -> None:
    position = centres()
    matched = position[:, 0] < 200.0
    moved = np.where(matched[:, None], [0.0, 0.0], [0.0, 9.0])
    evidence = evidence_of(moved, position, matched=matched)
    kept = matches_of(evidence)
    assert_array_equal(kept.position, position[matched])
    assert_array_equal(kept.displacement, evidence.field.displacement[matched])
    assert_array_equal(kept.covariance, evidence.field.covariance[matched])
    assert (kept.side == 16.0).all()
    assert (kept.reach == 20.0).all()
    found = remaining(MODELS["translation"], evidence, np.eye(3), SIZE, SIZE)
    assert found.explained_by is None
    assert found.second is None
    assert found.px < 0.5


def test_it_is_told_where_the_source_reaches() -> None:
    matrix = np.array([[1.0, 0.03, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    moved = by_matrix(matrix)
    evidence = evidence_of(moved, centres())
    found = remaining(MODELS["rigid"], evidence, np.eye(3), SIZE, (400, 200))
    assert found.at_px[1] < 200.0
    beyond = np.array([[1.0, 0.0, 900.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    nowhere = remaining(MODELS["rigid"], evidence, beyond, SIZE, SIZE)
    assert math.isnan(nowhere.px)
    assert nowhere.explained_by is None


def test_places_are_those_of_the_target_that_lie_in_the_source() -> None:
    whole = places(np.eye(3), SIZE, SIZE)
    for corner in ([0, 0], [399, 0], [399, 299], [0, 299]):
        assert (whole == corner).all(axis=1).any()
    assert len(whole) == 260
    half = places(np.array([[1.0, 0.0, -200.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), SIZE, SIZE)
    assert (half[:, 0] >= 200.0).all()
    assert 0.4 < len(half) / len(whole) < 0.6
    assert len(places(np.array([[1.0, 0, 900], [0, 1.0, 0], [0, 0, 1.0]]), SIZE, SIZE)) == 0
    last = places(np.eye(3), SIZE, (400, 200))
    assert last[:, 1].max() <= 199.0
    wider = places(np.eye(3), SIZE, (600, 500))
    assert wider.max(axis=0).tolist() == [399.0, 299.0]
    assert len(wider) == 260
