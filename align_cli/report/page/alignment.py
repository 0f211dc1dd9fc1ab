"""The page of an alignment, or of a check: which sections it has, and what they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from align_cli.files.errors import printable
from align_cli.report.page import legends, residuals, sentences, shapes, view
from align_cli.report.page.laid import warped_source, why_not_laid
from align_cli.report.page.pictures import SMALL_PIXELS, Embedded, picture
from align_cli.report.page.stretch import Stretch, shown, stretch_of
from align_cli.version import __version__
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
        "difference",
        "Difference",
        "d",
        "Warped source less target, as they are",
    ),
    view.Mode("error", "Error map", "e", "How far they are apart after the change of illumination"),
    view.Mode("checkerboard", "Checkerboard", "c", "Edges must continue from square to square"),
    view.Mode("redcyan", "Red/cyan", "r", "Grey where both agree; red or cyan where one is darker"),
    view.Mode("target", "Target", "t", "The target alone"),
    view.Mode("warped", "Warped source", "w", "The source on the target's pixel grid"),
    view.Mode(
        "before", "Source as it was", "u", "The source laid on the target without aligning it"
    ),
)


@dataclass(frozen=True)
class Told:
    """All that a page is made from.

    Attributes:
        found: the alignment.
        source, target: its images.
        residual: makes what ``align_cli.engine.aligner.residual`` returns; its ``raw`` is given.
        hint: which options were not tried, in words; empty for none.
        checked: whether the transform was given.
        lossless: whether the pictures are exact and whole.
        provenance: how to get the same again.
    """

    found: Alignment
    source: Picture
    target: Picture
    residual: Residual
    hint: str
    checked: bool
    lossless: bool
    provenance: view.Provenance

    @property
    def of_full_scale(self) -> bool:
        """Whether both images have a white of their own."""
        return self.source.full_scale > 1.0 and self.target.full_scale > 1.0

    @cached_property
    def overlaid(self) -> bool:
        """Whether the source can be shown on the target: not where nothing was found."""
        return not why_not_laid(self.found, checked=self.checked)


def alignment_page(told: Told) -> view.Page:
    """The view of an alignment."""
    found, kind = told.found, told.found.outcome.verdict.value
    names = tuple(printable(each.path) for each in (told.source, told.target))
    chart = shapes.path_chart(found) if told.overlaid else None
    sections = (
        _verdict(told),
        _overlay(told) if told.overlaid else _side_by_side(told),
        view.Numbers(
            "In numbers",
            sentences.rows(found, of_full_scale=told.of_full_scale, used=told.overlaid),
        ),
        *(() if chart is None else (chart,)),
        told.provenance,
    )
    headings = sentences.CHECKED if told.checked else sentences.HEADINGS
    return view.Page(
        title=f"{kind}: {names[0]} on {names[1]}",
        heading=headings[kind],
        subject=names,
        kind=kind,
        sections=sections,
        program=f"imalign {__version__}",
    )


def alignment_snippet(found: Alignment) -> view.Page:
    """The view of an alignment without its images, as a notebook shows it."""
    kinds = found.source_kind, found.target_kind
    of_full_scale = all(each is not None and each.dtype.startswith("uint") for each in kinds)
    vouched, kind = found.outcome.vouched, found.outcome.verdict.value
    words = view.Verdict(
        title="Verdict",
        kind=kind,
        lines=(sentences.motion(found), sentences.certainty(found.uncertainty)) if vouched else (),
        reasons=sentences.reasons(found.outcome),
        advice=sentences.advice(found.outcome, ""),
    )
    numbers = view.Numbers(
        "In numbers", sentences.rows(found, of_full_scale=of_full_scale, used=vouched)
    )
    heading = sentences.HEADINGS[kind]
    return view.Page(heading, heading, (), kind, (words, numbers), f"imalign {__version__}")


def _verdict(told: Told) -> view.Verdict:
    found = told.found
    lines = (sentences.motion(found), sentences.certainty(found.uncertainty))
    return view.Verdict(
        title="Verdict",
        kind=found.outcome.verdict.value,
        lines=lines if told.overlaid and found.outcome.vouched else (),
        reasons=sentences.reasons(found.outcome),
        advice=sentences.advice(found.outcome, told.hint),
    )


def _overlay(told: Told) -> view.Viewer:
    """Target and warped source, one over the other."""
    found = told.found
    layers, notes = _layers(told)
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
        marks=shapes.changed_marks(found.changes),
        marks_label=_changed(found.changes),
    )
    return view.Viewer(
        title="Look",
        panes=(pane,),
        modes=MODES,
        scales=(
            legends.difference_legend(),
            legends.error_legend(of_full_scale=told.of_full_scale),
            *([legends.displacement_legend()] if drawn else []),
        ),
        notes=notes,
    )


def _layers(told: Told) -> tuple[tuple[view.Layer, ...], tuple[str, ...]]:
    """The pictures of an overlay from below, and what is to be said of them."""
    lossless = told.lossless
    of_source, of_target = (stretch_of(each.pixels) for each in (told.source, told.target))

    def errors() -> tuple[Embedded, Embedded]:
        raw, overlap = told.residual(raw=True)
        left = raw if told.found.illumination is None else told.residual(raw=False)[0]
        raw, left = (
            residuals.comparable(each, told.target.pixels, of_full_scale=told.of_full_scale)
            for each in (raw, left)
        )
        return (
            residuals.difference_picture(raw, overlap, whole=lossless),
            residuals.error_picture(left, overlap, whole=lossless),
        )

    calls: tuple[Callable[[], Any], ...] = (
        lambda: picture(shown(told.target.pixels, of_target), lossless=lossless),
        lambda: picture(
            warped_source(told.found, told.source.pixels, of_source), lossless=lossless
        ),
        errors,
        lambda: picture(
            shown(told.source.pixels, of_source), lossless=lossless, most_pixels=SMALL_PIXELS
        ),
    )
    with Workers(2) as workers:
        target, warped, (difference, error), before = workers.map(lambda call: call(), calls)
    named = (
        ("target", "target", "the target", target),
        ("before", "source as it was", "the source before it was aligned", before),
        ("warped", "warped source", "the source, laid on the target", warped),
        ("difference", "difference", "warped source less target", difference),
        ("error", "error map", "the magnitude of the difference", error),
    )
    notes = (
        *_stretches(told, of_source, of_target),
        *(f"{label}: {each.note}" for _, label, _, each in named),
    )
    return tuple(_layer(*each) for each in named), notes


def _side_by_side(told: Told) -> view.Viewer:
    """Both images as they were given, and where the search looked."""
    both = told.source, told.target
    stretches = [stretch_of(each.pixels) for each in both]
    with Workers(2) as workers:
        embedded = workers.map(
            lambda one: picture(shown(one[0].pixels, one[1]), lossless=told.lossless),
            list(zip(both, stretches, strict=True)),
        )
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
            *_stretches(told, *stretches),
            *(
                f"{role}: {each.note}"
                for role, each in zip(("source", "target"), embedded, strict=True)
            ),
        ),
    )


def _changed(changes: Changed | None) -> str:
    """What the switch of the marks says."""
    if changes is None or not changes.boxes:
        return ""
    many, drawn = changes.areas, len(changes.boxes)
    some = f", the largest {drawn} drawn" if drawn < many else ""
    return f"What changed ({many} area{'s' if many > 1 else ''}{some})"


def _searched(found: Alignment, drawn: int) -> str:
    many = len(found.searched)
    best = max((each.share for each in found.searched), default=0.0)
    some = f", the best {drawn} drawn" if drawn < many else ""
    most = f"at the best {best:.0%} of the tiles correlate"
    return f"Where the search looked ({many} places{some}; {most})"


def _layer(key: str, label: str, description: str, each: Embedded) -> view.Layer:
    return view.Layer(key, label, description, each.uri, each.width, each.height, each.note)


def _stretches(told: Told, of_source: Stretch, of_target: Stretch) -> tuple[str, ...]:
    return tuple(
        f"brightness of the {role}: {stretch.words} ({image.dtype})"
        for role, image, stretch in (
            ("source", told.source, of_source),
            ("target", told.target, of_target),
        )
    )
