"""Read a 3x3 transform, from a JSON that this program wrote or from nine numbers in a text."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from align_cli.files.documents import parse_json, read_text
from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.schema import ALIGNMENT

Matrix: TypeAlias = "npt.NDArray[np.float64]"

_SEPARATORS = re.compile(r"[\s,;\[\](){}]+")
_COMMENT = re.compile(r"#.*")
_FAMILY = ALIGNMENT.rpartition("/")[0] + "/"


def read_transform(path: PathLike) -> Matrix:
    """Return the (3, 3) float64 ``source_to_target`` in a file, its last entry 1.

    The file is either a JSON that imalign wrote (of an alignment that converged or not: its
    ``source_to_target`` is the best that was found, and a start needs no more), or text with nine
    numbers in row order, separated by white space, commas, semicolons or brackets; a ``#`` starts
    a comment. ``[[1, 0, 5], [0, 1, 2], [0, 0, 1]]`` is such a text, and so is what ``np.savetxt``
    writes.

    Raises:
        UnreadableError: if the file cannot be read; is JSON of another kind or version; does not
            hold nine finite numbers; or the matrix is singular or has 0 as its last entry.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        entries = _entries_of_document(path, parse_json(path, text))
    else:
        entries = _entries_of_text(path, text)
    return _checked(path, entries)


def _entries_of_document(path: PathLike, document: Any) -> Matrix:
    schema = document.get("schema")
    if schema != ALIGNMENT:
        if isinstance(schema, str) and schema.startswith(_FAMILY):
            raise UnreadableError(
                path,
                f"follows the schema {schema}, this program knows {ALIGNMENT}",
                "update imalign, or give the nine numbers in a text file",
            )
        raise UnreadableError(
            path,
            f'is not an alignment (its "schema" is not {ALIGNMENT})',
            "give a JSON that imalign wrote, or nine numbers in a text file",
        )
    rows = document.get("source_to_target")
    if not (
        isinstance(rows, list)
        and len(rows) == 3
        and all(isinstance(row, list) and len(row) == 3 for row in rows)
        and all(
            isinstance(entry, int | float) and not isinstance(entry, bool)
            for row in rows
            for entry in row
        )
    ):
        raise UnreadableError(
            path, '"source_to_target" is not three rows of three numbers', "write the file anew"
        )
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        return np.full((3, 3), np.inf)


def _entries_of_text(path: PathLike, text: str) -> Matrix:
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
                "give nine numbers, three to a line, or a JSON that imalign wrote",
            ) from None
    if len(numbers) != 9:
        advice = "give all nine entries of the 3x3 matrix, three to a line"
        if len(numbers) == 6:
            advice = "add the last row, 0 0 1"
        raise UnreadableError(path, f"holds {len(numbers)} numbers instead of 9", advice)
    return np.array(numbers, dtype=np.float64).reshape(3, 3)


def _checked(path: PathLike, entries: Matrix) -> Matrix:
    advice = "check its entries, three to a line, row by row"
    if not np.isfinite(entries).all():
        raise UnreadableError(path, "the matrix has an entry that is not finite", advice)
    with np.errstate(all="ignore"):
        matrix: Matrix = entries / entries[2, 2]
    if entries[2, 2] == 0 or not np.isfinite(matrix).all():
        raise UnreadableError(
            path, "the last entry of the matrix is 0, it cannot be scaled to 1", advice
        )
    if _singular(matrix):
        raise UnreadableError(path, "the matrix is singular, it flattens the picture", advice)
    return matrix


def _singular(matrix: Matrix) -> bool:
    """Tell whether the determinant is zero up to rounding.

    It is compared with the sum of its own six products without signs. That ratio does not change
    when rows or columns are scaled, so pixels of any size and shifts of any length are judged
    alike, which a condition number does not do.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    with np.errstate(all="ignore"):
        products = np.array([a * e * i, b * f * g, c * d * h, -c * e * g, -b * d * i, -a * f * h])
        size = np.abs(products).sum()
        return bool(not np.isfinite(size) or abs(products.sum()) <= 1e-12 * size)
