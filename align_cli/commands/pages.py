"""``--page``: which page, or frame, of a file that has several."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

from align_cli.commands.options import meaning


class Pages(NamedTuple):
    """Numbers of pages, from 0; None for a file that has one only."""

    source: int | None = None
    target: int | None = None


def page_number(text: str) -> int:
    """The number of a page, such as 3."""
    if not re.fullmatch("[0-9]{1,9}", text.strip()):
        raise ValueError(f"{text!r} is not the number of a page, from 0, such as 3.")
    return int(text)


def pages_of_both(text: str) -> Pages:
    """The numbers of a text such as 3, for the source alone, or 3,0."""
    words = text.split(",")
    try:
        return Pages(*map(page_number, words))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{text!r} is not N or N,M: the page of SRC and that of DST, from 0, such as 3,0."
        ) from error


pages_opt = click.option(
    "--page",
    "pages",
    callback=meaning(pages_of_both),
    metavar="N[,M]",
    help="Page of SRC, and of DST, of files that have several, from 0: pages of a TIFF, frames of "
    "an animated GIF, PNG or WebP.",
)
page_opt = click.option(
    "--page",
    callback=meaning(page_number),
    metavar="N",
    help="Page of a TIFF, or frame of an animated GIF, PNG or WebP, that has several, from 0.",
)


def pages_record(pages: Pages | None) -> dict[str, int | None]:
    """The numbers as the document holds them among the options."""
    source, target = pages or Pages()
    return {"source_page": source, "target_page": target}
