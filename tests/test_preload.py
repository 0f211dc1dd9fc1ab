"""In processes of their own: a library that is once loaded stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MAPS = Path("/proc/self/maps")

SCRIPT = """
import sys, threading
from align_cli.preload import preload
preload(sys.argv[1:])
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
assert not {"numpy", "cv2"} & set(sys.modules)
print(open("/proc/self/maps").read())
"""


def loaded(*arguments: str, script: str = SCRIPT) -> str:
    """What is mapped after ``preload`` of these arguments."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(not MAPS.exists(), reason="tells of nothing but Linux")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a.png", "b.png"], True),
        (["-q", "selftest", "a.png", "b.png"], True),
        (["--help"], False),
        (["a.png", "b.png", "--help"], False),
        (["--version"], False),
        (["a.png"], False),
        ([], False),
    ],
)
def test_the_libraries_are_loaded_only_for_work(arguments: list[str], expected: bool) -> None:
    maps = loaded(*arguments)
    assert ("openblas" in maps) == expected
    # Not the modules themselves: they would use the interpreter beside the others.
    assert "_multiarray_umath" not in maps
    assert "cv2.abi3" not in maps


def test_what_cannot_be_loaded_is_left_to_the_import(tmp_path: Path) -> None:
    for name in ("cv2", "opencv_python.libs"):
        (tmp_path / name).mkdir()
    (tmp_path / "cv2" / "__init__.py").write_text("")
    (tmp_path / "opencv_python.libs" / "libz.so.1").write_bytes(b"no library")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + SCRIPT.replace("print", "#")
    assert loaded("a.png", "b.png", script=script) == ""


WAITING = """
import os, sys, threading
from align_cli.preload import load, system_loader
thread = threading.Thread(target=load, args=(system_loader(), sys.argv[1:]))
thread.start()
os.close(os.open(sys.argv[1], os.O_WRONLY))  # which the thread has opened, and waits for
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with a name")
def test_the_interpreter_goes_on_while_a_library_is_loaded(tmp_path: Path) -> None:
    pipe = tmp_path / "lib.so"
    os.mkfifo(pipe)
    command = [sys.executable, "-c", WAITING, str(pipe)]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
