"""``--similarity``: a negative over its original, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np

from align_cli.files.images import write_image
from align_cli.files.schema import alignment_schema
from tests.commands.conftest import Imalign
from tests.photographs import cut, photograph


def test_a_negative_is_aligned_and_the_json_says_by_what(imalign: Imalign, tmp_path: Path) -> None:
    picture = photograph("poster")
    write_image(tmp_path / "a.png", 255 - cut(picture, (300, 220), 27, 25))
    write_image(tmp_path / "b.png", cut(picture, (300, 220), 20, 30))
    result = imalign("a.png", "b.png", "-v", "-m", "rigid", "--similarity", "gradient")
    assert result.returncode == 0, result.stderr
    assert "gain" not in result.stderr
    document = json.loads((tmp_path / "a_aligned.json").read_text())
    jsonschema.validate(document, alignment_schema())
    assert document["similarity"] == document["options"]["similarity"] == "gradient"
    assert document["gain"] is document["bias"] is None
    assert 0.0 < document["uncertainty"]["mean_px"] < 0.1
    assert "px" in result.stderr.split("+-")[1]
    shift = np.array(document["source_to_target"])[:2, 2]
    assert np.abs(shift - [7.0, -5.0]).max() < 0.2


def test_a_negative_from_far_away_says_how_it_was_found(imalign: Imalign, tmp_path: Path) -> None:
    picture = photograph("poster")
    turned = np.ascontiguousarray(np.rot90(cut(picture, (300, 220), 40, 60)))
    write_image(tmp_path / "a.png", 255 - turned)
    write_image(tmp_path / "b.png", cut(picture, (300, 220), 40, 60, seed=1))
    result = imalign("a.png", "b.png", "--similarity", "gradient")
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "a_aligned.json").read_text())
    assert document["start"] == "poses"
    corner = np.array(document["source_to_target"]) @ [0.0, 0.0, 1.0]
    assert np.abs(corner[:2] / corner[2] - [299.0, 0.0]).max() < 0.3


def test_mutual_information_is_refused_with_what_to_take_instead(
    imalign: Imalign, tmp_path: Path
) -> None:
    write_image(tmp_path / "a.png", cut(photograph("scan"), (80, 60), 20, 30))
    result = imalign("a.png", "a.png", "--similarity", "mutual-information")
    assert result.returncode == 2
    assert "choose 'gradient'" in " ".join(result.stderr.split())
    result = imalign("a.png", "a.png", "--similarity", "colour")
    assert result.returncode == 2
    assert "'intensity', 'gradient', 'auto'" in result.stderr
