"""Views of a picture that are shortened along a direction, and what is matched in them."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import level_count, pyramid
from align_cli.engine.starts import features as features_module
from align_cli.engine.starts import tilted as module
from align_cli.engine.starts.feature_images import FeatureImage, reduced_image
from align_cli.engine.starts.features import Features
from align_cli.engine.starts.views import Views
from tests.engine.starts.test_feature_images import blob
from tests.photographs import cut, photograph

FULL = np.diag([2.0, 3.0, 1.0])


def pictured(image: np.ndarray, known: np.ndarray | None = None) -> FeatureImage:
    return FeatureImage(image, np.full_like(image, 255) if known is None else known, FULL)


@pytest.mark.parametrize("degrees", [0.0, 28.8, 90.0, 144.0])
def test_a_place_in_a_view_is_known_in_the_picture(degrees: float) -> None:
    at = 60.0, 90.0
    known = np.full((150, 200), 255, np.uint8)
    known[:, 120:] = 0
    seen = module._view(pictured(blob((200, 150), at, 6.0), known), 2.5, degrees)
    height, width = seen.image.shape
    assert width * height < 0.6 * 200 * 150 * 2.0
    bright = np.maximum(seen.image.astype(np.float64) - 128.0, 0.0)
    y, x = np.mgrid[:height, :width]
    centre = np.array([[(bright * x).sum(), (bright * y).sum()]]) / bright.sum()
    expected = map_points(FULL, np.array([at]))
    np.testing.assert_allclose(map_points(seen.to_full, centre), expected, atol=1.5)
    # What is not known is not known in a view of it.
    there = map_points(seen.to_full, np.column_stack([x.ravel(), y.ravel()]).astype(np.float64))
    there = (there / [2.0, 3.0]).reshape(height, width, 2)
    inside = ((there > 3.0) & (there < [116.0, 146.0])).all(axis=2)
    outside = ((there < -2.0) | (there > [123.0, 152.0])).any(axis=2)
    assert (seen.known[inside] == 255).all()
    assert not seen.known[outside].any()


def test_what_is_shortened_is_smoothed_before() -> None:
    fine = np.tile(np.array([0, 255, 255], np.uint8), (60, 60))
    # Along x nothing of them is left, along y all.
    across, along = (module._view(pictured(each), 2.5, 0.0).image for each in (fine, fine.T.copy()))
    assert across[:, 5:-5].std() < 0.1 * fine.std()
    assert along[5:-5].std() > 0.8 * fine.std()


def test_each_feature_counts_once_in_the_view_that_looks_most_like_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 12
    descriptors = np.zeros((count, 128), np.float32)
    descriptors[np.arange(count), np.arange(count)] = 100.0
    places = np.column_stack([np.arange(count), np.zeros(count)]).astype(np.float64)
    tested: list[int] = []

    def features(_: FeatureImage, most: int) -> Features:
        number = len(tested)
        tested.append(most)
        if not number:
            return Features(places, descriptors)
        # The third view looks most like it.
        off = descriptors.copy()
        off[:, 100] = 1.0 + abs(number - 3)
        return Features(places + np.array([0.0, number]), off)

    monkeypatch.setattr(module, "features", features)
    blank = pictured(np.zeros((40, 50), np.uint8))
    own, of_view = module._matches(blank, blank)
    # Directions 28.8 degrees apart, all of half a turn.
    assert len(tested) == 1 + 7
    np.testing.assert_array_equal(own, places)
    np.testing.assert_array_equal(of_view, places + np.array([0.0, 3.0]))


@pytest.mark.parametrize("start", [features_module, module])
def test_points_are_as_exact_as_the_pixels_on_which_the_sources_are_looked_for(
    start: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[float] = []

    def motions(*arguments: object) -> list[object]:
        tested.append(arguments[-1])  # type: ignore[arg-type]
        return []

    monkeypatch.setattr(start, "motions", motions)
    image = photograph("poster")
    small, large = cut(image, (90, 70), 0, 0), np.tile(image, (2, 2))
    levels = [pyramid(each, level_count(each.size)) for each in map(luma, (large, small))]
    views = Views(levels[0], levels[1], MODELS["homography"])
    assert list(start.guesses(views)) == []  # type: ignore[attr-defined]
    reduced = reduced_image(levels[0], start.PIXELS).to_full[0, 0]  # type: ignore[attr-defined]
    assert reduced > 2.0
    assert tested == [pytest.approx(reduced)]
