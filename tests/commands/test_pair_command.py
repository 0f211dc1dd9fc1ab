"""Too many images, and folders: what to type instead."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from align_cli.files.images import read_image, write_image
from tests.commands.conftest import ROOT, Imalign

Pair = tuple[Path, Path]


def bash(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line where ``imalign`` is a command."""
    return subprocess.run(
        ["bash", "-c", f'imalign() {{ {sys.executable} -m align_cli "$@"; }}\n{line}'],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_loop_over_several_sources_can_be_pasted(
    imalign: Imalign, pair: Pair, tmp_path: Path
) -> None:
    write_image(tmp_path / "c 2.png", read_image(pair[0]).pixels)
    result = imalign("a.png", "c 2.png", "b.png")
    assert result.returncode == 2
    assert "one SRC and one DST are expected, and 3 images are given" in result.stderr
    assert "imalign apply a_aligned.json FOLDER" in result.stderr
    said = " ".join(result.stderr.split())
    (loop,) = re.findall(r"for f in .*?; done", said)
    done = bash(loop, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a_aligned.png").is_file()
    assert (tmp_path / "c 2_aligned.png").is_file()


def test_a_check_of_several_sources(imalign: Imalign, pair: Pair) -> None:
    result = imalign("check", "t.json", "a.png", "c.png", "d.png", "e.png", "f.png", "b.png")
    assert result.returncode == 2
    assert 'for f in a.png c.png ...; do imalign check t.json "$f" b.png; done' in result.stderr


def test_a_folder_in_place_of_the_source(imalign: Imalign, pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    pair[0].rename(tmp_path / "frames" / "a.png")
    result = imalign("frames/", "b.png")
    assert result.returncode == 2
    assert "frames/ is a folder, and SRC is one image" in result.stderr
    assert "imalign apply X_aligned.json frames -o aligned/" in result.stderr
    (loop,) = re.findall(r"for f in .*?; done", result.stderr)
    assert bash(loop, tmp_path).returncode == 0
    assert (tmp_path / "a_aligned.json").is_file()
