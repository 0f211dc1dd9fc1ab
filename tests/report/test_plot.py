"""``found.plot()``: what is drawn where, and what is said where Matplotlib is missing."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from align_cli import ImageError, Outcome, Status, align
from align_cli.report.displacement_map import enlargement
from tests.scenes import pair

matplotlib = pytest.importorskip("matplotlib", reason="pip install 'align-cli[plot]'")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

MADE = pair("affine", seed=1, size=(120, 90), source_size=(101, 95))
FOUND = align(MADE.source, MADE.target, model="affine")
FAILED = dataclasses.replace(FOUND, outcome=Outcome(Status.NO_AGREEMENT, "No.", ("No.",)))


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def labels(axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def test_the_outline_and_the_displacements_are_drawn_where_they_are(tmp_path: Path) -> None:
    axes = FOUND.plot()
    (outline,) = axes.get_lines()
    corners = [[-0.5, -0.5], [100.5, -0.5], [100.5, 94.5], [-0.5, 94.5]]
    assert_allclose(outline.get_xydata()[:4], FOUND.map_points(corners))
    (arrows,) = (each for each in axes.collections if hasattr(each, "U"))
    field, times = FOUND.displacements.field, enlargement(FOUND.displacements.field)
    assert_allclose(arrows.get_offsets(), field.position[field.matched])
    assert_allclose(np.column_stack([arrows.U, arrows.V]), field.displacement[field.matched])
    assert arrows.scale == pytest.approx(1.0 / times)
    assert f"displacement of a tile, {times} times as long" in labels(axes)
    assert axes.yaxis_inverted()
    assert axes.get_title() == f"aligned (affine), +-{FOUND.uncertainty.mean_px:.2g} px"
    axes.figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_tiles_without_a_match_are_crossed_out() -> None:
    field = FOUND.displacements.field
    matched = np.arange(len(field)) > 2
    told = dataclasses.replace(
        FOUND.displacements, field=dataclasses.replace(field, matched=matched)
    )
    axes = dataclasses.replace(FOUND, displacements=told).plot()
    crosses = next(line for line in axes.get_lines() if line.get_label() == "tile without a match")
    assert_allclose(crosses.get_xydata(), field.position[:3])
    none = dataclasses.replace(told, field=dataclasses.replace(field, matched=matched & False))
    axes = dataclasses.replace(FOUND, displacements=none).plot()
    assert labels(axes) == ["outline of the source", "tile without a match"]
    assert labels(dataclasses.replace(FOUND, displacements=None).plot()) == labels(axes)[:1]


def test_what_agrees_is_grey_and_what_only_the_target_has_is_red() -> None:
    (image,) = FOUND.plot(MADE.target, 0.3 * MADE.source + 0.1).get_images()
    shown, seen = np.asarray(image.get_array()), FOUND.valid_mask()
    assert shown.shape == (90, 120, 3)
    assert np.abs(shown[seen, 0] - shown[seen, 1]).mean() < 0.03
    assert (shown[~seen, 1:] == 0.0).all()
    assert shown[~seen, 0].mean() > 0.2


def test_a_dark_colour_image_with_alpha_and_nan_is_stretched() -> None:
    dark = np.stack([1e-3 * MADE.target] * 3 + [np.ones_like(MADE.target)], axis=2)
    dark[0, 0] = np.nan
    (image,) = FOUND.plot(dark).get_images()
    shown = np.asarray(image.get_array())
    assert (shown.min(), shown.max(), shown[0, 0]) == (0.0, 1.0, 0.0)
    (image,) = FOUND.plot(np.full((90, 120), np.nan)).get_images()
    assert (np.asarray(image.get_array()) == 0.0).all()


def test_of_a_failed_alignment_only_the_target_is_drawn() -> None:
    axes = FAILED.plot(MADE.target, MADE.source)
    assert axes.get_title() == "failed (affine), " + axes.get_title().split(", ", 1)[1]
    assert axes.get_title().endswith(": no_agreement")
    assert (len(axes.get_lines()), len(axes.collections)) == (0, 0)
    (image,) = axes.get_images()
    assert image.get_array().ndim == 2


def test_it_draws_where_it_is_told() -> None:
    axes = pyplot.figure().add_subplot()
    axes.invert_yaxis()
    assert FOUND.plot(axes=axes) is axes
    assert axes.yaxis_inverted()


def test_images_that_are_not_the_alignments_are_refused() -> None:
    with pytest.raises(ImageError, match=r"source: .* give that too"):
        FOUND.plot(source=MADE.source)
    with pytest.raises(ImageError, match=r"target: .* of 120x90 px, this one has 101x95 px"):
        FOUND.plot(MADE.source)
    with pytest.raises(ImageError, match=r"source: .* of 101x95 px, this one has 120x90 px"):
        FOUND.plot(MADE.target, MADE.target)
    assert not pyplot.get_fignums()


def test_without_matplotlib_the_error_says_what_to_install(tmp_path: Path) -> None:
    np.savez(tmp_path / "pair.npz", source=MADE.source, target=MADE.target)
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np, align_cli\n"
        "pair = np.load('pair.npz')\n"
        "align_cli.align(pair['source'], pair['target'], model='affine').plot()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: plot() needs Matplotlib, which is not installed; run pip install "
        "'align-cli[plot]'"
    )


def test_images_are_arrays() -> None:
    with pytest.raises(ImageError, match=r"target: expected a numpy array, got str; read the file"):
        FOUND.plot("b.png")  # type: ignore[arg-type]
