"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

import click

from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS

# No existence check by click: a missing input is exit code 3, not wrong usage.
source_arg = click.argument("source_path", metavar="SRC", type=click.Path(allow_dash=False))
target_arg = click.argument("target_path", metavar="DST", type=click.Path(allow_dash=False))

max_megapixels_opt = click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0.0, min_open=True),
    default=DEFAULT_MAX_MEGAPIXELS,
    show_default=True,
    metavar="N",
    help="Refuse larger inputs before decoding them.",
)
debug_opt = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show a traceback after a failure."
)
