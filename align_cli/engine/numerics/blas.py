"""Products of matrices that stay on the calling thread.

numpy's OpenBLAS distributes larger products over threads of its own. If several strips are
processed at once, they then compete for cores (4 MP: 39 ms on one thread and on two, 25 ms with
blocks), and the last digits depend on the number of cores. Small products use no threads.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

LARGEST_PRODUCT: Final = 1 << 18
"""Multiplications of a product up to which OpenBLAS uses no threads (its interface/gemm.c)."""


def times(plane: NDArray[Real], table: NDArray[Real]) -> NDArray[Real]:
    """Product, (h, k), of a plane, (h, w), and a table of a few columns, (w, k)."""
    (height, width), columns = plane.shape, table.shape[1]
    rows = max(1, LARGEST_PRODUCT // (width * columns))
    if height <= rows:
        return plane @ table
    whole = height // rows * rows
    product = np.empty((height, columns), plane.dtype)
    np.matmul(
        plane[:whole].reshape(-1, rows, width),
        table,
        out=product[:whole].reshape(-1, rows, columns),
    )
    np.matmul(plane[whole:], table, out=product[whole:])
    return product


def along(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product, (..., p, q), of matrices, (..., p, m), and one of many rows, (m, q); few p and q."""
    step = max(1, LARGEST_PRODUCT // (first.shape[-2] * second.shape[1]))
    product = first[..., :step] @ second[:step]
    for at in range(step, len(second), step):
        product += first[..., at : at + step] @ second[at : at + step]
    return product


def inner(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Inner product of two planes, (h, w) each."""
    by_row = np.matmul(first[:, None, :], second[:, :, None])
    return float(by_row.sum(dtype=np.float64))
