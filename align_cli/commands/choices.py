"""A value that is one of a few names; one that is mistyped is answered with the nearest of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # which takes no type before click 8.2


class Choice(_Choice):
    """``click.Choice``, whose error also names the choice that was probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the choice, or raise a usage error."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            meant = did_you_mean(str(value), self.choices)
            raise click.BadParameter(f"{error.message}{meant}", ctx, param) from error


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The name that is most like a word, as a question after a sentence; empty if none is."""
    from difflib import get_close_matches  # noqa: PLC0415  (only a mistake needs it)

    near = get_close_matches(word.lower(), list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
