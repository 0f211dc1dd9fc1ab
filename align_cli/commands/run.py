"""Runs a command line; exceptions become an exit code and a message of one line."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

import click

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.group import DEFAULT_COMMAND, cli
from align_cli.version import DISTRIBUTION

CV2_ADVICE = (
    "OpenCV cannot be loaded ({error}); install the system's libGL and glib "
    "(Debian: apt-get install libgl1 libglib2.0-0), or replace it by the variant that needs "
    "neither: pip uninstall -y opencv-python; pip install 'opencv-python-headless>=5.0'"
)

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system says of a stream that takes no more, which is no fault of the program."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code. A traceback is shown only with ``--debug``."""
    stdout = sys.stdout
    try:
        code = cli.main(
            list(arguments), prog_name="imalign", standalone_mode=False, obj=tuple(arguments)
        )
    except click.ClickException as error:
        _trace(arguments, error)
        from align_cli.commands.usage_errors import command_of, with_advice  # noqa: PLC0415

        with _deaf():
            with_advice(error, command_of(arguments, cli, DEFAULT_COMMAND)).show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except SystemExit as end:
        # If the reader of the help closes stdout, click replaces stdout and exits with 1, the code
        # of a failed alignment.
        if sys.stdout is not stdout and end.code == ExitCode.NOT_ALIGNED:
            return ExitCode.READER_GONE
        raise
    except ImportError as error:
        _trace(arguments, error)
        from align_cli.native.library import CoreError  # noqa: PLC0415  (help loads no ctypes)

        if isinstance(error, CoreError):
            _say(str(error))
        elif "cv2" in (error.name or "") or "cv2" in _traceback(error):
            _say(CV2_ADVICE.format(error=error))
        else:
            advice = f"run pip install --force-reinstall {DISTRIBUTION}"
            _say(f"the installation is incomplete ({error}); {advice}")
        return ExitCode.INSTALLATION
    except Exception as error:
        return _unexpected(arguments, error)
    return code if isinstance(code, int) else ExitCode.ALIGNED


def _unexpected(arguments: Sequence[str], error: Exception) -> int:
    """Say what no command expects: a stream that takes no more, or a defect."""
    if _is_no_room(error):
        from align_cli.commands.outputs import LOOK_WHERE  # noqa: PLC0415  (help stays quick)

        _drop_unwritten()
        _trace(arguments, error)
        _say(f"stdout: {error.strerror}; {LOOK_WHERE}")
        return ExitCode.OUTPUT
    _trace(arguments, error)
    _say(
        f"internal error (a bug in imalign): {type(error).__name__}: "
        f"{' '.join(str(error).split())}; please report it with the output of the same command "
        "and --debug"
    )
    return ExitCode.INTERNAL


def _is_no_room(error: Exception) -> TypeGuard[OSError]:
    """Whether a stream could not be written: errors of files name them, or are faults by now."""
    return isinstance(error, OSError) and error.filename is None and error.errno in NO_ROOM


def _drop_unwritten() -> None:
    """Drop what a stream that cannot be written still holds: Python would fail at it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """For messages on stderr: one that is closed or full hears nothing."""
    try:
        yield
    except OSError:
        _drop_unwritten()


def _trace(arguments: Sequence[str], error: Exception) -> None:
    if "--debug" in arguments and sys.stderr is not None:
        with _deaf():
            sys.stderr.write(_traceback(error))
            sys.stderr.flush()


def _traceback(error: Exception) -> str:
    import traceback  # noqa: PLC0415  (only failures need it)

    return "".join(traceback.format_exception(error))


def _say(message: str) -> None:
    with _deaf():
        click.echo(f"Error: {message}", err=True)
