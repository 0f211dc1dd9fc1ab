from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.sampling import tiled as parts
from align_cli.engine.sampling.bilinear import sample
from align_cli.engine.sampling.sinc_upsampling import SHARP_SINC, upsampled
from align_cli.engine.sampling.tiled import sample_parts
from tests.scenes import MODEL_NAMES, Matrix, motion, pixel_grid, render, textured

SIZE = (61, 47)


def rough(size: tuple[int, int] = SIZE, seed: int = 3) -> np.ndarray:
    return render(textured(seed, size=size), size, noise=0.1, seed=seed)


def wave(share: float, angle: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A wave of a share of the Nyquist frequency along a direction."""
    frequency = share * np.pi
    return np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + 0.3)


@pytest.mark.parametrize("size", [SIZE, (20, 9), (9, 20)])
def test_a_finer_grid_keeps_the_samples_and_doubles_both_sides(size: tuple[int, int]) -> None:
    image = rough(size)
    before = image.copy()
    fine = upsampled(image, SHARP_SINC)
    assert fine.shape == (2 * size[1], 2 * size[0])
    assert fine.dtype == np.float32
    assert_array_equal(fine[::2, ::2], image)
    assert_array_equal(image, before)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2.0, 2.2])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.8])
def test_a_wave_below_nyquist_is_found_between_the_pixels(share: float, angle: float) -> None:
    fine = upsampled(wave(share, angle, *pixel_grid((80, 60))).astype(np.float32), SHARP_SINC)
    x, y = pixel_grid((160, 120))
    expected = wave(share, angle, x / 2.0, y / 2.0)
    interior = np.s_[22:-22, 22:-22]
    assert_allclose(fine[interior], expected[interior], atol=2e-3)


def test_a_constant_stays_one() -> None:
    image = np.full((12, 15), 0.7, np.float32)
    assert_allclose(upsampled(image, SHARP_SINC), 0.7, rtol=1e-6)


WINDOW = (40, 24)


def placed(warp: Matrix) -> Matrix:
    return np.array([[1.0, 0.0, 9.0], [0.0, 1.0, 12.0], [0.0, 0.0, 1.0]]) @ warp


def turned(degrees: float) -> Matrix:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 35.0 - 20.0 * c + 12.0 * s], [s, c, 23.0 - 20.0 * s - 12.0 * c],
                     [0.0, 0.0, 1.0]])  # fmt: skip


@pytest.mark.parametrize(
    "warp",
    [
        np.eye(3),
        *(placed(motion(model, WINDOW)) for model in MODEL_NAMES),
        turned(45.0),
        turned(90.0),
        # Beyond every border, and wholly outside.
        np.array([[2.0, 0.0, -9.0], [0.0, 2.5, -7.0], [0.0, 0.0, 1.0]]),
        np.array([[1.0, 0.0, 900.0], [0.0, 1.0, -700.0], [0.0, 0.0, 1.0]]),
    ],
)
@pytest.mark.parametrize("largest", [4.0, 0.5])
def test_what_is_enlarged_where_it_is_needed_is_what_the_whole_would_be(
    warp: Matrix, largest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LARGEST_AREA_RATIO", largest)
    image = rough()
    monkeypatch.setattr(parts, "SMALL_PART", 0)
    whole = sample(upsampled(image, SHARP_SINC), np.diag([2.0, 2.0, 1.0]) @ warp, WINDOW)
    out = np.full((WINDOW[1], WINDOW[0]), np.nan, np.float32)
    sample_parts(
        lambda part: upsampled(image[part], SHARP_SINC),
        (image.shape[1], image.shape[0]),
        warp,
        WINDOW,
        out=out,
        reach=SHARP_SINC.reach + 1,
        finer=2,
    )
    inside = cv2.warpPerspective(
        np.ones_like(image), warp, WINDOW, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    assert np.isfinite(out).all()
    # cv2 rounds the coordinates of a part of an image otherwise than those of the whole.
    assert_allclose(out[inside > 0], whole[inside > 0], atol=2e-5)
