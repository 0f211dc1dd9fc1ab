"""What changed, as the command tells it: JSON, exit code, words, page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from align_cli.files.images import read_image, write_image
from benchmarks.changed_pages import Patch, random_page, render
from tests.commands.conftest import Imalign
from tests.photographs import cut, photograph

PAGE = random_page(np.random.default_rng(3))
BUTTON = Patch((300, 300, 40, 40), (90, 140, 200), 0)
OTHER = Patch((300, 300, 40, 40), (200, 140, 90), 0)
FEW = ("--no-image", "--no-error-map", "-m", "translation")


@pytest.fixture
def pages(tmp_path: Path) -> None:
    """``same.png`` is ``b.png``, shifted by 1 px; ``other.png`` has a button of another colour."""
    target = render(PAGE.with_patch(BUTTON))
    write_image(tmp_path / "b.png", target)
    write_image(tmp_path / "same.png", np.roll(target, 1, 1))
    write_image(tmp_path / "other.png", np.roll(render(PAGE.with_patch(OTHER)), 1, 1))
    write_image(tmp_path / "line.png", render(PAGE.with_patch(BUTTON).closed_up(PAGE.texts[8])))


def told(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text("utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.mark.usefixtures("pages")
def test_a_shift_passes(imalign: Imalign, tmp_path: Path) -> None:
    result = imalign("same.png", "b.png", *FEW, "--max-changed", 0)
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-2] == "no change found above 8 grey levels"
    document = told(tmp_path / "same_aligned.json")
    assert document["changed"] == {
        "share": 0.0,
        "pixels": 0,
        "above_levels": 8.0,
        "max_share": 0.0,
        "exceeds": False,
        "areas": 0,
        "boxes": [],
        "bands": [],
    }
    assert document["options"]["max_changed"] == 0.0
    assert document["options"]["changed_above_levels"] == 8.0


@pytest.mark.usefixtures("pages")
def test_a_recoloured_button_fails_and_is_marked(imalign: Imalign, tmp_path: Path) -> None:
    limits = "--max-changed", "0.001"
    result = imalign("other.png", "b.png", "-m", "translation", *limits, "--report", "r.html")
    assert result.returncode == 1
    document = told(tmp_path / "other_aligned.json")
    assert document["outcome"]["aligned"]
    (box,) = document["changed"]["boxes"]
    assert [box[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [300, 300, 40, 40], abs=3
    )
    where = f"{box['width']}x{box['height']} px at ({box['x']}, {box['y']})"
    share = f"{100 * document['changed']['share']:.3g} %"
    objection, step = result.stderr.splitlines()[-2:]
    assert step == "next: to look at it, open r.html in a browser"
    assert objection == (
        f"other.png -> b.png: {share} of the overlap changed: {where}; this exceeds "
        "--max-changed 0.001 (a larger one, or --changed-above, allows more)"
    )
    assert result.stderr.count("changed:") == 1
    assert (tmp_path / "other_aligned.png").is_file()
    assert (document["changed"]["max_share"], document["changed"]["exceeds"]) == (0.001, True)
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "The images are aligned</h1>" in page
    assert (
        '<p class="objection">'
        f"{share} of the overlap changed; at most 0.1 % is allowed (--max-changed).</p>"
    ) in page
    assert "What changed (1 area)" in page
    assert f"changed: {where}" in page

    quiet = imalign("other.png", "b.png", *FEW, *limits, "-q")
    assert (quiet.returncode, quiet.stderr.splitlines()) == (1, [objection])
    allowed = imalign("other.png", "b.png", *FEW, "--max-changed", "0.01")
    assert allowed.returncode == 0
    said, step = allowed.stderr.splitlines()[-2:]
    assert said == f"{share} of the overlap changed: {where}"
    assert "imalign apply other_aligned.json IMAGE" in step
    document = told(tmp_path / "other_aligned.json")
    assert (document["changed"]["max_share"], document["changed"]["exceeds"]) == (0.01, False)
    above = imalign("other.png", "b.png", *FEW, "--max-changed", 0, "--changed-above", 150)
    assert above.returncode == 0, above.stderr


@pytest.mark.usefixtures("pages")
def test_it_is_always_in_the_json_and_said_only_if_asked(imalign: Imalign, tmp_path: Path) -> None:
    result = imalign("other.png", "b.png", *FEW)
    assert result.returncode == 0, result.stderr
    assert "changed" not in result.stderr
    document = told(tmp_path / "other_aligned.json")
    assert document["changed"]["areas"] == 1
    assert document["options"]["max_changed"] is None
    assert (document["changed"]["max_share"], document["changed"]["exceeds"]) == (None, False)


@pytest.mark.usefixtures("pages")
def test_a_line_that_is_gone_fails(imalign: Imalign) -> None:
    assert imalign("line.png", "b.png", *FEW, "--max-changed", "0.001").returncode == 1


def test_rows_that_only_one_image_has_are_named(imalign: Imalign, tmp_path: Path) -> None:
    page = render(PAGE)
    banner = np.full((40, page.shape[1], 3), (250, 220, 120), np.uint8)
    write_image(tmp_path / "a.png", page)
    write_image(tmp_path / "b.png", np.vstack([page[:312], banner, page[312:]]))
    (tmp_path / "t.txt").write_text("1 0 0 0 1 0 0 0 1")
    pair = "a.png", "b.png", "--max-changed"
    views = "--overlay", "o.png", "--report", "r.html", "--json", "c.json"
    result = imalign("check", "t.txt", *pair, "0.01", *views)
    document = told(tmp_path / "c.json")
    bands = document["changed"]["bands"]
    assert [each["kind"] for each in bands if not each["border"]] == ["rows_only_in_target"]
    assert (bands[0]["at"], bands[0]["count"]) == (pytest.approx(312, abs=1), 40)
    named = f"rows only in target: 40 at y={bands[0]['at']}"
    share = f"{100 * document['changed']['share']:.3g} %"
    assert result.returncode == 1
    assert f"{share} of the overlap changed: {named}" in result.stderr.splitlines()[-2]
    assert named in (tmp_path / "r.html").read_text("utf-8")
    seen = read_image(tmp_path / "o.png").pixels.astype(int)
    magenta = (seen[:, 400, 0] - seen[:, 400, 1] > 150) & (seen[:, 400, 2] > 150)
    assert np.flatnonzero(magenta).min() == pytest.approx(310, abs=3)
    assert np.flatnonzero(magenta).max() == pytest.approx(353, abs=3)
    allowed = imalign("check", "t.txt", *pair, "0.2")
    assert f"of the overlap changed: {named}" in allowed.stderr


def test_a_page_that_is_longer_passes_and_says_so(imalign: Imalign, tmp_path: Path) -> None:
    page = render(PAGE)
    write_image(tmp_path / "a.png", page[:600])
    write_image(tmp_path / "b.png", page)
    result = imalign("a.png", "b.png", *FEW, "--max-changed", 0)
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-2] == (
        "no change found above 8 grey levels; beyond the overlap: rows only in target: 40 at y=600"
    )


@pytest.mark.usefixtures("pages")
def test_check_tells_the_same(imalign: Imalign, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("1 0 -1\n0 1 0\n0 0 1\n")
    limits = "--max-changed", "0.001", "--json", "c.json", "--report", "r.html"
    result = imalign("check", "t.txt", "other.png", "b.png", *limits)
    assert result.returncode == 1
    objection, step = result.stderr.splitlines()[-2:]
    assert "exceeds --max-changed 0.001" in objection
    assert step == "next: to look at it, open r.html in a browser"
    changed = told(tmp_path / "c.json")["changed"]
    assert (changed["areas"], changed["max_share"], changed["exceeds"]) == (1, 0.001, True)
    assert '<p class="objection">' in (tmp_path / "r.html").read_text("utf-8")
    quiet = imalign("check", "t.txt", "other.png", "b.png", *limits, "-q")
    assert quiet.stderr.splitlines() == [objection]
    assert imalign("check", "t.txt", "same.png", "b.png", *limits).returncode == 0


@pytest.mark.usefixtures("pages")
def test_what_compares_no_grey_values_has_no_limit(imalign: Imalign, tmp_path: Path) -> None:
    result = imalign("same.png", "b.png", "--similarity", "gradient", "--max-changed", 0)
    assert result.returncode == 2
    assert "--max-changed 0 compares grey values" in result.stderr
    (tmp_path / "t.txt").write_text("1 0 40\n0 1 0\n0 0 1\n")
    assert imalign("check", "t.txt", "same.png", "b.png", "--json", "c.json").returncode == 1
    assert told(tmp_path / "c.json")["changed"] is None


def test_a_limit_cannot_be_met_where_edges_turn_out_to_be_compared(
    imalign: Imalign, tmp_path: Path
) -> None:
    picture = photograph("poster")
    write_image(tmp_path / "a.png", 255 - cut(picture, (300, 220), 27, 25))
    write_image(tmp_path / "b.png", cut(picture, (300, 220), 20, 30))
    line = "a.png", "b.png", "-m", "rigid", "--similarity", "auto"
    result = imalign(*line, "--max-changed", 0, "--report", "r.html")
    assert result.returncode == 1
    assert '<p class="objection">What changed cannot be measured, because' in (
        tmp_path / "r.html"
    ).read_text("utf-8")
    assert result.stderr.splitlines()[-2] == (
        "a.png -> b.png: what changed cannot be measured, because edge orientations were compared "
        "and not grey values; omit --max-changed 0"
    )
    assert told(tmp_path / "a_aligned.json")["changed"] is None
    assert imalign(*line).returncode == 0


@pytest.mark.parametrize("limit", ["-0.1", "1.5", "nan"])
def test_shares_are_from_0_to_1(imalign: Imalign, limit: str) -> None:
    assert imalign("a.png", "b.png", "--max-changed", limit).returncode == 2
