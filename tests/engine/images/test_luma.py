from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.images import luma as luma_module
from align_cli.engine.images.luma import SMALLEST_SIDE, LargeLuma, check_image, full_scale, luma
from align_cli.native.filtered_image import smooth
from tests.scenes import DTYPES, Pair, pair

SHAPE = (13, 21)


def picture(dtype: str, channels: int, seed: int = 0) -> np.ndarray:
    shape = (*SHAPE, channels) if channels else SHAPE
    numbers = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return numbers.normal(3.0, 2.0, shape).astype(dtype)
    return numbers.integers(1, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def book(image: np.ndarray) -> np.ndarray:
    """The luma in units of full scale, in float64."""
    values = image.astype(np.float64).reshape(*SHAPE, -1) / full_scale(image)
    channels = values.shape[2]
    if channels in (2, 4):
        values = values[:, :, :-1]
    if values.shape[2] == 3:
        return values @ [0.299, 0.587, 0.114]
    return values.mean(axis=2)


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_image_becomes_one_plane(dtype: str, channels: int) -> None:
    image = picture(dtype, channels)
    if channels in (2, 4):
        image[:, :, -1] = 1
    before = image.copy()
    image.flags.writeable = False
    found = luma(image)
    assert found.plane.shape == SHAPE
    assert found.plane.dtype == np.float32
    assert found.size == (21, 13)
    assert found.valid is None
    assert_allclose(found.offset + found.scale * found.plane, book(before), rtol=2e-6, atol=2e-6)
    assert_array_equal(image, before)
    if dtype.startswith("float"):
        assert abs(found.plane.mean()) < 0.3
        assert 0.25 < found.plane.std() < 1.5
    else:
        assert (found.offset, found.scale) == (0.0, 1.0)


@pytest.mark.parametrize("channels", [128, 129, 600])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_any_number_of_channels_becomes_their_mean(dtype: str, channels: int) -> None:
    # Once red: cv2.transform takes a limited number of channels, integers only.
    image = picture(dtype, channels)
    found = luma(image)
    assert_allclose(found.offset + found.scale * found.plane, book(image), atol=1e-5)


def test_full_scale_is_the_largest_integer_or_one() -> None:
    scales = [full_scale(np.zeros((2, 2), dtype)) for dtype in DTYPES]
    assert scales == [255.0, 65535.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [0, 3])
def test_what_is_not_finite_takes_no_part(dtype: str, bad: float, channels: int) -> None:
    image = picture(dtype, channels)
    clean = image.copy()
    image[2, 5] = bad
    if channels:
        image[7, 1, 2] = bad  # one channel is enough
    found = luma(image)
    expected = np.ones(SHAPE, np.bool_)
    expected[2, 5] = False
    if channels:
        expected[7, 1] = False
    assert found.valid is not None
    assert_array_equal(found.valid, expected)
    assert (found.plane[~expected] == 0.0).all()
    assert_allclose(
        (found.offset + found.scale * found.plane)[expected],
        book(clean)[expected],
        rtol=2e-6,
        atol=2e-6,
    )


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_only_what_is_wholly_transparent_takes_no_part(dtype: str, channels: int) -> None:
    image = picture(dtype, channels)
    image[:, :, -1] = 1  # hardly opaque
    image[3:6, 4:8, -1] = 0
    found = luma(image)
    assert found.valid is not None
    expected = np.ones(SHAPE, np.bool_)
    expected[3:6, 4:8] = False
    assert_array_equal(found.valid, expected)
    assert (found.plane[~expected] == 0.0).all()
    dirty = image.copy()
    dirty[3:6, 4:8, :-1] = np.iinfo(dtype).max if dtype.startswith("u") else 1e6
    assert_array_equal(luma(dirty).plane, found.plane)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_shape_that_lives_in_alpha_alone_is_seen(dtype: str, channels: int) -> None:
    shape = picture(dtype, 0)
    shape[2:5, 3:9] = 0  # transparent there, and part of the shape
    image = np.full((*SHAPE, channels), 7, dtype)
    image[:, :, -1] = shape
    image[3, 4, 0] = 9  # which is not seen
    found, expected = luma(image), luma(shape)
    assert_array_equal(found.plane, expected.plane)
    assert found.valid is None
    assert (found.offset, found.scale) == (expected.offset, expected.scale)


@pytest.mark.parametrize("how", [{"ignore_alpha": True}, {"channel": 0}])
def test_alpha_is_not_seen_where_colours_were_asked_for(how: dict[str, Any]) -> None:
    image = np.full((*SHAPE, 4), 7, np.uint8)
    image[:, :, -1] = picture("uint8", 0)
    with pytest.raises(ImageError, match="the image is flat"):
        luma(image, **how)


def test_an_icon_of_one_colour_aligns_by_its_alpha() -> None:
    source, target, truth = icon(0, 0), icon(5, 3), (5.0, 3.0)
    found = align(source, target, model="translation")
    assert found.outcome.aligned
    assert_allclose(found.source_to_target[:2, 2], truth, atol=0.05)
    changed = found.changed(source, target)
    assert changed is not None
    assert changed.boxes == ()


def icon(right: int, down: int) -> np.ndarray:
    """(128, 128, 4) uint8: black, its shape in its alpha."""
    alpha = np.zeros((128, 128), np.uint8)
    cv2.circle(alpha, (40 + right, 42 + down), 21, 255, -1, cv2.LINE_AA)
    cv2.rectangle(alpha, (66 + right, 60 + down), (96 + right, 108 + down), 255, -1)
    cv2.putText(alpha, "R", (22 + right, 104 + down), 0, 2.0, 255, 4, cv2.LINE_AA)
    return np.dstack([np.zeros((128, 128, 3), np.uint8), alpha])


def test_three_channels_have_no_alpha() -> None:
    image = picture("uint8", 3)
    image[4, 4, 2] = 0
    assert luma(image).valid is None


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e30, 1e200])
def test_floats_keep_their_signal_wherever_they_lie(offset: float, scale: float) -> None:
    signal = picture("float64", 0)
    image = (signal + offset) * scale
    found = luma(image)
    back = (found.offset + found.scale * found.plane.astype(np.float64)) / scale - offset
    assert_allclose(back, signal, atol=1e-5 + abs(offset) * 1e-14)
    assert found.plane.std() == pytest.approx(1.0, rel=1e-3)


def half_nan() -> np.ndarray:
    """Three channels, each of which has numbers where another has none."""
    image = np.ones((20, 20, 3))
    image[:10, :, 0] = image[10:, :, 1] = np.nan
    return image


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ([[1, 2], [3, 4]], "expected a numpy array, got list"),
        (np.zeros((20, 20), np.int32), "dtype int32 is not supported; convert it to one of uint8"),
        (np.zeros((20, 20), np.bool_), "dtype bool is not supported"),
        (np.zeros((20, 20), np.complex64), "dtype complex64 is not supported"),
        (np.zeros(20), r"expected .*got shape \(20,\)"),
        (np.zeros((2, 20, 20, 3)), r"expected .*got shape \(2, 20, 20, 3\)"),
        (np.zeros((20, 20, 0)), "the image has no channels"),
        (np.zeros((1, 1)), "1x1 px is too small to align; each side needs 8 px"),
        (np.zeros((30, 7)), "7x30 px is too small"),
        (np.zeros((8, 32767), np.uint8), "32767x8 px is too large; no side may exceed 32766 px"),
        (np.zeros((20, 20)), "the image is flat"),
        (np.full((20, 20), 3.3), "the image is flat"),
        (np.full((20, 20, 3), 7, np.uint8), "the image is flat"),
        (np.full((20, 20), np.nan), "no pixel is finite, all are NaN, infinite or no data; check"),
        (np.full((20, 20, 4), np.inf, np.float32), "no pixel is finite, all are NaN"),
        (half_nan(), "no pixel is finite in all channels; choose a single channel"),
        (np.zeros((20, 20, 4), np.uint8), "no pixel is opaque; use transparent pixels too"),
        (np.zeros((20, 20, 4)), "no pixel is both finite and opaque; use transparent pixels"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_with_its_cause(
    image: np.ndarray, cause: str
) -> None:
    with pytest.raises(ImageError, match=f"^target: {cause}") as caught:
        luma(image, "target")
    assert caught.value.role == "target"
    assert str(caught.value) == f"target: {caught.value.cause}"


def test_flat_where_it_is_valid_is_flat() -> None:
    image = np.full((20, 20), 0.1)
    image[3, 4] = np.nan
    with pytest.raises(ImageError, match="the image is flat"):
        luma(image)


def test_the_smallest_image_is_accepted() -> None:
    check_image(np.zeros((SMALLEST_SIDE, SMALLEST_SIDE, 1)), "source")


@pytest.mark.parametrize("role", ["source", "target"])
def test_an_alignment_says_which_of_the_two_it_was(role: str) -> None:
    good = picture("uint8", 0)
    images = {"source": good, "target": good, role: np.zeros(SHAPE, np.uint8)}
    with pytest.raises(ImageError, match=f"^{role}: the image is flat"):
        align(images["source"], images["target"])


@pytest.mark.parametrize(
    ("offset", "scale", "dtype"),
    [
        (1e6, 1.0, "float64"),
        (1e6, 0.01, "float64"),
        (-1e9, 1.0, "float64"),
        (1e6, 1e4, "float32"),
        (0.0, 1e-8, "float64"),
        (0.0, 1e200, "float64"),
    ],
)
def test_floats_align_wherever_they_lie(offset: float, scale: float, dtype: str) -> None:
    # Once red: the transform is right, but trust goes back to float32 in full-scale units
    # and sums their squares there: ZNCC becomes -1 (not_improved) or 1, the RMSE 0, or a warning.
    plain = pair("affine", dtype="float64")
    moved = Pair(
        (plain.source * scale + offset).astype(dtype),
        (plain.target * scale + offset).astype(dtype),
        plain.source_to_target,
    )
    found = align(moved.source, moved.target, model="affine")
    expected = align(plain.source, plain.target, model="affine")
    assert moved.error_px(found.source_to_target) < 0.01
    assert found.outcome.aligned
    assert found.quality.after.zncc == pytest.approx(expected.quality.after.zncc, abs=1e-3)
    assert found.quality.after.rmse / scale == pytest.approx(expected.quality.after.rmse, rel=0.05)
    assert found.gain == pytest.approx(expected.gain, abs=1e-3)


def test_a_dark_16_bit_pair_aligns_like_an_8_bit_one() -> None:
    plain = pair("affine", dtype="float64")
    dark = [np.rint(image * 300.0).astype(np.uint16) for image in (plain.source, plain.target)]
    found = align(*dark, model="affine")
    assert found.outcome.aligned
    assert plain.error_px(found.source_to_target) < 0.01


def test_numbers_of_another_machine_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 65535, (20, 30), dtype=np.uint16)
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    for order in "<>":
        found = luma(image.astype(f"{order}u2"))
        assert isinstance(found, LargeLuma)
        values = smooth(found.filtered(np.ones(1)), (0, 0), (30, 20))
        assert_allclose(values, image / 65535.0, atol=1e-6)
