"""``imalign evaluate TRANSFORM --truth PATH``: measure the error against the ground truth."""

from __future__ import annotations

import click

from align_cli.commands.comparing import compare, max_error_opt
from align_cli.commands.options import debug_opt, path_opt, size_opt, transform_arg

EPILOG = """\b
Examples:
  imalign evaluate a_aligned.json --truth truth.json
  imalign evaluate a_aligned.json --truth truth.txt --max-error 0.5 || exit 1

Exit codes: 1 the corner error exceeds --max-error, or TRANSFORM is from a failed alignment;
the others as for imalign SRC DST."""


@click.command(epilog=EPILOG)
@transform_arg
@path_opt(
    "--truth",
    "truth_path",
    required=True,
    help="True source_to_target transform, in any format that imalign convert reads.",
)
@size_opt
@max_error_opt
@debug_opt
def evaluate(
    transform_path: str,
    truth_path: str,
    size: tuple[int, int] | None,
    max_error: float | None,
) -> None:
    """Measure the error of a transform against the ground truth.

    Prints JSON: corner_error_px is the mean distance, in the target, between the four corners of
    the source mapped by the estimate and by the truth; epe_mean_px and epe_max_px are the mean and
    the largest end-point error: the distance, in the source, between the points that both map to
    the same target pixel.
    """
    compare(transform_path, truth_path, size=size, max_error=max_error, failed_too=True)
