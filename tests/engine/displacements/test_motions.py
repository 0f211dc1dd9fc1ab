from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from align_cli.engine.displacements.fit import Matches
from align_cli.engine.displacements.motions import log10_tail_bound, motions
from tests.engine.displacements.fields import REACH, SIZE, Floats, matches, still


@pytest.mark.parametrize("n", [5, 40, 200])
@pytest.mark.parametrize("p", [0.002, 0.05, 0.4])
def test_the_bound_lies_above_the_binomial_tail_but_not_far(n: int, p: float) -> None:
    for k in range(1, n + 1):
        exact = stats.binom.logsf(k - 1, n, p) / np.log(10.0)
        bound = log10_tail_bound(k, n, p)
        assert exact - 1e-9 <= bound <= 0.0
        if k > n * p and np.isfinite(exact):
            assert bound - exact < 2.0


def test_wrong_matches_share_no_motion() -> None:
    found = [len(motions(matches(still, 80, seed=seed, wrong=1.0), SIZE)) for seed in range(60)]
    assert sum(count > 0 for count in found) <= 1


def test_tiles_that_follow_badly_are_no_motion_of_their_own() -> None:
    # The tails of the errors are heavier than the covariances tell: three times too small a tenth.
    found = []
    for seed in range(40):
        tiles = matches(still, 150, seed=seed)
        rng = np.random.default_rng(seed)
        tiles.displacement[:15] += rng.normal(0.0, 0.6, (15, 2))
        found.append(len(motions(tiles, SIZE)))
    assert found.count(1) >= 38


def planes(position: Floats, shift: tuple[float, float]) -> Floats:
    return np.where(position[:, :1] < 100.0, shift, (0.0, 0.0))


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_every_tile_of_two_planes_is_put_to_its_plane(wrong: float) -> None:
    tiles = matches(lambda position: planes(position, (4.0, 3.0)), 150, wrong=wrong)
    far, local_field = motions(tiles, SIZE)
    right = np.arange(150) >= wrong * 150
    expected = tiles.position[:, 0] < 100.0
    assert np.mean(local_field.tiles[right & expected]) > 0.95
    assert np.mean(far.tiles[right & ~expected]) > 0.95
    assert not (local_field.tiles & far.tiles).any()
    assert not local_field.tiles[right & ~expected].any()
    middle = np.array([[50.0, 120.0]])
    assert local_field.displacement(middle, SIZE)[0] == pytest.approx([4.0, 3.0], abs=0.1)
    assert local_field.log10_false_alarms < -10.0


def test_a_tile_belongs_to_one_group() -> None:
    # Motions so near that tiles of either are compatible with both.
    tiles = matches(lambda position: planes(position, (3.0, 0.0)), 150, sigma=0.5)
    groups = motions(tiles, SIZE)
    assert len(groups) > 1
    assert np.sum([group.tiles for group in groups], axis=0).max() == 1


def test_a_motion_has_linear_terms_only_where_they_are_there() -> None:
    def turned(position: Floats) -> Floats:
        return 0.01 * (position - 120.0)[:, ::-1] * (-1.0, 1.0) + (3.0, 0.0)

    assert motions(matches(turned), SIZE)[0].basis.size == 6
    assert motions(matches(still), SIZE)[0].basis.size == 2


def test_larger_windows_make_agreement_less_likely_by_accident() -> None:
    tiles = matches(still, 10)
    wide = Matches(
        tiles.position, tiles.displacement, tiles.covariance, tiles.side, 2.0 * tiles.reach
    )
    local_field, far = (motions(each, SIZE)[0].log10_false_alarms for each in (tiles, wide))
    # Nine others, each a quarter as likely.
    assert far - local_field == pytest.approx(-9.0 * np.log10(4.0), abs=0.5)
    assert tiles.reach[0] == REACH


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_tiles_are_no_motion(count: int) -> None:
    assert motions(matches(still, count), SIZE) == []
