from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.images import luma as luma_module
from align_cli.engine.images.luma import Luma, luma
from align_cli.engine.records import Agreement, IlluminationRecord
from align_cli.engine.sampling.bilinear import overlap_mask, sample
from align_cli.engine.search import quality as quality_module
from align_cli.engine.search.full_scale import no_change
from align_cli.engine.search.quality import Samples, measure, residual_image
from tests.scenes import motion, render, textured

SIZE = (64, 50)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def agreement(s: np.ndarray, t: np.ndarray) -> tuple[float, float, float]:
    s, t = s.astype(np.float64), t.astype(np.float64)
    return (
        float(np.corrcoef(s, t)[0, 1]),
        float(np.sqrt(((s - t) ** 2).mean())),
        float(np.abs(s - t).mean()),
    )


def found(value: Agreement) -> tuple[float, float, float]:
    return value.zncc, value.rmse_raw, value.mae_raw


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
    monkeypatch.setattr(quality_module, "STRIP_PIXELS", strip)
    source, target = lumas(dtype, holes)
    start, final = shift(9.0, 4.0), motion("affine", SIZE, 4.0, 2)
    result = measure(source, target, start, final)
    warped, inside = pixels(source, target, final)
    assert result.overlap == pytest.approx(inside.mean(), abs=1e-12)
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
    result = measure(source, target, start, final)
    warped, at_start = pixels(source, target, start)
    assert found(result.before) == pytest.approx(
        agreement(warped[at_start], whole(target)[at_start]), abs=1e-5
    )


def test_without_overlap_nothing_is_known() -> None:
    source, target = lumas("uint8")
    result = measure(source, target, shift(500.0, 0.0), shift(500.0, 0.0))
    assert np.isnan([*found(result.before), *found(result.after)]).all()
    assert result.overlap == 0.0


def test_where_one_side_is_flat_there_is_no_correlation() -> None:
    plane = np.zeros((20, 20), np.uint8)
    plane[:, 10:] = 200
    flat_left, other = luma(plane), luma(render(textured(), (20, 20), dtype="uint8"))
    # Only the left half of the source, which is black, is laid over the target.
    result = measure(flat_left, other, shift(-11.0, 0.0), shift(-11.0, 0.0))
    assert np.isnan(result.after.zncc)
    assert result.after.mae == pytest.approx(whole(other)[:, 11:].mean(), abs=1e-6)


def test_correlation_is_blind_to_light_and_error_is_not() -> None:
    target = render(textured(), SIZE)
    source = 0.5 * target + 0.2
    result = measure(luma(source), luma(target), np.eye(3), np.eye(3))
    assert result.after.zncc == pytest.approx(1.0, abs=1e-6)
    assert result.after.mae == pytest.approx(float(np.abs(source - target).mean()), rel=1e-4)
    assert (result.after.rmse, result.after.mae) == found(result.after)[1:]


def dimmed(image: np.ndarray, coefficients: IlluminationRecord) -> np.ndarray:
    """The image from which this illumination restores it."""
    height, width = image.shape
    y, x = np.mgrid[:height, :width]
    half = max(width, height) / 2.0
    u, v = (x - (width - 1) / 2.0) / half, (y - (height - 1) / 2.0) / half
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    factor, offset = (np.tensordot(c, terms, 1) for c in (coefficients.factor, coefficients.offset))
    return (image - offset) / factor


# Every coefficient its own, so that none can be taken for another.
VARYING = IlluminationRecord(
    np.array([1.25, 0.11, -0.07, 0.23, 0.05, -0.13]),
    np.array([0.04, -0.012, 0.017, 0.023, -0.019, 0.029]),
)
GAIN_BIAS = IlluminationRecord(np.array([1.25, *[0.0] * 5]), np.array([0.04, *[0.0] * 5]))


@pytest.mark.parametrize("unit", [1.0, 3000.0])
@pytest.mark.parametrize("illumination", [VARYING, GAIN_BIAS], ids=["varying", "gain and bias"])
def test_after_the_illumination_nothing_is_left_of_it(
    illumination: IlluminationRecord, unit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = render(textured(), SIZE).astype(np.float64)
    source = dimmed(target, illumination)
    scaled = IlluminationRecord(illumination.factor, unit * illumination.offset)
    pair = luma(unit * source), luma(unit * target)
    # Only some rows, and of these every second column.
    monkeypatch.setattr(quality_module, "MOST_MEASURED", SIZE[0] * SIZE[1] // 8)
    monkeypatch.setattr(quality_module, "FEWEST_ROWS", 40)
    result = measure(*pair, shift(2.0, 1.0), np.eye(3), scaled)
    assert result.after.rmse < 1e-6 * unit
    assert result.after.mae < 1e-6 * unit
    assert result.after.rmse_raw == pytest.approx(
        unit * np.sqrt(((source - target) ** 2).mean()), rel=0.1
    )
    assert result.before.rmse > 0.01 * unit
    residual, overlap = residual_image(*pair, np.eye(3), scaled)
    assert overlap.all()
    assert np.abs(residual).max() < 3e-6 * unit
    raw, _ = residual_image(*pair, np.eye(3))
    assert_allclose(raw, unit * (source - target), atol=3e-6 * unit)


# Images with holes are held converted, however large.
@pytest.mark.parametrize(("holes", "large"), [(False, False), (False, True), (True, False)])
def test_of_large_images_evenly_spaced_rows_tell(
    holes: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = lumas("uint8", holes) if holes else tuple(map(luma, grey_pair()))
    start, final = shift(2.0, 1.0), motion("rigid", SIZE, 6.0, 2)
    whole = measure(source, target, start, final)
    monkeypatch.setattr(quality_module, "MOST_MEASURED", SIZE[0] * SIZE[1] // 6)
    monkeypatch.setattr(quality_module, "FEWEST_ROWS", 8)
    monkeypatch.setattr(quality_module, "STRIP_PIXELS", 9 * SIZE[0])
    if large:
        monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
        source, target = map(luma, grey_pair())
    part = measure(source, target, start, final)
    assert part.overlap == whole.overlap
    assert found(part.after) == pytest.approx(found(whole.after), rel=0.15)
    assert found(part.before) == pytest.approx(found(whole.before), rel=0.15)
    same = found(part.after) == pytest.approx(found(whole.after), rel=1e-5)
    assert same is holes


def grey_pair() -> tuple[np.ndarray, np.ndarray]:
    source = render(textured(1), (70, 45), noise=0.05, dtype="uint8")
    return source, render(textured(1), SIZE, noise=0.05, seed=1, dtype="uint8")


@pytest.mark.parametrize("strip", [1, 10**6])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_the_residual_image_is_warped_less_target_in_full_scale(
    dtype: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_module, "STRIP_PIXELS", strip)
    source, target = lumas(dtype, holes=True)
    warp = motion("homography", SIZE, 4.0, 2)
    residual, overlap = residual_image(source, target, warp)
    warped, inside = pixels(source, target, warp)
    assert residual.dtype == np.float32
    assert_array_equal(overlap, inside)
    assert 0.5 < inside.mean() < 0.99
    assert_allclose(residual, np.where(inside, warped - whole(target), 0.0), atol=2e-6)


@pytest.mark.parametrize("strip", [700, 10**6])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_samples_give_the_residual_images_under_every_illumination(
    dtype: str, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_module, "STRIP_PIXELS", strip)
    source, target = lumas(dtype, holes=True)
    warp = motion("homography", SIZE, 4.0, 2)
    samples = Samples(source, target, warp)
    for illumination in (no_change(), GAIN_BIAS, VARYING, no_change()):
        residual, overlap = residual_image(source, target, warp, illumination)
        assert_array_equal(samples.overlap, overlap)
        assert_array_equal(samples.residual(illumination), residual)


@pytest.mark.parametrize("size", [(9000, 300), (4000, 260), (300, 9000)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_of_wide_images_places_all_over_are_looked_at(size: tuple[int, int], dtype: str) -> None:
    width, height = size
    picture = np.random.default_rng(0).integers(0, 200, (height, width), dtype=np.uint8)
    # Nothing but a plain band in the middle rows.
    picture[height // 2 - 20 : height // 2 + 20] = 100
    image = picture.astype(dtype)
    source = luma(image + np.asarray(5, dtype))
    found = measure(source, luma(image), np.eye(3), np.eye(3))
    assert found.after.zncc > 0.99
    assert found.overlap == 1.0


def test_of_a_small_source_in_a_wide_target_all_that_it_covers_is_looked_at() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 255, (200, 32766), dtype=np.uint8)
    source = target[60:100, 5000:5040]
    final = shift(-5000.0, -60.0)
    result = measure(luma(source), luma(target), shift(-5001.0, -60.0), final)
    assert result.after.zncc == pytest.approx(1.0, abs=1e-6)
    x, y = source[:, :-1].astype(float), source[:, 1:].astype(float)
    assert result.before.zncc == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-3)


def test_of_many_columns_enough_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (300, 9000), dtype=np.uint8)
    looked_at, sums = [], quality_module._agreement_sums

    def counted(both: quality_module.Comparison, where: np.ndarray) -> np.ndarray:
        looked_at.append(where.size)
        return sums(both, where)

    monkeypatch.setattr(quality_module, "_agreement_sums", counted)
    image = luma(picture)
    measure(image, image, np.eye(3), np.eye(3))
    most = 2 * quality_module.MOST_MEASURED
    assert len(looked_at) == 2
    assert most / 2 < looked_at[0] <= 2 * most


@pytest.mark.parametrize(("scale", "offset"), [(65535.0, 0.0), (1e7, 0.0), (1.0, 1e8), (1e200, 0)])
def test_correlation_knows_no_units(scale: float, offset: float) -> None:
    picture = render(textured(), SIZE, noise=0.05).astype(np.float64)
    for images in ((picture, scale * picture + offset), (scale * picture + offset, picture)):
        result = measure(luma(images[0]), luma(images[1]), np.eye(3), np.eye(3))
        assert result.after.zncc == pytest.approx(1.0, abs=1e-6)
