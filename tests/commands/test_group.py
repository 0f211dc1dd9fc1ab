from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from align_cli.commands.exit_codes import MEANINGS, ExitCode
from align_cli.commands.group import cli
from align_cli.version import __version__
from tests.commands.conftest import ROOT, Imalign


def test_version(imalign: Imalign) -> None:
    assert imalign("--version").stdout == f"imalign, version {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_of_the_group_and_of_every_command(imalign: Imalign, flag: str) -> None:
    text = imalign(flag).stdout
    whole = " ".join(imalign("align", flag).stdout.split())
    for code, meaning in MEANINGS.items():
        assert f"{code:d} {meaning}" in whole
    for name, command in cli.commands.items():
        result = imalign(name, flag)
        assert result.returncode == 0
        assert command.help
        assert "Example" in result.stdout
        assert name in text


def test_every_exit_code_of_a_finished_run_has_a_meaning() -> None:
    assert set(ExitCode) == set(MEANINGS)


def test_help_loads_neither_numpy_nor_cv2_nor_the_core() -> None:
    code = (
        "import sys; from align_cli.commands.run import run; run(['--help']); "
        "run(['align', '-h']); "
        "run(['--version']); "
        "heavy = ('numpy', 'cv2', 'imageio', 'tqdm', 'align_cli.native', 'ctypes'); "
        "sys.exit(any(name in sys.modules for name in heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_importing_the_package_loads_neither_numpy_nor_cv2_nor_the_core() -> None:
    code = (
        "import sys, align_cli; align_cli.__version__; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'cv2', 'align_cli.native')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_a_file_named_like_a_command_is_reached_by_its_folder(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.png").rename(tmp_path / "selftest")
    assert imalign("./selftest", "b.png").returncode == 0
    assert imalign("align", "selftest", "b.png").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("aply", "t.json", "x.png"), "apply"),
        (("aply", "t.json"), "apply"),
        (("shwo", "t.json"), "show"),
        (("self", "a.png", "b.png"), "selftest"),
        (("Evaluate", "t.json", "--truth", "x.txt"), "evaluate"),
        (("alling", "a.png", "b.png"), "align"),
        (("help", "apply"), "--help"),
        (("version",), "--version"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest(
    imalign: Imalign, pair: tuple[Path, Path], arguments: tuple[str, ...], command: str
) -> None:
    result = imalign(*arguments)
    assert result.returncode == ExitCode.USAGE
    assert f"no command or file {arguments[0]!r}; did you mean imalign {command}?" in (
        result.stderr
    )


@pytest.mark.parametrize("name", ["aligm.png", "./apply", "show.tif", "reference"])
def test_a_missing_file_stays_a_missing_file(
    imalign: Imalign, pair: tuple[Path, Path], name: str
) -> None:
    result = imalign(name, "b.png")
    assert result.returncode == ExitCode.INPUT
    assert f"{name}: there is no such file" in result.stderr


def test_a_file_that_is_named_nearly_like_a_command_is_that_file(
    imalign: Imalign, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.png").rename(tmp_path / "aply")
    assert imalign("aply", "b.png").returncode == 0


def test_cv2_that_cannot_be_loaded_is_one_line(pair: tuple[Path, Path], tmp_path: Path) -> None:
    stand_in = tmp_path / "broken" / "cv2"
    stand_in.mkdir(parents=True)
    message = "libGL.so.1: cannot open shared object file: No such file or directory"
    (stand_in / "__init__.py").write_text(f"raise ImportError({message!r})")
    result = subprocess.run(
        [sys.executable, "-m", "align_cli", "a.png", "b.png"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path / 'broken'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == ExitCode.INSTALLATION
    assert result.stderr.count("\n") == 1
    for words in ("libGL.so.1", "libgl1", "opencv-python-headless"):
        assert words in result.stderr
