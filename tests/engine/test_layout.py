"""Each folder of the engine imports only those before it, as its docstring has them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
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


def everything_imported(path: Path) -> Iterator[str]:
    """Every module of the package that a file imports, type checking and functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = node.module == "align_cli"
            yield from (f"align_cli.{a.name}" for a in node.names) if whole else [node.module or ""]


def test_the_one_way_up_out_of_the_engine_is_the_handover_of_a_result() -> None:
    below = ("align_cli.engine", "align_cli.native", "align_cli.workers", "align_cli.version")
    upwards = {
        (path.relative_to(FOLDER).as_posix(), module)
        for path in FOLDER.rglob("*.py")
        for module in everything_imported(path)
        if module.startswith("align_cli") and not module.startswith(below)
    }
    results = ("result/alignment.py", "result/transform.py")
    assert upwards == {(path, "align_cli.handover") for path in results}


def test_to_import_the_engine_loads_nothing_above_it() -> None:
    above = ("handover", "transform_files", "files", "report", "commands")
    code = (
        "import sys, align_cli; align_cli.align, align_cli.check; "
        f"print([m for m in sys.modules if m.startswith({tuple(f'align_cli.{a}' for a in above)})])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_no_function_is_long_and_none_takes_many_parameters() -> None:
    assert structure.too_large() == []
