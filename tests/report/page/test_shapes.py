from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from align_cli.engine.aligner import align
from align_cli.engine.records import SearchedTransform
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.changed import Band, Changed, ChangedArea
from align_cli.report.page import shapes
from align_cli.report.page.view import Chart
from tests.scenes import pair


def test_an_outline_goes_round_the_pixels_not_through_their_centres() -> None:
    moved = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, -4.0], [0.0, 0.0, 1.0]])
    found = shapes.outline(moved, (30, 20), (40, 40), "border")
    assert found is not None
    assert found.points == ((10.0, -4.0), (40.0, -4.0), (40.0, 16.0), (10.0, 16.0))


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.1, 0.0, 1.0]]),
        np.diag([1e6, 1e6, 1.0]),
        np.full((3, 3), np.nan),
    ],
)
def test_what_cannot_be_drawn_has_no_outline(matrix: np.ndarray) -> None:
    assert shapes.outline(matrix, (30, 20), (40, 40), "border") is None


def test_marks_go_round_the_pixels_that_changed() -> None:
    box = ChangedArea(x=3, y=5, width=10, height=4, area=33)
    (mark,) = shapes.changed_marks(Changed(0.1, 33, 8.0, 1, (box,)), (40, 30))
    assert mark.points == ((3.0, 5.0), (13.0, 5.0), (13.0, 9.0), (3.0, 9.0))
    assert mark.label == "changed: 10x4 px at (3, 5), 33 pixels differ"
    assert shapes.changed_marks(None, (40, 30)) == ()


def test_marks_are_on_what_only_one_image_has() -> None:
    bands = (
        Band("rows_only_in_target", 5, 10, border=False),
        Band("columns_only_in_source", 7, 3, border=False),
        Band("rows_only_in_source", 30, 9, border=True),
    )
    first, second = shapes.changed_marks(Changed(0.1, 33, 8.0, 0, (), bands), (40, 30))
    assert first.points == ((0.0, 5.0), (40.0, 5.0), (40.0, 15.0), (0.0, 15.0))
    assert first.label == "rows only in target: 10 at y=5"
    assert second.points == ((7.0, 0.0), (7.0, 0.0), (7.0, 30.0), (7.0, 30.0))
    assert second.label == "columns only in source: 3 at x=7"


def test_the_chart_ends_where_the_corners_do() -> None:
    both = pair("affine", seed=1)
    found = align(both.source, both.target, model="affine")
    chart = shapes.path_chart(found)
    assert isinstance(chart, Chart)
    assert [row[0] for row in chart.table] == ["start", *(str(r.level) for r in found.levels)]
    assert chart.table[-1][1:5] == ("0.000",) * 4
    assert float(chart.table[0][1]) > 0.5
    for line in chart.lines:
        assert len(line.points) == len(found.path)
        assert line.points[-1] == (chart.width, pytest.approx(chart.height))


def test_arrows_show_the_tiles_and_end_before_they_hide_others() -> None:
    both = pair("rigid", seed=1, noise=0.01)
    found = align(both.source, both.target, model="rigid").displacements
    assert found is not None
    drawn, times = shapes.arrows(found.field)
    assert len(drawn) == len(found.field)
    assert times >= 1
    spacing = shapes.spacing_px(found.field)
    for arrow, position, matched in zip(
        drawn, found.field.position, found.field.matched, strict=True
    ):
        assert arrow.centre == pytest.approx(tuple(position + 0.5), abs=0.01)
        assert (arrow.tip is None) == (not matched)
        if arrow.tip is not None:
            reach = np.subtract(arrow.tip, arrow.centre)
            assert np.hypot(*reach) <= shapes.LONGEST * spacing + 0.02


def solved() -> Alignment:
    both = pair("affine", seed=1)
    return align(both.source, both.target, model="affine")


def test_of_many_places_the_best_are_drawn_and_the_best_last() -> None:
    found = solved()
    shares = np.random.default_rng(0).permutation(np.linspace(0.0, 0.5, 51))
    places = tuple(SearchedTransform("poses", found.source_to_target, each) for each in shares)
    drawn = shapes.searched_outlines(replace(found, searched=places))
    assert [each.strength for each in drawn] == pytest.approx(
        0.4 + 0.6 * np.linspace(0.11, 0.5, 40) / 0.5
    )
    assert drawn[-1].label == "poses: 50 % of the tiles correlate"
    none = tuple(replace(each, share=0.0) for each in places[:3])
    drawn = shapes.searched_outlines(replace(found, searched=none))
    assert [each.strength for each in drawn] == [0.4] * 3


def test_a_border_some_lengths_away_is_drawn() -> None:
    for times, drawn in ((7.9, True), (8.1, False)):
        away = np.array([[1.0, 0.0, 40 * times - 30], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        assert (shapes.outline(away, (30, 20), (40, 40), "border") is not None) == drawn


def test_a_level_that_is_solved_twice_is_named_once() -> None:
    found = solved()
    twice = replace(
        found, levels=(*found.levels, found.levels[-1]), path=(*found.path, found.path[-1])
    )
    chart = shapes.path_chart(twice)
    assert isinstance(chart, Chart)
    assert [tick.label for tick in chart.across][-2:] == ["0", "again"]
    assert [row[5] for row in chart.table] == ["", *(str(r.iterations) for r in twice.levels)]


def test_a_path_with_no_place_on_it_has_no_chart() -> None:
    found = solved()
    lost = (np.full((3, 3), np.nan), *found.path[1:])
    for path in (lost, (), found.path[:1]):
        assert shapes.path_chart(replace(found, path=path)) is None
