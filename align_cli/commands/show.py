"""``imalign show TRANSFORM``: describe a transform in words."""

from __future__ import annotations

import click

from align_cli.commands.exit_codes import faults
from align_cli.commands.options import debug_opt, transform_arg
from align_cli.commands.outputs import LOOK_WHERE, to_stdout
from align_cli.transform_files import read_guess

EPILOG = """\b
Example: imalign show scan_aligned.json"""


@click.command(epilog=EPILOG)
@transform_arg
@debug_opt
def show(transform_path: str) -> None:
    """Describe a transform in words.

    Prints shift, angle, scale, shear, perspective and standard deviation. They refer to the centre
    of the source, or to pixel (0, 0) if the size of the source is unknown.
    """
    with faults({}):
        transform, objection = read_guess(transform_path)

        from align_cli.report.summary import transform_in_words  # noqa: PLC0415
    lines = [transform_in_words(transform)]
    if objection is not None:
        verdict, _, why = objection.words.partition(":")
        lines.append(f"{verdict.upper()}:{why}")
    to_stdout("\n".join(lines) + "\n", advice=LOOK_WHERE)
