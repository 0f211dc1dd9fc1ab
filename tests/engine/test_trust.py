from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine import luma as luma_module
from align_cli.engine import trust
from align_cli.engine.alignment import Agreement, Quality
from align_cli.engine.coarse_to_fine import Place
from align_cli.engine.luma import Luma, luma
from align_cli.engine.motion import MODELS
from align_cli.engine.photometry import Light
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.sampling import overlap_mask, sample
from align_cli.engine.targets import target_planes
from align_cli.engine.trust import (
    DETAIL_SIGMA,
    DETAIL_TILE,
    LEAST_SIGNAL,
    detail_zncc,
    details,
    measure,
    residual_image,
    shared_texture,
    tile_zncc,
    unexplained,
)
from align_cli.engine.verdict import LARGEST_UNEXPLAINED
from tests.scenes import motion, render, textured

SIZE = (64, 50)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def measured(source: Luma, target: Luma, start: np.ndarray, final: np.ndarray) -> Quality:
    return measure(source, target, start, final, detail=0.7, texture=0.6, unexplained=0.2)


def agreement(s: np.ndarray, t: np.ndarray) -> tuple[float, float, float]:
    s, t = s.astype(np.float64), t.astype(np.float64)
    return (
        float(np.corrcoef(s, t)[0, 1]),
        float(np.sqrt(((s - t) ** 2).mean())),
        float(np.abs(s - t).mean()),
    )


def found(value: Agreement) -> tuple[float, float, float]:
    return value.zncc, value.rmse, value.mae


def lumas(dtype: str, holes: bool = False) -> tuple[Luma, Luma]:
    source = render(textured(1), (70, 45), noise=0.05, dtype=dtype, channels=2)
    target = render(textured(1), SIZE, noise=0.05, seed=1, dtype=dtype, channels=2)
    if holes:
        source[10:14, 20:29, -1] = 0
        target[30:39, 40:46, -1] = 0
    return luma(source), luma(target)


def whole(image: Luma) -> np.ndarray:
    return image.offset + image.scale * image.plane.astype(np.float64)


def pixels(source: Luma, target: Luma, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The warped source, and the mask of where both are seen."""
    inside = overlap_mask(warp, target.size, source.size)
    if source.valid is not None:
        seen = sample(source.valid.astype(np.float32), warp, target.size)
        inside &= seen > 0.999
    if target.valid is not None:
        inside &= target.valid
    warped = sample(whole(source).astype(np.float32), warp, target.size, replicate=True)
    return warped, inside


@pytest.mark.parametrize("strip", [1, 400, 10**6])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_agreement_is_what_numpy_says(
    dtype: str, holes: bool, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_STRIP_PIXELS", strip)
    source, target = lumas(dtype, holes)
    start, final = shift(9.0, 4.0), motion("affine", SIZE, 4.0, 2)
    result = measured(source, target, start, final)
    warped, inside = pixels(source, target, final)
    assert result.overlap == pytest.approx(inside.mean(), abs=1e-12)
    assert result.detail_zncc == 0.7
    assert result.shared_texture == 0.6
    assert result.unexplained == 0.2
    assert found(result.after) == pytest.approx(
        agreement(warped[inside], whole(target)[inside]), abs=1e-5
    )
    # Before: on those of the final pixels that the start reaches too.
    warped, at_start = pixels(source, target, start)
    common = inside & at_start
    assert common.sum() < inside.sum()
    assert found(result.before) == pytest.approx(
        agreement(warped[common], whole(target)[common]), abs=1e-5
    )


def test_before_is_measured_alone_where_nothing_is_common() -> None:
    source, target = lumas("uint8")
    start, final = shift(40.0, 0.0), shift(-40.0, 0.0)
    result = measured(source, target, start, final)
    warped, at_start = pixels(source, target, start)
    assert found(result.before) == pytest.approx(
        agreement(warped[at_start], whole(target)[at_start]), abs=1e-5
    )


def test_without_overlap_nothing_is_known() -> None:
    source, target = lumas("uint8")
    result = measured(source, target, shift(500.0, 0.0), shift(500.0, 0.0))
    assert np.isnan([*found(result.before), *found(result.after)]).all()
    assert result.overlap == 0.0


def test_where_one_side_is_flat_there_is_no_correlation() -> None:
    plane = np.zeros((20, 20), np.uint8)
    plane[:, 10:] = 200
    flat_left, other = luma(plane), luma(render(textured(), (20, 20), dtype="uint8"))
    # Only the left half of the source, which is black, is laid over the target.
    result = measured(flat_left, other, shift(-11.0, 0.0), shift(-11.0, 0.0))
    assert np.isnan(result.after.zncc)
    assert result.after.mae == pytest.approx(whole(other)[:, 11:].mean(), abs=1e-6)


def test_correlation_is_blind_to_light_and_error_is_not() -> None:
    target = render(textured(), SIZE)
    source = 0.5 * target + 0.2
    result = measured(luma(source), luma(target), np.eye(3), np.eye(3))
    assert result.after.zncc == pytest.approx(1.0, abs=1e-6)
    assert result.after.mae == pytest.approx(float(np.abs(source - target).mean()), rel=1e-4)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("holes", [False, True])
def test_of_large_images_evenly_spaced_rows_tell(
    holes: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large and holes:
        return  # such images are held converted
    source, target = lumas("uint8", holes) if holes else tuple(map(luma, grey_pair()))
    start, final = shift(2.0, 1.0), motion("rigid", SIZE, 6.0, 2)
    whole = measured(source, target, start, final)
    monkeypatch.setattr(trust, "MOST_MEASURED", SIZE[0] * SIZE[1] // 4)
    monkeypatch.setattr(trust, "_STRIP_PIXELS", 9 * SIZE[0])
    if large:
        monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
        source, target = map(luma, grey_pair())
    part = measured(source, target, start, final)
    assert part.overlap == whole.overlap
    # Neighbouring rows, of an image that is not held converted, say less than others.
    rel = 0.25 if large else 0.15
    assert found(part.after) == pytest.approx(found(whole.after), rel=rel)
    assert found(part.before) == pytest.approx(found(whole.before), rel=rel)
    same = found(part.after) == pytest.approx(found(whole.after), rel=1e-5)
    assert same is holes


def grey_pair() -> tuple[np.ndarray, np.ndarray]:
    source = render(textured(1), (70, 45), noise=0.05, dtype="uint8")
    return source, render(textured(1), SIZE, noise=0.05, seed=1, dtype="uint8")


def texture_of(
    source: np.ndarray,
    target: np.ndarray,
    warp: np.ndarray,
    model: str,
    gain: float = 1.0,
    bias: float = 0.0,
) -> float:
    levels = Level(source.astype(np.float32), None), Level(target.astype(np.float32), None)
    planes = target_planes(levels[1])
    assert planes is not None
    place = Place(warp, Light.uniform(gain, bias))
    return shared_texture(*levels, planes, place, MODELS[model])


@pytest.mark.parametrize("model", list(MODELS))
def test_a_picture_shares_all_texture_with_itself_and_none_with_its_negative(model: str) -> None:
    one = render(textured(1), SIZE)
    assert texture_of(one, one, np.eye(3), model) == pytest.approx(1.0, abs=1e-4)
    assert texture_of(1.0 - one, one, np.eye(3), model, -1.0, 1.0) == (
        pytest.approx(-1.0, abs=1e-4)
    )
    bright = 3.0 * one + 5.0
    assert texture_of(bright, one, np.eye(3), model, 3.0, 5.0) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("model", ["translation", "rigid", "affine"])
def test_noise_is_no_texture(model: str) -> None:
    numbers = np.random.default_rng(0)
    stripes = np.tile(np.sin(np.arange(200) / 3.0), (150, 1))
    source, target = (stripes + numbers.normal(0.0, 0.3, stripes.shape) for _ in range(2))
    assert abs(texture_of(source, target, np.eye(3), model)) < 0.1


def test_the_share_of_texture_is_what_noise_leaves() -> None:
    # Gradients of unit variance, noise whose gradients have variance 1/3: 1 / (1 + 1/3).
    numbers = np.random.default_rng(1)
    scene = numbers.normal(size=(300, 400))
    source, target = (scene + numbers.normal(0.0, 3.0**-0.5, scene.shape) for _ in range(2))
    assert texture_of(source, target, np.eye(3), "translation") == pytest.approx(0.75, abs=0.02)


def unexplained_of(
    source: np.ndarray, target: np.ndarray, noise: tuple[float, float], light: Light | None = None
) -> float:
    levels = Level(source.astype(np.float32), None), Level(target.astype(np.float32), None)
    of_both = details(*levels, np.eye(3))
    return unexplained(of_both, levels[1], light or Light.uniform(), noise=noise)


def test_what_only_the_target_shows_is_unexplained_whatever_the_light() -> None:
    numbers = np.random.default_rng(2)
    common, own = numbers.normal(size=(2, 150, 200))
    target = common + 0.5 * own
    bright = Light.uniform(3.0, 5.0)
    assert unexplained_of(3.0 * target + 5.0, target, (0.0, 0.0), bright) < 1e-3
    share = unexplained_of(3.0 * common + 5.0, target, (0.0, 0.0), bright)
    assert share == pytest.approx((0.25 / 1.25) ** 0.5, abs=0.02)
    assert unexplained_of(own, common, (0.0, 0.0)) == pytest.approx(2.0**0.5, abs=0.03)


def test_noise_that_was_measured_is_explained() -> None:
    numbers = np.random.default_rng(3)
    scene, one, other = numbers.normal(size=(3, 300, 400))
    source, target = 2.0 * (scene + 0.1 * one), scene + 0.2 * other
    light = Light.uniform(2.0)
    # Noise of half and of one and a half its true size, seen from both sides of the truth.
    told = [unexplained_of(source, target, (f * 0.2, f * 0.2), light) for f in (0.0, 0.5, 1.0)]
    assert told[0] == pytest.approx((0.05 / 1.04) ** 0.5, abs=0.01)
    assert told[1] == pytest.approx((0.0375 / 1.03) ** 0.5, abs=0.01)
    assert told[2] < 0.06


def test_details_that_do_not_stand_out_of_the_noise_say_nothing() -> None:
    scene = np.random.default_rng(4).normal(size=(150, 200))
    largest = 1.0 / np.hypot(LEAST_SIGNAL, LEAST_SIGNAL)  # of two equal noises, about
    assert unexplained_of(scene, scene, (0.9 * largest, 0.9 * largest)) == 0.0
    assert np.isnan(unexplained_of(scene, scene, (1.1 * largest, 1.1 * largest)))


def test_what_hides_less_than_half_leaves_nothing_unexplained() -> None:
    one, other = np.random.default_rng(5).normal(size=(2, 150, 200))
    source = one.copy()
    source[:, :80] = other[:, :80]
    assert unexplained_of(source, one, (0.0, 0.0)) < LARGEST_UNEXPLAINED
    source[:, :160] = other[:, :160]
    assert unexplained_of(source, one, (0.0, 0.0)) > LARGEST_UNEXPLAINED


@pytest.mark.parametrize("strip", [1, 10**6])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_the_residual_image_is_warped_less_target_in_full_scale(
    dtype: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_RESIDUAL_STRIP_PIXELS", strip)
    source, target = lumas(dtype, holes=True)
    warp = motion("homography", SIZE, 4.0, 2)
    residual, overlap = residual_image(source, target, warp)
    warped, inside = pixels(source, target, warp)
    assert residual.dtype == np.float32
    assert_array_equal(overlap, inside)
    assert 0.5 < inside.mean() < 0.99
    assert_allclose(residual, np.where(inside, warped - whole(target), 0.0), atol=2e-6)


def level(seed: int, valid: np.ndarray | None = None) -> Level:
    return Level(render(textured(seed), SIZE, noise=0.05, seed=seed), valid)


def hole(left: int, top: int) -> np.ndarray:
    valid = np.ones((SIZE[1], SIZE[0]), np.bool_)
    valid[top : top + 9, left : left + 12] = False
    return valid


def of_details(source: Level, target: Level, warp: np.ndarray | None = None) -> float:
    return detail_zncc(tile_zncc(details(source, target, np.eye(3) if warp is None else warp)))


def test_details_of_an_image_agree_with_themselves_in_any_light() -> None:
    one = level(1)
    brighter = Level(0.3 * one.image + np.float32(0.4), None)
    negative = Level(1.0 - one.image, None)
    assert of_details(one, one) == pytest.approx(1.0, abs=1e-6)
    assert of_details(brighter, one) == pytest.approx(1.0, abs=1e-4)
    assert of_details(negative, one) == pytest.approx(-1.0, abs=1e-4)


def test_a_common_slope_is_no_detail() -> None:
    numbers = np.random.default_rng(0)
    slope = np.linspace(0.0, 1.0, SIZE[0]) + np.zeros((SIZE[1], 1))
    one, other = (slope + numbers.normal(0.0, 0.02, slope.shape) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    levels = [Level(plane.astype(np.float32), None) for plane in (one, other)]
    assert abs(of_details(*levels)) < 0.25


@pytest.mark.parametrize("holes", [False, True])
def test_details_are_what_differs_from_the_mean_around(holes: bool) -> None:
    source = level(1, hole(10, 8) if holes else None)
    target = level(2, hole(40, 30) if holes else None)
    warp = motion("affine", SIZE, 4.0, 2)
    inside = overlap_mask(warp, SIZE, SIZE, margin=REACH)
    if holes:
        assert source.valid is not None
        assert target.valid is not None
        inside &= sample(source.valid.astype(np.float32), warp, SIZE) > 0.999
        inside &= target.valid
    warped = sample(source.image, warp, SIZE)
    # The Gaussian mean over the pixels inside, pixel by pixel.
    rows, columns = np.nonzero(inside)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    weight = np.exp(-0.5 * distance / DETAIL_SIGMA**2)
    weight /= weight.sum(axis=1, keepdims=True)
    expected_details = np.zeros((2, *inside.shape))
    for plane, image in zip(expected_details, (warped, target.image), strict=True):
        plane[inside] = image[inside] - weight @ image[inside]
    # ZNCC of each tile, as often as it has contrast; the last tile of a row takes what is left.
    height, width = inside.shape
    tops, lefts = (range(0, side - DETAIL_TILE // 2, DETAIL_TILE) for side in (height, width))
    values, weights = [], []
    for top in tops:
        for left in lefts:
            bottom = height if top == tops[-1] else top + DETAIL_TILE
            right = width if left == lefts[-1] else left + DETAIL_TILE
            s, t = (plane[top:bottom, left:right].ravel() for plane in expected_details)
            contrast = np.sqrt((s @ s) * (t @ t))
            values.append(s @ t / contrast)
            weights.append(np.sqrt(contrast))
    order = np.argsort(values)
    half = np.cumsum(np.array(weights)[order]) >= np.sum(weights) / 2.0
    expected = np.array(values)[order][half][0]
    assert of_details(source, target, warp) == pytest.approx(expected, abs=5e-3)


def test_what_covers_less_than_half_of_the_details_does_not_change_the_verdict() -> None:
    one, other = level(1), level(2)
    covered = one.image.copy()
    covered[:, : covered.shape[1] * 2 // 5] = other.image[:, : covered.shape[1] * 2 // 5]
    assert of_details(Level(covered, None), one) > 0.9
    covered[:, : covered.shape[1] * 3 // 5] = other.image[:, : covered.shape[1] * 3 // 5]
    assert of_details(Level(covered, None), one) < 0.5


def test_what_lies_under_invalid_pixels_is_no_detail() -> None:
    source, target = level(1, hole(10, 8)), level(1, hole(40, 30))
    dirty = [Level(np.where(each.valid, each.image, 1e3).astype(np.float32), each.valid)
             for each in (source, target)]  # fmt: skip
    assert of_details(*dirty, shift(0.5, 0.5)) == of_details(source, target, shift(0.5, 0.5))


def test_without_overlap_there_are_no_details() -> None:
    assert np.isnan(of_details(level(1), level(2), shift(500.0, 0.0)))


@pytest.mark.parametrize("size", [(9000, 300), (4000, 260), (300, 9000)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_of_wide_images_places_all_over_are_looked_at(size: tuple[int, int], dtype: str) -> None:
    width, height = size
    picture = np.random.default_rng(0).integers(0, 200, (height, width), dtype=np.uint8)
    # Nothing but a plain band in the middle rows.
    picture[height // 2 - 20 : height // 2 + 20] = 100
    image = picture.astype(dtype)
    source = luma(image + np.asarray(5, dtype))
    found = measured(source, luma(image), np.eye(3), np.eye(3))
    assert found.after.zncc > 0.99
    assert found.overlap == 1.0
