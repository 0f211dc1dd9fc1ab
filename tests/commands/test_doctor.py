"""imalign doctor, in good health and with one thing broken after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None

from align_cli.commands import examination
from align_cli.commands.exit_codes import ExitCode
from align_cli.files.encode import BY_SUFFIX
from align_cli.native.library import LEVEL_VARIABLE, levels
from align_cli.version import __version__
from tests.commands.conftest import ROOT, Imalign


def lines(text: str) -> dict[str, tuple[str, str]]:
    """State and text, by what was looked at."""
    found = re.findall(r"^(ok|FAILED|-) +(\S+(?: \S+)*) {2,}(.*)$", text, re.M)
    return {name: (state, said) for state, name, said in found}


def broken(tmp_path: Path, module: str) -> subprocess.CompletedProcess[str]:
    """The command where a module cannot be imported."""
    stand_in = tmp_path / "broken" / module
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open it')")
    return subprocess.run(
        [sys.executable, "-m", "align_cli", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'broken'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_is_well(imalign: Imalign) -> None:
    result = imalign("doctor")
    assert result.returncode == ExitCode.ALIGNED, result.stdout
    assert result.stderr == ""
    assert result.stdout.startswith(f"imalign {__version__} ")
    found = lines(result.stdout)
    assert not any(state == "FAILED" for state, _ in found.values())
    assert found["numpy"] == ("ok", metadata.version("numpy"))
    assert "opencv-python" in found["OpenCV"][1]
    assert f"of {', '.join(levels())} " in found["native core"][1]
    assert all(suffix in found["writes"][1].split() for suffix in BY_SUFFIX)
    assert "TIFF" in found["reads"][1]
    assert "--threads" in found["threads"][1]
    assert found["alignment"][0] == "ok"
    assert all(f"[{name}]" in found for name in examination.PURPOSES)


def test_quiet_is_silent_where_all_is_well(imalign: Imalign) -> None:
    result = imalign("doctor", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_opencv_that_cannot_be_loaded(tmp_path: Path) -> None:
    result = broken(tmp_path, "cv2")
    assert result.returncode == ExitCode.INSTALLATION
    found = lines(result.stdout)
    state, text = found["OpenCV"]
    assert state == "FAILED"
    assert "libGL.so.1" in text
    assert "opencv-python-headless" in text
    # What does not need it was looked at all the same.
    assert found["numpy"][0] == "ok"
    assert found["alignment"][0] == "FAILED"


def test_a_reader_that_is_missing(tmp_path: Path) -> None:
    result = broken(tmp_path, "tifffile")
    assert result.returncode == ExitCode.INSTALLATION
    found = lines(result.stdout)
    assert found["tifffile"][0] == "FAILED"
    assert "TIFF cannot be written and read back" in found["writes"][1]
    assert found["alignment"][0] == "ok"


def test_a_level_that_this_processor_has_not(
    imalign: Imalign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEVEL_VARIABLE, "z80")
    result = imalign("doctor", "-q")
    assert result.returncode == ExitCode.INSTALLATION
    state, text = lines(result.stdout)["native core"]
    assert state == "FAILED"
    assert f"{LEVEL_VARIABLE}: this processor does not support 'z80'" in text


@pytest.mark.skipif(tomllib is None, reason="Python 3.10 reads no TOML")
def test_every_extra_has_a_purpose() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(examination.PURPOSES) == set(project["optional-dependencies"])


def test_an_extra_says_what_is_missing_and_how_to_get_it() -> None:
    required = [
        "numpy>=2.0.0",
        "click>=8.1.0; extra == 'test'",
        'nowhere-to-be-found>=1 ; extra == "test"',
        "other; extra == 'bench'",
    ]
    found = examination._extra("test", required)
    assert not found.failed
    assert found.text.startswith("run the tests: without nowhere-to-be-found; ")
    assert found.text.endswith(" -m pip install 'align-cli[test]'")
    assert examination._extra("test", required[:2]).text == "run the tests: installed"
