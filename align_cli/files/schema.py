"""The published JSON Schema of what the program writes."""

from __future__ import annotations

import json
from typing import Any

ALIGNMENT = "imalign/alignment/3"
"""The value of ``"schema"`` in an alignment: kind and version of the document."""

EARLIER_ALIGNMENTS = ("imalign/alignment/2", "imalign/alignment/1")
"""Versions that are not written any more, and still read."""

TRANSFORM = "imalign/transform/1"
"""The same in a transform without the story of how it was found."""

CONVENTIONS = (
    "source_to_target maps homogeneous source pixels (x right, y down, pixel centres at integers, "
    "(0, 0) the centre of the top-left pixel) to target pixels; target_to_source is its inverse"
)


def alignment_schema(version: str = ALIGNMENT) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the alignment document, a new dict at each call.

    Args:
        version: ``ALIGNMENT``, or one of ``EARLIER_ALIGNMENTS``.
    """
    return _schema(version)


def transform_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the transform document, a new dict at each call."""
    return _schema(TRANSFORM)


def _schema(kind: str) -> dict[str, Any]:
    from importlib import resources  # noqa: PLC0415 - rarely needed

    name = f"{kind.removeprefix('imalign/').replace('/', '-')}.schema.json"
    text = resources.files("align_cli.files").joinpath("schema", name).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
