from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.report import error_scale
from align_cli.report.page.residuals import difference_picture, error_picture
from tests.report.page.test_pictures import decoded


@pytest.fixture
def residual() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(0).normal(0.0, 3.0 / 255.0, (60, 80)).astype(np.float32)
    values[5, 6] = 0.9
    values[7, 8] = -0.9
    values[9, 10] = np.nan
    overlap = np.ones((60, 80), np.bool_)
    overlap[:, :10] = False
    return values, overlap


def test_the_difference_is_signed_grey_from_the_images_own_values(
    residual: tuple[np.ndarray, np.ndarray],
) -> None:
    values, overlap = residual
    values[5, 26], values[7, 28] = 0.9, -0.9
    seen = decoded(difference_picture(values, overlap, whole=False))
    known = overlap & np.isfinite(values)
    assert_array_equal(seen[..., 3] > 0, known)
    steps = np.clip(np.rint(255.0 * values[known]), -31, 31)
    assert_array_equal(seen[..., 0][known], np.clip(128 + 4 * steps, 0, 255))
    assert seen[5, 26, 0] > 250
    assert seen[7, 28, 0] < 10


def test_the_error_has_the_colours_of_the_error_map(
    residual: tuple[np.ndarray, np.ndarray],
) -> None:
    values, overlap = residual
    seen = decoded(error_picture(values, overlap, whole=True))
    known = overlap & np.isfinite(values)
    expected = error_scale.COLOURS[error_scale.levels(np.nan_to_num(values))]
    assert_array_equal(seen[known][:, 2::-1], expected[known])
    assert_array_equal(seen[..., 3] > 0, known)


def test_noise_of_less_than_half_a_grey_level_is_dark() -> None:
    values = np.random.default_rng(0).uniform(-0.0019, 0.0019, (40, 40)).astype(np.float32)
    seen = decoded(error_picture(values, np.ones((40, 40), np.bool_), whole=False))
    assert len(np.unique(seen.reshape(-1, 4), axis=0)) == 1
