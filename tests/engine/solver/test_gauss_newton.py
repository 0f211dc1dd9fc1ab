from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.equations.dense import RowEquations, residual_scale
from align_cli.engine.equations.illumination import GAIN_BIAS, NO_TERMS, Illumination
from align_cli.engine.equations.normal_equations import (
    LEAST_SCALE_SHARE,
    LevelEquations,
    NormalEquations,
)
from align_cli.engine.equations.sparse import PointEquations, PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import corner_error, inverse, map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.pyramid import REACH, Level, pyramid
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.records import Status
from align_cli.engine.solver.gauss_newton import (
    AGREEMENT_ITERATION,
    LARGEST_EXTRAPOLATION,
    LevelResult,
    LevelSettings,
    PreviousStep,
    acceleration,
    compose_inverse,
    plausible,
    solve_level,
)
from align_cli.engine.target.pixel_selection import target_points
from align_cli.engine.target.planes import target_planes
from tests.scenes import MODEL_NAMES, motion, pair, pixel_grid, render, stripes, textured

SIZE = (120, 100)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def level_of(plane: np.ndarray) -> Level:
    return pyramid(Luma(plane.astype(np.float32), None, 0.0, 1.0), 1)[0]


KINDS = ("rows", "points")


def solve(
    source: np.ndarray | Level,
    target: np.ndarray,
    model: str = "homography",
    kind: str = "rows",
    *,
    warp: np.ndarray | None = None,
    illumination: Illumination | None = None,
    loss: str = "l2",
    photometric: bool = True,
    max_iterations: int = 50,
    tolerance_px: float = 1e-3,
    has_agreement: Callable[[State], bool] | None = None,
    accept_within_noise: bool = False,
) -> LevelResult:
    terms = GAIN_BIAS if photometric else NO_TERMS
    settings = LevelSettings(
        MODELS[model],
        LOSSES[loss],
        terms,
        max_iterations,
        tolerance_px,
        has_agreement=has_agreement,
        accept_within_noise=accept_within_noise,
    )
    start = np.eye(3) if warp is None else warp
    below, here = level_of(target), source if isinstance(source, Level) else level_of(source)
    with Threads(1) as threads:
        equations: LevelEquations
        if kind == "rows":
            planes = target_planes(below)
            assert planes is not None
            equations = RowEquations(planes, here, settings.model, settings.loss, threads=threads)
        else:
            points = target_points(below)
            assert points is not None
            equations = PointEquations(
                points, PointSource(here), settings.model, settings.loss, terms
            )
        return solve_level(
            equations, State(start, illumination or Illumination.uniform()), settings
        )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_step_from_a_tiny_offset_arrives(model: str, loss: str, kind: str) -> None:
    size = SIZE
    truth = motion(model, size, 0.2, 5)
    images = pair(truth, seed=5, size=size, gain=1.02, bias=-0.01)
    offset = corner_error(np.eye(3), truth, size)
    assert 0.1 < offset < 1.0
    # The robust scale is estimated from residuals that are all misalignment, so most lie in the
    # middle of every loss.
    once = solve(images.source, images.target, model, loss=loss, max_iterations=1, kind=kind)
    assert once.status is Status.ITERATION_LIMIT
    assert once.iterations == 1
    share = images.error_px(inverse(once.state.warp)) / offset
    assert share < (0.05 if loss == "l2" else 0.25)
    assert once.last_step_px == pytest.approx(offset, rel=1.0)
    assert once.state.illumination.gain == pytest.approx(1.02, abs=0.006)
    assert once.state.illumination.bias == pytest.approx(-0.01, abs=0.004)


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_level_converges_on_the_truth(model: str, kind: str) -> None:
    images = pair(model, seed=2, size=SIZE, move_px=1.5, gain=0.9, bias=0.05)
    found = solve(images.source, images.target, model, loss="tukey", tolerance_px=1e-4, kind=kind)
    assert found.status is Status.CONVERGED
    strict = solve(images.source, images.target, model, loss="tukey", tolerance_px=1e-7, kind=kind)
    assert corner_error(found.state.warp, strict.state.warp, SIZE) <= 1e-4
    assert 2 < found.iterations < 15
    assert images.error_px(inverse(found.state.warp)) < 0.008
    assert found.state.illumination.gain == pytest.approx(0.9, abs=4e-3)
    assert found.rmse < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_without_photometric_the_light_is_kept_and_used(kind: str) -> None:
    illumination = Illumination.uniform(0.8, 0.1)
    images = pair(
        "rigid", seed=2, size=SIZE, move_px=1.0, gain=illumination.gain, bias=illumination.bias
    )
    found = solve(
        images.source,
        images.target,
        "rigid",
        illumination=illumination,
        photometric=False,
        kind=kind,
    )
    assert found.state.illumination == illumination
    assert images.error_px(inverse(found.state.warp)) < 0.005


@pytest.mark.parametrize("kind", KINDS)
def test_the_rmse_is_that_of_the_residuals_in_the_targets_units(kind: str) -> None:
    target = render(textured(1), SIZE)
    noise = np.random.default_rng(0).normal(0.0, 0.05, target.shape)
    # Smoothing takes some of the noise away: what is left is measured here.
    left = level_of(target + noise).image - level_of(target).image
    found = solve(
        2.0 * (target + noise),
        target,
        "translation",
        illumination=Illumination.uniform(2.0, 0.0),
        photometric=False,
        kind=kind,
    )
    assert found.status is Status.CONVERGED
    assert found.rmse == pytest.approx(float(left.std()), rel=0.08)


def test_the_rmse_is_weighted() -> None:
    images = pair("rigid", seed=4, size=SIZE, move_px=0.5, occluded=0.2)
    target, source = target_planes(level_of(images.target)), level_of(images.source)
    assert target is not None
    here = State(np.eye(3), Illumination.uniform())
    with Threads(1) as threads:
        sums = RowEquations(target, source, MODELS["rigid"], LOSSES["tukey"], threads=threads).sums(
            here, residual_scale(target, source, here), with_matrix=False
        )
    assert sums.weight < 0.9 * sums.count
    once = solve(images.source, images.target, "rigid", loss="tukey", max_iterations=1)
    assert once.rmse == pytest.approx(np.sqrt(sums.squares / sums.weight), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_robust_level_ignores_what_least_squares_does_not(kind: str) -> None:
    images = pair("rigid", seed=4, size=SIZE, move_px=1.0, occluded=0.15)
    errors = {
        loss: images.error_px(
            inverse(solve(images.source, images.target, "rigid", loss=loss, kind=kind).state.warp)
        )
        for loss in LOSSES
    }
    assert errors["tukey"] < 0.01
    assert errors["geman-mcclure"] < 0.02
    assert errors["lorentzian"] < 0.05
    assert errors["huber"] < errors["l2"]
    assert errors["l2"] > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_stripes_are_singular_and_never_converged(kind: str) -> None:
    for model in MODEL_NAMES:
        found = solve(stripes(SIZE, shift=0.5), stripes(SIZE), model, kind=kind)
        assert found.status is not Status.CONVERGED
    found = solve(stripes(SIZE, shift=0.5), stripes(SIZE), "translation", kind=kind)
    assert found.status is Status.SINGULAR
    assert_array_equal(found.state.warp, np.eye(3))


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_ramp_is_singular(model: str, kind: str) -> None:
    x, y = pixel_grid(SIZE)
    found = solve(0.001 * (x + 0.3 * y) + 0.01, 0.001 * (x + 0.3 * y), model, kind=kind)
    assert found.status is Status.SINGULAR


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_target_is_singular(model: str, kind: str) -> None:
    found = solve(render(textured(), SIZE), np.full((SIZE[1], SIZE[0]), 0.4), model)
    assert found.status is Status.SINGULAR


@pytest.mark.parametrize("kind", KINDS)
def test_the_iteration_limit_is_a_result(kind: str) -> None:
    images = pair("rigid", seed=2, size=SIZE, move_px=3.0)
    found = solve(images.source, images.target, "rigid", max_iterations=2, kind=kind)
    assert found.status is Status.ITERATION_LIMIT
    assert found.iterations == 2
    assert found.last_step_px > 1e-3
    # It got nearer all the same.
    assert images.error_px(inverse(found.state.warp)) < images.error_px(np.eye(3))


@pytest.mark.parametrize("kind", KINDS)
def test_where_there_is_no_rest_it_is_asked_once_whether_anything_agrees(kind: str) -> None:
    images = pair("rigid", seed=2, size=SIZE, move_px=3.0)
    asked: list[State] = []

    def solved(tolerance_px: float, answer: bool) -> LevelResult:
        def has_agreement(state: State) -> bool:
            asked.append(state)
            return answer

        asked.clear()
        return solve(
            images.source,
            images.target,
            "rigid",
            kind=kind,
            tolerance_px=tolerance_px,
            has_agreement=has_agreement,
        )

    assert solved(0.5, answer=False).status is Status.CONVERGED
    assert not asked
    never = 1e-30
    refused = solved(never, answer=False)
    assert (refused.status, refused.iterations) == (Status.NO_AGREEMENT, AGREEMENT_ITERATION)
    assert not refused.usable
    assert len(asked) == 1
    assert asked[0] is refused.state
    assert solved(never, answer=True).iterations == 50
    assert len(asked) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_diverges_and_keeps_the_last_sensible_warp(kind: str) -> None:
    target = render(textured(), SIZE)
    found = solve(1.0 - target, target, "rigid", kind=kind)
    assert found.status is Status.DIVERGED
    assert found.state.illumination.plausible
    assert plausible(found.state.warp, SIZE)


@pytest.mark.parametrize(
    ("share", "enough"), [(0.01, False), (0.03, True), (0.12, True), (0.5, True)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_next_to_nothing_of_the_target_covered_is_too_little(
    share: float, enough: bool, kind: str
) -> None:
    scene = textured(3)
    width = SIZE[0]
    target = render(scene, SIZE)
    moved = shift(width - 6.0 - round(share * (width - 6)) + 1.0, 0.0)
    # The source shows the target's right end.
    source = render(scene, SIZE, moved)
    found = solve(source, target, "translation", warp=inverse(moved), kind=kind)
    assert (found.status is not Status.TOO_LITTLE_OVERLAP) == enough


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_the_new_warp_takes_the_moved_pixel_where_the_old_one_took_it(model: str) -> None:
    # W' = W o D^-1, so W'(D x) = W(x).
    warp, small = motion(model, SIZE, 8.0, 1), motion(model, SIZE, 2.0, 2)
    points = np.array([[3.0, 5.0], [100.0, 7.0], [50.0, 80.0]])
    new = compose_inverse(warp, small)
    assert_allclose(map_points(new, map_points(small, points)), map_points(warp, points))
    assert new[2, 2] == 1.0


def test_extrapolation_lands_on_the_limit_of_a_geometric_series() -> None:
    # Steps that shrink by 0.7: from x, the solved step is 0.3 * (limit - x).
    limit = np.array([1.0, -2.0, 3.0])
    first = 0.3 * limit
    second = 0.3 * (limit - first)
    assert_allclose(acceleration(first, None), first)
    assert_allclose(first + acceleration(second, PreviousStep(first, first)), limit, rtol=1e-12)


def test_extrapolation_knows_the_step_as_taken_from_the_step_as_solved() -> None:
    limit = np.array([0.5, 4.0])
    solved = 0.3 * limit
    taken = 1.7 * solved
    next_solved = 0.3 * (limit - taken)
    assert_allclose(
        taken + acceleration(next_solved, PreviousStep(solved, taken)), limit, rtol=1e-12
    )


def test_extrapolation_of_two_directions_is_the_secant_of_the_common_change() -> None:
    # Anderson's formula written out: f - g (dx + df), g = <f, df> / <df, df>.
    f, before = np.array([0.4, 0.1]), np.array([1.0, -0.2])
    change = f - before
    share = (f @ change) / (change @ change)
    assert abs(share) < LARGEST_EXTRAPOLATION
    expected = f - share * (before + change)
    assert_allclose(acceleration(f, PreviousStep(before, before)), expected)


def test_extrapolation_is_not_trusted_too_far_nor_without_a_change() -> None:
    step = np.array([1.0, 2.0])
    assert_array_equal(acceleration(step, PreviousStep(step, step)), step)
    # Shrinking by 0.9 would need 9 times the last change, by 0.8 only 4 times.
    assert_array_equal(acceleration(step, PreviousStep(step / 0.9, step / 0.9)), step)
    assert not np.array_equal(acceleration(step, PreviousStep(step / 0.8, step / 0.8)), step)


def test_extrapolation_does_not_feed_on_its_own_steps() -> None:
    # What was taken last is long; what is solved now hardly differs from then.
    step, before = np.array([0.01, 0.0]), np.array([0.015, 0.0])
    far = LARGEST_EXTRAPOLATION * 0.01
    # The share of the change that is extrapolated is -2.
    within, beyond = 0.4 * far, 0.6 * far
    assert acceleration(step, PreviousStep(before, np.array([within, 0.0])))[0] > 2.0 * within
    assert_array_equal(acceleration(step, PreviousStep(before, np.array([beyond, 0.0]))), step)


class OfLight:
    """Equations whose every step overshoots the gain, nearly twice as far, and moves along."""

    size, mean, spread, motion_size, illumination_terms = (100, 80), 0.0, 1.0, 2, 1
    gain = 1.3

    def at(
        self, state: State, scale: float | None, *, at_least: float = 0.0, with_matrix: bool
    ) -> NormalEquations:
        missing = math.log(self.gain / state.illumination.gain)
        return NormalEquations(
            vector=np.array([0.01 * missing, 0.0, 1.99 * missing, 0.0]),
            matrix=np.eye(4),
            weight=1.0,
            squares=1.0,
            share=1.0,
            scale=1.0,
            estimate=1.0,
            slope=1.0,
        )


def test_a_gain_that_goes_to_and_fro_comes_to_an_end() -> None:
    settings = LevelSettings(MODELS["translation"], LOSSES["tukey"], GAIN_BIAS, 20, 1e-3)
    result = solve_level(OfLight(), State(np.eye(3), Illumination.uniform(1.0, 0.0)), settings)
    assert result.status is Status.CONVERGED
    assert result.state.illumination.gain == pytest.approx(OfLight.gain, rel=1e-3)


def projective(g: float, h: float) -> np.ndarray:
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [g, h, 1.0]])


@pytest.mark.parametrize(
    ("warp", "answer"),
    [
        (np.eye(3), True),
        (shift(1e5, 0.0), True),
        (projective(-0.008, 0.0), True),  # the horizon is at x = 125, the last pixel at 119
        (projective(-0.0085, 0.0), False),
        (projective(0.0, -0.01), True),
        (projective(0.0, -0.0102), False),
        (projective(-0.005, -0.005), False),
        (projective(0.1, 0.1), True),
        (np.diag([-1.0, 1.0, 1.0]), False),
        (np.diag([0.0, 1.0, 1.0]), False),
        (shift(np.nan, 0.0), False),
        (shift(np.inf, 0.0), False),
    ],
)
def test_which_warps_are_plausible(warp: np.ndarray, answer: bool) -> None:
    assert plausible(warp, SIZE) is answer


def test_the_first_scale_is_that_of_the_residuals_under_light() -> None:
    target = render(textured(1), SIZE)
    planes = target_planes(level_of(target))
    assert planes is not None
    residual = np.random.default_rng(0).normal(0.0, 0.05, target.shape)
    source = Level((1.5 * (level_of(target).image + residual) + 0.3).astype(np.float32), None)
    found = residual_scale(planes, source, State(np.eye(3), Illumination.uniform(1.5, 0.3)))
    assert found == pytest.approx(0.05, rel=0.05)
    # Identical images have no residual: a share of the target's contrast takes its state.
    floor = LEAST_SCALE_SHARE * np.std(planes.whole.image)
    assert residual_scale(planes, level_of(target), State(np.eye(3), Illumination.uniform())) == (
        pytest.approx(floor, rel=1e-4)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_within_a_filters_reach_of_the_sources_border_takes_no_part(kind: str) -> None:
    target, moved = render(textured(1), SIZE), motion("homography", SIZE, 3.0, 1)
    source = level_of(render(textured(1), SIZE, moved))
    dirty = source.image.copy()
    garbage = np.random.default_rng(0).normal(0.0, 5.0, dirty.shape).astype(np.float32)
    border = np.ones(dirty.shape, np.bool_)
    border[REACH - 1 : 1 - REACH, REACH - 1 : 1 - REACH] = False
    dirty[border] = garbage[border]
    images = source, Level(dirty, None)
    clean_result, dirty_result = (
        solve(image, target, "homography", warp=inverse(moved), kind=kind) for image in images
    )
    assert (clean_result.state.warp == dirty_result.state.warp).all()


def test_steps_below_the_noise_are_not_made() -> None:
    images = pair("affine", seed=2, size=SIZE, move_px=0.5, noise=0.04)
    target, source = target_planes(level_of(images.target)), level_of(images.source)
    assert target is not None
    found = {}
    for stop_below_noise in (False, True):
        settings = LevelSettings(
            MODELS["affine"],
            LOSSES["tukey"],
            GAIN_BIAS,
            200,
            1e-6,
            stop_below_noise=stop_below_noise,
        )
        with Threads(1) as threads:
            equations = RowEquations(target, source, settings.model, settings.loss, threads=threads)
            start = State(np.eye(3), Illumination.uniform())
            found[stop_below_noise] = solve_level(equations, start, settings, ratio=0.1)
    assert found[True].status is found[False].status is Status.CONVERGED
    assert found[True].iterations < found[False].iterations
    error_px = images.error_px(inverse(found[False].state.warp))
    between = corner_error(found[True].state.warp, found[False].state.warp, SIZE)
    assert 0.0 < between < 0.3 * error_px


@pytest.mark.parametrize("kind", KINDS)
def test_near_the_end_a_step_is_as_long_as_it_should_be(kind: str) -> None:
    # Noise whose weights count for more than they know, in the source alone: noise in the target
    # would lengthen its gradient.
    images = pair("translation", seed=2, size=SIZE, move_px=0.1)
    noise = np.random.default_rng(1).normal(0.0, 0.05, images.source.shape)

    def found(**options: float) -> np.ndarray:
        source = images.source + noise
        return solve(source, images.target, "translation", kind, loss="tukey", **options).state.warp

    end = found(tolerance_px=1e-7)
    assert corner_error(np.eye(3), end, SIZE) > 0.05
    for steps, share in ((1, 0.1), (2, 0.02)):
        left = corner_error(found(max_iterations=steps), end, SIZE)
        assert left < share * corner_error(np.eye(3), end, SIZE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("accept_within_noise", "iterations"), [(True, 12), (True, 2), (False, 12)]
)
def test_what_still_moves_by_less_than_noise_would_move_it_is_at_rest_where_that_counts(
    accept_within_noise: bool, iterations: int, kind: str
) -> None:
    images = pair("rigid", seed=2, size=SIZE, move_px=3.0, noise=0.02)
    found = solve(
        images.source,
        images.target,
        "rigid",
        kind=kind,
        tolerance_px=1e-30,
        max_iterations=iterations,
        accept_within_noise=accept_within_noise,
    )
    assert found.iterations == iterations
    at_rest = accept_within_noise and iterations == 12
    assert found.status is (Status.CONVERGED if at_rest else Status.ITERATION_LIMIT)
