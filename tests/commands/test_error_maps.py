"""Error maps of the command: what they show, their size, their legend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from align_cli.engine.options import CANVAS_NAMES
from align_cli.files.images import read_image, write_image
from align_cli.report import error_scale
from tests.commands.conftest import TRUTH, Imalign, rendered

SIGMA = 2.0
"""Noise of either image, in grey levels."""


def lit_pair(folder: Path, change: str) -> None:
    """``a.png`` under another illumination than ``b.png``, both with noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1.0:1.0:120j, -1.0:1.0:160j]
    factor = {"gain": 1.3, "vignette": 1.3 * (1.0 - 0.3 * (x * x + y * y) / 2.0)}[change]
    for name, to_scene, by in (("a.png", TRUTH, factor), ("b.png", np.eye(3), 1.0)):
        values = 190.0 * rendered(to_scene) * by + rng.normal(0.0, SIGMA, (120, 160))
        assert values.max() < 255.5
        write_image(folder / name, np.rint(values).clip(0, 255).astype(np.uint8))


def levels(path: Path) -> np.ndarray:
    """The levels of the scale that an error map shows; -1 outside the overlap."""
    table = {tuple(colour): level for level, colour in enumerate(error_scale.COLOURS.tolist())}
    pixels = read_image(path).pixels
    shown = np.array([[table[tuple(each)] for each in row] for row in pixels.tolist()])
    return np.where(shown <= error_scale.LAST_LEVEL, shown, -1)


@pytest.mark.parametrize("change", ["gain", "vignette"])
def test_of_a_right_pair_it_is_dark_to_within_noise(
    imalign: Imalign, tmp_path: Path, change: str
) -> None:
    lit_pair(tmp_path, change)
    result = imalign("a.png", "b.png", "-m", "rigid")
    assert result.returncode == 0, result.stderr
    shown = levels(tmp_path / "a_aligned_error.png")
    errors = error_scale.LAST_ERROR * (shown[shown >= 0] / error_scale.LAST_LEVEL) ** 2
    most = np.sqrt(2.0) * SIGMA / 255.0
    assert np.sqrt(np.square(errors).mean()) < 1.1 * most
    assert errors.max() < 5.0 * most
    quality = json.loads((tmp_path / "a_aligned.json").read_text())["quality"]
    assert quality["after"]["rmse"] == pytest.approx(np.sqrt(np.square(errors).mean()), rel=0.05)
    assert quality["after"]["rmse_raw"] > 5.0 * quality["after"]["rmse"]
    said = f"RMSE {quality['before']['rmse']:.4f} -> {quality['after']['rmse']:.4f} of full scale"
    assert said in result.stderr

    assert imalign("a.png", "b.png", "-m", "rigid", "--raw-error").returncode == 0
    raw = levels(tmp_path / "a_aligned_error.png")
    assert raw[raw >= 0].mean() > 2.0 * shown[shown >= 0].mean()


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_values_are_after_the_illumination_or_raw(
    imalign: Imalign, tmp_path: Path, suffix: str
) -> None:
    lit_pair(tmp_path, "vignette")
    for name, options in (("after", ()), ("raw", ("--raw-error",))):
        path = f"{name}{suffix}"
        assert imalign("a.png", "b.png", "--error-map", path, "-q", *options).returncode == 0
    read = np.load if suffix == ".npy" else lambda path: read_image(path).pixels
    after, raw = (read(tmp_path / f"{name}{suffix}") for name in ("after", "raw"))
    quality = json.loads((tmp_path / "a_aligned.json").read_text())["quality"]["after"]
    for values, rmse in ((after, quality["rmse"]), (raw, quality["rmse_raw"])):
        assert values.dtype == np.float32
        assert np.sqrt(np.nanmean(np.square(values))) == pytest.approx(rmse, rel=1e-4)


def test_the_json_has_the_illumination(imalign: Imalign, tmp_path: Path) -> None:
    lit_pair(tmp_path, "gain")
    asked = ("a.png", "b.png", "-m", "rigid", "--no-image", "--no-error-map", "--json", "-")
    found = json.loads(imalign(*asked).stdout)
    factor, offset = (found["illumination"][name] for name in ("factor", "offset"))
    assert factor == [pytest.approx(1 / 1.3, rel=0.02), 0, 0, 0, 0, 0]
    assert offset == [pytest.approx(0.0, abs=0.01), 0, 0, 0, 0, 0]
    found = json.loads(imalign(*asked, "--no-photometric").stdout)
    assert found["illumination"] == {"factor": [1, 0, 0, 0, 0, 0], "offset": [0] * 6}
    assert found["quality"]["after"]["rmse"] == found["quality"]["after"]["rmse_raw"]
    found = json.loads(imalign(*asked, "--similarity", "gradient").stdout)
    assert found["illumination"] is None
    assert found["quality"]["after"]["rmse"] == found["quality"]["after"]["rmse_raw"]


@pytest.mark.parametrize("canvas", CANVAS_NAMES)
def test_it_can_be_laid_over_the_image(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, canvas: str
) -> None:
    for name in ("e.png", "e.npy"):
        result = imalign("a.png", "b.png", "-o", "w.png", "--canvas", canvas, "--error-map", name)
        assert result.returncode == 0, result.stderr
    warped = read_image(tmp_path / "w.png").pixels
    shown, values = levels(tmp_path / "e.png"), np.load(tmp_path / "e.npy")
    assert shown.shape == values.shape == warped.shape[:2]
    assert ((shown >= 0) == np.isfinite(values)).all()
    # Where there is a residual, the image and the target's pixel below it differ by it.
    x, y = json.loads((tmp_path / "a_aligned.json").read_text())["canvas"]["offset_px"]
    rows, columns = np.nonzero(np.isfinite(values))
    target = read_image(tmp_path / "b.png").pixels[rows + y, columns + x].astype(float)
    assert rows.size > 0.8 * 160 * 120
    difference = 255.0 * values[rows, columns] - (warped[rows, columns] - target)
    assert np.abs(difference).max() < 2.0  # rounding of the image, and its slight gain


def test_the_legend_is_a_picture_of_its_own(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    result = imalign("a.png", "b.png", "--error-legend", "legend.png")
    assert result.returncode == 0, result.stderr
    assert "a_aligned_error.png, legend.png, a_aligned.json" in result.stderr
    legend, shown = (read_image(tmp_path / n) for n in ("legend.png", "a_aligned_error.png"))
    assert (shown.width, shown.height) == (160, 120)
    assert legend.width > 160
    first = legend.pixels
    assert imalign("a.png", "b.png", "--error-legend", "legend.png", "--raw-error").returncode == 0
    assert (read_image(tmp_path / "legend.png").pixels != first).any()
    # What is raw anyway is called so.
    raw = read_image(tmp_path / "legend.png").pixels
    imalign("a.png", "b.png", "--error-legend", "legend.png", "--no-photometric")
    assert (read_image(tmp_path / "legend.png").pixels == raw).all()


@pytest.mark.parametrize("change", ["gain", "vignette"])
def test_check_writes_the_same(imalign: Imalign, tmp_path: Path, change: str) -> None:
    lit_pair(tmp_path, change)
    assert imalign("a.png", "b.png", "-m", "rigid", "--no-image", "-q").returncode == 0
    asked = ("check", "a_aligned.json", "a.png", "b.png", "--error-map", "e.png")
    result = imalign(*asked, "--error-legend", "l.png")
    assert result.returncode == 0, result.stderr
    assert "wrote e.png, l.png" in result.stderr
    shown = levels(tmp_path / "e.png")
    assert shown.shape == (120, 160)
    of_align = levels(tmp_path / "a_aligned_error.png")
    assert shown[shown >= 0].mean() < 1.05 * of_align[of_align >= 0].mean()
    assert imalign(*asked, "--raw-error").returncode == 0
    raw = levels(tmp_path / "e.png")
    assert raw[raw >= 0].mean() > 2.0 * shown[shown >= 0].mean()


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (("--error-legend", "l.png", "--no-error-map"), "add --error-map PATH"),
        (("--raw-error", "--no-error-map"), "add --error-map PATH"),
        (("--error-legend", "l.png", "--error-map", "e.npy"), "name an image"),
        (("--error-legend", "a.png"), "same file as the input a.png"),
        (("--error-legend", "x.png", "-o", "x.png"), "two outputs"),
    ],
)
def test_what_explains_nothing_is_wrong_usage(
    imalign: Imalign, pair: tuple[Path, Path], options: tuple[str, ...], advice: str
) -> None:
    result = imalign("a.png", "b.png", *options)
    assert result.returncode == 2
    assert advice in result.stderr


def test_a_legend_needs_a_format_that_can_be_written(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    result = imalign("a.png", "b.png", "--error-legend", "l.xyz")
    assert result.returncode == 2
    assert "l.xyz" in result.stderr
    assert not (tmp_path / "a_aligned.json").exists()


def test_check_has_no_legend_without_an_error_map(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_text("1 0 0 0 1 0 0 0 1")
    for options in (("--error-legend", "l.png"), ("--raw-error",)):
        result = imalign("check", "t.txt", "a.png", "b.png", *options)
        assert result.returncode == 2
        assert "add --error-map PATH" in result.stderr
