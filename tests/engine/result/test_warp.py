from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.errors import ImageError
from align_cli.engine.result import warp as warping
from align_cli.engine.result.warp import warp_image
from align_cli.engine.sampling.bilinear import overlap_mask
from tests.scenes import DTYPES, MODEL_NAMES, motion, pixel_grid

SIZE = (61, 47)
CHANNELS = [0, 1, 2, 3, 4, 7]


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def picture(dtype: str, channels: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Numbers that fill the dtype's range and differ in every pixel and channel."""
    shape = (size[1], size[0], channels) if channels else (size[1], size[0])
    numbers = np.random.default_rng(channels)
    if dtype.startswith("float"):
        return numbers.normal(size=shape).astype(dtype)
    return numbers.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_identity_gives_the_image_back(dtype: str, channels: int) -> None:
    image = picture(dtype, channels)
    warped = warp_image(image, np.eye(3), target_size=SIZE, source_size=SIZE)
    assert warped.dtype == image.dtype
    if dtype == "float64":
        # Leading and trailing bits, 24 each, do not quite hold 53.
        assert_allclose(warped, image, rtol=2.0**-46)
    else:
        assert_array_equal(warped, image)


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_whole_shift_moves_pixels_and_fills_the_rest(dtype: str, channels: int) -> None:
    image = picture(dtype, channels)
    # A target pixel (x, y) shows the source's (x + 5, y - 3), on a target of another size.
    warped = warp_image(image, shift(5.0, -3.0), target_size=(64, 40), source_size=SIZE, fill=17.0)
    expected = np.full((40, 64, *image.shape[2:]), 17, dtype)
    if channels in (2, 4):
        expected[:, :, -1] = 0
    expected[3:40, : SIZE[0] - 5] = image[:37, 5:]
    assert warped.shape == expected.shape
    assert_allclose(warped, expected, rtol=2.0**-46)


def test_an_empty_overlap_is_all_fill() -> None:
    image = picture("uint8", 4)
    warped = warp_image(image, shift(500.0, 0.0), target_size=(9, 8), source_size=SIZE, fill=3.0)
    assert (warped[:, :, :3] == 3).all()
    assert (warped[:, :, 3] == 0).all()


def test_integers_are_rounded_to_the_nearest() -> None:
    image = np.array([[0, 10, 13], [0, 10, 13], [0, 10, 13]], np.uint8)
    warped = warp_image(image, shift(0.26, 0.0), target_size=(2, 3), source_size=(3, 3))
    assert warped[1].tolist() == [3, 11]  # 2.6 and 10.78
    warped = warp_image(image, shift(0.24, 0.0), target_size=(2, 3), source_size=(3, 3))
    assert warped[1].tolist() == [2, 11]  # 2.4 and 10.72


@pytest.mark.parametrize("model", ["affine", "homography"])
@pytest.mark.parametrize("channels", [0, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_are_the_interpolation_formulas_rounded(
    dtype: str, channels: int, model: str
) -> None:
    image = picture(dtype, channels)
    warp = motion(model, SIZE, 5.0, 3)
    x, y = pixel_grid(SIZE)
    u, v, w = np.einsum("ij,jhw->ihw", warp, np.stack([x, y, np.ones_like(x)]))
    u, v = u / w, v / w
    inside = (u > 0) & (v > 0) & (u < SIZE[0] - 1) & (v < SIZE[1] - 1)
    left, top = np.floor(u[inside]).astype(int), np.floor(v[inside]).astype(int)
    right, down = (
        each.reshape(-1, *[1] * (image.ndim - 2)) for each in (u[inside] - left, v[inside] - top)
    )
    near = image.astype(np.float64)
    upper = near[top, left] * (1 - right) + near[top, left + 1] * right
    lower = near[top + 1, left] * (1 - right) + near[top + 1, left + 1] * right
    wanted = upper * (1 - down) + lower * down
    warped = warp_image(image, warp, target_size=SIZE, source_size=SIZE)[inside]
    # Half a unit for the rounding, and what a coordinate in single precision is off.
    limit = 0.5 + 1e-5 * np.iinfo(dtype).max
    assert np.abs(warped - wanted).max() <= limit
    assert inside.mean() > 0.5


@pytest.mark.parametrize(
    ("dtype", "fill", "kept"),
    [
        ("uint8", 255.0, 255),
        ("uint8", np.float32(7.0), 7),
        ("uint16", 65535, 65535),
        ("float32", -4.5, -4.5),
        ("float64", 1e9, 1e9),
        ("float32", np.nan, np.nan),
    ],
)
def test_fill_is_in_the_images_units(dtype: str, fill: float, kept: float) -> None:
    image = np.zeros((8, 8), dtype)
    warped = warp_image(image, shift(4.0, 0.0), target_size=(8, 8), source_size=(8, 8), fill=fill)
    assert_array_equal(warped[:, 4:], np.full((8, 4), kept, dtype))
    assert (warped[:, :4] == 0).all()


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_the_border_is_not_darkened(model: str) -> None:
    image = np.full((SIZE[1], SIZE[0]), 200, np.uint8)
    warp = motion(model, SIZE, 5.0, 2)
    warped = warp_image(image, warp, target_size=SIZE, source_size=SIZE)
    assert set(np.unique(warped)) == {0, 200}
    assert_array_equal(warped == 200, overlap_mask(warp, SIZE, SIZE))


@pytest.mark.parametrize("step", [(-4e-4, 0.0), (4e-4, 0.0)])
def test_a_border_within_the_slack_keeps_its_value(step: tuple[float, float]) -> None:
    image = np.full((SIZE[1], SIZE[0]), 60_000, np.uint16)
    warped = warp_image(image, shift(*step), target_size=SIZE, source_size=SIZE)
    assert (warped == 60_000).all()


def test_float64_between_pixels_is_as_good_as_float32() -> None:
    x, _ = pixel_grid(SIZE)
    image = 1e6 + 1e-3 * x
    warped = warp_image(image, shift(0.5, 0.0), target_size=(50, 40), source_size=SIZE)
    assert_allclose(warped, image[:40, :50] + 0.5e-3, rtol=2.0**-24)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(d, v) for d in ("float32", "float64") for v in (np.nan, np.inf)] + [("float64", 1e200)],
)
def test_a_value_beyond_float32_stays_in_its_pixel_under_an_identity(
    dtype: str, value: float
) -> None:
    # Once red: a NaN or inf spreads to its neighbours with weight 0, and float64 values
    # beyond float32 end in a RuntimeWarning and NaN.
    image = picture(dtype, 0, (12, 10))
    image[4, 5] = value
    warped = warp_image(image, np.eye(3), target_size=(12, 10), source_size=(12, 10))
    assert_allclose(warped, image, rtol=2.0**-46)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "bool", "float16"])
def test_a_dtype_that_would_be_rounded_or_wrapped_is_refused(dtype: str) -> None:
    image = np.zeros((5, 4), dtype)
    with pytest.raises(ImageError, match=dtype):
        warp_image(image, shift(0.5, 0.0), target_size=(4, 5), source_size=(4, 5))


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ImageError, match="is for an image of 61x47 px, this one has 47x61 px"):
        warp_image(np.zeros((61, 47)), np.eye(3), target_size=SIZE, source_size=SIZE)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_callers_array_may_be_read_only_strided_and_stays_as_it_was(dtype: str) -> None:
    whole = picture(dtype, 3, (122, 94))
    image = whole[::2, ::-2]
    before = image.copy()
    whole.flags.writeable = False
    warped = warp_image(image, shift(0.5, 0.5), target_size=SIZE, source_size=SIZE, fill=1.0)
    assert_array_equal(image, before)
    assert_array_equal(
        warped,
        warp_image(before, shift(0.5, 0.5), target_size=SIZE, source_size=SIZE, fill=1.0),
    )


@pytest.mark.parametrize("channels", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_strips_join_without_a_seam(
    dtype: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(dtype, channels)
    warp = motion("homography", SIZE, 5.0, 1)
    whole = warp_image(image, warp, target_size=(70, 50), source_size=SIZE, fill=3.0)
    monkeypatch.setattr(warping, "LARGE_STRIP_PIXELS", 300)
    strips = warp_image(image, warp, target_size=(70, 50), source_size=SIZE, fill=3.0)
    largest = float(np.abs(whole.astype(np.float64)).max())
    # A coordinate's last bit may round a value the other way.
    limit = 1.0 if dtype == "uint8" else 1e-4 * largest
    assert_allclose(strips.astype(np.float64), whole.astype(np.float64), atol=limit)


@pytest.mark.parametrize("channels", [2, 3, 4, 5, 6, 10])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_channels_together_are_warped_as_each_alone(dtype: str, channels: int) -> None:
    image = picture(dtype, channels)
    # No multiple of the 1/32 px to which cv2 rounds some kinds.
    for warp in (shift(0.0078, 0.0041), shift(0.0078, 0.0041) @ motion("homography", SIZE, 2.0, 1)):
        warped = warp_image(image, warp, target_size=SIZE, source_size=SIZE)
        inside = overlap_mask(warp, SIZE, SIZE)
        for channel in range(channels):
            alone = warp_image(image[..., channel], warp, target_size=SIZE, source_size=SIZE)
            assert_array_equal(warped[..., channel][inside], alone[inside])


@pytest.mark.parametrize(
    ("dtype", "fill", "limits"),
    [
        ("uint8", 300.0, "integers from 0 to 255"),
        ("uint8", -4.0, "integers from 0 to 255"),
        ("uint8", 6.6, "integers from 0 to 255"),
        ("uint16", np.inf, "integers from 0 to 65535"),
        ("float32", 1e39, "values up to 3.4e"),
    ],
)
def test_a_fill_that_the_dtype_does_not_have_is_refused(
    dtype: str, fill: float, limits: str
) -> None:
    image = np.zeros((8, 8), dtype)
    with pytest.raises(ValueError, match=re.escape(f"fill is {fill:g}, but {dtype} has {limits}")):
        warp_image(image, np.eye(3), target_size=(8, 8), source_size=(8, 8), fill=fill)
    with pytest.raises(TypeError, match="fill must be a number, not str"):
        warp_image(image, np.eye(3), target_size=(8, 8), source_size=(8, 8), fill="white")  # type: ignore[arg-type]


def test_fill_nan_is_for_floats() -> None:
    moved = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    sizes = {"target_size": (20, 10), "source_size": (20, 10)}
    warped = warp_image(np.ones((10, 20)), moved, fill=np.nan, **sizes)
    assert np.isnan(warped[:, -2:]).all()
    assert (warped[:, :-2] == 1.0).all()
    for dtype in ("uint8", "uint16"):
        with pytest.raises(ValueError, match=f"NaN, which {dtype} does not have"):
            warp_image(np.ones((10, 20), dtype), moved, fill=np.nan, **sizes)
