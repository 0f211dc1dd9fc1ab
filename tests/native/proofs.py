"""What a proof needs and this machine may lack: skipped with the line that installs it.

Where ``IMALIGN_REQUIRE`` names "native", as in ``.ci/run``, nothing is skipped: what is missing
fails.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from build_backend.compile import Compiler, objects, system_compiler, zig

ROOT = Path(__file__).parent.parent.parent

ANSWERS = Path(__file__).parent / "driver" / "answers.txt"


def lacking(what: str, install: str) -> NoReturn:
    """Skip, or fail where everything is required."""
    reason = f"no {what}; install it: {install}"
    if "native" in os.environ.get("IMALIGN_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


def needs_system_compiler() -> Compiler:
    """gcc or clang."""
    return system_compiler() or lacking("C compiler", "apt-get install gcc")


def needs_zig(machine: str | None = None, target: str | None = None) -> Compiler:
    """The compiler of the ziglang package."""
    if importlib.util.find_spec("ziglang") is None:
        lacking("ziglang", f"{sys.executable} -m pip install '.[zig]'")
    return zig(machine, target)


def needs(program: str, install: str) -> str:
    """The path of a program."""
    return shutil.which(program) or lacking(program, install)


def needs_any_compiler() -> Compiler:
    """Whichever there is."""
    return system_compiler() or needs_zig()


@functools.cache
def objects_by(needed: Callable[[], Compiler]) -> list[Path]:
    """The objects of a compiler, in the order of ``objects``, warnings being errors; made once.

    Args:
        needed: one of the functions above.
    """
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return [Path(each) for each in objects(needed(), Path(folder.name), strict=True)]


@functools.cache
def pythons() -> list[str]:
    """Every Python from 3.10 that is here, one of each version; this one is the first."""
    found = {f"3.{sys.version_info.minor}": sys.executable}
    for folder in [
        *os.environ.get("PATH", "").split(os.pathsep),
        *map(str, (Path.home() / ".pyenv" / "versions").glob("*/bin")),
    ]:
        for path in Path(folder or ".").glob("python3*"):
            tell = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
            if path.suffix.lstrip(".").isdigit() or path.name == "python3":
                told = subprocess.run(
                    [path, "-c", tell], capture_output=True, text=True, check=False
                ).stdout.strip()
                if told.startswith("3.") and int(told[2:]) >= 10:
                    found.setdefault(told, str(path))
    return list(found.values())
