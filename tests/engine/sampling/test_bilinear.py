from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.images.pyramid import Level
from align_cli.engine.images.valid_overlap import valid_overlap
from align_cli.engine.sampling.bilinear import (
    ALL_VALID,
    SLACK_PX,
    clear_outside,
    interval_mask,
    offset_origin,
    overlap_mask,
    row_intervals,
    sample,
    sample_valid,
)
from tests.scenes import MODEL_NAMES, mapped, motion, pixel_grid, render, textured

SIZE = (61, 47)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("replicate", [False, True])
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_ramp_is_sampled_exactly(model: str, replicate: bool) -> None:
    source_size, window = (83, 64), (70, 50)
    x, y = pixel_grid(source_size)
    ramp = (0.01 * x - 0.02 * y + 0.5).astype(np.float32)
    warp = shift(6.0, 7.0) @ motion(model, window, 3.0, 1)
    found = sample(ramp, warp, window, replicate=replicate)
    source_x, source_y = mapped(warp, *pixel_grid(window))
    inside = overlap_mask(warp, window, source_size, margin=0.01)
    assert inside.mean() > 0.9
    expected = 0.01 * source_x - 0.02 * source_y + 0.5
    # 1/32 of a pixel, as coordinates were once rounded, would be 6e-4.
    assert_allclose(found[inside], expected[inside], atol=3e-6)


def test_between_four_pixels_the_value_is_bilinear() -> None:
    image = np.array([[0.0, 1.0], [2.0, 7.0]], np.float32)
    # At (0.25, 0.5): the upper row gives 0.25, the lower 3.25.
    assert sample(image, shift(0.25, 0.5), (1, 1))[0, 0] == 1.75


def test_outside_there_is_zero_or_the_nearest_border_pixel() -> None:
    image = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert sample(image, shift(-5.0, -5.0), (1, 1))[0, 0] == 0.0
    assert sample(image, shift(-5.0, 5.0), (1, 1), replicate=True)[0, 0] == 3.0
    assert sample(image, shift(5.0, -5.0), (1, 1), replicate=True)[0, 0] == 2.0


@pytest.mark.parametrize("model", ["affine", "homography"])
def test_samples_are_written_where_they_are_wanted(model: str) -> None:
    image = render(textured(1), SIZE)
    warp = motion(model, SIZE, 2.0, 1)
    out = np.empty((SIZE[1], SIZE[0]), np.float32)
    sample(image, warp, SIZE, out=out)
    assert_array_equal(out, sample(image, warp, SIZE))


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_multiple_of_a_warp_is_the_same_warp(model: str) -> None:
    image = render(textured(1), SIZE)
    warp = motion(model, SIZE, 2.0, 1)
    assert_allclose(sample(image, 3.0 * warp, SIZE), sample(image, warp, SIZE), atol=1e-5)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_window_sees_what_the_whole_target_sees_there(model: str) -> None:
    warp = motion(model, SIZE, 3.0, 5)
    x, y = pixel_grid((20, 10))
    assert_allclose(
        mapped(offset_origin(warp, 7.0, 13.0), x, y), mapped(warp, x + 7.0, y + 13.0), atol=1e-10
    )


def brute_force(
    warp: np.ndarray, window: tuple[int, int], source_size: tuple[int, int], margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels certainly belong inside, and which certainly do not.

    A pixel is certain when its neighbourhood of 0.002 px lies wholly on one side; outside, by more
    than the slack that row_intervals allows itself.
    """
    x, y = pixel_grid(window)
    near, nearly = [], []
    for step_x in (-2e-3, 0.0, 2e-3):
        for step_y in (-2e-3, 0.0, 2e-3):
            at = x + step_x, y + step_y
            with np.errstate(all="ignore"):
                source_x, source_y = mapped(warp, *at)
            w = warp[2, 0] * at[0] + warp[2, 1] * at[1] + warp[2, 2]
            for found, border in ((near, margin), (nearly, margin - 2.0 * SLACK_PX)):
                found.append(
                    (w > 0.0)
                    & (source_x >= border)
                    & (source_x <= source_size[0] - 1.0 - border)
                    & (source_y >= border)
                    & (source_y <= source_size[1] - 1.0 - border)
                )
    return np.logical_and.reduce(near), ~np.logical_or.reduce(nearly)


# Slopes down to 1e-15, but none whose inverse overflows.
numbers = st.floats(-1.0, 1.0).map(lambda value: round(value, 15))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    window=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    source_size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    linear=st.tuples(numbers, numbers, numbers, numbers),
    moved=st.tuples(st.floats(-30.0, 30.0), st.floats(-30.0, 30.0)),
    last_row=st.one_of(
        st.just((0.0, 0.0)),
        st.tuples(numbers, numbers).map(lambda pair: (0.05 * pair[0], 0.05 * pair[1])),
    ),
    margin=st.sampled_from([0.0, 2.0, 3.5]),
)
def test_row_intervals_are_the_pixels_that_map_into_the_source(
    window: tuple[int, int],
    source_size: tuple[int, int],
    linear: tuple[float, float, float, float],
    moved: tuple[float, float],
    last_row: tuple[float, float],
    margin: float,
) -> None:
    # Where only a line or a point of the source is left, no pixel is certain.
    assume(all(side - 1.0 != 2.0 * margin for side in source_size))
    a, b, c, d = linear
    warp = np.array([[1.0 + a, b, moved[0]], [c, 1.0 + d, moved[1]], [*last_row, 1.0]])
    inside, outside = brute_force(warp, window, source_size, margin)
    rows = np.arange(window[1], dtype=np.float64)
    first, end = row_intervals(warp, rows, window[0], source_size, margin)
    assert first.shape == end.shape == (window[1],)
    assert (first >= 0).all()
    assert (end <= window[0]).all()
    found = interval_mask(first, end, window[0])
    assert found[inside].all()
    assert not found[outside].any()


@pytest.mark.parametrize(
    ("warp", "first", "end"),
    [
        (np.eye(3), [2, 2, 2], [8, 8, 8]),
        (shift(3.0, 0.0), [0, 0, 0], [5, 5, 5]),
        (shift(-1.5, 0.0), [4, 4, 4], [9, 9, 9]),
        (shift(100.0, 0.0), [0, 0, 0], [0, 0, 0]),
    ],
)
def test_intervals_of_ten_pixels_by_hand(warp: np.ndarray, first: list, end: list) -> None:
    found = row_intervals(warp, np.array([2.0, 5.0, 7.0]), 10, (10, 10), 2.0)
    assert found[0].tolist() == first
    assert np.maximum(found[1], 0).tolist() == end


@pytest.mark.parametrize("row", [-1.0, 1.0, 8.0, 50.0])
def test_rows_in_the_margin_have_no_pixel_inside(row: float) -> None:
    first, end = row_intervals(np.eye(3), np.array([row]), 10, (10, 10), 2.0)
    assert first[0] >= end[0]


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize("slope", [0.0, 1e-12])
def test_a_border_survives_what_rounding_does_to_an_identity(
    direction: tuple[int, int], slope: float
) -> None:
    # Once red: the slack of row_intervals acts along x only, so that a warp which is off
    # by 1e-9 px in y loses the whole first or last row (align(a, a).warp(a) has a black row).
    warp = shift(1e-9 * direction[0], 1e-9 * direction[1])
    warp[1, 0] = slope
    assert overlap_mask(warp, (9, 7), (9, 7)).all()


def test_a_slope_of_next_to_nothing_warns_nobody() -> None:
    # Once red: a slope whose inverse overflows ends in a RuntimeWarning.
    warp = shift(1.0, 0.0)
    warp[2, 0] = 1e-310
    assert overlap_mask(warp, (9, 7), (9, 7)).sum() == 8 * 7


def test_an_interval_mask_is_true_within_the_intervals() -> None:
    first, end = np.array([0, 3, 5]), np.array([10, 7, 5])
    whole = interval_mask(first, end, 10)
    assert whole[1].tolist() == [False] * 3 + [True] * 4 + [False] * 3
    assert whole.sum(axis=1).tolist() == [10, 4, 0]


def test_outside_the_intervals_a_plane_is_cleared_in_place() -> None:
    plane = np.ones((4, 6), np.float32)
    first, end = np.array([0, 2, 0, 6]), np.array([6, 5, 6, 0])
    clear_outside(plane, first, end)
    assert plane.tolist() == [[1] * 6, [0, 0, 1, 1, 1, 0], [1] * 6, [0] * 6]


def test_common_are_the_pixels_that_both_levels_know() -> None:
    holes = np.ones((2, 7, 9), np.bool_)
    holes[0, 3, 4] = holes[1, 1, 2] = False
    source, target = (Level(np.zeros((7, 9), np.float32), valid) for valid in holes)
    found = valid_overlap(source, target, shift(1.5, 0.0), margin=1.0)
    expected = np.zeros((7, 9), np.bool_)
    expected[1:6, 0:6] = True  # 1.5 to 6.5, of 1 to 7
    expected[1, 2] = False
    expected[3, 2:4] = False  # both have the source's hole among their neighbours
    assert_array_equal(found, expected)
    plain = Level(source.image, None)
    assert_array_equal(
        valid_overlap(plain, plain, shift(1.5, 0.0), margin=1.0),
        overlap_mask(shift(1.5, 0.0), (9, 7), (9, 7), margin=1.0),
    )


@pytest.mark.parametrize(
    "warp",
    [
        shift(0.0, 0.0),
        shift(14.0, 5.0),
        shift(-9.0, 3.5),
        # To the pixel on the last row and column.
        shift(83.0 - 61.0, 64.0 - 47.0),
        shift(40.25, 40.0),
        np.array([[0.2, -0.1, 30.0], [0.1, 0.2, 20.0], [0.0, 0.0, 1.0]]),
        motion("homography", SIZE, 6.0, 2),
        # Nothing is reached, on either side.
        shift(500.0, 0.0),
        shift(0.0, -500.0),
        # The horizon crosses the window: between its corners it reaches further than they do.
        np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0 / 40.0, 0.0, 1.0]]),
    ],
)
def test_a_mask_is_sampled_where_a_window_reaches_it_as_the_whole(warp: np.ndarray) -> None:
    valid = np.random.default_rng(0).random((64, 83)) < 0.9
    whole = sample(valid.astype(np.float32), warp, SIZE) > ALL_VALID
    assert_array_equal(sample_valid(valid, warp, SIZE), whole)
