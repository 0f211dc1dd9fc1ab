"""GDAL maps the same points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio.control
import rasterio.transform

from align_cli.files.errors import UnreadableError
from align_cli.transform_files import read_transform
from tests.files.transform_formats.examples import POINTS, transform, written


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_gdal_maps_the_same_points(tmp_path: Path, model: str) -> None:
    lines = written(tmp_path, "a.gcp", model).read_text().splitlines()
    points = [[float(word) for word in line.split()[1:]] for line in lines]
    control = [rasterio.control.GroundControlPoint(y, x, e, n) for x, y, e, n in points]
    with rasterio.transform.GCPTransformer(control) as gdal:
        # From a pixel's corner: its centre is half a pixel on.
        east, north = gdal.xy(POINTS[:, 1] + 0.5, POINTS[:, 0] + 0.5, offset="ul")
    # The target as a raster with the geotransform (0, 1, 0, 0, 0, -1).
    found = np.column_stack([np.asarray(east), -np.asarray(north)]) - 0.5
    np.testing.assert_allclose(found, transform(model).map_points(POINTS), atol=1e-6)


def test_control_points_by_hand(tmp_path: Path) -> None:
    (tmp_path / "b.gcp").write_text("# two\n-gcp 0.5 0.5 10.5 -20.5 -gcp 100.5 0.5 110.5 -20.5 0\n")
    found = read_transform(tmp_path / "b.gcp")
    np.testing.assert_allclose(found.map_points([[0, 0], [5, 5]]), [[10, 20], [15, 25]], atol=1e-9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-gcp 1 2 3\n", "control point 1 is not one"),
        ("-gcp 1 2 3 4\n-gcp 1 2 x 4\n", "control point 2 is not one"),
        ("-gcp 1 2 3 nan\n", "not finite"),
        ("-gcp 0 0 0 0\n-gcp 1 1 1 1\n-gcp 2 2 2 2\n", "singular"),
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")


def test_comments_hide_what_is_in_them(tmp_path: Path) -> None:
    text = "# -gcp 9 9 9 9\n-gcp 0.5 0.5 10.5 -20.5 # -gcp 8 8 8 8\n-gcp 100.5 0.5 110.5 -20.5\n"
    (tmp_path / "b.gcp").write_text(text)
    found = read_transform(tmp_path / "b.gcp")
    np.testing.assert_allclose(found.map_points([[0, 0]]), [[10, 20]], atol=1e-9)
