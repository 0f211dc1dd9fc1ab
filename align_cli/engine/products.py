"""Products of matrices that stay on the thread that asks for them.

numpy's OpenBLAS shares out larger products among threads of its own. Where several strips are in
work at once, they then wait for each other and for cores (4 MP: 39 ms on one thread and on two, 25
so), and the last digits depend on how many cores there are. Small products it does by itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGEST_PRODUCT: Final = 1 << 18
"""Multiplications of a matrix product that OpenBLAS does without threads (its interface/gemm.c)."""


def times(plane: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """A plane, (h, w), times a table of a few columns, (w, k): (h, k)."""
    (height, width), columns = plane.shape, table.shape[1]
    rows = max(1, LARGEST_PRODUCT // (width * columns))
    if height <= rows:
        return plane @ table
    whole = height // rows * rows
    product = np.empty((height, columns), np.float32)
    np.matmul(
        plane[:whole].reshape(-1, rows, width),
        table,
        out=product[:whole].reshape(-1, rows, columns),
    )
    np.matmul(plane[whole:], table, out=product[whole:])
    return product


def inner(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Sum of the products of two planes, (h, w) each."""
    by_row = np.matmul(first[:, None, :], second[:, :, None])
    return float(by_row.sum(dtype=np.float64))
