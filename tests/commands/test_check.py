from __future__ import annotations

import csv
import html
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

import align_cli
from align_cli.commands.group import cli
from align_cli.engine import check as engine
from align_cli.engine.records import Outcome, Status, Verdict
from align_cli.engine.result.transform import Transform
from align_cli.files.images import read_image, write_image
from align_cli.files.schema import alignment_schema
from tests.commands.conftest import TRUTH, Imalign, rendered

Pair = tuple[Path, Path]


def saved(folder: Path, matrix: np.ndarray = TRUTH) -> str:
    np.savetxt(folder / "truth.txt", matrix)
    return "truth.txt"


def shifted(dx: float, dy: float) -> np.ndarray:
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]]) @ TRUTH


def files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_a_right_transform_is_aligned_and_nothing_is_written(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    path, before = saved(tmp_path), files(tmp_path)
    result = imalign("check", path, "a.png", "b.png")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert files(tmp_path) == before
    first, *others = result.stderr.splitlines()
    assert first.startswith("aligned (homography): shifted 3.1")
    assert any("matched tiles are displaced by at most 1 px" in line for line in others), others
    assert "image was written" not in result.stderr
    assert "wrote" not in result.stderr


@pytest.mark.parametrize(("dx", "dy"), [(30.0, 0.0), (0.0, -25.0)])
def test_a_wrong_one_is_not(
    imalign: Imalign, pair: Pair, tmp_path: Path, dx: float, dy: float
) -> None:
    result = imalign("check", saved(tmp_path, shifted(dx, dy)), "a.png", "b.png")
    assert result.returncode == 1, result.stderr
    assert "aligned (homography): shifted" not in result.stderr
    assert result.stderr.startswith("a.png -> b.png: ")


def test_the_json_is_that_of_an_alignment_that_was_given(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    result = imalign("check", saved(tmp_path), "a.png", "b.png", "--json", "-", "--quiet")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    document = json.loads(result.stdout)
    jsonschema.validate(document, alignment_schema())
    assert document["source_to_target"] == pytest.approx(TRUTH)
    assert document["start"] == "given"
    assert document["levels"] == []
    assert document["options"]["init"] == "truth.txt"
    told = document["displacements"]
    assert told["tiles"] > 10
    assert told["median_px"] < 0.1
    assert told["within_1_px"] == 1.0


def test_the_same_numbers_as_in_python(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    matrix = shifted(0.6, -0.3)
    imalign("check", saved(tmp_path, matrix), "a.png", "b.png", "--json", "a.json", "-m", "rigid")
    document = json.loads((tmp_path / "a.json").read_text())
    source, target = (read_image(path).pixels for path in pair)
    for transform in (matrix, Transform.from_matrix(matrix)):
        found = align_cli.check(source, target, transform, model="rigid")
        assert found.displacements is not None
        assert document["displacements"]["median_px"] == found.displacements.median_px
        assert document["outcome"]["verdict"] == found.outcome.verdict.value
        assert document["model"] == found.model == "rigid"
        assert found.levels == ()


def test_the_displacement_is_where_the_warped_source_shows_the_tile(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    # The source is moved 0.6 px too far to the right: there its tiles are found.
    path = saved(tmp_path, shifted(0.6, -0.3))
    result = imalign("check", path, "a.png", "b.png", "--displacement-map", "map.csv")
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    matched = columns["matched"] == 1.0
    assert matched.mean() > 0.9
    assert np.median(columns["dx"][matched]) == pytest.approx(0.6, abs=0.15)
    assert np.median(columns["dy"][matched]) == pytest.approx(-0.3, abs=0.1)
    assert (columns["x"] > 0).all()
    assert (columns["x"] < 160).all()
    assert (columns["y"] < 120).all()


@pytest.mark.parametrize("name", ["map.png", "map.json", "map.npy", "map.tif"])
def test_a_map_of_every_kind_is_written_whatever_the_verdict(
    imalign: Imalign, pair: Pair, tmp_path: Path, name: str
) -> None:
    for matrix, code in ((TRUTH, 0), (shifted(30.0, 0.0), 1)):
        path = saved(tmp_path, matrix)
        result = imalign("check", path, "a.png", "b.png", "--displacement-map", name)
        assert result.returncode == code, result.stderr
        assert f"wrote {name}" in result.stderr
        assert (tmp_path / name).stat().st_size > 100
        (tmp_path / name).unlink()


def test_a_picture_shows_what_does_not_overlap(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    imalign("check", saved(tmp_path), "a.png", "b.png", "--displacement-map", "map.png")
    picture = read_image(tmp_path / "map.png").pixels
    assert picture.shape[1] >= 160 * 5
    assert (picture[:15, 5:10].min(axis=-1) > 150).all()  # hatched: above the source's border
    assert (picture[300, 400] != picture[0, 0]).any()


def test_an_error_map_is_written_where_it_is_asked_for(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    path = saved(tmp_path, shifted(30.0, 0.0))
    result = imalign("check", path, "a.png", "b.png", "--error-map", "e.npy", "-q")
    assert result.returncode == 1
    residual = np.load(tmp_path / "e.npy")
    assert residual.shape == (120, 160)
    assert np.nanmax(np.abs(residual)) > 0.1
    assert np.isnan(residual[:, :25]).all()


def test_the_model_is_the_one_that_the_document_names(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    imalign("a.png", "b.png", "-m", "similarity", "--no-image", "--no-error-map", "-q")
    for given, model in (((), "similarity"), (("-m", "affine"), "affine")):
        result = imalign("check", "a_aligned.json", "a.png", "b.png", *given)
        assert result.returncode == 0, result.stderr
        assert result.stderr.startswith(f"aligned ({model})")


def test_any_format_is_read_and_stdin(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    path = saved(tmp_path)
    for name in ("t.yml", "t.gcp", "t.json"):
        assert imalign("convert", path, name, "--size", "160x120").returncode == 0
        assert imalign("check", name, "a.png", "b.png", "-q").returncode == 0
    text = (tmp_path / path).read_text()
    assert imalign("check", "-", "a.png", "b.png", "-q", stdin=text).returncode == 0


def test_the_transform_of_an_alignment_that_failed_can_be_looked_at(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    write_image(tmp_path / "n.png", np.random.default_rng(1).integers(0, 255, (120, 160), np.uint8))
    imalign("n.png", "b.png", "--json", "failed.json", "-q", "--no-error-map")
    result = imalign("check", "failed.json", "n.png", "b.png", "--displacement-map", "map.csv")
    assert result.returncode == 1, result.stderr
    assert "Error" not in result.stderr


def test_a_mirrored_transform_is_checked_too(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    write_image(tmp_path / "m.png", np.ascontiguousarray(read_image(pair[0]).pixels[:, ::-1]))
    mirror = np.array([[-1.0, 0.0, 159.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    result = imalign("check", saved(tmp_path, TRUTH @ mirror), "m.png", "b.png", "--json", "-")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["mirrored"] is True
    assert "mirrored, " in result.stderr


def test_masks_and_regions_take_part(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    target = read_image(pair[1]).pixels.copy()
    target[:, :80] = np.random.default_rng(2).integers(0, 255, (120, 80))
    write_image(tmp_path / "b.png", target)
    mask = np.zeros((120, 160), np.uint8)
    mask[:, 82:] = 255
    write_image(tmp_path / "mask.png", mask)
    path = saved(tmp_path)
    matched = []
    for given in ((), ("--target-mask", "mask.png"), ("--roi", "82,0,78,120")):
        result = imalign(
            "check", path, "a.png", "b.png", *given, "-q", "--displacement-map", "map.npy"
        )
        table = np.load(tmp_path / "map.npy")
        matched.append(table[:, 7].mean())
        assert given == () or (table[:, 0] > 82.0).all()
    assert result.returncode == 0, result.stderr
    assert matched[0] < 0.8 < matched[1]
    assert matched[1] == matched[2]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("truth.txt", "b.png", "small.png"), 3, "no such file"),
        (("none.txt", "a.png", "b.png"), 3, "no such file"),
        (("truth.txt", "a.png", "b.png", "--displacement-map", "map.txt"), 2, "displacement map"),
        (
            ("truth.txt", "a.png", "b.png", "--displacement-map", "truth.txt"),
            2,
            "is the same file as the input",
        ),
        (("truth.txt", "a.png", "b.png", "--json", "b.png"), 2, "is the same file as the input"),
        (("truth.txt", "a.png", "b.png", "-q", "-v"), 2, "exclude"),
        (("truth.txt", "a.png", "b.png", "-m", "auto"), 2, "auto"),
        (("truth.txt", "a.png", "b.png", "--accept-residual", "-1"), 2, "accept-residual"),
    ],
)
def test_what_is_wrong_is_said(
    imalign: Imalign, pair: Pair, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    saved(tmp_path)
    result = imalign("check", *arguments)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_images_of_another_size_are_refused(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    write_image(tmp_path / "c.png", np.rint(255.0 * rendered(np.eye(3), (100, 80))).astype("uint8"))
    imalign("a.png", "b.png", "--no-image", "--no-error-map", "-q")
    for source, target in (("c.png", "b.png"), ("a.png", "c.png")):
        result = imalign("check", "a_aligned.json", source, target)
        assert result.returncode == 3
        assert "c.png: a_aligned.json is for an image of 160x120 px" in result.stderr


def test_source_and_target_in_the_wrong_order_are_told_so(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    target = read_image(pair[1]).pixels
    write_image(tmp_path / "b.png", np.ascontiguousarray(target[:, :130]))
    assert imalign("a.png", "b.png", "--no-image", "--no-error-map", "-q").returncode == 0
    assert imalign("check", "a_aligned.json", "a.png", "b.png").returncode == 0
    result = imalign("check", "a_aligned.json", "b.png", "a.png")
    assert result.returncode == 3
    assert "b.png: a_aligned.json is for an image of 160x120 px, this one has 130x120 px" in (
        result.stderr
    )
    assert "are SRC and DST swapped?" in result.stderr


def test_verbose_adds_the_figures(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    said = imalign("check", saved(tmp_path), "a.png", "b.png", "-v").stderr
    assert said.startswith("evidence: ")
    assert "tiles that match: median 0.0" in said


def test_a_transform_that_folds_the_source_is_an_input_fault(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    folded = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.02, 0.0, 1.0]])
    result = imalign("check", saved(tmp_path, folded), "a.png", "b.png")
    assert result.returncode == 3, result.stderr
    assert "truth.txt: its horizon crosses the source" in result.stderr


def test_a_doubtful_one_can_be_accepted(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = engine.check
    maybe = Outcome(Status.NO_AGREEMENT, "half of it fits", ("half",), doubtful=True)
    monkeypatch.setattr(
        engine, "check", lambda *a, **options: replace(sure(*a, **options), outcome=maybe)
    )
    monkeypatch.chdir(tmp_path)
    assert maybe.verdict is Verdict.DOUBTFUL
    arguments = ["check", saved(tmp_path), "a.png", "b.png"]
    refused = CliRunner().invoke(cli, arguments)
    assert refused.exit_code == 1
    assert "--accept-doubtful accepts this result" in refused.stderr
    accepted = CliRunner().invoke(cli, [*arguments, "--accept-doubtful"])
    assert accepted.exit_code == 0
    assert "doubtful (homography): shifted" in accepted.stderr


def test_what_to_try_names_the_files(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    """The command that solves is one to be typed, whatever the names."""
    pair[0].rename(tmp_path / "my scan.png")
    (tmp_path / "far off.txt").write_text("1 0 40\n0 1 40\n0 0 1\n")
    views = "--json", "c.json", "--report", "r.html"
    said = imalign("check", "far off.txt", "my scan.png", "b.png", *views)
    assert said.returncode == 1
    advice = (
        "run imalign 'my scan.png' b.png to estimate a transform, or to refine this one "
        "(--init 'far off.txt')"
    )
    assert advice in said.stderr
    assert advice in json.loads((tmp_path / "c.json").read_text("utf-8"))["outcome"]["sentence"]
    page = html.unescape((tmp_path / "r.html").read_text("utf-8"))
    assert f"<li>R{advice[1:]}.</li>" in page
    piped = imalign("check", "-", "my scan.png", "b.png", stdin="1 0 40 0 1 40 0 0 1")
    assert "b.png to estimate a transform, or to refine this one\n" in piped.stderr
