from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.numerics.losses import LOSSES as ENGINE_LOSSES
from align_cli.engine.numerics.losses import NORMAL_MEDIAN
from align_cli.native import library, points
from align_cli.native.points import (
    CURVATURE_X,
    ENERGY,
    FACTOR,
    MOTION,
    OFFSET,
    ROWS,
    Inner,
    Noise,
    PointSums,
    PointSweep,
    SelectedPoints,
    Weighting,
    X,
    sample_points,
    select_points,
)
from align_cli.native.rows import LOSSES

SIZE = (41, 33)
REACH = 2
FAR, KNOWN = 1e20, 1e9
WARP = np.array([[1.01, 0.02, 1.3], [-0.015, 0.99, 0.7], [2e-4, -1e-4, 1.0]])
LEAST = 0.01


@dataclass
class Case:
    """Points, and what the book makes of them."""

    count: int = 203
    correct_curvature: bool = False
    light: bool = False
    masked: bool = False
    noisy: bool = False
    terms: int = 1
    motion: int = 6
    warp: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.count)
        n = self.count

        def values(*shape: int) -> np.ndarray:
            return rng.normal(0.0, 0.5, shape).astype(np.float32)

        self.source = values(SIZE[1], SIZE[0])
        if self.masked:
            self.source[rng.random(self.source.shape) < 0.03] = FAR
        self.x = rng.uniform(0, SIZE[0] + 2 * REACH, n).round().astype(np.float32)
        self.y = rng.uniform(0, SIZE[1] + 2 * REACH, n).round().astype(np.float32)
        self.image = values(n)
        self.bends = (values(n), values(n)) if self.correct_curvature else None
        u, v = self.x / 20 - 1, self.y / 20 - 1
        self.monomials = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
        self.basis = np.zeros((self.motion, 8))
        self.basis[range(self.motion), range(8 - self.motion, 8)] = rng.uniform(0.5, 2.0)
        self.basis[0, 7] -= 0.3
        self.table = np.zeros((ROWS, -(-n // library.LANES) * library.LANES), np.float32)
        rows = self.table[:, :n]
        rows[X : X + 2] = self.x, self.y
        if self.bends is not None:
            rows[CURVATURE_X : CURVATURE_X + 2] = self.bends
        rows[MOTION : MOTION + 8] = values(8, n)
        rows[FACTOR : FACTOR + 6] = self.monomials * self.image
        rows[OFFSET : OFFSET + 6] = self.monomials
        light = rows[FACTOR : FACTOR + self.terms], rows[OFFSET : OFFSET + self.terms]
        self.columns = np.concatenate([self.basis @ rows[MOTION : MOTION + 8], *light])
        self.ranked = np.flatnonzero(rng.random(n) < 0.4)
        self.factor = np.array([0.9, 0.1, -0.2, 0.05, 0.1, -0.05])
        self.offset = np.array([0.1, -0.1, 0.2, 0.15, -0.1, 0.05])
        if not self.light:
            self.factor[1:] = self.offset[1:] = 0.0
        if self.warp is None:
            self.warp = WARP

    def sweep(self, loss: str, **changes: object) -> PointSweep:
        given = {
            "source": self.source,
            "table": self.table,
            "count": self.count,
            "ranked": self.ranked,
            "basis": self.basis,
            "terms": self.terms,
            "constant": 2.0,
            "least_scale": LEAST,
        }
        values: dict[str, Any] = given | changes
        return PointSweep(
            Inner(values["source"], REACH, KNOWN),
            SelectedPoints(values["table"], values["count"], 0.0, 0.0, 0.0),
            values["ranked"],
            basis=values["basis"],
            correct_curvature=self.correct_curvature,
            terms=values["terms"],
            weighting=Weighting(loss, values["constant"], values["least_scale"]),
            noise=Noise(0.2 if self.noisy else 0.0, 0.5, 1e-3, 0.8),
        )

    def found(self, loss: str, scale: float | None = 0.3, **changes: object) -> PointSums:
        return self.sweep(loss, **changes).at(
            self.warp,
            self.factor,
            self.offset,
            varies=self.light,
            scale=scale,
            at_least=0.2,
            with_matrix=True,
        )

    def book(self, loss: str, scale: float | None) -> PointSums:
        """By the book, in float64."""
        place = np.stack([self.x, self.y, np.ones(self.count)]).astype(np.float64)
        sx, sy, sw = self.warp @ place
        x, y = sx / sw - REACH, sy / sw - REACH
        known = (sw > 0) & (x >= 0) & (x <= SIZE[0] - 1) & (y >= 0) & (y <= SIZE[1] - 1)
        x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
        left = np.clip(np.floor(x), 0, SIZE[0] - 2).astype(int)
        top = np.clip(np.floor(y), 0, SIZE[1] - 2).astype(int)
        a, b, s = x - left, y - top, self.source.astype(np.float64)
        upper = s[top, left] * (1 - a) + s[top, left + 1] * a
        lower = s[top + 1, left] * (1 - a) + s[top + 1, left + 1] * a
        values = upper * (1 - b) + lower * b
        known &= values < KNOWN
        r = (self.factor @ self.monomials) * values + self.offset @ self.monomials - self.image
        if self.bends is not None:
            r -= self.bends[0] * (x % 1 - (x % 1) ** 2) + self.bends[1] * (y % 1 - (y % 1) ** 2)
        r = np.where(known, r, 0.0)
        estimate = 0.3 if scale is None else scale
        if scale is None:
            some = np.sort(np.abs(r[self.ranked][known[self.ranked]]))
            estimate = max(some[len(some) // 2] / NORMAL_MEDIAN, LEAST) if some.size else LEAST
            scale = max(estimate, 0.2)
        w = np.square(r / (2.0 * scale))
        ENGINE_LOSSES[loss].weigh(w)
        w = w * known
        slope = ENGINE_LOSSES[loss].slope(w)
        columns = self.columns.astype(np.float64)
        vector, matrix = columns @ (w * r), (columns * w) @ columns.T
        squares = float((w * r * r).sum())
        if self.noisy and self.terms and w.sum() > 0:
            variance = min(0.2**2, 0.5 * squares / w.sum(), 0.8 * 0.5**2)
            m, image = self.monomials[: self.terms], slice(self.motion, self.motion + self.terms)
            vector[image] += variance * (m * slope).sum(axis=1)
            matrix[image, image] -= variance * (m * slope) @ m.T
        return PointSums(
            vector, matrix, w.sum(), squares, slope.sum(), scale, estimate, int(known.sum())
        )


KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "correct_curvature": {"correct_curvature": True},
    "light": {"light": True, "terms": 6, "motion": 8},
    "masked": {"masked": True},
    "noisy": {"noisy": True},
    "noisy light": {"noisy": True, "light": True, "terms": 6},
    "motion alone": {"terms": 0, "motion": 2},
    "horizon": {"warp": np.array([[1.0, 0, 0], [0, 1.0, 0], [0.06, 0.0, -0.9]])},
    "outside": {"warp": np.array([[1.0, 0, 999.0], [0, 1.0, 0], [0, 0, 1.0]])},
}


def check(case: Case, loss: str, scale: float | None) -> None:
    found, book = case.found(loss, scale), case.book(loss, scale)
    assert found.known == book.known
    assert found.matrix is not None
    assert book.matrix is not None
    assert_allclose(found.vector, book.vector, atol=3e-5 * (1 + np.abs(book.vector).max()))
    assert_allclose(found.matrix, book.matrix, atol=3e-5 * (1 + np.abs(book.matrix).max()))
    for name in ("weight", "squares", "slope", "scale", "estimate"):
        assert getattr(found, name) == pytest.approx(getattr(book, name), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_sums_are_those_of_the_book(kind: str, loss: str, scale: float | None) -> None:
    check(Case(**KINDS[kind]), loss, scale)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [*range(1, 41), 1023, 1024, 1025, 3001])
def test_every_number_of_points_is_right(count: int) -> None:
    check(Case(count=count), "huber", None)


@pytest.mark.parametrize("level", library.levels())
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_level_gives_the_same_bits(kind: str, loss: str, level: str) -> None:
    case = Case(**KINDS[kind])  # type: ignore[arg-type]
    one = case.found(loss, None)
    with library.forced(level):
        assert library.level() == level
        other = case.found(loss, None)
    for first, second in zip(one, other, strict=True):
        assert_array_equal(first, second)


def test_a_source_of_nothing_knows_no_point() -> None:
    for shape in ((0, 5), (5, 0), (1, 9), (9, 1)):
        found = Case().found("tukey", None, source=np.zeros(shape, np.float32))
        assert (found.known, found.weight, found.estimate) == (0, 0.0, LEAST)


def test_a_source_of_any_strides_gives_the_same_bits() -> None:
    case = Case()
    plain = case.found("tukey")
    for source in (
        np.ascontiguousarray(case.source[::-1])[::-1],
        np.ascontiguousarray(case.source.T).T,
        np.pad(case.source, 3)[3:-3, 3:-3],
    ):
        assert_array_equal(case.found("tukey", source=source).vector, plain.vector)


@pytest.mark.parametrize(
    "change",
    [
        {"ranked": np.array([0, 203])},
        {"ranked": np.array([-1])},
        {"terms": 2},
        {"constant": 0.0},
        {"least_scale": 0.0},
        {"table": np.zeros((ROWS, 203), np.float32)},
        {"count": 7},
        {"basis": np.full((6, 8), np.nan)},
    ],
)
def test_what_has_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="points: "):
        Case().found("tukey", **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("masked", [False, True])
def test_samples_are_the_books_or_unknown(masked: bool) -> None:
    case = Case(masked=masked, correct_curvature=True)
    found = sample_points(
        Inner(case.source, REACH, KNOWN), SelectedPoints(case.table, case.count, 0, 0, 0), WARP
    )
    place = WARP @ np.stack([case.x, case.y, np.ones(case.count)])
    x, y = place[:2] / place[2] - REACH
    inside = (x >= 0) & (x <= SIZE[0] - 1) & (y >= 0) & (y <= SIZE[1] - 1)
    x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
    left, top = np.minimum(x.astype(int), SIZE[0] - 2), np.minimum(y.astype(int), SIZE[1] - 2)
    a, b, s = x - left, y - top, case.source.astype(np.float64)
    upper = s[top, left] * (1 - a) + s[top, left + 1] * a
    values = upper * (1 - b) + (s[top + 1, left] * (1 - a) + s[top + 1, left + 1] * a) * b
    known = inside & (values < KNOWN)
    assert 0 < known.sum() < case.count
    assert_allclose(found[known], values[known], atol=1e-4)
    assert_array_equal(found[~known], np.float32(KNOWN))


NORMALISATION = 0.02, -0.7, 0.02, -0.5


@dataclass
class Candidates:
    """Candidates of cells, and which of them the book elects."""

    size: tuple[int, int] = (61, 47)
    cell: int = 3
    step: int = 2
    left: int = 4
    masked: bool = False
    gap: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.cell)
        width, height = self.size
        self.image = rng.normal(3.0, 1.0, (height, width)).astype(np.float32)
        rows = np.arange(2, height - 2, self.step)
        self.rows = np.concatenate([rows[:5], rows[9:]]) if self.gap else rows
        self.columns = np.arange(self.left, width - 1, self.step)
        shape = self.rows.size, self.columns.size
        self.valid = rng.random(shape) < 0.4 if self.masked else None

    def found(self, **changes: object) -> SelectedPoints:
        given = {
            "image": self.image,
            "valid": self.valid,
            "rows": self.rows,
            "left": self.left,
            "across": self.columns.size,
            "step": self.step,
            "cell": self.cell,
            "normalisation": NORMALISATION,
        }
        return select_points(**(given | changes))  # type: ignore[arg-type]

    def book(self) -> SelectedPoints:
        image = self.image.astype(np.float64)
        here, chosen = [], []
        for k in range(0, self.rows.size - self.cell + 1, self.cell):
            for i in range(0, self.columns.size - self.cell + 1, self.cell):
                energies = {}
                for down, across in np.ndindex(self.cell, self.cell):
                    if self.valid is not None and not self.valid[k + down, i + across]:
                        continue
                    y, x = self.rows[k + down], self.columns[i + across]
                    gx = (image[y, x + 1] - image[y, x - 1]) / 2
                    gy = (image[y + 1, x] - image[y - 1, x]) / 2
                    energies[x, y, gx, gy] = gx * gx + gy * gy
                    here.append((image[y, x], gx * gx + gy * gy))
                if energies:
                    best = max(energies, key=lambda each: energies[each])
                    chosen.append((*best, energies[best]))
        value, energy = np.array(here).reshape(-1, 2).T
        x, y, gx, gy, best = np.array(chosen).reshape(-1, 5).T
        column, row = x.astype(int), y.astype(int)
        u, v = NORMALISATION[0] * x + NORMALISATION[1], NORMALISATION[2] * y + NORMALISATION[3]
        around = image[row, column - 1] + image[row, column + 1]
        above = image[row - 1, column] + image[row + 1, column]
        middle = image[row, column]
        monomials = np.array([np.ones_like(u), u, v, u * u, u * v, v * v])
        gx, gy = gx / NORMALISATION[0], gy / NORMALISATION[0]
        both = gx * u + gy * v
        table = [x, y, around / 2 - middle, above / 2 - middle, best]
        table += [gx * u, gx * v, gx, gy * u, gy * v, gy, -u * both, -v * both]
        table += [*((middle - value.mean()) * monomials), *monomials]
        return SelectedPoints(np.array(table), len(x), value.mean(), value.std(), energy.mean())


GROUNDS: dict[str, dict[str, object]] = {
    "cells": {},
    "pixels": {"cell": 1, "step": 1},
    "masked": {"masked": True},
    "few": {"masked": True, "cell": 2, "size": (23, 19)},
    "bands": {"gap": True, "step": 3},
}


@pytest.mark.parametrize("ground", GROUNDS)
def test_each_cell_sends_the_candidate_of_the_book(ground: str) -> None:
    candidates = Candidates(**GROUNDS[ground])  # type: ignore[arg-type]
    found, book = candidates.found(), candidates.book()
    assert found.number == book.number > 0
    assert found.table.shape == (ROWS, -(-found.number // library.LANES) * library.LANES)
    assert_allclose(found.table[:, : found.number], book.table, rtol=1e-4, atol=1e-4)
    assert not found.table[:, found.number :].any()
    assert_allclose(
        [found.mean, found.spread, found.energy], [book.mean, book.spread, book.energy], rtol=1e-5
    )


@pytest.mark.parametrize("level", library.levels())
@pytest.mark.parametrize("ground", GROUNDS)
def test_every_level_elects_the_same_bits(ground: str, level: str) -> None:
    candidates = Candidates(**GROUNDS[ground])  # type: ignore[arg-type]
    one = candidates.found()
    with library.forced(level):
        other = candidates.found()
    for first, second in zip(one, other, strict=True):
        assert_array_equal(first, second)


def test_of_equal_candidates_the_first_is_elected_and_none_where_none_is_valid() -> None:
    flat = Candidates(cell=2, step=1)
    found = flat.found(image=np.zeros_like(flat.image))
    assert_array_equal(found.table[X, :3], [4, 6, 8])
    assert_array_equal(found.table[ENERGY], 0.0)
    nothing = flat.found(valid=np.zeros((flat.rows.size, flat.columns.size), np.bool_))
    assert (nothing.number, nothing.mean, nothing.energy) == (0, 0.0, 0.0)
    assert flat.found(cell=100).number == 0


@pytest.mark.parametrize(
    "change",
    [
        {"rows": np.array([3, 0])},
        {"rows": np.array([46])},
        {"left": 0},
        {"across": 29},
        {"cell": 0},
        {"step": 0},
        {"valid": np.ones((3, 3), np.bool_)},
        {"normalisation": (0.0, 1.0, 1.0, 1.0)},
        {"normalisation": (1.0, np.nan, 1.0, 1.0)},
    ],
)
def test_candidates_without_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, ZeroDivisionError)):
        Candidates().found(**change)


@pytest.mark.parametrize(
    ("kernel", "structure"), [(b"points", points._Points), (b"select_points", points._SelectPoints)]
)
def test_the_structure_is_as_large_as_the_cores(
    kernel: bytes, structure: type[ctypes.Structure]
) -> None:
    core, index = library.core(), 0
    while (name := core.imalign_kernel_name(index)) != kernel:
        assert name
        index += 1
    assert core.imalign_kernel_bytes(index) == ctypes.sizeof(structure)
