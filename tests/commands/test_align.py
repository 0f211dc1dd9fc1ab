from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import tifffile

import align_cli
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.files.images import read_image, write_image
from align_cli.files.schema import alignment_schema
from tests.commands.conftest import SAMPLES, TRUTH, Imalign, rendered

Pair = tuple[Path, Path]


def load(path: Path) -> dict:
    document = json.loads(path.read_text())
    jsonschema.validate(document, alignment_schema())
    return document


def listing(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_writes_three_files_named_after_the_source(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    result = imalign("a.png", "b.png")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert listing(tmp_path) == {
        "a.png",
        "b.png",
        "a_aligned.png",
        "a_aligned.json",
        "a_aligned_error.png",
    }
    document = load(tmp_path / "a_aligned.json")
    found = np.array(document["source_to_target"])
    assert corner_error(found, TRUTH, (160, 120)) < 0.02
    assert np.allclose(found @ np.array(document["target_to_source"]), np.eye(3), atol=1e-12)
    warped = read_image(tmp_path / "a_aligned.png").pixels.astype(float)
    target = read_image(tmp_path / "b.png").pixels.astype(float)
    inside = np.s_[15:-15, 15:-15]
    assert np.abs(warped - target)[inside].mean() < 1.0
    assert warped.shape == target.shape


def test_same_numbers_as_the_python_function(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    imalign("a.png", "b.png", "-m", "rigid", "--loss", "huber")
    document = load(tmp_path / "a_aligned.json")
    source, target = (read_image(path).pixels for path in pair)
    found = align_cli.align(source, target, model="rigid", loss="huber")
    assert document["source_to_target"] == found.source_to_target.tolist()
    assert document["quality"]["after"]["zncc"] == found.quality.after.zncc
    assert (read_image(tmp_path / "a_aligned.png").pixels == found.warp(source)).all()


def test_the_same_run_gives_the_same_bytes(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    names = ("a_aligned.png", "a_aligned.json", "a_aligned_error.png")
    imalign("a.png", "b.png")
    first = [(tmp_path / name).read_bytes() for name in names]
    imalign("a.png", "b.png")
    assert [(tmp_path / name).read_bytes() for name in names] == first


def test_json_to_stdout_and_nothing_else_there(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    result = imalign("--json", "-", "--no-image", "--no-error-map", "a.png", "b.png")
    assert result.returncode == 0, result.stderr
    jsonschema.validate(json.loads(result.stdout), alignment_schema())
    assert listing(tmp_path) == {"a.png", "b.png"}


def test_closing_line_says_what_happened(imalign: Imalign, pair: Pair) -> None:
    said = imalign("a.png", "b.png", "-m", "rigid").stderr
    for words in ("rigid", "2.00 degrees", "ZNCC", "RMSE", "overlap", "a_aligned.png"):
        assert words in said, said
    assert "level" not in said


@pytest.mark.parametrize("preset", ["fast", "balanced", "precise"])
def test_a_preset_is_told_in_the_json_with_the_uncertainty_it_led_to(
    imalign: Imalign, pair: Pair, tmp_path: Path, preset: str
) -> None:
    result = imalign("--preset", preset, "a.png", "b.png", "--no-image", "--no-error-map")
    assert result.returncode == 0, result.stderr
    document = load(tmp_path / "a_aligned.json")
    assert document["options"]["preset"] == preset
    levels = [record["level"] for record in document["levels"]]
    assert levels.count(0) == (2 if preset == "precise" else 1)
    uncertainty = document["uncertainty"]
    assert 0.0 < uncertainty["mean_px"] < uncertainty["max_px"] < 0.05
    assert np.shape(uncertainty["covariance"]) == (8, 8)
    assert len(uncertainty["corners_px"]) == 4
    assert f"+-{uncertainty['mean_px']:.2g} px" in result.stderr.splitlines()[0]


def test_precise_is_the_same_as_in_python_and_not_the_default(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    imalign("a.png", "b.png", "--preset", "precise", "--json", "precise.json")
    imalign("a.png", "b.png", "--json", "default.json")
    precise, default = (load(tmp_path / name) for name in ("precise.json", "default.json"))
    assert default["options"]["preset"] == "balanced"
    source, target = (read_image(path).pixels for path in pair)
    found = align_cli.align(source, target, preset="precise")
    assert precise["source_to_target"] == found.source_to_target.tolist()
    assert precise["source_to_target"] != default["source_to_target"]
    truth = [
        corner_error(np.array(each["source_to_target"]), TRUTH, (160, 120))
        for each in (precise, default)
    ]
    assert max(truth) < 0.02


def test_verbose_adds_a_line_for_each_level(imalign: Imalign, pair: Pair) -> None:
    said = imalign("-v", "a.png", "b.png").stderr
    assert "160x120" in said
    assert "80x60" in said


def test_floating_point_images_are_measured_in_their_own_units(
    imalign: Imalign, tmp_path: Path
) -> None:
    for name, to_scene in (("a.tif", TRUTH), ("b.tif", np.eye(3))):
        write_image(tmp_path / name, (900.0 * rendered(to_scene)).astype(np.float32))
    said = imalign("-v", "a.tif", "b.tif").stderr
    assert "aligned" in said
    assert "full scale" not in said
    before = float(re.search(r"RMSE ([0-9.]+) ->", said)[1])
    assert before == pytest.approx(
        load(tmp_path / "a_aligned.json")["quality"]["before"]["rmse"], rel=1e-4
    )
    assert before > 10.0


@pytest.mark.parametrize(("first", "second"), [("int16", "uint8"), ("uint8", "uint32")])
def test_there_is_no_full_scale_unless_both_have_one(
    imalign: Imalign, tmp_path: Path, first: str, second: str
) -> None:
    for name, dtype, to_scene in (("a.tif", first, TRUTH), ("b.tif", second, np.eye(3))):
        tifffile.imwrite(tmp_path / name, np.rint(200.0 * rendered(to_scene)).astype(dtype))
    result = imalign("-v", "a.tif", "b.tif")
    assert result.returncode == 0, result.stderr
    assert "full scale" not in result.stderr


def test_the_error_map_of_images_without_a_full_scale_is_in_shares_of_their_range(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    options = ("--init", "identity", "--error-legend", "legend.png")
    assert imalign("a.png", "b.png", *options).returncode == 0
    of_full_scale = read_image(tmp_path / "legend.png").pixels
    usual = read_image(tmp_path / "a_aligned_error.png").pixels
    for path in pair:
        pixels = read_image(path).pixels
        low, high = (float(end(read_image(pair[1]).pixels)) for end in (np.min, np.max))
        # Then the target's values reach from 3000 to 3000 + 1000 * 255.
        shown = 3000.0 + 1000.0 * 255.0 * (pixels - low) / (high - low)
        write_image(path.with_suffix(".tif"), shown.astype(np.float32))
    assert imalign("a.tif", "b.tif", *options).returncode == 0
    assert (read_image(tmp_path / "legend.png").pixels != of_full_scale).any()
    shares = read_image(tmp_path / "a_aligned_error.png").pixels
    high_low = (high - low) / 255.0
    brightness = [picture[20:100, 20:140].sum() for picture in (usual, shares)]
    # Where errors are shares of a smaller range, they are brighter by a little, not saturated.
    assert brightness[0] < brightness[1] < 2.0 * brightness[0] / high_low


def test_quiet_says_nothing(imalign: Imalign, pair: Pair) -> None:
    result = imalign("-q", "a.png", "b.png")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_outputs_go_where_they_are_asked_for(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    result = imalign(
        *("a.png", "b.png", "-o", "out/w.tif", "--json", "out/t.json"),
        *("--error-map", "out/e.npy", "--raw-error"),
    )
    assert result.returncode == 0, result.stderr
    assert listing(tmp_path / "out") == {"w.tif", "t.json", "e.npy"}
    residual = np.load(tmp_path / "out/e.npy")
    warped = read_image(tmp_path / "out/w.tif").pixels.astype(float)
    target = read_image(tmp_path / "b.png").pixels.astype(float)
    overlap = np.isfinite(residual)
    assert residual.dtype == np.float32
    assert 0.8 < overlap.mean() < 1.0
    # The written image is rounded to whole grey levels, the residual is not.
    difference = residual * 255.0 - (warped - target)
    assert np.abs(difference[overlap]).max() <= 0.51


def test_both_pictures_may_go_to_one_device(imalign: Imalign, pair: Pair) -> None:
    run = imalign("a.png", "b.png", "-o", "/dev/null", "--error-map", "/dev/null")
    assert run.returncode == 0
    assert "wrote /dev/null, /dev/null, a_aligned.json" in run.stderr


def test_small_files_hold_the_same_pixels(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    imalign("a.png", "b.png")
    written = tmp_path / "a_aligned.png", tmp_path / "a_aligned_error.png"
    sizes = [path.stat().st_size for path in written]
    pixels = [read_image(path).pixels for path in written]
    assert imalign("a.png", "b.png", "--small-files").returncode == 0
    for path, size, expected in zip(written, sizes, pixels, strict=True):
        assert path.stat().st_size <= size
        np.testing.assert_array_equal(read_image(path).pixels, expected)
    assert sum(path.stat().st_size for path in written) < sum(sizes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_warped_image_keeps_dtype_and_channels(
    imalign: Imalign, pair: Pair, tmp_path: Path, dtype: type, channels: int
) -> None:
    grey = rendered(TRUTH)
    scale = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = np.repeat((grey * scale)[:, :, None], channels, axis=2).astype(dtype)
    if channels in (2, 4):
        pixels[:, :, -1] = scale
    name = "s.tif" if dtype is np.float32 else "s.png"
    write_image(tmp_path / name, pixels[:, :, 0] if channels == 1 else pixels)
    result = imalign(name, "b.png")
    assert result.returncode == 0, result.stderr
    written = [path for path in tmp_path.glob("s_aligned.*") if path.suffix != ".json"]
    assert len(written) == 1
    warped = read_image(written[0])
    assert (warped.dtype, warped.channels) == (np.dtype(dtype).name, channels)
    assert (warped.width, warped.height) == (160, 120)
    found = np.array(load(tmp_path / "s_aligned.json")["source_to_target"])
    assert corner_error(found, TRUTH, (160, 120)) < 0.03


def test_fill_marks_what_the_source_does_not_reach(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    imalign("a.png", "b.png", "--fill", "255")
    warped = read_image(tmp_path / "a_aligned.png").pixels
    assert warped[0, -1] == 255 or warped[-1, 0] == 255
    imalign("a.png", "b.png")
    assert (read_image(tmp_path / "a_aligned.png").pixels[warped == 255] == 0).mean() > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_fill_nan_marks_it_in_images_that_are_floats(
    imalign: Imalign, pair: Pair, tmp_path: Path, dtype: str
) -> None:
    tifffile.imwrite(tmp_path / "f.tif", (200.0 * rendered(TRUTH)).astype(dtype))
    result = imalign("f.tif", "b.png", "--fill", "nan", "--valid-mask", "mask.png")
    assert result.returncode == 0, result.stderr
    warped = read_image(tmp_path / "f_aligned.tif").pixels
    mask = read_image(tmp_path / "mask.png").pixels > 0
    assert (np.isnan(warped) == ~mask).all()
    assert 0 < (~mask).sum() < mask.sum()
    assert load(tmp_path / "f_aligned.json")["options"]["fill"] is None
    assert imalign("apply", "f_aligned.json", "f.tif", "--fill", "nan").returncode == 0
    assert (tmp_path / "f_applied.tif").read_bytes() == (tmp_path / "f_aligned.tif").read_bytes()
    for fill in ("inf", "1e400"):
        assert imalign("f.tif", "b.png", "--fill", fill).returncode == 2
    if dtype != "float64":
        result = imalign("f.tif", "b.png", "--fill", "-1e39")
        assert result.returncode == 2
        assert "f.tif has float32 values up to 3.4e+38" in result.stderr
    else:
        assert imalign("f.tif", "b.png", "--fill", "-1e39").returncode == 0


def test_init_from_an_earlier_json_is_used(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    imalign("a.png", "b.png", "--json", "first.json")
    imalign("a.png", "b.png", "--init", "first.json", "--levels", "1", "--json", "second.json")
    first, second = (load(tmp_path / name) for name in ("first.json", "second.json"))
    assert second["options"]["init"] == "first.json"
    assert second["quality"]["before"]["zncc"] == pytest.approx(
        first["quality"]["after"]["zncc"], abs=1e-6
    )
    assert len(second["levels"]) == 1


def test_init_from_nine_numbers(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "start.txt").write_text("1 0 5\n0 1 -3\n0 0 1\n")
    result = imalign("a.png", "b.png", "--init", "start.txt", "--levels", "1")
    assert result.returncode == 0, result.stderr
    (tmp_path / "start.txt").write_text("1 0 5\n")
    result = imalign("a.png", "b.png", "--init", "start.txt")
    assert result.returncode == 3
    assert "start.txt" in result.stderr


class TestNotAligned:
    @pytest.fixture
    def result(
        self, imalign: Imalign, pair: Pair, tmp_path: Path
    ) -> subprocess.CompletedProcess[str]:
        noise = np.random.default_rng(0).integers(0, 256, (120, 160)).astype(np.uint8)
        write_image(tmp_path / "noise.png", noise)
        (tmp_path / "noise_aligned.png").write_bytes(b"old")
        return imalign("noise.png", "b.png")

    def test_exit_code_1(self, result: subprocess.CompletedProcess[str]) -> None:
        assert result.returncode == 1, result.stderr
        assert "not aligned" in result.stderr
        assert "Traceback" not in result.stderr

    def test_json_is_written_and_no_picture(
        self, result: subprocess.CompletedProcess[str], tmp_path: Path
    ) -> None:
        document = load(tmp_path / "noise_aligned.json")
        assert not document["outcome"]["aligned"]
        assert document["outcome"]["status"] != "converged"
        assert document["outcome"]["sentence"] in result.stderr
        assert (tmp_path / "noise_aligned.png").read_bytes() == b"old"
        assert not (tmp_path / "noise_aligned_error.png").exists()

    def test_pictures_of_an_earlier_run_are_named(
        self, result: subprocess.CompletedProcess[str]
    ) -> None:
        assert "noise_aligned.png is from an earlier run" in result.stderr
        assert "noise_aligned_error.png is" not in result.stderr

    def test_quiet_still_says_so_and_why(
        self, imalign: Imalign, result: object, tmp_path: Path
    ) -> None:
        said, *stale = imalign("-q", "noise.png", "b.png").stderr.splitlines()
        sentence = load(tmp_path / "noise_aligned.json")["outcome"]["sentence"]
        assert said == f"noise.png -> b.png: not aligned (homography): {sentence}"
        assert stale == ["noise_aligned.png is from an earlier run"]

    def test_what_else_may_be_the_cause_is_named(
        self, result: subprocess.CompletedProcess[str]
    ) -> None:
        line = result.stderr.splitlines()[1]  # after the advice of the first line
        assert line.startswith("or try --allow-flip, if one image may be mirrored;")
        assert "--similarity auto, if the images are multimodal" in line

    def test_what_was_tried_is_not_named_again(
        self, imalign: Imalign, result: subprocess.CompletedProcess[str]
    ) -> None:
        said = imalign("noise.png", "b.png", "--allow-flip", "--similarity", "auto").stderr
        assert "or try" not in said
        said = imalign("noise.png", "b.png", "--allow-flip").stderr
        assert "--allow-flip" not in said
        assert "or try --similarity auto" in said
        # A start that is a transform says itself whether it mirrors.
        said = imalign("noise.png", "b.png", "--init", "1,1").stderr
        assert "--allow-flip" not in said


class TestDoubtful:
    """A grid, whose every place looks like the next."""

    @pytest.fixture
    def doubtful(self, tmp_path: Path) -> None:
        x, y = np.meshgrid(np.arange(200.0), np.arange(150.0))
        for name, shift in (("grid.png", 3.3), ("b.png", 0.0)):
            waves = np.sin((x + shift) / 3.5) + np.sin((y + shift) / 3.5)
            noise = np.random.default_rng(int(shift)).normal(0.0, 2.0, waves.shape)
            pixels = np.rint(128.0 + 45.0 * waves + noise).astype(np.uint8)
            write_image(tmp_path / name, pixels)

    def test_no_picture_is_written(self, imalign: Imalign, doubtful: None, tmp_path: Path) -> None:
        result = imalign("-m", "translation", "grid.png", "b.png")
        assert result.returncode == 1, result.stderr
        first, second, third, fourth = result.stderr.splitlines()
        assert first.startswith(
            "grid.png -> b.png: doubtful (translation): the images may be aligned, but"
        )
        assert second == "no warped image was written; wrote grid_aligned.json"
        assert third == "--accept-doubtful writes it anyway"
        assert fourth == "to see why, add --report grid.html"
        assert "or try" not in result.stderr
        document = load(tmp_path / "grid_aligned.json")
        assert document["outcome"]["verdict"] == "doubtful"
        assert document["outcome"]["status"] == "ambiguous"
        assert not document["outcome"]["aligned"]
        assert document["options"]["accept_doubtful"] is False
        assert document["uncertainty"] is not None
        assert not (tmp_path / "grid_aligned.png").exists()
        assert not (tmp_path / "grid_aligned_error.png").exists()

    def test_whoever_accepts_it_gets_it_and_is_told(
        self, imalign: Imalign, doubtful: None, tmp_path: Path
    ) -> None:
        result = imalign("-m", "translation", "--accept-doubtful", "grid.png", "b.png")
        assert result.returncode == 0, result.stderr
        assert result.stderr.startswith("grid.png -> b.png: doubtful (translation): shifted 3.3")
        assert "is periodic (period 22 px" in result.stderr
        document = load(tmp_path / "grid_aligned.json")
        assert document["outcome"]["verdict"] == "doubtful"
        assert document["options"]["accept_doubtful"] is True
        assert (tmp_path / "grid_aligned.png").exists()
        assert (tmp_path / "grid_aligned_error.png").exists()

    def test_an_accepted_one_is_shown_on_the_canvas_that_was_asked_for(
        self, imalign: Imalign, doubtful: None, tmp_path: Path
    ) -> None:
        options = ("-m", "translation", "--canvas", "union")
        assert imalign(*options, "grid.png", "b.png").returncode == 1
        document = load(tmp_path / "grid_aligned.json")
        assert document["canvas"] is document["valid_area"] is None
        result = imalign(*options, "--accept-doubtful", "grid.png", "b.png")
        assert (
            "grid_aligned.png (203x153 px, origin at the target's pixel (0, 0))," in result.stderr
        )
        document = load(tmp_path / "grid_aligned.json")
        assert (document["canvas"]["width"], document["canvas"]["height"]) == (203, 153)
        picture = read_image(tmp_path / "grid_aligned.png")
        assert (picture.width, picture.height) == (203, 153)
        assert document["valid_area"]["rectangle_px"]["x"] in (3, 4)

    @pytest.mark.parametrize("accepted", [(), ("--accept-doubtful",)])
    def test_quiet_says_the_doubt_alone(
        self, imalign: Imalign, doubtful: None, tmp_path: Path, accepted: tuple[str, ...]
    ) -> None:
        result = imalign("-q", "-m", "translation", *accepted, "grid.png", "b.png")
        assert result.returncode == (0 if accepted else 1)
        sentence = load(tmp_path / "grid_aligned.json")["outcome"]["sentence"]
        assert result.stderr == f"grid.png -> b.png: doubtful (translation): {sentence}\n"

    def test_what_failed_is_not_accepted(
        self, imalign: Imalign, doubtful: None, tmp_path: Path
    ) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (150, 200)).astype(np.uint8)
        write_image(tmp_path / "noise.png", noise)
        result = imalign("--accept-doubtful", "noise.png", "b.png")
        assert result.returncode == 1
        assert "accept-doubtful" not in result.stderr
        assert not (tmp_path / "noise_aligned.png").exists()


def test_a_pair_whose_light_differs_is_told_that_the_light_may_be_solved_for(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    write_image(tmp_path / "dark.png", read_image(pair[0]).pixels // 5 + np.uint8(10))
    refused = imalign("dark.png", "b.png", "--no-photometric")
    assert refused.returncode == 1
    assert "or try omitting --no-photometric, if the illumination may differ" in refused.stderr
    # Edges know no light.
    said = imalign("dark.png", "b.png", "--no-photometric", "--similarity", "gradient").stderr
    assert "--no-photometric" not in said
    assert imalign("dark.png", "b.png").returncode == 0


@pytest.mark.parametrize("name", ["exposure", "poster"])
def test_a_mirrored_pair_is_told_of_allow_flip_which_aligns_it(
    imalign: Imalign, tmp_path: Path, name: str
) -> None:
    source = read_image(SAMPLES / f"{name}_source.png").pixels
    write_image(tmp_path / "m.png", np.ascontiguousarray(source[:, ::-1]))
    target = SAMPLES / f"{name}_target.png"
    result = imalign("m.png", target)
    assert result.returncode == 1, result.stderr
    assert "the target has too little texture" not in result.stderr
    assert "or try --allow-flip" in result.stderr
    assert imalign("m.png", target, "--allow-flip").stderr.startswith(
        "aligned (homography): mirrored"
    )


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (("--max-shift", "1"), "at most 1 px allowed"),
        (("--max-rotation", "1.5"), "rotated by 2 degrees, at most 1.5 allowed"),
        (("--min-overlap", "0.99"), "at least 0.99 required"),
        (("--min-score", "1"), "at least 1 required"),
    ],
)
def test_a_limit_that_is_exceeded_fails_with_both_numbers(
    imalign: Imalign, pair: Pair, tmp_path: Path, limit: tuple[str, str], words: str
) -> None:
    result = imalign("-m", "rigid", *limit, "a.png", "b.png")
    assert result.returncode == 1, result.stderr
    assert words in result.stderr
    document = load(tmp_path / "a_aligned.json")
    assert document["outcome"]["status"] == "limit_exceeded"
    assert document["outcome"]["verdict"] == "failed"
    assert words in document["outcome"]["reasons"][0]
    assert not (tmp_path / "a_aligned.png").exists()


def test_limits_that_are_kept_change_nothing(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    limits = ("--max-shift", "20", "--max-rotation", "5", "--max-scale", "1.1")
    more = ("--max-shear", "0.1", "--min-overlap", "0.5", "--min-score", "0.9")
    assert imalign("--no-image", "--no-error-map", "a.png", "b.png").returncode == 0
    plain = load(tmp_path / "a_aligned.json")
    result = imalign("--no-image", "--no-error-map", *limits, *more, "a.png", "b.png")
    assert result.returncode == 0, result.stderr
    document = load(tmp_path / "a_aligned.json")
    assert document["options"].pop("max_rotation_deg") == 5
    assert document["options"].pop("max_shift_px") == 20
    assert document["source_to_target"] == plain["source_to_target"]
    assert document["outcome"] == plain["outcome"]


def test_the_model_that_is_chosen_is_said(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    result = imalign("--model", "auto", "a.png", "b.png")
    assert result.returncode == 0, result.stderr
    # The four digits of TRUTH scale by 0.9999, which an image without noise shows.
    assert result.stderr.startswith("aligned (similarity)")
    document = load(tmp_path / "a_aligned.json")
    jsonschema.validate(document, alignment_schema())
    assert document["options"]["model"] == "auto"
    assert document["model"] == "similarity"
    scores = {each["model"]: each["score"] for each in document["model_scores"]}
    assert min(scores, key=scores.get) == "similarity"
    assert len(scores) == 5


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((), "Type, for example"),
            (("a.png",), "DST"),
            (("a.png", "b.png", "c.png"), "c.png"),
            (("a.png", "b.png", "--model", "elastic"), "translation"),
            (("a.png", "b.png", "--preset", "exact"), "precise"),
            (("a.png", "b.png", "--tolerance", "0"), "--tolerance"),
            (("a.png", "b.png", "--levels", "0"), "--levels"),
            (("a.png", "b.png", "--tolerance", "nan"), "--tolerance"),
            (("a.png", "b.png", "--tolerance", "inf"), "--tolerance"),
            (("a.png", "b.png", "--fill", "nan"), "to 255; choose one of them, or convert it"),
            (("a.png", "b.png", "--fill", "300"), "from 0 to 255"),
            (("a.png", "b.png", "--similarity", "gradient", "-m", "auto"), "choose one of"),
            (("a.png", "b.png", "--max-shift", "-1"), "--max-shift"),
            (("a.png", "b.png", "--max-rotation", "200"), "--max-rotation"),
            (("a.png", "b.png", "--max-scale", "0.9"), "--max-scale"),
            (("a.png", "b.png", "--max-shear", "nan"), "--max-shear"),
            (("a.png", "b.png", "--min-overlap", "1.5"), "--min-overlap"),
            (("a.png", "b.png", "--min-score", "2"), "--min-score"),
            (("a.png", "b.png", "--max-megapixels", "nan"), "--max-megapixels"),
            (("a.png", "b.png", "-o", ""), "--output"),
            (("a.png", "b.png", "--json", ""), "--json"),
            (("", "b.png"), "SRC"),
            (("a.png", "b.png", "--init", "start.txt", "--json", "start.txt"), "start.txt"),
            (("a.png", "b.png", "-o", "a.png"), "a.png"),
            (("a.png", "b.png", "--json", "./b.png"), "b.png"),
            (("a.png", "b.png", "-o", "x.png", "--error-map", "x.png"), "x.png"),
            (("a.png", "b.png", "-o", "x.png", "--no-image"), "--no-image"),
            (("a.png", "b.png", "--error-map", "x.png", "--no-error-map"), "--no-error-map"),
            (("a.png", "b.png", "-q", "-v"), "--quiet and --verbose exclude"),
        ],
    )
    def test_exit_code_2_and_nothing_written(
        self, imalign: Imalign, pair: Pair, tmp_path: Path, arguments: tuple, words: str
    ) -> None:
        (tmp_path / "start.txt").write_text("1 0 0 0 1 0 0 0 1")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        result = imalign(*arguments)
        assert result.returncode == 2, result.stderr
        assert words in result.stderr
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_an_input_through_a_link_is_still_an_input(
        self, imalign: Imalign, pair: Pair, tmp_path: Path
    ) -> None:
        (tmp_path / "link.png").symlink_to("a.png")
        original = (tmp_path / "a.png").read_bytes()
        assert imalign("a.png", "b.png", "-o", "link.png").returncode == 2
        assert (tmp_path / "a.png").read_bytes() == original


class TestInputs:
    def check(self, result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        assert result.returncode == code, result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        for word in words:
            assert word in result.stderr
        assert "Traceback" not in result.stderr

    def test_missing(self, imalign: Imalign, pair: Pair) -> None:
        self.check(imalign("none.png", "b.png"), 3, "none.png", "no such file")
        self.check(imalign("a.png", "none.png"), 3, "none.png", "no such file")

    def test_empty_truncated_and_not_an_image(
        self, imalign: Imalign, pair: Pair, tmp_path: Path
    ) -> None:
        (tmp_path / "empty.png").write_bytes(b"")
        (tmp_path / "cut.png").write_bytes(pair[0].read_bytes()[:2000])
        (tmp_path / "text.png").write_text("hello")
        for name in ("empty.png", "cut.png", "text.png"):
            self.check(imalign(name, "b.png"), 3, name)
            self.check(imalign("a.png", name), 3, name)

    def test_tiny_flat_and_nan(self, imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
        write_image(tmp_path / "tiny.png", np.zeros((1, 1), np.uint8))
        write_image(tmp_path / "flat.png", np.full((60, 60), 7, np.uint8))
        write_image(tmp_path / "nan.tif", np.full((60, 60), np.nan, np.float32))
        self.check(imalign("tiny.png", "b.png"), 3, "tiny.png", "too small")
        self.check(imalign("a.png", "flat.png"), 3, "flat.png", "flat")
        self.check(imalign("nan.tif", "b.png"), 3, "nan.tif", "finite")

    def test_stdin(self, imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
        for arguments in (("-", "b.png"), ("a.png", "-")):
            self.check(imalign(*arguments), 3, "-: ", "give /dev/stdin, or a file")
        script = f"{sys.executable} -m align_cli /dev/stdin b.png < a.png"
        assert subprocess.run(["bash", "-c", script], cwd=tmp_path, check=False).returncode == 0
        pair[0].rename(tmp_path / "-")
        assert imalign("-", "b.png", "-o", "x.png").returncode == 0

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_not_permitted(self, imalign: Imalign, pair: Pair) -> None:
        pair[0].chmod(0)
        self.check(imalign("a.png", "b.png"), 3, "a.png")

    def test_limit_of_megapixels(self, imalign: Imalign, pair: Pair) -> None:
        refused = imalign("a.png", "b.png", "--max-megapixels", "0.01")
        self.check(refused, 3, "a.png", "(0.019 megapixels)", "--max-megapixels 0.02\n")
        assert imalign("a.png", "b.png", "--max-megapixels", "0.02").returncode == 0

    def test_traceback_only_with_debug(self, imalign: Imalign, pair: Pair) -> None:
        result = imalign("--debug", "none.png", "b.png")
        assert result.returncode == 3
        assert "Traceback" in result.stderr


class TestOutputs:
    def test_folder_that_does_not_exist(self, imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
        result = imalign("a.png", "b.png", "-o", "no/x.png")
        assert result.returncode == 4, result.stderr
        assert "no/x.png" in result.stderr
        assert listing(tmp_path) == {"a.png", "b.png"}

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            (f"{'y' * 260}.png", "the name is too long"),
            ("loop.png", "a circular symbolic link"),
            ("-", "does not stand for stdout here; give /dev/stdout"),
        ],
    )
    def test_a_name_that_cannot_be_written(
        self, imalign: Imalign, pair: Pair, tmp_path: Path, name: str, words: str
    ) -> None:
        (tmp_path / "loop.png").symlink_to("loop.png")
        for option in ("-o", "--error-map"):
            result = imalign("a.png", "b.png", option, name)
            assert result.returncode == 4, result.stderr
            assert f"Error: {name}: " in result.stderr
            assert words in result.stderr
        assert listing(tmp_path) == {"a.png", "b.png", "loop.png"}

    def test_format_that_cannot_hold_the_image(
        self, imalign: Imalign, pair: Pair, tmp_path: Path
    ) -> None:
        write_image(tmp_path / "deep.png", (rendered(TRUTH) * 65535).astype(np.uint16))
        result = imalign("deep.png", "b.png", "-o", "deep.jpg")
        assert result.returncode == 4, result.stderr
        assert "deep.jpg" in result.stderr
        assert not (tmp_path / "deep.jpg").exists()

    @pytest.mark.parametrize("option", ["-o", "--error-map", "--valid-mask", "--displacement-map"])
    @pytest.mark.parametrize("name", ["map.xyz", "map"])
    def test_unknown_suffix(
        self, imalign: Imalign, pair: Pair, tmp_path: Path, option: str, name: str
    ) -> None:
        before = set(tmp_path.iterdir())
        result = imalign("a.png", "b.png", option, name)
        assert result.returncode == 2, result.stderr
        assert f"Error: {name}: " in result.stderr
        assert "; use .png" in result.stderr
        assert set(tmp_path.iterdir()) == before

    @pytest.mark.parametrize(
        ("redirection", "code"),
        [("--json - --no-image --no-error-map >&-", 4), ("2>&-", 0), ("-v 2>&-", 0)],
    )
    def test_closed_streams(self, pair: Pair, tmp_path: Path, redirection: str, code: int) -> None:
        command = f"{sys.executable} -m align_cli a.png b.png {redirection}"
        result = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stdout + result.stderr

    def test_the_json_comes_last(self, imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
        (tmp_path / "full").mkdir()
        # A folder in the place of the error map: found out before the work, nothing is written.
        (tmp_path / "a_aligned_error.png").mkdir()
        assert imalign("a.png", "b.png").returncode == 4
        assert not (tmp_path / "a_aligned.json").exists()
        written = imalign("a.png", "b.png", "--error-map", "e.png").stderr.splitlines()[-2]
        assert written.endswith("a_aligned.json")

    def test_reader_of_stdout_gone(self, pair: Pair, tmp_path: Path) -> None:
        command = (
            f"{sys.executable} -m align_cli a.png b.png --no-image --no-error-map --json - "
            "2>err.txt | true; exit ${PIPESTATUS[0]}"
        )
        result = subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False)
        assert result.returncode == 4
        assert "stdout" in (tmp_path / "err.txt").read_text()
        assert "Traceback" not in (tmp_path / "err.txt").read_text()


def restore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing_behind(
    pair: Pair, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    big = np.kron(read_image(pair[0]).pixels, np.ones((25, 25), np.uint8))
    write_image(tmp_path / "big.png", big)
    before = listing(tmp_path)
    # A pipe with no writer keeps the process waiting at a known place: once our end opens, it
    # has opened its own.
    os.mkfifo(tmp_path / "wait.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "align_cli", "big.png", "wait.png"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background ignores Ctrl-C on their behalf.
        preexec_fn=restore_interrupt,  # noqa: PLW1509  (no thread runs here)
    )
    with (tmp_path / "wait.png").open("wb"):
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert listing(tmp_path) == before | {"wait.png"}


@pytest.mark.parametrize("name", ["poster", "scan", "exposure", "fundus"])
def test_sample_data_is_aligned(imalign: Imalign, tmp_path: Path, name: str) -> None:
    truth = json.loads((SAMPLES / f"{name}_truth.json").read_text())
    source, target = (SAMPLES / f"{name}_{role}.png" for role in ("source", "target"))
    result = imalign(source, target, "-m", truth["model"])
    assert result.returncode == 0, result.stderr
    document = load(tmp_path / f"{name}_source_aligned.json")
    size = (document["source"]["width"], document["source"]["height"])
    error = corner_error(
        np.array(document["source_to_target"]), np.array(truth["source_to_target"]), size
    )
    assert error < 0.06


def test_a_large_picture_is_named_in_the_output_of_its_stem(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "a.png").rename(tmp_path / "photo.of.a wall.png")
    assert imalign("photo.of.a wall.png", "b.png").returncode == 0
    assert (tmp_path / "photo.of.a wall_aligned.json").exists()


def test_the_json_tells_the_canvas_and_the_valid_area(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    names = ("--canvas", "union", "--interpolation", "cubic", "--valid-mask", "mask.png")
    result = imalign("a.png", "b.png", "--fill", 255, *names)
    assert result.returncode == 0, result.stderr
    assert "mask.png" in result.stderr
    document = load(tmp_path / "a_aligned.json")
    canvas, area = document["canvas"], document["valid_area"]
    assert document["options"]["interpolation"] == "cubic"
    warped, mask = (read_image(tmp_path / name).pixels for name in ("a_aligned.png", "mask.png"))
    assert warped.shape == mask.shape == (canvas["height"], canvas["width"])
    assert canvas["width"] > 160
    assert (warped[mask == 0] == 255).all()
    # The target's pixel p is the canvas's pixel p - offset.
    x, y = canvas["offset_px"]
    target = read_image(tmp_path / "b.png").pixels.astype(float)
    shown = warped[-y : 120 - y, -x : 160 - x].astype(float)
    assert np.abs(shown - target)[20:-20, 20:-20].mean() < 1.0
    inner = area["rectangle_px"]
    rows = slice(inner["y"] - y, inner["y"] - y + inner["height"])
    columns = slice(inner["x"] - x, inner["x"] - x + inner["width"])
    assert (mask[rows, columns] == 255).all()
    assert inner["width"] * inner["height"] > 0.8 * 160 * 120
    polygon = np.array(area["polygon_px"])
    assert (polygon.min(axis=0) >= 0).all()
    assert (polygon.max(axis=0) <= [159, 119]).all()
    # The same options on the same transform give the same file.
    first = (tmp_path / "a_aligned.png").read_bytes()
    imalign("apply", "a_aligned.json", "a.png", "--fill", 255, *names, "-o", "again.png")
    assert (tmp_path / "again.png").read_bytes() == first


def test_an_absurd_canvas_is_refused_before_anything_is_written(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    result = imalign("a.png", "b.png", "--canvas", "union", "--max-megapixels", 0.0195)
    assert result.returncode == 3
    assert "a.png: the canvas union would have 1" in result.stderr
    assert listing(tmp_path) == {"a.png", "b.png"}


def test_no_canvas_without_an_alignment(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160)).astype(np.uint8)
    write_image(tmp_path / "noise.png", noise)
    result = imalign("noise.png", "b.png", "--canvas", "union", "--valid-mask", "mask.png")
    assert result.returncode == 1
    document = load(tmp_path / "noise_aligned.json")
    assert document["canvas"] is None
    assert document["valid_area"] is None
    assert not (tmp_path / "mask.png").exists()
