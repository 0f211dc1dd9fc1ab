"""Products of matrices that stay on the thread that asks for them.

numpy's OpenBLAS shares out larger products among threads of its own. Where several strips are in
work at once, they then wait for each other and for cores (4 MP: 39 ms on one thread and on two, 25
so), and the last digits depend on how many cores there are. Small products it does by itself.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LARGEST_PRODUCT: Final = 1 << 18
"""Multiplications of a matrix product that OpenBLAS does without threads (its interface/gemm.c)."""

PARTS: Final = 4
"""Into how many a long sum is cut: sums over 4096 points then stay below that, and below the limit
of a matrix times a vector, 9216 (its interface/gemv.c)."""


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


def outer(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Two stacks of long rows, (m, n) and (k, n): (m, k), every product of two of them summed."""
    length = first.shape[1]
    parts = max(PARTS, -(-first.shape[0] * second.shape[0] * length // LARGEST_PRODUCT))
    cut = length // parts * parts
    pieces: list[Any] = [
        stack[:, :cut].reshape(len(stack), parts, -1).transpose(1, 0, 2)
        for stack in (first, second)
    ]
    sums: NDArray[np.float64] = np.matmul(pieces[0], pieces[1].transpose(0, 2, 1)).sum(
        axis=0, dtype=np.float64
    )
    if cut < length:
        sums += first[:, cut:] @ second[:, cut:].T
    return sums
