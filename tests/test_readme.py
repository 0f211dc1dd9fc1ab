"""README.md is short, and what it says is what the command and the package do."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from align_cli import load
from align_cli.commands.exit_codes import MEANINGS
from align_cli.commands.group import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
IMAGES = ROOT / "docs" / "images"

LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if "imalign " in line
]


def run(line: str) -> Result:
    """Run a line of a shell: imalign, or echo piped into it."""
    said, _, command = line.rpartition("|")
    words = shlex.split(command, comments=True)
    assert words[0] == "imalign"
    return CliRunner().invoke(cli, words[1:], input=said.removeprefix("echo ").strip() + "\n")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample pictures, where the README's first command has run."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = run(LINES[0])
    assert result.exit_code == 0, result.output
    (folder / "said.txt").write_text(result.output, "utf-8")
    return folder


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_table_of_exit_codes_is_complete() -> None:
    table = README.split("| exit code | meaning |\n")[1].split("\n\n")[0]
    first, others = re.findall(r"^\| (\d+) ", table, re.M), re.findall(r"\b(\d+): ", table)
    assert sorted(map(int, first + others)) == sorted(MEANINGS)


def test_the_first_command_says_what_the_readme_shows(clone: Path) -> None:
    said = (clone / "said.txt").read_text("utf-8")
    shown = README.split(LINES[0])[1].split("```\n")[2]
    number = r"\d+(?:\.\d+)?"
    assert re.sub(number, "#", said) == re.sub(number, "#", shown)
    numbers = [[float(n) for n in re.findall(number, text)] for text in (said, shown)]
    # Another numpy or OpenCV may round the last digit the other way.
    np.testing.assert_allclose(*numbers, rtol=0.02)


def test_the_first_command_writes_what_the_readme_lists(clone: Path) -> None:
    listed = re.findall(r"^\| `(poster_\S+)` \|", README, re.M)
    assert len(listed) == 3
    assert all((clone / name).is_file() for name in listed)


@pytest.mark.parametrize("line", LINES[1:])
def test_the_other_commands_can_be_pasted(
    clone: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    result = run(line)
    assert result.exit_code == 0, result.output


def test_the_python_is_short_and_runs(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(block.splitlines()) <= 10
    monkeypatch.chdir(clone)
    names: dict[str, object] = {}
    exec(block, names)
    by_command = cv2.imread(str(clone / "poster_source_aligned.png"))
    assert (np.asarray(names["warped"])[..., ::-1] == by_command).all()
    said = capsys.readouterr().out
    assert said.splitlines()[0] in (clone / "said.txt").read_text("utf-8")
    assert "\n[[" in said
    assert (load("poster.json").warp(names["source"]) == names["warped"]).all()


def test_the_worked_point() -> None:
    row = r"\[\[1, 0, (-?\d+)\], \[0, 1, (-?\d+)\], \[0, 0, 1\]\]"
    found = re.search(row + r"`[^(]*\((\d+), (\d+)\)[^(]*\((\d+), (\d+)\)", README)
    assert found is not None
    x, y, a, b, c, d = (int(number) for number in found.groups())
    assert (a + x, b + y) == (c, d)


def test_the_picture_is_small_and_what_its_script_draws() -> None:
    path = IMAGES / "before_after.png"
    assert path.stat().st_size < 150_000
    spec = importlib.util.spec_from_file_location("docs_images_make", IMAGES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = make
    spec.loader.exec_module(make)
    drawn = make.picture()[..., ::-1].astype(np.int64)
    # The file has a palette.
    assert np.abs(cv2.imread(str(path)) - drawn).mean() < 4
