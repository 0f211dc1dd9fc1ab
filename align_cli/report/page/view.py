"""What a page is made of: plain records that the templates read, and nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

Point = tuple[float, float]


@dataclass(frozen=True)
class Layer:
    """A picture that lies in a pane.

    Attributes:
        key: names it for the script and the style sheet, as "target".
        label: names it for people.
        description: of what it shows, for those who cannot see it.
        uri: the picture itself, ``data:...``.
        width, height: that it takes up, in pixels of the pane.
        note: how it was encoded, in words.
    """

    key: str
    label: str
    description: str
    uri: str
    width: int
    height: int
    note: str


@dataclass(frozen=True)
class Outline:
    """A closed line over a pane; points in its pixels, (0, 0) being the corner of the first."""

    points: tuple[Point, ...]
    label: str
    strength: float = 1.0


@dataclass(frozen=True)
class Arrow:
    """What a tile says: a square of a colour, and an arrow from its middle; crossed without one.

    ``head`` is the triangle at the arrow's end; empty where the arrow is too short to have one.
    """

    centre: Point
    tip: Point | None
    head: tuple[Point, ...]
    side: float
    colour: str
    label: str


@dataclass(frozen=True)
class Pane:
    """Pictures of one size, one over the other.

    Attributes:
        label: names it for people.
        width, height: in pixels.
        layers: from below.
        outlines, arrows, marks: drawn over them; marks are where something changed.
        outlines_label, arrows_label, marks_label: what their switches say.
        outlines_shown: whether the outlines are drawn from the start, as marks always are.
    """

    label: str
    width: int
    height: int
    layers: tuple[Layer, ...]
    outlines: tuple[Outline, ...] = ()
    arrows: tuple[Arrow, ...] = ()
    outlines_label: str = ""
    arrows_label: str = ""
    outlines_shown: bool = False
    marks: tuple[Outline, ...] = ()
    marks_label: str = ""


@dataclass(frozen=True)
class Mode:
    """A way to look at the layers of a pane; ``key`` is typed, and ``hint`` says what it shows."""

    name: str
    label: str
    key: str
    hint: str


@dataclass(frozen=True)
class Tick:
    """A mark of a scale, at a share of its length."""

    share: float
    label: str


@dataclass(frozen=True)
class Scale:
    """A colour bar: ``colours`` at equal distances from its start to its end."""

    name: str
    title: str
    colours: tuple[str, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Section:
    """A part of a page. ``template`` is the file that shows it, ``anchor`` its address."""

    template: ClassVar[str]
    anchor: ClassVar[str]
    title: str


@dataclass(frozen=True)
class Verdict(Section):
    """The answer first.

    Attributes:
        kind: "aligned", "doubtful" or "failed", which selects the colour and the sign.
        lines: what happened, in sentences.
        limits: what to know before it is used.
        reasons: what speaks against it.
        advice: what to try.
        objection: why the command does not end with exit code 0 although there is a result.
    """

    template = "parts/verdict.html"
    anchor = "verdict"

    kind: str
    lines: tuple[str, ...]
    limits: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    objection: str = ""


@dataclass(frozen=True)
class Viewer(Section):
    """Pictures to compare: panes side by side, which zoom and move together."""

    template = "parts/viewer.html"
    anchor = "images"

    panes: tuple[Pane, ...]
    modes: tuple[Mode, ...] = ()
    scales: tuple[Scale, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A number, and what it means for somebody who has never seen it."""

    label: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Numbers(Section):
    """Numbers in words."""

    template = "parts/numbers.html"
    anchor = "numbers"

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Line:
    """A line of a chart, points in its units."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Chart(Section):
    """Lines over named places, such as pyramid levels.

    Attributes:
        caption: what it shows, in a sentence.
        width, height: of the drawing area, in its units.
        lines: in these units.
        across, up: marks along both axes, shares of the area.
        columns, table: the same in numbers.
    """

    template = "parts/chart.html"
    anchor = "path"

    caption: str
    width: float
    height: float
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    columns: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Input:
    """A file that was read: its name, what it holds, and its SHA-256 where it has one."""

    role: str
    name: str
    kind: str
    digest: str


@dataclass(frozen=True)
class Provenance(Section):
    """How to get the same again.

    Attributes:
        command: the line that makes it, in words as a shell reads them; empty where there is none.
        inputs: what was read.
        versions: of what computed it.
    """

    template = "parts/provenance.html"
    anchor = "provenance"

    command: tuple[str, ...]
    inputs: tuple[Input, ...]
    versions: tuple[Row, ...]


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: of the window.
        heading: above all sections.
        subject: below the heading, names of files.
        kind: see ``Verdict``.
        sections: in their order.
    """

    title: str
    heading: str
    subject: tuple[str, ...]
    kind: str
    sections: tuple[Section, ...]
