"""The outputs of an alignment: their names, checks before the work, and writing."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from itertools import combinations
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from align_cli.commands.error_maps import encode_error_map, holds_values
from align_cli.commands.exit_codes import ExitCode, OutputFault
from align_cli.files.errors import printable
from align_cli.workers import Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from align_cli.commands.regions import Masks
    from align_cli.engine.options import Options
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.canvas import Canvas
    from align_cli.files.images import Picture
    from align_cli.files.pixels import Indexed, Integers, Pixels

STDOUT: Final = "-"
LOOK_WHERE: Final = "check where it is redirected to"
"""Advice if stdout cannot be written and no file can be given instead."""

ONE_AT_A_TIME_PIXELS: Final = 50_000_000
"""Images of more pixels are written one after the other."""

ALIGNED: Final = "_aligned"
ERROR: Final = "_aligned_error"
APPLIED: Final = "_applied"
"""Suffixes of the default names of results, after the stem of the image."""


class Outputs(NamedTuple):
    """Paths of the results; None if not requested, "-" for stdout (JSON only).

    ``raw_error``: whether the error map is before the illumination.
    """

    image: str | None
    json: str | None
    error_map: str | None
    valid_mask: str | None = None
    displacement_map: str | None = None
    report: str | None = None
    error_legend: str | None = None
    raw_error: bool = False
    overlay: str | None = None
    blink: str | None = None

    @property
    def files(self) -> list[str]:
        """The paths that are files, not stdout."""
        wanted = (self.json, *self._pictures, self.report)
        return [path for path in wanted if path is not None and path != STDOUT]

    def stale(self, written: Sequence[str]) -> list[str]:
        """Existing images of an earlier run, which a failed run does not replace."""
        left = [path for path in self._pictures if path is not None and path not in written]
        return [path for path in left if Path(path).is_file()]

    @property
    def _pictures(self) -> tuple[str | None, ...]:
        return (
            self.image,
            self.error_map,
            self.error_legend,
            self.valid_mask,
            self.displacement_map,
            self.overlay,
            self.blink,
        )

    @property
    def residual(self) -> bool:
        """Whether the error map is the residual itself, not an image of it."""
        return self.error_map is not None and holds_values(self.error_map)


class View(NamedTuple):
    """Settings of the warped image: see ``align_cli.engine.result.warp.warp_image``.

    ``metadata``: whether the source's metadata is copied.
    """

    interpolation: str
    canvas: Canvas | None
    fill: float
    metadata: bool = True


def alignment_canvas(alignment: Alignment, name: str, max_megapixels: float) -> Canvas:
    """The canvas of the warped image.

    Raises:
        ImageError: if it would be too large.
    """
    from align_cli.engine.result.canvas import place_canvas  # noqa: PLC0415

    canvas = place_canvas(
        name,
        alignment.source_to_target,
        alignment.target_to_source,
        source_size=alignment.source_size,
        target_size=alignment.target_size,
        most_pixels=1e6 * max_megapixels,
    )
    canvas.warp(alignment.target_to_source)  # refuses a horizon before anything is written
    return canvas


def named_outputs(
    source: Picture,
    *,
    image: str | None,
    json: str | None,
    error_map: str | None,
    valid_mask: str | None,
    displacement_map: str | None,
    with_image: bool,
    with_error_map: bool,
) -> Outputs:
    """Give the other outputs default names: the source's stem, in the current directory."""
    from align_cli.files.images import default_suffix  # noqa: PLC0415  (help stays quick)

    stem = PurePath(source.path).stem
    image = image or f"{stem}{ALIGNED}{default_suffix(source.pixels)}"
    error_map = error_map or f"{stem}{ERROR}.png"
    return Outputs(
        image=image if with_image else None,
        json=json or f"{stem}{ALIGNED}.json",
        error_map=error_map if with_error_map else None,
        valid_mask=valid_mask,
        displacement_map=displacement_map,
    )


def results_among(paths: Sequence[str]) -> list[str]:
    """The images that have the name of a result of another one."""
    stems = {PurePath(path).stem for path in paths}

    def is_result(stem: str) -> bool:
        endings = (ALIGNED, ERROR, APPLIED)
        return any(stem.endswith(each) and stem.removesuffix(each) in stems for each in endings)

    return [path for path in paths if is_result(PurePath(path).stem)]


def kept_palette(image: Picture, path: str | None, interpolation: str) -> Indexed | None:
    """The palette image, if its output keeps the palette: PNG, interpolation "nearest".

    Other interpolations create colours that are not in the palette.
    """
    kept = interpolation == "nearest" and path is not None and _suffix(path) == ".png"
    return image.indexed if kept else None


def kept_integers(image: Picture, path: str | None, interpolation: str) -> Integers | None:
    """What the integers of an image were, where its output keeps them: a TIFF, by the nearest."""
    kept = interpolation == "nearest" and path is not None and _suffix(path) in (".tif", ".tiff")
    return image.integers if kept else None


def warped_picture(
    warp: Callable[..., NDArray[Any]], image: Picture, path: str, view: View
) -> Pixels | Indexed:
    """The warped image for the output ``path``; ``warp`` is that of its transform."""
    how = {"fill": view.fill, "interpolation": view.interpolation, "canvas": view.canvas}
    indexed = kept_palette(image, path, view.interpolation)
    if indexed is None:
        integers = kept_integers(image, path, view.interpolation)
        warped = warp(image.pixels, **how)
        return warped if integers is None else integers.restored(warped)
    return indexed._replace(indices=warp(indexed.indices, **how))


def check_fill(fill: float, image: Picture, path: str | None, interpolation: str) -> None:
    """Raise for a fill value that the output at ``path`` cannot represent.

    Raises:
        click.UsageError: with the valid values.
    """
    indexed = kept_palette(image, path, interpolation)
    integers = kept_integers(image, path, interpolation)
    if indexed is not None:
        last = len(indexed.colours) - 1
        if not (fill.is_integer() and 0.0 <= fill <= last):
            raise click.UsageError(
                f"--fill {fill:g}: {image.path} keeps its palette, whose colour indices are 0 to "
                f"{last}; choose one of them"
            )
        return
    if integers is not None or image.dtype.startswith("uint"):
        least, most = (0, int(image.full_scale)) if integers is None else integers.limits()
        if not (fill.is_integer() and least <= fill <= most):
            other = (
                ", or convert it to float32, which can represent nan" if math.isnan(fill) else ""
            )
            raise click.UsageError(
                f"--fill {fill:g}: {image.path} has integer values from {least} to {most}; "
                f"choose one of them{other}"
            )
        return
    from numpy import finfo  # noqa: PLC0415  (help stays quick)

    largest = float(finfo(image.dtype).max)
    if abs(fill) > largest:  # not so of NaN
        raise click.UsageError(
            f"--fill {fill:g}: {image.path} has {image.dtype} values up to {largest:.3g}; choose a "
            "smaller one, or nan"
        )


def check_outputs(outputs: Outputs, inputs: Sequence[str], source: Picture) -> None:
    """Check, before the work, that all outputs can be written without overwriting an input.

    Raises:
        click.UsageError: if an output is one of the inputs, or two outputs are one file.
        UnwritableError: if one cannot be written at its path or in its format.
    """
    from align_cli.files.images import ensure_encodable  # noqa: PLC0415

    _check_error_options(outputs)
    check_files(outputs.files, inputs)
    if outputs.image is not None:
        ensure_encodable(outputs.image, source.pixels)
    if outputs.valid_mask is not None:
        check_mask_name(outputs.valid_mask)
    if outputs.error_map is not None and not outputs.residual:
        ensure_encodable(outputs.error_map, _picture_like())
    if outputs.error_legend is not None:
        ensure_encodable(outputs.error_legend, _picture_like())
    if outputs.overlay is not None:
        ensure_encodable(outputs.overlay, _picture_like())
    if outputs.displacement_map is not None:
        from align_cli.report.displacement_map import check_name  # noqa: PLC0415

        check_name(outputs.displacement_map)


def check_mask_name(path: str) -> None:
    """Raise for a mask in a format that does not keep its two values.

    Raises:
        click.UsageError: if it is lossy.
        UnwritableError: if no image of this name can be written.
    """
    from align_cli.files.images import ensure_encodable, lossless_suffix  # noqa: PLC0415

    like = _picture_like()[..., 0]
    ensure_encodable(path, like)
    if lossless_suffix(path, like) != _suffix(path):
        raise click.UsageError(
            f"--valid-mask {path}: a JPEG does not keep the values 0 and 255 of a mask; give it a "
            "name in .png or .tif"
        )


def _check_error_options(outputs: Outputs) -> None:
    """Raise for options of an error map that is not written, or has no colours to explain."""
    legend, error_map = outputs.error_legend, outputs.error_map
    if error_map is None and (legend is not None or outputs.raw_error):
        option = "--raw-error" if legend is None else f"--error-legend {legend}"
        raise click.UsageError(f"{option}: no error map is written; add --error-map PATH")
    if legend is not None and outputs.residual:
        raise click.UsageError(
            f"--error-legend {legend}: {error_map} holds values, which need no legend; omit it, or "
            "let --error-map name an image (.png)"
        )


def check_files(paths: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise for files that cannot be written, are an input, or are the same file.

    Raises:
        click.UsageError: naming two that are the same.
        UnwritableError: if one cannot be written.
    """
    from align_cli.files.atomic import ensure_writable, same_file  # noqa: PLC0415

    for path in paths:
        refuse_inputs(path, inputs)
    for first, second in combinations(paths, 2):
        if same_file(first, second):
            raise click.UsageError(
                f"two outputs have the name {first}; choose another name for one"
            )
    for path in paths:
        ensure_writable(path)


def say_written(path: str) -> None:
    """Say on stderr that a file was written."""
    click.echo(f"wrote {printable(path)}", err=True)


def refuse_inputs(path: str, inputs: Sequence[str]) -> None:
    """Raise for an output that is one of the inputs.

    Raises:
        click.UsageError: naming both.
    """
    from align_cli.files.atomic import same_file  # noqa: PLC0415

    for taken in inputs:
        if same_file(path, taken):
            raise click.UsageError(
                f"the output {path} is the same file as the input {taken}; choose another name"
            )


def write_json(outputs: Outputs, document: dict[str, Any]) -> list[str]:
    """Write the document; return the files written, none if it is written to stdout."""
    from align_cli.files import documents  # noqa: PLC0415

    if outputs.json is None:
        return []
    if outputs.json == STDOUT:
        to_stdout(documents.dumps(document), needed=True)
        return []
    documents.write_json(outputs.json, document)
    return [outputs.json]


def to_stdout(
    text: str, *, advice: str = "give a file name instead of -", needed: bool = False
) -> None:
    """Write data to stdout; ``advice`` is given if stdout cannot be written.

    With ``needed`` a reader must read all of it. Otherwise a reader, such as ``head``, may stop at
    any time, and the process then ends silently.

    Raises:
        OutputFault: if it is closed or full, or the reader stopped although all is ``needed``.
    """
    if sys.stdout is None:
        raise OutputFault(f"stdout is closed; {advice}")
    try:
        _write_whole(text)
    except OSError as error:
        # The remaining buffer would raise again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError) and not needed:
            raise SystemExit(ExitCode.READER_GONE) from error
        raise OutputFault(f"stdout: {error.strerror}; {advice}") from error


def _write_whole(text: str) -> None:
    """Write all of a text to stdout; unbuffered (PYTHONUNBUFFERED), a write may be partial."""
    stream = sys.stdout
    stream.flush()
    left = memoryview(text.encode(stream.encoding, stream.errors or "strict"))
    while left:
        left = left[stream.buffer.write(left) :]
    stream.buffer.flush()


def write_pictures(
    outputs: Outputs,
    alignment: Alignment,
    source: Picture,
    target: Picture,
    *,
    residual: Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]],
    view: View,
    small: bool,
) -> tuple[list[str], str]:
    """Write the warped image, the error map with its legend, and the mask, if requested.

    ``residual`` returns the result of ``align_cli.engine.aligner.residual``.

    Returns the files written, and a message on metadata of the source that was not.

    They are computed and encoded concurrently, each on a thread of its own (large ones one after
    the other, to save memory), and nothing is written before all are complete.
    """
    import numpy as np  # noqa: PLC0415

    from align_cli.engine.result.canvas import onto_target  # noqa: PLC0415
    from align_cli.files.images import (  # noqa: PLC0415
        encode_image,
        encode_with_metadata,
    )
    from align_cli.files.metadata.record import NOTHING  # noqa: PLC0415
    from align_cli.report.error_map import draw_legend  # noqa: PLC0415
    from align_cli.report.summary import have_full_scale  # noqa: PLC0415

    canvas = onto_target(alignment.target_size) if view.canvas is None else view.canvas
    of_full_scale = have_full_scale(source, target)
    lost: list[str] = []

    def warped(path: str) -> bytes:
        # Who writes pictures has accepted a doubtful result.
        warp = partial(alignment.warp, accept_doubtful=True)
        picture = warped_picture(warp, source, path, view)
        metadata = source.metadata if view.metadata else NOTHING
        data, left = encode_with_metadata(path, picture, metadata, small=small)
        lost.extend(left)
        return data

    def valid_mask(path: str) -> bytes:
        return encode_image(path, alignment.valid_mask(view.canvas) * np.uint8(255), small=small)

    def error_map(path: str) -> bytes:
        return encode_error_map(
            path, residual, canvas, target, of_full_scale=of_full_scale, small=small
        )

    def error_legend(path: str) -> bytes:
        raw = outputs.raw_error or not alignment.corrects_illumination
        picture = draw_legend(*canvas.size, of_full_scale=of_full_scale, raw=raw)
        return encode_image(path, picture, small=small)

    makers = (
        (outputs.image, warped),
        (outputs.error_map, error_map),
        (outputs.error_legend, error_legend),
        (outputs.valid_mask, valid_mask),
    )
    largest = max(picture.width * picture.height for picture in (source, target))
    return write_encoded(makers, largest), not_carried(outputs.image, lost)


def write_encoded(
    makers: Sequence[tuple[str | None, Callable[[str], bytes]]], pixels: int
) -> list[str]:
    """Encode files side by side, then write them: none is written if one cannot be encoded.

    Args:
        makers: paths, None for a file that is not requested, and what encodes the file of a path.
        pixels: of the largest image; above ``ONE_AT_A_TIME_PIXELS`` one is encoded at a time.

    Returns:
        The files written.
    """
    from align_cli.engine.numerics.threads import limit  # noqa: PLC0415  (help stays quick)
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415

    wanted = [(path, make) for path, make in makers if path is not None]
    most = limit() or max(len(wanted), 1)
    with Workers(1 if pixels > ONE_AT_A_TIME_PIXELS else most) as workers:
        jobs = [
            (path, workers.start(partial(copy_context().run, make, path))) for path, make in wanted
        ]
        encoded = [(path, job.result()) for path, job in jobs]
    for path, data in encoded:
        write_bytes(path, data)
    return [path for path, _ in encoded]


def left_between(
    source: Picture,
    target: Picture,
    alignment: Alignment,
    masks: Masks,
    options: Options,
    *,
    raw: bool = False,
) -> Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """A function that computes the residual of an alignment, for any result that needs it.

    ``raw``: whether it is before the illumination.
    """
    from align_cli.engine.aligner import residual  # noqa: PLC0415  (help stays quick)

    return partial(
        residual,
        source.pixels,
        target.pixels,
        alignment,
        source_mask=masks.source,
        target_mask=masks.target,
        options=options,
        raw=raw,
    )


def write_displacement_map(
    outputs: Outputs,
    alignment: Alignment,
    target: Picture,
    *,
    residual: Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]],
    small: bool,
) -> list[str]:
    """Write the displacement map, if requested and there are displacements.

    ``residual`` is as for ``write_pictures``; an image needs the overlap. Returns the files
    written.
    """
    path, displacements = outputs.displacement_map, alignment.displacements
    if path is None or displacements is None:
        return []
    from align_cli.files.atomic import write_bytes  # noqa: PLC0415
    from align_cli.report.displacement_map import encode, render  # noqa: PLC0415

    def picture() -> NDArray[np.uint8]:
        _, overlap = residual()
        return render(target.pixels, overlap, displacements.field)

    write_bytes(path, encode(path, displacements.field, picture, small=small))
    return [path]


def say_what_is_missing(outputs: Outputs, alignment: Alignment) -> None:
    """Warn on stderr if a displacement map was requested and there is none."""
    if outputs.displacement_map is not None and alignment.displacements is None:
        click.echo(
            f"{outputs.displacement_map}: not written, because no tile of the target could be "
            "matched in the source",
            err=True,
        )


def canvas_in_words(canvas: Canvas) -> str:
    """The canvas of an output, after its name; empty for the default."""
    if canvas.name == "target":
        return ""
    width, height = canvas.size
    x, y = canvas.offset
    return f" ({width}x{height} px, origin at the target's pixel ({x}, {y}))"


def not_carried(path: str | None, lost: Sequence[str]) -> str:
    """The source's metadata that an output does not contain; empty if it contains all."""
    return f"{path}: metadata not copied: {', '.join(lost)}" if lost else ""


def _suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


def _picture_like() -> Any:
    import numpy as np  # noqa: PLC0415

    return np.zeros((1, 1, 3), np.uint8)
