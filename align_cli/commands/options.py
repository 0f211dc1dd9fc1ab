"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from align_cli.engine.options import CANVAS_NAMES, INTERPOLATION_NAMES, LIMIT_RANGES
from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS

Given = TypeVar("Given")
Meant = TypeVar("Meant")
Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def meaning(
    of: Callable[[Given], Meant],
) -> Callable[[click.Context, click.Parameter, Given | None], Meant | None]:
    """A callback that puts what is meant in place of what was given, if anything was.

    Args:
        of: says what is meant; the text of its ``ValueError`` becomes a usage error.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Given | None) -> Meant | None:
        try:
            return None if value is None else of(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


def refuse_both(one: str, one_given: bool, other: str, other_given: bool) -> None:
    """Refuse two options that contradict each other.

    Raises:
        click.UsageError: if both are given.
    """
    if one_given and other_given:
        raise click.UsageError(f"{one} and {other} contradict each other; give one of them")


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


def limit_opt(name: str, metavar: str, exceeded: str) -> Decorator:
    """An option that sets a limit to the result: ``exceeded`` says when SRC has failed."""
    least, most = LIMIT_RANGES[name.removeprefix("--").replace("-", "_")]
    return click.option(
        name,
        type=FiniteFloat(min=least, max=None if most == math.inf else most),
        metavar=metavar,
        help=f"SRC has failed if {exceeded}.",
    )


def not_infinite(value: float) -> float:
    """The number, if it is a finite one or NaN."""
    if math.isinf(value):
        raise ValueError(f"{value} is not a finite number, nor nan.")
    return value


class FileName(click.Path):
    """A path; an empty one is a variable that a script forgot to set."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse an empty name with a usage error; whether the file is there is asked later."""
        if value == "":
            self.fail("the name is empty.", param, ctx)
        return str(value)


def path_arg(name: str, metavar: str, **attributes: Any) -> Decorator:
    """An argument that names a file."""
    # No existence check by click: a missing input is exit code 3, not wrong usage.
    return click.argument(name, metavar=metavar, type=FileName(), **attributes)


def path_opt(*names: str, **attributes: Any) -> Decorator:
    """An option that names a file."""
    return click.option(*names, metavar="PATH", type=FileName(), **attributes)


def size_in_px(text: str) -> tuple[int, int]:
    """(width, height), of a text such as 640x480."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError(f"{text!r} is not a size such as 640x480.")
    return int(width), int(height)


source_arg = path_arg("source_path", "SRC")
target_arg = path_arg("target_path", "DST")
first_arg = path_arg("first_path", "A")
second_arg = path_arg("second_path", "B")
transform_arg = path_arg("transform_path", "TRANSFORM")

inverse_opt = click.option("--inverse", is_flag=True, help="Go from the target to the source.")
size_opt = click.option(
    "--size",
    callback=meaning(size_in_px),
    metavar="WxH",
    help="Size of the target in pixels; needed where the transform's file does not say it.",
)
transform_output_opt = path_opt(
    "-o",
    "--output",
    default="-",
    help="Where to write the transform; its name decides the format, see imalign convert --help; "
    "- is stdout, as JSON.  [default: -]",
)

fill_opt = click.option(
    "--fill",
    type=float,
    callback=meaning(not_infinite),
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
valid_mask_opt = path_opt(
    "--valid-mask",
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
displacement_map_opt = path_opt(
    "--displacement-map",
    help="Where the images still differ in place, and by how much: a picture with a cell and an "
    "arrow for each tile of DST (.png), or the numbers (.csv, .json, .npy). Also written where "
    "SRC is not aligned: it shows why.",
)
accept_doubtful_opt = click.option(
    "--accept-doubtful",
    is_flag=True,
    help="Take a doubtful result too: write its pictures, and exit with 0.",
)
accept_residual_opt = click.option(
    "--accept-residual",
    type=FiniteFloat(min=0.0),
    metavar="PX",
    help="Accept that a richer model would still move something by so many pixels.  [default: 1]",
)
keep_fixed_pattern_opt = click.option(
    "--keep-fixed-pattern",
    is_flag=True,
    help="Let what stays with the sensor (isolated pixels, 8x8 blocks, constant areas, captions) "
    "take part although the scene moves.",
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
