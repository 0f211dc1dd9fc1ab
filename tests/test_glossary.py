"""docs/glossary.md is true: every term has a symbol that exists, and a section that exists."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from align_cli.commands.group import cli

ROOT = Path(__file__).parent.parent
METHOD = (ROOT / "docs" / "method.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if line.startswith("| ")
]
ROWS = TABLE[2:]
SYMBOLS = sorted({name for row in ROWS for name in re.findall(r"`([^`]+)`", row[2])})

NOT_FOR_READERS = (
    "at rest",
    "come to rest",
    "ran away",
    "lies right",
    "lie right",
    "to be had",
    "all the same",
    "judge",
    "picture",
    "repeats itself",
    "takes part",
    "take part",
    "how sure",
)
"""What is not said in messages and help: the glossary has a term for each."""


def has(owner: Any, name: str) -> bool:
    """Whether an object has an attribute, or a class a field without a default."""
    if hasattr(owner, name):
        return True
    return is_dataclass(owner) and name in {field.name for field in fields(owner)}


def exists(symbol: str) -> bool:
    """Whether a dotted name is a module's attribute, or one of its class."""
    words = symbol.split(".")
    for count in range(len(words) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(words[:count]))
        except ModuleNotFoundError:
            continue
        *path, last = words[count:]
        for name in path:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return has(found, last)
    return False


def test_the_table_has_four_columns_and_its_terms_are_in_order() -> None:
    assert TABLE[0] == ["term", "meaning", "symbol in code", "formula, section"]
    assert len(ROWS) > 30
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        assert re.search(r"`(align_cli|benchmarks)\.[^`]+`", row[2]), row
    terms = [row[0].lower() for row in ROWS]
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol_exists(symbol: str) -> None:
    assert exists(symbol)


def test_a_symbol_that_does_not_exist_is_found_out() -> None:
    for symbol in (
        "align_cli.Nothing",
        "align_cli.engine.nothing.align",
        "align_cli.Quality.nothing",
        "align_cli.engine.records.Nothing.overlap",
    ):
        assert not exists(symbol)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_section_exists(row: list[str]) -> None:
    sections = re.search(r"sections? (\d+)(?: and (\d+))?$", row[3])
    assert sections, row
    for number in filter(None, sections.groups()):
        assert re.search(rf"^## {number}\. ", METHOD, re.MULTILINE)


def printed(path: Path) -> list[str]:
    """The strings of a module, but for those that stand alone, which are documentation."""
    tree = ast.parse(path.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "align_cli").rglob("*.py")), ids=lambda path: path.stem
)
def test_no_message_says_what_the_glossary_has_a_term_for(path: Path) -> None:
    for text in printed(path):
        if " " in text:
            assert [words for words in NOT_FOR_READERS if words in text.lower()] == [], text


@pytest.mark.parametrize("name", [None, *cli.commands])
def test_no_help_says_what_the_glossary_has_a_term_for(name: str | None) -> None:
    command = cli if name is None else cli.commands[name]
    text = " ".join(command.get_help(click.Context(command)).lower().split())
    assert [words for words in NOT_FOR_READERS if words in text] == []
