"""OpenCV maps the same points."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from align_cli.files.errors import UnreadableError
from align_cli.transform_files import read_transform
from tests.files.transform_formats.examples import POINTS, transform, written


@pytest.mark.parametrize("name", ["a.yml", "a.xml"])
def test_opencv_maps_the_same_points(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, "homography")
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    matrix = storage.getNode("source_to_target").mat()
    storage.release()
    mapped = cv2.perspectiveTransform(POINTS[None], matrix)[0]
    np.testing.assert_allclose(mapped, transform("homography").map_points(POINTS), atol=1e-9)


@pytest.mark.parametrize("name", ["b.yml", "b.xml"])
@pytest.mark.parametrize("rows", [2, 3])
def test_what_opencv_writes_is_read(tmp_path: Path, name: str, rows: int) -> None:
    matrix = transform("affine").source_to_target
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
    storage.write("H", matrix[:rows])
    storage.write("comment", "by hand")
    storage.release()
    assert (read_transform(tmp_path / name).source_to_target == matrix).all()


def test_two_matrices_are_ambiguous(tmp_path: Path) -> None:
    storage = cv2.FileStorage(str(tmp_path / "b.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("H", np.eye(3))
    storage.write("K", np.eye(3))
    storage.release()
    with pytest.raises(
        UnreadableError,
        match=r"several 3x3 matrices \(H, K\); name the source-to-target matrix source_to_t",
    ):
        read_transform(tmp_path / "b.yml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%YAML:1.0\n---\nH: [1,", "FileStorage|no 3x3 matrix"),
        ("%YAML:1.0\n---\nH: 5\n", "no 3x3 matrix"),
        ("<?xml version='1.0'?>\n<opencv_storage>\n<H", "FileStorage|no 3x3 matrix"),
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")
