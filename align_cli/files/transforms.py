"""Read and write transforms: the registry of their formats, and what every one must fulfil."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Final

import numpy as np

from align_cli.files.documents import read_text
from align_cli.files.errors import (
    ContentError,
    PathLike,
    UnknownNameError,
    UnreadableError,
    reading,
    writing,
)
from align_cli.files.transform_formats import document, elastix, gcp, itk, numbers, opencv
from align_cli.files.transform_formats.stored import (
    ROUNDING,
    Matrix,
    StoredTransform,
    TransformFormat,
)

FORMATS: Final[dict[str, TransformFormat]] = {
    "json": document,
    "opencv": opencv,
    "itk": itk,
    "elastix": elastix,
    "gcp": gcp,
    "text": numbers,
}
"""Every format by name, in the order in which a text is offered to them; the last takes all."""

_ADVICE = "check its entries: row by row, three numbers per line"
_DISAGREEMENT = 1e-9
"""Of what the product of a matrix and its inverse adds up: both may be written with ten digits."""


def read_transform(path: PathLike) -> Matrix:
    """Return the (3, 3) float64 ``source_to_target`` in a file, its last entry 1.

    The file may be of any format in ``FORMATS`` that holds a matrix: a JSON that imalign wrote (of
    an alignment that converged or not: its ``source_to_target`` is the best that was found, and a
    start needs no more), or, among others, text with nine numbers in row order, separated by white
    space, commas, semicolons or brackets; a ``#`` starts a comment.
    ``[[1, 0, 5], [0, 1, 2], [0, 0, 1]]`` is such a text, and so is what ``np.savetxt`` writes.

    Raises:
        UnreadableError: if the file cannot be read; is JSON of another kind or version; does not
            hold nine finite numbers; or the matrix is singular or has 0 as its last entry.
    """
    stored = read_stored(path)
    if stored.source_to_target is None:
        raise UnreadableError(
            path, "contains points, not a matrix", "convert it with imalign convert"
        )
    return stored.source_to_target


def read_stored(path: PathLike) -> StoredTransform:
    """Return the transform that a file of any format in ``FORMATS`` contains.

    Matrices are scaled to a last entry of 1. It has ``source_to_target`` unless it has ``pairs``,
    and ``target_to_source`` if the file does.

    Raises:
        UnreadableError: as ``read_transform``, or if the two directions contradict each other.
    """
    text = read_text(path)
    found = next(each for each in FORMATS.values() if each.recognises(text))
    with reading(path):
        stored = found.parse(text)
        if stored.pairs is not None:
            return stored
        forward, backward = (
            None if matrix is None else _checked(matrix)
            for matrix in (stored.source_to_target, stored.target_to_source)
        )
        if forward is None and backward is not None:
            forward = _checked(np.asarray(np.linalg.inv(backward), np.float64))
        elif forward is not None and backward is not None:
            _check_inverse(forward, backward)
    return replace(stored, source_to_target=forward, target_to_source=backward)


def transform_text(path: PathLike, stored: StoredTransform, name: str | None = None) -> str:
    """Return the text of a transform of which both matrices are known.

    Args:
        path: its name decides the format where ``name`` is None.
        stored: the transform.
        name: a key of ``FORMATS``.

    Raises:
        UnwritableError: if the format cannot hold it; ``UnknownNameError`` if the name of the file
            means no format.
    """
    chosen = _format(path, name)
    with writing(path):
        return chosen.written(stored, PurePath(path).suffix.lower())


def _format(path: PathLike, name: str | None) -> TransformFormat:
    if name is not None:
        return FORMATS[name]
    file = PurePath(path).name.lower()
    fitting = [
        (len(pattern), each)
        for each in FORMATS.values()
        for pattern in each.NAMES
        if fnmatchcase(file, pattern)
    ]
    if not fitting:
        known = " ".join(pattern for each in FORMATS.values() for pattern in each.NAMES)
        raise UnknownNameError(
            path, f"its name matches no transform format ({known})", "rename it, or give --to"
        )
    return max(fitting, key=lambda pair: pair[0])[1]


def _checked(entries: Matrix) -> Matrix:
    if not np.isfinite(entries).all():
        raise ContentError("the matrix has an entry that is not finite", _ADVICE)
    with np.errstate(all="ignore"):
        matrix: Matrix = entries / entries[2, 2]
    if entries[2, 2] == 0 or not np.isfinite(matrix).all():
        raise ContentError("the last entry of the matrix is 0 and cannot be scaled to 1", _ADVICE)
    if _singular(matrix):
        raise ContentError("the matrix is singular", _ADVICE)
    return matrix


def _check_inverse(forward: Matrix, backward: Matrix) -> None:
    product = forward @ backward
    size = np.abs(forward) @ np.abs(backward)
    apart = np.abs(product - product[2, 2] * np.eye(3))
    # Of a motion that is next to none, entries of 1e-18 are nothing but rounding.
    if (apart > _DISAGREEMENT * size + ROUNDING).any():
        raise ContentError(
            "source_to_target and target_to_source are not each other's inverse",
            "delete target_to_source after editing the file by hand",
        )


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
        return bool(not np.isfinite(size) or abs(products.sum()) <= ROUNDING * size)
