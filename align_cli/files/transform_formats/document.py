"""JSON: the alignments and the transforms that imalign writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from align_cli.files.documents import dumps, parse_json
from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.schema import ALIGNMENT, CONVENTIONS, EARLIER_ALIGNMENTS, TRANSFORM
from align_cli.files.transform_formats.stored import (
    Matrix,
    Size,
    StoredTransform,
    TransformFormat,
    both,
)
from align_cli.version import __version__

_WRITTEN = (ALIGNMENT, TRANSFORM)
_KNOWN = (*_WRITTEN, *EARLIER_ALIGNMENTS)
_FAMILIES = {name.rpartition("/")[0] + "/": name for name in _WRITTEN}


def _parse(path: PathLike, text: str) -> StoredTransform:
    document = parse_json(path, text)
    _check_schema(path, document)
    failure, doubt = _objections(document.get("outcome"), document.get("options"))
    uncertainty = document.get("uncertainty")
    covariance = uncertainty.get("covariance") if isinstance(uncertainty, dict) else None
    model = document.get("model")
    return StoredTransform(
        source_to_target=_matrix(path, document, "source_to_target"),
        target_to_source=(
            _matrix(path, document, "target_to_source") if "target_to_source" in document else None
        ),
        model=model if isinstance(model, str) else None,
        source_size=_size(document.get("source")),
        target_size=_size(document.get("target")),
        covariance=_covariance(path, covariance),
        failure=failure,
        doubt=doubt,
    )


def _objections(outcome: Any, options: Any) -> tuple[str | None, str | None]:
    """Why an alignment cannot be used, and why it is doubtful; None each where it is not so."""
    if not isinstance(outcome, dict) or outcome.get("aligned") is True:
        return None, None
    sentence = str(outcome.get("sentence", outcome.get("status", "it failed")))
    if outcome.get("verdict") != "doubtful":
        return sentence, None
    accepted = isinstance(options, dict) and options.get("accept_doubtful") is True
    return None if accepted else sentence, sentence


def _check_schema(path: PathLike, document: dict[str, Any]) -> None:
    schema = document.get("schema")
    # Whoever writes this key by hand means it; truth files do.
    if schema in _KNOWN or (schema is None and "source_to_target" in document):
        return
    family = _FAMILIES.get(schema.rpartition("/")[0] + "/") if isinstance(schema, str) else None
    if family is not None:
        raise UnreadableError(
            path,
            f"follows the schema {schema}, but this version reads {family}",
            "update imalign, or give the nine numbers in a text file",
        )
    raise UnreadableError(
        path,
        f'is neither an alignment (its "schema" is not {ALIGNMENT}) nor a transform',
        "give a JSON written by imalign, or nine numbers in a text file",
    )


def _matrix(path: PathLike, document: dict[str, Any], key: str) -> Matrix:
    rows = document.get(key)
    if not _is_table(rows, 3, 3):
        raise UnreadableError(
            path, f'"{key}" is not three rows of three numbers', "write the file again"
        )
    return _array(rows)


def _covariance(path: PathLike, rows: Any) -> Matrix | None:
    if rows is None:
        return None
    covariance = _array(rows) if _is_table(rows, 8, 8) else np.full((8, 8), np.nan)
    if not np.isfinite(covariance).all():
        raise UnreadableError(
            path, '"covariance" is not eight rows of eight numbers', "write the file again"
        )
    return covariance


def _is_table(rows: Any, height: int, width: int) -> bool:
    return (
        isinstance(rows, list)
        and len(rows) == height
        and all(isinstance(row, list) and len(row) == width for row in rows)
        and all(
            isinstance(entry, int | float) and not isinstance(entry, bool)
            for row in rows
            for entry in row
        )
    )


def _array(rows: Any) -> Matrix:
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        return np.full((len(rows), len(rows[0])), np.inf)


def _size(picture: Any) -> Size | None:
    if not isinstance(picture, dict):
        return None
    width, height = picture.get("width"), picture.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return width, height
    return None


def _text(path: PathLike, stored: StoredTransform) -> str:
    forward, backward = both(stored)
    return dumps(
        {
            "schema": TRANSFORM,
            "tool": {"name": "imalign", "version": __version__},
            "source": _picture(stored.source_size),
            "target": _picture(stored.target_size),
            "model": stored.model,
            "conventions": CONVENTIONS,
            "source_to_target": forward.tolist(),
            "target_to_source": backward.tolist(),
            "parameters": dict(stored.facts.get("parameters", {})),
            "uncertainty": stored.facts.get("uncertainty"),
        }
    )


def _picture(size: Size | None) -> dict[str, int] | None:
    return None if size is None else {"width": size[0], "height": size[1]}


DOCUMENT = TransformFormat(
    name="json",
    summary="both directions, sizes and covariance",
    names=("*.json",),
    recognises=lambda text: text.lstrip().startswith("{"),
    parse=_parse,
    text=_text,
)
