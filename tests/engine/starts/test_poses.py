from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from align_cli.engine.coordinates import corners, map_points
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.options import Options
from align_cli.engine.pair import Pair
from align_cli.engine.robust import LOSSES
from align_cli.engine.search.gradient import Gradient
from align_cli.engine.search.similarity import Task
from align_cli.engine.starts.poses import MOST_GUESSES, guesses
from align_cli.engine.starts.views import Views
from align_cli.engine.target import Target
from align_cli.engine.threads import Threads
from align_cli.engine.unlike_views import View
from tests.engine.search.similarities import gradient, intensity
from tests.photographs import cut, photograph

SIZE = (300, 240)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as pool:
        yield pool


def turned(
    angle: float, scale: float, by: tuple[float, float] = (8.0, -5.0)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A turned and scaled negative, the target, and the warp target -> source."""
    image = cut(photograph("poster"), SIZE, 40, 30)
    matrix = cv2.getRotationMatrix2D((149.5, 119.5), angle, scale)
    matrix[:, 2] += by
    source = cv2.warpAffine(255 - image, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    return source, image, np.vstack([matrix, [0.0, 0.0, 1.0]])


def proposed(seen: Gradient, model: str) -> list[np.ndarray]:
    pair = seen.task.pair
    return list(guesses(Views(pair.levels, pair.target.levels, MODELS[model], seen.orientations)))


def nearest_px(found: list[np.ndarray], warp: np.ndarray) -> float:
    there = map_points(warp, corners(SIZE))
    errors = (map_points(each, corners(SIZE)) - there for each in found)
    return min(float(np.hypot(*each.T).mean()) for each in errors)


@pytest.mark.parametrize(
    ("angle", "scale"),
    [(0.0, 1.0), (57.0, 1.0), (123.0, 0.8), (180.0, 1.25), (261.0, 0.63), (-33.0, 1.6)],
)
def test_a_turned_and_scaled_negative_is_among_the_poses(
    angle: float, scale: float, threads: Threads
) -> None:
    source, target, warp = turned(angle, scale)
    found = proposed(gradient(source, target, threads), "homography")
    assert 0 < len(found) <= MOST_GUESSES
    # Half a step of the angle, and of the scale, and a pixel of the level.
    assert nearest_px(found, warp) < 16.0 * max(scale, 1.0)


def test_poses_are_members_of_the_model(threads: Threads) -> None:
    source, target, _ = turned(57.0, 0.8)
    seen = gradient(source, target, threads)
    for warp in proposed(seen, "translation"):
        np.testing.assert_allclose(warp[:2, :2], np.eye(2), atol=1e-9)
    for warp in proposed(seen, "rigid"):
        assert np.linalg.det(warp[:2, :2]) == pytest.approx(1.0, abs=1e-6)
    shifted = gradient(*turned(0.0, 1.0, (40.0, 24.0))[:2], threads)
    truth = turned(0.0, 1.0, (40.0, 24.0))[2]
    assert nearest_px(proposed(shifted, "translation"), truth) < 4.0


def test_what_takes_no_part_has_no_say(threads: Threads) -> None:
    source, target, warp = turned(57.0, 1.0)
    dirty = source.copy()
    dirty[:, :90] = np.arange(90) % 6 * 40
    known = np.ones(source.shape, np.bool_)
    known[:, :90] = False
    pair = Pair(luma(dirty, mask=known), Target(luma(target), Options()))
    task = Task(pair, MODELS["rigid"], LOSSES["tukey"], Options(), threads)
    seen = Gradient(task, View(pair.target.image, pair.target.levels))
    assert nearest_px(proposed(seen, "rigid"), warp) < 16.0


def test_where_grey_values_are_compared_none_are_proposed(threads: Threads) -> None:
    source, target, _ = turned(57.0, 1.0)
    seen = intensity(source, target, threads)
    pair = seen.task.pair
    assert not list(guesses(Views(pair.levels, pair.target.levels, MODELS["rigid"])))
