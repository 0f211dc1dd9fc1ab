"""The page of an alignment, or of a check: which sections it has, and what they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from align_cli.files.errors import printable
from align_cli.report.error_map import in_shares_of_range
from align_cli.report.page import legends, residuals, sentences, shapes, view
from align_cli.report.page.laid import corrected, warped_source, why_not_laid
from align_cli.report.page.pictures import SMALL_PIXELS, Embedded, picture
from align_cli.report.page.provenance import provenance
from align_cli.report.page.stretch import shown, stretch_of
from align_cli.report.summary import band_in_words, have_full_scale
from align_cli.workers import Workers

if TYPE_CHECKING:
    from align_cli.engine.result.alignment import Alignment
    from align_cli.engine.result.changed import Changed
    from align_cli.files.images import Picture

Residual = Callable[..., "tuple[NDArray[np.float32], NDArray[np.bool_]]"]

MODES: Final = (
    view.Mode("divider", "Divider", "s", "Target on the left, warped source on the right"),
    view.Mode("blink", "Blink", "b", "One after the other: what jumps does not fit"),
    view.Mode(
        "difference", "Difference", "d", "Warped source less target: mid-grey where they are equal"
    ),
    view.Mode("error", "Error map", "e", "How far apart they are: black where they are equal"),
    view.Mode("checkerboard", "Checkerboard", "c", "Edges must continue from square to square"),
    view.Mode("redcyan", "Red/cyan", "r", "Grey where both agree; red or cyan where one is darker"),
    view.Mode("target", "Target", "t", "The target alone"),
    view.Mode("warped", "Warped source", "w", "The source on the target's pixel grid"),
    view.Mode(
        "before", "Source as it was", "u", "The source laid on the target without aligning it"
    ),
)


class Ahead(NamedTuple):
    """What of a page depends on the images alone: it can be made while they are aligned.

    Attributes:
        target: the target as it is shown.
        before: an idea of the source before it was aligned.
        inputs: what was read.
    """

    target: Embedded
    before: Embedded
    inputs: tuple[view.Input, ...]


def ahead(
    source: Picture, target: Picture, inputs: tuple[view.Input, ...], *, lossless: bool
) -> Ahead:
    """Make what can be made before the alignment is known; may be called on a thread."""
    seen, small = (shown(each.pixels, stretch_of(each.pixels)) for each in (target, source))
    return Ahead(
        picture(seen, lossless=lossless),
        picture(small, lossless=lossless, most_pixels=SMALL_PIXELS),
        inputs,
    )


class Laid(NamedTuple):
    """The pictures of the source on the target."""

    warped: Embedded
    error: Embedded
    difference: Embedded


def laid(
    source: Picture,
    target: Picture,
    found: Alignment,
    of_residual: Residual,
    *,
    checked: bool,
    lossless: bool,
) -> Laid | None:
    """Lay the source on the target; None where that cannot be shown. May be called on a thread.

    Args:
        source: the source.
        target: the target.
        found: the alignment.
        of_residual: makes what ``align_cli.engine.aligner.residual`` returns; its ``raw`` is given.
        checked: whether the transform was given, and so is shown whatever the verdict.
        lossless: whether the pictures are exact and whole.
    """
    if why_not_laid(found, checked=checked):
        return None

    def warped() -> Embedded:
        return picture(warped_source(found, source.pixels, target.pixels), lossless=lossless)

    def left() -> tuple[Embedded, Embedded]:
        residual, overlap = of_residual(raw=False)
        if not have_full_scale(source, target):
            residual = in_shares_of_range(residual, target.pixels)
        return (
            residuals.error_picture(residual, overlap, whole=lossless),
            residuals.difference_picture(residual, overlap, whole=lossless),
        )

    with Workers(1) as workers:
        laying = workers.start(warped)
        error, difference = left()
        return Laid(laying.result(), error, difference)


@dataclass(frozen=True)
class Told:
    """All that a page is made from.

    Attributes:
        found: the alignment.
        source, target: its images.
        ahead: what was made of these images.
        laid: the source on the target; None where that cannot be shown.
        hint: which options were not tried, in words; empty for none.
        objection: why a limit on what changed is not met, in a sentence; empty where it is.
        checked: whether the transform was given.
        lossless: whether the pictures are exact and whole.
        command: the line that makes the same again, in words as a shell reads them; empty where
            there is none.
    """

    found: Alignment
    source: Picture
    target: Picture
    ahead: Ahead
    laid: Laid | None
    checked: bool
    lossless: bool
    hint: str = ""
    objection: str = ""
    command: tuple[str, ...] = ()

    @property
    def of_full_scale(self) -> bool:
        """Whether both images have a white of their own."""
        return have_full_scale(self.source, self.target)


def alignment_page(told: Told) -> view.Page:
    """The view of an alignment."""
    found, kind = told.found, told.found.outcome.verdict.value
    names = tuple(printable(each.path) for each in (told.source, told.target))
    overlaid = told.laid is not None
    chart = shapes.path_chart(found) if overlaid else None
    sections = (
        replace(
            _verdict(found, told.hint, used=overlaid and found.outcome.vouched),
            objection=told.objection,
        ),
        _side_by_side(told) if told.laid is None else _overlay(told, told.laid),
        view.Numbers(
            "In numbers",
            sentences.rows(found, of_full_scale=told.of_full_scale, used=overlaid),
        ),
        *(() if chart is None else (chart,)),
        provenance(told.ahead.inputs, told.command),
    )
    headings = sentences.CHECKED if told.checked else sentences.HEADINGS
    return view.Page(
        title=f"{kind}: {names[0]} on {names[1]}",
        heading=headings[kind],
        subject=names,
        kind=kind,
        sections=sections,
    )


def is_check(found: Alignment) -> bool:
    """Whether the transform was given: nothing was solved, on no level."""
    return not found.levels


def alignment_snippet(found: Alignment) -> view.Page:
    """The view of an alignment without its images, as a notebook shows it."""
    kinds = found.source_kind, found.target_kind
    of_full_scale = all(each is not None and each.dtype.startswith("uint") for each in kinds)
    vouched, kind = found.outcome.vouched, found.outcome.verdict.value
    words = _verdict(found, "", used=vouched)
    numbers = view.Numbers(
        "In numbers", sentences.rows(found, of_full_scale=of_full_scale, used=vouched)
    )
    heading = (sentences.CHECKED if is_check(found) else sentences.HEADINGS)[kind]
    return view.Page(heading, heading, (), kind, (words, numbers))


def _verdict(found: Alignment, hint: str, *, used: bool) -> view.Verdict:
    """The answer; ``used``: whether there is a transform to be described."""
    lines = (sentences.motion(found), sentences.certainty(found.uncertainty))
    return view.Verdict(
        title="Verdict",
        kind=found.outcome.verdict.value,
        lines=lines if used else (),
        limits=sentences.limits(found) if used else (),
        reasons=sentences.reasons(found.outcome),
        advice=sentences.advice(found.outcome, hint),
    )


def _overlay(told: Told, pictures: Laid) -> view.Viewer:
    """Target and warped source, one over the other."""
    found = told.found
    layers, notes = _layers(told, pictures)
    outline = shapes.outline(
        found.source_to_target, found.source_size, found.target_size, "border of the source"
    )
    drawn, times = (
        ((), 1) if found.displacements is None else shapes.arrows(found.displacements.field)
    )
    pane = view.Pane(
        label="target",
        width=found.target_size[0],
        height=found.target_size[1],
        layers=layers,
        outlines=() if outline is None else (outline,),
        outlines_label="Outline of the source",
        arrows=drawn,
        arrows_label=f"Displacements (arrows {times} times as long)"
        if times > 1
        else "Displacements",
        marks=shapes.changed_marks(found.changes, found.target_size),
        marks_label=_changed(found.changes),
    )
    return view.Viewer(
        title="Look",
        panes=(pane,),
        modes=MODES,
        scales=(
            *(
                legend(of_full_scale=told.of_full_scale, raw=not found.corrects_illumination)
                for legend in (legends.difference_legend, legends.error_legend)
            ),
            *([legends.displacement_legend()] if drawn else []),
        ),
        notes=notes,
    )


def _layers(told: Told, pictures: Laid) -> tuple[tuple[view.Layer, ...], tuple[str, ...]]:
    """The pictures of an overlay from below, and what is to be said of them."""
    after = ", after the change of illumination"
    light = after if corrected(told.found) else ""
    of_residual = after if told.found.corrects_illumination else ""
    named = (
        ("target", "target", "the target", told.ahead.target),
        ("before", "source as it was", "the source before it was aligned", told.ahead.before),
        ("warped", "warped source", f"the source, laid on the target{light}", pictures.warped),
        (
            "difference",
            "difference",
            f"warped source less target{of_residual}",
            pictures.difference,
        ),
        ("error", "error map", "the magnitude of the difference", pictures.error),
    )
    notes = (
        *_stretches(told),
        *((f"warped source{light}; brightness as the target's",) if light else ()),
        *(f"{label}: {each.note}" for _, label, _, each in named),
    )
    return tuple(_layer(*each) for each in named), notes


def _side_by_side(told: Told) -> view.Viewer:
    """Both images as they were given, and where the search looked."""
    both = told.source, told.target
    seen = shown(told.source.pixels, stretch_of(told.source.pixels))
    embedded = picture(seen, lossless=told.lossless), told.ahead.target
    places = shapes.searched_outlines(told.found)
    panes = tuple(
        view.Pane(
            label=role,
            width=image.width,
            height=image.height,
            layers=(_layer(role, role, f"the {role} as it was given", each),),
            outlines=places if role == "target" else (),
            outlines_label=_searched(told.found, len(places)),
            outlines_shown=True,
        )
        for role, image, each in zip(("source", "target"), both, embedded, strict=True)
    )
    return view.Viewer(
        title="Both images as they were given",
        panes=panes,
        notes=(
            *_stretches(told),
            *(
                f"{role}: {each.note}"
                for role, each in zip(("source", "target"), embedded, strict=True)
            ),
        ),
    )


def _changed(changes: Changed | None) -> str:
    """What the switch of the marks says."""
    if changes is None or not (changes.boxes or changes.inner_bands):
        return ""
    many, drawn, bands = changes.areas, len(changes.boxes), changes.inner_bands
    some = f", the largest {drawn} drawn" if drawn < many else ""
    areas = f"{many} area{'s' if many > 1 else ''}{some}" if many else ""
    return f"What changed ({'; '.join([*map(band_in_words, bands), *filter(None, [areas])])})"


def _searched(found: Alignment, drawn: int) -> str:
    many = len(found.searched)
    best = max((each.share for each in found.searched), default=0.0)
    some = f", the best {drawn} drawn" if drawn < many else ""
    most = f"at the best {100 * best:.0f} % of the tiles correlate"
    return f"Where the search looked ({many} places{some}; {most})"


def _layer(key: str, label: str, description: str, each: Embedded) -> view.Layer:
    return view.Layer(key, label, description, each.uri, each.width, each.height, each.note)


def _stretches(told: Told) -> tuple[str, ...]:
    return tuple(
        f"brightness of the {role}: {stretch_of(image.pixels).words} ({image.dtype})"
        for role, image in (("source", told.source), ("target", told.target))
    )
