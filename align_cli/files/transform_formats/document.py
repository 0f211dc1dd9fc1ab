"""JSON: the alignments and the transforms that imalign writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from align_cli.files.documents import dumps, parse_json
from align_cli.files.errors import ContentError
from align_cli.files.schema import ALIGNMENT, CONVENTIONS, EARLIER_ALIGNMENTS, TRANSFORM
from align_cli.files.transform_formats.stored import Matrix, Size, StoredTransform, both
from align_cli.version import __version__

NAMES = ("*.json",)

_WRITTEN = (ALIGNMENT, TRANSFORM)
_KNOWN = (*_WRITTEN, *EARLIER_ALIGNMENTS)
_FAMILIES = {name.rpartition("/")[0] + "/": name for name in _WRITTEN}


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    document = parse_json(text)
    _check_schema(document)
    failure, doubt = _objections(document.get("outcome"), document.get("options"))
    uncertainty = document.get("uncertainty")
    covariance = uncertainty.get("covariance") if isinstance(uncertainty, dict) else None
    model = document.get("model")
    return StoredTransform(
        source_to_target=_matrix(document, "source_to_target"),
        target_to_source=(
            _matrix(document, "target_to_source") if "target_to_source" in document else None
        ),
        model=model if isinstance(model, str) else None,
        source_size=_size(document.get("source")),
        target_size=_size(document.get("target")),
        covariance=_covariance(covariance),
        failure=failure,
        doubt=doubt,
    )


def _objections(outcome: Any, options: Any) -> tuple[str | None, str | None]:
    """Why an alignment cannot be used, and why it is doubtful; None each where it is not so."""
    if not isinstance(outcome, dict) or outcome.get("aligned") is True:
        return None, None
    reasons = outcome.get("reasons")
    if isinstance(reasons, list) and reasons:
        # Not the sentence: it ends in its own advice, and whoever quotes this gives another.
        sentence = "; ".join(map(str, reasons))
    else:
        sentence = str(outcome.get("sentence", outcome.get("status", "it failed")))
    if outcome.get("verdict") != "doubtful":
        return sentence, None
    accepted = isinstance(options, dict) and options.get("accept_doubtful") is True
    return None if accepted else sentence, sentence


def _check_schema(document: dict[str, Any]) -> None:
    schema = document.get("schema")
    # Whoever writes this key by hand means it; truth files do.
    if schema in _KNOWN or (schema is None and "source_to_target" in document):
        return
    family = _FAMILIES.get(schema.rpartition("/")[0] + "/") if isinstance(schema, str) else None
    if family is not None:
        raise ContentError(
            f"follows the schema {schema}, but this version reads {family}",
            "update imalign, or give the nine numbers in a text file",
        )
    raise ContentError(
        f'is neither an alignment (its "schema" is not {ALIGNMENT}) nor a transform',
        "give a JSON written by imalign, or nine numbers in a text file",
    )


def _matrix(document: dict[str, Any], key: str) -> Matrix:
    matrix = _table(document.get(key), 3)
    if matrix is None:
        raise ContentError(f'"{key}" is not three rows of three numbers', "write the file again")
    return matrix


def _covariance(rows: Any) -> Matrix | None:
    covariance = None if rows is None else _table(rows, 8)
    if rows is not None and (covariance is None or not np.isfinite(covariance).all()):
        raise ContentError(
            '"covariance" is not eight rows of eight numbers', "write the file again"
        )
    return covariance


def _table(rows: Any, side: int) -> Matrix | None:
    """Return so many rows of as many numbers; None for anything else."""
    table = np.array(rows, dtype=object)
    if table.shape != (side, side) or not {*map(type, table.flat)} <= {int, float}:
        return None
    try:
        return table.astype(np.float64)
    except OverflowError:  # an integer beyond float64
        return np.full(table.shape, np.inf)


def _size(picture: Any) -> Size | None:
    if not isinstance(picture, dict):
        return None
    width, height = picture.get("width"), picture.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return width, height
    return None


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    return text.lstrip().startswith("{")


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform."""
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
