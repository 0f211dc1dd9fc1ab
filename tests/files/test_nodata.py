"""GDAL's no-data value, in files that GDAL wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

from align_cli.files.images import Picture, read_image


def by_gdal(path: Path, bands: np.ndarray, **profile: Any) -> Picture:
    """The picture that GDAL makes of (bands, H, W), as it is read."""
    count, height, width = bands.shape
    size = {"width": width, "height": height, "count": count, "dtype": bands.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rasterio warns of pictures that are nowhere on Earth
        with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
            file.write(bands)
    return read_image(path)


def bands_of(dtype: str, count: int = 1) -> np.ndarray:
    bands = np.arange(count * 9 * 11).reshape(count, 9, 11) % 200 + 1
    return bands.astype(dtype)


@pytest.mark.parametrize("compress", ["none", "lzw", "deflate"])
@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", -10000.0),
        ("float32", -3.4028234663852886e38),
        ("float64", -1e300),
        ("int16", -32767),
        ("uint32", 4294967295),
    ],
)
def test_floats_and_what_is_read_as_such_become_nan(
    tmp_path: Path, compress: str, dtype: str, value: float
) -> None:
    bands = bands_of(dtype)
    bands[0, 2:4, 5:8] = value
    found = by_gdal(tmp_path / "a.tif", bands, nodata=value, compress=compress)
    missing = np.zeros((9, 11), bool)
    missing[2:4, 5:8] = True
    np.testing.assert_array_equal(np.isnan(found.pixels), missing)
    np.testing.assert_array_equal(found.pixels[~missing], bands[0][~missing])
    assert found.valid is None
    assert not any("no-data" in each for each in found.metadata.lost)


@pytest.mark.parametrize("compress", ["none", "lzw"])
@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint16", 65535)])
def test_integers_stay_and_are_set_apart(
    tmp_path: Path, compress: str, dtype: str, value: int
) -> None:
    bands = bands_of(dtype)
    bands[0, 2:4, 5:8] = value
    found = by_gdal(tmp_path / "a.tif", bands, nodata=value, compress=compress)
    np.testing.assert_array_equal(found.pixels, bands[0])
    assert found.valid is not None
    np.testing.assert_array_equal(found.valid, bands[0] != value)
    assert "GDAL's no-data value" in found.metadata.lost


def test_of_several_bands_of_integers_all_must_hold_it(tmp_path: Path) -> None:
    bands = bands_of("uint16", 5)
    bands[:, 1, 2] = bands[0, 3, 4] = 777
    found = by_gdal(tmp_path / "a.tif", bands, nodata=777)
    assert found.valid is not None
    assert np.argwhere(~found.valid).tolist() == [[1, 2]]
    bands = bands.astype("float32")
    found = by_gdal(tmp_path / "a.tif", bands, nodata=777)
    assert np.argwhere(np.isnan(found.pixels)).tolist() == [
        *([1, 2, band] for band in range(5)),
        [3, 4, 0],
    ]


@pytest.mark.parametrize("nodata", [None, 250, -9999])
def test_a_value_that_no_pixel_has_changes_nothing(tmp_path: Path, nodata: int | None) -> None:
    tag = [] if nodata is None else [(42113, "s", 0, str(nodata), True)]
    tifffile.imwrite(tmp_path / "a.tif", bands_of("uint8")[0], extratags=tag)
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels, bands_of("uint8")[0])
    assert found.valid is None


@pytest.mark.parametrize("text", ["nan", "none", "", "1,5"])
def test_what_is_no_number_changes_nothing(tmp_path: Path, text: str) -> None:
    pixels = bands_of("float32")[0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(42113, "s", 0, text, True)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


def test_where_0_is_white_the_value_is_turned_round_with_the_pixels(tmp_path: Path) -> None:
    pixels = bands_of("uint8")[0]
    pixels[4, 4] = 255
    tag = [(42113, "s", 0, "255", True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite", extratags=tag)
    found = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels, 255 - pixels)
    assert found.valid is not None
    assert np.argwhere(~found.valid).tolist() == [[4, 4]]


def test_of_floats_alpha_is_no_data_to_leave_out(tmp_path: Path) -> None:
    pixels = np.full((9, 11, 4), 0.5, np.float32)
    pixels[3, 2] = 0.0
    tag = [(42113, "s", 0, "0", True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[2], extratags=tag)
    found = read_image(tmp_path / "a.tif").pixels
    assert np.isnan(found[3, 2, :3]).all()
    assert found[3, 2, 3] == 0.0
    assert np.count_nonzero(np.isnan(found)) == 3


def test_infinity_may_be_the_value(tmp_path: Path) -> None:
    pixels = bands_of("float32")[0]
    pixels[4, 4] = np.inf
    tag = [(42113, "s", 0, "inf", True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=tag)
    found = read_image(tmp_path / "a.tif").pixels
    assert np.argwhere(np.isnan(found)).tolist() == [[4, 4]]
