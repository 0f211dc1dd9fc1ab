"""``--report``: what its file is called, holds, and says of how to get it again."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.commands.quoting import command_line, quoted
from align_cli.files.images import read_image, write_image
from align_cli.report import error_scale
from align_cli.version import __version__
from tests.commands.conftest import SAMPLES, Imalign

POSTER = (SAMPLES / "poster_source.png", SAMPLES / "poster_target.png")


def command_of(page: str) -> str:
    """The command that a page gives, as text."""
    found = re.search(r"<code>(.*?)</code>", page)
    assert found is not None
    return html.unescape(re.sub("<[^>]*>", "", found[1]))


def test_a_report_is_named_written_and_the_same_every_time(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    done = imalign(*pair, "-m", "rigid", "--report", "r.html")
    assert done.returncode == 0, done.stderr
    assert "r.html" in done.stderr
    first = (tmp_path / "r.html").read_bytes()
    imalign(*pair, "-m", "rigid", "--report", "r.html")
    assert (tmp_path / "r.html").read_bytes() == first
    text = first.decode("utf-8")
    assert "<title>aligned: " in text
    assert "<dt>start</dt>" in text
    assert text.count(f"imalign {__version__}") == 1
    for path in pair:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert shlex.split(command_of(text)) == [
        "imalign",
        *map(str, pair),
        *["-m", "rigid", "--report", "r.html"],
    ]


def test_page_line_and_json_count_the_same_tiles(imalign: Imalign, tmp_path: Path) -> None:
    done = imalign(*POSTER, "--json", "p.json", "--report", "r.html", "--displacement-map", "d.png")
    told = json.loads((tmp_path / "p.json").read_text("utf-8"))["displacements"]
    searched, matched = told["searched"], told["matched"]
    page = (tmp_path / "r.html").read_text("utf-8")
    assert f"{searched} small squares of the target were looked for" in page
    assert f"{matched} were found" in page
    near = round(told["within_1_px"] * matched)
    assert f"{near} of {matched} matched tiles" in done.stderr


@pytest.mark.parametrize("name", ["r.png", "r", "-"])
def test_a_report_is_called_html(name: str, imalign: Imalign, pair: tuple[Path, Path]) -> None:
    done = imalign(*pair, "--report", name)
    assert done.returncode == 2
    assert f"--report {name}: the report is a page; give it a name in .html" in done.stderr


def test_lossless_pixels_need_a_page(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    done = imalign(*pair, "--report-lossless")
    assert done.returncode == 2
    assert "--report-lossless needs --report PATH.html" in done.stderr


def test_a_report_replaces_no_input_and_needs_its_folder(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "a.html"
    pair[0].rename(page)
    before = page.read_bytes()
    done = imalign(page, pair[1], "--report", "a.html")
    assert done.returncode == 2
    assert "same file as the input" in done.stderr
    assert page.read_bytes() == before
    done = imalign(page, pair[1], "--report", "no/such.html")
    assert done.returncode == 4
    assert "no/such.html: its folder does not exist" in done.stderr
    assert not (tmp_path / "a_aligned.json").exists()


def test_a_failure_has_a_report_and_no_image(imalign: Imalign, tmp_path: Path) -> None:
    done = imalign(SAMPLES / "fundus_source.png", POSTER[1], "--report", "r.html")
    assert done.returncode == 1
    assert "no warped image was written; wrote r.html, fundus_source_aligned.json" in done.stderr
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "<title>failed: " in text
    assert "Where the search looked" in text
    assert "--allow-flip, if one image may be mirrored" in text
    assert '<figure class="layer" data-layer="warped"' not in text


def test_a_check_tells_the_transform_it_was_given(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    imalign(*pair, "-m", "rigid")
    done = imalign("check", "a_aligned.json", *pair, "--report", "r.html")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "The transform aligns the images" in text
    assert "<dt>start</dt>" not in text  # nothing was solved
    digest = hashlib.sha256((tmp_path / "a_aligned.json").read_bytes()).hexdigest()
    assert digest in text


def test_what_the_transform_does_not_explain_is_told(imalign: Imalign, tmp_path: Path) -> None:
    """A lens that distorts: the page says what the closing line says."""
    target = read_image(SAMPLES / "poster_target.png").pixels
    height, width = target.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u, v = (x - width / 2) / (width / 2), (y - height / 2) / (width / 2)
    bent = 4.0 * (u * u + v * v)
    source = cv2.remap(target, x + bent * u, y + bent * v, cv2.INTER_CUBIC, None, 1)
    for name, pixels in (("source", source), ("target", target)):
        write_image(tmp_path / f"{name}.png", pixels)
    done = imalign("source.png", "target.png", "--report", "r.html")
    (said,) = (line for line in done.stderr.splitlines() if line.startswith("systematic"))
    text = html.unescape((tmp_path / "r.html").read_text("utf-8"))
    before, _, after = text.partition("What to know")
    assert f"<li>S{said[1:]}.</li>" in after
    assert said[1:] not in before


def embedded(path: Path, layer: str) -> np.ndarray:
    """A layer of a report as its file holds it, RGB or RGBA."""
    found = re.search(
        rf'data-layer="{layer}"><img src="data:image/\w+;base64,([^"]*)"', path.read_text("utf-8")
    )
    assert found is not None
    image = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), -1)
    return image[..., [2, 1, 0, 3][: image.shape[2]]]


def test_what_the_report_shows_is_what_the_command_writes(imalign: Imalign, tmp_path: Path) -> None:
    written = ("-o", "o.png", "--error-map", "e.npy", "--valid-mask", "v.png")
    pair = [SAMPLES / f"exposure_{role}.png" for role in ("source", "target")]
    imalign(*pair, *written, "--report", "r.html", "--report-lossless")
    imalign(*pair, "--no-image", "--error-map", "raw.npy", "--raw-error")
    page = tmp_path / "r.html"
    inside = read_image(tmp_path / "v.png").pixels == 255
    warped = embedded(page, "warped")
    assert_array_equal(warped[..., 3] == 255, inside)
    assert_array_equal(embedded(page, "target"), read_image(pair[1]).pixels)
    assert_array_equal(embedded(page, "before"), read_image(pair[0]).pixels)
    residual = np.load(tmp_path / "e.npy")
    error, difference = embedded(page, "error"), embedded(page, "difference")
    known = np.isfinite(residual)
    # The warped source is after the illumination, up to what is rounded or brighter than white.
    luma = np.array([0.299, 0.587, 0.114])
    left = (warped[..., :3] @ luma - embedded(page, "target") @ luma)[known] - 255 * residual[known]
    assert np.abs(left).mean() < 1.0
    assert "warped source, after the change of illumination" in page.read_text("utf-8")
    assert_array_equal(error[..., 3] == 255, known)
    colours = error_scale.COLOURS[error_scale.levels(np.where(known, residual, 0.0))]
    assert_array_equal(error[known][:, :3], colours[known])
    # What differs in illumination is in neither.
    raw = np.load(tmp_path / "raw.npy")
    assert np.abs(raw[known]).mean() > 3 * np.abs(residual[known]).mean()
    steps = np.clip(np.rint(255.0 * residual[known]), -31, 31)
    assert_array_equal(difference[known][:, 0], 128 + 4 * steps)


def test_the_error_of_a_float_source_is_that_of_the_error_map(
    imalign: Imalign, tmp_path: Path
) -> None:
    source, target = (read_image(path).pixels for path in POSTER)
    write_image(tmp_path / "a.tif", source.astype(np.float32) / 255)
    write_image(tmp_path / "b.png", target)
    written = ("-o", "o.tif", "--error-map", "e.png", "--report", "r.html", "--report-lossless")
    done = imalign("a.tif", "b.png", *written)
    assert done.returncode == 0, done.stderr
    error = embedded(tmp_path / "r.html", "error")
    known = error[..., 3] == 255
    assert_array_equal(error[known][:, :3], read_image(tmp_path / "e.png").pixels[known])
    assert error[known][:, 0].max() > 60


def test_without_photometric_the_report_shows_the_source_as_it_is_written(
    imalign: Imalign, tmp_path: Path
) -> None:
    plain = ("--no-photometric", "--report", "r.html", "--report-lossless", "--valid-mask", "v.png")
    done = imalign(*POSTER, "-o", "o.png", *plain)
    assert done.returncode == 0, done.stderr
    inside = read_image(tmp_path / "v.png").pixels == 255
    warped = embedded(tmp_path / "r.html", "warped")[inside][:, :3]
    assert_array_equal(warped, read_image(tmp_path / "o.png").pixels[inside])
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "change of illumination" not in text
    assert "|warped - target|" in text


def test_large_images_are_reduced_and_the_page_says_so(imalign: Imalign, tmp_path: Path) -> None:
    for path, name in zip(POSTER, ("a.png", "b.png"), strict=True):
        image = cv2.imread(str(path))
        cv2.imwrite(str(tmp_path / name), cv2.resize(image, (1920, 1440)))
    imalign("a.png", "b.png", "--report", "small.html")
    text = (tmp_path / "small.html").read_text("utf-8")
    assert "reduced 2 times: each pixel is the mean of 2 x 2" in text
    assert len(text) < 3_000_000
    imalign("a.png", "b.png", "--report", "whole.html", "--report-lossless")
    assert "target: PNG (exact), every pixel" in (tmp_path / "whole.html").read_text("utf-8")


def test_a_command_is_one_line_that_a_shell_reads_back() -> None:
    arguments = ("a b.png", "it's.png", "-m", "rigid")
    assert shlex.split(command_line(arguments)) == ["imalign", *arguments]
    assert quoted("two\nlines.png") == "$'two\\nlines.png'"
    assert quoted("a\u202e'b\\") == "$'a\\u202e\\'b\\\\'"
    assert quoted("caf\udce9.png") == "$'caf\\xe9.png'"
    assert command_line(()) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_that_is_no_text_has_a_report(imalign: Imalign, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    shutil.copy(POSTER[0], tmp_path / name)
    done = imalign(name, POSTER[1], "--report", "r.html", "--json", "r.json", "-o", "o.png")
    assert done.returncode == 0, done.stderr
    script = f'set -- {command_of((tmp_path / "r.html").read_text("utf-8"))}; printf %s "$2"'
    said = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert said.stdout == b"caf\xe9.png"
