"""Words as a shell reads them, for lines that are to be typed again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def command_line(arguments: Sequence[str]) -> str:
    """A command line that a shell reads as these arguments; one line, whatever they hold."""
    return " ".join(command_words(arguments))


def command_words(arguments: Sequence[str]) -> tuple[str, ...]:
    """The words of that line."""
    return tuple(map(quoted, ("imalign", *arguments))) if arguments else ()


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
