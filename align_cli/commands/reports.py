"""``--report``: what the command line adds to a page, and writing it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from align_cli.commands.options import path_opt
from align_cli.commands.quoting import command_words
from align_cli.report.page import SUFFIXES
from align_cli.workers import begin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from align_cli.engine.result.alignment import Alignment
    from align_cli.files.images import Picture
    from align_cli.report.page.alignment import Ahead, Residual

report_opt = path_opt(
    "--report",
    help="A page to look at, one .html file that needs nothing else: both images under a divider, "
    "blinking, their difference; the verdict and the numbers in words. Also written if the "
    "alignment fails.",
)
report_lossless_opt = click.option(
    "--report-lossless",
    is_flag=True,
    help="Put every pixel into the report, without loss; the file may be thirty times as large.",
)


def check_report(path: str | None, *, lossless: bool) -> None:
    """Refuse a name that is not that of a page, and an option without its page.

    Raises:
        click.UsageError: saying what to type.
    """
    if path is None:
        if lossless:
            raise click.UsageError("--report-lossless needs --report PATH.html")
        return
    if Path(path).suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--report {path}: the report is a page; give it a name in .html")


class Report:
    """A report in the making: its parts are begun, on threads, as soon as what they need is known.

    Args:
        path: where it is written to; None where none is wanted.
        source: the source.
        target: the target.
        checked: the file of the transform, if it was given and is not estimated.
        lossless: whether every pixel is put in, without loss.
    """

    def __init__(
        self,
        path: str | None,
        source: Picture,
        target: Picture,
        *,
        checked: Sequence[str] = (),
        lossless: bool = False,
    ) -> None:
        self._path = path
        self._pair = source, target
        self._checked, self._lossless = bool(checked), lossless
        if path is not None:
            self._ahead = begin(partial(_ahead, source, target, checked, lossless=lossless))

    def lay(self, found: Alignment, residual: Residual) -> None:
        """Begin to lay the source on the target.

        ``residual`` is as for ``align_cli.commands.outputs.write_pictures``.
        """
        if self._path is None:
            return
        from align_cli.report.page.alignment import laid  # noqa: PLC0415  (help stays quick)

        # Only now: it is all Python, which would make the alignment wait.
        self._templates = begin(_load_templates)
        lay = partial(laid, *self._pair, found, residual, checked=self._checked)
        self._laid = begin(partial(lay, lossless=self._lossless))

    def write(self, found: Alignment, hint: str = "", objection: str = "") -> list[str]:
        """Write the page; returns the files written.

        Args:
            found: the alignment that was laid, and by now what changed.
            hint: which options were not tried.
            objection: why a limit on what changed is not met.
        """
        if self._path is None:
            return []
        from align_cli.files.atomic import write_bytes  # noqa: PLC0415  (help stays quick)
        from align_cli.report.page.alignment import Told, alignment_page  # noqa: PLC0415
        from align_cli.report.page.render import render  # noqa: PLC0415

        self._templates.result()
        told = Told(
            found,
            *self._pair,
            ahead=self._ahead.result(),
            laid=self._laid.result(),
            checked=self._checked,
            lossless=self._lossless,
            hint=hint,
            objection=objection,
            command=command_words(click.get_current_context().obj or ()),
        )
        write_bytes(self._path, render(alignment_page(told)).encode("utf-8"))
        return [self._path]


def _load_templates() -> None:
    from align_cli.report.page.render import environment  # noqa: PLC0415  (help stays quick)

    environment()


def _ahead(source: Picture, target: Picture, checked: Sequence[str], *, lossless: bool) -> Ahead:
    from align_cli.report.page.alignment import ahead  # noqa: PLC0415  (help stays quick)
    from align_cli.report.page.provenance import image_file, other_file  # noqa: PLC0415

    inputs = (
        image_file("source", source),
        image_file("target", target),
        *(other_file("transform", each) for each in checked),
    )
    return ahead(source, target, inputs, lossless=lossless)
