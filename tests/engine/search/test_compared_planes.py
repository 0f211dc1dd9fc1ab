"""What of two images is compared for changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.options import Options
from align_cli.engine.search.compared_planes import compared_planes, opacities

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
FLAT_RED = np.dstack([np.full((20, 30), 255, np.uint8), COLOUR[..., 1:]])
WITH_ALPHA = np.dstack([COLOUR, np.full((20, 30), 255, np.uint8)])
WITH_HOLE = WITH_ALPHA.copy()
WITH_HOLE[5:9, 5:9, 3] = 0


@pytest.mark.parametrize(
    ("source", "target", "options", "count"),
    [
        (COLOUR, COLOUR, Options(), 3),
        (COLOUR[..., 0], COLOUR, Options(), 1),
        (COLOUR, COLOUR, Options(channel=1), 1),
        (COLOUR, FLAT_RED, Options(), 2),
        (FLAT_RED, FLAT_RED, Options(), 2),
    ],
)
def test_of_colours_red_and_blue_are_compared_where_they_have_contrast(
    source: np.ndarray, target: np.ndarray, options: Options, count: int
) -> None:
    planes = compared_planes(source, target, None, None, options)
    assert len(planes) == count
    if count > 1:
        assert_allclose(planes[-1][1].plane, target[..., 2] / 255, atol=1e-6)


def test_alpha_is_compared_where_one_image_has_some_transparency() -> None:
    assert opacities(COLOUR, COLOUR, None, None, Options()) is None
    assert opacities(WITH_ALPHA, COLOUR, None, None, Options()) is None
    assert opacities(WITH_HOLE, COLOUR, None, None, Options(ignore_alpha=True)) is None
    found = opacities(WITH_HOLE, COLOUR, None, None, Options())
    assert found is not None
    source, target = found
    assert_allclose(source.plane, WITH_HOLE[..., 3] / 255)
    assert_allclose(target.plane, 1.0)
