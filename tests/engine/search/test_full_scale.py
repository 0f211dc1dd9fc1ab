from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.images.luma import Luma
from align_cli.engine.search.full_scale import no_change, of_planes, of_values

RNG = np.random.default_rng(0)
BETWEEN_PLANES = Illumination(RNG.uniform(0.5, 2.0, 6), RNG.uniform(-1.0, 1.0, 6))


def luma_of(offset: float, scale: float) -> Luma:
    return Luma(RNG.random((9, 12)).astype(np.float32), None, offset, scale)


@pytest.mark.parametrize("units", [(0.0, 1.0, 0.0, 1.0), (3.0, 20.0, -500.0, 0.25)])
def test_what_joins_planes_joins_the_values_they_stand_for(units: tuple[float, ...]) -> None:
    source, target = luma_of(*units[:2]), luma_of(*units[2:])
    between = of_values(BETWEEN_PLANES, source, target)
    planes = RNG.normal(size=50)
    for term in (0, 4):  # a constant one, and one that varies, where its monomial is 1
        factor, offset = BETWEEN_PLANES.factor, BETWEEN_PLANES.offset
        constant = offset[term] + factor[term] * planes
        values = between.factor[term] * (source.offset + source.scale * planes)
        values += between.offset[term] - (target.offset if term == 0 else 0.0)
        assert_allclose(values, target.scale * constant, atol=1e-9)
    back = of_planes(between, source, target)
    assert_allclose(back.factor, BETWEEN_PLANES.factor, rtol=1e-12)
    assert_allclose(back.offset, BETWEEN_PLANES.offset, atol=1e-9)


def test_no_change_changes_nothing_and_anything_else_does() -> None:
    assert not no_change().changes
    for field in ("factor", "offset"):
        for term in range(6):
            record = no_change()
            getattr(record, field)[term] += 1e-12
            assert record.changes


def test_images_of_extreme_ranges_make_no_noise() -> None:
    huge, tiny = luma_of(1e300, 1e300), luma_of(1e-300, 1e-300)
    of_values(BETWEEN_PLANES, tiny, huge)
    of_planes(of_values(BETWEEN_PLANES, huge, tiny), huge, tiny)
