"""Exit codes, and the mapping of exceptions to them."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click


class ExitCode(enum.IntEnum):
    """The exit codes. The texts are printed by ``--help``."""

    ALIGNED = 0
    NOT_ALIGNED = 1
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    INSTALLATION = 5
    INTERNAL = 70
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


MEANINGS = {
    ExitCode.ALIGNED: "aligned (or doubtful, with --accept-doubtful)",
    ExitCode.NOT_ALIGNED: "not aligned, doubtful, or more changed than --max-changed",
    ExitCode.USAGE: "usage error",
    ExitCode.INPUT: "an input cannot be read or used",
    ExitCode.OUTPUT: "an output cannot be written",
    ExitCode.INSTALLATION: "the installation is incomplete",
    ExitCode.INTERNAL: "internal error (a bug in imalign)",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.READER_GONE: "the reader of stdout closed the pipe",
    ExitCode.TERMINATED: "terminated",
}


class InputFault(click.ClickException):
    """An input cannot be read or used; the message is one line."""

    exit_code = ExitCode.INPUT


class OutputFault(click.ClickException):
    """An output cannot be written; the message is one line."""

    exit_code = ExitCode.OUTPUT


@contextmanager
def faults(paths: Mapping[str, str]) -> Iterator[None]:
    """Turn the exceptions of ``files`` and ``engine`` into faults.

    Args:
        paths: the file of each role ("source", "target", "init"), for the message.
    """
    from align_cli.engine.errors import ImageError  # noqa: PLC0415  (help stays quick)
    from align_cli.files.errors import UnknownNameError, UnreadableError, UnwritableError  # noqa: PLC0415

    try:
        yield
    except UnreadableError as error:
        raise InputFault(str(error)) from error
    except UnknownNameError as error:
        raise click.UsageError(str(error)) from error
    except UnwritableError as error:
        raise OutputFault(str(error)) from error
    except ImageError as error:
        raise InputFault(f"{paths.get(error.role, error.role)}: {error.cause}") from error
    except MemoryError as error:
        raise InputFault("the images do not fit into memory; align reduced copies") from error
