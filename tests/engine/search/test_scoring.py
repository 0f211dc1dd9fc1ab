from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.search.scoring import (
    LEAST_CONTRAST,
    NO_SCORE,
    TILE,
    ZNCC_FULL_VOTE,
    ZNCC_NO_VOTE,
    OverlapPlanes,
    score,
    tile_zncc,
)

ROWS, COLUMNS = 4, 5
SHAPE = (ROWS * TILE, COLUMNS * TILE)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 1.0, SHAPE).astype(np.float32)


def shown(source: list[np.ndarray], target: list[np.ndarray], inside: np.ndarray | None = None):
    return OverlapPlanes(source, target, np.ones(SHAPE, np.bool_) if inside is None else inside)


def mixed(share: float) -> OverlapPlanes:
    """Two images of one contrast whose tiles all correlate by a share, exactly."""
    one, other = noise(1), noise(2)
    for top in range(0, SHAPE[0], TILE):
        for left in range(0, SHAPE[1], TILE):
            tile = np.s_[top : top + TILE, left : left + TILE]
            a, b = one[tile].ravel(), other[tile].ravel()
            a /= np.linalg.norm(a)
            b -= (a @ b) * a
            b /= np.linalg.norm(b)
            one[tile] = a.reshape(TILE, TILE)
            other[tile] = (share * a + np.sqrt(1.0 - share**2) * b).reshape(TILE, TILE)
    return shown([one], [other])


@pytest.mark.parametrize("sides", [SHAPE, (50, 64)])
def test_the_correlation_of_a_tile_is_that_of_all_its_planes(sides: tuple[int, int]) -> None:
    height, width = sides
    rng = np.random.default_rng(0)
    planes = [rng.normal(0.0, 1.0, sides).astype(np.float32) for _ in range(4)]
    inside = rng.random(sides) < 0.9
    source, target = ([np.where(inside, each, 0) for each in planes[i : i + 2]] for i in (0, 2))
    found = tile_zncc(OverlapPlanes(source, target, inside))
    # The last tile of a row takes what is left.
    tops, lefts = (range(0, side - TILE // 2, TILE) for side in (height, width))
    number = 0
    for top in tops:
        for left in lefts:
            bottom = height if top == tops[-1] else top + TILE
            right = width if left == lefts[-1] else left + TILE
            s, t = (
                np.concatenate([plane[top:bottom, left:right].ravel() for plane in both])
                for both in (source, target)
            )
            contrast = np.sqrt((s @ s) * (t @ t))
            assert found.zncc[number] == pytest.approx(s @ t / contrast, abs=1e-5)
            assert found.contrast[number] == pytest.approx(contrast, rel=1e-5)
            known = inside[top:bottom, left:right].sum() / TILE**2
            assert found.known[number] == pytest.approx(known, abs=1e-6)
            number += 1
    assert number == len(found.zncc)


@pytest.mark.parametrize("zncc", [-0.5, ZNCC_NO_VOTE - 0.02, 0.55, 0.7, ZNCC_FULL_VOTE + 0.02, 1.0])
def test_a_tile_votes_by_how_well_it_agrees(zncc: float) -> None:
    vote = min(max((zncc - ZNCC_NO_VOTE) / (ZNCC_FULL_VOTE - ZNCC_NO_VOTE), 0.0), 1.0)
    found = score(mixed(zncc))
    assert found.agreeing_tiles == pytest.approx(vote * ROWS * COLUMNS, abs=1e-3)
    assert found.share == pytest.approx(vote, abs=1e-4)


def test_what_covers_a_part_costs_its_own_tiles_and_no_others() -> None:
    one, covered = noise(1), noise(1)
    covered[:, : 2 * TILE] = noise(2)[:, : 2 * TILE]
    found = score(shown([covered], [one]))
    assert found.agreeing_tiles == pytest.approx((COLUMNS - 2) * ROWS, abs=1.0)
    assert found.share == pytest.approx((COLUMNS - 2) / COLUMNS, abs=0.05)


def test_a_tile_counts_by_the_pixels_that_both_know() -> None:
    inside = np.zeros(SHAPE, np.bool_)
    inside[: TILE + TILE // 2] = True
    one = np.where(inside, noise(1), np.float32(0.0))
    found = score(shown([one], [one], inside))
    assert found.agreeing_tiles == pytest.approx(1.5 * COLUMNS, rel=1e-5)
    assert found.share == pytest.approx(1.0)


def test_tiles_of_no_more_contrast_than_noise_have_no_say() -> None:
    one, other = noise(1), noise(2)
    one[:, TILE:] = other[:, TILE:]
    one[:, :TILE] *= 0.1
    other[:, :TILE] *= 0.1
    # The mean square of the first tiles is 0.01, of the others 1.
    assert score(shown([one], [other])).share == pytest.approx((COLUMNS - 1) / COLUMNS, abs=0.02)
    assert score(shown([one], [other]), 0.02).share == pytest.approx(1.0, abs=1e-5)
    assert score(shown([one], [other]), 2.0) == NO_SCORE


def test_rounding_has_no_say() -> None:
    one, other = noise(1), noise(2)
    one[:, TILE:] = other[:, TILE:]
    for plane in (one, other):
        plane[:, :TILE] *= np.float32(np.sqrt(0.3 * LEAST_CONTRAST))
    assert score(shown([one], [other])).share == pytest.approx(1.0, abs=1e-5)


def test_without_overlap_nothing_agrees() -> None:
    nowhere = np.zeros(SHAPE, np.bool_)
    blank = np.zeros(SHAPE, np.float32)
    assert score(shown([blank], [blank], nowhere)) == NO_SCORE
