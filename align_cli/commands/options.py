"""Arguments and options that several commands share, each declared once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from align_cli.commands.choices import Choice
from align_cli.engine.options import CANVAS_NAMES, INTERPOLATION_NAMES, LIMIT_RANGES
from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS

Given = TypeVar("Given")
Meant = TypeVar("Meant")
Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def meaning(
    of: Callable[[Given], Meant],
) -> Callable[[click.Context, click.Parameter, Given | None], Meant | None]:
    """A callback that converts the value of an option, if one was given.

    Args:
        of: the conversion; the text of its ``ValueError`` becomes a usage error.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Given | None) -> Meant | None:
        try:
            return None if value is None else of(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


def refuse_both(one: str, one_given: bool, other: str, other_given: bool) -> None:
    """Raise for two options that contradict each other.

    Raises:
        click.UsageError: if both are given.
    """
    if one_given and other_given:
        raise click.UsageError(f"{one} and {other} exclude each other; give only one of them")


class FiniteFloat(click.FloatRange):
    """A number within limits, neither infinite nor NaN, which satisfies any limit."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert a text to the number, or raise a usage error."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def limit_opt(name: str, metavar: str, exceeded: str) -> Decorator:
    """An option for a limit of the result; ``exceeded`` describes when the alignment fails."""
    least, most = LIMIT_RANGES[name.removeprefix("--").replace("-", "_")]
    return click.option(
        name,
        type=FiniteFloat(min=least, max=None if most == math.inf else most),
        metavar=metavar,
        help=f"Fail if {exceeded}.",
    )


def not_infinite(value: float) -> float:
    """Convert a text to a number, finite or NaN."""
    if math.isinf(value):
        raise ValueError(f"{value} is neither a finite number nor nan.")
    return value


class FileName(click.Path):
    """A path; an empty one is a variable that a script forgot to set."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raise a usage error for an empty name; whether the file exists is tested later."""
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

inverse_opt = click.option("--inverse", is_flag=True, help="Map from the target to the source.")
size_opt = click.option(
    "--size",
    callback=meaning(size_in_px),
    metavar="WxH",
    help="Size of the target in pixels; required if the transform's file does not contain it.",
)
transform_output_opt = path_opt(
    "-o",
    "--output",
    default="-",
    help="Output file; its name selects the format (see imalign convert --help); - is stdout, as "
    "JSON.  [default: -]",
)

fill_opt = click.option(
    "--fill",
    type=float,
    callback=meaning(not_infinite),
    default=0.0,
    show_default=True,
    metavar="VALUE",
    help="Value of pixels outside the source, in the image's own units; nan for floating-point "
    "images, a colour index for images that keep a palette.",
)
interpolation_opt = click.option(
    "--interpolation",
    type=Choice(INTERPOLATION_NAMES),
    default="linear",
    show_default=True,
    help="Resampling kernel; use nearest for label images (a PNG keeps its palette); cubic is "
    "exact on linear ramps.",
)
canvas_opt = click.option(
    "--canvas",
    type=Choice(CANVAS_NAMES),
    default="target",
    show_default=True,
    help="Extent of the output: the target's grid; all of the source; both; or the largest "
    "rectangle that both images cover.",
)
valid_mask_opt = path_opt(
    "--valid-mask",
    help="Also write a mask image (.png or .tif): 255 inside the source, 0 outside.",
)
small_files_opt = click.option(
    "--small-files",
    is_flag=True,
    help="Compress PNG files as far as possible, which takes several times as long.",
)
metadata_opt = click.option(
    "--no-metadata",
    is_flag=True,
    help="Do not copy EXIF, GPS, ICC profile, XMP and resolution from the source.",
)
quiet_opt = click.option(
    "-q", "--quiet", is_flag=True, help="Print only failures and doubtful results, with the reason."
)
error_legend_opt = path_opt(
    "--error-legend",
    help="The legend of the error map, as an image of its own.",
)
raw_error_opt = click.option(
    "--raw-error",
    is_flag=True,
    help="Error map before the correction of the illumination: warped SRC less DST as they are.",
)
displacement_map_opt = path_opt(
    "--displacement-map",
    help="Displacements that remain after alignment: an image with a cell and an arrow for each "
    "tile of DST (.png), or a table (.csv, .json, .npy). Also written if the alignment fails, to "
    "show where.",
)
accept_doubtful_opt = click.option(
    "--accept-doubtful",
    is_flag=True,
    help="Accept a doubtful result: write its images, and exit with code 0.",
)
accept_residual_opt = click.option(
    "--accept-residual",
    type=FiniteFloat(min=0.0),
    metavar="PX",
    help="Accept a residual displacement of up to PX pixels that a richer model would remove.  "
    "[default: 1]",
)
keep_fixed_pattern_opt = click.option(
    "--keep-fixed-pattern",
    is_flag=True,
    help="Use fixed patterns of the sensor (isolated pixels, 8x8 blocks, constant areas, "
    "captions) even if the scene moves.",
)
max_megapixels_opt = click.option(
    "--max-megapixels",
    type=FiniteFloat(min=0.0, min_open=True),
    default=DEFAULT_MAX_MEGAPIXELS,
    show_default=True,
    metavar="N",
    help="Reject larger images before decoding them. (No side may ever exceed 32766 px.)",
)
debug_opt = click.option(
    "--debug", is_flag=True, expose_value=False, help="Print the traceback of an error."
)
