from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import LazyFullSize, Level, pyramid
from align_cli.engine.sampling.gradients import central_differences
from align_cli.engine.target.planes import (
    TEXTURE_SHARE,
    LazyPlanes,
    TargetPlanes,
    planes_with_gradient,
    target_planes,
    textured,
)
from tests.scenes import render
from tests.scenes import textured as scene_of

SIZE = (47, 33)


def planes(reach: int, valid: np.ndarray | None = None) -> TargetPlanes:
    image = render(scene_of(5, size=SIZE), SIZE)
    return planes_with_gradient(
        Level(image, valid),
        central_differences(image),
        reach=reach,
        column=2.0 * image,
        weight=0.5 * image,
    )


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_every_plane_covers_the_interior_that_is_asked_for(reach: int) -> None:
    found = planes(reach)
    image = render(scene_of(5, size=SIZE), SIZE)
    interior = np.s_[reach : SIZE[1] - reach, reach : SIZE[0] - reach]
    assert found.size == SIZE
    assert found.origin == (reach, reach)
    assert found.valid is None
    assert found.mean == pytest.approx(image[interior].mean())
    assert found.spread == pytest.approx(image[interior].std(), rel=1e-5)
    along_x, along_y = central_differences(image)
    assert_array_equal(found.whole.gradient_x, along_x[interior])
    assert_array_equal(found.whole.gradient_y, along_y[interior])
    assert_allclose(found.whole.image, image[interior] - found.mean, atol=1e-6)
    assert_allclose(found.whole.column, 2.0 * image[interior] - found.mean, atol=1e-6)
    assert found.whole.weight is not None
    assert_array_equal(found.whole.weight, 0.5 * image[interior])


@pytest.mark.parametrize("reach", [0, 3])
def test_the_powers_are_those_of_normalised_pixels_of_the_whole_level(reach: int) -> None:
    found = planes(reach)
    half = max(SIZE) / 2.0
    x = (np.arange(reach, SIZE[0] - reach) - (SIZE[0] - 1) / 2.0) / half
    y = (np.arange(reach, SIZE[1] - reach) - (SIZE[1] - 1) / 2.0) / half
    assert found.pixels_per_unit == half
    for degree in range(5):
        assert_allclose(found.powers_x[:, degree], x**degree, atol=1e-6)
        assert_allclose(found.powers_y[:, degree], y**degree, atol=1e-12)


def test_without_a_column_or_weights_there_is_the_image_and_there_are_none() -> None:
    image = render(scene_of(5, size=SIZE), SIZE)
    found = planes_with_gradient(Level(image, None), central_differences(image), reach=2)
    assert_array_equal(found.whole.column, found.whole.image)
    assert found.whole.weight is None


def test_mean_spread_and_texture_are_those_of_valid_pixels() -> None:
    valid = np.ones((SIZE[1], SIZE[0]), np.bool_)
    valid[:, :20] = False
    found = planes(2, valid)
    image = render(scene_of(5, size=SIZE), SIZE)[2:-2, 2:-2]
    inside = valid[2:-2, 2:-2]
    assert found.valid is not None
    assert_array_equal(found.valid, inside)
    assert found.mean == pytest.approx(image[inside].mean())
    assert found.spread == pytest.approx(image[inside].std(), rel=1e-5)
    energy = (
        found.whole.gradient_x.astype(np.float64) ** 2
        + found.whole.gradient_y.astype(np.float64) ** 2
    )
    assert found.texture == pytest.approx(TEXTURE_SHARE * energy[inside].mean(), rel=1e-5)
    assert_array_equal(textured(found), energy > found.texture)


def test_bands_hold_the_rows_of_the_whole() -> None:
    size = (60, 400)
    level = Level(render(scene_of(5, size=size), size), None)
    whole, part = target_planes(level), target_planes(level, 60 * 192)
    assert whole is not None
    assert part is not None
    assert not part.bands.all_rows
    rows = part.bands.y.astype(int)
    assert len(rows) == part.whole.image.shape[0] < whole.whole.image.shape[0]
    assert_allclose(part.whole.image + part.mean, (whole.whole.image + whole.mean)[rows], atol=1e-6)
    assert_array_equal(part.whole.gradient_x, whole.whole.gradient_x[rows])
    assert_array_equal(part.whole.gradient_y, whole.whole.gradient_y[rows])
    assert_array_equal(part.powers_y, whole.powers_y[rows])
    assert_array_equal(part.powers_x, whole.powers_x)
    assert part.size == whole.size
    assert part.origin == whole.origin
    assert part.energy == pytest.approx(
        (part.whole.gradient_x**2 + part.whole.gradient_y**2).mean(), rel=1e-5
    )


def test_with_invalid_pixels_all_rows_are_looked_at() -> None:
    size = (60, 400)
    valid = np.ones((400, 60), np.bool_)
    valid[200:205, 10:20] = False
    found = target_planes(Level(render(scene_of(5, size=size), size), valid), 60 * 192)
    assert found is not None
    assert found.bands.all_rows


@pytest.mark.parametrize("most", [None, 60 * 192])
def test_planes_made_on_demand_are_those_that_would_be_held(most: int | None) -> None:
    size = (60, 400)
    image = luma(render(scene_of(5, size=size), size))
    held = target_planes(pyramid(image, 1)[0], most)
    made = target_planes(LazyFullSize(image), most)
    assert isinstance(made, LazyPlanes)
    assert held is not None
    assert made.bands == held.bands
    assert made.shape == held.shape == held.whole.image.shape
    assert_array_equal(made.powers_y, held.powers_y)
    assert_array_equal(made.powers_x, held.powers_x)
    for name in ("size", "origin", "pixels_per_unit"):
        assert getattr(made, name) == getattr(held, name)
    # Some rows stand for all.
    assert made.mean == pytest.approx(held.mean, abs=0.2 * held.spread)
    assert made.spread == pytest.approx(held.spread, rel=0.1)
    assert made.texture == pytest.approx(held.texture, rel=0.2)
    assert made.steepness == pytest.approx(held.steepness, abs=0.01)
    offset = np.float32(held.mean - made.mean)
    # One run of neighbours, and some with gaps, over the bands' too.
    for rows in (slice(3, 9), np.array([0, 1, 2, 30, 31, 100]), slice(None)):
        found, expected = made.part(rows), held.part(rows)
        assert_allclose(found.image, expected.image + offset, atol=1e-6)
        assert found.column is found.image
        assert_allclose(found.gradient_x, expected.gradient_x, atol=1e-6)
        assert_allclose(found.gradient_y, expected.gradient_y, atol=1e-6)
        assert found.valid is found.weight is None
    assert_array_equal(made.whole.gradient_y, made.part(slice(None)).gradient_y)


def test_the_gradient_made_on_demand_may_be_changed() -> None:
    size = (60, 400)
    made = target_planes(LazyFullSize(luma(render(scene_of(5, size=size), size))))
    assert isinstance(made, LazyPlanes)

    def doubled(x: np.ndarray, y: np.ndarray) -> None:
        x *= 2.0
        y *= 3.0

    changed = made.replaced(modify_gradient=doubled, texture=7.0)
    rows = slice(5, 20)
    assert isinstance(changed, LazyPlanes)
    assert changed.texture == 7.0
    assert_array_equal(changed.part(rows).gradient_x, 2.0 * made.part(rows).gradient_x)
    assert_array_equal(changed.part(rows).gradient_y, 3.0 * made.part(rows).gradient_y)
    assert_array_equal(changed.part(rows).image, made.part(rows).image)
    assert made.modify_gradient is None


@pytest.mark.parametrize("frequency", [0.2, 0.6, 1.0])
def test_a_picture_is_steeper_than_its_central_differences(frequency: float) -> None:
    x = np.arange(200, dtype=np.float64)
    wave = np.tile(np.sin(frequency * x), (40, 1)).astype(np.float32)
    planes = target_planes(Level(wave, None))
    assert planes is not None
    # A central difference of a wave is sin(w) / w of what it should be.
    assert planes.steepness == pytest.approx(frequency / np.sin(frequency), rel=1e-2)


def test_planes_whose_gradient_was_found_elsewhere_are_as_steep_as_it_says() -> None:
    level = Level(render(scene_of(1), (60, 50)), None)
    planes = planes_with_gradient(level, (level.image, level.image), reach=0)
    assert planes.steepness == 1.0
