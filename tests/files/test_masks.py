"""Masks that people paint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from align_cli.files.errors import UnreadableError
from align_cli.files.images import write_image
from align_cli.files.masks import read_mask

MARKED = np.array([[True, False, False], [False, True, True]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("value", [1, 200])
def test_what_is_not_zero_is_marked(tmp_path: Path, dtype: str, value: int) -> None:
    write_image(tmp_path / "m.tif", (MARKED * value).astype(dtype))
    mask = read_mask(tmp_path / "m.tif")
    assert mask.dtype == np.bool_
    assert (mask == MARKED).all()


def test_any_colour_marks(tmp_path: Path) -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[MARKED, 2] = 255
    write_image(tmp_path / "m.png", picture)
    assert (read_mask(tmp_path / "m.png") == MARKED).all()


def test_what_is_transparent_is_not_marked(tmp_path: Path) -> None:
    picture = np.full((2, 3, 4), 255, np.uint8)
    picture[..., 3] = MARKED * 255
    write_image(tmp_path / "m.png", picture)
    assert (read_mask(tmp_path / "m.png") == MARKED).all()


def test_what_is_no_number_is_not_marked(tmp_path: Path) -> None:
    write_image(tmp_path / "m.tif", np.where(MARKED, 1.0, np.nan).astype(np.float32))
    assert (read_mask(tmp_path / "m.tif") == MARKED).all()


def test_a_mask_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_text("no picture")
    with pytest.raises(UnreadableError, match="not an image"):
        read_mask(tmp_path / "m.png")


def test_a_mask_of_several_pages_is_to_be_saved_by_itself(tmp_path):
    stack = np.zeros((2, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", stack, photometric="minisblack")
    with pytest.raises(UnreadableError, match="contains 2 pages; save the page to use as a sep"):
        read_mask(tmp_path / "m.tif")
