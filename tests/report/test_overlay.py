"""What the browser composes on a page and what an overlay shows are the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.report import overlay
from align_cli.report.page import render
from align_cli.report.page.stretch import Shown
from align_cli.report.page.view import Outline

ROW = np.array([[0, 100, 200, 255]], np.uint8)


def template(name: str) -> str:
    return (Path(render.TEMPLATES) / name).read_text("utf-8")


def test_the_page_has_the_same_squares_and_colours() -> None:
    # A period is two squares.
    period = f"Math.max(stage.width, stage.height) / {overlay.SQUARES // 2}px"
    assert period in template("viewer.js").replace("}", "")
    amber = "#{:02x}{:02x}{:02x}".format(*overlay.BORDER)
    assert f".outlines polygon {{ fill: none; stroke: {amber}" in template("page.css")
    magenta = "#{:02x}{:02x}{:02x}".format(*overlay.CHANGED)
    assert f".marks polygon {{ fill: none; stroke: {magenta}" in template("page.css")


def test_the_page_weighs_the_colours_likewise() -> None:
    found = re.search(
        r'id="red".*?values="([.\d]+) ([.\d]+) ([.\d]+) 0 0', template("parts/viewer.html")
    )
    assert found is not None
    weights = np.array([float(each) for each in found.groups()])
    picture = np.random.default_rng(1).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    black = Shown(np.zeros((40, 40), np.uint8))
    seen = overlay.draw("red-cyan", overlay.Pair(Shown(picture), black, None))
    assert np.abs(seen[..., 0] - picture @ weights).max() <= 0.51
    assert not seen[..., 1:].any()


def test_what_is_half_transparent_lies_on_the_squares() -> None:
    opaque = np.array([[0, 51, 255, 255]], np.uint8)
    below = overlay.NOTHING[0]
    assert_array_equal(
        overlay.flat(Shown(ROW, opaque)), [[below, round(below + 0.2 * (100 - below)), 200, 255]]
    )
    assert_array_equal(
        overlay.flat(Shown(np.dstack([ROW] * 3), opaque))[..., 1], overlay.flat(Shown(ROW, opaque))
    )


def test_a_picture_of_fewer_pixels_than_squares_shows_both() -> None:
    pair = overlay.Pair(Shown(ROW), Shown(255 - ROW), None)
    assert_array_equal(overlay.draw("checkerboard", pair)[..., 0], [[0, 155, 200, 0]])


@pytest.mark.parametrize("side", [60, 2000])
def test_lines_are_thicker_in_large_pictures(side: int) -> None:
    middle = side / 2
    border = Outline(((middle, -9), (9 * side, -9), (9 * side, 2 * side), (middle, 2 * side)), "")
    pair = overlay.Pair(Shown(np.full((side, side), 128, np.uint8)), Shown(ROW), border)
    seen = overlay.draw("outline", pair).astype(int)
    amber = np.flatnonzero(seen[side // 4, :, 0] - seen[side // 4, :, 2] > 100)
    assert abs(amber.mean() - (middle - 0.5)) <= 0.5
    assert abs(len(amber) - max(1, side / overlay.LINES)) <= 2  # OpenCV rounds up
    assert not (pair.target.colours != 128).any()  # it is not drawn into the caller's picture


def test_a_border_that_cannot_be_drawn_leaves_the_target() -> None:
    seen = overlay.draw("outline", overlay.Pair(Shown(ROW), Shown(ROW), None))
    assert_array_equal(seen, np.dstack([ROW] * 3))


@pytest.mark.parametrize("style", list(overlay.DRAWN))
@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("side", [200, 2000])
def test_boxes_are_seen_around_what_changed_in_every_style(
    style: str, grey: int, side: int
) -> None:
    plain = Shown(np.full((side, side), grey, np.uint8))
    low, high = 0.4 * side, 0.5 * side
    box = Outline(((low, low), (high, low), (high, high), (low, high)), "")
    seen = overlay.draw(style, overlay.Pair(plain, plain, None, (box,)))
    row = seen[round(0.45 * side)].astype(int)
    magenta = np.flatnonzero((row[:, 0] - row[:, 1] > 100) & (row[:, 2] - row[:, 1] > 100))
    assert magenta.size
    thick = max(1, side / overlay.LINES)
    assert magenta[0] == pytest.approx(low - 0.5 - 1.5 * thick, abs=thick)
    assert magenta[-1] == pytest.approx(high - 0.5 + 1.5 * thick, abs=thick)
    inside = np.s_[round(low) : round(high), round(low) : round(high)]
    assert (seen[inside][3:-3, 3:-3] == grey).all()  # what changed is not hidden
    assert (plain.colours == grey).all()


def test_a_box_along_the_border_of_the_picture_is_seen_whole() -> None:
    plain = Shown(np.full((300, 400), 128, np.uint8))
    box = Outline(((0.0, 0.0), (400.0, 0.0), (400.0, 300.0), (0.0, 300.0)), "")
    seen = overlay.draw("checkerboard", overlay.Pair(plain, plain, None, (box,))).astype(int)
    magenta = seen[..., 0] - seen[..., 1] > 100
    assert magenta[:4, 200].any()
    assert magenta[-4:, 200].any()
    assert magenta[150, :4].any()
    assert magenta[150, -4:].any()
