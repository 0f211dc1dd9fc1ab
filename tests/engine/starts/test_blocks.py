from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.coordinates import corner_error
from align_cli.engine.luma import luma
from align_cli.engine.motion import MODELS
from align_cli.engine.pyramid import Level, level_count, pyramid
from align_cli.engine.starts import Views, blocks
from align_cli.engine.starts.motions import FEWEST, motions
from tests.photographs import NAMES, cut, photograph, shifted

SIZE = (320, 240)


def levels(image: np.ndarray) -> list[Level]:
    plane = luma(image)
    return list(pyramid(plane, level_count(plane.size)))


def views(name: str, x: int, y: int, model: str = "homography") -> Views:
    """The target begins (x, y) further right and down."""
    image = photograph(name)
    source, target = cut(image, SIZE, 40, 40), cut(image, SIZE, 40 + x, 40 + y)
    return Views(levels(source), levels(target), MODELS[model])


@pytest.mark.parametrize("name", NAMES)
def test_each_block_knows_where_it_belongs(name: str) -> None:
    seen = views(name, 5, -3)
    here, there = blocks.moved(seen.target[0], seen.source[0], np.eye(3))
    assert len(here) > 30
    # source(p + d) = target(p): target begins d further on.
    np.testing.assert_allclose(np.median(there - here, axis=0), [5.0, -3.0], atol=0.1)
    off = np.hypot(*(there - here - [5.0, -3.0]).T)
    assert np.quantile(off, 0.9) < 0.3


@pytest.mark.parametrize("model", ["translation", "rigid", "homography"])
@pytest.mark.parametrize("name", NAMES)
def test_the_motion_is_found_from_nearby(name: str, model: str) -> None:
    near = shifted(4.0, 2.0)
    found = list(blocks.guesses(views(name, 9, -4, model), near))
    truth = shifted(9.0, -4.0)
    assert min(corner_error(warp, truth, SIZE) for warp in found) < 1.0
    assert corner_error(near, truth, SIZE) > 5.0


def test_flat_images_have_no_blocks() -> None:
    flat = [Level(np.full((120, 160), 0.5, np.float32), None)]
    assert list(blocks.guesses(Views(flat, flat, MODELS["rigid"]), np.eye(3))) == []


def test_what_the_source_does_not_show_is_not_looked_for() -> None:
    seen = views("poster", 0, 0)
    here, _ = blocks.moved(seen.target[0], seen.source[0], shifted(150.0, 0.0))
    assert (here[:, 0] + 150.0 < SIZE[0]).all()


def test_two_motions_come_in_the_order_of_their_points() -> None:
    rng = np.random.default_rng(0)
    here = rng.uniform(0.0, 300.0, (100, 2))
    there = here + np.where(np.arange(100)[:, None] < 60, [[7.0, 2.0]], [[-9.0, 4.0]])
    first, second = motions(MODELS["translation"], here, there, SIZE)
    np.testing.assert_allclose(first.warp, shifted(7.0, 2.0), atol=1e-6)
    np.testing.assert_allclose(second.warp, shifted(-9.0, 4.0), atol=1e-6)
    assert (first.inliers, first.share) == (60, 0.6)
    assert (second.inliers, second.share) == (40, 1.0)


def test_few_points_are_no_motion() -> None:
    here = np.random.default_rng(0).uniform(0.0, 300.0, (FEWEST - 1, 2))
    assert list(motions(MODELS["homography"], here, here, SIZE)) == []
