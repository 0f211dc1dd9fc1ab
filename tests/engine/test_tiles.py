from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli.engine.pyramid import Level
from align_cli.engine.tiles import LEAST_CONTRAST, MOST_TILES, RIM, TILE, tile_votes

SIDE = 160


def picture(seed: int, *, side: int = SIDE + 40) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5) * 100.0, np.float32)


def level(image: np.ndarray, valid: np.ndarray | None = None) -> Level:
    return Level(np.ascontiguousarray(image, np.float32), valid)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def test_in_the_right_place_all_are_at_home() -> None:
    whole = picture(1)
    source, target = level(whole), level(whole[7 : 7 + SIDE, 5 : 5 + SIDE])
    votes = tile_votes(source, target, shift(5.0, 7.0), 0.0)
    assert votes.votes > 60
    assert votes.at_home == 1.0
    assert votes.elsewhere == 0.0


@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, -3), (-4, 4)])
def test_a_few_pixels_away_they_say_so(x: int, y: int) -> None:
    whole = picture(1)
    source, target = level(whole), level(whole[7 : 7 + SIDE, 5 : 5 + SIDE])
    votes = tile_votes(source, target, shift(5.0 + x, 7.0 + y), 0.0)
    assert votes.at_home == 0.0
    assert votes.elsewhere > 0.9


def test_within_a_pixel_is_home() -> None:
    whole = picture(1)
    source, target = level(whole), level(whole[7 : 7 + SIDE, 5 : 5 + SIDE])
    assert tile_votes(source, target, shift(6.0, 6.0), 0.0).at_home == 1.0


def test_the_light_does_not_matter() -> None:
    whole = picture(1)
    target = level(whole[7 : 7 + SIDE, 5 : 5 + SIDE])
    assert tile_votes(level(3.0 * whole + 50.0), target, shift(5.0, 7.0), 0.0).at_home == 1.0
    assert tile_votes(level(-whole), target, shift(5.0, 7.0), 0.0).at_home == 0.0


def test_of_another_picture_they_fit_nowhere() -> None:
    votes = tile_votes(level(picture(2)), level(picture(1)[:SIDE, :SIDE]), shift(5.0, 7.0), 0.0)
    assert votes.votes > 60
    assert votes.at_home < 0.1
    assert votes.elsewhere < 0.1


def test_what_covers_a_part_silences_the_tiles_under_it_alone() -> None:
    whole = picture(1)
    covered = whole.copy()
    covered[: 7 + SIDE // 2] = picture(2)[: 7 + SIDE // 2]
    target = level(whole[7 : 7 + SIDE, 5 : 5 + SIDE])
    votes = tile_votes(level(covered), target, shift(5.0, 7.0), 0.0)
    assert 0.4 < votes.at_home < 0.6
    assert votes.elsewhere < 0.1


def test_a_slope_does_not_vote() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    votes = tile_votes(level(x + 2.0 * y), level(x + 2.0 * y), np.eye(3), 0.0)
    assert votes.votes == 0


def test_what_does_not_stand_out_of_the_noise_does_not_vote() -> None:
    target = level(picture(1)[:SIDE, :SIDE])
    spread = float(target.image.std())
    assert tile_votes(target, target, np.eye(3), 2.0 * spread / LEAST_CONTRAST).votes == 0
    assert tile_votes(target, target, np.eye(3), 0.5 * spread / LEAST_CONTRAST).votes > 0


def test_what_is_not_in_both_images_does_not_vote() -> None:
    target = level(picture(1)[:SIDE, :SIDE])
    every = tile_votes(target, target, np.eye(3), 0.0).votes
    assert 0 < tile_votes(target, target, shift(SIDE / 2.0, 0.0), 0.0).votes < 0.55 * every
    hidden = np.ones((SIDE, SIDE), np.bool_)
    hidden[RIM + TILE // 2, RIM + TILE // 2] = False
    holed = level(target.image, hidden)
    assert tile_votes(target, holed, np.eye(3), 0.0).votes == every - 1
    assert tile_votes(target, target, shift(10.0 * SIDE, 0.0), 0.0).votes == 0


def test_of_many_tiles_some_are_asked() -> None:
    whole = level(picture(1, side=400))
    votes = tile_votes(whole, whole, np.eye(3), 0.0)
    assert votes.votes == MOST_TILES
    assert votes.at_home == 1.0
