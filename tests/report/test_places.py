from __future__ import annotations

import math

import pytest

from align_cli.report.places import place_in_words


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (0, 0, "in the upper left"),
        (299, 0, "in the upper right"),
        (0, 199, "in the lower left"),
        (299, 199, "in the lower right"),
        (150, 0, "at the top"),
        (150, 199, "at the bottom"),
        (0, 100, "on the left"),
        (299, 100, "on the right"),
        (150, 100, "in the middle"),
        # A third of the way from the middle to the border, on either side of it.
        (198, 100, "in the middle"),
        (201, 100, "on the right"),
        (98, 132, "on the left"),
        (150, 134, "at the bottom"),
        (math.nan, 5, ""),
    ],
)
def test_a_place_is_called_by_the_side_that_it_is_near(x: float, y: float, words: str) -> None:
    assert place_in_words((x, y), (300, 200)) == words
