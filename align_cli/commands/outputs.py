"""Where the results of an alignment go, whether they can go there, and putting them there."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from align_cli.commands.exit_codes import ExitCode, OutputFault
from align_cli.workers import Task, Workers, begin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from align_cli.commands.regions import Masks
    from align_cli.engine.options import Options
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.canvas import Canvas
    from align_cli.files.images import Picture
    from align_cli.files.pixels import Indexed, Pixels

STDOUT: Final = "-"
LOOK_WHERE: Final = "check where it is redirected to"
"""Advice where stdout takes nothing and no file can be named instead."""

ONE_AT_A_TIME_PIXELS: Final = 50_000_000
"""Pictures of more pixels are made one after the other."""

ALIGNED: Final = "_aligned"
ERROR: Final = "_aligned_error"
APPLIED: Final = "_applied"
"""What the names of results end with that nobody named, after the stem of the image."""

RESIDUAL_SUFFIXES: Final = (".tif", ".tiff", ".npy")
"""Error maps of these kinds hold the residual itself; all others are pictures of it."""


class Outputs(NamedTuple):
    """Paths of the results; None where one is not wanted, "-" for stdout (JSON only)."""

    image: str | None
    json: str | None
    error_map: str | None
    valid_mask: str | None = None
    displacement_map: str | None = None

    @property
    def files(self) -> list[str]:
        """Those that are files, and not stdout."""
        wanted = (self.json, *self._pictures)
        return [path for path in wanted if path is not None and path != STDOUT]

    def stale(self, written: Sequence[str]) -> list[str]:
        """Pictures of an earlier run that this one, which failed, leaves where they are."""
        left = [path for path in self._pictures if path is not None and path not in written]
        return [path for path in left if Path(path).is_file()]

    @property
    def _pictures(self) -> tuple[str | None, ...]:
        return self.image, self.error_map, self.valid_mask, self.displacement_map

    @property
    def residual(self) -> bool:
        """True where the error map is the residual itself, not a picture of it."""
        return self.error_map is not None and _suffix(self.error_map) in RESIDUAL_SUFFIXES


class View(NamedTuple):
    """How the warped image is made: see ``align_cli.engine.result.warp.warp_image``.

    ``metadata`` is whether it gets the source's.
    """

    interpolation: str
    canvas: Canvas | None
    fill: float
    metadata: bool = True


def alignment_canvas(alignment: Alignment, name: str, max_megapixels: float) -> Canvas:
    """The canvas of an alignment that is to be shown.

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
    """Name the outputs that were not named: in the current directory, from the source's stem."""
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
    """Those of some pictures that are named as results of others of them."""
    stems = {PurePath(path).stem for path in paths}

    def is_result(stem: str) -> bool:
        endings = (ALIGNED, ERROR, APPLIED)
        return any(stem.endswith(each) and stem.removesuffix(each) in stems for each in endings)

    return [path for path in paths if is_result(PurePath(path).stem)]


def kept_palette(image: Picture, path: str | None, interpolation: str) -> Indexed | None:
    """An image by its palette, where its output keeps that: a PNG of labels, by the nearest.

    Other interpolations make colours that are not in it.
    """
    kept = interpolation == "nearest" and path is not None and _suffix(path) == ".png"
    return image.indexed if kept else None


def warped_picture(
    warp: Callable[..., NDArray[Any]], image: Picture, path: str, view: View
) -> Pixels | Indexed:
    """An image as its output at ``path`` shows it; ``warp`` is that of its transform."""
    how = {"fill": view.fill, "interpolation": view.interpolation, "canvas": view.canvas}
    indexed = kept_palette(image, path, view.interpolation)
    if indexed is None:
        return warp(image.pixels, **how)
    return indexed._replace(indices=warp(indexed.indices, **how))


def check_fill(fill: float, image: Picture, indexed: Indexed | None = None) -> None:
    """Refuse a value that the pixels of an image cannot take: it would be another one.

    ``indexed`` is the image by its palette, where that is kept.

    Raises:
        click.UsageError: saying which they can.
    """
    if indexed is not None:
        last = len(indexed.colours) - 1
        if not (fill.is_integer() and 0.0 <= fill <= last):
            raise click.UsageError(
                f"--fill {fill:g}: {image.path} keeps its palette, whose colour indices are 0 to "
                f"{last}; choose one of them"
            )
        return
    if image.dtype.startswith("uint"):
        most = image.full_scale
        if not (fill.is_integer() and 0.0 <= fill <= most):
            other = (
                ", or convert it to float32, which can represent nan" if math.isnan(fill) else ""
            )
            raise click.UsageError(
                f"--fill {fill:g}: {image.path} has integer values from 0 to {most:.0f}; "
                f"choose one of them{other}"
            )
        return
    from numpy import finfo  # noqa: PLC0415  (help stays quick)

    most = float(finfo(image.dtype).max)
    if abs(fill) > most:  # not so of NaN
        raise click.UsageError(
            f"--fill {fill:g}: {image.path} has {image.dtype} values up to {most:.3g}; choose a "
            "smaller one, or nan"
        )


def check_outputs(outputs: Outputs, inputs: Sequence[str], source: Picture) -> None:
    """Refuse, before the work, what cannot be written or would destroy something.

    Raises:
        click.UsageError: if an output is one of the inputs, or two outputs are one file.
        UnwritableError: if one cannot be written where, or in the format, that is asked for.
    """
    from align_cli.files.images import ensure_encodable  # noqa: PLC0415

    check_files(outputs.files, inputs)
    if outputs.image is not None:
        ensure_encodable(outputs.image, source.pixels)
    if outputs.valid_mask is not None:
        ensure_encodable(outputs.valid_mask, _picture_like()[..., 0])
    if outputs.error_map is not None and not outputs.residual:
        ensure_encodable(outputs.error_map, _picture_like())
    if outputs.displacement_map is not None:
        from align_cli.report.displacement_map import check_name  # noqa: PLC0415

        check_name(outputs.displacement_map)


def check_files(paths: Sequence[str], inputs: Sequence[str]) -> None:
    """Refuse files that cannot be written, are one of the inputs, or are one and the same.

    Raises:
        click.UsageError: naming two that are one.
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


def refuse_inputs(path: str, inputs: Sequence[str]) -> None:
    """Refuse an output that is one of the inputs.

    Raises:
        click.UsageError: naming both.
    """
    from align_cli.files.atomic import same_file  # noqa: PLC0415

    for taken in inputs:
        if same_file(path, taken):
            raise click.UsageError(
                f"the output {path} is the same file as the input {taken}; choose another name"
            )


def have_full_scale(source: Picture, target: Picture) -> bool:
    """Whether both have a white of their own: floats, and what is read as such, have none."""
    return source.full_scale > 1.0 and target.full_scale > 1.0


def prepare(outputs: Outputs, source: Picture, target: Picture) -> Task[Any] | None:
    """Have a thread draw the legend of the error map, if there will be one, for write_pictures.

    OpenCV unpacks its fonts first, which takes as long as to align small images.
    """
    if outputs.error_map is None or outputs.residual:
        return None
    from align_cli.report.error_map import draw_legend  # noqa: PLC0415

    of_full_scale = have_full_scale(source, target)
    return begin(partial(draw_legend, target.width, target.height, of_full_scale=of_full_scale))


def write_json(outputs: Outputs, document: dict[str, Any]) -> list[str]:
    """Write the document; returns the files written, none where it went to stdout."""
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
    """Write data to stdout; ``advice`` is for people whose stdout takes none.

    ``needed`` is for what a reader must take to its end. Of all else a reader, such as ``head``,
    may take as much as it likes: where it goes away, the process ends without a word.

    Raises:
        OutputFault: if it is closed or full, or the reader of what is needed went away.
    """
    if sys.stdout is None:
        raise OutputFault(f"stdout is closed; {advice}")
    try:
        _write_whole(text)
    except OSError as error:
        # What is still buffered would fail once more, with a traceback, when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError) and not needed:
            raise SystemExit(ExitCode.READER_GONE) from error
        raise OutputFault(f"stdout: {error.strerror}; {advice}") from error


def _write_whole(text: str) -> None:
    """Write all of a text to stdout: unbuffered (PYTHONUNBUFFERED), one write may take a part."""
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
    legend: Task[Any] | None,
    view: View,
    small: bool,
) -> tuple[list[str], str]:
    """Write the warped image, the error map and the mask, where wanted.

    ``residual`` makes what ``align_cli.engine.aligner.residual`` returns.

    Returns the files written, and what of the source's metadata was not, as a line for people.

    They are made and encoded at once, each on a thread of its own (one after the other where they
    are so large that memory counts), and nothing is written before both are there.
    """
    import numpy as np  # noqa: PLC0415

    from align_cli.files.atomic import write_bytes  # noqa: PLC0415
    from align_cli.files.images import (  # noqa: PLC0415
        encode_array,
        encode_image,
        encode_with_metadata,
    )
    from align_cli.files.metadata.record import NOTHING  # noqa: PLC0415
    from align_cli.report.error_map import render, span  # noqa: PLC0415

    lost: list[str] = []

    def warped(path: str) -> bytes:
        picture = warped_picture(alignment.warp, source, path, view)
        metadata = source.metadata if view.metadata else NOTHING
        data, left = encode_with_metadata(path, picture, metadata, small=small)
        lost.extend(left)
        return data

    def valid_mask(path: str) -> bytes:
        return encode_image(path, alignment.valid_mask(view.canvas) * np.uint8(255), small=small)

    def error_map(path: str) -> bytes:
        differences, overlap = residual()
        if outputs.residual:
            differences[~overlap] = float("nan")
            return encode_array(path, differences)
        if not have_full_scale(source, target):
            limits = np.finfo(np.float32)
            unit = span(target.pixels) / target.full_scale
            with np.errstate(over="ignore"):  # sources that dwarf the target end at the last colour
                differences /= np.float32(np.clip(unit, limits.tiny, limits.max))
        picture = render(differences, overlap, legend.result() if legend is not None else None)
        del differences, overlap  # encoding takes as much memory again
        return encode_image(path, picture, small=small)

    makers = (
        (outputs.image, warped),
        (outputs.error_map, error_map),
        (outputs.valid_mask, valid_mask),
    )
    wanted = [(path, make) for path, make in makers if path is not None]
    largest = max(picture.width * picture.height for picture in (source, target))
    with Workers(1 if largest > ONE_AT_A_TIME_PIXELS else max(len(wanted), 1)) as workers:
        jobs = [(path, workers.start(partial(make, path))) for path, make in wanted]
        encoded = [(path, job.result()) for path, job in jobs]
    for path, data in encoded:
        write_bytes(path, data)
    return [path for path, _ in encoded], not_carried(outputs.image, lost)


def left_between(
    source: Picture, target: Picture, alignment: Alignment, masks: Masks, options: Options
) -> Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """What makes the residual of an alignment, wherever a result asks for it."""
    from align_cli.engine.aligner import residual  # noqa: PLC0415  (help stays quick)

    return partial(
        residual,
        source.pixels,
        target.pixels,
        alignment,
        source_mask=masks.source,
        target_mask=masks.target,
        options=options,
    )


def write_displacement_map(
    outputs: Outputs,
    alignment: Alignment,
    target: Picture,
    *,
    residual: Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]],
    small: bool,
) -> list[str]:
    """Write the displacement map, where it is wanted and there is something to show.

    ``residual`` is as for ``write_pictures``; a picture shows where the images overlap. Returns the
    files written.
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
    """Say on stderr that a displacement map was asked for and there is none."""
    if outputs.displacement_map is not None and alignment.displacements is None:
        click.echo(
            f"{outputs.displacement_map}: not written, because no tile of the target could be "
            "matched in the source",
            err=True,
        )


def canvas_in_words(canvas: Canvas) -> str:
    """Where an output lies, after its name; empty where everybody expects it."""
    if canvas.name == "target":
        return ""
    width, height = canvas.size
    x, y = canvas.offset
    return f" ({width}x{height} px, origin at the target's pixel ({x}, {y}))"


def not_carried(path: str | None, lost: Sequence[str]) -> str:
    """Say what of the source's metadata an output does not hold; empty where it holds all."""
    return f"{path}: metadata not copied: {', '.join(lost)}" if lost else ""


def _suffix(path: str) -> str:
    return PurePath(path).suffix.lower()


def _picture_like() -> Any:
    import numpy as np  # noqa: PLC0415

    return np.zeros((1, 1, 3), np.uint8)
