from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.aligner import align
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
