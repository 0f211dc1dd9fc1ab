import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from align_cli.files.documents import dumps, parse_json, read_text, write_json
from align_cli.files.errors import UnreadableError, UnwritableError, reading


def read_json(path):
    with reading(path):
        return parse_json(read_text(path))


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
documents = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(documents)
def test_what_is_written_is_read(document):
    assert json.loads(dumps(document)) == document
    assert dumps(json.loads(dumps(document))) == dumps(document)


def test_layout_is_for_people():
    document = {
        "matrix": [[1.0, 0.5, -3.25], [0.0, 1.0, 1e-05], [0.0, 0.0, 1.0]],
        "name": "é",
        "none": None,
        "yes": True,
        "empty": [],
        "nothing": {},
        "records": [{"level": 0}],
        "long": list(range(10)),
        "words": ["a", "b"],
    }
    assert dumps({**document, "long": [1]}) == (
        "{\n"
        '  "matrix": [\n'
        "    [1.0, 0.5, -3.25],\n"
        "    [0.0, 1.0, 1e-05],\n"
        "    [0.0, 0.0, 1.0]\n"
        "  ],\n"
        '  "name": "é",\n'
        '  "none": null,\n'
        '  "yes": true,\n'
        '  "empty": [],\n'
        '  "nothing": {},\n'
        '  "records": [\n'
        "    {\n"
        '      "level": 0\n'
        "    }\n"
        "  ],\n"
        '  "long": [1],\n'
        '  "words": [\n'
        '    "a",\n'
        '    "b"\n'
        "  ]\n"
        "}\n"
    )
    assert len(dumps({"long": document["long"]}).splitlines()) == 14


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_bit_of_a_float_is_kept(number):
    back = json.loads(dumps([number]))[0]
    assert back == number
    assert isinstance(back, float)


def test_what_is_not_finite_is_null():
    assert dumps([math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")]) == (
        "[null, null, null, null, null]\n"
    )


def test_minus_zero_is_zero():
    assert dumps([-0.0]) == "[0.0]\n"


def test_numpy_is_understood():
    document = {"a": np.eye(2), "b": np.int64(3), "c": np.float32(0.5), "d": np.bool_(True)}
    assert json.loads(dumps(document)) == {"a": [[1, 0], [0, 1]], "b": 3, "c": 0.5, "d": True}


def test_file_names_that_are_not_utf8_survive(tmp_path):
    write_json(tmp_path / "a.json", {"path": "caf\udce9"})
    assert read_json(tmp_path / "a.json") == {"path": "caf\udce9"}


@pytest.mark.parametrize("document", [{1: 2}, {"a": {1, 2}}, b"x", {"a": object()}])
def test_what_json_lacks_is_a_type_error(document):
    with pytest.raises(TypeError):
        dumps(document)


def test_files_hold_exactly_the_text(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "é", "x": 0.1})
    assert path.read_bytes() == dumps({"name": "é", "x": 0.1}).encode()
    with pytest.raises(TypeError):
        write_json(path, {"x": object()})
    assert read_json(path) == {"name": "é", "x": 0.1}
    with pytest.raises(UnwritableError, match="folder does not exist"):
        write_json(tmp_path / "missing" / "a.json", {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{", "not valid JSON .line 1, column 2"),
        (b"\x89PNG\r\n\x1a\n", "not a text file"),
        ("{}".encode("utf-16"), "not a text file"),
        (b"[" * 100_000, "not supported JSON|not valid JSON"),
        (b"9" * 10_000, "not supported JSON"),
    ],
)
def test_bad_json_says_what_is_wrong(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=words):
        read_json(path)


def test_a_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "a.json") == [1]


def test_bad_names(tmp_path):
    for name, words in {
        "missing": "no such file",
        "": "is a folder",
        "\0": "not a valid file name",
    }.items():
        with pytest.raises(UnreadableError, match=words):
            read_json(f"{tmp_path}/{name}")
