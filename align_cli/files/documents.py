"""JSON documents: one way to lay them out, so that the same content gives the same bytes."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from align_cli.files.atomic import write_bytes
from align_cli.files.errors import STDIN, ContentError, PathLike, reading

# A list of so few numbers stays on one line: a point, a row of a matrix, nine numbers. (No string
# can be mistaken for one: the ends of its lines are escaped.)
_NUMBER = r"(?:null|-?\d[^,\s]*)"
_SHORT_LIST = re.compile(rf"\[\n *({_NUMBER}(?:,\n *{_NUMBER}){{0,8}})\n *\]")
_LINE_END = re.compile(r"\n *")


def dumps(document: Any) -> str:
    """Return ``document`` as JSON text, the newline at its end included.

    Keys keep their order; numbers are the shortest that read back as the same float64; NaN and
    infinities become null, -0.0 becomes 0.0. Short lists of numbers stay on one line, so that a
    matrix looks like one. Takes what ``json`` takes, and numpy arrays and scalars.

    Raises:
        TypeError: for anything else.
    """
    text = json.dumps(_plain(document), ensure_ascii=False, indent=2)
    text = _SHORT_LIST.sub(lambda found: f"[{_LINE_END.sub(' ', found[1])}]", text)
    # A file name that is not UTF-8: keep its bytes as \udcXX.
    return re.sub("[\ud800-\udfff]", lambda found: json.dumps(found[0])[1:-1], text) + "\n"


def write_json(path: PathLike, document: Any) -> None:
    """Write :func:`dumps` of ``document`` as UTF-8, atomically.

    Raises:
        UnwritableError: if the file cannot be written.
    """
    write_bytes(path, dumps(document).encode("utf-8"))


def parse_json(text: str) -> Any:
    """Return the content of JSON ``text``.

    Raises:
        ContentError: if it is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ContentError(
            f"is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})",
            "check that the file is complete",
        ) from error
    except (RecursionError, ValueError) as error:  # too deep; an integer of too many digits
        raise ContentError("is not supported JSON", "check the file") from error


def read_text(path: PathLike) -> str:
    """Return the content of a UTF-8 text file; "-" is stdin.

    Raises:
        UnreadableError: if it cannot be read, is empty or is not text.
    """
    with reading(path):
        data = _stdin() if path == STDIN else Path(path).read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ContentError(
                "is not a text file in UTF-8", "check the name, and the order of the files"
            ) from error
        if not text.strip():
            raise ContentError("is empty", "check the name")
        return text


def _stdin() -> bytes:
    advice = "give a file's name instead of -"
    if sys.stdin is None:
        raise ContentError("stdin is closed", advice)
    data = sys.stdin.buffer.read()
    if not data.strip():
        raise ContentError("stdin is empty, or was already read", advice)
    return data


def _plain(value: Any) -> Any:
    """Return what ``json`` writes of a value."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a JSON key must be a string")
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    return value
