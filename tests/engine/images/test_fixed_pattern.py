"""Only what stands at the same pixels of both images may belong to the sensor."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.engine.images.fixed_pattern import (
    FixedPattern,
    Kinds,
    fixed_pattern,
    suspected_kinds,
)
from align_cli.engine.images.fixed_pattern import without_fixed_pattern as without
from align_cli.engine.images.isolated_pixels import isolated_pixels
from align_cli.engine.images.luma import Luma
from align_cli.files.images import read_image
from tests.engine.images.test_block_grid import compressed
from tests.engine.images.test_constant_areas import agreement, mask, taken
from tests.engine.images.test_isolated_pixels import hot_places, stars

REPORTS = (
    Path(os.environ.get("IMALIGN_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
    / "reports"
)
MOTIONS = [(1, 0), (1, 1), (12, 7)]


def moved(x: int, y: int, seed: int = 5) -> np.ndarray:
    """(240, 320): a window of a larger scene; another one shows it moved."""
    noise = np.random.default_rng(seed).normal(size=(300, 400))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0) + 2.0 * cv2.GaussianBlur(noise, (0, 0), 8.0)
    return 110.0 + 20.0 * (smooth / smooth.std())[y + 30 : y + 270, x + 40 : x + 360]


def page(x: int, y: int, noise: float, seed: int) -> np.ndarray:
    """(240, 320) float32: text on white paper, moved."""
    paper = np.full((240, 320), 255, np.uint8)
    for line in range(-1, 13):
        words = "the quick brown fox jumps over"
        place = 15 + x, 20 * line + y
        cv2.putText(paper, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
    return taken(paper.astype(np.float64), noise, seed)


def pair_under(kind: str, value: float, motion: tuple[int, int], soft: float = 0.0) -> list:
    cover = mask(kind).astype(np.float64)
    if soft:
        cover = cv2.GaussianBlur(cover, (0, 0), soft)
    scenes = moved(0, 0), moved(*motion)
    return [
        taken(cover * value + (1.0 - cover) * scene, 2.0, seed) for seed, scene in enumerate(scenes)
    ]


def test_images_of_different_size_have_nothing() -> None:
    assert fixed_pattern(stars(1.1), stars(1.1)[:-1]).empty


def test_hot_pixels_stay_and_stars_move() -> None:
    source, target = stars(1.1, seed=1), np.roll(stars(1.1, seed=2), (5, 9), (0, 1))
    places = hot_places(50)
    for image in (source, target):
        image[places] += 1500.0
    source[100, 7] += 1500.0  # a cosmic ray
    found = fixed_pattern(source, target)
    assert found.isolated is not None
    assert found.isolated[places].sum() >= 46
    # The cosmic ray counts too: what stays is proved, and only one image shows it clearly.
    assert found.isolated.sum() <= 51
    assert found.grid is None
    assert found.areas is None
    assert found.share == pytest.approx(found.isolated.mean())
    clean, valid = without(source, None, found)
    assert valid is None
    assert np.abs(clean[found.isolated] - 300.0).max() < 200.0
    assert_array_equal(clean[~found.isolated], source[~found.isolated])


def test_a_few_common_pixels_among_many_are_chance() -> None:
    random = np.random.default_rng(3)
    images = []
    for _ in range(2):
        image = random.normal(300.0, 15.0, (200, 300)).astype(np.float32)
        image.ravel()[random.choice(image.size, 400, replace=False)] = 4000.0
        images.append(image)
    assert fixed_pattern(*images).isolated is None
    for image in images:  # two more than chance has are no reason either
        for x in (100, 120, 140, 160):
            image[97:104, x - 3 : x + 4] = 300.0
            image[100, x] = 4000.0
    common = isolated_pixels(images[0]) & isolated_pixels(images[1])
    assert common.sum() > 400 * 400 / common.size
    assert fixed_pattern(*images).isolated is None


def test_spots_become_what_lies_around_them() -> None:
    images = [np.random.default_rng(seed).normal(300.0, 15.0, (200, 300)) for seed in (1, 2)]
    for image in images:
        for y, x in np.ndindex(5, 5):
            image[20 * y + 10 : 20 * y + 13, 30 * x + 10 : 30 * x + 13] = 65535.0
    source, target = (image.astype(np.float32) for image in images)
    found = fixed_pattern(source, target)
    assert found.isolated is not None
    assert found.isolated.sum() == 9 * 25
    clean = without(source, None, found)[0]
    assert clean[found.isolated].mean() == pytest.approx(300.0, abs=2.0)


@pytest.mark.parametrize("motion", [(3, 2), (8, 8)])
def test_the_grid_of_both_is_found_unless_it_moved_with_the_scene(motion: tuple[int, int]) -> None:
    source = compressed(moved(0, 0).round().astype(np.uint8), 25)
    target = compressed(moved(*motion).round().astype(np.uint8), 25)
    found = fixed_pattern(source, target)
    assert found.grid is not None
    assert found.grid.phase == (0, 0)
    assert found.share == 0.0
    assert not found.empty
    smooth, valid = without(target, None, found)
    assert valid is None
    assert fixed_pattern(source, smooth).grid is None
    assert fixed_pattern(source[3:, 2:], target[:-3, :-2]).grid is None


@pytest.mark.parametrize("kind", ["round", "bars", "corner", "mount"])
@pytest.mark.parametrize("value", [0.0, 245.0])
@pytest.mark.parametrize("motion", MOTIONS)
def test_areas_that_stay_become_invalid(kind: str, value: float, motion: tuple[int, int]) -> None:
    source, target = pair_under(kind, value, motion)
    found = fixed_pattern(source, target)
    assert found.areas is not None
    assert found.edges is not None
    expected = mask(kind)
    assert agreement(found.areas, expected) > 0.9
    covered = found.areas | found.edges
    assert covered[expected].all()
    rim = cv2.dilate(expected.view(np.uint8), np.ones((5, 5))).astype(bool)
    assert not (covered & ~rim).any()
    assert found.share == pytest.approx(covered.mean())
    plane, valid = without(target, None, found)
    assert plane is target
    assert_array_equal(valid, ~covered)
    known = np.ones(covered.shape, np.bool_)
    known[100:120] = False
    assert_array_equal(without(target, known, found)[1], known & ~covered)


@pytest.mark.parametrize("soft", [1.0, 2.0, 4.0])
def test_a_soft_edge_is_invalid_as_far_as_it_reaches(soft: float) -> None:
    source, target = pair_under("round", 0.0, (12, 7), soft)
    found = fixed_pattern(source, target)
    assert found.edges is not None
    cover = cv2.GaussianBlur(mask("round").astype(np.float64), (0, 0), soft)
    valid = without(target, None, found)[1]
    assert valid is not None
    assert cover[valid].max() < 0.15
    y, x = np.mgrid[:240, :320]
    assert valid[np.hypot(x - 159.5, y - 119.5) < 112.0 - 4.0 * soft - 3.0].all()


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_paper_moves_with_its_letters(motion: tuple[int, int], noise: float) -> None:
    assert fixed_pattern(page(0, 0, noise, 1), page(*motion, noise, 2)).areas is None


def test_paper_moves_and_the_lid_around_it_stays() -> None:
    images = page(0, 0, 2.0, 1), page(6, 3, 2.0, 2)
    for image in images:
        image[mask("corner")] = np.random.default_rng(4).integers(0, 4, mask("corner").sum())
    found = fixed_pattern(*images)
    assert found.areas is not None
    assert agreement(found.areas, mask("corner")) > 0.9
    assert not found.areas[40:, 40:].any()


def test_of_an_unmoved_page_all_of_it_may_be_the_sensors() -> None:
    found = fixed_pattern(page(0, 0, 2.0, 1), page(0, 0, 2.0, 2))
    assert found.areas is not None
    assert found.areas.mean() > 0.5


def test_scenes_that_move_have_nothing() -> None:
    found = fixed_pattern(taken(moved(0, 0), 2.0, 1), taken(moved(9, 4), 2.0, 2))
    assert found == FixedPattern()
    plane = taken(moved(0, 0), 2.0)
    assert without(plane, None, found) == (plane, None)


NO_KIND = Kinds(spots=False, grid=False, areas=False, captions=False)


def lumas(images: Sequence[np.ndarray]) -> list[Luma]:
    return [Luma(np.asarray(image, np.float32), None, 0.0, 1.0) for image in images]


def some_of_each_kind() -> dict[Kinds, tuple[np.ndarray, np.ndarray]]:
    hot = [stars(1.1, seed=seed) for seed in (1, 2)]
    for night in hot:
        night[hot_places(200)] += 3000.0
    return {
        NO_KIND._replace(spots=True): (hot[0], hot[1]),
        NO_KIND._replace(grid=True): (compressed(moved(0, 0), 30), compressed(moved(9, 4), 30)),
        NO_KIND._replace(areas=True): tuple(pair_under("mount", 10.0, (12, 7))),
        NO_KIND: (taken(moved(0, 0), 2.0, 1), taken(moved(9, 4), 2.0, 2)),
    }


def test_parts_of_the_images_tell_what_is_worth_looking_for() -> None:
    for kinds, images in some_of_each_kind().items():
        # Each of them may have a value of its own, like captions.
        assert suspected_kinds(*lumas(images))[:3] == kinds[:3]
        found, asked = fixed_pattern(*images), fixed_pattern(*images, kinds=kinds)
        assert (
            found.isolated is not None,
            found.grid is not None,
            found.areas is not None,
        ) == kinds[:3]
        assert asked.share == found.share
        assert asked.grid == found.grid
        assert fixed_pattern(*images, kinds=NO_KIND).empty
    assert suspected_kinds(*lumas(images)) == NO_KIND
    assert suspected_kinds(*lumas((images[0], images[1][:-1]))) == NO_KIND


CASES = {
    "stars_hot_400": ("isolated", 390 / 120000, 400 / 120000),
    "stars_hot_50": ("isolated", 50 / 120000, 50 / 120000),
    "dark16_hot": ("isolated", 9 / 120000, 9 / 120000),
    "stars_sparse_clean": (None, 0.0, 0.0),
    "jpeg_grid_3px": ("grid", 0.0, 0.0),
    "jpeg_grid_half": ("grid", 0.0, 0.0),
    "frame_letterbox": ("areas", 0.333, 0.345),
    "frame_mount_1": ("areas", 0.261, 0.275),
    "frame_mount_12": ("areas", 0.261, 0.275),
    "aperture_full_40": ("areas", 0.364, 0.376),
    "aperture_low_12": ("areas", 0.364, 0.376),
    "aperture_low_60": ("areas", 0.364, 0.376),
    "nodata_rim": ("areas", 0.156, 0.165),
    "fax_2x1_bilevel": (None, 0.0, 0.0),
    "form_pen": (None, 0.0, 0.0),
    "overlay_text_2": ("areas", 0.085, 0.095),
    "overlay_text_40": ("areas", 0.085, 0.095),
    "tiles_10_texture": (None, 0.0, 0.0),
}


@pytest.mark.skipif(not REPORTS.exists(), reason=f"reported cases are not at {REPORTS}")
@pytest.mark.parametrize("case", CASES)
def test_reported_cases(case: str) -> None:
    kind, least, most = CASES[case]
    images = []
    for role in ("source", "target"):
        pixels = read_image(REPORTS / case / f"{role}.png").pixels
        grey = pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=2)
        images.append((grey / np.float32(np.iinfo(pixels.dtype).max)).astype(np.float32))
    assert json.loads((REPORTS / case / "truth.json").read_text())
    found = fixed_pattern(*images)
    kinds = [name for name in ("isolated", "grid", "areas") if getattr(found, name) is not None]
    assert kinds == ([] if kind is None else [kind])
    assert least <= found.share <= most
