from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest

from align_cli.commands.inits import Init, init_file, read_init
from align_cli.engine.options import INIT_NAMES
from align_cli.files.images import read_image, write_image
from tests.commands.conftest import TRUTH, Imalign

SIZE = (160, 120)


@pytest.mark.parametrize("text", INIT_NAMES)
def test_a_name_is_a_name_even_where_a_file_has_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / text).write_text("1 0 5\n0 1 2\n0 0 1\n")
    assert init_file(text) is None
    assert read_init(text, SIZE) == text
    # With a folder before it, it is the file.
    assert init_file(f"./{text}") == f"./{text}"
    np.testing.assert_array_equal(
        read_init(f"./{text}", SIZE), [[1.0, 0.0, 5.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]]
    )


@pytest.mark.parametrize("text", ["3,-2", " 3 , -2.0 ", "3,-2,0", "3,-2,0,1"])
def test_two_numbers_are_a_shift(text: str) -> None:
    assert init_file(text) is None
    np.testing.assert_allclose(read_init(text, SIZE), [[1, 0, 3], [0, 1, -2], [0, 0, 1]])


def test_angle_and_scale_are_about_the_centre_of_the_source() -> None:
    matrix = read_init("3,-2,90,2", SIZE)
    centre = np.array([79.5, 59.5, 1.0])
    np.testing.assert_allclose(matrix @ centre, [82.5, 57.5, 1.0])
    # x turns towards y, and everything is twice as large.
    np.testing.assert_allclose(matrix @ [80.5, 59.5, 1.0], [82.5, 59.5, 1.0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,2,3,4,5", "too many"),
        ("1,2,3,0", "must be positive"),
        ("1,2,3,-1", "must be positive"),
        ("1,1e999", "finite"),
        ("1,2-3", "convert"),
        ("", "empty"),
    ],
)
def test_numbers_that_are_no_motion(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter, match=why):
        Init().convert(text, None, None)


@pytest.mark.parametrize("text", ["start.txt", "./start", "7.json", "2024-05-01_a.txt"])
def test_anything_else_is_a_file(text: str) -> None:
    assert Init().convert(text, None, None) == text
    assert init_file(text) == text


@pytest.mark.parametrize("text", ["1", "-2.5", "1,x", "5,", ",5", ",", "5,6,x", "3.,a"])
def test_what_is_nearly_numbers_is_wrong_usage_unless_it_is_a_file(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, text: str
) -> None:
    result = imalign("a.png", "b.png", "--init", text)
    assert result.returncode == 2, result.stderr
    assert f"{text!r} is neither dx,dy[,angle[,scale]], such as 40,-25 or" in result.stderr
    (tmp_path / text).write_text("1 0 5\n0 1 -4\n0 0 1\n")
    assert imalign("a.png", "b.png", "--init", text).returncode == 0


@pytest.mark.parametrize(
    ("text", "near"),
    [("feature", "features"), ("Fourier", "fourier"), ("ident", "identity"), ("a,b", None)],
)
def test_an_unknown_word_is_wrong_usage_unless_it_is_a_file(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path, text: str, near: str | None
) -> None:
    result = imalign("a.png", "b.png", "--init", text)
    assert result.returncode == 2, result.stderr
    assert f"{text!r} is neither a file nor one of auto, identity, " in result.stderr
    assert (f"Did you mean {near!r}?" in result.stderr) == (near is not None)
    (tmp_path / text).write_text("1 0 5\n0 1 -4\n0 0 1\n")
    assert imalign("a.png", "b.png", "--init", text).returncode == 0


def test_the_command_says_where_it_began(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copy(pair[1], tmp_path / "features")  # a picture, no transform: nobody reads it
    for init, start in (("auto", "identity"), ("features", "features"), ("5,-3,2", "given")):
        result = imalign("a.png", "b.png", "-m", "rigid", "--init", init)
        assert result.returncode == 0, result.stderr
        document = json.loads((tmp_path / "a_aligned.json").read_text())
        assert document["options"]["init"] == init
        assert document["start"] == start
        np.testing.assert_allclose(document["source_to_target"], TRUTH, atol=0.1)
    assert imalign("a.png", "b.png", "--init", "./features").returncode == 3
    assert imalign("a.png", "b.png", "--init", "1,2,3,0").returncode == 2
    missing = imalign("a.png", "b.png", "--init", "orb")
    assert missing.returncode == 2
    assert "'orb' is neither a file nor one of auto, identity," in missing.stderr
    missing = imalign("a.png", "b.png", "--init", "none.json")
    assert missing.returncode == 3
    assert "none.json: there is no such file; check the name" in missing.stderr


def test_a_mirrored_source_is_laid_over_where_that_is_allowed(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    mirrored = np.ascontiguousarray(read_image(pair[0]).pixels[:, ::-1])
    write_image(tmp_path / "m.png", mirrored)
    refused = imalign("m.png", "b.png", "-m", "rigid")
    assert refused.returncode == 1
    result = imalign("m.png", "b.png", "-m", "rigid", "--allow-flip")
    assert result.returncode == 0, result.stderr
    assert "aligned (rigid): mirrored, shifted" in result.stderr
    document = json.loads((tmp_path / "m_aligned.json").read_text())
    assert document["mirrored"]
    expected = TRUTH @ [[-1.0, 0.0, 159.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_allclose(document["source_to_target"], expected, atol=0.1)
    warped = read_image(tmp_path / "m_aligned.png").pixels[20:-20, 20:-20]
    target = read_image(pair[1]).pixels[20:-20, 20:-20]
    assert np.abs(warped.astype(float) - target).mean() < 2.0
    # The JSON of a mirrored source is a start for it, where that is allowed.
    (tmp_path / "m_aligned.json").rename(tmp_path / "start.json")
    again = imalign("m.png", "b.png", "-m", "rigid", "--init", "start.json", "--allow-flip")
    assert again.returncode == 0, again.stderr
    alone = imalign("m.png", "b.png", "-m", "rigid", "--init", "start.json")
    assert alone.returncode == 3
    assert "mirrors the target" in alone.stderr


def test_a_start_that_needs_another_similarity_says_so(imalign: Imalign, tmp_path: Path) -> None:
    pixels = np.full((40, 50), 128, np.uint8)
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, pixels)
    result = imalign("a.png", "b.png", "--init", "poses")
    assert result.returncode == 2
    assert "--init poses compares edge orientations: add --similarity auto" in result.stderr
