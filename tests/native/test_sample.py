"""Bilinear sampling against the plain formula, at every level."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from align_cli.native.library import forced, levels
from align_cli.native.sample import sample

Plane = NDArray[np.float32]
Warp = NDArray[np.float64]


@pytest.fixture(params=levels(), autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    with forced(request.param):
        yield


def by_formula(source: Plane, warp: Warp, shape: tuple[int, int], replicate: bool) -> Plane:
    """The docstring of ``sample``, in float64."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    w = warp[2, 0] * x + warp[2, 1] * y + warp[2, 2]
    front = w > 0.0
    w = np.where(front, w, 1.0)
    with np.errstate(over="ignore"):
        u, v = ((row[0] * x + row[1] * y + row[2]) / w for row in warp[:2])
    height, width = source.shape
    # Beyond the border nothing changes any more, but the places must fit into integers.
    u, v = np.clip(u, -3, width + 3), np.clip(v, -3, height + 3)
    padded = np.pad(source.astype(float), 5, mode="edge" if replicate else "constant")
    i, j = np.floor(u).astype(int), np.floor(v).astype(int)

    def at(right: int, down: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = padded[j + down + 5, i + right + 5]
        return found

    u, v = u - i, v - j
    upper = (1 - u) * at(0, 0) + u * at(1, 0)
    lower = (1 - u) * at(0, 1) + u * at(1, 1)
    return np.where(front, (1 - v) * upper + v * lower, 0.0).astype(np.float32)


def drawn(shape: tuple[int, int], seed: int = 0) -> Plane:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


WARPS = {
    "identity": np.eye(3),
    "half a pixel": np.array([[1, 0, 0.5], [0, 1, 0.25], [0, 0, 1.0]]),
    "turned": np.array([[0.8, -0.6, 12], [0.6, 0.8, -7], [0, 0, 1.0]]),
    "enlarged": np.array([[0.1, 0, 3], [0, 0.1, 4], [0, 0, 1.0]]),
    "reduced": np.array([[3.7, 0.2, -3], [0.1, 4.1, -4], [0, 0, 1.0]]),
    "perspective": np.array([[1, 0.01, -1.25], [-0.02, 1, 1.5], [1e-3, 2e-3, 1.0]]),
    "horizon inside": np.array([[1, 0.1, 0], [0.1, 1, 0], [-1 / 32, 1 / 128, 1.0]]),
    "horizon between pixels": np.array([[1, 0, 0], [0, 1, 0], [-1 / 16.5, 0, 1.0]]),
    "all behind the horizon": np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1.0]]),
    "far away": np.array([[1, 0, 1e12], [0, 1, -1e12], [0, 0, 1.0]]),
    "beyond all numbers": np.array([[1e300, 0, 0], [0, 1e300, 1e300], [0, 0, 1e-300]]),
}


@pytest.mark.parametrize("replicate", [False, True])
@pytest.mark.parametrize("name", WARPS)
def test_it_is_the_formula(name: str, replicate: bool) -> None:
    warp = WARPS[name]
    # Where a warp enlarges distances a place is no more exact than the digits of float64 allow.
    for shape in ((41, 50), (1, 1), (1, 30), (30, 1)):
        source = drawn(shape)
        for window_shape in ((37, 61), (1, 16), (5, 15), (5, 17), (40, 1)):
            window = np.full(window_shape, np.nan, np.float32)
            sample(source, warp, window, replicate=replicate)
            expected = by_formula(source, warp, window_shape, replicate)
            np.testing.assert_allclose(window, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("replicate", [False, True])
def test_it_is_what_opencv_does(replicate: bool) -> None:
    source, warp = drawn((120, 150)), WARPS["turned"]
    window = np.empty((130, 140), np.float32)
    sample(source, warp, window, replicate=replicate)
    border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    other = cv2.warpAffine(source, warp[:2], (140, 130), flags=flags, borderMode=border)
    np.testing.assert_allclose(window, other, rtol=0, atol=1e-4)


def test_the_identity_copies_to_the_last_bit() -> None:
    source = drawn((33, 47))
    window = np.empty_like(source)
    sample(source, np.eye(3), window)
    assert window.tobytes() == source.tobytes()


def test_places_are_exact_at_the_far_end_of_a_long_image() -> None:
    """The place of a pixel of float32 alone would be 1/1000 px off there."""
    width = 32_766
    source = np.arange(width, dtype=np.float32)[None].repeat(2, axis=0) - 32_000.0
    window = np.empty((1, 700), np.float32)
    sample(source, np.array([[1, 0, 32_000 + 1 / 3], [0, 1, 0.5], [0, 0, 1.0]]), window)
    np.testing.assert_allclose(window[0], np.arange(700) + 1 / 3, rtol=0, atol=1e-4)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    across=st.sampled_from([1, -1, 2, -3]),
    down=st.sampled_from([1, -1, 2, -3]),
    transposed=st.booleans(),
)
def test_strides_do_not_matter(
    seed: int, shape: tuple[int, int], across: int, down: int, transposed: bool
) -> None:
    view = drawn(shape, seed)[::down, ::across]
    view = view.T if transposed else view
    bytes_of = np.empty((view.size * 4 + 1,), np.uint8)
    unaligned = bytes_of[1:].view(np.float32).reshape(view.shape)
    unaligned[...] = view
    results = []
    for source in (np.ascontiguousarray(view), view, unaligned):
        source.flags.writeable = False
        results.append(np.empty((20, 35), np.float32))
        sample(source, WARPS["turned"] @ WARPS["perspective"], results[-1], replicate=True)
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


def test_a_row_repeated_by_a_stride_of_zero() -> None:
    source = np.broadcast_to(drawn((1, 30)), (20, 30))
    window = np.empty((20, 30), np.float32)
    sample(source, WARPS["half a pixel"], window, replicate=True)
    assert (window == window[0]).all()


def test_rows_alone_are_as_among_others_and_the_rest_is_left_alone() -> None:
    source, warp = drawn((60, 70)), WARPS["perspective"]
    whole, parts = np.empty((50, 61), np.float32), np.full((50, 61), np.nan, np.float32)
    sample(source, warp, whole)
    sample(source, warp, parts, slice(7, 20))
    assert np.isnan(parts[:7]).all()
    assert np.isnan(parts[20:]).all()
    sample(source, warp, parts, slice(20, None))
    sample(source, warp, parts, slice(0, 7))
    assert parts.tobytes() == whole.tobytes()


def test_nothing_is_written_beside_the_window() -> None:
    outer = np.full((9, 40), np.nan, np.float32)
    sample(drawn((20, 30)), WARPS["identity"], outer[2:7, 3:30])
    inside = np.zeros(outer.shape, bool)
    inside[2:7, 3:30] = True
    assert (np.isnan(outer) == ~inside).all()


def test_what_cannot_be_answered_is_refused() -> None:
    source, window = drawn((5, 5)), np.empty((5, 5), np.float32)
    with pytest.raises(ValueError, match="sample: a coefficient is not finite"):
        sample(source, np.full((3, 3), np.nan), window)
    with pytest.raises(ValueError, match="sample: a side"):
        sample(source[:0], np.eye(3), window)
    sample(source, np.eye(3), window[:0])
