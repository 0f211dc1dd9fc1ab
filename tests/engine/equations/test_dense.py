from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.equations import dense as moments
from align_cli.engine.equations.dense import (
    RowEquations,
    Sums,
    cross_matrix,
    residual_rows,
    residual_scale,
    strips,
)
from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.normal_equations import attenuation_variance
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.geometry.models import MODELS, MotionModel
from align_cli.engine.images.pyramid import REACH, Level
from align_cli.engine.numerics.losses import LOSSES, NORMAL_MEDIAN, Loss
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.target.planes import TEXTURE_SHARE, TargetPlanes, target_planes
from tests.engine.equations.cases import (
    BORDER,
    CASES,
    LIGHT,
    Case,
    every_loss,
    every_model,
    level_of,
)
from tests.scenes import mapped, motion, pixel_grid, render, textured

SCALE = 0.03

every_case = pytest.mark.parametrize("pair", CASES.values(), ids=list(CASES))


def run(
    pair: Case,
    model: MotionModel,
    loss: Loss,
    *,
    planes: TargetPlanes | None = None,
    threads: int = 1,
    with_matrix: bool = True,
) -> Sums:
    with Threads(threads) as pool:
        return RowEquations(
            pair.planes if planes is None else planes, pair.source, model, loss, threads=pool
        ).sums(State(pair.warp, LIGHT), SCALE, with_matrix=with_matrix)


@dataclass(frozen=True)
class Naive:
    """Everything as images of the target's interior, in float64, by the book."""

    jacobian: np.ndarray  # (p + 12, h, w): gradient times dD/dp, (target - mean) m, m
    residual: np.ndarray
    inside: np.ndarray
    valid: np.ndarray
    gradients: tuple[np.ndarray, np.ndarray]
    source: np.ndarray
    target: np.ndarray

    @property
    def textured(self) -> np.ndarray:
        gradient_x, gradient_y = self.gradients
        energy = gradient_x**2 + gradient_y**2
        return energy > TEXTURE_SHARE * energy[self.valid].mean()

    def weights(self, loss: Loss) -> np.ndarray:
        weight = np.square(self.residual / (loss.constant * SCALE))
        loss.weigh(weight)
        return weight * self.inside


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = image.shape
    left = np.clip(np.floor(x), 0, width - 2).astype(int)
    top = np.clip(np.floor(y), 0, height - 2).astype(int)
    a, b = x - left, y - top
    return (image[top, left] * (1 - a) + image[top, left + 1] * a) * (1 - b) + (
        image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    ) * b


def monomials_of(points: np.ndarray) -> np.ndarray:
    x, y = points.T
    return np.array([np.ones_like(x), x, y, x * x, x * y, y * y])


def naive(pair: Case, model: MotionModel) -> Naive:
    width, height = pair.target.size
    image = pair.target.image.astype(np.float64)
    source = pair.source.image.astype(np.float64)
    gradient_x, gradient_y = np.zeros_like(image), np.zeros_like(image)
    gradient_x[:, 1:-1] = (image[:, 2:] - image[:, :-2]) / 2.0
    gradient_y[1:-1] = (image[2:] - image[:-2]) / 2.0
    x, y = pixel_grid(pair.target.size)

    # How each parameter moves each pixel, by differences of the warp itself.
    half = max(width, height) / 2.0
    centred = np.column_stack(
        [(x.ravel() - (width - 1) / 2.0) / half, (y.ravel() - (height - 1) / 2.0) / half]
    )
    jacobian = []
    for step in np.eye(model.size) * 1e-6:
        up = map_points(model.to_matrix(step), centred)
        down = map_points(model.to_matrix(-step), centred)
        moved_x, moved_y = ((up - down) / 2e-6 * half).T.reshape(2, height, width)
        jacobian.append(gradient_x * moved_x + gradient_y * moved_y)

    interior = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    valid = np.ones((height, width), np.bool_)
    if pair.target.valid is not None:
        # The gradient reaches one pixel further than the level itself.
        valid = np.array(
            [
                [
                    pair.target.valid[
                        max(j - REACH, 0) : j + REACH + 1, max(i - REACH, 0) : i + REACH + 1
                    ].all()
                    for i in range(width)
                ]
                for j in range(height)
            ]
        )
    mean = image[interior][valid[interior]].mean()
    monomials = monomials_of(centred).reshape(6, height, width)
    jacobian += [*((image - mean) * monomials), *monomials]

    source_x, source_y = mapped(pair.warp, x, y)
    source_width, source_height = pair.source.size
    inside = (
        valid
        & (source_x >= REACH)
        & (source_x <= source_width - 1 - REACH)
        & (source_y >= REACH)
        & (source_y <= source_height - 1 - REACH)
    )
    if pair.source.valid is not None:
        inside &= bilinear(pair.source.valid.astype(np.float64), source_x, source_y) > 0.999
    sampled = bilinear(source, source_x, source_y)
    factor, offset = (
        np.tensordot(terms, monomials, axes=1) for terms in (LIGHT.factor, LIGHT.offset)
    )
    residual = factor * sampled + offset - image
    return Naive(
        np.array(jacobian)[:, BORDER:-BORDER, BORDER:-BORDER],
        residual[interior],
        inside[interior],
        valid[interior],
        (gradient_x[interior], gradient_y[interior]),
        sampled[interior],
        image[interior],
    )


@every_case
@every_loss
@every_model
def test_the_sums_are_those_of_an_explicit_jacobian_image(
    model: MotionModel, loss: Loss, pair: Case
) -> None:
    book = naive(pair, model)
    w = book.weights(loss)
    sums = run(pair, model, loss)
    assert 0.3 * book.inside.size < book.inside.sum()
    vector = (book.jacobian * (w * book.residual)).sum(axis=(1, 2))
    matrix = np.einsum("aij,bij->ab", book.jacobian * w, book.jacobian)
    size = np.sqrt(np.diag(matrix))
    length = np.sqrt((w * book.residual**2).sum())
    assert_allclose(sums.vector / size / length, vector / size / length, atol=3e-6)
    assert sums.matrix is not None
    assert_allclose(sums.matrix / np.outer(size, size), matrix / np.outer(size, size), atol=3e-6)
    assert sums.count == book.inside.sum()
    assert sums.weight == pytest.approx(w.sum(), rel=1e-5)
    assert sums.squares == pytest.approx(length**2, rel=1e-4)


def test_the_cases_differ_in_what_takes_part() -> None:
    counts = [run(pair, MODELS["translation"], LOSSES["l2"]).count for pair in CASES.values()]
    assert len(set(counts)) == len(CASES)
    assert counts[0] == max(counts)


@every_case
def test_the_number_of_threads_changes_no_bit(pair: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "STRIP_PIXELS", 300)
    assert len(strips(pair.planes)) > 8
    one, *others = (
        run(pair, MODELS["homography"], LOSSES["tukey"], threads=count) for count in (1, 2, 3, 4)
    )
    for other in others:
        assert_array_equal(one.vector, other.vector)
        assert_array_equal(one.matrix, other.matrix)
        assert (one.weight, one.squares, one.count) == (other.weight, other.squares, other.count)
        assert one.slope == other.slope


@every_case
@pytest.mark.parametrize("pixels", [1, 200, 1000])
def test_the_cut_into_strips_changes_only_rounding(
    pair: Case, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rows are left out of the matrix: the same ones whatever the cut.
    monkeypatch.setattr(moments, "MATRIX_PIXELS", 1000)
    whole = run(pair, MODELS["homography"], LOSSES["tukey"])
    monkeypatch.setattr(moments, "STRIP_PIXELS", pixels)
    cut = run(pair, MODELS["homography"], LOSSES["tukey"])
    assert cut.matrix is not None
    assert_allclose(cut.vector, whole.vector, atol=1e-5 * np.abs(whole.vector).max())
    assert_allclose(cut.matrix, whole.matrix, atol=1e-5 * np.abs(cut.matrix).max())
    assert cut.count == whole.count


def test_strips_cover_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = CASES["whole"].planes
    height, width = planes.whole.image.shape
    for pixels in (1, width, 5 * width + 3, 10**6):
        monkeypatch.setattr(moments, "STRIP_PIXELS", pixels)
        rows = [row for strip in strips(planes) for row in range(height)[strip]]
        assert rows == list(range(height))


@every_case
def test_rows_left_out_of_the_matrix_are_made_up_for(
    pair: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, model = LOSSES["lorentzian"], MODELS["affine"]
    book = naive(pair, model)
    height, width = book.residual.shape
    monkeypatch.setattr(moments, "MATRIX_PIXELS", height * width // 3)
    w = book.weights(loss)[::3]
    rows = book.jacobian[:, ::3]
    matrix = 3.0 * np.einsum("aij,bij->ab", rows * w, rows)
    size = np.sqrt(np.diag(matrix))
    found = run(pair, model, loss).matrix
    assert found is not None
    assert_allclose(found / np.outer(size, size), matrix / np.outer(size, size), atol=3e-6)


@every_case
@pytest.mark.parametrize("rows", [5, 52])
def test_the_scale_is_that_of_residuals_with_texture_on_evenly_spaced_rows(
    pair: Case, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "SCALE_ROWS", rows)
    book = naive(pair, MODELS["rigid"])
    step = 52 // rows
    picked = np.s_[step // 2 :: step]
    taken = (book.inside & book.textured)[picked]
    ordered = np.sort(np.abs(book.residual[picked][taken]))
    expected = ordered[len(ordered) // 2] / NORMAL_MEDIAN
    found = residual_scale(pair.planes, pair.source, State(pair.warp, LIGHT))
    assert found == pytest.approx(expected, rel=0.01)


@every_loss
def test_the_slope_is_how_much_weighted_residuals_change_per_weight(loss: Loss) -> None:
    pair = CASES["partial"]
    book = naive(pair, MODELS["rigid"])
    step = 1e-6

    def pull(change: float) -> np.ndarray:
        moved = replace(book, residual=book.residual + change)
        return moved.weights(loss) * moved.residual

    slope = (pull(step) - pull(-step)) / (2.0 * step)
    expected = slope.sum() / book.weights(loss).sum()
    assert run(pair, MODELS["rigid"], loss).slope == pytest.approx(expected, rel=1e-3)
    assert (expected < 0.95) == (loss.name != "l2")


def equations(pair: Case, planes: TargetPlanes, loss: str, strip_step: int = 1) -> RowEquations:
    return RowEquations(
        planes,
        pair.source,
        MODELS["affine"],
        LOSSES[loss],
        threads=Threads(1),
        strip_step=strip_step,
    )


def test_some_strips_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = CASES["whole"]
    planes = pair.planes
    monkeypatch.setattr(moments, "STRIP_PIXELS", 4 * planes.whole.image.shape[1])
    weight = np.zeros_like(planes.whole.image)
    for rows in strips(planes)[1::3]:
        weight[rows] = 1.0
    state = State(pair.warp, LIGHT)
    some = equations(pair, planes, "l2", strip_step=3).at(state, SCALE, with_matrix=True)
    weighted = equations(pair, planes.replaced(weight=weight), "l2")
    expected = weighted.at(state, SCALE, with_matrix=True)
    assert_allclose(some.vector, expected.vector, atol=1e-5 * np.abs(expected.vector).max())
    assert some.weight == pytest.approx(expected.weight)
    assert some.share == pytest.approx(expected.share, abs=0.05)
    all_of_it = equations(pair, planes, "l2").at(state, SCALE, with_matrix=True)
    assert 0.25 * all_of_it.weight < some.weight < 0.45 * all_of_it.weight


def test_a_scale_is_estimated_where_none_is_given() -> None:
    pair = CASES["partial"]
    state = State(pair.warp, LIGHT)
    found = equations(pair, pair.planes, "tukey").at(state, None, with_matrix=False)
    assert found.scale == residual_scale(pair.planes, pair.source, state)
    given = equations(pair, pair.planes, "tukey").at(state, found.scale, with_matrix=False)
    assert_array_equal(found.vector, given.vector)
    assert found.matrix is None


def test_the_matrix_is_only_computed_when_asked_for() -> None:
    pair = CASES["whole"]
    with_it = run(pair, MODELS["rigid"], LOSSES["huber"])
    without = run(pair, MODELS["rigid"], LOSSES["huber"], with_matrix=False)
    assert without.matrix is None
    assert_array_equal(with_it.vector, without.vector)


@pytest.mark.parametrize("with_matrix", [True, False])
def test_without_overlap_every_sum_is_nothing(with_matrix: bool) -> None:
    far = np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    pair = Case(CASES["whole"].target, CASES["whole"].source, far)
    sums = run(pair, MODELS["affine"], LOSSES["tukey"], with_matrix=with_matrix)
    assert not sums.vector.any()
    assert (sums.matrix is not None) == with_matrix
    assert (sums.count, sums.weight, sums.squares, sums.slope) == (0, 0.0, 0.0, 1.0)


def test_the_planes_of_a_target_cover_its_interior() -> None:
    level = CASES["whole"].target
    planes = CASES["whole"].planes
    width, height = level.size
    assert planes.origin == (BORDER, BORDER)
    assert planes.size == level.size
    assert planes.whole.image.shape == (height - 2 * BORDER, width - 2 * BORDER)
    assert planes.whole.image.mean(dtype=np.float64) == pytest.approx(0.0, abs=1e-6)
    assert_allclose(
        planes.whole.image + planes.mean, level.image[BORDER:-BORDER, BORDER:-BORDER], atol=1e-6
    )
    assert planes.pixels_per_unit == max(width, height) / 2.0


def test_gradients_are_grey_values_per_pixel_along_x_and_y() -> None:
    x, y = pixel_grid((20, 16))
    planes = target_planes(level_of(0.5 * x - 0.25 * y))
    assert planes is not None
    assert_allclose(planes.whole.gradient_x, np.full((10, 14), 0.5), atol=1e-5)
    assert_allclose(planes.whole.gradient_y, np.full((10, 14), -0.25), atol=1e-5)


@pytest.mark.parametrize(("side", "kept"), [(7, False), (8, True)])
def test_a_level_without_an_interior_contributes_nothing(side: int, kept: bool) -> None:
    level = Level(render(textured(), (side, 30)), None)
    assert (target_planes(level) is not None) == kept


def test_a_level_without_a_valid_interior_contributes_nothing() -> None:
    valid = np.zeros((30, 30), np.bool_)
    valid[10:15, 10:15] = True
    assert target_planes(Level(render(textured(), (30, 30)), valid)) is not None
    valid[12, 12] = False
    assert target_planes(Level(render(textured(), (30, 30)), valid)) is None


@pytest.mark.parametrize("garbage", [1e6, -1e9])
def test_what_lies_under_invalid_pixels_changes_no_bit(garbage: float) -> None:
    pair = CASES["holes"]
    assert pair.target.valid is not None
    assert pair.source.valid is not None
    dirty = Case(
        Level(
            np.where(pair.target.valid, pair.target.image, np.float32(garbage)), pair.target.valid
        ),
        Level(
            np.where(pair.source.valid, pair.source.image, np.float32(garbage)), pair.source.valid
        ),
        pair.warp,
    )
    one, other = (run(each, MODELS["homography"], LOSSES["tukey"]) for each in (pair, dirty))
    assert_array_equal(one.vector, other.vector)
    assert_array_equal(one.matrix, other.matrix)


@every_case
@pytest.mark.parametrize("rows", [slice(0, 52), slice(0, 1), slice(17, 30), slice(51, 52)])
def test_the_residuals_of_some_rows_are_those_of_the_whole(pair: Case, rows: slice) -> None:
    book = naive(pair, MODELS["rigid"])
    assert book.residual.shape[0] == 52
    residual, shown = residual_rows(
        pair.planes, pair.source, State(pair.warp, LIGHT), rows, source_margin=REACH
    )
    inside = shown > 0
    assert residual.shape == inside.shape == book.residual[rows].shape
    assert_array_equal(inside, book.inside[rows])
    assert_allclose(residual[inside], book.residual[rows][inside], atol=1e-6)


@every_loss
@every_model
def test_weights_found_beforehand_stand_for_those_of_any_loss(
    model: MotionModel, loss: Loss
) -> None:
    pair = CASES["holes"]
    book = naive(pair, model)
    numbers = np.random.default_rng(8)
    fixed = numbers.uniform(0.0, 1.0, book.residual.shape).astype(np.float32)
    column = numbers.normal(size=book.residual.shape).astype(np.float32)
    planes = pair.planes.replaced(weight=fixed, column=column)
    sums = run(pair, model, loss, planes=planes)
    w = fixed * book.inside
    # The illumination's columns are those of the column that was given; the residual is not.
    jacobian = book.jacobian.copy()
    jacobian[-12:-6] = column * jacobian[-6:]
    vector = (jacobian * (w * book.residual)).sum(axis=(1, 2))
    matrix = np.einsum("aij,bij->ab", jacobian * w, jacobian)
    size = np.sqrt(np.diag(matrix))
    length = np.sqrt((w * book.residual**2).sum())
    assert_allclose(sums.vector / size / length, vector / size / length, atol=3e-6)
    assert sums.matrix is not None
    assert_allclose(sums.matrix / np.outer(size, size), matrix / np.outer(size, size), atol=3e-6)
    assert sums.weight == pytest.approx(w.sum(), rel=1e-5)
    assert sums.squares == pytest.approx(length**2, rel=1e-4)


def explicit_columns(
    planes: TargetPlanes, model: MotionModel, gradients: np.ndarray, image: np.ndarray
) -> np.ndarray:
    """(p + 12, h, w): the columns that an image on the interior gives."""
    width, height = planes.size
    half = max(width, height) / 2.0
    x, y = (axis[BORDER:-BORDER, BORDER:-BORDER].ravel() for axis in pixel_grid(planes.size))
    centred = np.column_stack([(x - (width - 1) / 2.0) / half, (y - (height - 1) / 2.0) / half])
    columns = []
    for step in np.eye(model.size) * 1e-6:
        up, down = (map_points(model.to_matrix(p), centred) for p in (step, -step))
        moved_x, moved_y = ((up - down) / 2e-6 * half).T.reshape(2, *image.shape)
        columns.append(gradients[0] * moved_x + gradients[1] * moved_y)
    monomials = monomials_of(centred).reshape(6, *image.shape)
    return np.array([*columns, *(image * monomials), *monomials])


@pytest.mark.parametrize("rows", [slice(None), slice(0, 12), slice(23, 40)])
@every_model
def test_two_images_give_the_symmetric_part_of_the_product_of_their_columns(
    model: MotionModel, rows: slice
) -> None:
    planes = CASES["whole"].planes
    numbers = np.random.default_rng(4)
    first, second = numbers.normal(size=(2, 3, *planes.whole.image.shape)).astype(np.float32)
    # Alike enough that the product is not noise alone.
    second += first
    weight = numbers.uniform(size=planes.whole.image.shape).astype(np.float32)[rows]
    one, other = (
        explicit_columns(planes, model, three[:2], three[2])[:, rows] for three in (first, second)
    )
    product = np.einsum("aij,bij->ab", one * weight, other)
    expected = 0.5 * (product + product.T)
    size = np.sqrt(np.diag(np.einsum("aij,bij->ab", one * weight, one)))
    picked = [list(three[:, rows]) for three in (first, second)]
    found = cross_matrix(picked[0], picked[1], weight, planes, model, rows)
    assert_allclose(found / np.outer(size, size), expected / np.outer(size, size), atol=1e-5)
    alone = cross_matrix(picked[0][:2], picked[1][:2], weight, planes, model, rows)
    assert_allclose(alone, found[: model.size, : model.size], rtol=1e-12)


TALL = (60, 400)


def tall_case() -> tuple[Case, TargetPlanes]:
    """A tall picture, and the planes of bands of its rows."""
    scene = textured(7, size=TALL)
    target, source = render(scene, TALL), render(scene, TALL, motion("affine", TALL, 1.0, 3))
    pair = Case(level_of(target), level_of(source), motion("homography", TALL, 1.5, 4))
    bands = target_planes(pair.target, TALL[0] * 192)
    assert bands is not None
    assert not bands.bands.all_rows
    return pair, bands


@pytest.mark.parametrize("strip", [500, 4000, 1 << 17])
@pytest.mark.parametrize(
    "illumination", [LIGHT, Illumination(np.linspace(0.9, 0.4, 6), np.linspace(0, 0.2, 6))]
)
def test_bands_sum_over_their_own_rows(
    illumination: Illumination, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "STRIP_PIXELS", strip)
    pair, bands = tall_case()
    rows = bands.bands.y.astype(int)
    whole = pair.planes
    weight = np.zeros_like(whole.whole.image)
    weight[rows] = 1.0
    model = MODELS["homography"]

    def sums(planes: TargetPlanes) -> Sums:
        with Threads(2) as pool:
            return RowEquations(planes, pair.source, model, LOSSES["l2"], threads=pool).sums(
                State(pair.warp, illumination), SCALE, with_matrix=True
            )

    expected, found = sums(whole.replaced(weight=weight)), sums(bands)
    assert found.weight == pytest.approx(expected.weight)
    assert found.count == pytest.approx(expected.weight)
    assert found.squares == pytest.approx(expected.squares, rel=1e-5)
    motion_part = np.s_[: model.size]
    size = np.abs(expected.vector[motion_part]).max()
    assert_allclose(
        found.vector[motion_part] / size, expected.vector[motion_part] / size, atol=1e-5
    )
    assert found.matrix is not None
    assert expected.matrix is not None
    both = np.s_[: model.size, : model.size]
    size = np.sqrt(np.diag(expected.matrix[both]))
    outer = np.outer(size, size)
    assert_allclose(found.matrix[both] / outer, expected.matrix[both] / outer, atol=1e-5)


def test_the_residuals_of_a_band_are_those_of_its_rows() -> None:
    pair, bands = tall_case()
    state = State(pair.warp, LIGHT)
    rows = bands.bands.cut(10)[7]
    in_level = slice(int(bands.bands.y[rows.start]), int(bands.bands.y[rows.stop - 1]) + 1)
    found = residual_rows(bands, pair.source, state, rows, source_margin=REACH)
    expected = residual_rows(pair.planes, pair.source, state, in_level, source_margin=REACH)
    assert_allclose(found[0], expected[0], atol=2e-5)
    assert_array_equal(found[1], expected[1])
    # From within a band to within the one after the next.
    band = bands.bands.rows
    across = slice(band // 2, 2 * band + 5)
    found = residual_rows(bands, pair.source, state, across, source_margin=REACH)
    whole = residual_rows(
        pair.planes, pair.source, state, slice(0, pair.planes.shape[0]), source_margin=REACH
    )
    rows_of = bands.bands.y[across].astype(int)
    assert_allclose(found[0], whole[0][rows_of], atol=2e-5)
    assert_array_equal(found[1] > 0, whole[1][rows_of] > 0)


def test_noise_is_taken_off_the_columns_of_the_factor_alone() -> None:
    pair, model, noise = CASES["whole"], MODELS["rigid"], 0.02
    clean, noisy = (
        run(pair, model, LOSSES["l2"], planes=pair.planes.replaced(noise=each))
        for each in (0.0, noise)
    )
    assert clean.matrix is not None
    assert noisy.matrix is not None
    pull = attenuation_variance(noise, clean.squares / clean.weight, pair.planes.spread)
    assert pull > 0.0
    factor, offset = np.s_[model.size : model.size + 6], np.s_[model.size + 6 :]
    # Under least squares: of sum w T m T m the part that is sum w n m n m, and likewise in w r T m.
    expected = np.zeros_like(clean.matrix)
    expected[factor, factor] = pull * clean.matrix[offset, offset]
    assert_allclose(clean.matrix - noisy.matrix, expected, atol=1e-6 * np.abs(expected).max())
    taken = np.zeros_like(clean.vector)
    taken[factor] = pull * clean.matrix[offset, offset][0]
    assert_allclose(noisy.vector - clean.vector, taken, atol=1e-6 * np.abs(taken).max())
