"""``imalign convert TRANSFORM OUT``: write a transform in the format of another program."""

from __future__ import annotations

import click

from align_cli.commands.exit_codes import faults
from align_cli.commands.options import debug_opt, path_arg, size_opt, transform_arg
from align_cli.commands.transform_outputs import FORMATS_HELP, to_opt, write_transform
from align_cli.transform_files import read_transform, with_size

EPILOG = f"""\b
Examples:
  imalign convert scan_aligned.json scan.tfm
  imalign convert --to elastix scan_aligned.json -
  imalign convert TransformParameters.0.txt scan.json --size 640x480

\b
{FORMATS_HELP}

The format of TRANSFORM is detected from its content. Recipes for cv2, scikit-image, kornia, ITK
and GDAL are in docs/conventions.md."""


@click.command(epilog=EPILOG)
@transform_arg
@path_arg("output", "OUT")
@size_opt
@to_opt
@debug_opt
def convert(transform_path: str, output: str, size: tuple[int, int] | None, to: str | None) -> None:
    """Write a transform in the format of another program.

    The name OUT selects the format, unless --to is given; - is stdout. Each program's convention is
    followed: ITK and elastix map target pixels to source pixels, GDAL counts from the corner of a
    pixel.
    """
    with faults({}):
        transform = with_size(read_transform(transform_path), size)
        write_transform(output, transform, inputs=(transform_path,), to=to)
