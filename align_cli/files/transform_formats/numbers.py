"""Nine numbers in a text: what np.savetxt, a shell script and a pencil write."""

from __future__ import annotations

import re

import numpy as np

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats.stored import Matrix, StoredTransform, both

NAMES = ("*.txt",)

_SEPARATORS = re.compile(r"[\s,;\[\](){}]+")
_COMMENT = re.compile(r"#.*")


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    return StoredTransform(source_to_target=_entries(text))


def _entries(text: str) -> Matrix:
    words = [word for word in _SEPARATORS.split(_COMMENT.sub("", text)) if word]
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError:
            shown = word if len(word) <= 20 else word[:20] + "..."
            raise ContentError(
                f"{shown!r} is not a number",
                "give nine numbers, three per line, or a JSON written by imalign",
            ) from None
    if len(numbers) != 9:
        advice = "give all nine entries of the 3x3 matrix, three per line"
        if len(numbers) == 6:
            advice = "add the last row, 0 0 1"
        raise ContentError(f"contains {len(numbers)} numbers instead of 9", advice)
    return np.array(numbers, dtype=np.float64).reshape(3, 3)


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    del text
    return True


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform."""
    rows = both(stored)[0].tolist()
    return "".join(" ".join(repr(entry + 0.0) for entry in row) + "\n" for row in rows)
