from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from align_cli.native import library
from align_cli.native.filtered_image import FilteredImage, smooth
from align_cli.native.rows import Run, RunPixels, SourceView, run_sums

KERNELS = {
    0: np.array([1.0]),
    1: np.array([0.2, 0.6, 0.2]),
    2: np.array([0.05, 0.2, 0.5, 0.2, 0.05]),
    3: np.array([0.01, 0.04, 0.2, 0.5, 0.2, 0.04, 0.01]),
    4: np.array([0.01, 0.02, 0.07, 0.2, 0.4, 0.2, 0.07, 0.02, 0.01]),
}
DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}


def picture(
    size: tuple[int, int], dtype: str = "uint8", channels: int = 0, reach: int = 2, seed: int = 0
) -> FilteredImage:
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0], channels) if channels else size[::-1]
    most = DTYPES[dtype]
    pixels = (rng.random(shape) * most).astype(dtype)
    weights = (rng.random(max(channels, 1)) / most).astype(np.float32)
    return FilteredImage(pixels, weights, KERNELS[reach])


def book(of: FilteredImage) -> np.ndarray:
    """The smoothed picture, in float64."""
    pixels = of.pixels.reshape(*of.pixels.shape[:2], -1).astype(np.float64)
    grey = pixels @ of.weights.astype(np.float64)
    for axis in (0, 1):
        grey = ndimage.correlate1d(grey, of.kernel, axis=axis, mode="mirror")
    return grey


@pytest.mark.parametrize("reach", KERNELS)
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_smoothed_picture_is_that_of_the_book(dtype: str, channels: int, reach: int) -> None:
    size = 53, 31
    one = picture(size, dtype, channels, reach)
    assert_allclose(smooth(one, (0, 0), size), book(one), atol=3e-6)
    halved = smooth(one, (0, 0), (27, 16), step=2)
    assert_allclose(halved, book(one)[::2, ::2], atol=3e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (3, 2), (9, 1), (17, 5)])
def test_beyond_its_border_a_picture_is_mirrored(size: tuple[int, int]) -> None:
    one = picture(size, reach=2)
    far = np.pad(one.pixels, 20, mode="reflect" if min(size) > 1 else "symmetric")
    if min(size) == 1:
        far = np.pad(
            one.pixels, [(20, 20) if side > 1 else (0, 0) for side in size[::-1]], "reflect"
        )
        far = np.pad(far, [(0, 0) if side > 1 else (20, 20) for side in size[::-1]], "edge")
    beyond = book(one._replace(pixels=far))
    found = smooth(one, (-11, -9), (size[0] + 19, size[1] + 20))
    assert_allclose(found, beyond[11 : 31 + size[1], 9 : 28 + size[0]], atol=3e-6)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("width", range(1, 40, 3))
def test_a_window_has_the_bits_of_the_whole(width: int, step: int) -> None:
    size = 61, 47
    one = picture(size, channels=3)
    whole = smooth(one, (0, 0), tuple(-(-side // step) for side in size), step=step)
    window = np.full((5, width + 2), np.nan, np.float32)
    smooth(one, (4, 3), (width, 5), step=step, out=window[:, 1:-1])
    inside = min(width, whole.shape[1] - 4)
    assert_array_equal(window[:, 1 : 1 + inside], whole[3:8, 4 : 4 + inside])
    assert np.isnan(window[:, [0, -1]]).all()


@pytest.mark.parametrize("level", library.levels())
@pytest.mark.parametrize("channels", [0, 2, 3])
def test_every_level_gives_the_same_bits(channels: int, level: str) -> None:
    one = picture((75, 20), "uint16", channels, 4)
    expected = [smooth(one, (1, 2), (33, 9), step=step) for step in (1, 2)]
    with library.forced(level):
        found = [smooth(one, (1, 2), (33, 9), step=step) for step in (1, 2)]
    assert_array_equal(found, expected)


def test_pixels_may_lie_in_any_order() -> None:
    one = picture((40, 30), "uint8", 3)
    expected = smooth(one, (0, 0), (40, 30))
    backwards = np.ascontiguousarray(one.pixels[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    assert_array_equal(smooth(one._replace(pixels=backwards), (0, 0), (40, 30)), expected)
    wide = np.zeros((30, 40, 5), np.uint8)
    wide[:, :, 1:4] = one.pixels
    assert_array_equal(smooth(one._replace(pixels=wide[:, :, 1:4]), (0, 0), (40, 30)), expected)


def test_what_has_no_sense_is_refused() -> None:
    one = picture((9, 9))
    for change, error in (
        ({"pixels": one.pixels.astype(np.float64)}, TypeError),
        ({"weights": np.ones(2, np.float32)}, ValueError),
        ({"kernel": np.ones(4)}, ValueError),
        ({"kernel": np.ones(11)}, ValueError),
        ({"kernel": np.array([0.0, np.nan, 0.0])}, ValueError),
        ({"pixels": one.pixels[:0]}, ValueError),
    ):
        with pytest.raises(error):
            smooth(one._replace(**change), (0, 0), (3, 3))
    with pytest.raises(ValueError, match="smooth: "):
        smooth(one, (0, 0), (3, 3), step=3)


def turned(degrees: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, x], [s, c, y], [0.0, 0.0, 1.0]])


WARPS = {
    "shift": turned(0.0, 1.0, 2.3, 1.6),
    "little turn": turned(4.0, 1.01, 8.0, -3.0),
    "across": turned(45.0, 1.0, 200.0, -90.0),
    "upright": turned(90.0, 1.0, 190.0, 0.0),
    "reduced": turned(20.0, 7.0, 30.0, 3.0),
    "reduced far": turned(30.0, 70.0, 900.0, 5.0),
    "horizon": np.array([[1.0, 0.0, 5.0], [0.1, 1.0, 0.0], [-2.4e-3, 0.0, 1.0]]),
    "beside": turned(0.0, 1.0, 9000.0, 0.0),
}


@pytest.mark.parametrize("bands", [None, (0, 40, 55), (13, 20, 29)])
@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize(("finer", "spline"), [(1, False), (2, False), (1, True)])
def test_rows_of_pictures_have_the_bits_of_rows_of_their_planes(
    finer: int, spline: bool, warp: str, bands: tuple[int, int, int] | None
) -> None:
    width, height = 437, 75
    big = 9000 if "far" in warp else 480
    target = picture((480, 260), "uint8", 3, reach=2)
    size = (big, 400 if big == 480 else 4000)
    original = picture((finer * size[0], finer * size[1]), reach=1, seed=1)
    common = SourceView(
        original,
        None,
        size,
        finer,
        2.0,
        WARPS[warp],
        np.array([0.9, 0.0, 0.0, 0.0, 0.0, 0.0]),
        np.array([0.1, 0.0, 0.0, 0.0, 0.0, 0.0]),
        spline=spline,
    )
    run = Run(
        *(3, 4, (width, height), target, None, None, None, None),
        *(0.4, (0.004, -1.0, 0.004, -0.4), 0.01, 1, bands),
    )
    seen_plane = smooth(original, (0, 0), original.pixels.shape[::-1])
    held = smooth(target, (2, 3), (width + 2, 250))
    for apart in (1, 7):
        outcomes = []
        for image in (target, held):
            for pixels in (original, seen_plane):
                some = run._replace(image=image, row_step=apart)
                shown = RunPixels.empty(*some.shape)
                sums = run_sums(
                    some,
                    common._replace(pixels=pixels),
                    loss="tukey",
                    unit=0.5,
                    matrix=(0, 2),
                    shown=shown,
                )
                outcomes.append((*sums, *shown))
        count = outcomes[0][1][3]
        assert count == 0 if warp == "beside" else count > 0
        for other in outcomes[1:]:
            for first, second in zip(outcomes[0], other, strict=True):
                assert_array_equal(first, second)


def test_bands_lie_where_they_lie_in_the_level() -> None:
    width, target = 50, picture((60, 200))
    seen = SourceView(
        *(np.zeros((300, 300), np.float32), None, (300, 300), 1, 0.0, np.eye(3)),
        *(np.array([1.0, 0, 0, 0, 0, 0]), np.zeros(6)),
    )
    run = Run(
        *(1, 10, (width, 30), target, None, None, None, None),
        *(0.0, (0.0, 0.0, 1.0, 0.0), 0.0, 1, (4, 10, 45)),
    )
    shown = RunPixels.empty(30, width)
    sums = run_sums(run, seen, weigh_noise=True, shown=shown)
    rows = [*range(10, 16), *range(51, 61), *range(96, 106), *range(141, 145)]
    assert_allclose(-shown.residual, book(target)[rows, 1 : 1 + width], atol=1e-5)
    assert sums.moments[4, 1, 0] == width * sum(rows)


def test_weights_that_do_not_lie_side_by_side_are_refused() -> None:
    one = picture((9, 9), channels=2)
    with pytest.raises(ValueError, match="must be contiguous"):
        smooth(one._replace(weights=np.ones(4, np.float32)[::2]), (0, 0), (3, 3))


@pytest.mark.parametrize("left", [-40, 60])
def test_a_window_may_lie_beside_the_picture(left: int) -> None:
    one = picture((12, 9))
    far = np.pad(one.pixels, 70, mode="reflect")
    found = smooth(one, (left, 1), (20, 5))
    there = book(one._replace(pixels=far))
    assert_allclose(found, there[71:76, 70 + left : 90 + left], atol=3e-6)


def test_a_level_that_ends_too_soon_is_refused() -> None:
    run = Run(
        *(1, 1, (10, 8), np.zeros((9, 12), np.float32), None, None, None, None),
        *(0.0, (0.0, 0.0, 1.0, 0.0), 0.0),
    )
    seen = SourceView(
        *(np.zeros((30, 30), np.float32), None, (30, 30), 1, 0.0, np.eye(3)),
        *(np.array([1.0, 0, 0, 0, 0, 0]), np.zeros(6)),
    )
    with pytest.raises(ValueError, match="rows: "):
        run_sums(run, seen)
    run_sums(run._replace(image=np.zeros((10, 12), np.float32)), seen)
