"""The difference of two transforms, for ``imalign evaluate`` and ``imalign diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from align_cli.commands.exit_codes import ExitCode, InputFault, faults
from align_cli.commands.options import FiniteFloat
from align_cli.commands.outputs import LOOK_WHERE, to_stdout
from align_cli.transform_files import read_guess, read_transform

if TYPE_CHECKING:
    from align_cli.engine.result.transform import Transform

max_error_opt = click.option(
    "--max-error",
    type=FiniteFloat(min=0.0),
    metavar="PX",
    help="Exit with code 1 if the corner error exceeds this.",
)


def compare(
    first_path: str,
    second_path: str,
    *,
    size: tuple[int, int] | None,
    max_error: float | None,
    failed_too: bool = False,
) -> None:
    """Print the difference between two transforms as JSON; exit code 1 if it is too large.

    With ``failed_too`` the first may be that of a failed alignment, for which the exit code is
    always 1.
    """
    paths = f"{first_path} and {second_path}"
    with faults({"transforms": paths}):
        from align_cli.engine.result.difference import difference  # noqa: PLC0415  (help stays quick)
        from align_cli.files.documents import dumps  # noqa: PLC0415

        first, objection = (
            read_guess(first_path) if failed_too else (read_transform(first_path), None)
        )
        second = read_transform(second_path)
        _check_sizes(first_path, first, second_path, second)
        source_size = first.source_size or second.source_size or size
        target_size = first.target_size or second.target_size or size
        if source_size is None or target_size is None:
            neither = (
                f"{first_path} does not contain"
                if first_path == second_path
                else f"neither {first_path} nor {second_path} contains"
            )
            raise click.UsageError(f"{neither} the size of the images; give --size WxH")
        apart = difference(first, second, source_size=source_size, target_size=target_size)
        record = {
            "corner_error_px": apart.corner_error_px,
            "epe_mean_px": apart.epe_mean_px,
            "epe_max_px": apart.epe_max_px,
        }
        to_stdout(dumps(record), advice=LOOK_WHERE)
    if objection is not None and not objection.usable:
        click.echo(f"{first_path}: {objection.words}", err=True)
        raise SystemExit(ExitCode.NOT_ALIGNED)
    if max_error is not None and not apart.corner_error_px <= max_error:
        click.echo(
            f"{first_path}: the corner error of {apart.corner_error_px:.4g} px exceeds "
            f"--max-error {max_error:g}",
            err=True,
        )
        raise SystemExit(ExitCode.NOT_ALIGNED)


def _check_sizes(first_path: str, first: Transform, second_path: str, second: Transform) -> None:
    """Raise for two transforms between images of different sizes."""
    for role, one, other in (
        ("source", first.source_size, second.source_size),
        ("target", first.target_size, second.target_size),
    ):
        if one is not None and other is not None and one != other:
            raise InputFault(
                f"{first_path} and {second_path} are for images of different size: the {role} has "
                f"{one[0]}x{one[1]} px in the first, {other[0]}x{other[1]} px in the second; "
                "compare transforms of the same pair"
            )
