"""What tiles that found no match are told by coarser levels, and where they are expected."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from align_cli.engine.displacements.coarser_matches import (
    add_coarser_matches,
    nearest,
    weighted_by_texture,
)
from align_cli.engine.displacements.evidence import LevelEvidence
from align_cli.engine.displacements.level_pair import LevelPair

SHIFT = 14.0, 0.0


def level(number: int, seed: int = 0) -> LevelEvidence:
    """Smooth noise, the right half of which lies 14 px to the right in the source."""
    rng = np.random.default_rng(seed)
    full = cv2.GaussianBlur(rng.normal(size=(256, 320)).astype(np.float32), (0, 0), 4.0) * 500.0
    x, y = np.meshgrid(np.arange(320.0), np.arange(256.0))
    moved = np.where(x > 160.0, SHIFT[0], 0.0)
    target = cv2.remap(full, (x + moved).astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    planes = [full, target]
    for _ in range(number):
        planes = [cv2.pyrDown(plane) for plane in planes]
    inside = np.ones(planes[1].shape, np.bool_)
    inside[:, -10:] = False
    pair = LevelPair(number, planes[:1], planes[1:], np.eye(3), inside, 1.0, 0.1)
    return LevelEvidence(pair, 150)


def test_a_coarser_level_finds_what_lies_out_of_reach() -> None:
    fine = level(0)
    field = fine.field
    far = field.position[:, 0] > 180.0
    # Its windows reach 10 px.
    field = field.restricted_to(np.hypot(*(field.displacement.T)) < 2.0)
    assert field.matched[far].mean() < 0.3
    alone = add_coarser_matches(field, 10.0, [])
    both = add_coarser_matches(field, 10.0, [fine, level(1)])
    assert len(alone) == np.count_nonzero(field.matched)
    right = both.position[len(alone) :, 0] > 190.0
    assert np.count_nonzero(right) > 5
    found = both.displacement[len(alone) :][right]
    assert np.median(np.hypot(*(found - SHIFT).T)) < 0.3
    # What coarser tiles speak for is the area of the tiles that were lost, no more.
    lost = np.count_nonzero(~field.matched)
    assert both.area[len(alone) :].sum() <= lost * field.side**2
    assert both.area[len(alone) :].sum() > 0.6 * lost * field.side**2


def test_tiles_are_found_where_they_are_expected() -> None:
    fine = level(0)
    field = fine.field.restricted_to(np.zeros(len(fine.tiles), np.bool_))
    nothing = replace(field, matched=np.zeros(len(field), np.bool_))

    def expected(points: np.ndarray) -> list[np.ndarray]:
        return [np.zeros_like(points), np.tile(SHIFT, (len(points), 1))]

    found = add_coarser_matches(nothing, 10.0, [fine], expected)
    left, right = found.position[:, 0] < 140.0, found.position[:, 0] > 180.0
    assert np.count_nonzero(left) > 20
    assert np.count_nonzero(right) > 20
    assert np.abs(found.displacement[left]).max() < 0.5
    assert np.abs(found.displacement[right] - SHIFT).max() < 0.5


def test_a_tile_counts_for_the_texture_nearest_to_it() -> None:
    matches = add_coarser_matches(level(0).local_field, 10.0, [])
    coarse = level(1)
    counted = weighted_by_texture(matches, coarse)
    assert counted.area.sum() == pytest.approx(len(coarse.tiles) * (2.0 * coarse.tiles.side) ** 2)
    none = SimpleNamespace(tiles=())
    assert weighted_by_texture(matches, none) is matches  # type: ignore[arg-type]


def test_the_nearest_is_nearest() -> None:
    points, others = np.array([[0.0, 0.0], [9.0, 1.0]]), np.array([[10.0, 0.0], [1.0, 1.0]])
    assert nearest(points, others).tolist() == [1, 0]
