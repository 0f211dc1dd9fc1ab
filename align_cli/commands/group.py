"""The ``imalign`` group: ``imalign SRC DST`` means ``imalign align SRC DST``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, MutableMapping
from importlib import import_module
from typing import TYPE_CHECKING

import click

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.first_help import WHAT_TO_TYPE, first_help
from align_cli.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = (
    "align",
    "apply",
    "check",
    "compose",
    "convert",
    "diff",
    "doctor",
    "evaluate",
    "invert",
    "points",
    "selftest",
    "show",
)
"""The commands, each a function in a module of the same name."""

DEFAULT_COMMAND = "align"


class Commands(MutableMapping[str, click.Command]):
    """The commands by name; a module is loaded when it is needed."""

    def __init__(self) -> None:
        self._others: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name in COMMANDS:
            command: click.Command = getattr(import_module(f"align_cli.commands.{name}"), name)
            return command
        return self._others[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._others[name] = command

    def __delitem__(self, name: str) -> None:
        del self._others[name]

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS or name in self._others

    def __iter__(self) -> Iterator[str]:
        return iter([*COMMANDS, *self._others])

    def __len__(self) -> int:
        return len(COMMANDS) + len(self._others)


class GroupWithDefault(click.Group):
    """Shows what most people need of the default command, and runs it where no command is named.

    A group that takes anything that is not one of its commands as arguments of ``align``.

    A file named like a command is shadowed by it: write ``./selftest``, or ``align selftest x``.
    """

    def get_help(self, ctx: click.Context) -> str:
        """Return what most people need; ``imalign align --help`` has every option."""
        return first_help(self.commands[DEFAULT_COMMAND], [*self.commands]).rstrip("\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where no command is named.

        Where there is no word at all, say what to type.
        """
        if not args and not ctx.resilient_parsing:
            click.echo(WHAT_TO_TYPE, err=True, nl=False)
            ctx.exit(ExitCode.USAGE)
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            if not ctx.resilient_parsing:  # while a shell completes a word, it may be half a name
                self._refuse_mistyped(ctx, args[0], own)
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What a first word may be: a command, an option of the default command, or a file."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  (only a shell asks)

        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            default = self.commands[DEFAULT_COMMAND]
            known = {item.value for item in found}
            others = default.shell_complete(click.Context(default, parent=ctx), incomplete)
            return found + [item for item in others if item.value not in known]
        return found or [CompletionItem(incomplete, type="file")]

    def _refuse_mistyped(self, ctx: click.Context, word: str, own: Collection[str]) -> None:
        """Fail where a word is no file, and nearly a command or one of the group's ``own`` options.

        Files have a suffix or a folder before their names, nearly all of them: about those the
        command that reads them knows more to say.
        """
        if not word.isalpha() or os.path.exists(word):  # noqa: PTH110
            return
        from difflib import get_close_matches  # noqa: PLC0415  (only a mistake needs it)

        near = get_close_matches(word.lower(), [*self.commands, *sorted(own)], n=1)
        if near:
            raise click.UsageError(
                f"there is no command or file {word!r}; did you mean imalign {near[0]}?",
                ctx,
            )


@click.group(
    cls=GroupWithDefault,
    commands=Commands(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="SRC DST [OPTIONS] | COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="imalign")
def cli() -> None:
    """Align one image to another."""
