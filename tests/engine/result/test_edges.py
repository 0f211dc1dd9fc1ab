from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from align_cli.engine.result.edges import gradients, largest_gradient


def test_the_gradient_of_a_ramp_is_its_slope() -> None:
    y, x = np.mgrid[:20, :30].astype(np.float32)
    across, down = gradients(3.0 * x - 2.0 * y)
    assert_allclose(across[1:-1, 1:-1], 3.0)
    assert_allclose(down[1:-1, 1:-1], -2.0)


def test_an_edge_counts_as_far_as_the_square_reaches() -> None:
    plane = np.zeros((20, 30), np.float32)
    plane[:, 15:] = 1.0
    found = largest_gradient(plane, 5)
    assert_allclose(found[10, 12:18], 0.5)
    assert not found[:, :12].any()
    assert not found[:, 18:].any()
