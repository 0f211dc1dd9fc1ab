"""What Python is handed goes to files and back, into words and into pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from numpy.testing import assert_allclose

import align_cli
from align_cli import (
    Alignment,
    NotAlignedError,
    Outcome,
    Status,
    Transform,
    UnwritableError,
    align,
    check,
    load,
)
from align_cli.commands.transform_outputs import FORMAT_NAMES
from align_cli.engine.errors import ImageError
from align_cli.files.images import read_image, write_image
from align_cli.files.schema import alignment_schema
from tests.scenes import pair

MADE = pair("affine", seed=1, size=(120, 90), source_size=(101, 95), dtype="uint8")
FOUND = align(MADE.source, MADE.target, model="affine")
SENTENCE = "Nothing agrees; try another start."
FAILED = dataclasses.replace(
    FOUND, outcome=Outcome(Status.NO_AGREEMENT, SENTENCE, (SENTENCE,)), uncertainty=None
)
DOUBTFUL = dataclasses.replace(
    FOUND, outcome=Outcome(Status.SECOND_MOTION, SENTENCE, (SENTENCE,), doubtful=True)
)
# One file name for each format but the last's, which is another's too.
FILES = ("t.json", "t.yml", "t.xml", "t.tfm", "TransformParameters.0.txt", "t.gcp", "t.txt")


def imalign(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "align_cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def saved(found: Alignment, path: Path, **how: bool) -> dict[str, Any]:
    found.save(path, **how)
    return json.loads(path.read_text("utf-8"))


def test_a_saved_alignment_is_loaded_to_the_last_bit(tmp_path: Path) -> None:
    FOUND.save(tmp_path / "a.json")
    for again in (load(tmp_path / "a.json"), Transform.load(tmp_path / "a.json")):
        for name in ("source_to_target", "target_to_source", "covariance"):
            assert getattr(again, name).tobytes() == getattr(FOUND.transform, name).tobytes()
        assert repr(again) == repr(FOUND.transform)
        assert (again.warp(MADE.source) == FOUND.warp(MADE.source)).all()


def test_the_json_is_the_commands_but_for_what_only_that_knows(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", MADE.source)
    write_image(tmp_path / "b.png", MADE.target)
    ran = imalign("a.png", "b.png", "-m", "affine", "--canvas", "overlap", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    by_command = json.loads((tmp_path / "a_aligned.json").read_text("utf-8"))
    by_python = saved(FOUND, tmp_path / "python.json")
    assert list(by_python) == list(by_command)
    assert by_python.pop("options") == {"accept_doubtful": False}
    del by_command["options"]
    assert by_python.pop("changed") is None  # an alignment does not hold its images
    assert by_command.pop("changed")["areas"] == 0
    assert by_python["source"] == {**by_command["source"], "path": None}
    assert by_python["target"] == {**by_command["target"], "path": None}
    for known in (by_python, by_command):
        for name in ("source", "target", "canvas"):
            del known[name]
    assert by_python == by_command


@pytest.mark.parametrize("found", [FOUND, DOUBTFUL, FAILED], ids=["aligned", "doubtful", "failed"])
def test_the_json_follows_the_schema(tmp_path: Path, found: Alignment) -> None:
    validator = jsonschema.Draft202012Validator(alignment_schema())
    validator.validate(saved(found, tmp_path / "a.json"))
    unknown = dataclasses.replace(found, source_kind=None, target_kind=None)
    validator.validate(saved(unknown, tmp_path / "b.json", accept_doubtful=True))


def test_the_commands_read_what_python_saved(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", MADE.source)
    FOUND.save(tmp_path / "t.json")
    (tmp_path / "points.csv").write_text("x,y\n10,20\n")
    ran = imalign("apply", "t.json", "a.png", "-o", "warped.png", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (read_image(tmp_path / "warped.png").pixels == FOUND.warp(MADE.source)).all()
    ran = imalign("points", "t.json", "points.csv", folder=tmp_path)
    x, y = FOUND.map_points([[10, 20]])[0].tolist()
    assert f"{x!r},{y!r}" in ran.stdout, ran.stderr
    ran = imalign("convert", "t.json", "t.tfm", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert_allclose(load(tmp_path / "t.tfm").source_to_target, FOUND.source_to_target, atol=1e-12)


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_written_by_its_name_and_read(tmp_path: Path, name: str) -> None:
    assert len({*FORMAT_NAMES}) == len(FILES) - 1
    for thing in (FOUND, FOUND.transform):
        thing.save(tmp_path / name)
        again = load(tmp_path / name)
        assert_allclose(again.source_to_target, FOUND.source_to_target, rtol=0, atol=1e-9)


def test_a_failed_alignment_is_saved_as_such(tmp_path: Path) -> None:
    path = tmp_path / "failed.json"
    assert saved(FAILED, path)["outcome"]["verdict"] == "failed"
    for how in ({}, {"accept_doubtful": True}):
        with pytest.raises(
            NotAlignedError, match=r"failed\.json: the alignment failed: Nothing"
        ) as e:
            load(path, **how)
    assert (e.value.verdict, e.value.where, e.value.sentence) == ("failed", str(path), SENTENCE)
    assert (load(path, force=True).source_to_target == FOUND.source_to_target).all()
    assert imalign("show", "failed.json", folder=tmp_path).returncode == 0
    assert imalign("convert", "failed.json", "t.txt", folder=tmp_path).returncode == 3


def test_a_doubtful_one_is_read_where_saving_or_reading_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "doubtful.json"
    assert saved(DOUBTFUL, path)["options"] == {"accept_doubtful": False}
    with pytest.raises(NotAlignedError, match=r"is doubtful: .*; accept_doubtful=True uses it any"):
        load(path)
    assert imalign("convert", "doubtful.json", "t.txt", folder=tmp_path).returncode == 3
    assert load(path, accept_doubtful=True).model == "affine"
    assert load(path, force=True).model == "affine"
    DOUBTFUL.save(path, accept_doubtful=True)
    assert load(path).model == "affine"
    assert imalign("convert", "doubtful.json", "t.txt", folder=tmp_path).returncode == 0


@pytest.mark.parametrize("name", FILES[1:])
def test_no_format_that_cannot_say_so_gets_what_is_not_aligned(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for found, how in ((FAILED, {}), (FAILED, {"accept_doubtful": True}), (DOUBTFUL, {})):
        with pytest.raises(NotAlignedError):
            found.save(path, **how)
        assert not path.exists()
    DOUBTFUL.save(path, accept_doubtful=True)
    FAILED.save(path, force=True)
    assert path.exists()


def test_a_name_that_means_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(align_cli.UnwritableError, match="matches no transform format"):
        FOUND.save(tmp_path / "t.png")
    assert not (tmp_path / "t.png").exists()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_summary_is_what_the_command_says(tmp_path: Path, dtype: str) -> None:
    images = pair("affine", seed=1, dtype=dtype)
    for name, image in (("a.tif", images.source), ("b.tif", images.target)):
        write_image(tmp_path / name, image)
    ran = imalign("a.tif", "b.tif", "-m", "affine", folder=tmp_path)
    summary = align(images.source, images.target, model="affine").summary()
    *said, wrote, step = ran.stderr.splitlines()
    assert said == summary.splitlines()
    assert wrote.startswith("wrote ")
    assert step.startswith("next: ")
    assert ("of full scale" in summary) == (dtype == "uint8")


def test_the_summary_of_what_is_not_aligned_says_why() -> None:
    assert FAILED.summary() == f"not aligned (affine): {SENTENCE}"
    assert FAILED.summary(accept_doubtful=True) == FAILED.summary()
    assert DOUBTFUL.summary().splitlines() == [
        f"doubtful (affine): {SENTENCE}",
        "accept_doubtful=True uses this result",
    ]
    accepted = DOUBTFUL.summary(accept_doubtful=True).splitlines()
    assert accepted[0].startswith("doubtful (affine): shifted ")
    assert accepted[-1] == SENTENCE


def test_a_report_is_that_of_the_command(tmp_path: Path) -> None:
    both = pair("affine", seed=1)
    found = align(both.source, both.target, model="affine")
    found.report(tmp_path / "r.html", both.source, both.target)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "<title>aligned: source on target</title>" in text
    assert hashlib.sha256(both.source.tobytes()).hexdigest() in text
    assert '<figure class="layer" data-layer="warped">' in text
    with pytest.raises(ImageError, match="the alignment is of one of 160x120 px"):
        found.report(tmp_path / "r.html", both.source[1:], both.target)


@pytest.mark.parametrize("verdict", ["aligned", "doubtful", "failed"])
def test_a_notebook_shows_verdict_and_numbers(verdict: str) -> None:
    both = pair("affine", seed=1)
    found = align(both.source, both.target, model="affine")
    reasons = ("one is <dark>",)
    said = {
        "aligned": found.outcome,
        "doubtful": Outcome(
            Status.UNCERTAIN,
            "the images may be aligned, but one is <dark>: inspect the result",
            reasons,
            doubtful=True,
        ),
        "failed": Outcome(Status.NO_AGREEMENT, "one is <dark>: use another", reasons),
    }
    html = dataclasses.replace(found, outcome=said[verdict])._repr_html_()
    assert f"({verdict})" in html
    assert "ZNCC" in html
    assert ("+-" in html) == (verdict != "failed")
    assert ("One is &lt;dark&gt;." in html) == (verdict != "aligned")
    assert "<script" not in html


def test_a_notebook_says_that_a_transform_was_only_checked() -> None:
    found = check(MADE.source, MADE.target, FOUND.source_to_target)
    assert "The transform aligns the images" in found._repr_html_()
    assert "The images are aligned" in FOUND._repr_html_()


def test_what_a_page_of_python_advises_is_told_in_keywords(tmp_path: Path) -> None:
    wrong = check(MADE.source, MADE.target, [[1, 0, 30], [0, 1, 30], [0, 0, 1]])
    assert "run imalign" in wrong.outcome.advice
    wrong.report(tmp_path / "r.html", MADE.source, MADE.target)
    for said in (wrong._repr_html_(), (tmp_path / "r.html").read_text("utf-8")):
        assert "all align(source, target) to estimate a transform" in said
        assert "run imalign" not in said.lower()


@pytest.mark.parametrize("level", [-1, float("nan"), float("inf")])
def test_a_level_below_which_nothing_changes_is_a_number(level: float) -> None:
    with pytest.raises(ValueError, match="above_levels must be a number of 0 or more, not"):
        FOUND.changed(MADE.source, MADE.target, above_levels=level)


def test_a_report_is_called_html(tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match=r"r\.txt: the report is a page; give it a name in"):
        FOUND.report(tmp_path / "r.txt", MADE.source, MADE.target)
    assert not list(tmp_path.iterdir())


def test_a_name_that_means_no_format_is_told_without_options(tmp_path: Path) -> None:
    with pytest.raises(
        UnwritableError, match=r"a\.npy: its name matches no .*; give it a name"
    ) as no:
        FOUND.save(tmp_path / "a.npy")
    assert "--to" not in str(no.value)


def test_images_are_arrays_and_not_names() -> None:
    with pytest.raises(ImageError, match=r"got str; read the file first, .* imageio\.v3\.imread"):
        align("a.jpg", "b.jpg")  # type: ignore[arg-type]


def test_a_report_compares_only_what_its_masks_leave(tmp_path: Path) -> None:
    target = MADE.target
    source = target.copy()
    source[30:60, 40:80] = 255 - source[30:60, 40:80]
    mask = np.ones(source.shape, np.bool_)
    mask[25:65, 35:85] = False
    found = align(source, target, source_mask=mask, model="translation")
    for name, masks in (("all", {}), ("some", {"source_mask": mask})):
        found.report(tmp_path / f"{name}.html", source, target, **masks)
    texts = [(tmp_path / f"{name}.html").read_text("utf-8") for name in ("all", "some")]
    assert ["What changed (" in text for text in texts] == [True, False]
    errors = [re.search('data-layer="error"><img src="([^"]*)"', text) for text in texts]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0][1] != errors[1][1]
