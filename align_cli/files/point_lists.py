"""Lists of points in CSV files: the columns x and y are read and replaced, all others kept."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from align_cli.files.documents import read_text
from align_cli.files.errors import ContentError, PathLike, reading

_DELIMITERS = ",;\t"
COORDINATES = ("x", "y")
MOST_SHOWN: Final = 60
"""Characters of a header that a message quotes."""


@dataclass(frozen=True, eq=False)
class PointList:
    """A table with points in two of its columns.

    Attributes:
        points: (n, 2) float64, x and y.
        lines: (n,) where each point stands in the file, the first line is 1.
        header: names of the columns; None where the file begins with a point.
        rows: the cells of each point's row.
        columns: the indices of x and y in a row.
        delimiter: between the cells.
    """

    points: npt.NDArray[np.float64]
    lines: list[int]
    header: list[str] | None
    rows: list[list[str]]
    columns: tuple[int, int]
    delimiter: str


def read_points(path: PathLike, names: Sequence[str] = COORDINATES) -> PointList:
    """Read a CSV file: comma, semicolon or tab between the cells, the first row names the columns.

    A file whose first row is numbers has no header; x and y are then its first two columns.

    Args:
        path: the file.
        names: of the columns with x and y; letter case does not matter.

    Raises:
        UnreadableError: if it cannot be read, a column is not there, or a coordinate is no finite
            number; the message names the line.
    """
    text = read_text(path)
    with reading(path):
        return _parsed(text, names)


def _parsed(text: str, names: Sequence[str]) -> PointList:
    first = text.lstrip().splitlines()[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    table: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                table.append((reader.line_num, row))
    except csv.Error as error:
        raise ContentError(
            f"line {reader.line_num} is not valid CSV ({error})", "check the file"
        ) from error
    header = None if _is_number(table[0][1][0]) else [cell.strip() for cell in table.pop(0)[1]]
    columns = (0, 1) if header is None else _columns(header, names)
    points = [_point(line, row, columns) for line, row in table]
    return PointList(
        points=np.array(points, np.float64).reshape(-1, 2),
        lines=[line for line, _ in table],
        header=header,
        rows=[row for _, row in table],
        columns=columns,
        delimiter=delimiter,
    )


def points_text(
    points: PointList, moved: npt.NDArray[np.float64], extra: dict[str, npt.NDArray[np.float64]]
) -> str:
    """Return the table with its points in other places.

    Args:
        points: the table.
        moved: (n, 2) the new x and y.
        extra: (n,) values of columns to replace, or to add at the end, by name.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=points.delimiter, lineterminator="\n")
    if points.header is None:
        width = max((len(row) for row in points.rows), default=0)
        places = [*range(width, width + len(extra))]
    else:
        header = [*points.header, *(name for name in extra if name not in points.header)]
        places = [header.index(name) for name in extra]
        writer.writerow(header)
    for number, cells in enumerate(points.rows):
        row = [*cells] + [""] * (max([*points.columns, *places]) + 1 - len(cells))
        for column, value in zip(points.columns, moved[number], strict=True):
            row[column] = repr(float(value) + 0.0)
        for column, values in zip(places, extra.values(), strict=True):
            row[column] = repr(float(values[number]))
        writer.writerow(row)
    return out.getvalue()


def _columns(header: list[str], names: Sequence[str]) -> tuple[int, int]:
    lower = [name.lower() for name in header]
    missing = [name for name in names if name.lower() not in lower]
    if missing:
        known = ", ".join(header)
        if len(known) > MOST_SHOWN:
            known = f"{known[: MOST_SHOWN - 3]}..."
        by_blanks = len(header) == 1 and len(header[0].split()) > 1
        raise ContentError(
            f"has no column {' and no column '.join(missing)} (it has {known})",
            "separate the columns by commas" if by_blanks else "name both columns with --columns",
        )
    x, y = (lower.index(name.lower()) for name in names)
    return x, y


def _point(line: int, row: list[str], columns: tuple[int, int]) -> tuple[float, float]:
    if len(row) <= max(columns):
        raise ContentError(
            f"line {line} has too few columns for a point ({len(row)})", "complete the line"
        )
    for column in columns:
        if not _is_number(row[column]) or not math.isfinite(float(row[column])):
            raise ContentError(
                f"line {line}: {row[column].strip() or 'an empty cell'} is not a finite number",
                "correct or remove the line",
            )
    return float(row[columns[0]]), float(row[columns[1]])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
