"""What click says of a command line that lacks something, with the line to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

WHAT: Final = {
    "SRC": "the image to align",
    "DST": "the image to align it to",
    "TRANSFORM": "a JSON of imalign, or a transform of another program",
    "IMAGE...": "the images to resample, or a folder",
    "CSV": "a table with the columns x and y; - is stdin",
    "OUT": "the file to write; its name selects the format",
    "A": "the first transform",
    "B": "the second transform",
}
"""What an argument stands for."""


def with_advice(error: click.ClickException, command: click.Command) -> click.ClickException:
    """The same error with what to type next, where click does not say it.

    Args:
        error: what a command line was refused for.
        command: the one that it names, where the error does not know it.
    """
    if isinstance(error, click.MissingParameter) and error.ctx is not None and error.param:
        return _missing(error.ctx, error.param)
    if isinstance(error, click.BadOptionUsage) and error.ctx is None:
        option = next((each for each in command.params if error.option_name in each.opts), None)
        if option is not None:
            need = f"{error.option_name} needs a value: {error.option_name} {_value(option)}"
            return click.UsageError(f"{need}; imalign {command.name} --help tells more")
    return error


def _missing(ctx: click.Context, param: click.Parameter) -> click.ClickException:
    pieces = ctx.command.collect_usage_pieces(ctx)[1:]  # without [OPTIONS]
    required = [
        f"{each.opts[-1]} {_value(each)}"
        for each in ctx.command.params
        if isinstance(each, click.Option) and each.required
    ]
    name = param.opts[-1] if isinstance(param, click.Option) else param.human_readable_name
    what = f", {WHAT[name]}" if name in WHAT else ""
    line = " ".join([ctx.command_path, *pieces, *required])
    return click.UsageError(f"{name} is missing{what}; type {line}", ctx)


def _value(option: click.Parameter) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar or option.type.name.upper()


def command_of(arguments: Sequence[str], group: click.Group, default: str) -> click.Command:
    """The command that a command line names."""
    first = arguments[0] if arguments else default
    return group.commands[first if first in group.commands else default]
