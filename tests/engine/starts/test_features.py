"""Which descriptors are most alike."""

from __future__ import annotations

import numpy as np

from align_cli.engine.starts.features import nearest_two


def test_the_nearest_two_are_those_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 120, (count, 128)).astype(np.float32) for count in (40, 70))
    nearest, least, second = nearest_two(one, other)
    distances = ((one[:, None].astype(np.int64) - other[None].astype(np.int64)) ** 2).sum(axis=2)
    ordered = np.sort(distances, axis=1)
    np.testing.assert_array_equal(nearest, distances.argmin(axis=1))
    np.testing.assert_array_equal(least, ordered[:, 0])
    np.testing.assert_array_equal(second, ordered[:, 1])
