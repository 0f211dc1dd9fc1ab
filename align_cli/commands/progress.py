"""The progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from align_cli.engine.records import LevelRecord

DELAY_SECONDS: Final = 0.5
"""Time before the bar is shown; most alignments take less."""


@contextmanager
def level_bar(*, hidden: bool) -> Iterator[Callable[[LevelRecord], None] | None]:
    """A bar on stderr that advances with every pyramid level; None if stderr is no terminal."""
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm  # noqa: PLC0415  (help stays quick)

    with tqdm(unit="level", delay=DELAY_SECONDS, leave=False, file=sys.stderr) as bar:

        def advance(record: LevelRecord) -> None:
            bar.total = bar.n + 1 + record.level
            bar.set_postfix_str(f"{record.width}x{record.height}")
            bar.update()

        yield advance
