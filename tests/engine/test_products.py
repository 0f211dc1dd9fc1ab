from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine import products
from align_cli.engine.products import inner, times


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
    # Rows of a wider plane, as a strip has them.
    wide = np.concatenate([plane, plane], axis=1)
    assert_allclose(times(wide[:, : shape[1]], table), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 2)])
def test_the_inner_product_sums_over_all_pixels(shape: tuple[int, int]) -> None:
    first, second = numbers(*shape), numbers(*shape)[::-1]
    assert inner(first, second) == pytest.approx((first.astype(float) * second).sum(), abs=1e-5)
