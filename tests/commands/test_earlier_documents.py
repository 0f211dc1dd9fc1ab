"""Documents of earlier versions, as they were written then, are still read everywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from align_cli.files.schema import EARLIER_ALIGNMENTS, alignment_schema
from tests.commands.conftest import ROOT, Imalign

STORED = sorted((ROOT / "tests" / "data").glob("alignment-[12]-*.json"))
VERSIONS = (1, 2)
GOOD = ("aligned", "doubtful")
"""The doubtful one was accepted."""


@pytest.fixture(params=[(version, verdict) for version in VERSIONS for verdict in GOOD])
def document(request: pytest.FixtureRequest, pair: tuple[Path, Path], tmp_path: Path) -> dict:
    """``old.json`` beside a pair of its size; returns what it holds."""
    version, verdict = request.param
    stored = ROOT / "tests" / "data" / f"alignment-{version}-{verdict}.json"
    shutil.copy(stored, tmp_path / "old.json")
    content = json.loads((tmp_path / "old.json").read_text())
    assert isinstance(content, dict)
    return content


def matrix(path: Path, key: str = "source_to_target") -> np.ndarray:
    return np.array(json.loads(path.read_text())[key])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_they_are_what_they_say(path: Path) -> None:
    content = json.loads(path.read_text())
    assert content["schema"] == f"imalign/alignment/{path.stem.split('-')[1]}"
    assert content["schema"] in EARLIER_ALIGNMENTS
    jsonschema.validate(content, alignment_schema(content["schema"]))


def test_each_verdict_of_each_version_is_there() -> None:
    contents = [json.loads(path.read_text()) for path in STORED]
    told = {(content["schema"], content["outcome"]["verdict"]) for content in contents}
    verdicts = ("aligned", "doubtful", "failed")
    assert told == {(schema, each) for schema in EARLIER_ALIGNMENTS for each in verdicts}


def test_show(imalign: Imalign, document: dict) -> None:
    result = imalign("show", "old.json")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(document["model"])
    assert ("DOUBTFUL" in result.stdout) is (document["outcome"]["verdict"] == "doubtful")


def test_invert(imalign: Imalign, document: dict, tmp_path: Path) -> None:
    assert imalign("invert", "old.json", "-o", "new.json").returncode == 0
    assert (matrix(tmp_path / "new.json") == document["target_to_source"]).all()


def test_convert(imalign: Imalign, document: dict, tmp_path: Path) -> None:
    assert imalign("convert", "old.json", "new.txt").returncode == 0
    assert (np.loadtxt(tmp_path / "new.txt") == document["source_to_target"]).all()


def test_compose(imalign: Imalign, document: dict, tmp_path: Path) -> None:
    assert imalign("compose", "old.json", "old.json", "-o", "new.json").returncode == 0
    twice = np.linalg.matrix_power(np.array(document["source_to_target"]), 2)
    assert np.allclose(matrix(tmp_path / "new.json"), twice, atol=1e-12)


def test_apply(imalign: Imalign, document: dict, tmp_path: Path) -> None:
    result = imalign("apply", "old.json", "a.png")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "a_applied.png").is_file()


@pytest.mark.parametrize("command", [("evaluate", "--truth"), ("diff",)])
def test_evaluate_and_diff(imalign: Imalign, document: dict, command: tuple[str, ...]) -> None:
    name, *option = command
    result = imalign(name, "old.json", *option, "old.json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["corner_error_px"] == 0.0


def test_init(imalign: Imalign, document: dict, tmp_path: Path) -> None:
    imalign("--init", "old.json", "a.png", "b.png", "-m", "similarity", "--json", "new.json")
    new = json.loads((tmp_path / "new.json").read_text())
    assert new["start"] == "given"
    jsonschema.validate(new, alignment_schema())
    if document["outcome"]["aligned"]:  # of this very pair
        assert np.allclose(matrix(tmp_path / "new.json"), document["source_to_target"], atol=1e-2)


def test_check(imalign: Imalign, document: dict) -> None:
    result = imalign("check", "old.json", "a.png", "b.png", "--json", "-")
    new = json.loads(result.stdout)
    jsonschema.validate(new, alignment_schema())
    assert new["source_to_target"] == document["source_to_target"]
    if document["outcome"]["aligned"]:
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failed_one_is_refused_as_ever(imalign: Imalign, tmp_path: Path, version: int) -> None:
    failed = ROOT / "tests" / "data" / f"alignment-{version}-failed.json"
    shutil.copy(failed, tmp_path / "old.json")
    result = imalign("invert", "old.json")
    assert result.returncode == 3
    assert "from a failed alignment" in result.stderr
