"""The entry point: prepares the process, then runs the command line."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from align_cli.preload import preload


def main() -> None:
    """Run the command that the shell asked for, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    # BLAS starts its threads when it is loaded, and they would spin before they sleep: a tenth of
    # a second of processor time, on the cores that read the pictures. 2^4 cycles are no time.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    preload(sys.argv[1:])
    from align_cli.commands.run import run  # noqa: PLC0415  (what takes time begins after preload)

    sys.exit(run(sys.argv[1:]))


def _terminate(number: int, frame: FrameType | None) -> None:
    from align_cli.commands.exit_codes import ExitCode  # noqa: PLC0415

    # As an exception, so that temporary files are removed on the way out.
    raise SystemExit(ExitCode.TERMINATED)


if __name__ == "__main__":
    main()
