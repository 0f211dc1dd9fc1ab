"""``imalign diff A B``: measure the difference between two transforms."""

from __future__ import annotations

import click

from align_cli.commands.comparing import compare, max_error_opt
from align_cli.commands.options import debug_opt, first_arg, second_arg, size_opt

EPILOG = """\b
Example: imalign diff before.json after.json --max-error 0.01

Exit codes: 1 the corner error exceeds --max-error; the others as for imalign SRC DST."""


@click.command(epilog=EPILOG)
@first_arg
@second_arg
@size_opt
@max_error_opt
@debug_opt
def diff(
    first_path: str, second_path: str, size: tuple[int, int] | None, max_error: float | None
) -> None:
    """Measure the difference between two transforms.

    The measures, as JSON on stdout, are those of imalign evaluate; neither transform is taken as
    the ground truth.
    """
    compare(first_path, second_path, size=size, max_error=max_error)
