from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.report import error_scale
from align_cli.report.error_map import draw_legend, in_shares_of_range, render
from align_cli.report.legend import Legend

# Matplotlib's "inferno" at 0, 20, 40, 60, 80 and 100 %: what 0, 1, 4, 9, 16 and 25 % of full
# scale must look like. Written out, so that neither the scale nor its colours can drift.
DOCUMENTED = {
    0.0: (0, 0, 4),
    0.01: (66, 10, 104),
    0.04: (147, 38, 103),
    0.09: (221, 81, 58),
    0.16: (252, 165, 10),
    0.25: (252, 255, 164),
}


def everywhere(shape: tuple[int, int]) -> np.ndarray:
    return np.ones(shape, bool)


def is_grey(pixels: np.ndarray) -> bool:
    return bool((np.ptp(pixels.astype(int), axis=-1) == 0).all())


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("error", DOCUMENTED)
def test_a_known_residual_has_the_documented_colour_in_its_own_pixel(
    error: float, sign: int
) -> None:
    residual = np.full((50, 400), 0.02, np.float32)
    residual[7, 123] = sign * error
    picture = render(residual, everywhere(residual.shape)).rgb()
    assert picture[7, 123].tolist() == pytest.approx(DOCUMENTED[error], abs=1)
    around = np.delete(picture[:50, :400].reshape(-1, 3), 7 * 400 + 123, axis=0)
    assert (
        around == error_scale.COLOURS[round(error_scale.LAST_LEVEL * np.sqrt(0.02 / 0.25))]
    ).all()


def test_every_error_from_the_end_of_the_scale_on_has_the_last_colour() -> None:
    residual = np.array([[0.25, 0.3, -1.0, 40.0, 3e38]], np.float32)
    picture = render(residual, everywhere(residual.shape)).rgb()
    assert (picture[0, :5] == error_scale.COLOURS[error_scale.LAST_LEVEL]).all()


def test_the_scale_does_not_depend_on_the_rest_of_the_picture() -> None:
    quiet = np.full((40, 400), 0.003, np.float32)
    loud = quiet.copy()
    loud[20:] = 0.9
    first, second = (render(r, everywhere(r.shape)).rgb() for r in (quiet, loud))
    assert (first[:20] == second[:20]).all()
    assert (first[40:] == second[40:]).all()
    assert (first[20:40] != second[20:40]).any()


def test_colours_get_lighter_all_the_way_and_are_never_grey() -> None:
    colours = error_scale.COLOURS[: error_scale.LAST_LEVEL + 1]
    table = colours[np.newaxis].astype(np.float32) / 255
    lightness = cv2.cvtColor(table, cv2.COLOR_RGB2LAB)[0, :, 0]
    assert (np.diff(lightness) > -0.05).all()
    assert lightness[-1] - lightness[0] > 90
    assert (np.ptp(colours.astype(int), axis=1) > 0).all()


def test_outside_the_overlap_is_hatched_and_only_there() -> None:
    # Taller than one strip of rows, so that the hatching has seams to get wrong.
    residual = np.full((600, 700), 0.01, np.float32)
    overlap = everywhere(residual.shape)
    overlap[:, 300:] = False
    picture = render(residual, overlap).rgb()
    assert (picture[:600, :300] == error_scale.COLOURS[48]).all()
    outside = picture[:600, 300:700]
    assert is_grey(outside)
    assert set(np.unique(outside)) == set(error_scale.COLOURS[list(error_scale.HATCH), 0])
    # Stripes along x + y = const, unbroken from one strip to the next.
    assert (outside[1:, :-1] == outside[:-1, 1:]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_marked_as_outside(value: float) -> None:
    residual = np.zeros((30, 400), np.float32)
    residual[10:20, 50:90] = value
    picture = render(residual, everywhere(residual.shape)).rgb()
    assert is_grey(picture[10:20, 50:90])
    assert (picture[:10, :400] == error_scale.COLOURS[0]).all()


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (60, 40), (480, 360), (360, 480), (100, 4000), (3000, 2000)]
)
def test_the_map_has_the_size_of_the_residual(width: int, height: int) -> None:
    residual = np.full((height, width), 0.04, np.float32)
    picture = render(residual, everywhere(residual.shape)).rgb()
    assert picture.dtype == np.uint8
    assert picture.shape == (height, width, 3)
    assert (picture == error_scale.COLOURS[96]).all()


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("of_full_scale", [True, False])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (480, 360), (100, 4000), (3000, 2000)])
def test_the_legend_is_a_picture_of_its_own(
    width: int, height: int, of_full_scale: bool, raw: bool
) -> None:
    strip = draw_legend(width, height, of_full_scale=of_full_scale, raw=raw).rgb().astype(int)
    legend = Legend.of(width, height)
    assert strip.shape == (legend.height, legend.width, 3)
    assert 0.05 < (strip.min(axis=-1) < 128).mean() < 0.5
    # Nothing is cut off: a margin of white paper all around.
    for edge in (strip[:2], strip[-2:], strip[:, :2], strip[:, -2:]):
        assert (edge == 255).all()


def test_the_legend_says_of_what() -> None:
    kinds = [(scale, raw) for scale in (True, False) for raw in (True, False)]
    drawn = [draw_legend(60, 50, of_full_scale=scale, raw=raw).indices for scale, raw in kinds]
    assert len({strip.tobytes() for strip in drawn}) == 4


def test_text_grows_with_the_picture_and_never_widens_a_large_one() -> None:
    sizes = {wh: Legend.of(*wh).text for wh in [(60, 40), (1000, 1000), (6000, 4000), (100, 4000)]}
    assert sizes == {(60, 40): 12, (1000, 1000): 12, (6000, 4000): 58, (100, 4000): 12}
    assert Legend.of(6000, 4000).width < 6000


def test_the_colour_bar_shows_the_whole_scale_with_its_ticks_in_place() -> None:
    strip = draw_legend(700, 500, raw=True).rgb()
    scale = error_scale.COLOURS[: error_scale.LAST_LEVEL + 1]
    table = {tuple(colour): level for level, colour in enumerate(scale.tolist())}
    levels = np.array([[table.get(tuple(p), -1) for p in row] for row in strip.tolist()])
    row = int(np.argmax((levels >= 0).sum(axis=1)))
    columns = np.flatnonzero(levels[row] >= 0)
    assert (np.diff(columns) == 1).all()
    assert levels[row, columns[0]] == 0
    assert levels[row, columns[-1]] == error_scale.LAST_LEVEL
    assert (np.diff(levels[row, columns]) > 0).all()

    last_row = int(np.flatnonzero(levels[:, columns[-1]] == error_scale.LAST_LEVEL)[-1])
    ticks = np.flatnonzero(strip[last_row + 1].max(axis=-1) < 100)
    wanted = np.array(error_scale.TICKS_PERCENT) / 100
    shown = (levels[row, ticks] / error_scale.LAST_LEVEL) ** 2 * error_scale.LAST_ERROR
    # A bar of some 200 columns cannot show every one of 256 levels.
    np.testing.assert_allclose(shown, wanted, atol=0.002)


def test_the_arrays_of_the_caller_are_left_alone() -> None:
    residual = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(30, 40)
    overlap = residual > -0.5
    kept = residual.copy(), overlap.copy()
    residual.flags.writeable = overlap.flags.writeable = False
    render(residual, overlap)
    assert (residual == kept[0]).all()
    assert (overlap == kept[1]).all()


@pytest.mark.parametrize(
    ("residual", "overlap"), [((4, 5), (5, 4)), ((4, 5, 3), (4, 5, 3)), ((4,), (4,))]
)
def test_planes_of_unlike_shape_are_refused(
    residual: tuple[int, ...], overlap: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="planes of one shape"):
        render(np.zeros(residual, np.float32), np.ones(overlap, bool))


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.float32, 1)])
def test_where_there_is_no_full_scale_errors_are_shares_of_the_targets_range(
    dtype: type, white: int
) -> None:
    target = np.linspace(50, 150, 100).reshape(10, 10).astype(dtype)
    residual = np.full((10, 10), 20.0 / white, np.float32)
    assert_allclose(in_shares_of_range(residual, target), 0.2, rtol=1e-6)
    transparent = np.dstack([target, np.zeros_like(target)])
    assert_allclose(in_shares_of_range(residual, transparent), 0.2, rtol=1e-6)
