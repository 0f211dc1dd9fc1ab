from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.equations.dense import RowEquations
from align_cli.engine.equations.illumination import GAIN_BIAS, VARYING, Illumination
from align_cli.engine.equations.sparse import LARGEST_VALID, PointEquations, PointSource
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.geometry.models import MODELS, MotionModel
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.numerics.losses import LOSSES, NORMAL_MEDIAN, Loss
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.target import pixel_selection as module
from align_cli.engine.target.pixel_selection import (
    MOST_POINTS,
    MOST_POINTS_LAST_LEVEL,
    TargetPoints,
    points_of,
    target_points,
)
from align_cli.engine.target.planes import TEXTURE_SHARE, target_planes
from align_cli.native.points import MOTION
from tests.engine.equations.cases import (
    BORDER,
    LIGHT,
    SIZE,
    Case,
    case,
    every_loss,
    every_model,
    level_of,
)
from tests.scenes import render, textured

CASES = {name: case(name) for name in ("whole", "holes", "partial")}
every_case = pytest.mark.parametrize("pair", CASES.values(), ids=list(CASES))


def chosen(level: Level, most: int = MOST_POINTS) -> TargetPoints:
    points = target_points(level, most)
    assert points is not None
    return points


def of_last_level(level: Level) -> TargetPoints:
    planes = target_planes(level)
    assert planes is not None
    return points_of(planes, level, MOST_POINTS)


def gradient_of(points: TargetPoints) -> tuple[np.ndarray, np.ndarray]:
    """Per pixel."""
    per_pixel = 2.0 / max(points.size)
    return points.row(MOTION + 2, 1)[0] * per_pixel, points.row(MOTION + 5, 1)[0] * per_pixel


def gradients(level: Level) -> tuple[np.ndarray, np.ndarray]:
    image = level.image.astype(np.float64)
    x, y = np.zeros_like(image), np.zeros_like(image)
    x[:, 1:-1] = 0.5 * (image[:, 2:] - image[:, :-2])
    y[1:-1] = 0.5 * (image[2:] - image[:-2])
    return x, y


@every_case
@pytest.mark.parametrize("most", [60, 400, 10**6])
def test_points_are_pixels_of_the_interior_with_their_values(pair: Case, most: int) -> None:
    points = chosen(pair.target, most)
    x, y = points.coordinates[:2].astype(int)
    assert x.min() >= BORDER
    assert y.min() >= BORDER
    assert x.max() < SIZE[0] - BORDER
    assert y.max() < SIZE[1] - BORDER
    assert len(set(zip(x, y, strict=True))) == len(x)
    assert_allclose(points.image + points.mean, pair.target.image[y, x], atol=1e-6)
    for found, expected in zip(gradient_of(points), gradients(pair.target), strict=True):
        assert_allclose(found, expected[y, x], atol=1e-6)
    if pair.target.valid is not None:
        assert pair.target.valid[y, x].all()
    if most == 10**6 and pair.target.valid is None:
        assert len(x) == (SIZE[0] - 2 * BORDER) * (SIZE[1] - 2 * BORDER)


def test_a_strip_that_is_narrower_than_a_cell_has_no_points() -> None:
    strip = level_of(np.random.default_rng(0).random((10, 16000)))
    assert target_points(strip) is None
    planes = target_planes(strip)
    assert planes is not None
    assert points_of(planes, strip, 100) is None


def test_each_cell_sends_the_pixel_with_the_largest_gradient() -> None:
    target = CASES["whole"].target
    points = chosen(target, 340)  # cells of 3 by 3 pixels
    assert len(points.image) == 20 * 17
    along_x, along_y = gradients(target)
    energy = (along_x**2 + along_y**2)[BORDER:-BORDER, BORDER:-BORDER]
    cells = energy[: 17 * 3, : 20 * 3].reshape(17, 3, 20, 3).max(axis=(1, 3))
    gradient_x, gradient_y = gradient_of(points)
    found = gradient_x**2 + gradient_y**2
    assert_allclose(np.sort(found), np.sort(cells.ravel()), rtol=1e-3)
    x, y = ((points.coordinates[:2] - BORDER) // 3).astype(int)
    assert_allclose(found, cells[y, x], rtol=1e-3)


@pytest.mark.parametrize("size", [(40, 30), (333, 250), (741, 500), (1100, 1000), (4000, 300)])
@pytest.mark.parametrize("most", [MOST_POINTS, MOST_POINTS_LAST_LEVEL])
def test_there_are_about_as_many_as_wanted_and_they_can_be_sampled(
    size: tuple[int, int], most: int
) -> None:
    level = Level(np.random.default_rng(1).random(size[::-1], np.float32), None)
    points = chosen(level, most)
    interior = (size[0] - 2 * BORDER) * (size[1] - 2 * BORDER)
    assert min(interior, most) / 2.5 < len(points.image) <= 2.5 * most
    assert PointSource(level).sample(np.eye(3), points).shape == points.image.shape


def test_ranked_are_points_with_texture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SCALE_SAMPLES", 50)
    points = chosen(CASES["whole"].target)
    along_x, along_y = gradients(CASES["whole"].target)
    energy = (along_x**2 + along_y**2)[BORDER:-BORDER, BORDER:-BORDER]
    gradient_x, gradient_y = gradient_of(points)
    found = gradient_x**2 + gradient_y**2
    expected = np.flatnonzero(found > TEXTURE_SHARE * energy.mean())
    assert 50 <= len(points.textured) < 100
    assert_array_equal(points.textured, expected[:: len(expected) // 50])


def test_points_of_planes_lie_where_the_rows_of_the_bands_lie() -> None:
    size = (60, 900)
    level = level_of(render(textured(2, size=size), size))
    planes = target_planes(level, 60 * 400)
    assert planes is not None
    assert not planes.bands.all_rows
    points = points_of(planes, level, 500)
    x, y = points.coordinates[:2].astype(int)
    assert set(y - BORDER) <= set(planes.bands.y.astype(int))
    assert_allclose(points.image + points.mean, level.image[y, x], atol=1e-6)
    assert_allclose(gradient_of(points)[1], gradients(level)[1][y, x], atol=1e-6)


@pytest.mark.parametrize(("side", "kept"), [(2 * BORDER + 1, False), (2 * BORDER + 2, True)])
def test_a_level_without_an_interior_has_none(side: int, kept: bool) -> None:
    assert (target_points(Level(render(textured(), (side, 30)), None)) is not None) == kept


def test_a_level_without_a_valid_interior_has_none() -> None:
    valid = np.zeros((30, 30), np.bool_)
    assert target_points(Level(render(textured(), (30, 30)), valid)) is None


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left = np.clip(np.floor(x), 0, image.shape[1] - 2).astype(int)
    top = np.clip(np.floor(y), 0, image.shape[0] - 2).astype(int)
    a, b = x - left, y - top
    upper = image[top, left] * (1 - a) + image[top, left + 1] * a
    lower = image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)


def weights(loss: Loss, u: np.ndarray) -> np.ndarray:
    weight = np.square(u)
    loss.weigh(weight)
    return weight


@every_case
@every_loss
@every_model
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "illumination", [LIGHT, Illumination.uniform(1.2, 0.05)], ids=["varies", "uniform"]
)
def test_the_equations_are_those_of_an_explicit_sum(
    illumination: Illumination, last: bool, model: MotionModel, loss: Loss, pair: Case
) -> None:
    points = of_last_level(pair.target) if last else chosen(pair.target)
    pixels = points.coordinates[:2].T.astype(np.float64)
    u, v = map_points(pair.warp, pixels).T
    width, height = SIZE
    known = (u >= REACH) & (u <= width - 1 - REACH) & (v >= REACH) & (v <= height - 1 - REACH)
    if pair.source.valid is not None:
        known &= bilinear(pair.source.valid.astype(np.float64), u, v) > 0.999
    half = max(SIZE) / 2.0
    x, y = ((pixels - (np.array(SIZE) - 1.0) / 2.0) / half).T
    monomials = np.array([np.ones_like(x), x, y, x * x, x * y, y * y])
    residual = (
        (illumination.factor @ monomials) * bilinear(pair.source.image.astype(np.float64), u, v)
        + illumination.offset @ monomials
        - (points.image + points.mean)
    )
    # What linear interpolation adds where the picture is hollow is taken off on the last level.
    column, row = pixels.astype(int).T
    image = pair.target.image.astype(np.float64)
    for state, (right, down) in ((u, (1, 0)), (v, (0, 1))) if last else ():
        bend = (
            image[row + down, column + right]
            - 2.0 * image[row, column]
            + image[row - down, column - right]
        )
        part = state - np.floor(state)
        residual -= 0.5 * part * (1.0 - part) * bend
    steepest = half * (
        (model.jacobian_x @ monomials) * gradient_of(points)[0]
        + (model.jacobian_y @ monomials) * gradient_of(points)[1]
    )
    columns = np.concatenate([steepest, points.image * monomials, monomials])
    scale = 0.03
    w = weights(loss, residual / (loss.constant * scale)) * known
    found = PointEquations(points, PointSource(pair.source), model, loss, VARYING).at(
        State(pair.warp, illumination), scale, with_matrix=True
    )
    assert found.matrix is not None
    matrix, vector = (columns * w) @ columns.T, columns @ (w * residual)
    size = np.sqrt(np.diag(matrix))
    length = np.sqrt((w * residual**2).sum())
    assert_allclose(found.vector / size / length, vector / size / length, atol=1e-5)
    assert_allclose(found.matrix / np.outer(size, size), matrix / np.outer(size, size), atol=1e-5)
    assert found.weight == pytest.approx(w.sum(), rel=1e-5)
    assert found.squares == pytest.approx(length**2, rel=1e-4)
    assert found.share == pytest.approx(known.mean(), abs=1e-6)
    assert found.scale == scale
    step = 1e-6
    up, down = (
        weights(loss, (residual + change) / (loss.constant * scale)) * (residual + change)
        for change in (step, -step)
    )
    slope = (((up - down) / (2.0 * step)) * known).sum() / w.sum()
    assert found.slope == pytest.approx(slope, rel=2e-3)


def test_the_scale_is_that_of_the_points_with_texture() -> None:
    pair = CASES["partial"]
    points = chosen(pair.target)
    source = PointSource(pair.source)
    equations = PointEquations(points, source, MODELS["rigid"], LOSSES["tukey"], GAIN_BIAS)
    found = equations.at(State(pair.warp, Illumination.uniform(1.2, 0.05)), None, with_matrix=False)
    values, target = source.common_samples(points, pair.warp, textured=True)
    residual = (values - 0.05) / 1.2 - target
    expected = np.median(np.abs(residual)) / NORMAL_MEDIAN
    assert found.scale == pytest.approx(expected, rel=0.01)
    assert found.matrix is None


@pytest.mark.parametrize("garbage", [1e6, -1e9])
def test_what_lies_under_invalid_pixels_changes_no_bit(garbage: float) -> None:
    pair = CASES["holes"]

    def dirty(level: Level) -> Level:
        assert level.valid is not None
        return Level(np.where(level.valid, level.image, np.float32(garbage)), level.valid)

    one, other = (
        PointEquations(
            chosen(target), PointSource(source), MODELS["homography"], LOSSES["tukey"], VARYING
        ).at(State(pair.warp, LIGHT), None, with_matrix=True)
        for target, source in (
            (pair.target, pair.source),
            (dirty(pair.target), dirty(pair.source)),
        )
    )
    assert_array_equal(one.vector, other.vector)
    assert_array_equal(one.matrix, other.matrix)


@pytest.mark.parametrize("beyond", [0.0, 1e-7, 1e-5, 1e-3, 0.3])
def test_a_sample_is_the_sources_or_unknown_however_near_the_border_it_lies(beyond: float) -> None:
    size = (1200, 20)
    level = Level(render(textured(4, size=size), size), None)
    points = chosen(level, 10**6)
    # The first interior pixel comes to lie next to the first that counts, and so at the far end.
    for shift in (REACH - BORDER - beyond, BORDER - REACH + beyond):
        warp = np.array([[1.0, 0.0, shift], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        values = PointSource(level).sample(warp, points)
        known = values < LARGEST_VALID
        x, y = points.coordinates[:2].astype(np.float64)
        expected = bilinear(level.image.astype(np.float64), x + shift, y)
        assert_allclose(values[known], expected[known], atol=1e-4)
        assert known.mean() > 0.99
        assert (values[~known] == LARGEST_VALID).all()


def test_a_source_without_an_interior_is_unknown_everywhere() -> None:
    points = chosen(CASES["whole"].target)
    source = PointSource(Level(np.zeros((4, 30), np.float32), None))
    assert_array_equal(source.sample(np.eye(3), points), np.float32(LARGEST_VALID))


def test_between_pixels_a_point_is_sampled_as_well_as_on_a_finer_grid() -> None:
    size = (300, 40)
    truth = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    scene = textured(6, size=size)
    target, source = (
        level_of(render(scene, size)),
        level_of(render(scene, size, np.linalg.inv(truth))),
    )
    above, last = (
        PointEquations(points, PointSource(source), MODELS["rigid"], LOSSES["l2"], GAIN_BIAS)
        .at(State(truth, Illumination.uniform()), 1.0, with_matrix=False)
        .squares
        for points in (chosen(target), of_last_level(target))
    )
    # A fifth of what linear sampling leaves, and less.
    assert last < 0.04 * above


@pytest.mark.parametrize(
    "illumination", [LIGHT, Illumination.uniform(1.2, 0.05)], ids=["varies", "uniform"]
)
@every_model
def test_points_and_rows_agree_on_the_step(model: MotionModel, illumination: Illumination) -> None:
    pair = CASES["whole"]
    planes = target_planes(pair.target)
    assert planes is not None
    # Between whole pixels both sample the same way.
    whole = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]])
    with Threads(1) as threads:
        rows = RowEquations(planes, pair.source, model, LOSSES["tukey"], threads=threads).at(
            State(whole, illumination), 0.03, with_matrix=False
        )
    points = PointEquations(
        chosen(pair.target, 10**6), PointSource(pair.source), model, LOSSES["tukey"], VARYING
    ).at(State(whole, illumination), 0.03, with_matrix=False)
    assert_allclose(points.vector, rows.vector, atol=1e-4 * np.abs(rows.vector).max())
    assert points.share == pytest.approx(rows.share, abs=1e-3)
