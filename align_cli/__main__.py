"""The entry point: runs the command line and turns what happened into an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.group import cli

CV2_ADVICE = (
    "OpenCV cannot be loaded ({error}); install the system's libGL and glib "
    "(Debian: apt-get install libgl1 libglib2.0-0), or put the variant that needs neither in "
    "its place: pip uninstall -y opencv-python; pip install 'opencv-python-headless>=5.0'"
)


def main() -> None:
    """Run the command that the shell asked for, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    # BLAS starts its threads when it is loaded, and they would spin before they sleep: a tenth of a
    # second of processor time, on the cores that read the pictures. They sleep at once (2^4 cycles).
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code. A traceback is shown only with ``--debug``."""
    try:
        code = cli.main(list(arguments), prog_name="imalign", standalone_mode=False)
    except click.ClickException as error:
        _trace(arguments)
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except ImportError as error:
        _trace(arguments)
        if "cv2" in (error.name or "") or "cv2" in "".join(traceback.format_exception(error)):
            _say(CV2_ADVICE.format(error=error))
        else:
            _say(f"the installation is incomplete ({error}); run pip install --force imalign")
        return ExitCode.INSTALLATION
    except Exception as error:
        _trace(arguments)
        _say(
            f"a defect of imalign: {type(error).__name__}: {' '.join(str(error).split())}; "
            "please report it with the output of the same command and --debug"
        )
        return ExitCode.INTERNAL
    return code if isinstance(code, int) else ExitCode.ALIGNED


def _trace(arguments: Sequence[str]) -> None:
    if "--debug" in arguments and sys.stderr is not None:
        traceback.print_exc()


def _say(message: str) -> None:
    with contextlib.suppress(OSError):  # a stderr that is closed or full hears nothing
        click.echo(f"Error: {message}", err=True)


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that temporary files are removed on the way out.
    raise SystemExit(ExitCode.TERMINATED)


if __name__ == "__main__":
    main()
