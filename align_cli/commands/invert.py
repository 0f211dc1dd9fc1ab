"""``imalign invert TRANSFORM``: the inverse transform."""

from __future__ import annotations

import click

from align_cli.commands.exit_codes import faults
from align_cli.commands.options import debug_opt, transform_arg, transform_output_opt
from align_cli.commands.transform_outputs import to_opt, write_transform
from align_cli.transform_files import read_transform

EPILOG = """\b
Example: imalign invert scan_aligned.json -o back.json"""


@click.command(epilog=EPILOG)
@transform_arg
@transform_output_opt
@to_opt
@debug_opt
def invert(transform_path: str, output: str, to: str | None) -> None:
    """Invert a transform.

    Source and target are exchanged, together with their sizes. The covariance is propagated, in
    pixels of the new target. (apply and points have --inverse and need no inverted file.)
    """
    with faults({}):
        back = read_transform(transform_path).inverse()
        write_transform(output, back, inputs=(transform_path,), to=to)
