from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align_cli.engine.displacements import second_motion as second_motion_module
from align_cli.engine.displacements.fit import Matches, model_basis
from align_cli.engine.displacements.records import SecondMotion
from align_cli.engine.displacements.second_motion import (
    region_in_words,
    second_motion_record,
    two_motions,
)
from align_cli.engine.geometry.models import MODELS
from tests.engine.displacements.fields import (
    SIZE,
    Field,
    Floats,
    lens,
    matches,
    spread,
    still,
)


def second_motion(tiles: Matches, size: tuple[int, int]) -> SecondMotion | None:
    pair = two_motions(tiles, size)
    return None if pair is None else second_motion_record(tiles, size, pair)


def band(share: float, shift: tuple[float, float], rest: Field = still) -> Field:
    """The lowest ``share`` of the picture is displaced besides what the rest is."""

    def field(position: Floats) -> Floats:
        local_field = position[:, 1:] > (1.0 - share) * SIZE[1]
        return rest(position) + np.where(local_field, shift, (0.0, 0.0))

    return field


@pytest.mark.parametrize("share", [0.2, 0.45])
@pytest.mark.parametrize("shift", [(4.0, -3.0), (-9.0, 1.0)])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_two_planes_are_told_by_shift_share_and_place(
    share: float, shift: tuple[float, float], wrong: float
) -> None:
    second = second_motion(matches(band(share, shift), 150, wrong=wrong), SIZE)
    assert second is not None
    assert second.shift_px == pytest.approx(shift, abs=0.5)
    assert second.length_px == pytest.approx(np.hypot(*shift), abs=0.5)
    assert second.share == pytest.approx(share, abs=0.1)
    assert second.where == "at the bottom"
    assert second.centre_px[1] == pytest.approx((1.0 - share / 2.0) * SIZE[1], abs=15.0)


@pytest.mark.parametrize("seed", range(3))
def test_two_planes_are_told_where_the_answer_lies_between_them(seed: int) -> None:
    shift = (0.0, 5.0)
    planes = band(0.4, shift)

    def field(position: Floats) -> Floats:
        # What the homography that fits both planes best leaves: less than 3 px on either.
        basis = model_basis(MODELS["homography"])
        dense = spread(2000, np.random.default_rng(9))
        between = np.linalg.lstsq(
            basis.design(dense, SIZE).reshape(-1, 8), planes(dense).ravel(), rcond=None
        )[0]
        return planes(position) - basis.evaluate(between, position, SIZE)

    tiles = matches(field, 150, seed=seed, sigma=0.05)
    second = second_motion(tiles, SIZE)
    assert second is not None
    assert second.length_px == pytest.approx(5.0, abs=0.5)
    assert abs(second.shift_px[1]) == pytest.approx(5.0, abs=0.5)
    assert min(abs(second.share - 0.4), abs(second.share - 0.6)) < 0.1


def test_the_answer_moves_with_the_plane_that_it_fits() -> None:
    # The answer lies on the smaller plane: the larger one is the second motion.
    tiles = matches(band(0.3, (5.0, 0.0), rest=lambda position: still(position) - (5.0, 0.0)), 150)
    second = second_motion(tiles, SIZE)
    assert second is not None
    assert second.shift_px == pytest.approx((-5.0, 0.0), abs=0.3)
    assert second.share == pytest.approx(0.7, abs=0.1)


def test_large_tiles_count_by_their_area() -> None:
    tiles = matches(band(0.5, (5.0, 0.0)), 150)
    local_field = tiles.position[:, 1] > 0.5 * SIZE[1]
    second = second_motion(replace(tiles, side=np.where(local_field, 32.0, 16.0)), SIZE)
    assert second is not None
    expected = 4.0 * local_field.sum() / (4.0 * local_field.sum() + (~local_field).sum())
    assert second.share == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("k1", [-0.1, -0.03, 0.03, 0.1])
@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_a_lens_is_no_second_motion(k1: float, wrong: float) -> None:
    seconds = [
        second_motion(matches(lens(k1), 150, seed=seed, wrong=wrong), SIZE) for seed in range(5)
    ]
    assert seconds == [None] * 5


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_nothing_is_told_where_nothing_moves_by_itself(wrong: float) -> None:
    seconds = [
        second_motion(matches(still, 150, seed=seed, wrong=wrong, scatter=0.2), SIZE)
        for seed in range(40)
    ]
    assert sum(each is not None for each in seconds) <= 1


def test_a_second_motion_is_found_behind_a_lens() -> None:
    shift = (6.0, 4.0)

    def field(position: Floats) -> Floats:
        local_field = np.hypot(*(position - (90.0, 80.0)).T) < 50.0
        return lens(0.1)(position) + np.where(local_field[:, None], shift, (0.0, 0.0))

    second = second_motion(matches(field, 300), SIZE)
    assert second is not None
    assert second.length_px == pytest.approx(np.hypot(*shift), rel=0.25)
    assert second.where == "in the upper left"


def test_neighbours_are_the_nearest_others_that_are_asked() -> None:
    position = np.stack([np.arange(12.0), np.zeros(12)], axis=1)
    tested = np.arange(12) != 1
    nearest = second_motion_module._neighbours(position, tested)
    assert nearest.shape == (12, second_motion_module.NEIGHBOURS)
    assert set(nearest[0]) == {2, 3, 4, 5, 6}
    assert set(nearest[6]) == {5, 7, 4, 8, 3}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_few_tiles_have_no_second_motion(count: int) -> None:
    assert second_motion(matches(still, count), SIZE) is None


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (0.5, 0.1, "at the top"),
        (0.5, 0.9, "at the bottom"),
        (0.1, 0.5, "on the left"),
        (0.9, 0.5, "on the right"),
        (0.1, 0.1, "in the upper left"),
        (0.9, 0.1, "in the upper right"),
        (0.1, 0.9, "in the lower left"),
        (0.9, 0.9, "in the lower right"),
        (0.5, 0.5, "in the middle"),
    ],
)
def test_a_place_in_words(x: float, y: float, words: str) -> None:
    around = np.array([x, y]) * SIZE + np.array([[-5.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    assert region_in_words(around, SIZE) == words


def test_what_surrounds_the_middle_is_not_in_it() -> None:
    everywhere = spread(400, np.random.default_rng(0))
    from_centre = np.abs(everywhere / SIZE - 0.5).max(axis=1)
    assert region_in_words(everywhere[from_centre > 0.4], SIZE) == "around the middle"
