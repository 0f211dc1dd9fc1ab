from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.highpass import highpass
from align_cli.engine.images.luma import luma
from align_cli.engine.images.noise import noise_level
from align_cli.engine.images.periodicity import Period, autocorrelation, find_period
from align_cli.engine.images.pyramid import level_count, pyramid
from tests.scenes import pair, render, stripes, textured


def lattice(
    across: float, down: float, *, noise: float = 0.0, size: tuple[int, int] = (240, 180)
) -> np.ndarray:
    """Waves along x and y with two periods in pixels, grey values 0 to 1."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    waves = np.sin(2.0 * np.pi / across * x) + np.sin(2.0 * np.pi / down * y)
    return 0.5 + 0.2 * waves + np.random.default_rng(1).normal(0.0, noise, waves.shape)


def repeat_of(image: np.ndarray) -> Period | None:
    plane = luma(image)
    return find_period(pyramid(plane, level_count(plane.size)), noise_level(plane))


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
@pytest.mark.parametrize(("across", "down"), [(17.0, 29.0), (29.0, 17.0), (12.0, 12.0)])
def test_a_lattice_repeats_itself_with_its_period(across: float, down: float, noise: float) -> None:
    found = repeat_of(lattice(across, down, noise=noise).astype(np.float32))
    assert found is not None
    assert found.length_px == pytest.approx(min(across, down), abs=1.0)
    x, y = found.shift_px
    assert min(abs(x), abs(y)) <= 1.0
    assert found.likeness > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_a_picture_does_not(seed: int) -> None:
    assert repeat_of(render(textured(seed), (160, 120), noise=0.02, dtype="uint8")) is None


def test_stripes_repeat_themselves_along_themselves() -> None:
    assert repeat_of(stripes().astype(np.float32)) is not None


def test_one_mark_on_a_lattice_that_covers_much_tells_where_it_is() -> None:
    image = lattice(16.0, 16.0)
    mark = pair("rigid", seed=3, size=(120, 120), move_px=1.0).target
    image[30:150, 60:180] = mark
    assert repeat_of(image.astype(np.float32)) is None


def test_noise_alone_says_nothing() -> None:
    noise = np.random.default_rng(2).normal(0.5, 0.1, (120, 160)).astype(np.float32)
    assert repeat_of(noise) is None


def holes(size: tuple[int, int], seed: int) -> np.ndarray:
    """(height, width) bool, False in a disc and right of a line, about 40 % of the pixels."""
    x, y = np.meshgrid(np.arange(size[0]) / size[0], np.arange(size[1]) / size[1])
    x0, y0 = np.random.default_rng(seed).uniform(0.3, 0.5, 2)
    return np.asarray((np.hypot(x - x0, y - y0) > 0.25) & (x < 0.8))


@pytest.mark.parametrize("seed", range(4))
def test_a_lattice_with_holes_repeats_itself_and_a_picture_with_holes_does_not(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    mask = holes((240, 180), seed)
    image = lattice(17.0, 29.0, noise=0.02)
    image[~mask] = numbers.uniform(size=image.shape)[~mask]
    found = repeat_of(np.dstack([image, mask]).astype(np.float32))
    assert found is not None
    assert found.length_px == pytest.approx(17.0, abs=1.0)
    picture = render(textured(seed), (240, 180), noise=0.02)
    picture[~mask] = lattice(17.0, 29.0)[~mask]
    assert repeat_of(np.dstack([picture, mask]).astype(np.float32)) is None


def test_the_autocorrelation_of_an_image_with_holes_is_that_of_the_sums() -> None:
    image = np.random.default_rng(5).normal(size=(23, 31)).astype(np.float32)
    mask = holes((31, 23), 5)
    found = autocorrelation(image, 0.0, mask)
    assert found is not None
    (detail,) = highpass([image], mask)
    power = float((detail * detail)[mask].mean())
    for y, x in ((3, 4), (6, -5), (0, 9)):
        here = np.s_[: 23 - y, max(0, -x) : 31 - max(0, x)]
        there = np.s_[y:, max(0, x) : 31 + min(0, x)]
        both = mask[here] & mask[there]
        expected = float((detail[here] * detail[there])[both].mean()) / power
        assert found[y, 15 + x] == pytest.approx(expected, abs=1e-4)


def test_the_autocorrelation_is_that_of_the_sums() -> None:
    image = np.random.default_rng(3).normal(size=(24, 30)).astype(np.float32)
    found = autocorrelation(image, 0.0)
    assert found is not None
    assert found.shape == (13, 31)

    (detail,) = highpass([image], np.ones(image.shape, np.bool_))
    detail = detail.astype(np.float64)
    for y, x in ((0, 3), (5, 0), (7, -4), (12, 15), (12, -15)):
        below = detail[y:, max(x, 0) : 30 + min(x, 0)]
        above = detail[: 24 - y, max(-x, 0) : 30 + min(-x, 0)]
        expected = (below * above).mean() / (detail * detail).mean()
        assert found[y, x + 15] == pytest.approx(expected, abs=1e-5)


def test_noise_that_is_known_is_taken_off_the_signal() -> None:
    image = lattice(16.0, 16.0, noise=0.05).astype(np.float32)
    with_it, without = autocorrelation(image, 0.05), autocorrelation(image, 0.0)
    assert with_it is not None
    assert without is not None
    assert with_it.max() == pytest.approx(1.0, abs=0.05)
    assert without.max() < 0.9
    assert autocorrelation(image, 1.0) is None
