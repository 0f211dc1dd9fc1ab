"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from align_cli.engine.options import CANVAS_NAMES, INTERPOLATION_NAMES, LIMIT_RANGES
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


def not_infinite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """Callback: refuse what is neither a finite number nor NaN with a usage error."""
    if math.isinf(value):
        raise click.BadParameter(f"{value} is not a finite number, nor nan.", ctx, param)
    return value


class FileName(click.Path):
    """A path; an empty one is a variable that a script forgot to set."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an empty name with a usage error; whether the file is there is asked later."""
        if value == "":
            self.fail("the name is empty.", param, ctx)
        return str(value)


def size_in_px(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Callback: turn a text such as 640x480 into (width, height), or fail with a usage error."""
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise click.BadParameter(f"{value!r} is not a size such as 640x480.", ctx, param)
    return int(width), int(height)


# No existence check by click: a missing input is exit code 3, not wrong usage.
source_arg = click.argument("source_path", metavar="SRC", type=FileName())
target_arg = click.argument("target_path", metavar="DST", type=FileName())
first_arg = click.argument("first_path", metavar="A", type=FileName())
second_arg = click.argument("second_path", metavar="B", type=FileName())
transform_arg = click.argument("transform_path", metavar="TRANSFORM", type=FileName())

inverse_opt = click.option("--inverse", is_flag=True, help="Go from the target to the source.")
size_opt = click.option(
    "--size",
    callback=size_in_px,
    metavar="WxH",
    help="Size of the target in pixels; needed where the transform's file does not say it.",
)
transform_output_opt = click.option(
    "-o",
    "--output",
    type=FileName(),
    default="-",
    metavar="PATH",
    help="Where to write the transform; its name decides the format, see imalign convert --help; "
    "- is stdout, as JSON.  [default: -]",
)

fill_opt = click.option(
    "--fill",
    type=float,
    callback=not_infinite,
    default=0.0,
    show_default=True,
    metavar="VALUE",
    help="Value where the source does not reach, in its own units; nan for floating-point images, "
    "the number of a colour where a palette is kept.",
)
interpolation_opt = click.option(
    "--interpolation",
    type=click.Choice(INTERPOLATION_NAMES),
    default="linear",
    show_default=True,
    help="How to resample; nearest for label images (a PNG keeps its palette), cubic is exact on "
    "ramps.",
)
canvas_opt = click.option(
    "--canvas",
    type=click.Choice(CANVAS_NAMES),
    default="target",
    show_default=True,
    help="What the output shows: the target's grid; all of the source; both; or the largest "
    "rectangle that both fill.",
)
valid_mask_opt = click.option(
    "--valid-mask",
    type=FileName(),
    metavar="PATH",
    help="Also write a picture, 255 where the source reaches and 0 where it does not.",
)
small_files_opt = click.option(
    "--small-files",
    is_flag=True,
    help="Compress PNG files as well as possible, which takes several times as long.",
)
metadata_opt = click.option(
    "--no-metadata",
    is_flag=True,
    help="Do not carry EXIF, GPS, ICC profile, XMP and resolution of the source over.",
)
quiet_opt = click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing but what fails, or is in doubt, and why."
)
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
