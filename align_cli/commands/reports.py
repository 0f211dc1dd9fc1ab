"""``--report``: what the command line adds to a page, and writing it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from align_cli.commands.options import path_opt
from align_cli.workers import begin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from align_cli.engine.result.alignment import Alignment
    from align_cli.files.images import Picture
    from align_cli.report.page.alignment import Residual

SUFFIXES: Final = (".html", ".htm")

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


def prepare_report(path: str | None) -> None:
    """Have a thread load what makes a report, if there will be one, while others are at work."""
    if path is not None:
        begin(_load)


def _load() -> None:
    import PIL.WebPImagePlugin  # noqa: F401, PLC0415  (help stays quick)

    import align_cli.report.page.alignment  # noqa: F401, PLC0415
    from align_cli.report.page.render import environment  # noqa: PLC0415

    environment()


def write_report(
    path: str | None,
    found: Alignment,
    source: Picture,
    target: Picture,
    *,
    residual: Residual,
    hint: str = "",
    checked: Sequence[str] = (),
    lossless: bool = False,
) -> list[str]:
    """Write the page, where it is wanted; returns the files written.

    Args:
        path: where to; None for nowhere.
        found: the alignment.
        source: its source.
        target: its target.
        residual: as for ``align_cli.commands.outputs.write_pictures``.
        hint: which options were not tried.
        checked: the file of the transform, if it was given and not estimated.
        lossless: whether every pixel is put in, without loss.
    """
    if path is None:
        return []
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415  (help stays quick)
    from align_cli.report.page.alignment import Told, alignment_page  # noqa: PLC0415
    from align_cli.report.page.provenance import (  # noqa: PLC0415
        image_file,
        other_file,
        provenance,
    )
    from align_cli.report.page.render import render  # noqa: PLC0415

    inputs = begin(
        lambda: (
            image_file("source", source),
            image_file("target", target),
            *(other_file("transform", each) for each in checked),
        )
    )
    command = command_line(click.get_current_context().obj or ())
    told = Told(
        found,
        source,
        target,
        residual=residual,
        hint=hint,
        checked=bool(checked),
        lossless=lossless,
        provenance=provenance(inputs.result(), command),
    )
    write_bytes(path, render(alignment_page(told)).encode("utf-8"))
    return [path]


def command_line(arguments: Sequence[str]) -> str:
    """A command line that a shell reads as these arguments; one line, whatever they hold."""
    return " ".join(map(quoted, ("imalign", *arguments))) if arguments else ""


def quoted(argument: str) -> str:
    """An argument as a shell reads it; what does not print is written as bash and zsh have it."""
    if argument.isprintable():
        return shlex.quote(argument)
    return "$'" + "".join(map(_escaped, argument)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character if character.isprintable() else ascii(character)[1:-1]
