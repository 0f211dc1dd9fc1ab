"""How the process ends: in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from align_cli import __main__ as module
from align_cli.commands.exit_codes import ExitCode

LEAVE = "import sys; from align_cli.__main__ import leave; sys.stdout.write('said'); leave({code})"


def ended(script: str, **streams: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, check=False, text=True, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("code", [0, 3])
def test_all_that_was_said_is_heard(code: int) -> None:
    result = ended(LEAVE.format(code=code), capture_output=True)
    assert (result.returncode, result.stdout, result.stderr) == (code, "said", "")


PAIR = tuple(
    str(Path(__file__).parents[1] / "sample_data" / f"poster_{role}.png")
    for role in ("source", "target")
)

OBJECTS = """
import gc, os, sys
from align_cli.__main__ import main
os._exit = lambda code: sys.exit(code or f"{gc.get_count()[0]} {gc.get_threshold()[0]}")
sys.argv = ["imalign", *sys.argv[1:]]
main()
"""


def test_nobody_looks_for_garbage_in_a_short_run(tmp_path: Path) -> None:
    samples = Path(__file__).parents[1] / "sample_data"
    pair = [str(samples / f"poster_{role}.png") for role in ("source", "target")]
    command = [sys.executable, "-c", OBJECTS, "-q", *pair]
    result = subprocess.run(command, check=False, text=True, capture_output=True, cwd=tmp_path)
    objects, most = map(int, result.stderr.split())
    assert 10_000 < objects < most / 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_what_cannot_be_said_is_reported() -> None:
    with Path("/dev/full").open("w") as full:
        result = ended(LEAVE.format(code=0), stdout=full, stderr=subprocess.PIPE)
    assert result.returncode != 0
    assert "No space left" in result.stderr


def test_closed_streams_are_no_reason_to_fail() -> None:
    script = "import sys; sys.stdout = sys.stderr = None; " + LEAVE.format(code=4).replace(
        "sys.stdout.write('said'); ", ""
    )
    assert ended(script, capture_output=True).returncode == 4


def test_a_run_that_is_traced_ends_the_usual_way() -> None:
    script = (
        "import atexit, sys; atexit.register(print, 'the end'); "
        "sys.setprofile(lambda *_: None); from align_cli.__main__ import leave; leave(0)"
    )
    result = ended(script, capture_output=True)
    assert (result.returncode, result.stdout) == (0, "the end\n")


LOADING = """
import threading, time
from align_cli import __main__ as module
from align_cli.commands import run
done = []

def slowly():
    time.sleep(0.3)
    done.append(True)

def preload(arguments):
    thread = threading.Thread(target=slowly)
    thread.start()
    return thread

def told(arguments):
    print(bool(done))
    return 0

module.preload, run.run = preload, told
module.main()
"""


def test_nothing_is_imported_beside_libraries_that_are_being_loaded() -> None:
    command = [sys.executable, "-W", "error", "-c", LOADING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_the_codes_of_signals_are_those_of_the_commands() -> None:
    assert module.INTERRUPTED == ExitCode.INTERRUPTED
    assert module.TERMINATED == ExitCode.TERMINATED


WHILE_IMPORTED = """
import os, signal, sys
from align_cli import __main__ as module

# A shell that runs the tests in the background ignores Ctrl-C on their behalf.
signal.signal(signal.SIGINT, signal.default_int_handler)

def preload(arguments):
    os.kill(os.getpid(), int(sys.argv[1]))

module.preload = preload
sys.modules["click"] = type(sys)("click")  # as it is while it is imported
module.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="has other signals")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "Error: interrupted\n")],
)
def test_a_signal_may_come_while_the_command_is_imported(number: int, code: int, said: str) -> None:
    command = [sys.executable, "-W", "error", "-c", WHILE_IMPORTED, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("words", "stream", "code"),
    [
        (("-h",), "stdout", ExitCode.OUTPUT),
        (("--version",), "stdout", ExitCode.OUTPUT),
        (("doctor",), "stdout", ExitCode.OUTPUT),
        (PAIR, "stderr", ExitCode.OUTPUT),
        (("nowhere.png", "nowhere.png"), "stderr", ExitCode.INPUT),
        (("--nonsense",), "stderr", ExitCode.USAGE),
    ],
    ids=["help", "version", "doctor", "align", "input", "usage"],
)
def test_a_full_device_is_no_bug(
    words: tuple[str, ...], stream: str, code: int, unbuffered: str, tmp_path: Path
) -> None:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "align_cli", *words],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            check=False,
            text=True,
            cwd=tmp_path,
            **{**streams, stream: full},  # type: ignore[call-overload]
        )
    assert done.returncode == code
    if stream == "stdout":
        assert done.stderr.startswith("Error: stdout: No space left on device; check where")
        assert len(done.stderr.splitlines()) == 1
