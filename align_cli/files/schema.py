"""The published JSON Schema of what the program writes."""

from __future__ import annotations

import json
from typing import Any

ALIGNMENT = "imalign/alignment/1"
"""The value of ``"schema"`` in an alignment: kind and version of the document."""


def alignment_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the alignment document, a new dict at each call."""
    from importlib import resources  # noqa: PLC0415 - rarely needed

    name = f"{ALIGNMENT.removeprefix('imalign/').replace('/', '-')}.schema.json"
    text = resources.files("align_cli.files").joinpath("schema", name).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
