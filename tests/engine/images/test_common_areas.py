"""Areas are common where their outline stands still, and their edges end where the image does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.images.common_areas import _outline_motion, area_edges, common_areas

Y, X = np.mgrid[:160, :200].astype(np.float64)


def field_of_view(
    x: float = 0.0, y: float = 0.0, tremble: float = 0.0, seed: int = 0
) -> np.ndarray:
    radius = np.hypot(X - 99.5 - x, Y - 79.5 - y)
    return radius + np.random.default_rng(seed).normal(0.0, tremble, X.shape) > 70.0


@pytest.mark.parametrize("tremble", [0.0, 0.5, 1.0])
def test_an_outline_that_trembles_stands_still(tremble: float) -> None:
    source, target = (field_of_view(tremble=tremble, seed=seed) for seed in (1, 2))
    found = common_areas(source, target)
    assert found is not None
    assert not (found & ~(source & target)).any()
    assert (found & source & target).sum() > 0.98 * (source & target).sum()


@pytest.mark.parametrize("motion", [(0.5, 0.0), (0.0, 0.5), (-0.4, 0.4), (1.0, 0.0), (2.0, 2.0)])
@pytest.mark.parametrize("tremble", [0.0, 0.5])
def test_an_outline_that_moves_is_the_scenes(motion: tuple[float, float], tremble: float) -> None:
    source, target = field_of_view(tremble=tremble), field_of_view(*motion, tremble, seed=2)
    assert common_areas(source, target) is None


def test_a_straight_outline_tells_across_itself_only() -> None:
    bars = (Y < 30) | (Y >= 130)
    found = common_areas(bars, bars)
    assert found is not None
    assert_array_equal(found, bars)
    assert common_areas(bars, np.roll(bars, 1, axis=0)) is None


def test_of_two_areas_the_one_that_stays_is_common() -> None:
    source, target = np.zeros((2, *X.shape), np.bool_)
    source[:, :20] = target[:, :20] = True
    source[60:100, 100:] = target[63:103, 104:] = True
    found = common_areas(source, target)
    assert found is not None
    assert found[:, :20].all()
    assert not found[:, 20:].any()


def test_specks_and_mosaics_are_no_areas() -> None:
    specks = np.random.default_rng(0).random(X.shape) < 0.05
    assert common_areas(specks, specks) is None
    for period in (2, 4):
        mosaic = (X % period != 0) | (Y % period != 0)
        assert common_areas(mosaic, mosaic) is None
    assert common_areas(specks, np.zeros_like(specks)) is None


def test_outlines_that_have_nothing_to_do_with_one_another_are_not_common() -> None:
    fields = []
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(size=X.shape)
        fields.append(cv2.GaussianBlur(noise, (0, 0), 3.0) < 0.1)
    assert common_areas(*fields) is None


@pytest.mark.parametrize("motion", [(0.6, 0.0), (0.0, 0.6), (0.5, 0.5), (0.5, -0.5)])
def test_a_slanting_outline_tells_how_far_it_moved(motion: tuple[float, float]) -> None:
    def ellipse(x: float, y: float) -> np.ndarray:
        along, across = (X - 100 - x) + (Y - 80 - y), (X - 100 - x) - (Y - 80 - y)
        return along**2 + 5.0 * across**2 > 8000.0

    source, target = ellipse(0.0, 0.0), ellipse(*motion)
    assert common_areas(source, target) is None
    y, x = np.nonzero(source & cv2.dilate((~source).view(np.uint8), np.ones((3, 3))).astype(bool))
    found = _outline_motion(source, target, (x, y), np.zeros(x.size, np.int32), 1)
    assert found[0] == pytest.approx(np.hypot(*motion), rel=0.3)


@pytest.mark.parametrize(("soft", "least", "most"), [(0.0, 1, 1), (1.0, 2, 5), (3.0, 6, 12)])
def test_an_edge_is_as_wide_as_in_the_image(soft: float, least: int, most: int) -> None:
    areas = X < 40
    plane = np.where(areas, 0.0, 100.0).astype(np.float32)
    if soft:
        plane = cv2.GaussianBlur(plane, (0, 0), soft)
        areas = plane < 1.0
    width = area_edges(plane, plane, areas).sum(axis=1)
    assert (width == width[0]).all()
    assert least <= width[0] <= most
    sharp = np.where(X < 40, 0.0, 100.0).astype(np.float32)
    assert area_edges(sharp, plane, areas).sum() >= width.sum()


def test_areas_that_fill_the_image_have_no_edges() -> None:
    everything = np.ones(X.shape, np.bool_)
    assert not area_edges(X.astype(np.float32), X.astype(np.float32), everything).any()
