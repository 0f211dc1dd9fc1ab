"""The wheel, made of the source distribution, in empty environments of every Python here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

from align_cli.native.library import levels, library_path, source_hash
from align_cli.version import DISTRIBUTION, __version__
from tests.native.proofs import ROOT, pythons

NAME = DISTRIBUTION.replace("-", "_")

LOAD = """
import os, sys
from align_cli.native import library
assert library.__file__.startswith(sys.prefix)
print(library.source_hash(), *library.levels())
"""

SMOOTH = """
import numpy as np
from align_cli.native.filtered_image import FilteredImage, smooth
pixels = np.arange(400, dtype=np.uint16).reshape(20, 20)
kernel = np.array([0.25, 0.5, 0.25])
found = smooth(FilteredImage(pixels, np.ones(1, np.float32), kernel), (1, 1), (18, 18))
assert (found == pixels[1:-1, 1:-1]).all()
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    # Not what the tests themselves are found by, nor a pip that is told where to install.
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PIP_TARGET")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a stranger makes of what is published: nothing of the working copy but its sdist."""
    folder = tmp_path_factory.mktemp("dist")
    script = f"from build_backend import backend; backend.build_sdist({str(folder)!r})"
    run(sys.executable, "-c", script)
    (sdist,) = folder.iterdir()
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, sdist, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


def test_it_is_for_any_python_3_of_its_platform(wheel: Path) -> None:
    tag = re.sub(r"[-.]", "_", sysconfig.get_platform())
    assert wheel.name == f"{NAME}-{__version__}-py3-none-{tag}.whl"


def test_it_holds_the_core_its_sources_and_nothing_of_the_build(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert f"align_cli/native/{library_path().name}" in names
    assert "align_cli/native/src/core.h" in names
    assert {
        f"align_cli/report/page/templates/{name}"
        for name in ("page.html", "page.css", "viewer.js", "parts/viewer.html")
    } <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "align_cli",
        f"{NAME}-{__version__}.dist-info",
    }
    metadata = f"{NAME}-{__version__}.dist-info/WHEEL"
    assert "Root-Is-Purelib: false" in ZipFile(wheel).read(metadata).decode()


@pytest.mark.parametrize("python", pythons())
def test_it_works_in_an_empty_environment(wheel: Path, python: str, tmp_path: Path) -> None:
    run(python, "-m", "venv", "--without-pip", tmp_path / "venv")
    own = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", own / "python", "install", "--quiet")
    # Once with all that it asks for. Of the other Pythons it is enough to know that the core loads.
    whole = python == sys.executable
    run(*pip, *(() if whole else ("--no-deps",)), wheel, cwd=tmp_path)
    told = run(own / "python", "-c", LOAD, cwd=tmp_path).split()
    assert told == [source_hash(), *levels()]
    if whole:
        run(own / "python", "-c", SMOOTH, cwd=tmp_path)
        run(own / "imalign", "--help", cwd=tmp_path)
        pair = [ROOT / "sample_data" / f"poster_{name}.png" for name in ("source", "target")]
        run(own / "imalign", *pair, "-o", "aligned.png", cwd=tmp_path)
        assert (tmp_path / "aligned.png").exists()
