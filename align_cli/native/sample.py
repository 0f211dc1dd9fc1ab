"""Bilinear values of an image where a warp takes the pixels of a window."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from align_cli.native.library import Output, Plane, call, output, plane


class _Sample(ctypes.Structure):
    _fields_ = (
        ("source", Plane),
        ("window", Output),
        ("warp", ctypes.c_double * 9),
        ("first_row", ctypes.c_int64),
        ("end_row", ctypes.c_int64),
        ("replicate", ctypes.c_int64),
    )


def sample(
    source: NDArray[np.float32],
    warp: NDArray[np.float64],
    window: NDArray[np.float32],
    rows: slice | None = None,
    *,
    replicate: bool = False,
) -> None:
    """Write the values of rows of a window.

        window[y, x] = (1 - v) ((1 - u) S[j, i] + u S[j, i + 1])
                         +  v  ((1 - u) S[j + 1, i] + u S[j + 1, i + 1])

    where (i + u, j + v) = W(x, y), i and j whole, 0 <= u, v < 1; 0 at and behind the horizon.

    Args:
        source: (height, width) float32, of any strides.
        warp: (3, 3), window pixel -> source pixel.
        window: (height, width) float32, written.
        rows: which rows of the window; None for all.
        replicate: S outside the source is its nearest border pixel, else 0.
    """
    first, end, _ = (rows or slice(None)).indices(len(window))
    coefficients = (ctypes.c_double * 9)(*warp.ravel().tolist())
    call(
        "sample",
        _Sample(
            plane(source, np.float32),
            output(window, np.float32),
            coefficients,
            first,
            end,
            replicate,
        ),
    )
