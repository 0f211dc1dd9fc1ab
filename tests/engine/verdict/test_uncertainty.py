"""What the tiles disagree about is added to what the noise leaves, once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.displacements.fit import Matches, model_basis, robust_fit
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.geometry.propagation import uncertainty_of
from align_cli.engine.records import Uncertainty
from align_cli.engine.verdict.uncertainty import combined_uncertainty, with_rival_difference
from tests.engine.displacements.pairs import shift

SIZE = (400, 300)


def by_noise(sigma: float) -> Uncertainty:
    """A translation known to ``sigma`` along each axis."""
    entries = np.zeros((8, 8))
    entries[2, 2] = entries[5, 5] = sigma**2
    return uncertainty_of(entries, np.eye(3), source_size=SIZE, target_size=SIZE)


def tiles(count: int, scatter: float, own: float, seed: int) -> Matches:
    numbers = np.random.default_rng([12, seed])
    displacement = numbers.normal(0.0, np.hypot(scatter, own), (count, 2))
    return Matches(
        numbers.uniform((0.0, 0.0), SIZE, (count, 2)),
        displacement,
        np.tile(own**2 * np.eye(2), (count, 1, 1)),
        np.full(count, 16.0),
        np.full(count, 20.0),
    )


def sure(
    noise: Uncertainty | None,
    matches: Matches,
    model: str = "translation",
    warp: np.ndarray | None = None,
) -> Uncertainty | None:
    motion = MODELS[model]
    fit = robust_fit(
        model_basis(motion).design(matches.position, SIZE), matches.displacement, matches.covariance
    )
    return combined_uncertainty(
        noise,
        motion,
        matches,
        fit,
        np.eye(3) if warp is None else warp,
        source_size=SIZE,
        target_size=SIZE,
    )


def without_fit(noise: Uncertainty | None) -> Uncertainty | None:
    return combined_uncertainty(
        noise,
        MODELS["rigid"],
        tiles(10, 1.0, 0.1, 0),
        None,
        np.eye(3),
        source_size=SIZE,
        target_size=SIZE,
    )


def test_without_a_fit_it_is_that_of_the_noise() -> None:
    noise = by_noise(0.1)
    assert without_fit(noise) is noise
    assert without_fit(None) is None


@pytest.mark.parametrize("count", [20, 60])
@pytest.mark.parametrize("scatter", [0.5, 4.0])
def test_the_scatter_of_tiles_leaves_their_mean_as_uncertain_as_it_is(
    count: int, scatter: float
) -> None:
    found = [sure(by_noise(1e-3), tiles(count, scatter, 0.05, seed)) for seed in range(20)]
    told = np.sqrt(np.mean([each.mean_px**2 for each in found if each is not None]))
    # Of a mean along two axes; Tukey's weights lose a twentieth.
    assert told == pytest.approx(scatter * np.sqrt(2.0 / count), rel=0.2)


@pytest.mark.parametrize("model", ["similarity", "affine", "homography"])
def test_it_is_what_the_answer_varies_over_the_overlap(model: str) -> None:
    motion, count, scatter = MODELS[model], 40, 1.0
    x, y = np.meshgrid(np.linspace(0, 399, 9), np.linspace(0, 299, 9))
    points = np.column_stack([x.ravel(), y.ravel()])
    errors, told = [], []
    for seed in range(30):
        matches = tiles(count, scatter, 0.05, seed)
        fit = robust_fit(
            model_basis(motion).design(matches.position, SIZE),
            matches.displacement,
            matches.covariance,
        )
        errors.append(np.hypot(*model_basis(motion).evaluate(fit.parameters, points, SIZE).T))
        found = sure(by_noise(1e-3), matches, model)
        assert found is not None
        told.append(found.mean_px)
    ratio = np.sqrt(np.square(errors).mean()) / np.mean(told)
    assert 0.7 < ratio < 1.4
    # Larger at the corners than in the middle.
    assert found.max_px > 1.2 * found.mean_px


def test_both_are_added_and_no_scatter_adds_nothing() -> None:
    quiet = tiles(40, 0.0, 0.5, 1)
    noise = by_noise(0.2)
    alone = sure(None, quiet)
    both = sure(noise, quiet)
    assert alone is not None
    assert both is not None
    assert noise.mean_px <= both.mean_px < 1.15 * noise.mean_px
    assert alone.mean_px == pytest.approx(0.5 * np.sqrt(2.0 / 40), rel=0.35)
    loud = tiles(40, 2.0, 0.05, 1)
    apart = sure(by_noise(1e-4), loud)
    together = sure(noise, loud)
    assert apart is not None
    assert together is not None
    assert_allclose(together.covariance, apart.covariance + noise.covariance, rtol=1e-3, atol=1e-9)


def test_without_the_noise_the_tiles_alone_tell() -> None:
    found = sure(None, tiles(40, 2.0, 0.05, 3))
    assert found is not None
    assert found.mean_px == pytest.approx(2.0 * np.sqrt(2.0 / 40), rel=0.35)


def test_too_few_tiles_for_the_model_leave_the_noise() -> None:
    noise = by_noise(0.2)
    few = tiles(3, 2.0, 0.05, 1)
    found = sure(noise, few, "homography")
    assert found is not None
    assert_allclose(found.covariance, noise.covariance, rtol=1e-12, atol=1e-15)
    assert found.mean_px == pytest.approx(noise.mean_px, rel=1e-6)
    assert_allclose(found.corners_px, noise.corners_px, rtol=1e-6)
    assert sure(None, few, "homography") is None


def test_a_tile_that_alone_fixes_a_parameter_tells_nothing_of_its_error() -> None:
    noise, matches = by_noise(0.2), tiles(5, 1.0, 0.05, 1)
    matches.position[:4, 1] = 150.0
    matches.position[4] = 200.0, 50.0
    assert sure(noise, matches, "affine") is noise
    matches.position[3] = 90.0, 250.0
    assert sure(noise, matches, "translation") is not noise


def test_few_tiles_are_less_sure_of_their_own_scatter() -> None:
    few, many = (
        np.mean(
            [
                sure(None, tiles(count, 1.0, 0.01, seed)).mean_px * np.sqrt(count)
                for seed in range(20)
            ]
        )
        for count in (4, 80)
    )
    assert few > 1.1 * many


@pytest.mark.parametrize("model", ["translation", "affine", "homography"])
def test_over_the_target_it_is_the_same_however_the_source_lies(model: str) -> None:
    matches = tiles(40, 2.0, 0.05, 3)
    angle = np.deg2rad(20.0)
    turn = 0.3 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # All of the target lies in the source: the mean is over the overlap.
    warp = np.array([[*turn[0], 100.0], [*turn[1], 60.0], [1e-4, 0.0, 1.0]])
    plain, turned = sure(None, matches, model), sure(None, matches, model, warp)
    assert plain is not None
    assert turned is not None
    assert turned.mean_px == pytest.approx(plain.mean_px, rel=1e-6)
    assert turned.max_px == pytest.approx(plain.max_px, rel=1e-6)


def test_of_as_much_scatter_as_their_own_half_is_added() -> None:
    """The tiles' covariance holds both; what is their own the noise has told already."""
    found = [sure(by_noise(1e-4), tiles(60, 0.5, 0.5, seed)) for seed in range(20)]
    told = np.sqrt(np.mean([each.mean_px**2 for each in found if each is not None]))
    assert told == pytest.approx(0.5 * np.sqrt(2.0 / 60), rel=0.2)


def test_tiles_that_do_not_follow_make_it_no_less_certain() -> None:
    matches = tiles(60, 0.5, 0.05, 2)
    before = sure(None, matches)
    matches.displacement[:6] += [30.0, -20.0]
    after = sure(None, matches)
    assert before is not None
    assert after is not None
    assert after.mean_px == pytest.approx(before.mean_px, rel=0.25)


def test_how_far_least_squares_would_move_it_counts_once_more() -> None:
    motion, matches, noise = MODELS["translation"], tiles(40, 1.0, 0.05, 4), by_noise(0.1)
    fit = robust_fit(
        model_basis(motion).design(matches.position, SIZE), matches.displacement, matches.covariance
    )
    # A translation's parameters, in normalised coordinates, that move by 3 and -4 px.
    drift = np.linalg.lstsq(
        model_basis(motion).design(np.zeros((1, 2)), SIZE)[0], np.array([3.0, -4.0]), rcond=None
    )[0]

    def told(warp: np.ndarray, **more: np.ndarray) -> Uncertainty:
        found = combined_uncertainty(
            noise, motion, matches, fit, warp, source_size=SIZE, target_size=SIZE, **more
        )
        assert found is not None
        return found

    without, moved = told(np.eye(3)), told(np.eye(3), drift=drift)
    assert moved.mean_px == pytest.approx(np.hypot(without.mean_px, 5.0), rel=1e-6)
    added = moved.covariance - without.covariance
    assert added[2, 2] == pytest.approx(9.0)
    assert added[5, 5] == pytest.approx(16.0)
    assert added[2, 5] == pytest.approx(-12.0)
    # In px of the target, however the source lies.
    half = np.diag([0.5, 0.5, 1.0])
    assert told(half, drift=drift).mean_px == pytest.approx(
        np.hypot(told(half).mean_px, 5.0), rel=1e-6
    )


def test_its_mean_is_over_the_overlap() -> None:
    """To the right, where no tile is, a homography is far less certain."""
    matches = tiles(60, 0.5, 0.05, 2)
    matches = matches[matches.position[:, 0] < 120.0]
    beside = np.array([[1.0, 0.0, 160.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    over_all, over_left = (
        sure(None, matches, "homography"),
        sure(None, matches, "homography", beside),
    )
    assert over_all is not None
    assert over_left is not None
    assert over_left.mean_px < 0.7 * over_all.mean_px
    assert over_left.max_px == pytest.approx(over_all.max_px, rel=1e-6)


def test_how_far_another_answer_lies_counts_root_mean_square() -> None:
    found = with_rival_difference(
        by_noise(0.0), np.eye(3), shift(3.0, -4.0), source_size=SIZE, target_size=SIZE
    )
    assert found is not None
    assert found.mean_px == pytest.approx(5.0, rel=1e-6)
    both = with_rival_difference(
        by_noise(3.0), shift(7.0, 0.0), shift(7.0, 4.0), source_size=SIZE, target_size=SIZE
    )
    assert both is not None
    assert both.mean_px == pytest.approx(np.sqrt(2 * 3.0**2 + 4.0**2), rel=1e-6)
    # A scale lies further away at the corners than in the middle.
    middle = (np.array(SIZE) - 1.0) / 2.0
    larger = shift(*middle) @ np.diag([1.1, 1.1, 1.0]) @ shift(*-middle)
    scaled = with_rival_difference(
        by_noise(0.0), np.eye(3), larger, source_size=SIZE, target_size=SIZE
    )
    assert scaled is not None
    expected = 0.1 * np.sqrt(np.square(SIZE).sum() / 12.0)
    assert scaled.mean_px == pytest.approx(expected, rel=0.05)
