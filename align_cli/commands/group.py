"""The ``imalign`` group: ``imalign SRC DST`` means ``imalign align SRC DST``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, MutableMapping
from importlib import import_module

import click

from align_cli.commands.exit_codes import MEANINGS
from align_cli.version import __version__

COMMANDS = (
    "align",
    "apply",
    "check",
    "compose",
    "convert",
    "diff",
    "evaluate",
    "invert",
    "points",
    "selftest",
    "show",
)
"""Each in a module of its own name, in a function of that name."""

DEFAULT_COMMAND = "align"

HELP = """Align the image SRC to the image DST with sub-pixel accuracy.

"imalign SRC DST" is short for "imalign align SRC DST".

\b
Example: imalign scan.png original.png
writes   scan_aligned.png        the source on the target's grid
         scan_aligned.json       the transform, its quality, diagnostics
         scan_aligned_error.png  a heat map of the residual
"""

EXIT_CODES = "Exit codes: " + "; ".join(f"{code:d} {text}" for code, text in MEANINGS.items())


class Commands(MutableMapping[str, click.Command]):
    """The commands by name; the module of one is loaded when it is asked for."""

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
    """Shows the default command's options as its own, and runs it where no command is named.

    A group that takes anything that is not one of its commands as arguments of ``align``.

    A file named like a command is shadowed by it: write ``./selftest``, or ``align selftest x``.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of ``imalign SRC DST`` above the group's own and its commands."""
        default = self.commands[DEFAULT_COMMAND]
        records = [
            param.get_help_record(ctx)
            for param in default.get_params(ctx)
            if isinstance(param, click.Option)
        ]
        own = {name for option in self.get_params(ctx) for name in option.opts}
        with formatter.section("Options of imalign SRC DST"):
            formatter.write_dl(
                [r for r in records if r is not None and r[0].split(",")[0] not in own]
            )
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front where no command is named."""
        own = {name for option in self.get_params(ctx) for name in option.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            self._refuse_mistyped(ctx, args[0], own)
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

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
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES + ".",
    subcommand_metavar="SRC DST [OPTIONS] | COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="imalign")
def cli() -> None:
    """Align one image to another."""
