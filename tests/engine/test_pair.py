from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine import pair as pairs
from align_cli.engine.coordinates import inverse
from align_cli.engine.details import tile_zncc
from align_cli.engine.luma import luma
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.target import Target
from tests.photographs import cut, photograph, shifted


def small_on_large(x: int, y: int, *, masked: bool = False) -> Pair:
    """A window of (90, 70) px whose pixel (0, 0) is the target's (x, y)."""
    image = photograph("poster")
    valid = np.ones(image.shape, np.bool_)
    valid[y + 20 : y + 40] = not masked
    target = luma(cut(image, image.shape[::-1], 0, 0), mask=valid)
    return Pair(luma(cut(image, (90, 70), x, y, seed=1)), Target(target, Options()))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("x", "y"), [(100, 80), (0, 0), (3, 150), (230, 0), (301, 207)])
def test_tiles_of_the_part_that_a_source_reaches_are_those_of_all(
    x: int, y: int, masked: bool
) -> None:
    pair = small_on_large(x, y, masked=masked)
    turned = inverse(shifted(x, y)) @ np.array([[1.0, -0.05, 3.0], [0.05, 1.0, -2.0], [0, 0, 1.0]])
    for warp in (inverse(shifted(x, y)), turned):
        part, whole = pair.tile_zncc(warp, 0), tile_zncc(pair.details(warp, 0))
        np.testing.assert_allclose(part.zncc, whole.zncc, atol=1e-4)
        np.testing.assert_allclose(part.contrast, whole.contrast, rtol=1e-3, atol=1e-6)


def test_no_more_of_a_large_target_is_looked_at_than_a_small_source_reaches() -> None:
    rows, columns = pairs._reached(inverse(shifted(100, 80)), (90, 70), (400, 320)) or (None, None)
    assert rows is not None
    assert columns is not None
    assert rows.start <= 80 - 12
    assert rows.stop >= 150 + 12
    assert columns.start <= 100 - 12
    assert columns.stop >= 190 + 12
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 0.25 * 400 * 320
    assert pairs._reached(np.eye(3), (390, 310), (400, 320)) is None
    assert pairs._reached(shifted(5000.0, 0.0), (90, 70), (400, 320)) is None


def test_the_target_is_laid_over_the_source_once_for_equal_options() -> None:
    pair = small_on_large(100, 80)
    turned = pair.turned(Options())
    assert turned.source is pair.target.image
    assert turned.target.image is pair.source
    assert pair.turned(Options()) is turned
    assert pair.turned(Options(preset="precise")) is not turned
