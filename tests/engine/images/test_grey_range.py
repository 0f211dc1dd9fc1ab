"""What is black and white in an image, and what a grey level is."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.grey_range import grey_levels, grey_range

RAMP = np.tile(np.linspace(0.0, 1.0, 100), (50, 1))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ((RAMP * 255).astype(np.uint8), (0, 255, False)),
        ((RAMP * 30000).astype(np.uint16), (0, 65535, False)),
        ((RAMP * 4095).astype(np.uint16), (0, 4095, True)),
        (RAMP, (0, 1, False)),
        (RAMP - 0.5, (-0.5, 0.5, True)),
        (np.full((9, 9), 3, np.uint8), (-124.5, 130.5, True)),
        (np.full((9, 9), np.nan), (0, 1, None)),
    ],
)
def test_the_range_is_that_of_the_type_unless_the_image_is_dark_or_elsewhere(
    image: np.ndarray, expected: tuple[float, float, bool | None]
) -> None:
    assert grey_range(image) == pytest.approx(expected)


def test_a_hot_pixel_stretches_no_range() -> None:
    hot = RAMP.copy()
    hot[3, 3] = 1e4
    assert grey_range(hot)[1] == pytest.approx(1.0)


def test_what_is_not_valid_does_not_count() -> None:
    image = (RAMP * 4095).astype(np.uint16)
    image[:10] = 60000
    assert grey_range(image)[1] == 65535
    assert grey_range(image, np.arange(50)[:, None] * np.ones((1, 100)) >= 10)[1] == 4095


def test_alpha_is_no_grey_value_and_coarse_integers_are_rounded() -> None:
    image = np.dstack([(RAMP * 4095).astype(np.uint16)] * 3)
    with_alpha = np.dstack([image, np.full(image.shape[:2], 65535, np.uint16)])
    levels = grey_levels(image, with_alpha, None)
    assert levels.unit == pytest.approx(4095 / 65535)
    assert levels.rounding == pytest.approx(np.sqrt(2.0 / 12.0) / 65535)
    assert grey_levels(RAMP, RAMP, None) == (1.0, 0.0)
