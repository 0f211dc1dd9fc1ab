from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import corners, map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.search.gradient import Gradient
from align_cli.engine.search.similarity import Task
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.starts.poses import (
    MOST_GUESSES,
    _about_centre,
    _significance,
    _spectra,
    guesses,
)
from align_cli.engine.starts.views import Views
from align_cli.engine.target.target import Target
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


@pytest.mark.parametrize("scale", [0.63, 1.0, 1.6])
@pytest.mark.parametrize("degrees", [0.0, 33.0, 90.0, 200.0])
def test_a_canvas_holds_the_turned_image_and_no_more(degrees: float, scale: float) -> None:
    warp, (width, height) = _about_centre(np.radians(degrees), scale, (80, 120))
    there = map_points(np.linalg.inv(warp), corners((120, 80)))
    low, high = there.min(axis=0), there.max(axis=0)
    margin = 1.0 / scale  # the image's pixels are squares, not points
    assert (low >= -0.5 - margin).all()
    assert (high <= np.array([width, height]) - 0.5 + margin).all()
    assert (high - low >= np.array([width, height]) - 2.0 - 2.0 * margin).all()


def test_what_counts_of_a_shift_is_its_correlation_times_the_root_of_what_overlaps() -> None:
    rng = np.random.default_rng(0)
    source, target = (
        (rng.normal(size=(9, 11)) + 1j * rng.normal(size=(9, 11))).astype(np.complex64)
        for _ in range(2)
    )
    of_source, of_target = (rng.random((9, 11)) < 0.8 for _ in range(2))
    spectra = (_spectra(*each, (24, 30)) for each in ((source, of_source), (target, of_target)))
    least = 10
    found = _significance(*spectra, least)
    for dx, dy in ((0, 0), (2, 1), (-3, 4), (5, -2), (8, 7)):
        s, t = (np.zeros((40, 40), np.complex64) for _ in range(2))
        # source(x + d) beside target(x).
        s[15 - dy : 24 - dy, 15 - dx : 26 - dx] = np.where(of_source, source, 0.0)
        t[15:24, 15:26] = np.where(of_target, target, 0.0)
        both = (s != 0.0) & (t != 0.0)
        s, t = s[both], t[both]
        rho = (s @ t.conj()).real / np.sqrt((abs(s) ** 2).sum() * (abs(t) ** 2).sum())
        expected = np.arctanh(rho) * np.sqrt(both.sum()) if both.sum() >= least else 0.0
        assert found[dy, dx] == pytest.approx(expected, abs=1e-3)
