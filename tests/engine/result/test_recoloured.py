"""Strokes of another colour are found; the same strokes drawn elsewhere are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align_cli.engine.result.recoloured import FEWEST_WINDOWS, recoloured
from benchmarks.changed_pages import Colour, Page, Pixels, random_page, render
from tests.engine.result.test_changed import changes

PAGE = random_page(np.random.default_rng(1))
TARGET = render(PAGE)
PARAGRAPH = range(11, 18)
"""Lines of one colour and size."""


def with_ink(colour: Colour, page: Page = PAGE) -> Page:
    texts = [
        replace(each, colour=colour) if number in PARAGRAPH else each
        for number, each in enumerate(page.texts)
    ]
    return replace(page, texts=tuple(texts))


def levels(image: Pixels) -> np.ndarray:
    return np.asarray(image[..., 1] / np.float32(255.0), np.float32)


@pytest.mark.parametrize("ink", [(68, 68, 68), (85, 85, 85), (34, 34, 136), (170, 34, 34)])
def test_recoloured_text_is_found(ink: Colour) -> None:
    found = changes(render(with_ink(ink)), TARGET)
    top = min(PAGE.texts[number].y for number in PARAGRAPH)
    bottom = max(PAGE.texts[number].y for number in PARAGRAPH)
    assert sum(box.area for box in found.boxes) > 2000
    for box in found.boxes:
        assert top - 12 <= box.y
        assert box.y + box.height <= bottom + 12


def test_recoloured_text_at_another_subpixel_position_is_found() -> None:
    assert changes(render(with_ink((85, 85, 85)), offset=(0.375, 0.25)), TARGET).boxes


def test_recoloured_text_at_twice_the_density_is_found() -> None:
    assert changes(render(with_ink((85, 85, 85)), density=2), TARGET).boxes


def test_grey_levels_may_be_allowed_for_strokes() -> None:
    assert not changes(render(with_ink((85, 85, 85))), TARGET, above_levels=60.0).boxes


@pytest.mark.parametrize("offset", [(0.5, 0.0), (0.25, 0.5)])
def test_ink_elsewhere_is_the_same(offset: tuple[float, float]) -> None:
    target, source = levels(TARGET), levels(render(PAGE, offset=offset))
    assert np.abs(source - target).max() > 0.2
    assert recoloured(source - target, target, noise=0, above=8 / 255, pixel=1, hue=False) is None


def test_ink_that_is_bolder_everywhere_is_rendered_so() -> None:
    """Another gamma makes all text bolder; text that alone is has another colour."""
    target = levels(TARGET)[60:, :540]
    bolder = np.asarray(0.08 * (target - 1.0), np.float32)
    alone = bolder.copy()
    alone[200:] = 0.0
    above = 2 / 255
    assert recoloured(bolder, target, noise=0, above=above, pixel=1, hue=False) is None
    found = recoloured(alone, target, noise=0, above=above, pixel=1, hue=False)
    assert found is not None
    assert 0 < np.flatnonzero(found.any(axis=1)).max() < 200


def strokes(top: int, right: float, ink: float) -> np.ndarray:
    """Bars of 3 px, with one more column of ``right`` of the ink, to row 112."""
    page = np.ones((220, 400), np.float32)
    for x in range(60, 330, 9):
        page[top:112, x : x + 3] -= ink
        page[top:112, x + 3] -= ink * right
    return page


@pytest.mark.parametrize(("ink", "recolours"), [(0.9, False), (0.86, False), (0.4, True)])
def test_strokes_that_are_higher_and_wider_are_of_the_same_colour(
    ink: float, recolours: bool
) -> None:
    """As a renderer draws bold letters that it fits to pixels."""
    target, source = strokes(100, 0.0, 0.9), strokes(98, 0.3, ink)
    found = recoloured(source - target, target, noise=0, above=8 / 255, pixel=1, hue=False)
    assert (found is not None and bool(found.any())) is recolours


def test_each_area_has_colours_of_its_own() -> None:
    target = np.vstack([strokes(100, 0.0, 0.9), strokes(100, 0.0, 0.9)])
    source = np.vstack([strokes(98, 0.3, 0.9), strokes(100, 0.0, 0.5)])
    found = recoloured(source - target, target, noise=0, above=8 / 255, pixel=1, hue=False)
    assert found is not None
    assert not found[:220].any()
    assert found[320:332].sum() > 200


def test_fewer_windows_than_a_word_has_are_none() -> None:
    target = np.ones((200, 200), np.float32)
    target[96:104:2, 96:104] = 0.0
    residual = np.zeros_like(target)
    residual[100:102, 100:102] = 1.0
    assert FEWEST_WINDOWS > 1
    assert recoloured(residual, target, noise=0, above=8 / 255, pixel=1, hue=False) is None


def test_small_images_are_not_compared_so() -> None:
    target = np.ones((12, 300), np.float32)
    assert recoloured(target, target, noise=0, above=0.0, pixel=1, hue=False) is None
