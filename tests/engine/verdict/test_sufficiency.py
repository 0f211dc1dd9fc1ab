"""What a model leaves behind is told with its size and place, and nothing where nothing is left."""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.displacements.evidence import LevelEvidence
from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.displacements.fit import model_basis
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.verdict.sufficiency import (
    GRID,
    SMALL_RESIDUAL_PX,
    ResidualDisplacement,
    matches_of,
    overlap_points,
    residual_displacement,
)
from tests.engine.displacements.pairs import drawn, level_pair, noisy, shift, speckle, view
from tests.scenes import about, mapped, pixel_grid

SIZE = (400, 300)
SIGMA = 0.05
HALF = (SIZE[0] // 2, SIZE[1] // 2)
BEYOND = 20
WIDER = (SIZE[0] + 2 * BEYOND, SIZE[1] + 2 * BEYOND)
"""A source that reaches beyond the target on all sides."""


def centres(count: int = 12) -> np.ndarray:
    x, y = (np.linspace(12.0, side - 13.0, round(count * side / SIZE[0])) for side in SIZE)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


@cache
def speckled() -> LevelEvidence:
    """A level whose texture fixes every parameter of every model."""
    plane = drawn(speckle(1, size=HALF), HALF)
    return LevelEvidence(level_pair(plane, plane, level=1), most=150)


@cache
def rays() -> LevelEvidence:
    """A level with a sunburst: it fixes neither scale nor perspective."""
    x, y = (each - (side - 1.0) / 2.0 for each, side in zip(pixel_grid(SIZE), SIZE, strict=True))
    radius = np.hypot(x, y)
    plane = np.where(radius > 15, np.tanh(np.sin(16 * np.arctan2(y, x)) * radius / 5.0), 0.0)
    pair = view(noisy(plane, 0.02, 1), noisy(plane, 0.02, 2)).at(np.eye(3), 1)
    return LevelEvidence(pair, most=150)


def evidence_of(
    displacement: np.ndarray,
    position: np.ndarray,
    *,
    sigma: float = SIGMA,
    seed: int = 0,
    matched: np.ndarray | None = None,
    texture: LevelEvidence | None = None,
    far_share: float = 0.0,
    far_motion_px: tuple[float, float] = (math.nan, math.nan),
) -> Any:
    """A field of tiles with noise as large as they say; without ``texture`` all can be fixed."""
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
    inlier = field.matched & (np.hypot(*displacement.T) < 2.0)
    return SimpleNamespace(
        field=field,
        reach_px=20.0,
        coarse=speckled() if texture is None else texture,
        inlier=inlier,
        allowed_px=2.0,
        far_share=far_share,
        far_motion_px=far_motion_px,
        all_levels=tuple,
    )


def left(
    model: str,
    moved: np.ndarray | tuple[float, float],
    position: np.ndarray | None = None,
    **more: Any,
) -> ResidualDisplacement:
    """What is left where the source reaches beyond the target on all sides.

    So that the whole target is looked at, whatever the displacements.
    """
    position = centres() if position is None else position
    evidence = evidence_of(np.broadcast_to(moved, position.shape), position, **more)
    return residual_displacement(MODELS[model], evidence, shift(BEYOND, BEYOND), SIZE, WIDER)


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
    # A source that ends with the target shows no corner: each is turned beyond its border.
    same = residual_displacement(
        MODELS["rigid"], evidence_of(by_matrix(turn), centres()), np.eye(3), SIZE, SIZE
    )
    assert same.explained_by == "rigid"
    corner = np.abs(np.array(same.at_px) - [199.5, 149.5])
    assert_allclose(corner, [199.5, 149.5 - angle * 199.5], atol=299.0 / (GRID - 1))
    assert (corner < 149.5 - angle * 199.5 + 0.05).any()
    assert same.px == pytest.approx(angle * np.hypot(*corner), rel=0.03)


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
    if k1 > 0.0:
        # Without a margin the source does not show what the lens moves beyond its border.
        same = residual_displacement(
            MODELS["homography"], evidence_of(lens(k1, centres()), centres()), np.eye(3), SIZE, SIZE
        )
        at = np.array([same.at_px])
        seen = at + lens(k1, at)
        assert (seen > -0.5).all()
        assert (seen < np.array(SIZE) - 0.5).all()
        assert 0.6 * true < same.px < found.px
        assert same.px == pytest.approx(np.hypot(*lens(k1, at)[0]), abs=max(0.3, 0.15 * true))


def test_two_planes_are_a_second_motion() -> None:
    position = centres(16)
    front = (np.abs(position[:, 0] - 200.0) < 80.0) & (position[:, 1] < 150.0)
    moved = np.where(front[:, None], [0.0, 7.0], [0.0, 0.0])
    found = left("homography", moved, position)
    assert found.second is not None
    assert found.second.share == pytest.approx(front.mean(), abs=0.05)
    assert_allclose(found.second.shift_px, [0.0, 7.0], atol=0.3)
    assert found.second.where == "at the top"
    assert found.rival == pytest.approx(front.mean() / (1.0 - front.mean()), rel=0.1)
    # What is left, and how the rest scatters, is of the rest alone.
    assert found.explained_by is None
    assert found.px < 0.3
    assert found.matches is not None
    assert found.fit is not None
    assert_array_equal(found.matches.position, position[~front])
    assert len(found.fit.residual) == np.count_nonzero(~front)
    assert found.fit.scatter_px < 0.05


def test_where_nearly_all_lie_within_half_a_pixel_there_is_nothing_to_explain() -> None:
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-5, 0.0, 1.0]])
    quiet = by_matrix(matrix)
    loud = 4.0 * quiet
    assert np.quantile(np.hypot(*quiet.T), 0.9) < 0.8 * SMALL_RESIDUAL_PX
    found = left("affine", quiet, sigma=0.01)
    assert found.explained_by is None
    # What lies beyond chance is measured all the same.
    assert found.px == pytest.approx(np.hypot(*quiet.T).max(), rel=0.2)
    nothing = left("affine", 0.0 * quiet, sigma=0.01)
    assert nothing.px == 0.0
    assert nothing.drift is None
    assert nothing.fit is not None
    assert len(nothing.fit.parameters) == MODELS["affine"].size
    assert np.quantile(np.hypot(*loud.T), 0.9) > SMALL_RESIDUAL_PX
    assert left("affine", loud, sigma=0.01).explained_by == "homography"


def test_tiles_that_move_little_tell_what_moves_much_beyond_them() -> None:
    position = centres()
    position = position[position[:, 0] < 0.5 * SIZE[0]]
    x, y = position.T
    perspective = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.9e-5, 0.0, 1.0]])
    moved = np.stack(mapped(perspective, x, y), axis=1) - position
    assert np.quantile(np.hypot(*moved.T), 0.9) < 0.8 * SMALL_RESIDUAL_PX
    found = left("affine", moved, position, sigma=0.01)
    corner = np.hypot(*np.subtract(mapped(perspective, *SIZE), SIZE))
    assert corner > 1.5
    assert found.explained_by == "homography"
    assert found.px == pytest.approx(corner, rel=0.15)


def test_a_lens_that_moves_little_is_a_drift_and_no_remainder_to_tell() -> None:
    position, middle = centres(), (np.array(SIZE) - 1.0) / 2.0
    radius = (position - middle) / np.hypot(*middle)
    outside_model = 0.6 * radius * np.square(radius).sum(axis=1)[:, None]
    found = left("translation", outside_model + np.array((0.1, 0.0)), position, sigma=0.01)
    assert found.explained_by is None
    assert found.px == pytest.approx(0.7, abs=0.1)
    assert found.drift is not None
    assert_allclose(
        model_basis(MODELS["translation"]).design(position, SIZE)[0] @ found.drift,
        (0.1, 0.0),
        atol=0.02,
    )
    assert found.fit is not None
    assert found.fit.scatter_px < 0.02


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
    found = residual_displacement(MODELS["translation"], evidence, np.eye(3), SIZE, SIZE)
    assert found.explained_by is None
    assert found.second is None
    assert found.px < 0.5


def test_it_is_told_where_the_source_reaches() -> None:
    matrix = np.array([[1.0, 0.03, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    moved = by_matrix(matrix)
    evidence = evidence_of(moved, centres())
    found = residual_displacement(MODELS["rigid"], evidence, np.eye(3), SIZE, (400, 200))
    assert found.at_px[1] < 200.0
    beyond = np.array([[1.0, 0.0, 900.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    nowhere = residual_displacement(MODELS["rigid"], evidence, beyond, SIZE, SIZE)
    assert math.isnan(nowhere.px)
    assert nowhere.explained_by is None


def test_places_are_those_of_the_target_that_lie_in_the_source() -> None:
    whole = overlap_points(np.eye(3), SIZE, SIZE)
    for corner in ([0, 0], [399, 0], [399, 299], [0, 299]):
        assert (whole == corner).all(axis=1).any()
    assert len(whole) == GRID**2 + 4
    half = overlap_points(
        np.array([[1.0, 0.0, -200.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), SIZE, SIZE
    )
    assert (half[:, 0] >= 200.0).all()
    assert 0.4 < len(half) / len(whole) < 0.6
    assert len(overlap_points(np.array([[1.0, 0, 900], [0, 1.0, 0], [0, 0, 1.0]]), SIZE, SIZE)) == 0
    last = overlap_points(np.eye(3), SIZE, (400, 200))
    assert last[:, 1].max() <= 199.0
    wider = overlap_points(np.eye(3), SIZE, (600, 500))
    assert wider.max(axis=0).tolist() == [399.0, 299.0]
    assert len(wider) == GRID**2 + 4


@pytest.mark.parametrize(("errors", "explained_by"), [(2.5, None), (11.0, "translation")])
def test_another_of_its_own_is_told_where_the_tiles_are_certain_of_it(
    errors: float, explained_by: str | None
) -> None:
    sigma = 1.0
    off = errors * sigma * math.sqrt(2.0 / len(centres()))
    for seed in range(5):
        found = left("translation", (0.0, off), sigma=sigma, seed=seed)
        assert found.explained_by == explained_by
        assert found.px == (pytest.approx(off, abs=0.35) if explained_by else 0.0)


def test_what_no_texture_fixes_is_not_told() -> None:
    perspective = by_matrix(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1e-4, 0.0, 1.0]]))
    assert left("translation", perspective).explained_by == "homography"
    found = left("translation", perspective, texture=rays())
    assert found.explained_by != "homography"
    # Nor is the cubic field asked then: what is told is the motion of the answer's own model.
    assert found.explained_by in {None, "translation", "rigid"}
    unfixed = left("homography", perspective, texture=rays())
    assert unfixed.px == 0.0
    assert unfixed.explained_by is None
    assert unfixed.drift is None
    assert unfixed.fit is not None
    # The other model is fitted all the same.
    assert np.hypot(*unfixed.fit.residual.T).max() < 6.0 * SIGMA


def test_what_shares_a_motion_out_of_reach_is_told() -> None:
    position = centres()
    matched = position[:, 1] < 200.0
    moved = np.zeros_like(position)
    found = left(
        "affine",
        moved,
        position,
        sigma=0.4,
        matched=matched,
        far_share=0.3,
        far_motion_px=(-30.0, 40.0),
    )
    assert found.second is not None
    assert found.second.share == 0.3
    assert found.second.shift_px == (-30.0, 40.0)
    assert found.second.length_px == pytest.approx(50.0)
    assert_allclose(found.second.centre_px, position[~matched].mean(axis=0))
    assert found.second.where == "at the bottom"
    assert found.rival == pytest.approx(0.3 / matched.mean())
    assert left("affine", moved, position, sigma=0.4, matched=matched).second is None
    all_found = left(
        "affine", moved, position, sigma=0.4, far_share=0.3, far_motion_px=(-30.0, 40.0)
    )
    assert all_found.second is None


def test_least_squares_would_move_the_answer_to_the_mean_of_what_is_left() -> None:
    moved = (1.2, -1.6)
    found = left("translation", moved)
    assert found.drift is not None
    # A translation's parameters are in normalised coordinates.
    by = model_basis(MODELS["translation"]).evaluate(found.drift, centres(), SIZE)
    assert_allclose(by, np.broadcast_to(moved, by.shape), atol=0.05)
    sheared = left("rigid", by_matrix(np.array([[1.0, 0.04, 0.0], [0.0, 1.0, 0.0], [0, 0, 1.0]])))
    assert sheared.explained_by == "affine"
    assert sheared.drift is not None
    # Half of a shear is a turn.
    by = model_basis(MODELS["rigid"]).evaluate(
        sheared.drift, np.array([[199.5, 299.0], [199.5, 149.5]]), SIZE
    )
    area = np.array(SIZE, np.float64) ** 2
    assert by[0, 0] == pytest.approx(0.04 * 149.5 * area[1] / area.sum(), abs=0.1)
    assert_allclose(by[1], [0.0, 0.0], atol=0.1)


def test_noise_moves_no_answer() -> None:
    """Beyond chance nothing is left of the drift, about as often as chance has it."""
    lengths = []
    for seed in range(12):
        found = left("translation", (0.0, 0.0), sigma=1.0, seed=seed)
        assert found.drift is not None
        of = model_basis(MODELS["translation"]).evaluate(found.drift, centres()[:1], SIZE)
        lengths.append(float(np.hypot(*of[0])))
    expected = math.sqrt(2.0 / len(centres()))
    assert np.count_nonzero(np.array(lengths) == 0.0) >= 5
    assert np.sqrt(np.mean(np.square(lengths))) < 0.8 * expected
