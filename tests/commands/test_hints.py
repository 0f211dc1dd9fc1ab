"""What is to be tried where an alignment is not aligned, and that it helps."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from align_cli.commands.hints import hint
from align_cli.engine.records import Outcome, Status
from align_cli.files.images import write_image
from tests.commands.conftest import Imalign, rendered

UNTRIED = {"allow_flip": False, "init": "auto", "similarity": "intensity", "photometric": True}


def test_a_start_that_was_named_is_to_be_omitted(imalign: Imalign, tmp_path: Path) -> None:
    angle = np.deg2rad(70.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
    to_scene = np.vstack([turn, [0, 0, 1]]) @ np.array([[1, 0, -80], [0, 1, -60], [0, 0, 1.0]])
    to_scene = np.array([[1, 0, 80], [0, 1, 60], [0, 0, 1.0]]) @ to_scene
    for name, matrix in (("a.png", to_scene), ("b.png", np.eye(3))):
        pixels = np.rint(255.0 * rendered(matrix)).astype(np.uint8)
        write_image(tmp_path / name, pixels)
    line = ("a.png", "b.png", "-m", "rigid")
    result = imalign(*line, "--init", "identity")
    assert result.returncode == 1
    advice = "omitting --init identity, so that an initial transform is searched for"
    assert f"\nor try {advice}" in result.stderr
    omitted = imalign(*line)
    assert omitted.returncode == 0, omitted.stderr
    assert "--init" not in omitted.stderr


@pytest.mark.parametrize("init", ["40,-25", "a start.json", "features"])
def test_the_start_is_named_as_it_was_typed(init: str) -> None:
    outcome = Outcome(Status.NO_AGREEMENT, "no", ("no",))
    quoted = f"'{init}'" if " " in init else init
    assert f"omitting --init {quoted}, " in hint(outcome, **{**UNTRIED, "init": init})
    assert "--init" not in hint(outcome, **UNTRIED)


def test_no_start_helps_where_the_scene_repeats_itself() -> None:
    outcome = Outcome(Status.AMBIGUOUS, "periodic", ("periodic",), doubtful=True)
    assert hint(outcome, **{**UNTRIED, "init": "identity"}) == ""


def smooth(generator: np.random.Generator, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """Noise of several grains, of unit variance."""
    width, height = size
    total = np.zeros((height, width))
    for grain in (3, 8, 20):
        noise = generator.normal(size=(height // grain + 2, width // grain + 2))
        total += cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC) * grain**0.3
    return total / total.std()


def test_a_doubtful_mirror_image_of_a_nearly_symmetric_scene_is_told_of_allow_flip(
    imalign: Imalign, tmp_path: Path
) -> None:
    generator = np.random.default_rng(3)
    half = smooth(generator)
    scene = (half + half[:, ::-1]) / np.sqrt(2.0) + 1.3 * smooth(generator)
    target = 127.0 + 35.0 * scene / scene.std()
    shift = np.float64([[1, 0, 4.3], [0, 1, -2.6]])
    moved = cv2.warpAffine(
        target, shift, (320, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    for name, image in (("a.png", moved[:, ::-1]), ("b.png", target)):
        noisy = image + generator.normal(scale=3, size=image.shape)
        write_image(tmp_path / name, np.clip(noisy, 0, 255).astype(np.uint8))
    result = imalign("a.png", "b.png", "-m", "rigid")
    assert "doubtful (rigid)" in result.stderr
    option = re.search(
        r"^or try (--allow-flip), if one image may be mirrored$", result.stderr, re.M
    )
    assert option is not None
    assert imalign("a.png", "b.png", "-m", "rigid", option[1]).returncode == 0


FAILED = Outcome(Status.NO_AGREEMENT, "no", ("no",))


def test_a_rectangle_is_small_if_one_of_its_sides_is() -> None:
    assert "a larger --roi: 200x10 px" in hint(FAILED, **UNTRIED, roi=(0, 0, 200, 10))
    assert "--roi" not in hint(FAILED, **UNTRIED, roi=(0, 0, 200, 64))


def test_an_illumination_is_told_of_only_where_one_would_be_solved_for() -> None:
    said = {
        similarity: hint(FAILED, **{**UNTRIED, "photometric": False, "similarity": similarity})
        for similarity in ("intensity", "gradient")
    }
    assert "omitting --no-photometric" in said["intensity"]
    assert "--no-photometric" not in said["gradient"]


def test_a_start_that_decides_whether_the_source_is_mirrored_leaves_that_out() -> None:
    assert "--allow-flip" in hint(FAILED, **UNTRIED)
    assert "--allow-flip" in hint(FAILED, **{**UNTRIED, "init": "features"})
    assert "--allow-flip" not in hint(FAILED, **{**UNTRIED, "init": "40,-25"})
    assert "--allow-flip" not in hint(FAILED, **{**UNTRIED, "allow_flip": True})
