from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from align_cli.files.errors import UnreadableError
from align_cli.files.point_lists import points_text, read_points


def read(folder: Path, text: str, *names: str):
    (folder / "p.csv").write_text(text)
    return read_points(folder / "p.csv", *([names] if names else []))


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("x,y\n1,2\n3,4\n", "x,y\n2.0,1.0\n4.0,3.0\n"),
        ("X;Y;name\n1;2;a\n3;4;b\n", "X;Y;name\n2.0;1.0;a\n4.0;3.0;b\n"),
        ("1\t2\n\n3\t4\n", "2.0\t1.0\n4.0\t3.0\n"),
        ('name,y,x\n"a, b",2,1\nc,4,3\n', 'name,y,x\n"a, b",1.0,2.0\nc,3.0,4.0\n'),
        ("\ufeffx,y\r\n1,2\r\n3,4", "x,y\n2.0,1.0\n4.0,3.0\n"),
        ("1,2,a\n3,4\n", "2.0,1.0,a\n4.0,3.0\n"),
    ],
)
def test_other_columns_and_the_delimiter_are_kept(tmp_path: Path, text: str, moved: str) -> None:
    table = read(tmp_path, text)
    np.testing.assert_array_equal(table.points, [[1, 2], [3, 4]])
    assert points_text(table, table.points[:, ::-1], {}) == moved


def test_a_column_more_and_a_column_anew(tmp_path: Path) -> None:
    sigma = {"sigma_px": np.array([0.5])}
    table = read(tmp_path, "x,y,id\n1,2,a\n")
    assert points_text(table, table.points, sigma) == "x,y,id,sigma_px\n1.0,2.0,a,0.5\n"
    table = read(tmp_path, "x,sigma_px,y\n1,9,2\n")
    assert points_text(table, table.points, sigma) == "x,sigma_px,y\n1.0,0.5,2.0\n"
    table = read(tmp_path, "1,2\n")
    assert points_text(table, table.points, sigma) == "1.0,2.0,0.5\n"


def test_named_columns_and_line_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "id,row,col\na,2,1\n\nb,4,3\n", "col", "row")
    np.testing.assert_array_equal(table.points, [[1, 2], [3, 4]])
    assert table.lines == [2, 4]


def test_a_header_without_points(tmp_path: Path) -> None:
    table = read(tmp_path, "x,y\n")
    assert table.points.shape == (0, 2)
    assert points_text(table, table.points, {"s": np.zeros(0)}) == "x,y,s\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", r"has no column x and no column y \(it has a, b\); .*--columns"),
        ("x,z\n1,2\n", "has no column y"),
        ("x y\n1 2\n", r"\(it has x y\); separate the columns by commas"),
        (",".join(["column"] * 50) + "\n", r"\(it has (column, ){7}c\.\.\.\); name both"),
        ("x,y\n1,2\n3,nan\n", "line 3: nan is not a finite number"),
        ("x,y\n1,2\n3,\n", "line 3: an empty cell is not a finite number"),
        ("x,y\n1,inf\n", "line 2: inf is not"),
        ("x,y\n1,two\n", "line 2: two is not"),
        ("x,y\n1\n", "line 2 has too few columns for a point"),
        ("1\n", r"line 1 has too few columns for a point \(1\)"),
    ],
)
def test_bad_lists_say_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        read(tmp_path, text)
