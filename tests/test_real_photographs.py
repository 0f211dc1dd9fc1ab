"""Real photographs with reference homographies, from a folder beside the repository.

They are for measuring only and no part of the project, so the tests skip where they are absent;
IMALIGN_DATA names another folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.files.images import read_image

FOLDER = Path(
    os.environ.get("IMALIGN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
TRUTH = FOLDER / "truth.json"
PAIRS = json.loads(TRUTH.read_text())["pairs"] if TRUTH.exists() else []

pytestmark = pytest.mark.skipif(not PAIRS, reason=f"real photographs are not at {FOLDER}")


def pixels(name: str) -> np.ndarray:
    return read_image(FOLDER / name).pixels


@pytest.mark.parametrize("entry", PAIRS, ids=lambda entry: Path(entry["source"]).stem)
def test_a_real_pair_is_aligned_to_within_its_reference(entry: dict) -> None:
    source, target = pixels(entry["source"]), pixels(entry["target"])
    truth = np.array(entry["matrix_source_to_target"])
    found = align(source, target)
    assert found.outcome.aligned
    error = corner_error(found.source_to_target, truth, found.source_size)
    assert error <= entry["corner_error_reachable_px"]


@pytest.mark.parametrize("entry", PAIRS, ids=lambda entry: Path(entry["source"]).stem)
def test_the_other_way_round_is_the_inverse(entry: dict) -> None:
    source, target = pixels(entry["source"]), pixels(entry["target"])
    there, back = align(source, target), align(target, source)
    assert back.outcome.aligned
    loop = back.source_to_target @ there.source_to_target
    assert corner_error(loop, np.eye(3), there.source_size) < 1.0


def test_different_photographs_are_not_aligned() -> None:
    names = [entry["source"] for entry in PAIRS]
    for first, second in zip(names, names[1:] + names[:1], strict=True):
        assert not align(pixels(first), pixels(second)).outcome.aligned
