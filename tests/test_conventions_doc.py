"""docs/conventions.md is true: its code runs, from the first block to the last."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from align_cli.commands.transform_outputs import FORMAT_NAMES

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "conventions.md").read_text("utf-8")
# What follows "python" names a library that is not always there.
BLOCKS = [
    (words, code) for words, code in re.findall(r"```python ?(\w*)\n(.*?)```", TEXT, re.DOTALL)
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks so far have defined, and the folder they work in."""
    return {"_folder": tmp_path_factory.mktemp("conventions")}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_block_runs(
    number: int, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, code = BLOCKS[number]
    if library and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install -e '.[bench]' (5 GB with torch)")
    monkeypatch.chdir(names["_folder"])
    exec(compile(code, f"docs/conventions.md, block {number}", "exec"), names)
    assert "assert " in code


def test_every_format_has_its_recipe() -> None:
    words = {"json": "JSON", "opencv": "OpenCV", "itk": "ITK", "gcp": "GDAL", "text": "matrix.txt"}
    for name in FORMAT_NAMES:
        assert words.get(name, name) in TEXT


def test_the_prose_names_the_options_that_there_are() -> None:
    from align_cli.commands.group import cli  # noqa: PLC0415

    known = {"--optfile"} | {
        option for command in cli.commands.values() for p in command.params for option in p.opts
    }
    assert set(re.findall(r"--[a-z][a-z-]*", TEXT)) <= known
