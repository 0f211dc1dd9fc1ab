from __future__ import annotations

import csv
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from align_cli.commands.exit_codes import ExitCode
from align_cli.engine.geometry.coordinates import map_points
from tests.commands.conftest import TRUTH, Imalign

Pair = tuple[Path, Path]
LANDMARKS = "name,x,y\nnose,80,60\near,20.5,100.25\n"


@pytest.fixture
def aligned(imalign: Imalign, pair: Pair, tmp_path: Path) -> Path:
    assert imalign("a.png", "b.png", "--no-error-map", "--no-image", "-q").returncode == 0
    (tmp_path / "p.csv").write_text(LANDMARKS)
    return tmp_path / "a_aligned.json"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def coordinates(text: str) -> np.ndarray:
    return np.array([[float(row["x"]), float(row["y"])] for row in table(text)])


def test_points_go_where_the_truth_puts_them_and_back(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    result = imalign("points", aligned, "p.csv")
    assert result.returncode == 0, result.stderr
    expected = map_points(TRUTH, coordinates(LANDMARKS))
    assert np.abs(coordinates(result.stdout) - expected).max() < 0.02
    assert [row["name"] for row in table(result.stdout)] == ["nose", "ear"]
    assert imalign("points", aligned, "p.csv", "-o", "q.csv").stdout == ""
    assert (tmp_path / "q.csv").read_text() == result.stdout
    back = imalign("points", aligned, "--inverse", "q.csv").stdout
    np.testing.assert_allclose(coordinates(back), coordinates(LANDMARKS), atol=1e-9)


def test_sigma_at_the_corners_is_that_of_the_json(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    (tmp_path / "corners.csv").write_text("x,y\n0,0\n159,0\n159,119\n0,119\n")
    found = [
        float(row["sigma_px"]) for row in table(imalign("points", aligned, "corners.csv").stdout)
    ]
    expected = json.loads(aligned.read_text())["uncertainty"]["corners_px"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_without_a_covariance_there_is_no_sigma(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("1 0 5\n0 1 -3\n0 0 1\n")
    result = imalign("points", "t.txt", "p.csv")
    assert result.stdout == "name,x,y\nnose,85.0,57.0\near,25.5,97.25\n"
    assert "has no covariance" in result.stderr
    assert imalign("points", "-q", "t.txt", "p.csv").stderr == ""
    result = imalign("points", "t.txt", "-", stdin="x,y,sigma_px\n1,2,9\n")
    assert result.stdout == "x,y,sigma_px\n6.0,-1.0,9\n"
    assert "has no covariance: the column sigma_px is unchanged" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "has no column x"),
        ("x,y\n1,nan\n", "line 2: nan is not a finite number"),
        ("x,y\n1,2\n150,5\n", "line 3: (150, 5) lies beyond the horizon"),
    ],
)
def test_bad_points_are_one_line_and_nothing_is_written(
    imalign: Imalign, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "p.csv").write_text(text)
    (tmp_path / "t.txt").write_text("1 0 0\n0 1 0\n-0.01 0 1\n")
    result = imalign("points", "t.txt", "p.csv", "-o", "q.csv")
    assert result.returncode == ExitCode.INPUT
    assert result.stdout == ""
    assert words in result.stderr
    assert "p.csv" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "q.csv").exists()


def test_named_columns(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("row,col\n60,80\n")
    (tmp_path / "t.txt").write_text("1 0 5\n0 1 -3\n0 0 1\n")
    result = imalign("points", "t.txt", "c.csv", "--columns", "col,row")
    assert result.stdout == "row,col\n57.0,85.0\n"
    assert imalign("points", "t.txt", "c.csv", "--columns", "col").returncode == ExitCode.USAGE


def test_no_input_is_overwritten(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    for path in ("p.csv", "a_aligned.json"):
        result = imalign("points", aligned, "p.csv", "-o", path)
        assert result.returncode == ExitCode.USAGE
    assert (tmp_path / "p.csv").read_text() == LANDMARKS


def test_points_and_transforms_are_read_from_stdin(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    expected = imalign("points", aligned, "p.csv").stdout
    assert "sigma_px" in expected
    assert imalign("points", aligned, "-", stdin=LANDMARKS).stdout == expected
    piped = imalign("points", "-", "p.csv", stdin=aligned.read_text())
    assert piped.stdout == expected
    assert imalign("show", "-", stdin="1 0 5 0 1 -3 0 0 1").stdout.startswith("translation")


def test_what_is_wrong_with_stdin_is_said(imalign: Imalign, aligned: Path) -> None:
    result = imalign("points", aligned, "-", stdin="x,y\n1,one\n")
    assert result.returncode == ExitCode.INPUT
    assert result.stderr.startswith("Error: -: line 2: one is not a finite number")
    result = imalign("points", aligned, "-", stdin="")
    assert result.returncode == ExitCode.INPUT
    assert "-: stdin is empty" in result.stderr
    result = imalign("points", "-", "-", stdin=LANDMARKS)
    assert result.returncode == ExitCode.USAGE
    assert "cannot both be stdin" in result.stderr


@pytest.mark.parametrize(
    ("given", "echoed"), [("240,180", "240,180"), (" 1.5e1 ; -2.", "1.5e1,-2."), ("3 4", "3,4")]
)
def test_coordinates_in_place_of_a_file_are_answered_with_what_maps_them(
    imalign: Imalign, aligned: Path, tmp_path: Path, given: str, echoed: str
) -> None:
    aligned.rename(tmp_path / "my scan.json")
    result = imalign("points", "my scan.json", given, "--inverse")
    assert result.returncode == ExitCode.INPUT
    command = f"echo {echoed} | imalign points 'my scan.json' - --inverse"
    assert result.stderr.endswith(f"to map this point, {command}\n")
    name = f'imalign() {{ {shlex.quote(sys.executable)} -m align_cli "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", name], cwd=tmp_path, capture_output=True, check=True)
    assert len(done.stdout.split(b",")) == 3


def test_a_file_named_like_a_point_is_read(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    (tmp_path / "240,180").write_text(LANDMARKS)
    assert imalign("points", aligned, "240,180").returncode == 0


def test_what_is_written_is_said(imalign: Imalign, aligned: Path) -> None:
    assert imalign("points", aligned, "p.csv", "-o", "q.csv").stderr == "wrote q.csv\n"
    assert imalign("points", aligned, "p.csv", "-o", "q.csv", "-q").stderr == ""
    assert imalign("points", aligned, "p.csv").stderr == ""
