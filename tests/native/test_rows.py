from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.numerics.losses import LOSSES as ENGINE_LOSSES
from align_cli.native import library, rows
from align_cli.native.rows import LOSSES, Run, RunPixels, RunSums, SourceView, run_sums, total_sums

UNIT = 0.4
LEFT, TOP = 3, 5
WARP = np.array([[1.01, 0.02, 1.3], [-0.015, 0.99, 0.7], [2e-4, -1e-4, 1.0]])
NORMALISATION = (0.05, -1.0, 0.04, -0.6)
TEXTURE = 0.3


@dataclass
class Case:
    """Both sides of a run, and what the book makes of it."""

    width: int = 37
    height: int = 9
    made: bool = False
    masked: bool = False
    light: bool = False
    weighted: bool = False
    column: bool = False
    sampled: bool = False
    spline: bool = False
    finer: int = 1
    row_step: int = 1
    margin: float = 2.0
    warp: np.ndarray = field(default_factory=lambda: WARP)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.width + 100 * self.height)

        def values(height: int, width: int) -> np.ndarray:
            return rng.normal(0.0, 0.6, (height, width)).astype(np.float32)

        h, w = self.height, self.width
        around = values(h + 2, w + 2)
        gradient = None if self.made else (values(h, w), values(h, w))
        image = around if self.made else np.ascontiguousarray(around[1:-1, 1:-1])
        self.run = Run(
            LEFT,
            TOP,
            (w, h),
            image,
            gradient,
            values(h, w) if self.column else None,
            np.abs(values(h, w)) if self.weighted else None,
            rng.random((h, w)) < 0.8 if self.masked else None,
            0.1,
            NORMALISATION,
            TEXTURE,
            self.row_step,
        )
        size = (max(w + 6, 8), h + 8)
        pixels = values(self.finer * size[1], self.finer * size[0])
        if self.sampled:
            pixels = values(h, w)
        self.seen = SourceView(
            pixels,
            rng.random(size[::-1]) < 0.95 if self.masked else None,
            size,
            self.finer,
            self.margin,
            self.warp,
            np.array([0.9, 0.1, -0.2, 0.05, 0.1, -0.05] if self.light else [0.9, 0, 0, 0, 0, 0]),
            np.array([0.1, -0.1, 0.2, 0.15, -0.1, 0.05] if self.light else [0.1, 0, 0, 0, 0, 0]),
            self.sampled,
            self.spline,
        )

    def book(self, loss: str, matrix: tuple[int, int]) -> tuple[RunSums, np.ndarray, np.ndarray]:
        """The sums, the residuals and which pixels take part, in float64, by the book."""
        run, seen = self.run, self.seen
        k, i = np.mgrid[: self.height, : self.width]
        p = np.stack([LEFT + i, TOP + k, np.ones_like(i)]).astype(np.float64)
        sx, sy, sw = np.tensordot(self.warp, p, axes=1)
        x, y = sx / sw, sy / sw
        far_x, far_y = (side - 1.0 - self.margin for side in seen.size)
        inside = (sw > 0) & (x >= self.margin) & (x <= far_x) & (y >= self.margin) & (y <= far_y)
        if seen.valid is not None:
            inside &= bilinear(seen.valid.astype(np.float64), x, y) > 0.999
        if run.valid is not None:
            inside &= run.valid
        source = seen.pixels.astype(np.float64)
        if self.spline:
            source = bilinear(cv2.pyrUp(source), 2.0 * x, 2.0 * y)
        elif not self.sampled:
            source = bilinear(source, self.finer * x, self.finer * y)
        image = run.image.astype(np.float64)
        if run.gradient is None:
            gx = 0.5 * (image[1:-1, 2:] - image[1:-1, :-2])
            gy = 0.5 * (image[2:, 1:-1] - image[:-2, 1:-1])
            image = image[1:-1, 1:-1]
        else:
            gx, gy = (plane.astype(np.float64) for plane in run.gradient)
        image = image - run.mean
        column = image if run.column is None else run.column.astype(np.float64)
        a, b, c, d = NORMALISATION
        nx, ny = a * (LEFT + i) + b, c * (TOP + k) + d
        monomials = np.array([np.ones_like(nx), nx, ny, nx * nx, nx * ny, ny * ny])
        factor, offset = (
            np.tensordot(each, monomials, axes=1) for each in (seen.factor, seen.offset)
        )
        r = factor * source + offset - image
        inside &= np.arange(self.height)[:, None] % self.row_step == 0
        r = np.where(inside, r, 0.0)
        u = r / UNIT
        w = np.square(u)
        ENGINE_LOSSES[loss].weigh(w)
        slope = ENGINE_LOSSES[loss].slope(w)
        if run.weight is not None:
            w = slope = run.weight.astype(np.float64)
        w, slope = w * inside, slope * inside
        powers = [[ny**j * nx**i for i in range(5)] for j in range(5)]
        moments = [
            [[(plane * powers[j][i]).sum() for i in range(3)] for j in range(3)]
            for plane in (gx * w * r, gy * w * r, column * w * r, w * r, w)
        ]
        first, step = matrix
        if step:
            looked_at = np.arange(self.height) // self.row_step % step == first
            v = w * looked_at[:, None]
        else:
            v = 0.0 * w
        products = (
            *(gx * gx, gx * gy, gy * gy, gx * column, gy * column),
            *(gx, gy, column * column, column, 1.0),
        )
        tables = [
            [[(v * plane * powers[j][i]).sum() for i in range(5)] for j in range(5)]
            for plane in products
        ]
        totals = np.array([w.sum(), (w * r * r).sum(), slope.sum(), inside.sum()])
        textured = gx * gx + gy * gy > TEXTURE
        return RunSums(np.array(moments), totals, np.array(tables)), r, inside * (1 + 2 * textured)


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    height, width = image.shape
    left = np.clip(np.floor(x), 0, width - 2).astype(int)
    top = np.clip(np.floor(y), 0, height - 2).astype(int)
    a, b = x - left, y - top
    upper = image[top, left] * (1 - a) + image[top, left + 1] * a
    lower = image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    return upper * (1 - b) + lower * b


def same(one: RunSums, other: RunSums) -> None:
    for first, second in zip(one, other, strict=True):
        assert_array_equal(first, second)


def check(case: Case, loss: str = "tukey", matrix: tuple[int, int] = (1, 2)) -> None:
    shown = RunPixels.empty(*case.run.shape)
    found = run_sums(
        case.run, case.seen, loss=loss, unit=UNIT, weigh_noise=True, matrix=matrix, shown=shown
    )
    book, residual, inside = case.book(loss, matrix)
    for name in ("moments", "totals", "tables"):
        scale = np.abs(getattr(book, name)).max() + 1.0
        assert_allclose(getattr(found, name), getattr(book, name), atol=5e-6 * scale)
    assert found.totals[3] == (inside[:: case.row_step] > 0).sum()
    assert_allclose(shown.residual, residual[:: case.row_step], atol=2e-5)
    assert_array_equal(shown.inside, inside[:: case.row_step])


KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "made": {"made": True},
    "masked": {"masked": True},
    "light": {"light": True},
    "masked light": {"masked": True, "light": True, "made": True},
    "column": {"column": True},
    "sampled": {"sampled": True, "masked": True},
    "finer": {"finer": 2},
    "spline": {"spline": True, "masked": True},
    "border": {"margin": 0.0},
    "row_step": {"row_step": 3, "height": 13, "made": True},
    "partial": {"warp": WARP + np.array([[0, 0, 14.0], [0, 0, -4.0], [0, 0, 0]])},
    "horizon": {"warp": np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.06, 0.0, -0.9]])},
    "larger": {"warp": np.diag([0.3, 0.3, 1.0])},
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_sums_are_those_of_the_book(kind: str, loss: str) -> None:
    check(Case(**KINDS[kind]), loss)  # type: ignore[arg-type]


def test_weights_that_are_given_are_taken() -> None:
    check(Case(weighted=True))
    check(Case(weighted=True, masked=True), "huber")


@pytest.mark.parametrize("width", range(1, 41))
def test_every_width_is_right(width: int) -> None:
    check(Case(width=width))
    check(Case(width=width, made=True, masked=True, finer=2), "huber")


@pytest.mark.parametrize("matrix", [(0, 0), (0, 1), (2, 3), (8, 9)])
def test_the_tables_hold_every_so_manieth_row(matrix: tuple[int, int]) -> None:
    check(Case(), "geman-mcclure", matrix)


def test_the_losses_are_those_of_the_engine() -> None:
    assert set(LOSSES) == set(ENGINE_LOSSES)


@pytest.mark.parametrize("level", library.levels())
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_level_gives_the_same_bits(kind: str, loss: str, level: str) -> None:
    case = Case(width=53, **KINDS[kind])  # type: ignore[arg-type]
    found = run_sums(case.run, case.seen, loss=loss, unit=UNIT, matrix=(0, 1))
    with library.forced(level):
        assert library.level() == level
        same(run_sums(case.run, case.seen, loss=loss, unit=UNIT, matrix=(0, 1)), found)


def strided(array: np.ndarray, how: str) -> np.ndarray:
    height, width = array.shape
    if how == "rows reversed":
        return np.ascontiguousarray(array[::-1])[::-1]
    if how == "columns reversed":
        return np.ascontiguousarray(array[:, ::-1])[:, ::-1]
    if how == "every third column":
        wide = np.full((height, 3 * width), np.nan).astype(array.dtype)
        wide[:, ::3] = array
        return wide[:, ::3]
    if how == "row_step":
        wide = np.full((height, width + 5), np.nan).astype(array.dtype)
        wide[:, 2:-3] = array
        return wide[:, 2:-3]
    raw = np.zeros(array.nbytes + 1, np.uint8)
    raw[1:] = np.ascontiguousarray(array).view(np.uint8).ravel()
    return raw[1:].view(array.dtype).reshape(array.shape)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize(
    "how", ["rows reversed", "columns reversed", "every third column", "row_step", "unaligned"]
)
@pytest.mark.parametrize("made", [False, True])
def test_the_layout_in_memory_changes_no_bit(how: str, made: bool) -> None:
    case = Case(masked=True, made=made)
    run, seen = case.run, case.seen
    assert run.valid is not None
    assert seen.valid is not None
    other_run = run._replace(
        image=strided(run.image, how),
        gradient=None if run.gradient is None else tuple(strided(g, how) for g in run.gradient),
        valid=strided(run.valid, how),
    )
    other_seen = seen._replace(pixels=strided(seen.pixels, how), valid=strided(seen.valid, how))
    same(run_sums(other_run, other_seen, unit=UNIT), run_sums(run, seen, unit=UNIT))


@pytest.mark.parametrize("kind", ["plain", "spline"])
@pytest.mark.parametrize("upside_down", [False, True])
def test_a_source_of_more_than_two_gigabytes_gives_the_same_bits(
    kind: str, upside_down: bool
) -> None:
    case = Case(**KINDS[kind])  # type: ignore[arg-type]
    height, width = case.seen.pixels.shape
    row_step = (5 << 29) // height // 4
    # Pages that nobody writes to take no memory.
    far = np.zeros((height, row_step), np.float32)[:, :width]
    far = far[::-1] if upside_down else far
    far[:] = case.seen.pixels
    assert abs(far.strides[0]) * height > 1 << 31
    seen = case.seen._replace(pixels=far)
    same(run_sums(case.run, seen, unit=UNIT), run_sums(case.run, case.seen, unit=UNIT))


def test_what_takes_no_part_may_hold_anything() -> None:
    case = Case(masked=True)
    run, seen = case.run, case.seen
    assert run.valid is not None
    clean = run_sums(run, seen, loss="tukey", unit=UNIT, matrix=(0, 1))
    for garbage in (np.nan, np.inf, 1e38):
        image = np.where(run.valid, run.image, np.float32(garbage))
        same(
            run_sums(run._replace(image=image), seen, loss="tukey", unit=UNIT, matrix=(0, 1)), clean
        )


def test_runs_add_up_in_their_order() -> None:
    case = Case(height=12)
    parts = [
        run_sums(
            case.run._replace(
                top=TOP + k,
                size=(case.width, 4),
                image=case.run.image[k : k + 4],
                gradient=tuple(g[k : k + 4] for g in case.run.gradient or ()),
            ),
            case.seen,
            unit=UNIT,
        )
        for k in (0, 4, 8)
    ]
    whole = run_sums(case.run, case.seen, unit=UNIT)
    assert_allclose(total_sums(parts).moments, whole.moments, rtol=1e-12, atol=1e-12)
    assert_array_equal(total_sums(parts).totals[3], whole.totals[3])


@pytest.mark.parametrize(
    "change",
    [
        {"warp": np.full((3, 3), np.nan)},
        {"finer": 3},
        {"margin": np.inf},
        {"factor": np.full(6, np.inf)},
    ],
)
def test_what_has_no_sense_is_refused(change: dict[str, object]) -> None:
    case = Case()
    with pytest.raises(ValueError, match="rows: "):
        run_sums(case.run, case.seen._replace(**change), unit=UNIT)  # type: ignore[arg-type]


def test_planes_of_another_type_are_refused() -> None:
    case = Case()
    for change in (
        {"image": case.run.image.view(np.int32)},
        {"valid": np.ones(case.run.shape, np.float32)},
    ):
        with pytest.raises(TypeError, match="expected a 2-D"):
            run_sums(case.run._replace(**change), case.seen, unit=UNIT)


@pytest.mark.parametrize("place", [-(1 << 62), 1 << 62])
@pytest.mark.parametrize("name", ["left", "top"])
def test_places_beyond_all_pictures_are_refused(name: str, place: int) -> None:
    case = Case()
    with pytest.raises(ValueError, match="rows: "):
        run_sums(case.run._replace(**{name: place}), case.seen, unit=UNIT)


def test_planes_that_are_too_small_are_refused() -> None:
    case = Case()
    small = case.run._replace(valid=np.ones((2, 2), np.bool_))
    with pytest.raises(ValueError, match="rows: "):
        run_sums(small, case.seen, unit=UNIT)
    with pytest.raises(ValueError, match="rows: "):
        run_sums(case.run, case.seen, loss="tukey", unit=0.0)


def test_the_structure_is_as_large_as_the_cores() -> None:
    core, index = library.core(), 0
    while (name := core.imalign_kernel_name(index)) != b"rows":
        assert name
        index += 1
    import ctypes  # noqa: PLC0415

    assert core.imalign_kernel_bytes(index) == ctypes.sizeof(rows._Rows)
