"""From a view to HTML: Jinja2, which escapes all that it is given."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from align_cli.report.page.view import Page

TEMPLATES: Final = Path(__file__).parent / "templates"
PARTS: Final = ("verdict", "viewer", "numbers", "chart", "provenance")


@cache
def environment() -> Environment:
    """The templates, ready to be filled in. May be called ahead, on a thread of its own."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["asset"] = asset
    for name in ("page.html", *(f"parts/{part}.html" for part in PARTS)):
        made.get_template(name)
    return made


def asset(name: str) -> str:
    """A style sheet or script of this package: the only text that a template calls safe."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def render(page: Page) -> str:
    """The page as HTML."""
    return environment().get_template("page.html").render(page=page)


def render_snippet(page: Page) -> str:
    """What of a page a notebook shows, as HTML: its verdict and numbers."""
    return environment().get_template("snippet.html").render(page=page)
