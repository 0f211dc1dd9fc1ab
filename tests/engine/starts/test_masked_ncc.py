from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.pyramid import Level
from align_cli.engine.starts.masked_ncc import contrast_normalised, masked_ncc
from align_cli.engine.starts.phase import peaks
from tests.photographs import NAMES, cut, photograph

SIZE = (200, 150)


def level(image: np.ndarray, valid: np.ndarray | None = None) -> Level:
    return Level(image.astype(np.float32), valid)


def parts(name: str, x: int, y: int, **light: float) -> tuple[Level, Level]:
    """Two windows of a photograph: the second begins (x, y) further right and down."""
    image = photograph(name)
    here = max(0, -x), max(0, -y)
    source = cut(image, SIZE, *here) * light.get("gain", 1.0) + light.get("bias", 0.0)
    return level(source), level(cut(image, SIZE, here[0] + x, here[1] + y))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("x", "y"), [(0, 0), (150, 0), (-110, 60), (20, -112), (-100, -70)])
def test_the_best_agreement_is_the_shift(name: str, x: int, y: int) -> None:
    # source(p + d) = target(p): target begins d further on.
    (height, *shift), (second, *_) = peaks(masked_ncc(*parts(name, x, y)), 2)
    assert shift == [x, y]
    assert height > 1.2 * second


def test_gain_and_bias_change_nothing() -> None:
    plain, relit = (masked_ncc(*parts("poster", 80, 40, **light)) for light in ({}, LIGHT))
    np.testing.assert_allclose(relit, plain, atol=0.2)


LIGHT = {"gain": 0.5, "bias": 60.0}


def test_a_bright_skyline_does_not_outvote_what_is_below() -> None:
    source, target = parts("poster", 20, 90)
    for each in (source, target):
        each.image[70:74] += 100.0  # a line across, the same in both, in the same place
    (_, *shift), *_ = peaks(masked_ncc(source, target), 1)
    assert shift == [20, 90]


def test_what_is_not_valid_has_no_say() -> None:
    source, target = parts("poster", 60, 20)
    valid = np.ones(source.image.shape, np.bool_)
    valid[30:120, 40:160] = False
    pattern = np.random.default_rng(3).uniform(0.0, 255.0, valid.shape)
    for each in (source, target):
        each.image[~valid] = pattern[~valid]
    seen, hidden = (
        peaks(masked_ncc(Level(source.image, mask), Level(target.image, mask)), 1)[0]
        for mask in (None, valid)
    )
    assert seen[1:] == (0, 0)
    assert hidden[1:] == (60, 20)


def test_images_of_different_sizes() -> None:
    image = photograph("scan")
    source, target = cut(image, (300, 250), 40, 60), cut(image, (120, 140), 150, 100)
    (_, *shift), *_ = peaks(masked_ncc(level(source), level(target)), 1)
    assert shift == [110, 40]


def test_flat_images_agree_nowhere() -> None:
    flat = level(np.full((60, 80), 7.0))
    surface = masked_ncc(flat, level(cut(photograph("poster"), (80, 60), 0, 0)))
    assert np.isfinite(surface).all()
    assert np.abs(surface).max() < 6.0


def test_every_place_is_measured_by_its_own_contrast() -> None:
    image = cut(photograph("poster"), SIZE, 0, 0).astype(np.float32)
    image[:, 100:] *= 0.2
    even = contrast_normalised(image, None)
    assert even[20:-20, 120:180].std() > 0.6 * even[20:-20, 20:80].std()
    assert contrast_normalised(image, image > 60.0)[image <= 60.0].any() == np.False_
