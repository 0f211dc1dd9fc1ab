"""Each folder of the engine imports only those before it, as its docstring has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from align_cli import engine
from benchmarks import structure

FOLDER = Path(engine.__path__[0])
ORDER = re.findall(
    r"\w+", " ".join(re.findall(r"^    (\w+(?:, \w+)*)  ", engine.__doc__ or "", re.MULTILINE))
)
MOST_ROOMS = 19


def imported(path: Path) -> Iterator[str]:
    """The folders and files of the engine that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            first, second, *rest = [*node.module.split("."), "", ""]
            if (first, second) == ("align_cli", "engine"):
                yield from [rest[0]] if rest[0] else [alias.name for alias in node.names]


def test_the_map_names_every_room_once() -> None:
    rooms = {path.stem for path in FOLDER.iterdir() if not path.name.startswith("_")}
    assert sorted(ORDER) == sorted(rooms)
    assert len(rooms) <= MOST_ROOMS


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_only_those_before_it(room: str) -> None:
    paths = [FOLDER / f"{room}.py", *(FOLDER / room).rglob("*.py")]
    allowed = {*ORDER[: ORDER.index(room)], room}
    found = {each for path in paths if path.exists() for each in imported(path)}
    assert found <= allowed


def test_no_function_is_long_and_none_takes_many_parameters() -> None:
    assert structure.too_large() == []
