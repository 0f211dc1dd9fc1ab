"""compose, invert, show, convert, evaluate and diff."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from align_cli.commands.exit_codes import ExitCode
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.files.documents import write_json
from align_cli.files.schema import transform_schema
from tests.commands.conftest import SAMPLES, TRUTH, Imalign

Pair = tuple[Path, Path]
SHIFT = "1 0 5\n0 1 -3\n0 0 1\n"
DOUBLE = "2 0 0\n0 2 0\n0 0 1\n"


@pytest.fixture
def aligned(imalign: Imalign, pair: Pair, tmp_path: Path) -> Path:
    result = imalign("a.png", "b.png", "--no-error-map", "--no-image", "-q", "-m", "rigid")
    assert result.returncode == 0
    return tmp_path / "a_aligned.json"


def load(text: str) -> dict:
    document = json.loads(text)
    jsonschema.validate(document, transform_schema())
    return document


def test_compose_does_a_first(imalign: Imalign, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SHIFT)
    (tmp_path / "b.txt").write_text(DOUBLE)
    result = imalign("compose", "a.txt", "b.txt")
    assert result.returncode == 0, result.stderr
    document = load(result.stdout)
    assert document["source_to_target"] == [[2.0, 0.0, 10.0], [0.0, 2.0, -6.0], [0.0, 0.0, 1.0]]
    assert document["model"] == "similarity"
    assert document["uncertainty"] is None
    imalign("compose", "b.txt", "a.txt", "-o", "ba.txt")
    assert (tmp_path / "ba.txt").read_text() == "2.0 0.0 5.0\n0.0 2.0 -3.0\n0.0 0.0 1.0\n"


def test_there_and_back_is_nothing_and_twice_as_unsure(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    assert imalign("invert", aligned, "-o", "back.json").returncode == 0
    back = load((tmp_path / "back.json").read_text())
    forward = json.loads(aligned.read_text())
    assert back["source_to_target"] == forward["target_to_source"]
    assert back["target_to_source"] == forward["source_to_target"]
    both = load(imalign("compose", aligned, "back.json").stdout)
    np.testing.assert_allclose(both["source_to_target"], np.eye(3), atol=1e-12)
    # A rigid motion moves errors along unchanged: two of them, taken as independent.
    sigma = [each["uncertainty"]["mean_px"] for each in (forward, both)]
    assert np.isclose(sigma[1], sigma[0] * np.sqrt(2), rtol=0.1)
    assert imalign("apply", "back.json", "b.png", "-o", "x.png").returncode == 0
    assert imalign("apply", aligned, "--inverse", "b.png", "-o", "y.png").returncode == 0
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


def test_what_does_not_meet_is_refused(imalign: Imalign, tmp_path: Path) -> None:
    size = {"width": 100, "height": 80}
    document = {
        "schema": "imalign/transform/1",
        "source": size,
        "target": {**size, "width": 90},
        "source_to_target": np.eye(3).tolist(),
    }
    write_json(tmp_path / "a.json", document)
    result = imalign("compose", "a.json", "a.json", "-o", "b.json")
    assert result.returncode == ExitCode.INPUT
    assert "90x80 px, the second maps from one of 100x80 px" in result.stderr
    assert not (tmp_path / "b.json").exists()


def test_show_says_it_in_words(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    said = imalign("show", aligned).stdout
    for words in ("rigid, source 160x120, target 160x120", "2.00 degrees", "shifted", "+-"):
        assert words in said
    (tmp_path / "t.txt").write_text("1.1 0 5\n0 1.2 -3\n1e-4 0 1\n")
    said = imalign("show", "t.txt").stdout
    for words in (
        "homography, source unknown size",
        "pixel (0, 0)",
        "5.00 px right",
        "perspective",
    ):
        assert words in said
    document = json.loads(aligned.read_text())
    document["outcome"] = {"status": "diverged", "aligned": False, "sentence": "it led away"}
    write_json(tmp_path / "failed.json", document)
    assert "NOT ALIGNED: it led away" in imalign("show", "failed.json").stdout


@pytest.mark.parametrize("accepted", [False, True])
def test_a_doubtful_one_is_called_so_and_how_to_accept_it_is_said(
    imalign: Imalign, aligned: Path, tmp_path: Path, accepted: bool
) -> None:
    document = json.loads(aligned.read_text())
    document["outcome"] = {
        "status": "ambiguous", "verdict": "doubtful", "aligned": False, "sentence": "two places fit"
    }  # fmt: skip
    document["options"]["accept_doubtful"] = accepted
    write_json(tmp_path / "doubtful.json", document)
    accept = "to use it anyway, align the images again with --accept-doubtful"
    shown = imalign("show", "doubtful.json").stdout.splitlines()[-1]
    measured = imalign("evaluate", "doubtful.json", "--truth", aligned)
    applied = imalign("apply", "doubtful.json", "a.png")
    said = shown + measured.stderr + applied.stderr
    assert "failed" not in said
    assert "aligned:" not in said.lower()
    if accepted:
        assert shown == "DOUBTFUL: two places fit; it was accepted"
        assert (measured.returncode, applied.returncode) == (0, 0)
        return
    assert shown == f"DOUBTFUL: two places fit; {accept}"
    assert measured.returncode == ExitCode.NOT_ALIGNED
    assert measured.stderr == f"doubtful.json: doubtful: two places fit; {accept}\n"
    assert applied.returncode == ExitCode.INPUT
    assert applied.stderr == (
        f"Error: doubtful.json: is from a doubtful alignment (two places fit); {accept}\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "show t.json",
        "points t.json p.csv",
        "convert t.json -",
        "diff t.json t.json",
        "apply --help",
    ],
)
def test_a_reader_that_has_enough_ends_it_without_a_word(
    imalign: Imalign, aligned: Path, tmp_path: Path, command: str
) -> None:
    aligned.rename(tmp_path / "t.json")
    (tmp_path / "p.csv").write_text("x,y\n" + "1,2\n" * 9)
    # Nobody will ever read it.
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "align_cli", *command.split()],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (ExitCode.READER_GONE, "")


def test_a_stdout_that_takes_a_part_is_a_fault_though_it_is_not_buffered(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("x,y\n" + "1,2\n" * 5000)
    limit = 4096
    with (tmp_path / "out.csv").open("wb") as out:
        result = subprocess.run(
            [sys.executable, "-m", "align_cli", "points", aligned.name, "p.csv"],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
    assert result.returncode == ExitCode.OUTPUT
    assert "stdout: File too large" in result.stderr
    assert (tmp_path / "out.csv").stat().st_size == limit


def test_a_file_that_is_compared_with_itself_is_named_once(
    imalign: Imalign, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("1 0 5\n0 1 0\n0 0 1\n")
    (tmp_path / "u.txt").write_text("1 0 5\n0 1 0\n0 0 1\n")
    same, other = imalign("diff", "t.txt", "t.txt"), imalign("diff", "t.txt", "u.txt")
    assert "t.txt does not contain the size of the images; give --size" in same.stderr
    assert "neither t.txt nor u.txt contains the size" in other.stderr


def test_convert_by_name_and_by_option(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    assert imalign("convert", aligned, "a.tfm").returncode == 0
    assert "Euler2DTransform" in (tmp_path / "a.tfm").read_text()
    assert (
        imalign("convert", "a.tfm", "-", "--to", "itk").stdout == (tmp_path / "a.tfm").read_text()
    )
    result = imalign("convert", "a.tfm", "t", "--to", "elastix")
    assert result.returncode == ExitCode.OUTPUT
    assert "give --size" in result.stderr
    assert imalign("convert", "a.tfm", "t", "--to", "elastix", "--size", "160x120").returncode == 0
    assert imalign("convert", "t", "b.json").returncode == 0
    assert imalign("diff", "b.json", aligned, "--max-error", "1e-9").returncode == 0
    assert imalign("convert", aligned, "a.dat").returncode == ExitCode.USAGE
    assert imalign("convert", aligned, aligned).returncode == ExitCode.USAGE


def test_any_format_is_a_start(imalign: Imalign, aligned: Path) -> None:
    imalign("convert", aligned, "start.tfm")
    result = imalign("a.png", "b.png", "--init", "start.tfm", "--no-image", "--no-error-map")
    assert result.returncode == 0, result.stderr


def test_evaluate_measures_and_judges(imalign: Imalign, aligned: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "truth.txt", TRUTH)
    result = imalign("evaluate", aligned, "--truth", "truth.txt", "--max-error", 0.02)
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    found = np.array(json.loads(aligned.read_text())["source_to_target"])
    assert measured["corner_error_px"] == corner_error(found, TRUTH, (160, 120))
    assert 0 < measured["epe_mean_px"] < measured["epe_max_px"] < 0.03
    result = imalign("evaluate", aligned, "--truth", "truth.txt", "--max-error", 1e-9)
    assert result.returncode == ExitCode.NOT_ALIGNED
    assert json.loads(result.stdout) == measured
    assert "exceeds --max-error 1e-09" in result.stderr


def test_a_failed_alignment_is_measured_but_never_good_enough(
    imalign: Imalign, aligned: Path, tmp_path: Path
) -> None:
    np.savetxt(tmp_path / "truth.txt", TRUTH)
    document = json.loads(aligned.read_text())
    document["outcome"] = {"status": "diverged", "aligned": False, "sentence": "it led away"}
    write_json(tmp_path / "failed.json", document)
    result = imalign("evaluate", "failed.json", "--truth", "truth.txt", "--max-error", 100)
    assert result.returncode == ExitCode.NOT_ALIGNED
    assert "it led away" in result.stderr
    assert json.loads(result.stdout)["corner_error_px"] < 0.02


@pytest.mark.parametrize("name", ["poster", "scan"])
def test_the_samples_are_as_good_as_their_truth_says(imalign: Imalign, name: str) -> None:
    source, target, truth = (
        SAMPLES / f"{name}_{what}" for what in ("source.png", "target.png", "truth.json")
    )
    assert imalign(source, target, "--no-image", "--no-error-map").returncode == 0
    result = imalign(
        "evaluate", f"{name}_source_aligned.json", "--truth", truth, "--max-error", 0.1
    )
    assert result.returncode == 0, result.stderr


def test_diff_of_shifts_is_their_distance(imalign: Imalign, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SHIFT)
    (tmp_path / "b.txt").write_text("1 0 8\n0 1 1\n0 0 1\n")
    result = imalign("diff", "a.txt", "b.txt", "--size", "64x48")
    assert json.loads(result.stdout) == {
        "corner_error_px": 5.0,
        "epe_mean_px": 5.0,
        "epe_max_px": 5.0,
    }
    assert imalign("diff", "a.txt", "b.txt").returncode == ExitCode.USAGE
    (tmp_path / "c.txt").write_text("1 0 0\n0 1 0\n-0.02 0 1\n")
    result = imalign("diff", "a.txt", "c.txt", "--size", "64x48")
    assert result.returncode == ExitCode.INPUT
    assert "the horizon of a transform crosses its image" in result.stderr


def test_transforms_between_images_of_other_sizes_are_not_compared(
    imalign: Imalign, tmp_path: Path
) -> None:
    for name, size in (("a.json", 64), ("b.json", 65)):
        image = {"width": size, "height": 48}
        document = {"source_to_target": np.eye(3).tolist(), "source": image, "target": image}
        (tmp_path / name).write_text(json.dumps(document))
    for arguments in (("diff", "a.json", "b.json"), ("evaluate", "a.json", "--truth", "b.json")):
        result = imalign(*arguments)
        assert result.returncode == ExitCode.INPUT
        assert "the source has 64x48 px in the first, 65x48 px in the second" in result.stderr
        assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "t.json"),
        ("invert", "t.json", "-o", "out.json"),
        ("compose", "t.json", "t.json", "-o", "out.json"),
        ("convert", "t.json", "out.json"),
        ("diff", "t.json", "t.json"),
        ("evaluate", "t.json", "--truth", "t.json"),
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize(
    ("text", "words"), [('{"a": 1}', "is neither an alignment"), ("1 1 1 1 1 1 1 1 1", "singular")]
)
def test_what_is_no_transform_is_one_line(
    imalign: Imalign, tmp_path: Path, arguments: tuple[str, ...], text: str, words: str
) -> None:
    (tmp_path / "t.json").write_text(text)
    result = imalign(*arguments)
    assert result.returncode == ExitCode.INPUT, result.stderr
    assert words in result.stderr
    assert result.stderr.startswith("Error: t.json: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not (tmp_path / "out.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["show t.txt", "diff t.txt t.txt --size 9x9", "invert t.txt"])
def test_what_stdout_does_not_take_is_an_output_that_cannot_be_written(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "t.txt").write_text(SHIFT)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "align_cli", *command.split()],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == ExitCode.OUTPUT
    assert result.stderr.startswith("Error: stdout: No space left on device; ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "a.txt", "out.json"),
        ("invert", "a.txt", "-o", "out.json"),
        ("compose", "a.txt", "a.txt", "-o", "out.json"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_written_is_said(imalign: Imalign, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "a.txt").write_text(SHIFT)
    result = imalign(*words)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "wrote out.json\n")
    piped = imalign(*("-" if word == "out.json" else word for word in words), "--to", "json")
    assert piped.stderr == ""
    assert load(piped.stdout)
