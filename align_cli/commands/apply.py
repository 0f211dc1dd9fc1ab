"""``imalign apply TRANSFORM IMAGE...``: resample further images with an existing transform."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from align_cli.commands.exit_codes import InputFault, OutputFault, faults
from align_cli.commands.next_steps import after_apply
from align_cli.commands.options import (
    canvas_opt,
    debug_opt,
    fill_opt,
    interpolation_opt,
    inverse_opt,
    max_megapixels_opt,
    metadata_opt,
    path_arg,
    path_opt,
    quiet_opt,
    size_opt,
    small_files_opt,
    transform_arg,
    valid_mask_opt,
)
from align_cli.commands.outputs import (
    APPLIED,
    STDOUT,
    View,
    canvas_in_words,
    check_files,
    check_fill,
    check_mask_name,
    not_carried,
    results_among,
    to_stdout,
    warped_picture,
)
from align_cli.commands.pages import page_opt
from align_cli.transform_files import read_transform, transform_text

if TYPE_CHECKING:
    from align_cli.engine.result.transform import Transform
    from align_cli.files.images import Picture

MOST_NAMED = 10
"""Of the files that were left out."""

EPILOG = """\b
Examples:
  imalign apply scan_aligned.json infrared.tif
  imalign apply scan_aligned.json --interpolation nearest labels.png -o out.png
  imalign apply scan_aligned.json frames/ -o aligned/
  imalign apply scan_aligned.json --inverse original.png

Exit codes as for imalign SRC DST. If some of several images fail, the others are still written, and
the exit code is that of the first failure."""


@click.command(epilog=EPILOG)
@transform_arg
@path_arg("image_paths", "IMAGE...", nargs=-1, required=True)
@path_opt(
    "-o",
    "--output",
    help="Output file; or, for several images, an output folder, in which they keep their names "
    "(.png instead of .jpg).  [default: <IMAGE stem>_applied.png in the current folder, or .tif if "
    "the dtype requires it]",
)
@page_opt
@inverse_opt
@interpolation_opt
@canvas_opt
@valid_mask_opt
@fill_opt
@metadata_opt
@size_opt
@click.option(
    "--rescale",
    is_flag=True,
    help="The transform was estimated on resized copies: scale it to the size of IMAGE, and the "
    "target likewise, or to --size.",
)
@path_opt(
    "--json",
    "json_path",
    help="Also write the transform from IMAGE to the pixels of the output, including the canvas "
    "offset; - is stdout.",
)
@small_files_opt
@max_megapixels_opt
@quiet_opt
@debug_opt
def apply(transform_path: str, image_paths: tuple[str, ...], **options: Any) -> None:
    """Resample images with an existing transform.

    Each IMAGE has the source's pixel grid: the source itself (the output is then byte for byte that
    of align), its other channels, labels, masks, or further images of a fixed camera. A folder
    stands for all images in it, except those named as results of another: x_applied, x_aligned and
    x_aligned_error beside x.

    TRANSFORM is a JSON written by imalign, or any other format that imalign convert reads.
    """
    # One object, because it is passed on as a whole.
    asked = Asked(transform_path=transform_path, **options)
    names = {"transform": transform_path, "canvas": transform_path}
    with faults(names):
        if asked.valid_mask is not None:
            check_mask_name(asked.valid_mask)
        transform = read_transform(transform_path)
    transform = transform.inverse() if asked.inverse else transform
    images, left_out = _expanded(image_paths)
    folder = _output_folder(asked.output, image_paths)
    inputs = [transform_path, *images]
    if left_out and not asked.quiet:
        more = len(left_out) - MOST_NAMED
        some = ", ".join(left_out[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        click.echo(f"skipped as earlier results: {some}", err=True)
    written: dict[str, str] = {}
    failure: click.ClickException | None = None
    for path in images:
        try:
            with faults({**names, "image": path}):
                _apply_to(path, transform, asked, folder=folder, inputs=inputs, written=written)
        except click.ClickException as error:
            if len(images) == 1:
                raise
            failure = failure or error
            click.echo(f"Error: {error.format_message()}", err=True)
    if failure is not None:
        done = len(set(written.values()))
        click.echo(f"{done} of {len(images)} images written", err=True)
        raise SystemExit(failure.exit_code)
    if not (asked.quiet or asked.rescale):
        step = after_apply(transform_path, inverse=asked.inverse)
        click.echo(step, err=True, nl=bool(step))


@dataclass(frozen=True)
class Asked:
    """The options of ``apply``."""

    transform_path: str
    output: str | None
    page: int | None
    inverse: bool
    interpolation: str
    canvas: str
    valid_mask: str | None
    fill: float
    no_metadata: bool
    size: tuple[int, int] | None
    rescale: bool
    json_path: str | None
    small_files: bool
    max_megapixels: float
    quiet: bool


def _apply_to(
    path: str,
    transform: Transform,
    asked: Asked,
    *,
    folder: str | None,
    inputs: list[str],
    written: dict[str, str],
) -> None:
    """Resample one image; ``written`` gets the output's name and the image it came from."""
    from align_cli.engine.result.canvas import covers  # noqa: PLC0415  (help stays quick)
    from align_cli.files.atomic import same_file, write_bytes  # noqa: PLC0415
    from align_cli.files.images import (  # noqa: PLC0415
        encode_image,
        encode_with_metadata,
        ensure_encodable,
        read_image,
    )
    from align_cli.files.metadata.record import NOTHING  # noqa: PLC0415

    picture = read_image(path, max_megapixels=asked.max_megapixels, page=asked.page)
    output = _output_name(picture, asked.output, folder)
    check_fill(asked.fill, picture, output, asked.interpolation)
    wanted = (output, asked.valid_mask, asked.json_path)
    check_files([each for each in wanted if each not in (None, STDOUT)], inputs)
    for other, source in written.items():
        if same_file(output, other):
            raise OutputFault(
                f"{path}: its output {output} would also be that of {source}; rename one of the two"
            )
    ensure_encodable(output, picture.pixels)
    placed = _placed(transform, picture, asked)
    canvas = placed.canvas(asked.canvas, most_pixels=1e6 * asked.max_megapixels)
    view = View(asked.interpolation, canvas, asked.fill)
    warped = warped_picture(placed.warp, picture, output, view)
    metadata = NOTHING if asked.no_metadata else picture.metadata
    data, lost = encode_with_metadata(output, warped, metadata, small=asked.small_files)
    encoded = {output: data}
    if asked.valid_mask is not None and asked.valid_mask not in written:
        mask = placed.valid_mask(canvas).astype("uint8") * 255
        encoded[asked.valid_mask] = encode_image(asked.valid_mask, mask, small=asked.small_files)
    if asked.json_path is not None and asked.json_path not in written:
        text = transform_text(asked.json_path, placed.onto(canvas), "json")
        if asked.json_path == STDOUT:
            to_stdout(text, needed=True)
            written[STDOUT] = path
        else:
            encoded[asked.json_path] = text.encode("utf-8")
    for name, data in encoded.items():
        write_bytes(name, data)
        written[name] = path
    if not asked.quiet:
        if lost:
            click.echo(not_carried(output, lost), err=True)
        click.echo(f"wrote {', '.join(encoded)}{canvas_in_words(canvas)}", err=True)
        if not covers(canvas, placed.target_to_source, (picture.width, picture.height)):
            click.echo(
                f"{output}: no pixel of the source lies on the target's grid; see --canvas source",
                err=True,
            )


def _placed(transform: Transform, picture: Picture, asked: Asked) -> Transform:
    """The transform with the image sizes of this use."""
    own = picture.width, picture.height
    if not asked.rescale:
        _check_size(transform, picture)
        target = asked.size or transform.target_size or own
        return transform.at_sizes(transform.source_size or own, target)
    size = asked.size
    if size is None and transform.source_size is not None and transform.target_size is not None:
        x, y = (new / old for new, old in zip(own, transform.source_size, strict=True))
        size = round(transform.target_size[0] * x), round(transform.target_size[1] * y)
    return transform.rescaled(own, size or own)


def _check_size(transform: Transform, picture: Picture) -> None:
    """Raise for an image that is not of the source's size, with advice."""
    own, size = (picture.width, picture.height), transform.source_size
    if size in (None, own):
        return
    advice = (
        "--inverse maps the other way, from the target to the source"
        if own == transform.target_size
        else "--rescale scales it to this size, if both are copies of one image"
    )
    raise InputFault(
        f"{picture.path}: the transform is for an image of {size[0]}x{size[1]} px, this one has "
        f"{own[0]}x{own[1]} px; {advice}"
    )


def _expanded(paths: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The images to resample, those of folders in natural order; and the files left out.

    Results of an earlier run are included only if they are named.
    """
    from align_cli.files.folders import pictures_in  # noqa: PLC0415

    images: dict[str, None] = {}  # each once, in order
    left_out: list[str] = []
    with faults({}):
        for path in paths:
            if not os.path.isdir(path):  # noqa: PTH112
                images[path] = None
                continue
            found = pictures_in(path)
            results = results_among(found)
            left_out += results
            images.update(dict.fromkeys(each for each in found if each not in results))
    return list(images), left_out


def _output_folder(output: str | None, image_paths: tuple[str, ...]) -> str | None:
    """The folder of ``--output``, created if necessary; None if it is a file."""
    if output is None:
        return None
    path = Path(output)
    several = len(image_paths) > 1 or Path(image_paths[0]).is_dir()
    if not (several or path.is_dir() or output.endswith(("/", os.sep))):
        return None
    from align_cli.files.encode import BY_SUFFIX  # noqa: PLC0415
    from align_cli.files.errors import unwritable  # noqa: PLC0415

    meant = path.exists() or output.endswith(("/", os.sep))
    if path.suffix.lower() in BY_SUFFIX and not meant:
        raise click.UsageError(
            f"{output} is the name of an image file, and several images need an output folder; "
            f"name a folder (to use this name for a folder: {output}/)"
        )
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise click.UsageError(
            f"{output} is a file, and several images need an output folder; name a folder"
        ) from error
    except OSError as error:
        raise OutputFault(str(unwritable(output, error))) from error
    return output


def _output_name(picture: Picture, output: str | None, folder: str | None) -> str:
    from align_cli.files.images import default_suffix, lossless_suffix  # noqa: PLC0415

    name = PurePath(picture.path)
    if output is None:
        return f"{name.stem}{APPLIED}{default_suffix(picture.pixels)}"
    if folder is None:
        return output
    return str(PurePath(folder) / (name.stem + lossless_suffix(name, picture.pixels)))
