from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver import dct_denoising as module
from align_cli.engine.solver.dct_denoising import (
    BLOCK,
    FEWEST_BLOCKS,
    Denoised,
    band_noise,
    denoise,
)
from tests.scenes import Size, render, textured

SIZE = (150, 117)
LARGE = (400, 320)


def white(sigma: float, size: Size = SIZE, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng([5, seed]).normal(0.0, sigma, (size[1], size[0]))
    return noise.astype(np.float32)


def everywhere(size: Size = SIZE) -> np.ndarray:
    return np.ones((size[1], size[0]), np.bool_)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def truth(size: Size = SIZE) -> np.ndarray:
    return render(textured(2, size=size), size)


def halves(sigma: float, size: Size = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Mean and half the difference of two pictures of one scene, noise of ``sigma`` in each."""
    scene = truth(size)
    one, other = (scene + white(sigma, size, seed) for seed in (1, 2))
    return (one + other) / np.float32(2.0), (one - other) / np.float32(2.0)


def cleaned(
    mean: np.ndarray,
    half: np.ndarray,
    inside: np.ndarray | None = None,
    *,
    threads: int = 1,
    pilot: np.ndarray | None = None,
) -> Denoised:
    with Threads(threads) as pool:
        height, width = mean.shape
        area = everywhere((width, height)) if inside is None else inside
        found = denoise(mean, half, area, pool, pilot=pilot)
    assert found is not None
    return found


def test_every_band_of_white_noise_has_its_variance() -> None:
    noise = band_noise(white(0.03, LARGE), everywhere(LARGE))
    assert noise is not None
    assert noise.shape == (BLOCK, BLOCK)
    assert_allclose(np.sqrt(noise), 0.03, rtol=0.12)
    assert np.sqrt(noise).mean() == pytest.approx(0.03, rel=0.01)


@pytest.mark.parametrize(("vertical", "horizontal"), [(0, 5), (5, 0), (3, 7), (7, 7), (0, 0)])
def test_a_cosine_is_found_in_its_own_band_and_in_no_other(vertical: int, horizontal: int) -> None:
    x, y = np.arange(SIZE[0]) % BLOCK, np.arange(SIZE[1])[:, None] % BLOCK
    cosine = np.cos(np.pi * (2 * y + 1) * vertical / (2 * BLOCK)) * np.cos(
        np.pi * (2 * x + 1) * horizontal / (2 * BLOCK)
    )
    noise = band_noise((0.02 * cosine).astype(np.float32), everywhere())
    assert noise is not None
    assert np.unravel_index(noise.argmax(), noise.shape) == (vertical, horizontal)
    others = np.sort(noise.ravel())[:-1]
    assert others.max() < 1e-9 * noise.max()


def test_coloured_noise_has_the_variance_of_its_spectrum_along_each_axis() -> None:
    kernel = np.array([0.25, 0.5, 0.25])
    sigma = 0.05
    # Smooth along x only.
    noise = band_noise(cv2.filter2D(white(sigma, LARGE), -1, kernel[None, :]), everywhere(LARGE))
    assert noise is not None
    covariance = np.zeros((BLOCK, BLOCK))
    for lag, value in enumerate(np.correlate(kernel, kernel, "full")[2:]):
        covariance += value * (np.eye(BLOCK, k=lag) + (np.eye(BLOCK, k=-lag) if lag else 0.0))
    k, x = np.arange(BLOCK)[:, None], np.arange(BLOCK)
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * BLOCK))
    basis /= np.linalg.norm(basis, axis=1)[:, None]
    along_x = np.diag(basis @ covariance @ basis.T) * sigma**2
    assert along_x[0] > 30.0 * along_x[-1]
    assert_allclose(noise, np.broadcast_to(along_x, (BLOCK, BLOCK)), rtol=0.3)
    assert_allclose(noise.mean(axis=0), along_x, rtol=0.12)


def test_30_percent_of_something_else_hardly_moves_the_noise() -> None:
    half = white(0.03, LARGE)
    half[:, : int(0.3 * LARGE[0])] += 40.0 * white(0.1, LARGE, 9)[:, : int(0.3 * LARGE[0])]
    noise = band_noise(half, everywhere(LARGE))
    assert noise is not None
    # The median of all is then about the 0.7 quantile of the good ones: 1.54 times as large.
    assert 0.03 < np.sqrt(noise).mean() < 0.05


def test_only_blocks_that_lie_wholly_inside_are_looked_at() -> None:
    half, inside = white(0.03, LARGE), everywhere(LARGE)
    # One corner pixel of three quarters of all blocks.
    inside[7::16, 7::8] = False
    inside[15::16, 8::16] = False
    dirty = half.copy()
    for top, left in zip(*np.nonzero(~inside), strict=True):
        block = np.s_[top // 8 * 8 : top // 8 * 8 + 8, left // 8 * 8 : left // 8 * 8 + 8]
        dirty[block] = np.nan
    one, other = band_noise(half, inside), band_noise(dirty, inside)
    assert one is not None
    assert_array_equal(one, other)
    assert np.isfinite(one).all()


@pytest.mark.parametrize(("blocks", "enough"), [(FEWEST_BLOCKS - 1, False), (FEWEST_BLOCKS, True)])
def test_of_too_few_blocks_nothing_is_said(blocks: int, enough: bool) -> None:
    half = white(0.03, (BLOCK * 20, 15))
    inside = everywhere((BLOCK * 20, 15))
    inside[:, BLOCK * blocks :] = False
    assert (band_noise(half, inside) is not None) == enough
    assert (denoise(half, half, inside, Threads(1)) is not None) == enough


def test_an_image_without_noise_is_left_as_it_is() -> None:
    scene = truth()
    found = cleaned(scene, np.zeros_like(scene))
    assert_allclose(found.image, scene, atol=1e-6)
    # A little noise costs less than itself.
    assert rms(cleaned(*halves(1e-4)).image - scene) < 1e-4


@pytest.mark.parametrize(("sigma", "factor"), [(0.01, 2.2), (0.03, 3.0), (0.1, 4.0)])
def test_a_noisy_image_comes_closer_to_the_truth_by_a_factor(sigma: float, factor: float) -> None:
    mean, half = halves(sigma)
    found = cleaned(mean, half)
    before = rms(mean - truth())
    assert before == pytest.approx(sigma / np.sqrt(2.0), rel=0.03)
    assert rms(found.image - truth()) < before / factor


def test_a_grey_value_near_zero_is_not_taken_for_noise() -> None:
    level = np.float32(0.004)
    found = cleaned(level + white(0.02, seed=1), white(0.02, seed=2))
    assert float(found.image.mean()) > 0.5 * level


def test_the_borders_are_cleaned_as_the_middle_is() -> None:
    mean, half = halves(0.03)
    error = cleaned(mean, half).image - truth()
    edge = np.ones(error.shape, np.bool_)
    edge[4:-4, 4:-4] = False
    assert rms(error[edge]) < 2.0 * rms(error[~edge])
    assert abs(float(error.mean())) < 1e-3


def test_noise_of_one_band_is_taken_out_of_that_band_alone() -> None:
    scene, sigma = truth(LARGE), 0.06
    # Rapid along y, slow along x.
    streaks = cv2.blur(white(sigma, LARGE, 4), (9, 1))
    streaks -= cv2.blur(streaks, (1, 5))
    others = cv2.blur(white(sigma, LARGE, 5), (9, 1))
    others -= cv2.blur(others, (1, 5))
    right = cleaned(scene + streaks, others)
    assert rms(right.image - scene) < 0.3 * rms(streaks)
    # Told of noise that is rapid along x, it leaves most of the streaks.
    turned = np.ascontiguousarray(np.rot90(others)[: LARGE[1], :])
    turned = np.pad(turned, ((0, 0), (0, LARGE[0] - turned.shape[1])), mode="reflect")
    turned = cv2.copyMakeBorder(turned, 0, LARGE[1] - turned.shape[0], 0, 0, cv2.BORDER_REFLECT_101)
    wrong = cleaned(scene + streaks, turned)
    assert rms(wrong.image - scene) > 0.6 * rms(streaks)


def test_a_pilot_spares_the_first_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    mean, half = halves(0.03)
    passes: list[bool] = []
    shrunk = module._shrunk

    def counted(*arguments: object) -> object:
        passes.append(arguments[2] is not None)
        return shrunk(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_shrunk", counted)
    found = cleaned(mean, half)
    assert passes == [False, True]
    passes.clear()
    again = cleaned(mean, half, pilot=found.image)
    assert passes == [True]
    best = cleaned(mean, half, pilot=truth())
    # The better it is known what is signal, the better that is told from noise.
    assert rms(best.image - truth()) < 0.9 * rms(found.image - truth())
    assert rms(again.image - truth()) < 1.1 * rms(found.image - truth())


@pytest.mark.parametrize("pilot", [False, True])
@pytest.mark.parametrize("rows", [1, 11, 40])
def test_the_cut_into_chunks_changes_no_bit(
    pilot: bool, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean, half = halves(0.03, (90, 70))
    known = truth((90, 70)) if pilot else None
    whole = cleaned(mean, half, pilot=known)
    monkeypatch.setattr(module, "LARGE_STRIP_PIXELS", rows * 90)
    cut = cleaned(mean, half, pilot=known)
    assert_array_equal(cut.image, whole.image)
    assert_array_equal(cut.weighted, whole.weighted)


def test_the_number_of_threads_changes_no_bit() -> None:
    mean, half = halves(0.03)
    one, *others = (cleaned(mean, half, threads=count) for count in (1, 2, 3, 4))
    for other in others:
        assert_array_equal(one.image, other.image)
        assert_array_equal(one.weighted, other.weighted)


def kept(found: Denoised, pattern: np.ndarray) -> float:
    """How much of a pattern the trusted picture holds, over what the image holds."""
    interior = np.s_[16:-16, 16:-16]
    part = pattern[interior]
    return float(np.vdot(found.weighted[interior], part) / np.vdot(found.image[interior], part))


def test_bands_that_disagree_lose_weight() -> None:
    x, y = np.arange(SIZE[0]), np.arange(SIZE[1])[:, None]
    along_x = np.broadcast_to(0.2 * np.cos(np.pi * x * 0.45), (SIZE[1], SIZE[0]))
    along_y = np.broadcast_to(0.2 * np.cos(np.pi * y * 0.45), (SIZE[1], SIZE[0]))
    mean = (truth() + along_x + along_y).astype(np.float32)
    # They disagree along x alone, in the bands of the first pattern.
    disagreement = cv2.blur(white(0.05), (1, 9))
    disagreement -= cv2.blur(disagreement, (5, 1))
    found = cleaned(mean, white(1e-3, seed=3) + disagreement)
    assert kept(found, along_x) < 0.1
    assert kept(found, along_y) > 0.7


def even(sigma: float) -> np.ndarray:
    """A difference whose bands are all of exactly the same size."""
    down, across = (side // BLOCK for side in (SIZE[1], SIZE[0]))
    signs = np.random.default_rng(6).choice([-sigma, sigma], (down, across, BLOCK, BLOCK))
    blocks = module._BASIS.T @ signs @ module._BASIS
    tiled = blocks.swapaxes(1, 2).reshape(down * BLOCK, across * BLOCK)
    missing = SIZE[1] - down * BLOCK, SIZE[0] - across * BLOCK
    return np.pad(tiled, ((0, missing[0]), (0, missing[1]))).astype(np.float32)


def test_the_highest_frequencies_lose_weight_whatever_the_images_say() -> None:
    x = np.arange(SIZE[0])
    shares = []
    for frequency in (0.2, 0.6, 0.9):
        pattern = np.broadcast_to(0.2 * np.cos(np.pi * x * frequency), (SIZE[1], SIZE[0]))
        mean = (truth() + pattern).astype(np.float32)
        shares.append(kept(cleaned(mean, even(1e-3)), pattern))
    assert shares[0] > 0.95
    assert 0.3 < shares[1] < 0.7
    assert shares[2] < 0.3
