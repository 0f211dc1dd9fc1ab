from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.options import INTERPOLATION_NAMES
from align_cli.engine.result.warp import warp_image
from align_cli.engine.sampling.bilinear import overlap_mask
from align_cli.engine.sampling.kernels import KERNELS

SIZE = (50, 40)
WARPS = {
    "turned": np.array([[0.9, -0.1, 3.3], [0.1, 0.95, 1.7], [0.0, 0.0, 1.0]]),
    "tilted": np.array([[0.9, -0.1, 3.3], [0.1, 0.95, 1.7], [1e-3, -5e-4, 1.0]]),
    "to the border": np.array([[49.0 / 49.5, 0.0, 0.0], [0.0, 39.0 / 39.5, 0.0], [0.0, 0.0, 1.0]]),
}


def warped(image, warp, interpolation, fill=0.0):
    return warp_image(
        image,
        warp,
        target_size=SIZE,
        source_size=SIZE,
        fill=fill,
        interpolation=interpolation,
    )


def places(warp):
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    w = warp[2, 0] * x + warp[2, 1] * y + warp[2, 2]
    return [(row[0] * x + row[1] * y + row[2]) / w for row in warp[:2]]


def test_the_names_are_those_of_the_registry() -> None:
    assert set(INTERPOLATION_NAMES) == {"linear", *KERNELS}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.9])
def test_weights_add_up_to_one_and_take_a_pixel_as_it_is(name: str, t: float) -> None:
    kernel = KERNELS[name]
    weights = kernel.weights(np.array([t]))
    assert weights.shape == (2 * kernel.reach, 1)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    if t == 0.0:
        np.testing.assert_allclose(weights[kernel.reach - 1], 1.0)


@pytest.mark.parametrize("warp", WARPS.values(), ids=WARPS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint16"])
def test_cubic_is_exact_on_ramps_up_to_the_border(warp: np.ndarray, dtype: str) -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    at_x, at_y = places(warp)
    expected = 300.0 * at_x - 200.0 * at_y + 20000.0
    found = warped((300.0 * x - 200.0 * y + 20000.0).astype(dtype), warp, "cubic")
    inside = overlap_mask(warp, SIZE, SIZE)
    assert inside.sum() > 1200
    limit = {"float64": 1e-9, "float32": 2e-2, "uint16": 0.51}[dtype]
    assert np.abs(found - expected)[inside].max() < limit


def test_cubic_is_exact_on_parabolas_inside() -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    at_x, at_y = places(WARPS["tilted"])
    found = warped(x * x - 0.5 * y * y + x * y, WARPS["tilted"], "cubic")
    inside = (at_x > 2) & (at_x < 46) & (at_y > 2) & (at_y < 36)
    np.testing.assert_allclose(
        found[inside], (at_x**2 - 0.5 * at_y**2 + at_x * at_y)[inside], atol=1e-9
    )


def test_each_is_sharper_than_the_one_before_on_a_smooth_picture() -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(float)

    def picture(x, y):
        return np.sin(x / 1.1) * np.cos(y / 1.3)

    at_x, at_y = places(WARPS["turned"])
    inside = (at_x > 3) & (at_x < 45) & (at_y > 3) & (at_y < 35)
    errors = [
        np.abs(warped(picture(x, y), WARPS["turned"], name) - picture(at_x, at_y))[inside].mean()
        for name in INTERPOLATION_NAMES
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.5 * errors[1]


@pytest.mark.parametrize("name", ["cubic", "lanczos"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_nothing_overshoots_or_wraps(name: str, dtype: str) -> None:
    full = {"uint8": 255, "uint16": 65535}.get(dtype, 1.0)
    checks = (np.indices(SIZE[::-1]).sum(axis=0) // 3 % 2 * full).astype(dtype)
    found = warped(checks, WARPS["turned"], name, fill=0)
    assert found.dtype == checks.dtype
    assert found.min() >= 0
    assert found.max() == full
    grey = (checks * 0.5 + full * 0.25).astype(dtype)
    found = warped(grey, WARPS["turned"], name, fill=full // 2 if full > 1 else 0.5)
    assert (found.min(), found.max()) == (grey.min(), grey.max())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_nearest_invents_no_label(dtype: str) -> None:
    labels = np.random.default_rng(1).choice([3, 17, 200], SIZE[::-1]).astype(dtype)
    found = warped(labels, WARPS["tilted"], "nearest", fill=99)
    assert set(np.unique(found)) == {3, 17, 99, 200}
    at_x, at_y = (np.floor(place + 0.5).astype(int) for place in places(WARPS["tilted"]))
    inside = overlap_mask(WARPS["tilted"], SIZE, SIZE)
    assert (found[inside] == labels[at_y[inside], at_x[inside]]).all()


@pytest.mark.parametrize("name", INTERPOLATION_NAMES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_channels_are_warped_alike(name: str, channels: int) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*SIZE[::-1], channels)).astype(np.uint8)
    found = warped(image, WARPS["tilted"], name)
    assert found.shape == image.shape
    for channel in range(channels):
        alone = warped(image[..., channel], WARPS["tilted"], name)
        assert (found[..., channel] == alone).all()


@pytest.mark.parametrize("name", INTERPOLATION_NAMES)
def test_identity_and_whole_shifts_give_the_pixels_back(name: str) -> None:
    image = np.random.default_rng(3).integers(0, 65536, SIZE[::-1]).astype(np.uint16)
    assert (warped(image, np.eye(3), name) == image).all()
    shift = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]])
    assert (warped(image, shift, name)[:-3, :-2] == image[3:, 2:]).all()


@pytest.mark.parametrize("name", ["nearest", "cubic", "lanczos"])
def test_a_hole_spoils_its_neighbourhood_only(name: str) -> None:
    image = np.random.default_rng(4).uniform(size=SIZE[::-1])
    image[20, 25] = np.nan
    found = warped(image, WARPS["turned"], name)
    assert 1 <= np.isnan(found).sum() <= 60


@pytest.mark.parametrize("name", ["cubic", "lanczos"])
def test_an_image_too_narrow_for_a_kernel_is_sampled_linearly(name: str) -> None:
    image = np.arange(30.0).reshape(10, 3)
    kwargs = {"target_size": (3, 10), "source_size": (3, 10)}
    warp = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.25], [0.0, 0.0, 1.0]])
    linear = warp_image(image, warp, **kwargs)
    assert (warp_image(image, warp, interpolation=name, **kwargs) == linear).all()


def test_an_unknown_interpolation_lists_the_choices() -> None:
    with pytest.raises(ValueError, match="nearest, linear, cubic, lanczos"):
        warped(np.zeros(SIZE[::-1]), np.eye(3), "bicubic")
