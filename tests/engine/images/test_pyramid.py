from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from align_cli.engine.images import luma as luma_module
from align_cli.engine.images import pyramid as pyramid_module
from align_cli.engine.images.luma import Luma, luma
from align_cli.engine.images.pyramid import (
    BINOMIAL,
    COARSEST_SIDE,
    PRESMOOTHING,
    REACH,
    SMOOTHING,
    LazyFullSize,
    SplineLevel,
    eroded_by_reach,
    level_count,
    pyramid,
    smooth_part,
)
from align_cli.engine.sampling.bspline import coefficients
from align_cli.engine.sampling.sinc_upsampling import SHARP_SINC, upsampled
from tests.scenes import motion, pixel_grid, render, textured

SIZES = [(96, 80), (97, 81), (101, 64), (95, 99)]


def as_luma(plane: np.ndarray, valid: np.ndarray | None = None) -> Luma:
    return Luma(plane.astype(np.float32), valid, 0.0, 1.0)


@pytest.mark.parametrize(
    ("size", "count"),
    [((8, 500), 1), ((22, 40), 1), ((23, 40), 2), ((40, 24), 2), ((96, 99), 4), ((89, 500), 4)],
)
def test_levels_are_added_while_the_shorter_side_is_long_enough(
    size: tuple[int, int], count: int
) -> None:
    assert COARSEST_SIDE == 12
    assert level_count(size) == count


@pytest.mark.parametrize("size", SIZES)
def test_the_count_of_levels_is_that_of_the_pyramid(size: tuple[int, int]) -> None:
    count = level_count(size)
    levels = pyramid(as_luma(render(textured(), size)), count + 1)
    assert len(levels) == count + 1
    assert min(levels[count - 1].size) >= COARSEST_SIDE > min(levels[count].size)


@pytest.mark.parametrize("size", SIZES)
def test_a_level_keeps_every_second_sample_the_first_included(size: tuple[int, int]) -> None:
    x, y = pixel_grid(size)
    levels = pyramid(as_luma(0.3 * x - 0.7 * y), 4)
    for number, level in enumerate(levels):
        width, height = level.size
        assert (width, height) == (-(-size[0] // 2**number), -(-size[1] // 2**number))
        x, y = pixel_grid(level.size)
        interior = np.s_[REACH : height - REACH, REACH : width - REACH]
        # A symmetric filter leaves a ramp as it is, so a level of a ramp shows where it samples.
        expected = 2.0**number * (0.3 * x - 0.7 * y)
        assert_allclose(level.image[interior], expected[interior], atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_is_found_at_its_place_on_every_level(size: tuple[int, int]) -> None:
    at = (44.3, 37.8)
    x, y = pixel_grid(size)
    blob = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2.0 * 5.0**2))
    for number, level in enumerate(pyramid(as_luma(blob), 3)):
        x, y = pixel_grid(level.size)
        mass = level.image.astype(np.float64)
        centre = np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
        assert_allclose(centre * 2.0**number, at, atol=1e-3)


def test_level_0_is_smoothed_by_about_the_gaussian_that_is_promised() -> None:
    point = np.zeros((15, 15))
    point[7, 7] = 1.0
    smooth = pyramid(as_luma(point), 1)[0].image
    assert_allclose(smooth[5:10, 5:10], np.outer(SMOOTHING, SMOOTHING), atol=1e-6)
    assert smooth.sum() == pytest.approx(1.0)
    assert smooth[4].max() == 0.0
    distance = np.arange(-2.0, 3.0)
    assert distance**2 @ SMOOTHING == pytest.approx(PRESMOOTHING**2)
    profile = np.exp(-(distance**2) / (2.0 * PRESMOOTHING**2))
    assert_allclose(SMOOTHING, profile / profile.sum(), atol=0.03)


@pytest.mark.parametrize("full_size", [False, True])
def test_a_part_is_filtered_as_the_whole_is(
    full_size: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if full_size:
        monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    level = pyramid(luma(rough((41, 32))), 2)[0]
    assert isinstance(level, LazyFullSize) == full_size
    whole = ndimage.correlate1d(level.image.astype(float), BINOMIAL, axis=0, mode="mirror")
    whole = ndimage.correlate1d(whole, BINOMIAL, axis=1, mode="mirror")
    for part in (np.s_[5:20, 3:41], np.s_[9:10, 20:22]):
        found = smooth_part(level.filtered(BINOMIAL), part)
        inner = np.s_[0 if part[0].start else 2 :, : -2 if part[1].stop == 41 else None]
        assert_allclose(found[inner], whole[part][inner], atol=1e-6)


@pytest.mark.parametrize("offset", [8, 16])
def test_a_border_reaches_no_further_than_reach_on_any_level(offset: int) -> None:
    whole = render(textured(2), (150, 140))
    # Odd and even sides: the crop's right and lower border fall differently on each level.
    for width, height in ((83, 90), (96, 89), (88, 95)):
        crop = whole[offset : offset + height, offset : offset + width]
        for number, (inner, outer) in enumerate(
            zip(pyramid(as_luma(crop), 3), pyramid(as_luma(whole), 3), strict=True)
        ):
            columns, rows = inner.size
            start = offset // 2**number
            same_place = outer.image[start : start + rows, start : start + columns]
            interior = np.s_[REACH : rows - REACH, REACH : columns - REACH]
            assert_allclose(inner.image[interior], same_place[interior], atol=2e-7)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e30, 1e6])
def test_garbage_under_invalid_pixels_never_reaches_valid_ones(garbage: float) -> None:
    plane = render(textured(3), (101, 87))
    valid = np.ones(plane.shape, np.bool_)
    valid[20:41, 30:52] = False
    valid[70, 81] = False
    valid[:3, :] = False
    clean, dirty = plane.copy(), plane.copy()
    clean[~valid] = 0.0
    dirty[~valid] = garbage
    with np.errstate(all="ignore"):
        pairs = list(
            zip(pyramid(as_luma(clean, valid), 4), pyramid(as_luma(dirty, valid), 4), strict=True)
        )
    for one, other in pairs:
        assert one.valid is not None
        assert other.valid is not None
        assert_array_equal(one.valid, other.valid)
        assert one.valid.shape == one.image.shape
        assert one.valid.any()
        assert_array_equal(one.image[one.valid], other.image[other.valid])


def test_a_hole_grows_by_reach_and_the_border_does_not() -> None:
    valid = np.ones((20, 20), np.bool_)
    valid[9, 12] = False
    expected = np.ones((20, 20), np.bool_)
    expected[7:12, 10:15] = False
    assert_array_equal(eroded_by_reach(valid), expected)
    assert eroded_by_reach(None) is None


def test_a_hole_is_where_it_was_on_the_next_level() -> None:
    valid = np.ones((40, 40), np.bool_)
    valid[20, 10] = False
    level = pyramid(as_luma(np.ones((40, 40)), valid), 2)[1]
    assert level.valid is not None
    rows, columns = np.nonzero(~level.valid)
    # 2 pixels of the first smoothing and 2 of the next: 16 to 24 and 6 to 14, every second one.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 12, 3, 7)


def test_without_invalid_pixels_there_is_no_mask_on_any_level() -> None:
    assert all(level.valid is None for level in pyramid(as_luma(np.eye(40)), 2))


@pytest.mark.parametrize("model", ["translation", "homography"])
def test_a_fine_level_is_addressed_in_pixels_of_the_image(model: str) -> None:
    size, window = (71, 58), (40, 33)
    scene = textured(4, size=size)
    level = SplineLevel(coefficients(upsampled(render(scene, size), SHARP_SINC)), None)
    assert level.size == size
    warp = np.array([[1.0, 0.0, 14.0], [0.0, 1.0, 12.0], [0.0, 0.0, 1.0]]) @ motion(model, window)
    found = level.sample(warp, window)
    # The scene itself: no filter of anyone.
    assert_allclose(found, render(scene, window, warp), atol=1e-3)
    out = np.empty_like(found)
    assert level.sample(warp, window, out=out) is out
    assert_array_equal(out, found)
    assert_array_equal(level.sample(np.eye(3), size).shape, (58, 71))
    assert_allclose(level.sample(np.eye(3), size), render(scene, size), atol=3e-6)


def rough(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, size[::-1], dtype=np.uint8)


@pytest.mark.parametrize("strip", [1, 900, 1 << 17])
@pytest.mark.parametrize("size", [(71, 58), (64, 57), (40, 90)])
def test_a_large_image_has_the_levels_that_it_would_have_as_a_whole(
    size: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = pyramid(luma(rough(size)), 3)
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    monkeypatch.setattr(pyramid_module, "STRIP_PIXELS", strip)
    large = pyramid(luma(rough(size)), 3)
    assert isinstance(large[0], LazyFullSize)
    for one, other in zip(large, plain, strict=True):
        assert one.size == other.size
        assert_allclose(one.image, other.image, atol=1e-6)
        assert one.valid is other.valid is None
        part = np.s_[5:9, 0:7]
        assert_allclose(one.part(part), other.image[part], atol=1e-6)
