from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.geometry.coordinates import endpoint_error
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.starts.tiles import MOTIONS, SharedMotion, guesses
from tests.photographs import shifted

SIZE = (320, 240)


def field(*parts: tuple[int, tuple[float, float]], matched: bool = True) -> DisplacementField:
    """So many tiles of each part, left to right, all displaced alike but for a tenth of a pixel."""
    count = sum(many for many, _ in parts)
    rng = np.random.default_rng(0)
    order = np.arange(count)
    position = np.column_stack([10.0 + 300.0 * order / count, 10.0 + 220.0 * rng.random(count)])
    moved = np.concatenate([np.tile(by, (many, 1)) for many, by in parts]).astype(np.float64)
    return DisplacementField(
        position,
        moved + rng.normal(0.0, 0.1, (count, 2)),
        np.tile(0.01 * np.eye(2), (count, 1, 1)),
        np.full(count, 0.9),
        np.full(count, matched),
        16.0,
        0,
    )


def proposed(told: DisplacementField, model: str = "homography") -> list[SharedMotion]:
    return list(guesses(told, shifted(30.0, -20.0), MODELS[model], SIZE))


@pytest.mark.parametrize("model", ["translation", "rigid", "homography"])
def test_the_motions_that_tiles_share_are_proposed_that_of_the_most_first(model: str) -> None:
    found = proposed(field((40, (5.0, -3.0)), (25, (-4.0, 6.0)), (15, (1.0, 8.0))), model)
    assert len(found) == MOTIONS
    for (warp, part), (x, y) in zip(found, ((5.0, -3.0), (-4.0, 6.0)), strict=True):
        # Target -> source: first to where the tile is found, then by the answer.
        assert np.median(endpoint_error(warp, shifted(30.0 + x, -20.0 + y), SIZE)) < 0.5
        # Solved where its tiles lie: the first half from the left, or the next third.
        assert part.shape == SIZE[::-1]
        left, middle = part[:, :140].mean(), part[:, 180:230].mean()
        assert (left > 0.9 and middle < 0.1) if x > 0.0 else (left < 0.1 and middle > 0.9)


def test_a_motion_that_fewer_tiles_share_than_follow_the_answer_is_no_other_answer() -> None:
    far_share = (5.0, -3.0)
    assert proposed(field((25, far_share), (40, (0.0, 0.0)))) == []
    assert len(proposed(field((40, far_share), (25, (0.0, 0.0))))) == 1
    assert proposed(field((60, (0.05, 0.0)))) == []


def test_tiles_that_share_nothing_propose_nothing() -> None:
    rng = np.random.default_rng(1)
    told = field((60, (0.0, 0.0)))
    scattered = told.displacement + rng.uniform(-10.0, 10.0, told.displacement.shape)
    unshared = DisplacementField(**{**vars(told), "displacement": scattered})
    assert proposed(unshared) == []
    assert proposed(field((40, (5.0, -3.0)), matched=False)) == []


def test_what_the_tiles_say_is_in_pixels_of_the_target() -> None:
    told = field((40, (5.0, -3.0)))
    answer = np.array([[0.0, -2.0, 300.0], [2.0, 0.0, 10.0], [0.0, 0.0, 1.0]])
    (only,) = guesses(told, answer, MODELS["rigid"], SIZE)
    # First to where the tile is found, then by the answer.
    expected = answer @ shifted(5.0, -3.0)
    assert np.median(endpoint_error(only.warp, expected, SIZE)) < 0.5


def test_what_would_fold_the_target_is_not_proposed() -> None:
    told = field((40, (5.0, -3.0)))
    for x, count in ((0.0, 1), (-1.0 / 200.0, 0)):
        answer = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [x, 0.0, 1.0]])
        assert len(list(guesses(told, answer, MODELS["homography"], SIZE))) == count
