from __future__ import annotations

from pathlib import Path

import pytest

from align_cli.files.errors import UnreadableError
from align_cli.files.folders import pictures_in
from align_cli.files.images import encode


def test_frame_2_comes_before_frame_10(tmp_path: Path) -> None:
    for name in ("f10.png", "f2.PNG", "F1.tif", "notes.txt", ".f3.png"):
        (tmp_path / name).touch()
    (tmp_path / "f5.png").mkdir()
    assert [Path(path).name for path in pictures_in(tmp_path)] == ["F1.tif", "f2.PNG", "f10.png"]


def test_every_suffix_that_is_written_is_listed(tmp_path: Path) -> None:
    for suffix in encode.BY_SUFFIX:
        (tmp_path / f"a{suffix}").touch()
    assert len(pictures_in(tmp_path)) == len(encode.BY_SUFFIX)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="contains no image"):
        pictures_in(tmp_path)
    with pytest.raises(UnreadableError, match="no such file"):
        pictures_in(tmp_path / "none")
