"""What to type after a command has done its work: one line that can be copied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from align_cli.commands.outputs import STDOUT
from align_cli.commands.quoting import command_line, quoted

if TYPE_CHECKING:
    from align_cli.engine.records import Outcome


def after_alignment(
    source: str, json: str | None, report: str | None, *, only_look: bool = False
) -> str:
    """What to do with a transform that can be used.

    Args:
        source: path of the source.
        json: path of the transform; "-" is stdout, None for none.
        report: path of the page, if one was written.
        only_look: whether there is an objection, so that nothing else is to be done with it.
    """
    if report is None:
        steps = [f"to look at it, add --report {_page(source)}"]
    else:
        steps = [f"to look at it, open {quoted(report)} in a browser"]
    if not only_look and json not in (None, STDOUT):
        steps.append(f"to resample another image, imalign apply {quoted(json or '')} IMAGE")
    return f"next: {'; '.join(steps)}"


def after_refusal(source: str, report: str | None) -> str:
    """How to see why there is no aligned image; empty where a page shows it already."""
    return f"to see why, add --report {_page(source)}" if report is None else ""


def after_check(
    transform: str, source: str, report: str | None, *, usable: bool, only_look: bool = False
) -> str:
    """The same for a transform from a file; the page is named after it, not after the source."""
    if transform == STDOUT:
        transform, json = source, None
    else:
        json = transform
    if not usable:
        return after_refusal(transform, report)
    return after_alignment(transform, json, report, only_look=only_look)


def with_names(outcome: Outcome, transform: str, source: str, target: str) -> Outcome:
    """The outcome of a check, its advice to solve as the command that does it.

    Args:
        outcome: of the check.
        transform: path of the transform; one from stdin cannot be read again.
        source: path of the source.
        target: path of the target.
    """
    from align_cli.engine.verdict.messages import SOLVE  # noqa: PLC0415  (help stays quick)

    init = "" if transform == STDOUT else f" (--init {quoted(transform)})"
    command = (
        f"run {command_line((source, target))} to estimate a transform, or to refine this one{init}"
    )
    return replace(
        outcome,
        sentence=outcome.sentence.replace(SOLVE, command),
        advice=outcome.advice.replace(SOLVE, command),
    )


def after_apply(transform: str, *, inverse: bool) -> str:
    """The same in Python; empty for a transform from stdin."""
    if transform == STDOUT:
        return ""
    way = ".inverse()" if inverse else ""
    return f"next: in Python, align_cli.load({transform!a}){way}.warp(image) does the same"


def _page(source: str) -> str:
    return quoted(f"{PurePath(source).stem}.html")
