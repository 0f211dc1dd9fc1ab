"""docs/json.md explains every field of the JSON, with the type that its schema gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from align_cli.commands.group import cli
from align_cli.engine.geometry.models import MODELS, describe
from align_cli.files.schema import ALIGNMENT, TRANSFORM, alignment_schema, transform_schema
from tests.scenes import pair

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "json.md").read_text("utf-8")
SCHEMAS = {ALIGNMENT: alignment_schema(), TRANSFORM: transform_schema()}
NAMED = {"#/$defs/pair": "[x, y]", "#/$defs/matrix": "3x3 numbers"}


def section(kind: str) -> str:
    return TEXT.split(f"\n## {kind}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[tuple[str, str, str]]:
    """Field, type and meaning of every row of the tables of a text."""
    found = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*) \|$", text, re.M)
    return [(field, kind, meaning) for field, kind, meaning in found]


def resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """A schema without reference, and without null as an alternative."""
    while True:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = {k: v for k, v in schema.items() if k != "$ref"} | whole["$defs"][name]
        others = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        if len(others) != 1:
            return schema
        schema = {k: v for k, v in schema.items() if k != "anyOf"} | others[0]


def nullable(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", ())
    return (
        (isinstance(kinds, list) and "null" in kinds)
        or None in schema.get("enum", ())
        or {"type": "null"} in schema.get("anyOf", ())
    )


def type_of(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    """What the second column says."""
    known = NAMED.get(schema.get("$ref", ""))
    plain = resolved(schema, whole)
    kinds = plain.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if known is None and "oneOf" in plain:
        known = " or ".join(type_of(each, whole) for each in plain["oneOf"])
    elif known is None and ("enum" in plain or "const" in plain):
        known = ", ".join(f"`{each}`" for each in plain.get("enum", [plain.get("const")]) if each)
    elif known is None and "array" in kinds:
        inner = type_of(plain["items"], whole)
        known = f"list of {inner}"
    elif known is None:
        names = {"string": "text", "boolean": "true or false"}
        known = " or ".join(names.get(kind, kind) for kind in kinds if kind != "null")
    return known + (" or null" if nullable(schema) or nullable(plain) else "")


def fields(
    schema: dict[str, Any], whole: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, str]]:
    """Every field of a document and its type; the fields of a list's objects follow ``[]``."""
    schema = resolved(schema, whole)
    items = schema.get("items")
    if isinstance(items, dict) and "properties" in resolved(items, whole):
        yield from fields(items, whole, f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, type_of(inner, whole)
        yield from fields(inner, whole, here)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_is_explained_and_no_other(kind: str) -> None:
    schema = SCHEMAS[kind]
    expected = dict(fields(schema, schema))
    found = {field: type_ for field, type_, _ in rows(section(kind))}
    terms = {f"parameters.{name}" for name in terms_of_all_models()}
    assert {name for name in found if name not in terms} == set(expected)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_has_one_row_with_a_meaning(kind: str) -> None:
    found = rows(section(kind))
    assert len({field for field, _, _ in found}) == len(found)
    assert all(len(meaning.split()) >= 2 for _, _, meaning in found)


def terms_of_all_models() -> set[str]:
    images = pair("homography", seed=1)
    matrix = images.source_to_target
    return {name for model in MODELS.values() for name in describe(matrix, model, (40, 30))}


def test_the_parameters_of_every_model_are_explained() -> None:
    found = {field for field, _, _ in rows(section(ALIGNMENT))}
    assert {f"parameters.{name}" for name in terms_of_all_models()} <= found


def test_the_measures_of_evaluate_are_explained(tmp_path: Path) -> None:
    from click.testing import CliRunner  # noqa: PLC0415

    (tmp_path / "t.txt").write_text("1 0 3\n0 1 0\n0 0 1\n")
    path = str(tmp_path / "t.txt")
    result = CliRunner().invoke(cli, ["diff", path, path, "--size", "40x30"])
    measures = [field for field, _, _ in rows(section("imalign evaluate, imalign diff"))]
    assert list(json.loads(result.output)) == measures
