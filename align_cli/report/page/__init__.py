"""The report: one page of HTML that needs nothing beside itself.

    view        what a page is made of: plain records, and no pictures, numbers or files behind them
    stretch     which value of an image is black, and which white
    laid        the source on the target's grid, and when there is no such picture
    pictures    pictures as data URIs, reduced where they are large
    residuals   the difference and the error, from the images' own pixels
    shapes      outlines, arrows, the path of the corners
    legends     the colour scales of what is painted
    sentences   numbers in words
    provenance  inputs with their digests, versions
    alignment   the view of an alignment
    render      from a view to HTML: templates/, where nothing is computed

Another kind of page (of a stack, a batch) is another list of sections, of those of ``view`` or of
its own; a section names its template.
"""

from typing import Final

SUFFIXES: Final = (".html", ".htm")
"""Of the names of pages."""
