"""What is wrong with a JSON is said; what is right in it is read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from align_cli.files.errors import UnreadableError
from align_cli.files.transforms import read_stored
from align_cli.transform_files import read_transform

CONTRADICTION = {
    "schema": "imalign/transform/1",
    "source_to_target": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
    "target_to_source": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
}
FAILED = {
    "schema": "imalign/alignment/1",
    "source_to_target": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
    "outcome": {"status": "diverged", "aligned": False, "sentence": "the steps led away."},
}
WITH_REASONS = {
    **FAILED,
    "outcome": {
        "verdict": "failed",
        "sentence": "the steps led away: use --init",
        "reasons": ["the steps led away", "it is far"],
    },
}
FOLDED = {
    "schema": "imalign/transform/1",
    "source": {"width": 200, "height": 100},
    "source_to_target": [[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(CONTRADICTION), "not each other's inverse"),
        (json.dumps(FAILED), r"from a failed alignment \(the steps led away\)"),
        (json.dumps(WITH_REASONS), r"from a failed alignment \(the steps led away; it is far\); a"),
        (json.dumps(FOLDED), "horizon crosses the source"),
        (json.dumps({**FAILED, **FOLDED, "schema": FAILED["schema"]}), "failed alignment"),
        (json.dumps({**FOLDED, "source_to_target": [[1, 0, 1]] * 3}), "singular"),
        (json.dumps({**CONTRADICTION, "uncertainty": {"covariance": [[1]]}}), "covariance"),
        (
            json.dumps({"schema": "imalign/transform/2"}),
            "but this version reads imalign/transform/1",
        ),
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")


EYE = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    "rows",
    [
        None, 5, "abc", {}, [], [1] * 9, EYE[:2], [*EYE, EYE[0]], [[1, 0], [0, 1], [0, 0]],
        [*EYE[:2], [0, 0, True]], [*EYE[:2], [0, 0, "1"]], [*EYE[:2], [0, 0, None]],
        [*EYE[:2], [0, 0, [1]]], [*EYE[:2], "abc"], [*EYE[:2], [0, 1]],
    ],
)  # fmt: skip
def test_only_three_rows_of_three_numbers_are_a_matrix(tmp_path: Path, rows: object) -> None:
    (tmp_path / "a").write_text(json.dumps({"source_to_target": rows}))
    with pytest.raises(UnreadableError, match="not three rows of three numbers"):
        read_stored(tmp_path / "a")


def test_the_covariance_is_read(tmp_path: Path) -> None:
    covariance = np.diag(np.arange(1.0, 9.0))
    document = {"source_to_target": EYE, "uncertainty": {"covariance": covariance.tolist()}}
    (tmp_path / "a").write_text(json.dumps(document))
    assert (read_stored(tmp_path / "a").covariance == covariance).all()
    document["uncertainty"] = {"covariance": [[10**400] * 8] * 8}
    (tmp_path / "a").write_text(json.dumps(document))
    with pytest.raises(UnreadableError, match="covariance"):
        read_stored(tmp_path / "a")
