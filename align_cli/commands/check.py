"""``imalign check TRANSFORM SRC DST``: test whether a given transform aligns SRC to DST."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from align_cli.commands.changes import Asked, changed_above_opt, max_changed_opt
from align_cli.commands.choices import Choice
from align_cli.commands.exit_codes import ExitCode, InputFault, faults
from align_cli.commands.inputs import read_pair
from align_cli.commands.next_steps import after_check, with_names
from align_cli.commands.options import (
    accept_doubtful_opt,
    accept_residual_opt,
    debug_opt,
    displacement_map_opt,
    error_legend_opt,
    keep_fixed_pattern_opt,
    max_megapixels_opt,
    path_opt,
    quiet_opt,
    raw_error_opt,
    refuse_both,
    small_files_opt,
    source_arg,
    target_arg,
    transform_arg,
)
from align_cli.commands.outputs import (
    Outputs,
    View,
    check_outputs,
    left_between,
    say_what_is_missing,
    write_displacement_map,
    write_json,
    write_pictures,
)
from align_cli.commands.pages import Pages, pages_opt, pages_record
from align_cli.commands.pair_command import PairCommand
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
from align_cli.engine.options import DEFAULTS, MODEL_NAMES, Options
from align_cli.report.document import alignment_document, image_facts
from align_cli.report.summary import closing_line, displacement_figures, have_full_scale
from align_cli.transform_files import read_with_model

if TYPE_CHECKING:
    from align_cli.engine.result.transform import Transform
    from align_cli.files.images import Picture

EPILOG = """\b
Examples:
  imalign check scan_aligned.json scan.png original.png
  imalign check transform.tfm scan.png original.png --displacement-map where.png
  imalign check --json - matrix.txt scan.png original.png | jq .displacements.p95_px

Exit codes: 0 aligned (or doubtful, with --accept-doubtful); 1 not aligned, doubtful without it, or
more changed than --max-changed; the others as for imalign SRC DST."""


@click.command(cls=PairCommand, epilog=EPILOG)
@transform_arg
@source_arg
@target_arg
@path_opt("--json", "json_path", help="Result, as imalign SRC DST writes it; - is stdout.")
@displacement_map_opt
@report_opt
@report_lossless_opt
@overlay_opt
@overlay_style_opt
@blink_opt
@path_opt(
    "--error-map",
    help="Residual in grey values, after illumination: a heat map of its magnitude (.png), or the "
    "signed float32 residual (.tif, .npy).",
)
@error_legend_opt
@raw_error_opt
@click.option(
    "-m",
    "--model",
    type=Choice(MODEL_NAMES),
    help="Motion model to test against: a residual displacement that a richer model would remove "
    "counts against TRANSFORM.  [default: the model named in TRANSFORM's file, else "
    f"{DEFAULTS.model}]",
)
@similarity_opt
@pages_opt
@source_mask_opt
@target_mask_opt
@roi_opt
@ignore_alpha_opt
@channel_opt
@max_changed_opt
@changed_above_opt
@accept_doubtful_opt
@accept_residual_opt
@keep_fixed_pattern_opt
@small_files_opt
@max_megapixels_opt
@threads_opt
@quiet_opt
@click.option("-v", "--verbose", is_flag=True, help="Also print the statistics of the tiles.")
@debug_opt
def check(
    *,
    transform_path: str,
    source_path: str,
    target_path: str,
    json_path: str | None,
    displacement_map: str | None,
    report: str | None,
    report_lossless: bool,
    overlay: str | None,
    overlay_style: str | None,
    blink: str | None,
    error_legend: str | None,
    raw_error: bool,
    error_map: str | None,
    model: str | None,
    pages: Pages | None,
    source_mask: str | None,
    target_mask: str | None,
    roi: Roi | None,
    max_changed: float | None,
    changed_above: float | None,
    accept_doubtful: bool,
    accept_residual: float | None,
    keep_fixed_pattern: bool,
    small_files: bool,
    max_megapixels: float,
    threads: int | None,
    quiet: bool,
    verbose: bool,
    **seen_by: Any,
) -> None:
    """Test whether TRANSFORM aligns SRC to DST, and where it does not.

    TRANSFORM may be in any format that imalign convert reads, from any program. Nothing is fitted
    and no image is written: textured tiles of DST are matched, one by one, in the warped SRC.
    """
    refuse_both("--quiet", quiet, "--verbose", verbose)
    check_report(report, lossless=report_lossless)
    check_views(overlay, overlay_style, blink)
    asked = Asked(changed_above, max_changed, seen_by["similarity"])
    roles = {"source": source_path, "target": target_path, "transform": transform_path}
    seen = {
        "source mask": source_mask or "",
        "target mask": target_mask or roi_text(roi),
        "roi": f"{target_path}, {roi_text(roi)}",
    }
    with faults({**roles, **seen}), on_threads(threads):
        transform, named = read_with_model(transform_path)
        source, target = read_pair(source_path, target_path, max_megapixels, pages)
        _check_sizes(transform_path, transform, source, target)
        masks = read_masks(
            source,
            target,
            source_mask=source_mask,
            target_mask=target_mask,
            roi=roi,
            max_megapixels=max_megapixels,
        )
        outputs = Outputs(
            image=None,
            json=json_path,
            error_map=error_map,
            displacement_map=displacement_map,
            report=report,
            error_legend=error_legend,
            raw_error=raw_error,
            overlay=overlay,
            blink=blink,
        )
        given = filter(None, [transform_path, source_mask, target_mask])
        check_outputs(outputs, [source_path, target_path, *given], source)
        page = Report(report, source, target, checked=(transform_path,), lossless=report_lossless)
        options = Options(
            model=model or named or DEFAULTS.model,
            accept_residual=accept_residual,
            keep_fixed_pattern=keep_fixed_pattern,
            **seen_by,
        )

        from align_cli.engine import check as engine  # noqa: PLC0415  (help stays quick)

        alignment = engine.check(
            source.pixels,
            target.pixels,
            transform,
            model=options.model,
            similarity=options.similarity,
            source_mask=masks.source,
            target_mask=masks.target,
            channel=options.channel,
            ignore_alpha=options.ignore_alpha,
            accept_residual=accept_residual,
            keep_fixed_pattern=keep_fixed_pattern,
            threads=threads,
        )
        outcome = with_names(alignment.outcome, transform_path, source_path, target_path)
        alignment = replace(alignment, outcome=outcome)
        left = left_between(source, target, alignment, masks, options, raw=raw_error)
        page.lay(alignment, left)
        alignment = asked.looked_for(alignment, source, target, masks, options)
        accepted = outcome.aligned or (accept_doubtful and outcome.doubtful)
        # With any verdict: unlike a warped image, neither can be mistaken for a result.
        written, _ = write_pictures(
            outputs,
            alignment,
            source,
            target,
            residual=left,
            view=View("linear", None, 0.0),
            small=small_files,
        )
        written += write_displacement_map(
            outputs, alignment, target, residual=left, small=small_files
        )
        views, said_of_views = write_views(
            outputs,
            overlay_style,
            alignment,
            source,
            target,
            checked=True,
            small=small_files,
            quiet=quiet,
        )
        written += views
        written += page.write(alignment, objection=asked.sentence(alignment) if accepted else "")
        document = alignment_document(
            alignment,
            source=image_facts(source),
            target=image_facts(target),
            options={
                **options_record(options, transform_path),
                **regions_record(source_mask, target_mask, roi),
                **pages_record(pages),
                **asked.record,
                "allow_flip": False,
                "accept_doubtful": accept_doubtful,
                "interpolation": "linear",
                "canvas": "target",
                "fill": 0.0,
            },
        )
        written += write_json(outputs, document)
    said = closing_line(
        alignment,
        written=written,
        pair=(source_path, target_path),
        accepted=accept_doubtful,
        of_full_scale=have_full_scale(source, target),
        checked=True,
    )
    objection = asked.objection(alignment, (source_path, target_path)) if accepted else ""
    if not quiet:
        figures = displacement_figures(alignment) if verbose else ""
        changed = asked.line(alignment, (source_path, target_path)) if accepted else ""
        step = after_check(
            transform_path, source_path, report, usable=accepted, only_look=bool(objection)
        )
        click.echo("\n".join(filter(None, [figures, said, changed, step])), err=True)
    elif not outcome.aligned:
        click.echo(said.splitlines()[0], err=True)
    say_what_is_missing(outputs, alignment)
    for line in said_of_views:
        click.echo(line, err=True)
    if not accepted:
        raise SystemExit(ExitCode.NOT_ALIGNED)
    if objection:
        if quiet:
            click.echo(objection, err=True)
        raise SystemExit(ExitCode.NOT_ALIGNED)


def _check_sizes(path: str, transform: Transform, source: Picture, target: Picture) -> None:
    """Raise for images whose sizes are not those of the transform."""
    for picture, size, other in (
        (source, transform.source_size, transform.target_size),
        (target, transform.target_size, transform.source_size),
    ):
        own = picture.width, picture.height
        if size in (None, own):
            continue
        advice = (
            "are SRC and DST swapped?"
            if own == other
            else "imalign apply --rescale scales a transform to another size"
        )
        raise InputFault(
            f"{picture.path}: {path} is for an image of {size[0]}x{size[1]} px, this one has "
            f"{own[0]}x{own[1]} px; {advice}"
        )
