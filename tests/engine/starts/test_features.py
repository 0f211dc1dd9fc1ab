"""Which descriptors are most alike."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.starts.features import RATIO, Features, nearest_two, ratio_test_matches
from align_cli.engine.starts.motions import FEWEST_POINTS


def test_the_nearest_two_are_those_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 120, (count, 128)).astype(np.float32) for count in (40, 70))
    nearest, least, second = nearest_two(one, other)
    distances = ((one[:, None].astype(np.int64) - other[None].astype(np.int64)) ** 2).sum(axis=2)
    ordered = np.sort(distances, axis=1)
    np.testing.assert_array_equal(nearest, distances.argmin(axis=1))
    np.testing.assert_array_equal(least, ordered[:, 0])
    np.testing.assert_array_equal(second, ordered[:, 1])


def along_axes(count: int, second: float) -> tuple[Features, Features]:
    """Features of two images, each 1 from its like, and so much from the next."""
    places = np.column_stack([np.arange(count), np.zeros(count)]).astype(np.float64)
    descriptors = np.zeros((count, 128), np.float32)
    descriptors[np.arange(count), np.arange(count)] = 100.0
    there = np.repeat(descriptors, 2, axis=0)
    there[::2, 100] = 10.0
    there[1::2, 100] = 10.0 * second
    return (
        Features(places, descriptors),
        Features(np.repeat(places, 2, axis=0) + np.array([0.0, 7.0]), there),
    )


@pytest.mark.parametrize(("times", "counts"), [(0.9, False), (1.1, True)])
def test_a_match_counts_if_the_second_best_is_by_so_much_worse(times: float, counts: bool) -> None:
    here, there = ratio_test_matches(*along_axes(20, times / RATIO))
    assert len(here) == len(there) == 20 * counts
    np.testing.assert_array_equal(there, here + np.array([0.0, 7.0]))


def test_too_few_features_in_either_match_nothing() -> None:
    here, there = along_axes(FEWEST_POINTS, 2.0)
    few = Features(there.points[: FEWEST_POINTS - 1], there.descriptors[: FEWEST_POINTS - 1])
    assert len(ratio_test_matches(here, there)[0]) == FEWEST_POINTS
    assert len(ratio_test_matches(here, few)[0]) == 0
    assert len(ratio_test_matches(few, there)[0]) == 0
