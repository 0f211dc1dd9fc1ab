from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.details import DETAIL_SIGMA, DETAIL_TILE, TileZncc, details, tile_zncc
from align_cli.engine.pyramid import REACH, Level
from align_cli.engine.sampling import overlap_mask, sample
from tests.scenes import motion, render, textured

SIZE = (64, 50)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def level(seed: int, valid: np.ndarray | None = None) -> Level:
    return Level(render(textured(seed), SIZE, noise=0.05, seed=seed), valid)


def hole(left: int, top: int) -> np.ndarray:
    valid = np.ones((SIZE[1], SIZE[0]), np.bool_)
    valid[top : top + 9, left : left + 12] = False
    return valid


def tiles_of(source: Level, target: Level, warp: np.ndarray | None = None) -> TileZncc:
    return tile_zncc(details(source, target, np.eye(3) if warp is None else warp))


def agreement(source: Level, target: Level) -> float:
    """ZNCC of all details together."""
    zncc, contrast, _ = tiles_of(source, target)
    return float(zncc @ contrast / contrast.sum())


def test_details_of_an_image_agree_with_themselves_in_any_light() -> None:
    one = level(1)
    brighter = Level(0.3 * one.image + np.float32(0.4), None)
    negative = Level(1.0 - one.image, None)
    assert agreement(one, one) == pytest.approx(1.0, abs=1e-6)
    assert agreement(brighter, one) == pytest.approx(1.0, abs=1e-4)
    assert agreement(negative, one) == pytest.approx(-1.0, abs=1e-4)


def test_a_common_slope_is_no_detail() -> None:
    numbers = np.random.default_rng(0)
    slope = np.linspace(0.0, 1.0, SIZE[0]) + np.zeros((SIZE[1], 1))
    one, other = (slope + numbers.normal(0.0, 0.02, slope.shape) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    levels = [Level(plane.astype(np.float32), None) for plane in (one, other)]
    assert abs(agreement(*levels)) < 0.25


@pytest.mark.parametrize("holes", [False, True])
def test_details_are_what_differs_from_the_mean_around(holes: bool) -> None:
    source = level(1, hole(10, 8) if holes else None)
    target = level(2, hole(40, 30) if holes else None)
    warp = motion("affine", SIZE, 4.0, 2)
    inside = overlap_mask(warp, SIZE, SIZE, margin=REACH)
    if holes:
        assert source.valid is not None
        assert target.valid is not None
        inside &= sample(source.valid.astype(np.float32), warp, SIZE) > 0.999
        inside &= target.valid
    warped = sample(source.image, warp, SIZE)
    # The Gaussian mean over the pixels inside, pixel by pixel.
    rows, columns = np.nonzero(inside)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    weight = np.exp(-0.5 * distance / DETAIL_SIGMA**2)
    weight /= weight.sum(axis=1, keepdims=True)
    expected_details = np.zeros((2, *inside.shape))
    for plane, image in zip(expected_details, (warped, target.image), strict=True):
        plane[inside] = image[inside] - weight @ image[inside]
    # The last tile of a row takes what is left.
    height, width = inside.shape
    tops, lefts = (range(0, side - DETAIL_TILE // 2, DETAIL_TILE) for side in (height, width))
    expected: list[tuple[float, float, float]] = []
    for top in tops:
        for left in lefts:
            bottom = height if top == tops[-1] else top + DETAIL_TILE
            right = width if left == lefts[-1] else left + DETAIL_TILE
            s, t = (plane[top:bottom, left:right].ravel() for plane in expected_details)
            contrast = np.sqrt((s @ s) * (t @ t))
            known = inside[top:bottom, left:right].sum() / DETAIL_TILE**2
            expected.append((s @ t / contrast, contrast, known))
    found = tiles_of(source, target, warp)
    zncc, contrast, known = np.array(expected).T
    np.testing.assert_allclose(found.zncc, zncc, atol=0.02)
    np.testing.assert_allclose(found.contrast, contrast, rtol=0.02)
    np.testing.assert_allclose(found.known, known, atol=1e-6)


def test_what_covers_a_part_changes_its_own_tiles_and_no_others() -> None:
    one, other = level(1), level(2)
    covered = one.image.copy()
    covered[:, : 2 * DETAIL_TILE] = other.image[:, : 2 * DETAIL_TILE]
    columns = SIZE[0] // DETAIL_TILE
    zncc = tiles_of(Level(covered, None), one).zncc.reshape(-1, columns)
    assert np.abs(zncc[:, :1]).max() < 0.7
    # Beyond the reach of the neighbourhood's mean.
    np.testing.assert_allclose(zncc[:, 3:], 1.0, atol=1e-4)


def test_what_lies_under_invalid_pixels_is_no_detail() -> None:
    source, target = level(1, hole(10, 8)), level(1, hole(40, 30))
    dirty = [Level(np.where(each.valid, each.image, 1e3).astype(np.float32), each.valid)
             for each in (source, target)]  # fmt: skip
    for found, expected in zip(
        tiles_of(*dirty, shift(0.5, 0.5)), tiles_of(source, target, shift(0.5, 0.5)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_without_overlap_there_are_no_tiles() -> None:
    assert tiles_of(level(1), level(2), shift(500.0, 0.0)).zncc.size == 0
