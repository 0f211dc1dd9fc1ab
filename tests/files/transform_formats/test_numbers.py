"""Nine numbers, as people and programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from align_cli.files.errors import UnreadableError
from align_cli.files.transforms import read_transform

MATRIX = np.array([[1.5, 0.25, -3.0], [0.125, 2.0, 1e-3], [1e-6, 0.0, 1.0]])


@pytest.mark.parametrize("delimiter", [" ", ",", "; ", "\t"])
def test_what_numpy_writes_is_read(tmp_path: Path, delimiter: str) -> None:
    np.savetxt(tmp_path / "a", MATRIX, fmt="%.17g", delimiter=delimiter, header="a comment")
    assert (read_transform(tmp_path / "a") == MATRIX).all()


def test_what_python_prints_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"{MATRIX.tolist()}\n")
    assert (read_transform(tmp_path / "a") == MATRIX).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3 4 5 6", "contains 6 numbers instead of 9; add the last row, 0 0 1"),
        ("1 2 3", "contains 3 numbers"),
        ("1 0 0 0 1 0 0 0 " + "x" * 50, "'x{20}...' is not a number"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")
