"""Products of matrices that stay on the thread that asks for them.

numpy's OpenBLAS shares out larger products among threads of its own. Where several strips are in
work at once, they then wait for each other and for cores (4 MP: 39 ms on one thread and on two, 25
so), and the last digits depend on how many cores there are. Small products it does by itself.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

LARGEST_PRODUCT: Final = 1 << 18
"""Multiplications of a matrix product that OpenBLAS does without threads (its interface/gemm.c)."""


def times(plane: NDArray[Real], table: NDArray[Real]) -> NDArray[Real]:
    """A plane, (h, w), times a table of a few columns, (w, k): (h, k)."""
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
    """Matrices, (..., p, m), times one of many rows, (m, q): (..., p, q), of few p and q."""
    step = max(1, LARGEST_PRODUCT // (first.shape[-2] * second.shape[1]))
    product = first[..., :step] @ second[:step]
    for at in range(step, len(second), step):
        product += first[..., at : at + step] @ second[at : at + step]
    return product


def inner(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Sum of the products of two planes, (h, w) each."""
    by_row = np.matmul(first[:, None, :], second[:, :, None])
    return float(by_row.sum(dtype=np.float64))
