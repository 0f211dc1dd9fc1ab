"""Reports as people open them: in a browser, at two widths, by mouse, keys and touch."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.files.images import read_image, write_image
from align_cli.report.page.render import render as render_page
from benchmarks.changed_pages import Patch, random_page, render
from tests.commands.browser import NARROW, WIDE, Opened, chromium
from tests.report.page.test_render import page as page_of

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
POSTER = (SAMPLES / "poster_source.png", SAMPLES / "poster_target.png")
UNLIKE = (SAMPLES / "fundus_source.png", SAMPLES / "poster_target.png")
HOSTILE = (
    "<img src=x onerror=alert(1)>.png",
    "a\"b'c&amp;.png",
    "two\nlines.png",
    "right\u202eto\u2066left.png",
)

Open = Callable[..., Opened]


def imalign(folder: Path, *arguments: object, code: int = 0) -> None:
    command = [sys.executable, "-W", "error", "-m", "align_cli", *map(str, arguments), "-q"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Path:
    """A folder with a report of each kind."""
    del browser  # without one there is nothing to be made
    folder = tmp_path_factory.mktemp("reports")
    imalign(folder, *POSTER, "--report", "aligned.html")
    imalign(folder, *POSTER, "--report", "lossless.html", "--report-lossless")
    imalign(folder, "check", "poster_source_aligned.json", *POSTER, "--report", "check.html")
    imalign(folder, *POSTER, "-m", "rigid", "--report", "doubtful.html", code=1)
    imalign(folder, *UNLIKE, "--report", "failed.html", code=1)
    page = random_page(np.random.default_rng(3))
    write_image(folder / "page.png", render(page))
    button = Patch((300, 300, 40, 40), (200, 140, 90), 0)
    write_image(folder / "button.png", render(page.with_patch(button)))
    imalign(folder, "button.png", "page.png", "--report", "changed.html")
    moved = folder / "moved.txt"
    moved.write_text("1 0 25\n0 1 25\n0 0 1\n")
    imalign(folder, "check", moved, *POSTER, "--report", "wrong.html", code=1)
    return folder


KINDS = {
    "aligned": "aligned",
    "lossless": "aligned",
    "changed": "aligned",
    "check": "aligned",
    "doubtful": "doubtful",
    "failed": "failed",
    "wrong": "failed",
}


@pytest.fixture
def opened(browser: Any, reports: Path) -> Iterator[Open]:
    """Open a report; whatever was done to it, it asked for nothing and said nothing."""
    pages: list[Opened] = []

    def go(name: str | Path, width: int = WIDE, **how: Any) -> Opened:
        path = name if isinstance(name, Path) else reports / f"{name}.html"
        pages.append(Opened(browser, path, width, **how))
        return pages[-1]

    yield go
    for each in pages:
        assert (each.said, each.asked) == ([], [])
        each.close()


def wait_until(report: Opened, condition: str) -> None:
    """Wait for something, by other means than Playwright's, which the page's policy forbids."""
    for _ in range(100):
        if report.page.evaluate(condition):
            return
        report.page.wait_for_timeout(50)
    pytest.fail(f"never: {condition}")


def picture(page: Any, layer: str) -> np.ndarray:
    """A picture of a page as it is embedded."""
    uri = page.locator(f'[data-layer="{layer}"] img').first.get_attribute("src")
    data = base64.b64decode(uri.partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_report_can_be_read_by_everybody(
    name: str, width: int, scheme: str, opened: Open
) -> None:
    report = opened(name, width, color_scheme=scheme)
    assert report.page.title().startswith(f"{KINDS[name]}: ")
    assert KINDS[name] in report.page.locator("#verdict h2").inner_text()
    assert report.serious_faults() == []
    beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert report.page.evaluate(beyond) == 0
    pictures = "[...document.images].every((each) => each.complete && each.naturalWidth > 0)"
    assert report.page.evaluate(pictures)


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_fetched_from_anywhere(name: str, reports: Path) -> None:
    text = (reports / f"{name}.html").read_text("utf-8").lower()
    for attribute in ("src", "href"):
        for address in text.split(f'{attribute}="')[1:]:
            assert address.startswith(("data:", "#"))
    assert "@import" not in text
    assert "url(http" not in text


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_divider_follows_the_mouse(width: int, opened: Open) -> None:
    report = opened("aligned", width)
    target, warped = report.stage("t"), report.stage("w")
    assert (target != warped).any()
    report.press("s")
    stage = report.page.locator("[data-stage]")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    middle = box["y"] + box["height"] / 2
    report.page.mouse.move(box["x"] + box["width"] / 2, middle)
    report.page.mouse.down()
    report.page.mouse.move(box["x"] + 0.3 * box["width"], middle, steps=3)
    report.page.mouse.up()
    assert abs(int(report.page.locator("[data-divider]").input_value()) - 300) <= 3
    both, cut = report.stage(), round(0.3 * target.shape[1])
    # What is reduced to the narrow page is rounded as the browser likes.
    assert_allclose(both[:, : cut - 3], target[:, : cut - 3].astype(int), atol=3)
    assert_allclose(both[:, cut + 3 :], warped[:, cut + 3 :].astype(int), atol=3)


def test_the_divider_is_a_slider_for_keys_and_reaches_both_ends(opened: Open) -> None:
    report = opened("aligned")
    target, warped = report.stage("t"), report.stage("w")
    report.press("s")
    slider = report.page.get_by_role("slider", name="Divider")
    slider.focus()
    report.press("Home")
    assert_array_equal(report.stage()[:, 3:], warped[:, 3:])
    slider.focus()
    report.press("End")
    assert_array_equal(report.stage()[:, :-3], target[:, :-3])
    report.page.locator("[data-stage]").focus()
    report.press("ArrowLeft")
    assert slider.input_value() == "980"


def test_a_tap_moves_the_divider(opened: Open) -> None:
    report = opened("aligned", NARROW, has_touch=True)
    stage = report.page.locator("[data-stage]")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    report.page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 20)
    assert abs(int(report.page.locator("[data-divider]").input_value()) - 800) <= 5


def test_two_fingers_zoom_and_one_moves(opened: Open) -> None:
    report = opened("aligned", NARROW, has_touch=True)
    report.press("t")
    stage = report.page.locator("[data-stage]")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session = report.context.new_cdp_session(report.page)

    def touch(kind: str, *shifts: float) -> None:
        points = [
            {"x": middle["x"] + shift, "y": middle["y"], "id": n} for n, shift in enumerate(shifts)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = int(report.zoom.split()[0])
    touch("touchStart", -20.0, 20.0)
    for apart in (30.0, 40.0, 60.0):
        touch("touchMove", -apart, apart)
    touch("touchEnd")
    assert int(report.zoom.split()[0]) == pytest.approx(3 * before, rel=0.05)
    shown = report.stage()
    touch("touchStart", 0.0)
    touch("touchMove", 40.0)
    touch("touchMove", 80.0)
    touch("touchEnd")
    assert (report.stage() != shown).any()


def test_zoomed_the_divider_is_drawn_by_its_grip_and_elsewhere_the_image(opened: Open) -> None:
    report = opened("aligned")
    report.press("+", "+", "+")
    stage = report.page.locator("[data-stage]")
    box = stage.bounding_box()
    mouse, middle = report.page.mouse, box["y"] + box["height"] / 2
    slider = report.page.locator("[data-divider]")
    style = "document.querySelector('.scene').style.transform"
    place = report.page.evaluate(style)

    def drag(start: float, end: float) -> None:
        mouse.move(box["x"] + start * box["width"], middle)
        mouse.down()
        mouse.move(box["x"] + end * box["width"], middle, steps=3)
        mouse.up()

    drag(0.5, 0.4)
    assert abs(int(slider.input_value()) - 400) <= 3
    assert report.page.evaluate(style) == place
    drag(0.7, 0.6)
    assert abs(int(slider.input_value()) - 400) <= 3
    assert report.page.evaluate(style) != place


def test_keys_choose_what_is_shown(opened: Open) -> None:
    report = opened("aligned")
    shown = {}
    for radio in report.page.locator(".modes input").all():
        report.press(radio.get_attribute("data-key"))
        assert report.mode == radio.get_attribute("value")
        assert radio.is_checked()
        if report.mode != "blink":
            shown[report.mode] = report.stage().tobytes()
    assert len(set(shown.values())) == len(shown) == 8
    report.press("t", "Control+d", "Alt+e")
    assert report.mode == "target"
    before = report.stage()
    report.press("o")
    assert (report.stage() != before).any()
    report.press("o", "a")
    assert (report.stage() != before).any()
    report.press("a")
    assert_array_equal(report.stage(), before)
    report.press("?")
    keys = report.page.locator(".keys")
    assert keys.get_attribute("open") is not None
    report.press("e")  # the list has the focus, and its own keys
    assert report.mode == "error"
    report.page.get_by_label("These keys are on").uncheck()
    report.press("d")
    assert report.mode == "error"
    report.page.get_by_label("These keys are on").check()
    report.press("d")
    assert report.mode == "difference"
    keys.locator("summary").press("Space")
    assert keys.get_attribute("open") is None


def test_only_keys_that_do_something_are_listed(opened: Open) -> None:
    listed = {
        kind: opened(kind).page.locator(".keys kbd").all_text_contents()
        for kind in ("changed", "aligned", "failed")
    }
    assert {"s", "b", "o", "m", "a", "space"} <= set(listed["changed"])
    assert "m" not in listed["aligned"]
    assert listed["failed"] == ["+", "-", "0", "1", "o", "?"]


def test_blinking_cuts_from_one_picture_to_the_other(opened: Open) -> None:
    report = opened("aligned", reduced_motion="reduce")
    target, warped = report.stage("t"), report.stage("w")
    report.press("b")
    tag = report.page.locator("[data-tag=left]")
    for expected, name in ((target, "target"), (warped, "warped source"), (target, "target")):
        assert_array_equal(report.stage(), expected)
        assert tag.inner_text() == name
        report.press("Space")
    # Nobody who does not want motion is shown any, until asking for it.
    report.page.get_by_role("button", name="Play").click()
    wait_until(report, "document.querySelector('[data-viewer]').dataset.blink === 'target'")
    report.page.get_by_role("button", name="Pause").click()


def test_single_pixels_are_those_of_the_image(opened: Open) -> None:
    report = opened("lossless")
    target = read_image(POSTER[1]).pixels
    report.press("1")
    assert report.zoom == "100 %"
    shown = report.stage("t")
    stage, scene = (
        report.page.locator(selector).bounding_box() for selector in ("[data-stage]", ".scene")
    )
    left, top = (round(scene[axis] - stage[axis]) for axis in ("x", "y"))
    height, width = target.shape[:2]
    assert_array_equal(shown[top : top + height, left : left + width], target)


def test_zoom_goes_down_to_blocks_of_one_colour(opened: Open) -> None:
    report = opened("lossless")
    report.press("t", *["+"] * 20)
    assert report.zoom == "3200 %"
    shown = report.stage()
    block = shown[200:232, 600:632].reshape(-1, 3)
    assert len(np.unique(block, axis=0)) <= 4
    report.page.locator("[data-stage]").focus()
    report.press("ArrowRight")
    assert (report.stage() != shown).any()
    report.press("0")
    assert report.zoom != "3200 %"


def test_the_page_scrolls_where_nobody_holds_control(opened: Open) -> None:
    report = opened("aligned", NARROW)
    stage = report.page.locator("[data-stage]")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    report.page.mouse.move(box["x"] + 50, box["y"] + 50)
    zoom, top = report.zoom, report.page.evaluate("scrollY")
    report.page.mouse.wheel(0, 200)
    wait_until(report, f"scrollY > {top}")
    assert report.zoom == zoom


def test_both_images_of_a_failure_stand_side_by_side_and_move_together(opened: Open) -> None:
    report = opened("failed")
    stages = report.page.locator("[data-stage]")
    assert stages.count() == 2
    scales = (
        "[...document.querySelectorAll('.scene')]"
        ".map((each) => new DOMMatrix(getComputedStyle(each).transform).a)"
    )
    before = report.page.evaluate(scales)
    report.press("+")
    after = report.page.evaluate(scales)
    assert after[0] / before[0] == pytest.approx(1.5, rel=1e-3)
    assert after[1] / before[1] == pytest.approx(1.5, rel=1e-3)
    box = report.page.get_by_label("Where the search looked")
    assert box.is_checked()
    assert report.page.locator(".outlines polygon").count() >= 1
    shown = report.page.locator("[data-stage]").nth(1).screenshot()
    report.press("o")
    assert report.page.locator("[data-stage]").nth(1).screenshot() != shown
    assert "--init" in report.page.locator("#verdict").inner_text()


def test_what_changed_is_marked_and_the_marks_can_be_hidden(opened: Open) -> None:
    report = opened("changed")
    assert report.page.get_by_label("What changed (1 area)").is_checked()
    assert report.page.locator(".marks polygon").count() == 1
    assert "1 area" not in report.page.locator("#numbers").inner_text()
    assert " of the overlap changed: 4" in report.page.locator("#numbers").inner_text()
    shown = report.page.locator("[data-stage]").screenshot()
    report.press("m")
    assert report.page.locator("[data-stage]").screenshot() != shown


def test_on_paper_the_pictures_stand_one_beside_the_other(opened: Open) -> None:
    report = opened("aligned")
    report.page.emulate_media(media="print")
    figures = report.page.locator("[data-layer]")
    boxes = [each.bounding_box() for each in figures.all()]
    assert len({(box["x"], box["y"]) for box in boxes}) == 5
    assert all(box["width"] > 100 for box in boxes)
    assert not report.page.locator(".controls").is_visible()
    assert report.page.locator("figcaption", has_text="error map").first.is_visible()


@pytest.mark.parametrize(("kind", "shapes"), [("failed", "outlines"), ("changed", "marks")])
@pytest.mark.parametrize("how", [{}, {"java_script_enabled": False}], ids=["print", "no script"])
def test_on_paper_and_without_scripts_drawings_lie_over_the_target(
    kind: str, shapes: str, how: dict[str, Any], opened: Open
) -> None:
    report = opened(kind, **how)
    if not how:
        report.page.emulate_media(media="print")
    drawn, target = (
        report.page.locator(each).bounding_box()
        for each in ("svg.drawn", "[data-layer=target] img")
    )
    assert drawn["width"] > 100
    assert_allclose([*drawn.values()], [*target.values()], atol=1.0)
    assert report.page.locator(f".{shapes} polygon").first.is_visible()
    line = "getComputedStyle(document.querySelector('svg.drawn polygon')).vectorEffect"
    assert how or report.page.evaluate(line) == "non-scaling-stroke"


def test_without_scripts_everything_is_there(opened: Open) -> None:
    report = opened("aligned", NARROW, java_script_enabled=False)
    boxes = [each.bounding_box() for each in report.page.locator("[data-layer]").all()]
    assert len({(box["x"], box["y"]) for box in boxes}) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="has no such names")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_whatever_it_looks_like(name: str, tmp_path: Path, opened: Open) -> None:
    shutil.copy(POSTER[0], tmp_path / name)
    imalign(tmp_path, f"./{name}", POSTER[1], "--report", "r.html", "--json", "r.json")
    report = opened(tmp_path / "r.html")
    report.page.wait_for_timeout(100)
    assert report.page.locator("img[src=x]").count() == 0
    told = report.page.locator("header bdi").first.text_content()
    plain = name.replace("\n", "\\n").replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")
    assert told == f"./{plain}"
    assert report.page.locator(".inputs bdi").first.text_content() == told
    # The command is one line, and a shell makes the same name of it.
    command = report.page.locator("pre code").text_content()
    assert "\n" not in command
    script = f'set -- {command}; printf %s "$2"'
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == f"./{name}"


def test_what_is_transparent_is_not_black(tmp_path: Path, opened: Open) -> None:
    source, target = (read_image(path).pixels for path in POSTER)
    opaque = np.full(target.shape[:2], 255, np.uint8)
    opaque[:, :60] = 0
    write_image(tmp_path / "target.png", np.dstack([target, opaque]))
    imalign(tmp_path, POSTER[0], "target.png", "--report", "r.html")
    report = opened(tmp_path / "r.html")
    report.press("t", "1")
    left = report.stage()[50:150, 10:200].reshape(-1, 3)
    assert left.min() > 100
    assert source.shape == target.shape


def test_the_command_breaks_between_its_words(reports: Path, opened: Open) -> None:
    """Where the page is narrow, no option is broken at its hyphens."""
    del reports
    words = opened("aligned", NARROW).page.locator("pre .word")
    lines = {
        word.inner_text(): word.evaluate("word => word.getClientRects().length")
        for word in words.all()
    }
    assert lines["--report"] == 1
    heights = {word.inner_text(): word.bounding_box()["height"] for word in words.all()}
    assert heights["--report"] == heights["imalign"]


def test_a_long_name_or_number_does_not_widen_the_page(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "long.html").write_text(render_page(page_of("9" * 300)), "utf-8")
    report = opened(tmp_path / "long.html", NARROW)
    root = "document.documentElement"
    assert report.page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


def test_labels_of_a_narrow_image_are_small_and_at_its_edge(opened: Open) -> None:
    narrow, wide = (
        opened("aligned", width).page.locator("[data-tag=left]").bounding_box()
        for width in (NARROW, WIDE)
    )
    stage = opened("aligned", NARROW).page.locator("[data-stage]").bounding_box()
    assert narrow["height"] < 0.8 * wide["height"]
    assert narrow["y"] == pytest.approx(stage["y"], abs=1)


def test_what_belongs_together_is_on_one_sheet(opened: Open) -> None:
    """How to get it again is not torn: no line of it is left over on a sheet of its own."""
    report = opened("aligned")
    report.page.emulate_media(media="print")
    style = "getComputedStyle(document.querySelector('#provenance')).breakInside"
    assert report.page.evaluate(style) == "avoid"
