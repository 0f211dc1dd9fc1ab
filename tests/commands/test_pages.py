"""--page, by the command on real files of several pages."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
import tifffile
from PIL import Image

from align_cli.commands.pages import Pages, page_number, pages_of_both
from align_cli.files.images import read_image
from tests.commands.conftest import TRUTH, Imalign

Pair = tuple[Path, Path]


@pytest.fixture
def stack(pair: Pair, tmp_path: Path) -> Path:
    """``stack.tif``: noise, the target, the source."""
    source, target = (read_image(path).pixels for path in pair)
    noise = np.random.default_rng(4).integers(0, 256, target.shape, np.uint8)
    tifffile.imwrite(
        tmp_path / "stack.tif", np.stack([noise, target, source]), photometric="minisblack"
    )
    return tmp_path / "stack.tif"


@pytest.mark.parametrize(
    ("text", "pages"), [("3", (3, None)), ("3,0", (3, 0)), ("0 , 12", (0, 12))]
)
def test_the_numbers_of_a_text(text: str, pages: tuple[int, int | None]) -> None:
    assert pages_of_both(text) == Pages(*pages)


@pytest.mark.parametrize("text", ["", "-1", "1,2,3", "1,", "one", "1.5", "9999999999"])
def test_what_is_no_page(imalign: Imalign, pair: Pair, text: str) -> None:
    result = imalign("a.png", "b.png", "--page", text)
    assert result.returncode == 2
    assert "is not N or N,M: the page of SRC and that of DST, from 0, such as 3,0" in result.stderr
    with pytest.raises(ValueError, match="not the number of a page"):
        page_number(text or "x")


def test_pages_of_one_file(imalign: Imalign, pair: Pair, stack: Path, tmp_path: Path) -> None:
    options = ("-m", "rigid", "-o", "out.tif", "--json", "out.json")
    result = imalign(stack.name, stack.name, "--page", "2,1", *options)
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    np.testing.assert_allclose(document["source_to_target"], TRUTH, atol=0.1)
    assert (document["options"]["source_page"], document["options"]["target_page"]) == (2, 1)
    # The same pictures as files of their own: the same pixels.
    assert imalign(*pair, "-m", "rigid", "-o", "alone.tif", "--json", "alone.json").returncode == 0
    alone = json.loads((tmp_path / "alone.json").read_text())
    assert alone["source_to_target"] == document["source_to_target"]
    assert alone["options"]["source_page"] is None
    assert (tmp_path / "alone.tif").read_bytes() == (tmp_path / "out.tif").read_bytes()
    # The other commands that take files of several pages.
    assert imalign("check", "out.json", stack, stack, "--page", "2,1", "-q").returncode == 0
    assert imalign("check", "out.json", stack, stack, "--page", "0,1", "-q").returncode == 1
    assert imalign("selftest", stack, stack, "--page", "2,1", "-q").returncode == 0
    applied = imalign("apply", "out.json", stack, "--page", 2, "-o", "again.tif")
    assert applied.returncode == 0, applied.stderr
    assert (tmp_path / "again.tif").read_bytes() == (tmp_path / "out.tif").read_bytes()


def test_one_number_is_that_of_the_source(imalign: Imalign, pair: Pair, stack: Path) -> None:
    assert imalign(stack, "b.png", "--page", "2", "-m", "rigid").returncode == 0


def test_frames_of_an_animation(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    source, target = (Image.fromarray(read_image(path).pixels) for path in pair)
    for name in ("m.gif", "m.png", "m.webp"):
        target.save(tmp_path / name, save_all=True, append_images=[source], lossless=True)
        result = imalign(name, name, "--page", "1,0", "-m", "rigid", "--json", "m.json")
        assert result.returncode == 0, result.stderr
        found = json.loads((tmp_path / "m.json").read_text())["source_to_target"]
        np.testing.assert_allclose(found, TRUTH, atol=0.2)


def test_messages_name_what_to_type(imalign: Imalign, pair: Pair, stack: Path) -> None:
    several = imalign("stack.tif", "b.png")
    assert several.returncode == 3
    assert "stack.tif: contains 3 pages; choose one with --page N, from 0" in several.stderr
    absent = imalign("stack.tif", "b.png", "--page", "7")
    assert absent.returncode == 3
    assert "contains 3 pages, counted from 0, and no page 7; choose one with --page 0 to 2" in (
        absent.stderr
    )
    single = imalign("a.png", "b.png", "--page", "1")
    assert single.returncode == 3
    assert "a.png: contains 1 page, counted from 0, and no page 1; omit --page" in single.stderr


def test_the_options_of_the_help() -> None:
    from align_cli.commands.group import cli  # noqa: PLC0415

    for name, metavar in (("align", "N[,M]"), ("check", "N[,M]"), ("apply", "N")):
        (option,) = (each for each in cli.commands[name].params if "--page" in each.opts)
        assert isinstance(option, click.Option)
        assert option.metavar == metavar
