from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements import residual_field
from align_cli.engine.displacements.fit import Fit, Matches, model_basis, polynomial, robust_fit
from align_cli.engine.displacements.residual_field import (
    SmoothField,
    explained_by_richer,
    fitted_transform,
    supported_smooth_field,
)
from align_cli.engine.geometry.coordinates import corners, map_points
from align_cli.engine.geometry.models import LARGEST, MODELS, MotionModel
from tests.engine.displacements.fields import SIZE, Field, Floats, lens, matches, spread, still

GRID = np.stack(
    np.meshgrid(np.linspace(0.0, SIZE[0] - 1.0, 20), np.linspace(0.0, SIZE[1] - 1.0, 15)), axis=-1
).reshape(-1, 2)
PLACES = np.concatenate([GRID, corners(SIZE)])


def member(name: str, move_px: float, seed: int) -> Floats:
    start = corners(SIZE)
    end = start + np.random.default_rng(seed).uniform(-move_px, move_px, (4, 2))
    return MODELS[name].from_points(start, end)


def explained(model: str, tiles: Matches) -> MotionModel | None:
    largest = fitted_transform(MODELS[LARGEST], tiles, SIZE)[1]
    return explained_by_richer(MODELS[model], tiles, SIZE, largest)


def lengths_of(smooth: SmoothField) -> Floats:
    """Of the field where it is carried; 0 elsewhere."""
    field = smooth.basis.evaluate(smooth.fit.parameters, PLACES, SIZE)
    return np.where(smooth.supported, np.hypot(*field.T), 0.0)


def moved_by(transform: Floats) -> Field:
    return lambda position: map_points(transform, position) - position


@pytest.mark.parametrize("model", list(MODELS))
def test_a_transform_is_found_exactly_however_large(model: str) -> None:
    truth = member(model, 30.0, 4)
    transform, _ = fitted_transform(MODELS[model], matches(moved_by(truth), sigma=1e-4), SIZE)
    assert_allclose(map_points(transform, PLACES), map_points(truth, PLACES), atol=0.01)


@pytest.mark.parametrize(("move_px", "solves"), [(0.1, 1), (2.0, 2), (30.0, 3)])
def test_a_transform_is_solved_for_no_more_often_than_it_takes(
    move_px: float, solves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[Fit] = []

    def counted(*parts: Floats) -> Fit:
        fits.append(robust_fit(*parts))
        return fits[-1]

    monkeypatch.setattr(residual_field, "robust_fit", counted)
    truth = member(LARGEST, move_px, 4)
    transform, _ = fitted_transform(MODELS[LARGEST], matches(moved_by(truth), sigma=1e-4), SIZE)
    assert_allclose(map_points(transform, PLACES), map_points(truth, PLACES), atol=0.01)
    assert len(fits) == solves


@pytest.mark.parametrize("simple", ["rigid", "similarity", "affine"])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_a_homography_explains_what_simpler_models_leave(
    simple: str, wrong: float, seed: int
) -> None:
    field = moved_by(member("homography", 4.0, seed))
    tiles = matches(field, seed=seed, wrong=wrong)
    richer = explained(simple, tiles)
    assert richer is not None
    assert richer.name == "homography"
    lengths = np.hypot(*field(PLACES).T)
    transform, fit = fitted_transform(richer, tiles, SIZE)
    told = np.hypot(*(map_points(transform, PLACES) - PLACES).T)
    largest = int(told.argmax())
    sigma = np.sqrt(model_basis(richer).variance(fit, PLACES[[largest]], SIZE)[0])
    assert told[largest] == pytest.approx(lengths.max(), abs=4.0 * sigma)
    assert told[largest] == pytest.approx(lengths.max(), abs=max(0.3, 0.15 * lengths.max()))
    assert lengths[largest] == pytest.approx(lengths.max(), abs=0.5)


@pytest.mark.parametrize("truth", ["rigid", "similarity", "affine"])
def test_the_simplest_model_that_suffices_is_named(truth: str) -> None:
    tiles = matches(moved_by(member(truth, 6.0, 7)), wrong=0.2)
    richer = explained("translation", tiles)
    assert richer is not None
    assert richer.name == truth


@pytest.mark.parametrize("model", list(MODELS))
def test_nothing_is_explained_where_nothing_remains(model: str) -> None:
    told = [
        explained(model, matches(still, 60, seed=seed, scatter=0.2, wrong=0.3))
        for seed in range(40)
    ]
    assert told == [None] * 40


def test_what_the_model_itself_would_move_is_not_explained_by_a_richer_one() -> None:
    tiles = matches(moved_by(member("affine", 10.0, 2)))
    assert explained("affine", tiles) is None
    assert explained("similarity", tiles) is not None


def test_no_model_is_richer_than_a_homography() -> None:
    assert explained(LARGEST, matches(lens(0.1))) is None


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_a_few_tiles_explain_nothing_and_carry_nothing(count: int) -> None:
    tiles = matches(lens(0.1), count)
    assert explained("translation", tiles) is None
    assert supported_smooth_field(tiles, SIZE, PLACES) is None


@pytest.mark.parametrize("k1", [-0.1, -0.02, 0.02, 0.1])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_a_lens_is_told_by_its_largest_displacement(k1: float, wrong: float) -> None:
    smooth = supported_smooth_field(matches(lens(k1), 150, wrong=wrong), SIZE, PLACES)
    truth = np.hypot(*lens(k1)(PLACES).T)
    assert smooth is not None
    told = lengths_of(smooth)
    assert told.max() == pytest.approx(truth.max(), abs=max(0.3, 0.05 * truth.max()))
    assert any(np.hypot(*(corner - PLACES[told.argmax()])) < 1.0 for corner in corners(SIZE))
    assert told.mean() == pytest.approx(truth.mean(), abs=0.1)
    assert np.sqrt(np.mean(told**2)) == pytest.approx(np.sqrt(np.mean(truth**2)), abs=0.1)
    assert smooth.supported.all()


def test_little_is_told_where_nothing_remains() -> None:
    smooth = supported_smooth_field(matches(still, 150, wrong=0.3, scatter=0.1), SIZE, PLACES)
    assert smooth is not None
    assert lengths_of(smooth).max() < 0.3


def test_no_field_is_told_where_no_tiles_carry_it() -> None:
    position = spread(150, np.random.default_rng(0)) * (0.5, 1.0)
    tiles = matches(lens(0.05), position=position, scatter=0.2)
    smooth = supported_smooth_field(tiles, SIZE, PLACES)
    assert smooth is not None
    left, far = PLACES[:, 0] < 0.45 * SIZE[0], PLACES[:, 0] > 0.75 * SIZE[0]
    assert smooth.supported[left].mean() > 0.9
    assert not smooth.supported[far].any()
    assert PLACES[lengths_of(smooth).argmax(), 0] < 0.75 * SIZE[0]
    truth = np.hypot(*lens(0.05)(PLACES[smooth.supported]).T)
    assert lengths_of(smooth).max() == pytest.approx(truth.max(), rel=0.15)


def test_tiles_of_several_levels_are_fitted_together() -> None:
    local_field, far = (matches(lens(0.05), 20, seed=seed) for seed in (1, 2))
    both = Matches(
        *(
            np.concatenate([getattr(local_field, name), getattr(far, name)])
            for name in ("position", "displacement", "covariance", "side", "reach")
        )
    )
    basis = polynomial(3)
    truth = lens(0.05)(PLACES)
    errors = []
    for tiles in (local_field, both):
        smooth = supported_smooth_field(tiles, SIZE, PLACES)
        assert smooth is not None
        fitted = basis.evaluate(smooth.fit.parameters, PLACES, SIZE)
        errors.append(np.hypot(*(fitted - truth).T).mean())
    assert errors[1] < errors[0]
