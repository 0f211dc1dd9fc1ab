"""``imalign SRC DST``: align, then write the image, the transform and the error map."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from align_cli.commands.changes import Asked, changed_above_opt, max_changed_opt
from align_cli.commands.choices import Choice
from align_cli.commands.exit_codes import MEANINGS, ExitCode, faults
from align_cli.commands.hints import hint
from align_cli.commands.inits import Init, init_file, read_init
from align_cli.commands.inputs import read_pair
from align_cli.commands.next_steps import after_alignment, after_refusal
from align_cli.commands.options import (
    FiniteFloat,
    accept_doubtful_opt,
    accept_residual_opt,
    canvas_opt,
    debug_opt,
    displacement_map_opt,
    error_legend_opt,
    fill_opt,
    interpolation_opt,
    keep_fixed_pattern_opt,
    limit_opt,
    max_megapixels_opt,
    metadata_opt,
    path_opt,
    quiet_opt,
    raw_error_opt,
    refuse_both,
    small_files_opt,
    source_arg,
    target_arg,
    valid_mask_opt,
)
from align_cli.commands.outputs import (
    View,
    alignment_canvas,
    canvas_in_words,
    check_fill,
    check_outputs,
    left_between,
    named_outputs,
    say_what_is_missing,
    write_displacement_map,
    write_json,
    write_pictures,
)
from align_cli.commands.pages import Pages, pages_opt, pages_record
from align_cli.commands.pair_command import PairCommand
from align_cli.commands.progress import level_bar
from align_cli.commands.records import options_record
from align_cli.commands.regions import (
    Roi,
    channel_opt,
    ignore_alpha_opt,
    read_masks,
    regions_record,
    roi_opt,
    roi_text,
    source_mask_opt,
    target_mask_opt,
)
from align_cli.commands.reports import (
    Report,
    check_report,
    report_lossless_opt,
    report_opt,
)
from align_cli.commands.similarity import similarity_opt
from align_cli.commands.threads import on_threads, threads_opt
from align_cli.commands.views import (
    blink_opt,
    check_views,
    overlay_opt,
    overlay_style_opt,
    write_views,
)
from align_cli.engine.options import (
    AUTO,
    DEFAULTS,
    INTENSITY,
    LOSS_NAMES,
    MODEL_NAMES,
    POSES,
    PRESET_NAMES,
    PRESETS,
    START_NAMES,
    Options,
)
from align_cli.report.document import alignment_document, image_facts
from align_cli.report.summary import (
    closing_line,
    displacement_figures,
    have_full_scale,
    level_table,
)
from align_cli.workers import begin

if TYPE_CHECKING:
    from align_cli.engine.result.alignment import Alignment
    from align_cli.files.images import Picture

EPILOG = (
    "Examples:\n\n"
    "\b\n"
    "imalign scan.png original.png\n"
    "imalign -m rigid --json - --no-image --no-error-map a.tif b.tif | jq .source_to_target\n"
    "imalign --init a_aligned.json a.png b.png -o out.png --error-map out.npy\n"
    "imalign --init 40,-25,90 turned.png original.png\n\n"
    "Exit codes:\n\n\b\n"
    + "\n".join(f"{code:>3d}  {text}" for code, text in MEANINGS.items())
    + "\n\nWith exit code 1 the JSON contains the reason. If the pair is not aligned, or doubtful, "
    "no image and no error map are written; if only --max-changed is exceeded, they are. Files are "
    "replaced atomically: a path keeps its previous content until the new file is complete."
)


@click.command(cls=PairCommand, epilog=EPILOG)
@source_arg
@target_arg
@path_opt(
    "-o",
    "--output",
    help="Warped source on the target's grid, in the source's dtype and channels.  "
    "[default: <SRC stem>_aligned.png, or .tif if the dtype requires it]",
)
@path_opt(
    "--json",
    "json_path",
    help="Transform, quality and diagnostics; - is stdout.  [default: <SRC stem>_aligned.json]",
)
@path_opt(
    "--error-map",
    help="Residual after alignment and illumination: a heat map of its magnitude, of the output's "
    "size (.png), or the signed float32 residual, NaN outside the overlap (.tif, .npy).  "
    "[default: <SRC stem>_aligned_error.png]",
)
@error_legend_opt
@raw_error_opt
@displacement_map_opt
@report_opt
@report_lossless_opt
@overlay_opt
@overlay_style_opt
@blink_opt
@click.option("--no-image", is_flag=True, help="Do not write the warped image.")
@click.option("--no-error-map", is_flag=True, help="Do not write the error map.")
@click.option(
    "-m",
    "--model",
    type=Choice((*MODEL_NAMES, AUTO)),
    default=DEFAULTS.model,
    show_default=True,
    help="Motion model, with 2, 3, 4, 6 or 8 parameters; auto: the simplest model that explains "
    "the images.",
)
@click.option(
    "--preset",
    type=Choice(PRESET_NAMES),
    default=DEFAULTS.preset,
    show_default=True,
    help="Trade-off between speed and accuracy: "
    + "; ".join(f"{name} - {preset.summary}" for name, preset in PRESETS.items())
    + ".",
)
@click.option(
    "--loss",
    type=Choice(LOSS_NAMES),
    default=DEFAULTS.loss,
    show_default=True,
    help="Robust loss; l2 gives every pixel the same weight.",
)
@click.option(
    "--photometric/--no-photometric",
    default=DEFAULTS.photometric,
    show_default=True,
    help="Also estimate illumination gain and bias.",
)
@similarity_opt
@click.option(
    "--levels",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of pyramid levels.  [default: as many as both image sizes allow]",
)
@click.option(
    "--max-iterations",
    type=click.IntRange(min=1),
    default=DEFAULTS.max_iterations,
    show_default=True,
    metavar="N",
    help="Iteration limit of each solve. A pyramid level may be solved several times: simpler "
    "models first, spatially varying illumination last.",
)
@click.option(
    "--tolerance",
    type=FiniteFloat(min=0.0, min_open=True),
    metavar="PX",
    help="Convergence threshold: the largest displacement of a corner by the last step, in "
    "pixels.  [default: the preset's]",
)
@click.option(
    "--init",
    type=Init(),
    default=AUTO,
    show_default=True,
    metavar="START",
    help=f"Initial transform: {AUTO}, {', '.join(START_NAMES)}; dx,dy[,angle[,scale]] (pixels and "
    "degrees, about the centre of SRC); or a file with a source-to-target transform: a JSON "
    "written by imalign, nine numbers, or another format of imalign convert. "
    f"{AUTO} tries the others in turn until one succeeds. For a file "
    f"with one of these names, write ./{START_NAMES[-1]}.",
)
@click.option(
    "--allow-flip",
    is_flag=True,
    help="If SRC cannot be aligned, try its mirror image (a film scanned from the wrong side).",
)
@pages_opt
@source_mask_opt
@target_mask_opt
@roi_opt
@ignore_alpha_opt
@channel_opt
@limit_opt("--max-shift", "PX", "the centre of SRC moves by more than PX pixels")
@limit_opt("--max-rotation", "DEG", "SRC rotates by more than DEG degrees")
@limit_opt("--max-scale", "FACTOR", "lengths grow or shrink by more than FACTOR")
@limit_opt("--max-shear", "RATIO", "the shear exceeds RATIO")
@limit_opt("--min-overlap", "SHARE", "SRC covers less than SHARE of DST, 0 to 1")
@limit_opt("--min-score", "ZNCC", "the ZNCC of the aligned images is below this, -1 to 1")
@max_changed_opt
@changed_above_opt
@accept_doubtful_opt
@accept_residual_opt
@keep_fixed_pattern_opt
@interpolation_opt
@canvas_opt
@valid_mask_opt
@fill_opt
@metadata_opt
@small_files_opt
@max_megapixels_opt
@threads_opt
@quiet_opt
@click.option(
    "-v", "--verbose", is_flag=True, help="Also print statistics of the pyramid levels and tiles."
)
@debug_opt
def align(  # noqa: PLR0915  (a line for each step)
    *,
    source_path: str,
    target_path: str,
    output: str | None,
    json_path: str | None,
    error_map: str | None,
    displacement_map: str | None,
    report: str | None,
    report_lossless: bool,
    overlay: str | None,
    overlay_style: str | None,
    blink: str | None,
    error_legend: str | None,
    raw_error: bool,
    no_image: bool,
    no_error_map: bool,
    init: str,
    allow_flip: bool,
    pages: Pages | None,
    source_mask: str | None,
    target_mask: str | None,
    roi: Roi | None,
    max_changed: float | None,
    changed_above: float | None,
    accept_doubtful: bool,
    interpolation: str,
    canvas: str,
    valid_mask: str | None,
    fill: float,
    no_metadata: bool,
    small_files: bool,
    max_megapixels: float,
    threads: int | None,
    quiet: bool,
    verbose: bool,
    **solver: Any,
) -> None:
    """Align the image SRC to the image DST.

    Writes the warped image, the transform as JSON and an error map.
    """
    refuse_both("--output", output is not None, "--no-image", no_image)
    refuse_both("--error-map", error_map is not None, "--no-error-map", no_error_map)
    refuse_both("--quiet", quiet, "--verbose", verbose)
    check_report(report, lossless=report_lossless)
    check_views(overlay, overlay_style, blink)
    options = _engine_options(solver, init)
    asked = Asked(changed_above, max_changed, options.similarity)
    start_file = init_file(init)
    roles = {"source": source_path, "target": target_path, "init": start_file or "--init"}
    seen = {
        "source mask": source_mask or "",
        "target mask": target_mask or roi_text(roi),
        "roi": f"{target_path}, {roi_text(roi)}",
        "canvas": source_path,
    }
    with faults({**roles, **seen}), on_threads(threads):
        source, target = read_pair(source_path, target_path, max_megapixels, pages)
        start = read_init(init, (source.width, source.height))
        masks = read_masks(
            source,
            target,
            source_mask=source_mask,
            target_mask=target_mask,
            roi=roi,
            max_megapixels=max_megapixels,
        )
        outputs = named_outputs(
            source,
            image=output,
            json=json_path,
            error_map=error_map,
            valid_mask=valid_mask,
            displacement_map=displacement_map,
            with_image=not no_image,
            with_error_map=not no_error_map,
        )._replace(
            report=report,
            error_legend=error_legend,
            raw_error=raw_error,
            overlay=overlay,
            blink=blink,
        )
        given = filter(None, [start_file, source_mask, target_mask])
        inputs = [source_path, target_path, *given]
        check_outputs(outputs, inputs, source)
        check_fill(fill, source, outputs.image, interpolation)
        page = Report(report, source, target, lossless=report_lossless)

        from align_cli.engine.aligner import Aligner  # noqa: PLC0415  (help stays quick)

        aligner = Aligner(target.pixels, mask=masks.target, threads=threads, **asdict(options))
        with level_bar(hidden=quiet) as advance:
            alignment = aligner.align(
                source.pixels,
                mask=masks.source,
                init=start,
                allow_flip=allow_flip,
                progress=advance,
                all_tiles=displacement_map is not None,
            )
        del aligner  # and the pyramid it holds, which is larger than the pictures
        # Beside the images that are warped and encoded, since it takes about as long as these.
        look_for_changes = partial(asked.looked_for, alignment, source, target, masks, options)
        looking = begin(partial(copy_context().run, look_for_changes))
        left = left_between(source, target, alignment, masks, options, raw=raw_error)
        page.lay(alignment, left)
        outcome = alignment.outcome
        accepted = outcome.aligned or (accept_doubtful and outcome.doubtful)
        shown = alignment_canvas(alignment, canvas, max_megapixels) if accepted else None
        view = View(interpolation, shown, fill, metadata=not no_metadata)
        written: list[str] = []
        lost = ""
        if accepted:
            written, lost = write_pictures(
                outputs,
                alignment,
                source,
                target,
                residual=left,
                view=view,
                small=small_files,
            )
        written += write_displacement_map(
            outputs, alignment, target, residual=left, small=small_files
        )
        alignment = looking.result()
        views, said_of_views = write_views(
            outputs, overlay_style, alignment, source, target, small=small_files, quiet=quiet
        )
        written += views
        document = alignment_document(
            alignment,
            canvas=view.canvas,
            source=image_facts(source),
            target=image_facts(target),
            options={
                **options_record(options, init),
                **regions_record(source_mask, target_mask, roi),
                **pages_record(pages),
                **asked.record,
                "allow_flip": allow_flip,
                "accept_doubtful": accept_doubtful,
                "interpolation": interpolation,
                "canvas": canvas,
                "fill": fill,
            },
        )
        untried = hint(
            outcome,
            allow_flip=allow_flip,
            init=init,
            similarity=options.similarity,
            photometric=options.photometric,
            roi=roi,
        )
        written += page.write(alignment, untried, asked.sentence(alignment) if accepted else "")
        # Last, so that a JSON of an aligned pair exists only together with its images.
        written += write_json(outputs, document)
    objection = asked.objection(alignment, (source_path, target_path)) if accepted else ""
    if not quiet:
        where = canvas_in_words(shown) if shown is not None else ""
        named = [path + where if path == outputs.image else path for path in written]
        said = closing_line(
            alignment,
            written=named,
            pair=(source_path, target_path),
            accepted=accept_doubtful,
            of_full_scale=have_full_scale(source, target),
        )
        table = _table(alignment, source, target) if verbose else ""
        first, *others = said.splitlines()
        changed = asked.line(alignment, (source_path, target_path)) if accepted else ""
        step = (
            after_alignment(source_path, outputs.json, report, only_look=bool(objection))
            if accepted
            else after_refusal(source_path, report)
        )
        lines = [table, lost, first, untried, *others, changed, step]
        click.echo("\n".join(filter(None, lines)), err=True)
    elif not outcome.aligned:
        said = closing_line(alignment, written=(), pair=(source_path, target_path))
        click.echo(said.splitlines()[0], err=True)
    say_what_is_missing(outputs, alignment)
    for line in said_of_views:
        click.echo(line, err=True)
    if not accepted:
        for path in outputs.stale(written):
            click.echo(f"{path} is from an earlier run", err=True)
        raise SystemExit(ExitCode.NOT_ALIGNED)
    if objection:
        if quiet:
            click.echo(objection, err=True)
        raise SystemExit(ExitCode.NOT_ALIGNED)


def _engine_options(solver: dict[str, Any], init: str) -> Options:
    """The engine's options, from those of the command.

    Raises:
        click.UsageError: if two of them contradict each other.
    """
    try:
        options = Options(**solver)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if init == POSES and options.similarity == INTENSITY:
        raise click.UsageError(
            f"--init {POSES} compares edge orientations: add --similarity {AUTO}"
        )
    return options


def _table(alignment: Alignment, source: Picture, target: Picture) -> str:
    """The output of ``--verbose``: the solves of all levels, and the measures of the tiles."""
    levels = level_table(alignment, of_full_scale=have_full_scale(source, target))
    return "\n".join(filter(None, [levels, displacement_figures(alignment)]))
