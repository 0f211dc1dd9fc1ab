"""``imalign points TRANSFORM CSV``: map points, with their standard deviations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from align_cli.commands.exit_codes import InputFault, faults
from align_cli.commands.options import (
    debug_opt,
    inverse_opt,
    path_arg,
    path_opt,
    quiet_opt,
    transform_arg,
)
from align_cli.commands.outputs import STDOUT, refuse_inputs, say_written, to_stdout
from align_cli.commands.quoting import command_line
from align_cli.transform_files import read_transform

if TYPE_CHECKING:
    from align_cli.engine.result.transform import Transform
    from align_cli.files.point_lists import PointList

SIGMA = "sigma_px"

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
COORDINATES: Final = re.compile(rf"\s*({_NUMBER})\s*[,; ]\s*({_NUMBER})\s*", re.IGNORECASE)
"""Two numbers, as somebody types a point."""

EPILOG = """\b
Examples:
  imalign points scan_aligned.json landmarks.csv -o moved.csv
  imalign points scan_aligned.json --inverse moved.csv
  echo 10,20 | imalign points scan_aligned.json -"""


@click.command(epilog=EPILOG)
@transform_arg
@path_arg("csv_path", "CSV")
@path_opt(
    "-o",
    "--output",
    default=STDOUT,
    help="Output table; - is stdout.  [default: -]",
)
@inverse_opt
@click.option(
    "--columns",
    default="x,y",
    show_default=True,
    metavar="X,Y",
    help="Names of the coordinate columns.",
)
@quiet_opt
@debug_opt
def points(
    transform_path: str, csv_path: str, output: str, inverse: bool, columns: str, quiet: bool
) -> None:
    """Map the points of a CSV file from the source to the target.

    CSV is a file, or - for stdin. The columns x and y are replaced, all others are kept.
    Coordinates are in pixels; (0, 0) is the centre of the top-left pixel. If TRANSFORM has a
    covariance, a last column is added, sigma_px in a table with a header: the standard deviation of
    each mapped point, in pixels of the image it is mapped to.
    """
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise click.UsageError(f"--columns takes two names such as x,y, not {columns!r}")
    with faults({"transform": transform_path}):
        from align_cli.files.errors import STDIN  # noqa: PLC0415  (help stays quick)

        if transform_path == csv_path == STDIN:
            raise click.UsageError("TRANSFORM and CSV cannot both be stdin; name a file for one")
        _refuse_coordinates(csv_path, transform_path, inverse=inverse)
        transform = read_transform(transform_path)
        transform = transform.inverse() if inverse else transform

        from align_cli.files.atomic import write_bytes  # noqa: PLC0415
        from align_cli.files.point_lists import points_text, read_points  # noqa: PLC0415

        table = read_points(csv_path, names)
        moved = transform.map_points(table.points)
        _check_horizon(csv_path, table, transform)
        sigma = transform.sigma_px(table.points)
        text = points_text(table, moved, {} if sigma is None else {SIGMA: sigma})
        if output == STDOUT:
            to_stdout(text)
        else:
            refuse_inputs(output, [transform_path, csv_path])
            write_bytes(output, text.encode("utf-8"))
            if not quiet:
                say_written(output)
    if sigma is None and not quiet:
        there = SIGMA in (table.header or ())
        column = f"the column {SIGMA} is unchanged" if there else f"no column {SIGMA}"
        click.echo(f"{transform_path} has no covariance: {column}", err=True)


def _refuse_coordinates(path: str, transform: str, *, inverse: bool) -> None:
    """Raise for coordinates in place of the file that has them, with the line that maps them."""
    given = COORDINATES.fullmatch(path)
    if given is None or Path(path).exists():
        return
    step = "put them into a CSV file"
    if transform != STDOUT:
        options = ("--inverse",) if inverse else ()
        command = command_line(("points", transform, "-", *options))
        step = f"to map this point, echo {given[1]},{given[2]} | {command}"
    raise InputFault(f"{path}: there is no such file, and points are read from one; {step}")


def _check_horizon(path: str, table: PointList, transform: Transform) -> None:
    from align_cli.engine.result.transform import beyond_horizon  # noqa: PLC0415

    beyond = beyond_horizon(transform.source_to_target, table.points)
    for line, (x, y), lost in zip(table.lines, table.points, beyond, strict=True):
        if lost:
            raise InputFault(
                f"{path}: line {line}: ({x:g}, {y:g}) lies beyond the horizon of the transform and "
                "has no counterpart in the other image; remove the line"
            )
