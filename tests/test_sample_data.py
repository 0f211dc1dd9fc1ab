"""The sample pairs are what their truth says, to a few hundredths of a pixel."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parents[1] / "sample_data"
NAMES = ("poster", "scan", "exposure", "fundus")

Array = NDArray[np.float64]


def read(name: str, role: str) -> NDArray[Any]:
    image = cv2.imread(str(FOLDER / f"{name}_{role}.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None, f"{name}_{role}.png cannot be read"
    return image


def read_truth(name: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((FOLDER / f"{name}_truth.json").read_text("utf-8"))
    return truth


def unlit(name: str, role: str) -> Array:
    """The picture before its light acted on it, as the truth has it: (height, width), white = 1."""
    image = read(name, role)
    light = read_truth(name)["light"][role]
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    corner2 = (width - 1) ** 2 + (height - 1) ** 2
    rho2 = ((x * (width - 1)) ** 2 + (y * (height - 1)) ** 2) / corner2
    values = (image.reshape(height, width, -1) / np.iinfo(image.dtype).max - light["bias"]).clip(0)
    values = (values / light["gain"]) ** (1 / light["gamma"])
    return np.asarray(values.mean(axis=2) / (1 - light["vignetting"] * rho2))


def disagreement(name: str, row: int = 0, column: int = 2, *, px: float = 0.0) -> float:
    """RMS between target and source resampled through the truth, in units of full scale.

    One entry of the truth is off: in the target's coordinates, centred and divided by half its
    longer side, so that ``px`` is about the distance by which the corners then miss.
    """
    # Smoothed so that noise is small against the difference that a quarter pixel makes.
    source, target = (cv2.GaussianBlur(unlit(name, r), (0, 0), 1.2) for r in ("source", "target"))
    height, width = target.shape
    half = max(width, height) / 2
    centred = np.array(
        [[1 / half, 0, -(width - 1) / 2 / half], [0, 1 / half, -(height - 1) / 2 / half], [0, 0, 1]]
    )
    off = np.eye(3)
    off[row, column] += px / half
    matrix = np.linalg.inv(centred) @ off @ centred @ np.array(read_truth(name)["source_to_target"])
    warped = cv2.warpPerspective(source, matrix, (width, height), borderValue=np.nan)
    # The smoothing reaches a few pixels beyond the borders, where the two pictures differ.
    inside = cv2.erode(
        np.isfinite(warped).astype(np.uint8), np.ones((13, 13), np.uint8), borderValue=0
    ).astype(bool)
    assert inside.mean() > 0.6
    return float(np.sqrt(np.mean((warped - target)[inside] ** 2)))


@pytest.mark.parametrize("name", NAMES)
def test_truth_explains_the_target_better_than_a_quarter_pixel_beside_it(name: str) -> None:
    at_truth = disagreement(name)
    for row in (0, 1):
        for px in (-0.25, 0.25):
            assert disagreement(name, row, 2, px=px) > 1.4 * at_truth, (row, px)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("entry", [(i, j) for i in range(3) for j in range(3) if i + j < 4])
def test_no_entry_of_the_truth_can_be_improved(name: str, entry: tuple[int, int]) -> None:
    below, here, above = (disagreement(name, *entry, px=px) ** 2 for px in (-0.25, 0.0, 0.25))
    # The squared disagreement is a parabola in the error; this is where its bottom lies.
    best = 0.25 * (below - above) / (2 * (below + above - 2 * here))
    assert abs(best) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_truth_is_well_formed(name: str) -> None:
    truth = read_truth(name)
    matrix = np.array(truth["source_to_target"])
    assert matrix.shape == (3, 3)
    assert matrix.dtype == np.float64
    assert matrix[2, 2] == 1.0
    assert np.isfinite(matrix).all()
    assert truth["about"].endswith(".")
    assert {"source", "target"} <= set(truth["light"])
    assert truth["noise_sigma"] > 0

    turn = matrix[:2, :2]
    if truth["model"] != "homography":
        assert matrix[2].tolist() == [0, 0, 1]
    if truth["model"] == "rigid":
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-12)
    if truth["model"] == "similarity":
        np.testing.assert_allclose(turn @ turn.T, np.linalg.det(turn) * np.eye(2), atol=1e-12)
    assert truth["model"] in {"rigid", "similarity", "homography"}


@pytest.mark.parametrize("name", NAMES)
def test_pictures_use_the_range_and_hold_no_invented_border(name: str) -> None:
    for role in ("source", "target"):
        image = read(name, role)
        white = np.iinfo(image.dtype).max
        assert np.percentile(image, 99) - np.percentile(image, 1) > 0.3 * white
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert (border == 0).mean() < 0.05, role
    assert (read(name, "source").dtype == np.uint16) == (name == "fundus")


def test_sources_name_every_file_and_every_photograph() -> None:
    sources = (FOLDER / "SOURCES.md").read_text("utf-8")
    made = {f"{n}_{part}" for n in NAMES for part in ("source.png", "target.png", "truth.json")}
    present = {path.name for path in FOLDER.iterdir() if path.suffix in {".png", ".json"}}
    assert present == made
    for file in made:
        assert f"`{file}`" in sources, file
    script = (FOLDER / "make.py").read_text("utf-8")
    photographs = [line.split('"')[1] for line in script.splitlines() if line.startswith('    "')]
    photographs = [name for name in photographs if name.endswith((".png", ".jpg"))]
    assert len(photographs) >= 3
    for file in photographs:
        row = next(line for line in sources.splitlines() if line.startswith(f"| `{file}`"))
        assert "CC0" in row or "public domain" in row


def test_the_folder_is_small() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_script_makes_these_very_pictures(name: str) -> None:
    pytest.importorskip("skimage", reason="needs the bench extra")
    pytest.importorskip("scipy", reason="needs the bench extra")
    spec = importlib.util.spec_from_file_location("sample_data_make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = make  # dataclasses look their module up
    spec.loader.exec_module(make)
    pair = make.PAIRS[name]
    # Through JSON, as numbers and tuples are written.
    assert json.loads(json.dumps(make.truth(pair))) == read_truth(name)
    for role, picture in zip(("source", "target"), make.render(pair), strict=True):
        expected = np.squeeze(picture[..., ::-1]).astype(np.int64)
        # Another scipy may round a pixel the other way.
        assert np.abs(read(name, role).astype(np.int64) - expected).max() <= 1
