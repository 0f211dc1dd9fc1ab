"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from align_cli.engine.options import LIMIT_RANGES
from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS


class FiniteFloat(click.FloatRange):
    """A number, within limits, that is neither infinite nor NaN (which no limit keeps out)."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn text into the number, or fail with a usage error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def limit_opt(
    name: str, metavar: str, exceeded: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that sets a limit to the result: ``exceeded`` says when SRC has failed."""
    least, most = LIMIT_RANGES[name.removeprefix("--").replace("-", "_")]
    return click.option(
        name,
        type=FiniteFloat(min=least, max=None if most == math.inf else most),
        metavar=metavar,
        help=f"SRC has failed if {exceeded}.",
    )


def finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """Callback: refuse what is no number with a usage error."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.", ctx, param)
    return value


class FileName(click.Path):
    """A path; an empty one is a variable that a script forgot to set."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an empty name with a usage error; whether the file is there is asked later."""
        if value == "":
            self.fail("the name is empty.", param, ctx)
        return str(value)


# No existence check by click: a missing input is exit code 3, not wrong usage.
source_arg = click.argument("source_path", metavar="SRC", type=FileName())
target_arg = click.argument("target_path", metavar="DST", type=FileName())

max_megapixels_opt = click.option(
    "--max-megapixels",
    type=FiniteFloat(min=0.0, min_open=True),
    default=DEFAULT_MAX_MEGAPIXELS,
    show_default=True,
    metavar="N",
    help="Refuse larger inputs before decoding them. (No side may exceed 32766 px in any case.)",
)
debug_opt = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show a traceback after a failure."
)
