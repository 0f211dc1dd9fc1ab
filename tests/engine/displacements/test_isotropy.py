"""Motions along which the target's texture has no gradient are told as unknown, and only those."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.displacements.isotropy import (
    LEAST_SHARE,
    GradientMoments,
    undetermined_directions,
)
from align_cli.engine.displacements.tiles import Tiles, textured_tiles
from align_cli.engine.geometry.coordinates import normalisation
from align_cli.engine.geometry.models import MODELS, MONOMIALS
from tests.engine.displacements.pairs import drawn, level_pair, noisy, speckle, view
from tests.photographs import NAMES, photograph

HEIGHT, WIDTH = 240, 320
GRID = np.stack(np.meshgrid(np.arange(16, WIDTH, 32), np.arange(16, HEIGHT, 32)), -1).reshape(-1, 2)


def blind(image: np.ndarray, model: str, *, noise: float = 0.02, level: int = 1) -> np.ndarray:
    pair = view(noisy(image, noise, 1), noisy(image, noise, 2)).at(np.eye(3), level)
    tiles = textured_tiles(pair, most=150)
    assert len(tiles)
    return undetermined_directions(GradientMoments.of(pair, tiles), MODELS[model])


def fields(directions: np.ndarray, model: str) -> list[np.ndarray]:
    """(n, 2) by which each direction moves the points of ``GRID``; the largest length is 1."""
    to_normalised = normalisation((WIDTH, HEIGHT))
    x, y = (to_normalised[:2, :2] @ GRID.T) + to_normalised[:2, 2:]
    monomials = np.stack([x**i * y**j for i, j in MONOMIALS])
    motion = MODELS[model]
    moved = [
        np.stack([row @ motion.jacobian_x @ monomials, row @ motion.jacobian_y @ monomials], axis=1)
        for row in directions
    ]
    return [each / np.hypot(*each.T).max() for each in moved]


def sunburst(rays: int = 16) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH] - np.array([119.5, 159.5])[:, None, None]
    radius = np.hypot(x, y)
    return np.where(radius > 15, np.tanh(np.sin(rays * np.arctan2(y, x)) * radius / 5.0), 0.0)


@pytest.mark.parametrize("model", MODELS)
def test_a_photograph_tells_everything(model: str) -> None:
    for name in NAMES:
        assert blind(photograph(name) / 255.0, model).shape == (0, MODELS[model].size)
    assert len(blind(drawn(speckle(1), (WIDTH, HEIGHT)), model, level=0)) == 0


@pytest.mark.parametrize(
    ("model", "count"),
    [("translation", 0), ("rigid", 0), ("similarity", 1), ("affine", 1), ("homography", 3)],
)
def test_a_sunburst_tells_neither_scale_nor_perspective(model: str, count: int) -> None:
    directions = blind(sunburst(), model)
    assert directions.shape == (count, MODELS[model].size)
    radial = GRID - [159.5, 119.5]
    radial /= np.hypot(*radial.T)[:, None]
    for moved in fields(directions, model):
        across = moved[:, 0] * radial[:, 1] - moved[:, 1] * radial[:, 0]
        assert np.abs(across).max() < 0.1


@pytest.mark.parametrize(
    ("model", "count"),
    [("translation", 1), ("rigid", 1), ("similarity", 1), ("affine", 3), ("homography", 3)],
)
def test_stripes_tell_nothing_along_themselves(model: str, count: int) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pair_noise = 0.02
    image = np.sin((x + 2.0 * y) / 6.0)
    pair = view(noisy(image, pair_noise, 1), noisy(image, pair_noise, 2)).at(np.eye(3), 1)
    corner = np.stack(np.meshgrid(np.arange(8, 140, 24), np.arange(8, 100, 24)), -1).reshape(-1, 2)
    directions = undetermined_directions(
        GradientMoments.of(pair, Tiles(corner, 16, 1.0)), MODELS[model]
    )
    assert len(directions) == count
    across = np.array([1.0, 2.0]) / np.sqrt(5.0)
    for moved in fields(directions, model):
        assert np.abs(moved @ across).max() < 0.05


def test_a_share_of_the_isotropic_energy_counts_as_told() -> None:
    """Waves across, and weaker ones along: the share of energy along x is theirs."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    corner = np.stack(np.meshgrid(np.arange(8, 300, 24), np.arange(8, 220, 24)), -1).reshape(-1, 2)
    tiles = Tiles(corner, 16, 1.0)
    for times, count in ((0.5, 1), (2.0, 0)):
        weak = np.sqrt(times * LEAST_SHARE)
        image = (weak * np.sin(0.3 * x) + np.sin(0.3 * y)).astype(np.float32)
        found = undetermined_directions(
            GradientMoments.of(level_pair(image, image), tiles), MODELS["translation"]
        )
        assert len(found) == count
        if count:
            assert abs(found[0, 0]) > 100.0 * abs(found[0, 1])


def test_what_noise_has_of_it_is_taken_off() -> None:
    y, _ = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    corner = np.stack(np.meshgrid(np.arange(8, 300, 24), np.arange(8, 220, 24)), -1).reshape(-1, 2)
    tiles, sigma = Tiles(corner, 16, 1.0), 0.1
    image = noisy(np.sin(0.3 * y), sigma, 1)
    for slope_noise, count in ((0.5 * sigma**2, 1), (0.0, 0)):
        pair = level_pair(image, image, slope_noise=slope_noise)
        assert (
            len(undetermined_directions(GradientMoments.of(pair, tiles), MODELS["translation"]))
            == count
        )


def test_both_planes_tell() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    one, other = np.sin(0.3 * x), np.sin(0.3 * y)
    tiles = Tiles(np.array([[40, 40], [120, 90], [220, 160]]), 16, 1.0)
    assert (
        len(
            undetermined_directions(
                GradientMoments.of(level_pair(one, one), tiles), MODELS["translation"]
            )
        )
        == 1
    )
    both = level_pair([one, other], [one, other])
    assert len(undetermined_directions(GradientMoments.of(both, tiles), MODELS["translation"])) == 0


def test_where_there_is_no_gradient_nothing_is_told() -> None:
    flat = np.zeros((HEIGHT, WIDTH), np.float32)
    pair = level_pair(flat, flat)
    found = undetermined_directions(
        GradientMoments.of(pair, Tiles(np.array([[40, 40]]), 16, 0.0)), MODELS["rigid"]
    )
    assert found.shape == (3, 3)
