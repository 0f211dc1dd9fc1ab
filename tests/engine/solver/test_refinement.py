from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align
from align_cli.engine.equations.illumination import GAIN_BIAS, Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import corner_error, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import Luma
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.records import Status
from align_cli.engine.sampling.bilinear import overlap_mask
from align_cli.engine.solver.gauss_newton import LevelSettings, SolvedPlane
from align_cli.engine.solver.refinement import BORDER_PX, MARGIN_PX, refine
from tests.photographs import photograph
from tests.scenes import (
    MODEL_NAMES,
    Matrix,
    Pair,
    Scene,
    mapped,
    motion,
    pair,
    render,
    textured,
)

SIZE = (120, 100)
TOLERANCE_PX = 2e-4


def as_luma(image: np.ndarray, valid: np.ndarray | None = None) -> Luma:
    return Luma(image, valid, 0.0, 1.0)


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def refined(
    images: Pair,
    start: Matrix | None = None,
    *,
    model: str = "affine",
    loss: str = "tukey",
    valid: np.ndarray | None = None,
    source_valid: np.ndarray | None = None,
    threads: int = 1,
) -> SolvedPlane | None:
    """Refine a pair; ``start`` is target pixel -> source pixel, the truth if None."""
    settings = LevelSettings(MODELS[model], LOSSES[loss], GAIN_BIAS, 100, 3e-3)
    warp = inverse(images.source_to_target) if start is None else start
    with Threads(threads) as pool:
        return refine(
            as_luma(images.target, valid),
            as_luma(images.source, source_valid),
            State(warp, Illumination.uniform()),
            settings,
            tolerance_px=TOLERANCE_PX,
            threads=pool,
        )


def found(solved: SolvedPlane | None) -> SolvedPlane:
    assert solved is not None
    return solved


def error_px(images: Pair, solved: SolvedPlane | None) -> float:
    return images.error_px(inverse(found(solved).result.state.warp))


def rms(values: object) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def specks(seed: int, size: tuple[int, int]) -> Scene:
    """A few small specks on an empty page: most of the gradient of a noisy picture is noise."""
    numbers = np.random.default_rng([7, seed])
    count = 30
    blobs = np.column_stack(
        [
            numbers.choice([-0.5, 0.5], count),
            numbers.uniform(5.0, size[0] - 5.0, count),
            numbers.uniform(5.0, size[1] - 5.0, count),
            np.full(count, 2.0),
        ]
    )
    return Scene(np.zeros((0, 4)), blobs)


def test_in_noise_the_error_falls_below_the_descents() -> None:
    size = (160, 120)
    errors: dict[str, list[float]] = {"balanced": [], "precise": []}
    for seed in range(32):
        scene, truth = specks(seed, size), motion("similarity", size, 1.0, seed)
        target = render(scene, size, noise=0.1, seed=2 * seed)
        source = render(scene, size, truth, noise=0.1, seed=2 * seed + 1)
        for preset, each in errors.items():
            result = align(source, target, model="similarity", preset=preset, threads=1)
            each.append(corner_error(result.source_to_target, truth, size))
    assert rms(errors["precise"]) < 0.95 * rms(errors["balanced"])
    assert rms(errors["precise"]) < 0.13
    assert rms(errors["balanced"]) < 0.15  # 0.36 where noise pulls the gain


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_without_noise_the_truth_is_found_to_thousandths_of_a_pixel(model: str) -> None:
    images = pair(model, seed=3, size=SIZE, move_px=3.0)
    start = shift(0.1, -0.15) @ inverse(images.source_to_target)
    solved = found(refined(images, start, model=model))
    assert solved.result.status is Status.CONVERGED
    assert solved.result.last_step_px <= 5.0 * TOLERANCE_PX
    assert solved.level == 0
    assert error_px(images, solved) < (1e-2 if model == "homography" else 4e-3)


def test_a_start_that_is_off_by_a_fraction_of_a_pixel_ends_at_the_same_place() -> None:
    images = pair("affine", seed=5, size=SIZE, noise=0.005)
    ends = []
    for x, y in ((0.0, 0.0), (0.3, -0.2), (-0.4, 0.5)):
        solved = refined(images, shift(x, y) @ inverse(images.source_to_target))
        ends.append(found(solved).result.state.warp)
    for end in ends[1:]:
        assert corner_error(end, ends[0], SIZE) < 5e-3


@pytest.mark.parametrize(("noise", "margin"), [(0.0, BORDER_PX), (0.1, MARGIN_PX)])
def test_the_borders_take_part_where_what_was_invented_there_does_not_show(
    noise: float, margin: float
) -> None:
    images = pair("translation", seed=5, size=SIZE, noise=noise)
    solved = found(refined(images, model="translation", loss="l2"))
    weight = solved.target.whole.weight
    assert weight is not None
    warp = solved.result.state.warp
    assert_array_equal(weight > 0.0, overlap_mask(warp, SIZE, SIZE, margin=margin))


@pytest.mark.parametrize(("off", "stands"), [(0.6, True), (1.5, False)])
def test_what_moves_by_more_than_a_pixel_was_no_refinement(off: float, stands: bool) -> None:
    images = pair("translation", seed=5, size=SIZE)
    start = shift(off, 0.0) @ inverse(images.source_to_target)
    solved = refined(images, start, model="translation")
    assert (solved is not None) == stands
    if stands:
        assert error_px(images, solved) < 4e-3


def test_where_too_little_is_shared_there_is_nothing_to_refine() -> None:
    images = pair("translation", seed=5, size=SIZE)
    assert refined(images, shift(SIZE[0] - 20.0, 0.0)) is None
    valid = np.zeros((SIZE[1], SIZE[0]), np.bool_)
    valid[40:60, 50:80] = True
    assert refined(images, valid=valid) is None
    assert refined(images, source_valid=valid) is None
    valid[8:88, 8:96] = True
    assert refined(images, valid=valid) is not None
    assert refined(images, source_valid=valid) is not None


def holes(left: int, top: int) -> np.ndarray:
    valid = np.ones((SIZE[1], SIZE[0]), np.bool_)
    valid[top : top + 21, left : left + 26] = False
    return valid


@pytest.mark.parametrize("garbage", [1e6, -30.0, np.nan])
def test_what_lies_under_holes_changes_no_bit(garbage: float) -> None:
    images = pair("affine", seed=6, size=SIZE, noise=0.01)
    valid, source_valid = holes(20, 30), holes(70, 55)
    dirty = replace(
        images,
        target=np.where(valid, images.target, np.float32(garbage)),
        source=np.where(source_valid, images.source, np.float32(garbage)),
    )
    one, other = (
        found(refined(each, valid=valid, source_valid=source_valid)) for each in (images, dirty)
    )
    assert_array_equal(one.result.state.warp, other.result.state.warp)
    assert_array_equal(one.result.state.illumination.factor, other.result.state.illumination.factor)
    assert_array_equal(one.target.whole.gradient_x, other.target.whole.gradient_x)
    assert one.target.whole.weight is not None
    assert other.target.whole.weight is not None
    assert_array_equal(one.target.whole.weight, other.target.whole.weight)
    assert not one.target.whole.weight[~valid].any()
    x, y = np.rint(mapped(images.source_to_target, *np.mgrid[70:96, 55:76])).astype(int)
    assert not one.target.whole.weight[y, x].any()
    assert error_px(images, one) < 0.1


def test_a_hole_is_no_edge() -> None:
    images = pair("affine", seed=6, size=SIZE)
    hollow = replace(images, target=np.where(holes(40, 30), images.target, np.float32(5.0)))
    assert error_px(images, refined(hollow, valid=holes(40, 30))) < 4e-3


def test_gain_and_bias_are_found() -> None:
    images = pair("similarity", seed=7, size=SIZE, gain=1.15, bias=-0.06)
    illumination = found(refined(images)).result.state.illumination
    assert illumination.gain == pytest.approx(1.15, abs=2e-3)
    assert illumination.bias == pytest.approx(-0.06, abs=2e-3)
    assert error_px(images, refined(images)) < 5e-3


def test_noise_does_not_pull_the_gain() -> None:
    gains = []
    for seed in range(6):
        images = pair("translation", seed=seed, size=SIZE, gain=0.9, noise=0.06)
        gains.append(found(refined(images, model="translation")).result.state.illumination.gain)
    # With the noisy target as the illumination's column it would be off by about 10 %.
    assert np.mean(gains) == pytest.approx(0.9, rel=0.03)


@pytest.mark.parametrize("loss", ["tukey", "geman-mcclure"])
def test_what_is_hidden_takes_no_part(loss: str) -> None:
    errors: dict[float, list[float]] = {0.0: [], 0.15: []}
    for seed in range(4):
        for occluded, each in errors.items():
            images = pair("translation", seed=seed, size=SIZE, occluded=occluded, noise=0.005)
            solved = found(refined(images, model="translation", loss=loss))
            each.append(error_px(images, solved))
            if not occluded:
                continue
            weight = solved.target.whole.weight
            assert weight is not None
            # The patch, as tests.scenes places it, and the frame around it.
            x, y = np.rint(images.source_to_target[:2, 2]).astype(int)
            wide, tall = (round(side * 0.15**0.5) for side in SIZE)
            left, top = (SIZE[0] - wide) // 4 + x, (SIZE[1] - tall) // 3 + y
            patch = np.zeros(weight.shape, np.bool_)
            patch[top + 3 : top + tall - 3, left + 3 : left + wide - 3] = True
            assert weight[patch].mean() < 0.25
            far = np.ones(weight.shape, np.bool_)
            far[max(top - 6, 0) : top + tall + 6, max(left - 6, 0) : left + wide + 6] = False
            far[:8] = far[-8:] = False
            far[:, :8] = far[:, -8:] = False
            assert weight[far].mean() > 0.9
    assert rms(errors[0.15]) < 2.0 * rms(errors[0.0])


def test_least_squares_weighs_every_shared_pixel_alike() -> None:
    images = pair("affine", seed=2, size=SIZE, noise=0.01)
    weight = found(refined(images, loss="l2")).target.whole.weight
    assert weight is not None
    assert set(np.unique(weight)) == {0.0, 1.0}
    assert 0.7 < weight.mean() < 1.0


def test_the_picture_without_noise_is_handed_on() -> None:
    scene, truth = textured(8, size=SIZE), motion("rigid", SIZE, 2.0, 8)
    clean = render(scene, SIZE)
    images = Pair(
        render(scene, SIZE, truth, noise=0.03, seed=1), render(scene, SIZE, noise=0.03), truth
    )
    solved = found(refined(images, model="rigid"))
    assert solved.expected is not None
    along_x, along_y, image = solved.expected
    interior = np.s_[12:-12, 12:-12]
    assert rms((image + solved.target.mean - clean)[interior]) < 0.5 * 0.03 / np.sqrt(2.0)
    x, y = np.gradient(clean, axis=1), np.gradient(clean, axis=0)
    for found_gradient, true_gradient in ((along_x, x), (along_y, y)):
        error = rms((found_gradient - true_gradient)[interior])
        assert error < 0.3 * rms(true_gradient[interior])
        assert (
            np.corrcoef(found_gradient[interior].ravel(), true_gradient[interior].ravel())[0, 1]
            > 0.95
        )


@pytest.mark.parametrize("loss", ["tukey", "l2"])
def test_the_number_of_threads_changes_no_bit(loss: str) -> None:
    images = pair("homography", seed=4, size=SIZE, noise=0.01)
    one, *others = (
        found(refined(images, model="homography", loss=loss, threads=count)) for count in (1, 2, 4)
    )
    for other in others:
        assert_array_equal(one.result.state.warp, other.result.state.warp)
        assert_array_equal(one.target.whole.gradient_x, other.target.whole.gradient_x)


def test_what_the_source_does_not_show_is_seen_as_in_the_target() -> None:
    images = pair(shift(-25.0, 12.0), seed=4, size=SIZE)
    solved = found(refined(images, model="translation"))
    assert solved.expected is not None
    assert solved.target.whole.weight is not None
    unseen = solved.target.whole.weight == 0.0
    assert 0.25 < unseen.mean() < 0.45
    error = solved.expected[2] + solved.target.mean - images.target
    assert rms(error[unseen]) < 0.005


def test_sizes_may_differ() -> None:
    images = pair("affine", seed=9, size=SIZE, source_size=(95, 131))
    assert error_px(images, refined(images)) < 5e-3


def test_an_alignment_tells_of_its_refinement_and_only_of_one_that_was_made() -> None:
    images = pair("affine", seed=9, size=SIZE)
    levels = {
        preset: [
            record.level
            for record in align(images.source, images.target, model="affine", preset=preset).levels
        ]
        for preset in ("balanced", "precise")
    }
    assert levels["balanced"] == sorted(set(levels["balanced"]), reverse=True)
    assert levels["precise"] == [*levels["balanced"], 0]
    other = render(textured(77, size=SIZE), SIZE)
    lost = align(other, images.target, model="affine", preset="precise", max_iterations=1)
    assert [record.level for record in lost.levels] == levels["balanced"]


def test_the_callers_planes_stay_as_they_were() -> None:
    images = pair("affine", seed=9, size=SIZE)
    before = images.source.copy(), images.target.copy()
    valid = holes(20, 30)
    refined(images, valid=valid)
    assert_array_equal(images.source, before[0])
    assert_array_equal(images.target, before[1])
    assert_allclose(valid, holes(20, 30))


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_pixels_of_another_size_are_refined_whatever_the_preset(scale: float) -> None:
    # What one image blurs the other shows: most of the edges are outliers to the descent.
    image = photograph("exposure")
    size = image.shape[1::-1]
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    source, target = (small, image) if scale == 2.0 else (image, small)
    to_target = np.diag([scale, scale, 1.0])
    to_target[:2, 2] = 0.5 * (scale - 1.0)
    found = [
        align(source, target, model="similarity", init=to_target, preset=preset)
        for preset in ("balanced", "precise")
    ]
    assert size[0] > 200
    assert_array_equal(found[0].source_to_target, found[1].source_to_target)
    assert corner_error(found[0].source_to_target, to_target, source.shape[1::-1]) < 0.05
    same = [
        align(target, target.copy(), model="similarity", preset=preset)
        for preset in ("balanced", "precise")
    ]
    assert len(same[0].levels) < len(same[1].levels)
