"""Writes a transform to a file or to stdout, in the requested format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from align_cli.commands.choices import Choice
from align_cli.commands.outputs import STDOUT, refuse_inputs, say_written, to_stdout
from align_cli.transform_files import transform_text

if TYPE_CHECKING:
    from align_cli.engine.result.transform import Transform

# The registry is align_cli.files.transforms.FORMATS, which loads numpy; a test keeps them equal.
FORMAT_NAMES: Final = ("json", "opencv", "itk", "elastix", "gcp", "text")

FORMATS_HELP: Final = """Formats:
  json     *.json                    both directions, sizes and covariance
  opencv   *.yml *.yaml *.xml        cv2.FileStorage, YAML or XML
  itk      *.tfm                     ITK's text file, for sitk.ReadTransform
  elastix  TransformParameters*.txt  elastix' parameter file, for transformix
  gcp      *.gcp                     control points for gdal_translate --optfile
  text     *.txt                     the 3x3 source_to_target, three numbers to a line"""

to_opt = click.option(
    "--to",
    type=Choice(FORMAT_NAMES),
    help="Format of the transform, whatever the name of the file.",
)


def write_transform(
    path: str, transform: Transform, *, inputs: Sequence[str], to: str | None
) -> None:
    """Write a transform to a file, atomically, and say so; or to stdout.

    Raises:
        click.UsageError: if the file is one of the inputs.
        UnwritableError: if its format is unknown or cannot represent it, or writing fails.
    """
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415  (help stays quick)

    if path == STDOUT:
        to_stdout(transform_text(path, transform, to or "json"))
        return
    refuse_inputs(path, inputs)
    write_bytes(path, transform_text(path, transform, to).encode("utf-8"))
    say_written(path)
