from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.geometry.polygons import overlap_polygon
from align_cli.engine.options import CANVAS_NAMES
from align_cli.engine.result.canvas import CANVASES, Canvas, inner_rectangle, place_canvas
from align_cli.engine.result.warp import warp_image
from align_cli.engine.sampling.bilinear import overlap_mask


def random_warp(rng):
    angle, scale = rng.uniform(-1, 1), rng.uniform(0.5, 1.5)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    x, y, g, h = *rng.uniform(-10, 10, 2), *rng.uniform(-1e-3, 1e-3, 2)
    return np.array([[c, -s, x], [s, c, y], [g, h, 1.0]])


def largest_area(mask):
    """Every rectangle under the skyline of every row."""
    best, heights = 0, np.zeros(mask.shape[1], int)
    for row in mask:
        heights = np.where(row, heights + 1, 0)
        for left in range(heights.size):
            lowest = np.minimum.accumulate(heights[left:])
            best = max(best, int((lowest * np.arange(1, lowest.size + 1)).max()))
    return best


def area(polygon):
    x, y = polygon.T
    return 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))


@pytest.mark.parametrize("seed", range(40))
def test_the_inner_rectangle_is_the_largest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tall = 300 if seed % 3 == 0 else 50
    target = int(rng.integers(10, 50)), int(rng.integers(10, tall))
    source = int(rng.integers(10, 60)), int(rng.integers(10, 60))
    warp = random_warp(rng)
    mask = overlap_mask(warp, target, source)
    found = inner_rectangle(warp, target, source)
    if found is None:
        assert not mask.any()
        return
    left, top, width, height = found
    assert mask[top : top + height, left : left + width].all()
    assert width * height == largest_area(mask)


@pytest.mark.parametrize("seed", range(20))
def test_the_polygon_is_the_overlap(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    target, source, warp = (140, 90), (120, 110), random_warp(rng)
    polygon = overlap_polygon(warp, target, source)
    mask = overlap_mask(warp, target, source)
    if not mask.any():
        assert area(polygon) < 20
        return
    ahead = np.roll(polygon, -1, axis=0) - polygon
    ahead = ahead / np.hypot(*ahead.T)[:, None]
    y, x = np.mgrid[:90, :140]
    # How far each pixel lies to the right of the nearest edge, walking clockwise on a screen.
    depth = np.min(
        [
            along[0] * (y - corner[1]) - along[1] * (x - corner[0])
            for along, corner in zip(ahead, polygon, strict=True)
        ],
        axis=0,
    )
    clear = np.abs(depth) > 2e-3
    assert (mask == (depth > 0))[clear].all()


def placed(name, matrix, source=(40, 30), target=(50, 60), most=1e6):
    matrix = np.asarray(matrix, float)
    return place_canvas(
        name,
        matrix,
        inverse(matrix),
        source_size=source,
        target_size=target,
        most_pixels=most,
    )


SHIFT = [[1, 0, -5], [0, 1, 7], [0, 0, 1]]


def test_every_canvas_of_a_shift() -> None:
    assert tuple(CANVASES) == CANVAS_NAMES
    assert placed("target", SHIFT) == Canvas("target", (0, 0), (50, 60))
    assert placed("source", SHIFT) == Canvas("source", (-5, 7), (40, 30))
    assert placed("union", SHIFT) == Canvas("union", (-5, 0), (55, 60))
    assert placed("overlap", SHIFT) == Canvas("overlap", (0, 7), (35, 30))


@pytest.mark.parametrize("name", CANVAS_NAMES)
def test_a_canvas_shows_the_same_values_where_it_meets_the_target(name: str) -> None:
    rng = np.random.default_rng(7)
    warp = np.array([[0.98, -0.1, 4.2], [0.1, 0.97, -3.3], [1e-4, -2e-4, 1.0]])
    image = rng.uniform(size=(70, 90))
    canvas = place_canvas(
        name,
        inverse(warp),
        warp,
        source_size=(90, 70),
        target_size=(80, 75),
        most_pixels=1e6,
    )
    whole = warp_image(image, warp, target_size=(80, 75), source_size=(90, 70), fill=-1)
    shown = warp_image(
        image, canvas.warp(warp), target_size=canvas.size, source_size=(90, 70), fill=-1
    )
    (x, y), (width, height) = canvas.offset, canvas.size
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, 80), min(y + height, 75)
    here = shown[top - y : bottom - y, left - x : right - x]
    np.testing.assert_allclose(here, whole[top:bottom, left:right], atol=1e-4)
    if name == "overlap":
        assert (shown >= 0).all()
    if name in ("source", "union"):
        assert (shown >= 0).sum() > (whole >= 0).sum()


def test_absurd_canvases_are_refused_with_their_size() -> None:
    with pytest.raises(
        ImageError, match=r"4000 x 3000 px \(12.0 megapixels\); the limit is 1 mega"
    ):
        placed("source", np.diag([3999.0 / 39, 2999.0 / 29, 1.0]))
    with pytest.raises(ImageError, match="do not overlap"):
        placed("overlap", [[1, 0, 500], [0, 1, 0], [0, 0, 1]])


def test_a_canvas_beyond_the_horizon_is_refused() -> None:
    warp = np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    with pytest.raises(ImageError, match="horizon"):
        Canvas("union", (0, 0), (150, 10)).warp(warp)
    with pytest.raises(ImageError, match="horizon"):
        Canvas("source", (120, 0), (10, 10)).warp(warp)


@pytest.mark.parametrize("offset", [(0, 0), (3, 2), (-3, -2), (5, -4), (-70, 0), (0, 70)])
@pytest.mark.parametrize("size", [(40, 30), (7, 9), (90, 80)])
def test_a_plane_of_the_target_stands_where_the_canvas_has_its_pixels(
    offset: tuple[int, int], size: tuple[int, int]
) -> None:
    plane = np.arange(1.0, 1201.0, dtype=np.float32).reshape(30, 40)
    found = Canvas("union", offset, size).placed(plane, -1.0)
    y, x = np.mgrid[: size[1], : size[0]]
    x, y = x + offset[0], y + offset[1]
    inside = (x >= 0) & (x < 40) & (y >= 0) & (y < 30)
    expected = np.where(inside, plane[y.clip(0, 29), x.clip(0, 39)], -1.0)
    assert found.dtype == np.float32
    assert (found == expected).all()


def test_it_needs_nothing_that_takes_long_to_load() -> None:
    """numpy.unique loads numpy.ma, which takes a fortieth of a short run."""
    code = (
        "import sys, numpy as np; from align_cli.engine.result.canvas import inner_rectangle; "
        "inner_rectangle(np.eye(3), (300, 200), (300, 200)); sys.exit('numpy.ma' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
