"""Runs a command line; exceptions become an exit code and a message of one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

import click

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.group import DEFAULT_COMMAND, cli
from align_cli.version import DISTRIBUTION

CV2_ADVICE = (
    "OpenCV cannot be loaded ({error}); install the system's libGL and glib "
    "(Debian: apt-get install libgl1 libglib2.0-0), or replace it by the variant that needs "
    "neither: pip uninstall -y opencv-python; pip install 'opencv-python-headless>=5.0'"
)


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
        _trace(arguments, error)
        _say(
            f"internal error (a bug in imalign): {type(error).__name__}: "
            f"{' '.join(str(error).split())}; please report it with the output of the same command "
            "and --debug"
        )
        return ExitCode.INTERNAL
    return code if isinstance(code, int) else ExitCode.ALIGNED


def _trace(arguments: Sequence[str], error: Exception) -> None:
    if "--debug" in arguments and sys.stderr is not None:
        sys.stderr.write(_traceback(error))


def _traceback(error: Exception) -> str:
    import traceback  # noqa: PLC0415  (only failures need it)

    return "".join(traceback.format_exception(error))


def _say(message: str) -> None:
    with contextlib.suppress(OSError):  # a stderr that is closed or full hears nothing
        click.echo(f"Error: {message}", err=True)
