"""Rows and columns that only one image has, on rendered pages."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.result import bands
from align_cli.engine.result.bands import (
    Run,
    border_bands,
    displaced,
    may_be_moved,
    runs_of_rows,
)
from align_cli.engine.result.changed import (
    BAND_KINDS,
    Band,
    Changed,
    ChangedArea,
    Layer,
    Scale,
)
from align_cli.files.schema import alignment_schema
from benchmarks.changed_pages import LINE_PX, Patch, Pixels, random_page, render, text_box

PAGE = random_page(np.random.default_rng(3))
PLAIN = render(PAGE)
HEIGHT, WIDTH = PLAIN.shape[:2]
BANNER = np.full((40, WIDTH, 3), (250, 220, 120), np.uint8)
SHORTER = render(PAGE.closed_up(PAGE.texts[8]))

NEAR = 3
"""A difference is smoothed, and edges count two pixels beside them."""


def inserted(at: int) -> Pixels:
    """The page with a banner, in a window of the same height."""
    return np.vstack([PLAIN[:at], BANNER, PLAIN[at:-40]])


def changes(source: Pixels, target: Pixels) -> Changed:
    found = align(source, target, model="translation")
    assert found.outcome.vouched
    changed = found.changed(source, target)
    assert changed is not None
    return changed


@pytest.mark.parametrize("at", [100, 312, 450])
def test_a_banner_of_the_target_is_named_and_what_it_moved_is_no_change(at: int) -> None:
    found = changes(PLAIN, inserted(at))
    (band,) = found.inner_bands
    assert (band.kind, band.count) == ("rows_only_in_target", 40)
    assert band.at == pytest.approx(at, abs=NEAR)
    assert found.pixels == pytest.approx(40 * WIDTH, rel=0.12)
    assert found.share == pytest.approx(40 / HEIGHT, rel=0.2)


@pytest.mark.parametrize("at", [100, 312, 450])
def test_a_banner_of_the_source_is_named(at: int) -> None:
    found = changes(inserted(at), PLAIN)
    (band,) = found.inner_bands
    assert (band.kind, band.count) == ("rows_only_in_source", 40)
    assert band.at == pytest.approx(at, abs=NEAR)
    assert found.share == pytest.approx(40 / HEIGHT, rel=0.2)


@pytest.mark.parametrize("in_target", [True, False])
def test_so_are_columns(in_target: bool) -> None:
    pair = [np.ascontiguousarray(each.swapaxes(0, 1)) for each in (PLAIN, inserted(312))]
    found = changes(*pair if in_target else reversed(pair))
    (band,) = found.inner_bands
    assert band.kind == f"columns_only_in_{'target' if in_target else 'source'}"
    assert (band.at, band.count) == (pytest.approx(312, abs=NEAR), 40)


def test_a_line_that_was_removed_is_named_where_it_was() -> None:
    top, height = text_box(PAGE.texts[8])[1::2]
    for pair, image in (((SHORTER, PLAIN), "target"), ((PLAIN, SHORTER), "source")):
        found = changes(*pair)
        (band,) = found.inner_bands
        assert (band.kind, band.count) == (f"rows_only_in_{image}", LINE_PX)
        # Between the line and its neighbours the paper is the same everywhere.
        assert top - LINE_PX <= band.at <= top + height + LINE_PX
        # What crosses it, a picture beside it, is no longer the same; nothing else differs.
        assert all(box.x > 500 for box in found.boxes)


def test_what_changed_where_it_was_moved_to_is_found_there() -> None:
    target = inserted(312)
    target[500:540, 300:340] = (90, 140, 200)
    found = changes(PLAIN, target)
    assert len(found.inner_bands) == 1
    (box,) = found.boxes
    assert (box.x, box.y) == pytest.approx((300, 500), abs=3)
    assert (box.width, box.height) == pytest.approx((40, 40), abs=6)


@pytest.mark.parametrize("rows", [(312, 352), (600, HEIGHT), (0, 60)])
def test_a_bar_of_another_colour_is_a_change_and_no_band(rows: tuple[int, int]) -> None:
    other = PLAIN.copy()
    other[slice(*rows)] = (250, 220, 120)
    for pair in ((PLAIN, other), (other, PLAIN)):
        found = changes(*pair)
        assert found.bands == ()
        assert found.boxes[0].height == pytest.approx(rows[1] - rows[0], abs=6)
        assert found.boxes[0].width >= WIDTH - 6


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (-1, 1)])
def test_where_nothing_changed_there_is_none(shift: tuple[int, int]) -> None:
    assert changes(np.roll(PLAIN, shift, (0, 1)), PLAIN).bands == ()


def test_a_change_of_a_part_is_no_band() -> None:
    patch = Patch((300, 300, 40, 40), (90, 140, 200), 0)
    assert changes(render(PAGE.with_patch(patch)), PLAIN).bands == ()
    assert changes(render(PAGE.without(PAGE.texts[8])), PLAIN).bands == ()


@pytest.mark.parametrize("line", [3, 5, 8, 11, 14, 17])
def test_a_line_that_is_gone_from_its_place_is_no_band(line: int) -> None:
    source = render(PAGE, offset=(0.3, 0.2))
    found = changes(source, render(PAGE.without(PAGE.texts[line])))
    assert found.inner_bands == ()
    assert found.areas == 1


def test_a_page_that_is_longer_is_no_change() -> None:
    longer = np.vstack([PLAIN, PLAIN[100:300]])
    found = changes(PLAIN, longer)
    assert found.bands == (Band("rows_only_in_target", HEIGHT, 200, border=True),)
    assert (found.share, found.inner_bands) == (0.0, ())
    found = changes(longer, PLAIN)
    assert found.bands == (Band("rows_only_in_source", HEIGHT, 200, border=True),)
    found = changes(np.ascontiguousarray(PLAIN[:, 100:]), PLAIN)
    assert found.bands == (Band("columns_only_in_target", 0, 100, border=True),)


def test_what_a_banner_pushed_out_of_the_window_is_beyond_the_overlap() -> None:
    borders = [each for each in changes(PLAIN, inserted(312)).bands if each.border]
    assert borders == [Band("rows_only_in_source", HEIGHT, 40, border=True)]


@pytest.mark.parametrize("turn", [1.0, 90.0, 180.0])
def test_a_turned_source_has_no_rows_beyond(turn: float) -> None:
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = np.array([[c, -s, 50.0], [s, c, 50.0], [0.0, 0.0, 1.0]])
    assert border_bands(turned, ((300, 300), (200, 200))) == ()
    assert border_bands(np.full((3, 3), np.nan), ((300, 300), (200, 200))) == ()


def test_large_images_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "MOST_PIXELS", PLAIN[..., 0].size - 1)
    found = changes(PLAIN, inserted(312))
    assert found.inner_bands == ()
    assert found.share > 0.1


def test_some_columns_of_large_images_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = changes(PLAIN, inserted(312))
    monkeypatch.setattr(bands, "COMPARED_PIXELS", PLAIN[..., 0].size // 4)
    assert changes(PLAIN, inserted(312)).inner_bands == whole.inner_bands


@pytest.mark.parametrize("columns", [False, True])
def test_masked_rows_are_not_compared(columns: bool) -> None:
    source, target, mask = PLAIN, inserted(312), np.ones((HEIGHT, WIDTH), bool)
    target[500:540, 300:340] = (90, 140, 200)
    mask[490:550, 290:350] = False
    if columns:
        source, target, mask = (
            np.ascontiguousarray(each.swapaxes(0, 1)) for each in (source, target, mask)
        )
    found = align(source, target, model="translation")
    changed = found.changed(source, target, target_mask=mask)
    assert changed is not None
    assert len(changed.inner_bands) == 1
    assert not any(
        (box.y if columns else box.x) == pytest.approx(300, abs=3) for box in changed.boxes
    )


def test_kinds_are_those_of_the_schema() -> None:
    pairs = [(PLAIN, inserted(312)), (inserted(312), PLAIN)]
    seen = {each.kind for pair in pairs for each in changes(*pair).bands}
    schema = alignment_schema()["properties"]["changed"]["anyOf"][1]
    listed = schema["properties"]["bands"]["items"]["properties"]["kind"]["enum"]
    assert tuple(listed) == BAND_KINDS
    assert seen <= set(BAND_KINDS)


SIZE = (300, 200)
BLOCKS = np.kron(np.random.default_rng(5).random((60, 50)) > 0.5, np.ones((6, 6)))[:, :300]
"""(360, 300), squares without any period."""


def compared(source: np.ndarray, target: np.ndarray) -> Layer:
    source, target = source.astype(np.float32), target.astype(np.float32)
    return Layer(source - target, np.ones(target.shape, np.bool_), target, noise=0.0)


def runs(layer: Layer, valid: np.ndarray | None = None) -> tuple[Run, ...]:
    return runs_of_rows(layer, valid, Scale(1.0), 8.0 / 255.0)


def test_runs_meet_where_rows_of_the_source_are_missing_and_leave_those_of_the_target_out() -> None:
    whole, without = BLOCKS[:200], np.vstack([BLOCKS[:90], BLOCKS[120:230]])
    above, below = runs(compared(whole, without))
    assert (above.shift, below.shift) == (0, 30)
    assert above.last == below.first == pytest.approx(90, abs=NEAR)
    above, below = runs(compared(without, whole))
    assert (above.shift, below.shift) == (0, -30)
    assert below.first - above.last == 30


def test_where_no_row_is_in_its_place_there_is_no_band() -> None:
    target = BLOCKS[:200]
    source = np.vstack([BLOCKS[18:100], BLOCKS[142:260]])
    assert runs(compared(source, target)) == ()


def test_what_is_not_valid_or_not_covered_is_not_compared_where_it_was_moved_to() -> None:
    layer = compared(BLOCKS[:200], np.vstack([BLOCKS[:90], BLOCKS[120:230]]))
    moved = (Run(0, 90, 0), Run(90, 200, 30))
    valid = np.ones((200, 300), np.bool_)
    valid[100:110, 20:40] = False
    layer.overlap[150:160, 50:70] = False
    inside = displaced(layer, valid, moved).overlap
    expected = valid.copy()
    expected[120:130, 50:70] = False  # 30 rows above where the source shows it
    expected[170:] = False
    assert (inside == expected).all()
    assert not displaced(layer, valid, moved).residual[inside].any()


@pytest.mark.parametrize(("count", "named"), [(7, False), (8, True), (199, True), (200, False)])
def test_a_border_has_some_rows_and_not_all(count: int, named: bool) -> None:
    shifted = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, count], [0.0, 0.0, 1.0]])
    found = border_bands(shifted, (SIZE, SIZE))
    expected = (
        Band("rows_only_in_target", 0, count, border=True),
        Band("rows_only_in_source", SIZE[1], count, border=True),
    )
    assert found == (expected if named else ())


def test_a_border_is_counted_by_the_run_that_ends_there() -> None:
    both = (SIZE, SIZE)
    assert border_bands(np.eye(3), both, ((0, 0), (-20, 30))) == (
        Band("rows_only_in_target", 0, 20, border=True),
        Band("rows_only_in_target", SIZE[1] - 30, 30, border=True),
    )
    assert border_bands(np.eye(3), both, ((20, 0), (0, 0))) == (
        Band("columns_only_in_source", 0, 20, border=True),
    )


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        (ChangedArea(10, 10, 75, 40, 1000), True, False),
        (ChangedArea(10, 10, 74, 50, 1000), False, True),
        (ChangedArea(10, 10, 75, 50, 399), False, False),
    ],
)
def test_only_what_differs_widely_may_have_moved(
    box: ChangedArea, rows: bool, columns: bool
) -> None:
    found = Changed(0.1, box.area, 8.0, 1, (box,))
    assert may_be_moved(found, SIZE, columns=False) == rows
    assert may_be_moved(found, SIZE, columns=True) == columns
    assert not may_be_moved(Changed(0.1, 1000, 8.0, 0, ()), SIZE, columns=False)


def test_what_cannot_be_compared_speaks_neither_for_a_band_nor_against_it() -> None:
    target = np.vstack([BLOCKS[:90], BLOCKS[120:230]])
    other = target.copy()
    other[100:140, :220] = 1.0 - other[100:140, :220]
    assert runs(compared(BLOCKS[:200], other)) == ()
    layer, valid = compared(BLOCKS[:200], other), np.ones(target.shape, np.bool_)
    valid[100:140, :220] = False
    layer.residual[~valid] = 0.0
    layer.overlap[~valid] = False
    assert [each.shift for each in runs(layer, valid)] == [0, 30]
    layer = compared(BLOCKS[:200], target)  # now the source is not covered
    layer.residual[:, :150] = 0.0
    layer.overlap[:, :150] = False
    assert [each.shift for each in runs(layer)] == [0, 30]


@pytest.mark.parametrize("shift", [-30, 30])
def test_rows_beyond_the_source_are_outside_the_overlap(shift: int) -> None:
    layer = compared(BLOCKS[30:230], BLOCKS[30 + shift : 230 + shift])
    moved = displaced(layer, None, (Run(0, 200, shift),))
    expected = np.ones(200, np.bool_)
    expected[slice(0, 30) if shift < 0 else slice(170, 200)] = False
    assert (moved.overlap == expected[:, np.newaxis]).all()
    assert not moved.residual.any()
