from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.numerics import blas as products
from align_cli.engine.numerics.blas import along, inner, times


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("largest", [1, 700, 1 << 18])
@pytest.mark.parametrize("shape", [(1, 40), (7, 40), (33, 129)])
def test_a_plane_times_a_table_is_their_product(
    shape: tuple[int, int], largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "LARGEST_PRODUCT", largest)
    plane, table = numbers(*shape), numbers(shape[1], 5)
    expected = plane.astype(float) @ table
    assert_allclose(times(plane, table), expected, atol=1e-4)
    assert times(plane, table).dtype == np.float32
    assert_allclose(times(plane.astype(float), table.astype(float)), expected, rtol=1e-12)
    # Rows of a wider plane, as a strip has them.
    wide = np.concatenate([plane, plane], axis=1)
    assert_allclose(times(wide[:, : shape[1]], table), expected, atol=1e-4)


@pytest.mark.parametrize("largest", [1, 100, 1 << 18])
def test_matrices_are_multiplied_in_parts_of_their_long_side(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "LARGEST_PRODUCT", largest)
    first, second = numbers(3, 4, 41).astype(np.float64), numbers(41, 5).astype(np.float64)
    assert_allclose(along(first, second), first @ second, rtol=1e-12)
    # None shares its work out among threads, and none of its rows are left out.
    sizes: list[int] = []

    class Watched(np.ndarray):
        def __matmul__(self, other: np.ndarray) -> np.ndarray:
            sizes.append(4 * other.size)
            return np.asarray(self) @ other

    assert_allclose(along(first.view(Watched), second), first @ second, rtol=1e-12)
    assert max(sizes) <= max(largest, 4 * 5)
    assert sum(sizes) == 4 * second.size


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 2)])
def test_the_inner_product_sums_over_all_pixels(shape: tuple[int, int]) -> None:
    first, second = numbers(*shape), numbers(*shape)[::-1]
    assert inner(first, second) == pytest.approx((first.astype(float) * second).sum(), abs=1e-5)
