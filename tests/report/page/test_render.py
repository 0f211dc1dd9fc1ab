from __future__ import annotations

from html.parser import HTMLParser

import pytest

from align_cli.report.page import view
from align_cli.report.page.render import PARTS, TEMPLATES, asset, render

HOSTILE = "<img src=x onerror=alert(1)>\"'</script></style>&amp;"


class Parts(HTMLParser):
    """The tags, addresses and words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(text: str) -> view.Page:
    """One with every section and every text in it the same."""
    layer = view.Layer("target", text, text, "data:image/png;base64,", 8, 8, text)
    outline = view.Outline(((0.0, 0.0), (8.0, 0.0), (8.0, 8.0)), text)
    arrow = view.Arrow((1.0, 1.0), None, (), 2.0, "#000000", text)
    scale = view.Scale("error", text, ("#000000", "#ffffff"), (view.Tick(0.0, text),))
    pane = view.Pane(text, 8, 8, (layer,), (outline,), (arrow,), text, text)
    mode = view.Mode("target", text, "t", text)
    ticks = (view.Tick(0.0, text), view.Tick(1.0, text))
    line = view.Line(text, ((0.0, 0.0), (1.0, 1.0)))
    sections = (
        view.Verdict(text, "doubtful", (text,), (text,), (text,), (text,), text),
        view.Viewer(text, (pane,), (mode,), (scale,), (text,)),
        view.Numbers(text, (view.Row(text, text, text),)),
        view.Chart(text, text, 1.0, 1.0, (line,), ticks, ticks, (text,), ((text, text),)),
        view.Provenance(
            text, (text,), (view.Input(text, text, text, text),), (view.Row(text, text),)
        ),
    )
    return view.Page(text, text, (text, text), "doubtful", sections)


def parsed(text: str) -> Parts:
    parts = Parts()
    parts.feed(render(page(text)))
    return parts


def test_whatever_is_put_in_is_text() -> None:
    plain, hostile = parsed("plain"), parsed(HOSTILE)
    assert hostile.tags == plain.tags
    assert "onerror" not in hostile.attributes
    assert hostile.attributes["src"] == plain.attributes["src"]
    for words, others in zip(plain.words, hostile.words, strict=True):
        assert words.replace("plain", HOSTILE) == others


def test_every_section_has_its_template() -> None:
    names = {f"parts/{part}.html" for part in PARTS}
    assert {section.template for section in page("plain").sections} == names
    assert all((TEMPLATES / name).is_file() for name in names)


@pytest.mark.parametrize("name", ["page.css", "viewer.js"])
def test_what_is_put_in_as_it_is_cannot_end_its_element(name: str) -> None:
    text = asset(name).lower()
    assert "</" not in text
    assert "http" not in text
    assert "innerhtml" not in text
