"""``--threads``: how many threads the command uses, its own and OpenCV's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

threads_opt = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of threads; results do not depend on it.  [default: one for each core, at most 4]",
)


@contextmanager
def on_threads(count: int | None) -> Iterator[None]:
    """Use so many threads for what is done inside; None for the defaults."""
    if count is None:
        yield
        return
    import cv2  # noqa: PLC0415  (help stays quick)

    from align_cli.engine.numerics.threads import at_most  # noqa: PLC0415
    from align_cli.workers import available_cores  # noqa: PLC0415

    # OpenCV's pool is shared by the whole process, which may go on after the command: in a test.
    before = cv2.getNumThreads()
    cv2.setNumThreads(min(count, available_cores()))  # it starts as many as it is told to
    try:
        with at_most(count):
            yield
    finally:
        cv2.setNumThreads(before)
