"""Completion in bash, zsh and fish, as docs/install.md sets it up, in the shells themselves."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from align_cli.engine.options import INIT_NAMES, MODEL_NAMES
from tests.commands.conftest import ROOT

INSTALL = (ROOT / "docs" / "install.md").read_text("utf-8")
SET_UP = dict(re.findall(r"^\| (\w+) \| `[^`]+` \| `([^`]+)` \|$", INSTALL, re.M))


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return found


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a shell which has ``imalign``, and an empty home."""
    command = tmp_path / "bin" / "imalign"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m align_cli "$@"\n')
    command.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TERM": "dumb",
    }


def candidates(environment: dict[str, str], words: list[str]) -> list[tuple[str, str]]:
    """Kind and value of what a shell is offered for the last word."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "align_cli"],
        env={
            **environment,
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_IMALIGN_COMPLETE": "bash_complete",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return [tuple(line.split(",", 1)) for line in result.stdout.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ap"], [("plain", "apply")]),
        (["scan.p"], [("file", "scan.p")]),
        (["--mod"], [("plain", "--model")]),
        (["--vers"], [("plain", "--version")]),
        (["a.png", "b"], [("file", "b")]),
        (["a.png", "b.png", "-m", ""], [("plain", name) for name in (*MODEL_NAMES, "auto")]),
        (["a.png", "b.png", "--init", ""], [("plain", name) for name in INIT_NAMES]),
        (["a.png", "b.png", "--init", "./x"], [("file", "./x")]),
        (["aply", "x"], [("file", "x")]),
        (["convert", "a.json", "b", "--to", "it"], [("plain", "itk")]),
        (["check", "--thr"], [("plain", "--threads")]),
    ],
)
def test_what_is_offered(
    environment: dict[str, str], words: list[str], offered: list[tuple[str, str]]
) -> None:
    assert candidates(environment, ["imalign", *words]) == offered


def test_bash(environment: dict[str, str]) -> None:
    ask = "COMP_WORDS=(imalign a.png b.png --mod); COMP_CWORD=3; _imalign_completion imalign"
    result = subprocess.run(
        [shell("bash"), "--norc", "-c", f'{SET_UP["bash"]}\n{ask}\necho "${{COMPREPLY[@]}}"'],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("--model\n", "")


def test_fish(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [shell("fish"), "-c", f"{SET_UP['fish']}\ncomplete -C 'imalign ap'"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.startswith("apply\t"), result.stderr


def test_zsh(environment: dict[str, str], tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    (tmp_path / ".zshrc").write_text(
        f"PS1='ready> '\nunsetopt zle_bracketed_paste\nautoload -U compinit\ncompinit -u\n"
        f"{SET_UP['zsh']}\n"
    )
    environment["ZDOTDIR"] = str(tmp_path)
    found = shell("zsh")
    terminal, other = pty.openpty()
    ends = {"stdin": other, "stdout": other, "stderr": other}
    process = subprocess.Popen([found, "-i"], env=environment, start_new_session=True, **ends)
    os.close(other)
    try:
        assert "ready> " in until(terminal, "ready> ")
        os.write(terminal, b"imalign inv\t")
        assert "invert" in until(terminal, "invert")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def until(terminal: int, words: str, seconds: float = 20.0) -> str:
    """What a terminal shows until there are some words, or no more time."""
    shown, end = "", time.monotonic() + seconds
    while words not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
    return shown
