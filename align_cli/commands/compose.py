"""``imalign compose A B``: compose two transforms, A first."""

from __future__ import annotations

import click

from align_cli.commands.exit_codes import faults
from align_cli.commands.options import debug_opt, first_arg, second_arg, transform_output_opt
from align_cli.commands.transform_outputs import to_opt, write_transform
from align_cli.transform_files import read_transform

EPILOG = """\b
Examples:
  imalign compose part_to_whole.json whole_to_map.json -o part_to_map.json
  imalign compose a_to_b.json b_to_c.json | jq .source_to_target"""


@click.command(epilog=EPILOG)
@first_arg
@second_arg
@transform_output_opt
@to_opt
@debug_opt
def compose(first_path: str, second_path: str, output: str, to: str | None) -> None:
    """Compose two transforms: A first, then B.

    A maps image 1 to image 2, B maps image 2 to image 3; the result maps image 1 to image 3, so
    that image 1 is resampled only once. If both have a covariance, so has the result: their errors
    are assumed independent, which those of a transform and its own inverse are not.
    """
    with faults({"transforms": f"{first_path} and {second_path}"}):
        first, second = read_transform(first_path), read_transform(second_path)
        write_transform(output, first.then(second), inputs=(first_path, second_path), to=to)
