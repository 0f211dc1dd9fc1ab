"""The entry point: prepares the process, runs the command line and ends the process.

What a short run spends beside its work matters here, and only here: none of this touches a process
that imports ``align_cli``.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import Final, NoReturn

from align_cli.preload import preload

# ``exit_codes`` has them too, but imports click, and a signal may come while that is half imported.
INTERRUPTED: Final = 130
TERMINATED: Final = 143


def main() -> NoReturn:
    """Run the command that the shell asked for, and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    _occupy_stderr()
    # 50,000 objects stay of the imports alone. To look for garbage among them takes 16 ms, a tenth
    # of a short run, each time.
    gc.set_threshold(300_000)
    # BLAS starts its threads when it is loaded, and they would spin before they sleep: a tenth of
    # a second of processor time, on the cores that read the pictures. 2^4 cycles are no time.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    try:
        loading = preload(sys.argv[1:])
        from align_cli.commands.run import run  # noqa: PLC0415  (what takes time begins after preload)

        if loading is not None:
            loading.join()
        code = run(sys.argv[1:])
    except SystemExit as end:
        # By ``leave`` too: to take the interpreter apart while libraries still have threads at work
        # would abort it.
        code = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:  # before ``run``, which knows of it, is there
        if sys.stderr is not None:
            sys.stderr.write("Error: interrupted\n")
        code = INTERRUPTED
    leave(code)


def _occupy_stderr() -> None:
    """Keep number 2 from the first file that is opened where the shell has closed stderr.

    Libraries write there as they please, and two threads open the pictures.
    """
    if sys.stderr is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)


def leave(code: int) -> NoReturn:
    """Exit once everything is written, without taking the interpreter apart.

    To free one by one what the system takes back at once is a twelfth of a short run. What cannot
    be flushed is left to the usual way out, which reports it; so is a run that is being traced.
    """
    if sys.gettrace() is None and sys.getprofile() is None:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            sys.exit(code)
        os._exit(code)
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that temporary files are removed on the way out.
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    main()
