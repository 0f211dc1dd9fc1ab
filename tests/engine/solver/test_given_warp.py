from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.images.luma import luma
from align_cli.engine.options import DEFAULTS
from align_cli.engine.solver.given_warp import illumination_under
from align_cli.engine.target.target import Target
from tests.scenes import pair

MADE = pair("rigid", seed=1, size=(160, 120), source_size=(150, 125))
WARP = inverse(MADE.source_to_target)


def lit(factor: np.ndarray | float, offset: float, noise: float = 0.0) -> Pair:
    """The pair, its source darker, and both with noise."""
    rng = np.random.default_rng(0)
    source, target = (
        image + rng.normal(0.0, noise, image.shape)
        for image in (factor * MADE.source + offset, MADE.target)
    )
    source, target = (np.rint(60000 * image).clip(0, 65535) for image in (source, target))
    images = luma(source.astype(np.uint16)), luma(target.astype(np.uint16))
    return Pair(images[0], Target(images[1], DEFAULTS))


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize(("gain", "bias"), [(1.0, 0.0), (0.6, 0.2), (1.0, -0.1)])
def test_gain_and_bias_are_found(gain: float, bias: float, noise: float) -> None:
    found = illumination_under(lit(gain, bias, noise), WARP)
    assert not found.varies
    assert found.gain == pytest.approx(gain, abs=0.01)
    assert found.bias == pytest.approx(60000 / 65535 * bias, abs=0.01)


def test_what_covers_a_part_does_not_count() -> None:
    made = lit(0.6, 0.2)
    made.source.plane[20:60, 30:80] = 1.0
    found = illumination_under(Pair(made.source, made.target), WARP)
    assert found.gain == pytest.approx(0.6, abs=0.01)


def test_a_vignette_is_found() -> None:
    height, width = MADE.source.shape
    y, x = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    found = illumination_under(lit(1.0 - 0.15 * (x * x + y * y), 0.0, 0.005), WARP)
    assert found.varies
    middle, corner = (
        found.on_rows((160, 120), np.array([row]))[0][0, column]
        for row, column in ((60, 80), (0, 0))
    )
    assert middle == pytest.approx(1.0, abs=0.02)
    assert corner == pytest.approx(1.0 / 0.7, abs=0.08)


def test_without_overlap_nothing_changes() -> None:
    away = np.array([[1.0, 0.0, 1000.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = illumination_under(lit(0.6, 0.2), away)
    for coefficients, expected in zip(found, Illumination.uniform(), strict=True):
        assert_allclose(coefficients, expected)
