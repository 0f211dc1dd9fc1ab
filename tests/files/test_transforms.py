import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from align_cli.files.documents import write_json
from align_cli.files.errors import UnreadableError
from align_cli.files.transforms import read_stored, read_transform

SHIFT = [[1.0, 0.25, 5.5], [-0.25, 1.0, -2.0], [1e-4, 0.0, 1.0]]


def read(tmp_path, text, name="start.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_transform(path)


def document(matrix=None, **changes):
    return {"schema": "imalign/alignment/1", "source_to_target": matrix or SHIFT, **changes}


@pytest.mark.parametrize(
    "text",
    [
        "1 0.25 5.5\n-0.25 1 -2\n1e-4 0 1\n",
        "1, 0.25, 5.5, -0.25, 1, -2, 1e-4, 0, 1",
        "1,0.25,5.5\r\n-0.25,1,-2\r\n1e-4,0,1\r\n",
        "# found by hand, 3 points\n1 0.25 5.5  # first row\n-0.25 1 -2\n1e-4 0 1",
        "[[1, 0.25, 5.5], [-0.25, 1, -2], [1e-4, 0, 1]]",
        "[1 0.25 5.5; -0.25 1 -2; 1e-4 0 1]",
        "\ufeff1 0.25 5.5\n-0.25 1 -2\n1e-4 0 1\n",
        "2 0.5 11\n-0.5 2 -4\n2e-4 0 2\n",
        "-1 -0.25 -5.5\n0.25 -1 2\n-1e-4 0 -1\n",
    ],
)
@pytest.mark.parametrize("name", ["start.txt", "start.json"])
def test_nine_numbers_in_any_dress(tmp_path, text, name):
    matrix = read(tmp_path, text, name)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix, SHIFT, rtol=1e-15)
    assert matrix[2, 2] == 1


def test_rows_are_rows(tmp_path):
    np.testing.assert_array_equal(
        read(tmp_path, "1 2 3 4 5 6 7 8 1"), [[1, 2, 3], [4, 5, 6], [7, 8, 1]]
    )


def test_what_numpy_writes(tmp_path):
    np.savetxt(tmp_path / "a.txt", SHIFT, header="by numpy")
    np.testing.assert_array_equal(read_transform(tmp_path / "a.txt"), SHIFT)


@given(st_numpy.arrays("float64", (3, 3), elements=st.floats(-1e6, 1e6)))
def test_a_written_document_gives_back_every_bit(tmp_path_factory, matrix):
    matrix[2, 2] = 1
    assume(np.linalg.cond(matrix) < 1e8)
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, document(matrix.tolist()))
    np.testing.assert_array_equal(read_transform(path), matrix)


def test_an_alignment_that_failed_is_still_a_start(tmp_path):
    text = json.dumps(document(outcome={"status": "diverged", "aligned": False}))
    np.testing.assert_array_equal(read(tmp_path, text), SHIFT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# only a comment", "contains 0 numbers instead of 9"),
        ("1 2 3", "contains 3 numbers instead of 9"),
        ("1 0 0 0 1 0", "contains 6 numbers instead of 9; add the last row, 0 0 1"),
        ("1 2 3 4 5 6 7 8 9 10", "contains 10 numbers"),
        ("1 0 0 0 one 0 0 0 1", "'one' is not a number"),
        ("a very long line of prose which is no matrix at all", "'a' is not a number"),
        ("1 0 nan 0 1 0 0 0 1", "not finite"),
        ("1 0 inf 0 1 0 0 0 1", "not finite"),
        ("1 0 1e999 0 1 0 0 0 1", "not finite"),
        ("1 0 5 0 1 5 0 1 0", "last entry of the matrix is 0"),
        ("1e300 0 0 0 1 0 0 0 1e-300", "cannot be scaled"),
        ("1 2 0 2 4 0 0 0 1", "singular"),
        ("0 0 0 0 0 0 0 0 1", "singular"),
        # the determinant of these in floating point is not quite 0
        ("0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9", "singular"),
        ("0.1 0.3 0.7 0.2 0.4 0.6 0.3 0.7 1.3", "singular"),
        ('{"matrix": [[1,0,0],[0,1,0],[0,0,1]]}', "is neither an alignment"),
        ('{"schema": null}', "is neither an alignment"),
        ('{"schema": "something/else/1"}', "is neither an alignment"),
        ('{"schema": 7}', "is neither an alignment"),
        ('{"schema": "imalign/alignment/4"}', "/4, but this version reads imalign/alignment/3"),
        ('{"schema": "imalign/alignment/3"}', "not three rows of three numbers"),
        ('{"schema": "imalign/alignment/2"}', "not three rows of three numbers"),
        ('{"schema": "imalign/alignment/1"}', "not three rows of three numbers"),
        ("{", "not valid JSON"),
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path, text, words):
    with pytest.raises(UnreadableError, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "matrix",
    [
        [[1, 0], [0, 1]],
        [1, 0, 0, 0, 1, 0, 0, 0, 1],
        [[1, 0, 0], [0, 1, 0]],
        [[1, 0, 0], [0, True, 0], [0, 0, 1]],
        [[1, 0, 0], [0, "1", 0], [0, 0, 1]],
        [[1, 0, None], [0, 1, 0], [0, 0, 1]],
        "1 0 0 0 1 0 0 0 1",
    ],
)
def test_bad_matrices_in_documents(tmp_path, matrix):
    with pytest.raises(UnreadableError, match="not three rows of three numbers"):
        read(tmp_path, json.dumps(document(matrix)))


def test_an_integer_beyond_float64_is_not_finite(tmp_path):
    text = json.dumps(document([[10**400, 0, 0], [0, 1, 0], [0, 0, 1]]))
    with pytest.raises(UnreadableError, match="not finite"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([1e-3, 1e-3, 1]),
        np.diag([1e3, 1e-3, 1]),
        np.array([[1, 0, 1e7], [0, 1, -1e7], [0, 0, 1]]),
        np.array([[1e-2, 0, 3e4], [0, 1e-2, 3e4], [1e-7, -1e-7, 1]]),
        np.array([[-1, 0, 640], [0, 1, 0], [0, 0, 1]]),
        np.array([[1, 0.99999, 3], [1, 1, 5], [0, 0, 1]]),
    ],
    ids=["small", "stretched", "far", "tilted", "mirrored", "sheared"],
)
def test_unusual_but_regular_matrices_pass(tmp_path, matrix):
    np.savetxt(tmp_path / "a.txt", matrix, fmt="%.17g")
    np.testing.assert_array_equal(read_transform(tmp_path / "a.txt"), matrix)


def test_bad_names(tmp_path):
    for name, words in {"missing": "no such file", "": "is a folder"}.items():
        with pytest.raises(UnreadableError, match=words):
            read_transform(f"{tmp_path}/{name}")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UnreadableError, match="not a text file"):
        read_transform(tmp_path / "a.png")


@pytest.mark.parametrize("accepted", [True, False])
def test_a_doubtful_transform_can_be_used_by_whoever_accepted_it(
    tmp_path: Path, accepted: bool
) -> None:
    path = tmp_path / "found.json"
    document = {
        "schema": "imalign/alignment/1",
        "source_to_target": np.eye(3).tolist(),
        "outcome": {"verdict": "doubtful", "aligned": False, "sentence": "the images may be so"},
        "options": {"accept_doubtful": accepted},
    }
    path.write_text(json.dumps(document), "utf-8")
    stored = read_stored(path)
    assert stored.doubt == "the images may be so"
    assert stored.failure == (None if accepted else "the images may be so")


def test_what_is_identity_but_for_rounding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "next_to_nothing.json"
    forward, backward = np.eye(3), np.eye(3)
    forward[0, 1], backward[0, 1] = 1e-18, 3e-18
    document = {
        "schema": "imalign/alignment/1",
        "source_to_target": forward.tolist(),
        "target_to_source": backward.tolist(),
    }
    path.write_text(json.dumps(document), "utf-8")
    np.testing.assert_array_equal(read_transform(path), forward)
