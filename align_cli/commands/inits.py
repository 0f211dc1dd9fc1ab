"""``--init``: a name, numbers, or a file, in this order."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any

import click

from align_cli.commands.choices import did_you_mean
from align_cli.engine.options import INIT_NAMES

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from align_cli.engine.arrays import Matrix
    from align_cli.engine.geometry.coordinates import Size

_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+\.?")
_NUMBERS = re.compile(r"[-+0-9.eE\s]+(,[-+0-9.eE\s]+)+")
_MEANING = "dx,dy[,angle[,scale]]"


class Init(click.Path):
    """The name of a start, or ``dx,dy[,angle[,scale]]``, or a path, as given."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raise a usage error for invalid numbers, unknown words or an empty text."""
        text = str(value)
        if text == "":
            self.fail("the name is empty.", param, ctx)
        if text not in INIT_NAMES and _NUMBERS.fullmatch(text):
            try:
                _motion(text)
            except ValueError as error:
                self.fail(f"{text!r} is not {_MEANING}: {error}.", param, ctx)
        elif _meant_as_numbers(text) and not os.path.exists(text):  # noqa: PTH110
            self.fail(
                f"{text!r} is neither {_MEANING}, such as 40,-25 or 40,-25,90, nor a file.",
                param,
                ctx,
            )
        elif _meant_as_name(text) and not os.path.exists(text):  # noqa: PTH110
            self.fail(_no_name(text), param, ctx)
        return text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so; where none does, files."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  (only a shell asks)

        names = [CompletionItem(name) for name in INIT_NAMES if name.startswith(incomplete)]
        return names or super().shell_complete(ctx, param, incomplete)


def _meant_as_numbers(text: str) -> bool:
    """Whether a part between commas is a number, or all are empty."""
    words = [word.strip() for word in text.split(",")]
    return not any(words) or any(_NUMBER.fullmatch(word) for word in words)


def _meant_as_name(text: str) -> bool:
    """Whether a text is more likely a word than a file: those have a suffix or a folder."""
    return text not in INIT_NAMES and not any(mark in text for mark in (".", "/", os.sep))


def _no_name(text: str) -> str:
    return (
        f"{text!r} is neither a file nor one of {', '.join(INIT_NAMES)}, nor {_MEANING}, such as "
        f"40,-25.{did_you_mean(text, INIT_NAMES)}"
    )


def init_file(text: str) -> str | None:
    """The path; None if the text is a name or numbers.

    A file named like a start needs a folder before its name: ``./features``.
    """
    return None if text in INIT_NAMES or _NUMBERS.fullmatch(text) else text


def read_init(text: str, source_size: Size) -> str | Matrix:
    """A name, or the (3, 3) ``source_to_target`` of the text.

    Raises:
        UnreadableError: if it is a file without a transform.
    """
    if text in INIT_NAMES:
        return text
    path = init_file(text)
    if path is not None:
        from align_cli.files.transforms import read_transform  # noqa: PLC0415  (help stays quick)

        return read_transform(path)
    from align_cli.engine.geometry.models import about_centre  # noqa: PLC0415

    return about_centre(*_motion(text), source_size)


def _motion(text: str) -> tuple[tuple[float, float], float, float]:
    """Shift in pixels, angle in degrees, scale.

    Raises:
        ValueError: if the text is not two to four finite numbers, the last of them above 0.
    """
    words = text.split(",")
    if len(words) > 4:
        raise ValueError(f"{len(words)} numbers are too many (at most 4)")
    x, y, angle, scale = (*map(float, words), *(0.0, 1.0)[len(words) - 2 :])
    if not all(map(math.isfinite, (x, y, angle, scale))):
        raise ValueError("all numbers must be finite")
    if scale <= 0.0:
        raise ValueError("the scale must be positive")
    return (x, y), angle, scale
