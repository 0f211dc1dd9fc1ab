"""Nine numbers in a text: what np.savetxt, a shell script and a pencil write."""

from __future__ import annotations

import re

import numpy as np

from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.transform_formats.stored import Matrix, StoredTransform, TransformFormat, both

_SEPARATORS = re.compile(r"[\s,;\[\](){}]+")
_COMMENT = re.compile(r"#.*")


def _parse(path: PathLike, text: str) -> StoredTransform:
    return StoredTransform(source_to_target=_entries(path, text))


def _entries(path: PathLike, text: str) -> Matrix:
    words = [word for word in _SEPARATORS.split(_COMMENT.sub("", text)) if word]
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError:
            shown = word if len(word) <= 20 else word[:20] + "..."
            raise UnreadableError(
                path,
                f"{shown!r} is not a number",
                "give nine numbers, three per line, or a JSON written by imalign",
            ) from None
    if len(numbers) != 9:
        advice = "give all nine entries of the 3x3 matrix, three per line"
        if len(numbers) == 6:
            advice = "add the last row, 0 0 1"
        raise UnreadableError(path, f"contains {len(numbers)} numbers instead of 9", advice)
    return np.array(numbers, dtype=np.float64).reshape(3, 3)


def _text(path: PathLike, stored: StoredTransform) -> str:
    rows = both(stored)[0].tolist()
    return "".join(" ".join(repr(entry + 0.0) for entry in row) + "\n" for row in rows)


NUMBERS = TransformFormat(
    name="text",
    summary="the 3x3 source_to_target, three numbers to a line",
    names=("*.txt",),
    recognises=lambda text: True,
    parse=_parse,
    text=_text,
)
