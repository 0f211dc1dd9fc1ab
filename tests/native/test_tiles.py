from __future__ import annotations

import ctypes

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.native import library, tiles
from align_cli.native.tiles import (
    StepRules,
    WindowRules,
    displaced_tiles,
    search_windows,
    structure_cells,
    suppress_neighbours,
)

SIZE = (71, 58)
STEPS = StepRules(steps=4, small=0.01, reach=1.5, singular=1e-9)
RULES = WindowRules(1, 3, 25, 1e-3, 0.1, 0.5)


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, 1.0, size[::-1]).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 1.2)


def corners(count: int, side: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, extent - side + 1, count) for extent in SIZE)
    return np.stack([x, y], axis=1).astype(np.int64)


def places(side: int, holes: bool) -> np.ndarray:
    whole = np.ones((SIZE[1] - side + 1, SIZE[0] - side + 1), np.bool_)
    if holes:
        whole[20:26, 10:30] = False
    return whole


def book(
    warped: list[np.ndarray],
    target: list[np.ndarray],
    whole: np.ndarray,
    corner: np.ndarray,
    side: int,
    displaced: tuple[int, int],
    reach: int,
) -> dict[str, tuple[bool, bool, bool, tuple[int, int], float]]:
    """Each window by explicit sums in float64."""
    found = {}
    for x, y in corner.tolist():
        left, top = x + displaced[0], y + displaced[1]
        height, width = whole.shape
        if not (0 <= left < width and 0 <= top < height) or not whole[top, left]:
            continue
        scores = {}
        for v in range(max(0, top - reach), min(height, top + reach + 1)):
            for u in range(max(0, left - reach), min(width, left + reach + 1)):
                if not whole[v, u]:
                    continue
                product = of_source = of_target = 0.0
                for s, t in zip(warped, target, strict=True):
                    one = t[y : y + side, x : x + side].astype(float)
                    other = s[v : v + side, u : u + side].astype(float)
                    one, other = one - one.mean(), other - other.mean()
                    product += (one * other).sum()
                    of_source += (other * other).sum()
                    of_target += (one * one).sum()
                scores[u - left, v - top] = product / np.sqrt(of_source * of_target)
        if len(scores) < RULES.fewest_positions:
            continue
        best = max(scores, key=lambda at: scores[at])
        peak = scores[best]
        home = max(s for (u, v), s in scores.items() if max(abs(u), abs(v)) <= RULES.stationary)
        rest = [
            s
            for (u, v), s in scores.items()
            if max(abs(u - best[0]), abs(v - best[1])) > RULES.peak_radius
        ]
        distinct = (
            peak >= RULES.least_correlation
            and max([*rest, -1.0]) < peak - RULES.distinct_margin
            and max(map(abs, best)) < reach
        )
        found[x, y] = (
            peak > 0 and home >= peak - RULES.tie_margin,
            distinct,
            best,
            peak,
            len(scores),
        )
    return found


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("displaced", [(0, 0), (9, -5)])
@pytest.mark.parametrize(("side", "reach"), [(8, 10), (16, 10), (12, 3), (5, 6), (16, 17)])
def test_the_windows_are_searched_by_the_book(
    side: int, reach: int, displaced: tuple[int, int], holes: bool, planes: int
) -> None:
    target = [picture(seed) for seed in range(planes)]
    warped = [np.roll(t, (2, -3), (0, 1)) + 0.4 * picture(9 + i) for i, t in enumerate(target)]
    corner, whole = corners(12, side), places(side, holes)
    found = search_windows(
        warped, target, whole, corner, side, displaced=displaced, reach=reach, rules=RULES
    )
    expected = book(warped, target, whole, corner, side, displaced, reach)
    assert len(expected) > 0
    for at, record in zip(corner.tolist(), found, strict=True):
        if tuple(at) not in expected:
            assert not record["tested"]
            continue
        stationary, distinct, best, peak, many = expected[tuple(at)]
        assert record["tested"]
        assert record["positions"] == many
        assert record["peak"] == pytest.approx(peak, abs=1e-5)
        assert tuple(record["offset"]) == best
        assert (bool(record["stationary"]), bool(record["distinct"])) == (stationary, distinct)


def test_a_flat_place_agrees_with_nothing() -> None:
    target = picture(1)
    for value in (0.0, 0.3, 1e6):
        flat = np.full_like(target, value)
        found = search_windows(
            [flat],
            [target],
            places(16, False),
            corners(5, 16),
            16,
            displaced=(0, 0),
            reach=10,
            rules=RULES,
        )
        assert found["tested"].all()
        assert not found["peak"].any()
        assert not found["stationary"].any()


def tile_book(
    source: list[np.ndarray],
    target: list[np.ndarray],
    warp: np.ndarray,
    corner: np.ndarray,
    side: int,
    begin: np.ndarray,
) -> tuple[np.ndarray, float]:
    """One tile in float64: its displacement after many steps, and the correlation there."""
    x, y = np.meshgrid(corner[0] + np.arange(side), corner[1] + np.arange(side))

    def at(plane: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        height, width = plane.shape
        u, v = np.clip(u, 0, width - 1), np.clip(v, 0, height - 1)
        left = np.minimum(u.astype(int), width - 2)
        top = np.minimum(v.astype(int), height - 2)
        a, b = u - left, v - top
        plane = plane.astype(float)
        upper = plane[top, left] * (1 - a) + plane[top, left + 1] * a
        lower = plane[top + 1, left] * (1 - a) + plane[top + 1, left + 1] * a
        return np.asarray(upper * (1 - b) + lower * b)

    def mapped(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        a, b, w = np.tensordot(warp, np.stack([u, v, np.ones_like(u)]), axes=1)
        return np.stack([a / w, b / w])

    def centred(patch: np.ndarray) -> np.ndarray:
        return np.asarray(patch - patch.mean())

    middle = corner + 0.5 * (side - 1.0)
    change = np.stack([mapped(*(middle + step)) - mapped(*middle) for step in np.eye(2)], axis=0)
    images = [centred(t[y, x].astype(float)) for t in target]
    slopes = []
    for t in target:
        height, width = t.shape
        exact = t.astype(float)
        right, left = np.minimum(x + 1, width - 1), np.maximum(x - 1, 0)
        below, above = np.minimum(y + 1, height - 1), np.maximum(y - 1, 0)
        slopes.append(
            (
                centred(0.5 * (exact[y, right] - exact[y, left])),
                centred(0.5 * (exact[below, x] - exact[above, x])),
            )
        )
    tensor = sum(np.array([[(g * h).sum() for h in both] for g in both]) for both in slopes)
    moved = begin.astype(float).copy()
    for _ in range(4):
        by = moved @ change
        u, v = mapped(x.astype(float), y.astype(float)) + by[:, None, None]
        shown = [centred(at(s, u, v)) for s in source]
        gain = np.sqrt(sum((s * s).sum() for s in shown) / sum((t * t).sum() for t in images))
        residual = [s / gain - t for s, t in zip(shown, images, strict=True)]
        pull = sum(
            np.array([(g * r).sum() for g in both])
            for both, r in zip(slopes, residual, strict=True)
        )
        step_px = -np.linalg.solve(tensor, pull)
        moved = np.clip(moved + step_px, begin - 1.5, begin + 1.5)
        if np.abs(step_px).max() < 0.01:
            break
    by = moved @ change
    u, v = mapped(x.astype(float), y.astype(float)) + by[:, None, None]
    shown = [centred(at(s, u, v)) for s in source]
    product = sum((s * t).sum() for s, t in zip(shown, images, strict=True))
    size = sum((s * s).sum() for s in shown) * sum((t * t).sum() for t in images)
    return moved, float(product / np.sqrt(size))


WARPS = {
    "identity": np.eye(3),
    "homography": np.array([[1.02, 0.03, 1.5], [-0.02, 0.98, 2.5], [2e-4, -1e-4, 1.0]]),
}


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("side", [16, 12, 8, 4])
def test_tiles_step_by_the_book(side: int, warp: str, planes: int) -> None:
    matrix = WARPS[warp]
    target = [picture(seed) for seed in range(planes)]
    there = matrix @ np.array([[1.0, 0.0, 0.4], [0.0, 1.0, -0.3], [0.0, 0.0, 1.0]])
    source = [cv2.warpPerspective(t, there, SIZE, flags=cv2.INTER_CUBIC) for t in target]
    corner = corners(9, side, seed=3)
    begin = np.tile([0.2, 0.1], (9, 1))
    found = displaced_tiles(
        source, target, matrix, corner, side, begin, StepRules(4, 0.01, 1.5, 0.0)
    )
    for record, where in zip(found, corner, strict=True):
        moved, correlation = tile_book(source, target, matrix, where, side, begin[0])
        assert_allclose(record["moved"], moved, atol=1e-3)
        assert record["correlation"] == pytest.approx(correlation, abs=1e-4)


def test_no_tile_goes_further_than_it_may() -> None:
    target = picture(1)
    source = np.roll(target, 5, axis=1)
    corner, begin = corners(30, 16), np.zeros((30, 2))
    found = displaced_tiles(
        [source], [target], np.eye(3), corner, 16, begin,
        STEPS,
    )  # fmt: skip
    assert np.abs(found["moved"]).max() == 1.5


def test_a_flat_tile_is_finite() -> None:
    flat = np.full(SIZE[::-1], 0.5, np.float32)
    found = displaced_tiles(
        [flat], [flat], np.eye(3), corners(5, 16), 16, np.zeros((5, 2)),
        STEPS,
    )  # fmt: skip
    for name in found.dtype.names or ():
        assert np.isfinite(found[name]).all()


@pytest.mark.parametrize("level", library.levels())
@pytest.mark.parametrize("side", [16, 12, 5])
def test_every_level_gives_the_same_bits(side: int, level: str) -> None:
    target = [picture(1), picture(2)]
    source = [np.roll(t, 2, axis=1) + 0.1 * picture(5) for t in target]
    corner, begin = corners(15, side), np.full((15, 2), 0.3)

    def both() -> tuple[np.ndarray, np.ndarray]:
        return (
            search_windows(
                source, target, places(side, True), corner, side,
                displaced=(1, 2), reach=10, rules=RULES,
            ),
            displaced_tiles(
                source, target, WARPS["homography"], corner, side, begin,
                STEPS,
            ),
        )  # fmt: skip

    plain = both()
    with library.forced(level):
        assert library.level() == level
        for one, other in zip(both(), plain, strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_places_are_kept_apart(reach: int) -> None:
    rng = np.random.default_rng(reach)
    place = np.unique(rng.integers(0, 20, (150, 2)), axis=0)
    place = place[rng.permutation(len(place))]
    expected: list[list[int]] = []
    for x, y in place.tolist():
        if all(max(abs(x - u), abs(y - v)) > reach for u, v in expected):
            expected.append([x, y])
    assert place[suppress_neighbours(place, reach)].tolist() == expected
    assert not suppress_neighbours(np.empty((0, 2), np.int64), reach).size


def test_tiles_outside_are_refused() -> None:
    target, side = picture(1), 16
    for corner in ([[-1, 0]], [[SIZE[0] - side + 1, 0]], [[0, SIZE[1] - side + 1]]):
        with pytest.raises(ValueError, match="windows: "):
            search_windows(
                [target], [target], places(side, False), np.array(corner), side,
                displaced=(0, 0), reach=5, rules=RULES,
            )  # fmt: skip
        with pytest.raises(ValueError, match="tiles: "):
            displaced_tiles(
                [target], [target], np.eye(3), np.array(corner), side, np.zeros((1, 2)),
                STEPS,
            )  # fmt: skip
    with pytest.raises(ValueError, match="windows: "):
        search_windows(
            [target], [target], places(17, False), np.array([[0, 0]]), 17,
            displaced=(0, 0), reach=5, rules=RULES,
        )  # fmt: skip


def test_corners_without_a_y_are_refused() -> None:
    target = picture(1)
    for corner in (np.zeros((3, 1), np.int64), np.zeros(4, np.int64)):
        with pytest.raises(ValueError, match=r"expected corners of shape \(n, 2\)"):
            search_windows(
                [target], [target], places(8, False), corner, 8,
                displaced=(0, 0), reach=5, rules=RULES,
            )  # fmt: skip
        with pytest.raises(ValueError, match=r"expected corners of shape \(n, 2\)"):
            displaced_tiles(
                [target], [target], np.eye(3), corner, 8, np.zeros(corner.shape),
                STEPS,
            )  # fmt: skip


def test_the_structures_are_as_large_as_the_cores() -> None:
    core, sizes = library.core(), {}
    while name := core.imalign_kernel_name(len(sizes)):
        sizes[name.decode()] = core.imalign_kernel_bytes(len(sizes))
    for kernel in ("windows", "tiles", "suppress", "cells"):
        structure = getattr(tiles, "_" + kernel.capitalize())
        assert sizes[kernel] == ctypes.sizeof(structure)


def structure_book(image: np.ndarray) -> np.ndarray:
    exact = image.astype(float)
    gx, gy = np.zeros_like(exact), np.zeros_like(exact)
    gx[1:-1, 1:-1] = 0.5 * (exact[1:-1, 2:] - exact[1:-1, :-2])
    gy[1:-1, 1:-1] = 0.5 * (exact[2:, 1:-1] - exact[:-2, 1:-1])
    height, width = (extent // 4 for extent in image.shape)
    products = np.stack([gx * gx, gx * gy, gy * gy])[:, : 4 * height, : 4 * width]
    return np.asarray(products.reshape(3, height, 4, width, 4).mean(axis=(2, 4)))


@pytest.mark.parametrize("height", [4, 5, 8, 23])
@pytest.mark.parametrize("width", range(4, 45))
def test_the_structure_tensor_of_cells_is_that_of_the_book(width: int, height: int) -> None:
    image = picture(3, (width, height))
    book = structure_book(image)
    for laid in (image, np.asfortranarray(image), np.pad(image, 5)[5:-5, 5:-5], image[::-1]):
        found = np.full(book.shape, np.nan, np.float32)
        whole = structure_book(laid) if laid.strides[0] < 0 else book
        structure_cells(laid, (found[0], found[1], found[2]))
        assert_allclose(found, whole, atol=1e-6)
        for level in library.levels():
            other = np.full(book.shape, np.nan, np.float32)
            with library.forced(level):
                for row in range(len(other[0])):
                    structure_cells(laid, (other[0], other[1], other[2]), slice(row, row + 1))
            assert_array_equal(other, found)
