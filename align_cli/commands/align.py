"""``imalign SRC DST``: align, then write the image, the transform and the error map."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from align_cli.commands.exit_codes import MEANINGS, ExitCode, faults
from align_cli.commands.inputs import read_pair
from align_cli.commands.options import (
    FileName,
    FiniteFloat,
    debug_opt,
    finite,
    limit_opt,
    max_megapixels_opt,
    source_arg,
    target_arg,
)
from align_cli.commands.outputs import check_outputs, named_outputs, write_json, write_pictures
from align_cli.commands.progress import level_bar
from align_cli.engine.options import (
    AUTO,
    DEFAULTS,
    LOSS_NAMES,
    MODEL_NAMES,
    PRESET_NAMES,
    PRESETS,
    Options,
)
from align_cli.report.document import ImageFacts, alignment_document
from align_cli.report.summary import closing_line, level_table

if TYPE_CHECKING:
    from align_cli.engine.arrays import Matrix
    from align_cli.files.images import Picture

EPILOG = (
    "Examples:\n\n"
    "\b\n"
    "imalign scan.png original.png\n"
    "imalign -m rigid --json - --no-image --no-error-map a.tif b.tif | jq .source_to_target\n"
    "imalign --init a_aligned.json a.png b.png -o out.png --error-map out.npy\n\n"
    "Exit codes:\n\n\b\n"
    + "\n".join(f"{code:>3d}  {text}" for code, text in MEANINGS.items())
    + "\n\nAfter exit code 1 the JSON says why, and no image and no error map are written. An "
    "output file is complete or absent; whatever a path held before stays until then."
)


UNITS = {"tolerance": "px", "max_shift": "px", "max_rotation": "deg"}
"""Options whose names in the JSON say their unit."""


@click.command(epilog=EPILOG)
@source_arg
@target_arg
@click.option(
    "-o",
    "--output",
    type=FileName(),
    metavar="PATH",
    help="Warped source, in its own dtype and channels, on the target's grid.  "
    "[default: <SRC stem>_aligned.png, .tif where the dtype needs it]",
)
@click.option(
    "--json",
    "json_path",
    type=FileName(),
    metavar="PATH",
    help="The transform and all about it; - is stdout.  [default: <SRC stem>_aligned.json]",
)
@click.option(
    "--error-map",
    type=FileName(),
    metavar="PATH",
    help="What still differs: a heat map (.png), or the signed float32 residual itself, NaN "
    "outside the overlap (.tif, .npy).  [default: <SRC stem>_aligned_error.png]",
)
@click.option("--no-image", is_flag=True, help="Do not write the warped image.")
@click.option("--no-error-map", is_flag=True, help="Do not write the error map.")
@click.option(
    "-m",
    "--model",
    type=click.Choice((*MODEL_NAMES, AUTO)),
    default=DEFAULTS.model,
    show_default=True,
    help="Motion model: 2, 3, 4, 6 or 8 parameters; auto: the simplest that explains the images.",
)
@click.option(
    "--preset",
    type=click.Choice(PRESET_NAMES),
    default=DEFAULTS.preset,
    show_default=True,
    help="What to trade time for: "
    + "; ".join(f"{name} - {preset.summary}" for name, preset in PRESETS.items())
    + ".",
)
@click.option(
    "--loss",
    type=click.Choice(LOSS_NAMES),
    default=DEFAULTS.loss,
    show_default=True,
    help="Robust loss; l2 trusts every pixel.",
)
@click.option(
    "--photometric/--no-photometric",
    default=DEFAULTS.photometric,
    show_default=True,
    help="Solve for gain and bias of the light too.",
)
@click.option(
    "--levels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pyramid levels.  [default: as many as both images carry]",
)
@click.option(
    "--max-iterations",
    type=click.IntRange(min=1),
    default=DEFAULTS.max_iterations,
    show_default=True,
    metavar="N",
    help="Limit for each level.",
)
@click.option(
    "--tolerance",
    type=FiniteFloat(min=0.0, min_open=True),
    metavar="PX",
    help="Converged when the next step would move no corner by more, in pixels.  "
    "[default: the preset's]",
)
@click.option(
    "--init",
    type=FileName(),
    metavar="PATH",
    help="Start from this source-to-target transform: a JSON that imalign wrote, or nine numbers "
    "in a text file.  [default: identity]",
)
@limit_opt("--max-shift", "PX", "its centre moved by more pixels")
@limit_opt("--max-rotation", "DEG", "it turned by more degrees")
@limit_opt("--max-scale", "FACTOR", "lengths grew, or shrank, by a larger factor")
@limit_opt("--max-shear", "RATIO", "it is sheared by more")
@limit_opt("--min-overlap", "SHARE", "it covers less of DST, 0 to 1")
@limit_opt("--min-score", "ZNCC", "the images correlate less, -1 to 1")
@click.option(
    "--accept-doubtful",
    is_flag=True,
    help="Write the pictures of a doubtful result too, and exit with 0.",
)
@click.option(
    "--fill",
    type=float,
    callback=finite,
    default=0.0,
    show_default=True,
    metavar="VALUE",
    help="Value where the source does not reach, in its own units.",
)
@click.option(
    "--small-files",
    is_flag=True,
    help="Compress PNG files as well as possible, which takes several times as long.",
)
@max_megapixels_opt
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something fails.")
@click.option("-v", "--verbose", is_flag=True, help="Also say what happened on each level.")
@debug_opt
def align(
    *,
    source_path: str,
    target_path: str,
    output: str | None,
    json_path: str | None,
    error_map: str | None,
    no_image: bool,
    no_error_map: bool,
    init: str | None,
    accept_doubtful: bool,
    fill: float,
    small_files: bool,
    max_megapixels: float,
    quiet: bool,
    verbose: bool,
    **solver: Any,
) -> None:
    """Lay the image SRC over the image DST.

    Writes the warped image, the transform as JSON and an error map.
    """
    if output is not None and no_image:
        raise click.UsageError("--output and --no-image contradict each other; give one of them")
    if error_map is not None and no_error_map:
        raise click.UsageError(
            "--error-map and --no-error-map contradict each other; give one of them"
        )
    options = Options(**solver)
    with faults({"source": source_path, "target": target_path, "init": init or "--init"}):
        source, target = read_pair(source_path, target_path, max_megapixels)
        start = _read_start(init)
        outputs = named_outputs(
            source,
            image=output,
            json=json_path,
            error_map=error_map,
            with_image=not no_image,
            with_error_map=not no_error_map,
        )
        check_outputs(outputs, [source_path, target_path, *([init] if init else [])], source)

        from align_cli.engine.aligner import Aligner  # noqa: PLC0415  (help stays quick)

        aligner = Aligner(target.pixels, **asdict(options))
        with level_bar(hidden=quiet) as advance:
            alignment = aligner.align(source.pixels, init=start, progress=advance)
        document = alignment_document(
            alignment,
            source=_facts(source),
            target=_facts(target),
            options=_options_record(options, init, accept_doubtful, fill),
        )
        outcome = alignment.outcome
        accepted = outcome.aligned or (accept_doubtful and outcome.doubtful)
        del aligner  # and the pyramid it holds, which is larger than the pictures
        written = []
        if accepted:
            written += write_pictures(
                outputs, alignment, source, target, fill=fill, small=small_files
            )
        # Last, so that a JSON which says "aligned" has its pictures beside it.
        written += write_json(outputs, document)
    if verbose and not quiet:
        click.echo(level_table(alignment), err=True)
    if not quiet or not outcome.aligned:
        click.echo(closing_line(alignment, written=written, accepted=accept_doubtful), err=True)
    if not accepted:
        for path in outputs.stale():
            click.echo(f"{path} is from an earlier run", err=True)
        raise SystemExit(ExitCode.NOT_ALIGNED)


def _read_start(init: str | None) -> Matrix | None:
    if init is None:
        return None
    from align_cli.files.transforms import read_transform  # noqa: PLC0415

    return read_transform(init)


def _facts(picture: Picture) -> ImageFacts:
    return ImageFacts(picture.path, picture.width, picture.height, picture.channels, picture.dtype)


def _options_record(
    options: Options, init: str | None, accept_doubtful: bool, fill: float
) -> dict[str, Any]:
    record = asdict(options)
    for name, unit in UNITS.items():
        record[f"{name}_{unit}"] = record.pop(name)
    record["tolerance_px"] = options.tolerance_px
    return {**record, "init": init, "accept_doubtful": accept_doubtful, "fill": fill}
